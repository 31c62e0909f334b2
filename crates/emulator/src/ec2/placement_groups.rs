//! Placement groups.

use super::call::{Actions, Call};
use super::error::{Ec2Error, Result};
use super::select::{maybe, select};
use super::state::Region;
use super::state::tags::{check_kinds, specified};
use super::xml::Xml;

pub(crate) const ACTIONS: Actions = &[
    ("CreatePlacementGroup", create_placement_group),
    ("DescribePlacementGroups", describe_placement_groups),
    ("DeletePlacementGroup", delete_placement_group),
];

/// A placement group.
#[derive(Debug, Clone)]
pub(crate) struct PlacementGroup {
    id: String,
    name: String,
    /// `cluster`, `spread` or `partition`.
    strategy: String,
    partitions: Option<u32>,
    /// `host` or `rack`.
    spread_level: Option<String>,
}

impl Region {
    /// Whether there is a placement group of this name.
    pub(crate) fn has_placement_group(&self, name: &str) -> bool {
        self.placement_groups.values().any(|group| group.name == name)
    }
}

fn missing(what: &str) -> Ec2Error {
    let message = format!("The Placement Group '{what}' is unknown.");
    Ec2Error::new("InvalidPlacementGroup.Unknown", message)
}

fn create_placement_group(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    check_kinds(call, &["placement-group"])?;
    let tags = specified(call, "placement-group")?;
    let name = call.params.need("GroupName")?;
    let strategy = call.params.text("Strategy").unwrap_or("cluster");
    let partitions = call.params.number::<u32>("PartitionCount")?;
    let partitions = match (strategy, partitions) {
        ("partition", None) => Some(2),
        ("partition", Some(count)) if (1..=7).contains(&count) => Some(count),
        ("cluster" | "spread", None) => None,
        ("cluster" | "spread" | "partition", Some(count)) => {
            return Err(Ec2Error::invalid_value("partitionCount", &count.to_string()));
        }
        (other, _) => return Err(Ec2Error::invalid_value("strategy", other)),
    };
    let level = call.params.text("SpreadLevel");
    let spread_level = match (strategy, level) {
        ("spread", level @ (None | Some("host" | "rack"))) => {
            Some(level.unwrap_or("rack").to_owned())
        }
        (_, None) => None,
        (_, Some(other)) => return Err(Ec2Error::invalid_value("spreadLevel", other)),
    };
    if region.has_placement_group(name) {
        let message = format!("The Placement Group '{name}' already exists.");
        return Err(Ec2Error::new("InvalidPlacementGroup.Duplicate", message));
    }
    call.dry_run()?;
    let id = region.new_id("pg");
    let (name, strategy) = (name.to_owned(), strategy.to_owned());
    let group = PlacementGroup { id: id.clone(), name, strategy, partitions, spread_level };
    region.tags.add(&id, &tags)?;
    let mut xml = Xml::new();
    xml.element("placementGroup", |xml| write(xml, region, &group));
    region.placement_groups.insert(id.clone(), group);
    region.created(&id, call);
    Ok(xml)
}

fn delete_placement_group(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let name = call.params.need("GroupName")?;
    let mut groups = region.placement_groups.values();
    let id = groups.find(|group| group.name == name).map(|group| group.id.clone());
    let id = id.ok_or_else(|| missing(name))?;
    let mut instances = region.instances.values();
    if instances.any(|instance| {
        instance.placement_group.as_deref() == Some(name) && !instance.state.is_ending()
    }) {
        let message = format!("The placement group '{name}' is in use and may not be deleted.");
        return Err(Ec2Error::new("InvalidPlacementGroup.InUse", message));
    }
    call.dry_run()?;
    region.placement_groups.remove(&id);
    region.tags.forget(&id);
    Ok(Xml::success())
}

fn describe_placement_groups(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let filters =
        call.filters(&["group-arn", "group-name", "spread-level", "state", "strategy"])?;
    let mut ids = call.params.list("GroupId");
    for name in call.params.list("GroupName") {
        let mut groups = region.placement_groups.values();
        let found = groups.find(|group| group.name == name);
        ids.push(found.map(|group| group.id.as_str()).ok_or_else(|| missing(name))?);
    }
    let mut groups = select(region, call, &region.placement_groups, &ids, missing)?;
    call.dry_run()?;
    groups.retain(|group| {
        filters.pass(region.tags.of(&group.id), |field| match field {
            "group-arn" => vec![arn(region, group)],
            "group-name" => vec![group.name.clone()],
            "spread-level" => maybe(group.spread_level.as_ref()),
            "state" => vec!["available".to_owned()],
            _ => vec![group.strategy.clone()],
        })
    });
    let mut xml = Xml::new();
    xml.list("placementGroupSet", groups, |xml, group| write(xml, region, group));
    Ok(xml)
}

fn arn(region: &Region, group: &PlacementGroup) -> String {
    format!("arn:aws:ec2:{}:{}:placement-group/{}", region.name, region.account, group.name)
}

fn write(xml: &mut Xml, region: &Region, group: &PlacementGroup) {
    xml.text("groupName", &group.name)
        .text("groupId", &group.id)
        .text("groupArn", &arn(region, group))
        .text("state", "available")
        .text("strategy", &group.strategy)
        .optional_value("partitionCount", group.partitions)
        .optional("spreadLevel", group.spread_level.as_deref());
    region.tags.write(xml, &group.id);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec2::call::testing::TestCall;

    fn create(region: &mut Region, pairs: &[(&str, &str)]) -> Result<String> {
        let mut test = TestCall::new("CreatePlacementGroup").with("GroupName", "near");
        for (name, value) in pairs {
            test = test.with(name, value);
        }
        test.run(region).map(|xml| xml.to_string())
    }

    #[test]
    fn groups_come_are_told_and_go() {
        let mut region = Region::new("us-east-1", "111122223333");
        let xml = create(&mut region, &[("Strategy", "partition")]).unwrap();
        assert!(xml.contains("<partitionCount>2</partitionCount>"), "{xml}");
        assert!(region.has_placement_group("near") && !region.has_placement_group("far"));
        let twice = create(&mut region, &[]).unwrap_err();
        assert_eq!(twice.code, "InvalidPlacementGroup.Duplicate");
        let describe = TestCall::new("DescribePlacementGroups").at(5);
        for (field, yes, no) in [
            ("group-name", "n*", "f*"),
            ("strategy", "partition", "spread"),
            ("state", "available", "deleted"),
            ("group-arn", "arn:aws:ec2:us-east-1:*:placement-group/near", "x"),
        ] {
            for (pattern, count) in [(yes, 1), (no, 0)] {
                let test = describe.clone().with("Filter.1.Name", field);
                let xml =
                    test.with("Filter.1.Value.1", pattern).run(&mut region).unwrap().to_string();
                assert_eq!(xml.matches("<groupName>").count(), count, "{field} {pattern}");
            }
        }
        let delete = TestCall::new("DeletePlacementGroup").with("GroupName", "near");
        delete.run(&mut region).unwrap();
        assert_eq!(delete.run(&mut region).unwrap_err().code, "InvalidPlacementGroup.Unknown");
        let gone = describe.with("GroupName.1", "near").run(&mut region).unwrap_err();
        assert_eq!(gone.code, "InvalidPlacementGroup.Unknown");
    }

    #[test]
    fn groups_with_instances_stay() {
        let mut region = Region::new("us-east-1", "111122223333");
        create(&mut region, &[]).unwrap();
        let image = region.images.values().find(|image| image.architecture == "arm64").unwrap();
        let run = TestCall::new("RunInstances")
            .with("ImageId", &image.id)
            .with("InstanceType", "m7g.large")
            .with("MinCount", "1")
            .with("MaxCount", "1")
            .with("Placement.GroupName", "near");
        run.run(&mut region).unwrap();
        let delete = TestCall::new("DeletePlacementGroup").with("GroupName", "near");
        assert_eq!(delete.run(&mut region).unwrap_err().code, "InvalidPlacementGroup.InUse");
        let id = region.instances.keys().next().unwrap().clone();
        let terminate = TestCall::new("TerminateInstances").with("InstanceId.1", &id).at(20);
        terminate.run(&mut region).unwrap();
        delete.at(21).run(&mut region).unwrap();
    }

    #[test]
    fn what_a_group_may_be() {
        let mut region = Region::new("us-east-1", "111122223333");
        for wrong in [
            &[("Strategy", "huddle")][..],
            &[("PartitionCount", "2")],
            &[("Strategy", "partition"), ("PartitionCount", "8")],
            &[("SpreadLevel", "rack")],
            &[("Strategy", "spread"), ("SpreadLevel", "city")],
        ] {
            let error = create(&mut region, wrong).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValue", "{wrong:?}");
        }
        let spread = create(&mut region, &[("Strategy", "spread")]).unwrap();
        assert!(spread.contains("<spreadLevel>rack</spreadLevel>"), "{spread}");
    }
}
