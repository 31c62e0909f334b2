//! Regions and zones.

use super::call::{Actions, Call};
use super::error::{Ec2Error, Result};
use super::state::Region;
use super::state::tags::TagMap;
use super::xml::Xml;

pub(crate) const ACTIONS: Actions = &[
    ("DescribeRegions", describe_regions),
    ("DescribeAvailabilityZones", describe_availability_zones),
];

/// Regions that every account can use.
const REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Regions that an account has to ask for; this one has not.
const OPT_IN: [&str; 6] =
    ["af-south-1", "ap-east-1", "eu-central-2", "eu-south-1", "il-central-1", "me-central-1"];

/// The zones of a region.
pub(crate) fn of(region: &str) -> Vec<String> {
    ["a", "b", "c"].map(|letter| format!("{region}{letter}")).to_vec()
}

/// The identifier of a zone, which is the same for all accounts: `use1-az1`.
pub(crate) fn id(region: &str, zone: &str) -> String {
    let number = of(region).iter().position(|known| known == zone).map_or(0, |at| at + 1);
    let short = region.split('-').map(|part| match part {
        "north" => "n",
        "northeast" => "ne",
        "northwest" => "nw",
        "east" => "e",
        "southeast" => "se",
        "south" => "s",
        "southwest" => "sw",
        "west" => "w",
        "central" => "c",
        "gov" => "g",
        other => other,
    });
    format!("{}-az{number}", short.collect::<String>())
}

impl Region {
    /// The zone of a request: by its name, or by its identifier.
    pub(crate) fn zone(&self, call: &Call<'_>) -> Result<Option<String>> {
        let name = call.params.text("AvailabilityZone");
        let (known, wanted) = match (name, call.params.text("AvailabilityZoneId")) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let message = "Specify either AvailabilityZone or AvailabilityZoneId, not both";
                return Err(Ec2Error::combination(message));
            }
            (Some(name), None) => (of(&self.name).into_iter().find(|zone| zone == name), name),
            (None, Some(wanted)) => {
                let mut zones = of(&self.name).into_iter();
                (zones.find(|zone| id(&self.name, zone) == wanted), wanted)
            }
        };
        known.map(Some).ok_or_else(|| {
            let message = format!("The zone '{wanted}' does not exist.");
            Ec2Error::new("InvalidZone.NotFound", message)
        })
    }
}

fn describe_regions(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let wanted = call.params.list("RegionName");
    let filters = call.filters(&["endpoint", "opt-in-status", "region-name"])?;
    let all = call.params.flag("AllRegions")?.unwrap_or(false);
    call.dry_run()?;
    let mut regions = REGIONS.map(|name| (name, "opt-in-not-required")).to_vec();
    if !REGIONS.contains(&region.name.as_str()) {
        regions.push((&region.name, "opted-in"));
    }
    // A region is told if it is named, whether the account uses it or not.
    for name in OPT_IN {
        if name != region.name && (all || wanted.contains(&name)) {
            regions.push((name, "not-opted-in"));
        }
    }
    if let Some(unknown) =
        wanted.iter().find(|name| !regions.iter().any(|(known, _)| known == *name))
    {
        return Err(Ec2Error::invalid(format!("Invalid region provided: {unknown}")));
    }
    regions.retain(|(name, _)| wanted.is_empty() || wanted.contains(name));
    regions.retain(|(name, status)| {
        filters.pass(&TagMap::new(), |field| match field {
            "endpoint" => vec![endpoint(name)],
            "opt-in-status" => vec![(*status).to_owned()],
            _ => vec![(*name).to_owned()],
        })
    });
    regions.sort_unstable();
    let mut xml = Xml::new();
    xml.list("regionInfo", regions, |xml, (name, status)| {
        xml.text("regionName", name)
            .text("regionEndpoint", &endpoint(name))
            .text("optInStatus", status);
    });
    Ok(xml)
}

fn endpoint(region: &str) -> String {
    format!("ec2.{region}.amazonaws.com")
}

const ZONE_FILTERS: [&str; 10] = [
    "group-name",
    "message",
    "opt-in-status",
    "parent-zone-id",
    "parent-zone-name",
    "region-name",
    "state",
    "zone-id",
    "zone-name",
    "zone-type",
];

fn describe_availability_zones(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let (names, ids) = (call.params.list("ZoneName"), call.params.list("ZoneId"));
    let filters = call.filters(&ZONE_FILTERS)?;
    call.params.flag("AllAvailabilityZones")?;
    call.dry_run()?;
    let group = format!("{}-zg-1", region.name);
    let mut zones = of(&region.name)
        .into_iter()
        .map(|zone| (id(&region.name, &zone), zone))
        .collect::<Vec<_>>();
    let is_known = |wanted: &&str| zones.iter().any(|(id, zone)| zone == wanted || id == wanted);
    if let Some(unknown) = names.iter().chain(&ids).find(|wanted| !is_known(wanted)) {
        return Err(Ec2Error::invalid(format!("Invalid availability zone: [{unknown}]")));
    }
    zones.retain(|(id, zone)| {
        (names.is_empty() || names.contains(&zone.as_str()))
            && (ids.is_empty() || ids.contains(&id.as_str()))
            && filters.pass(&TagMap::new(), |field| match field {
                "group-name" => vec![group.clone()],
                "opt-in-status" => vec!["opt-in-not-required".to_owned()],
                "region-name" => vec![region.name.clone()],
                "state" => vec!["available".to_owned()],
                "zone-id" => vec![id.clone()],
                "zone-name" => vec![zone.clone()],
                "zone-type" => vec!["availability-zone".to_owned()],
                // There are no messages, and no zones within others.
                _ => Vec::new(),
            })
    });
    let mut xml = Xml::new();
    xml.list("availabilityZoneInfo", zones, |xml, (id, zone)| {
        xml.text("zoneName", &zone)
            .text("zoneState", "available")
            .text("regionName", &region.name)
            .texts::<&str>("messageSet", [])
            .text("zoneId", &id)
            .text("zoneType", "availability-zone")
            .text("groupName", &group)
            .text("networkBorderGroup", &region.name)
            .text("optInStatus", "opt-in-not-required");
    });
    Ok(xml)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec2::call::testing::TestCall;

    fn region() -> Region {
        Region::new("eu-central-1", "111122223333")
    }

    fn run(test: &TestCall) -> String {
        test.run(&mut region()).unwrap().to_string()
    }

    #[test]
    fn identifiers_of_zones() {
        assert_eq!(id("us-east-1", "us-east-1a"), "use1-az1");
        assert_eq!(id("ap-southeast-2", "ap-southeast-2c"), "apse2-az3");
        assert_eq!(id("us-gov-west-1", "us-gov-west-1b"), "usgw1-az2");
    }

    #[test]
    fn regions_and_those_to_opt_in() {
        let usual = run(&TestCall::new("DescribeRegions"));
        assert_eq!(usual.matches("<regionName>").count(), REGIONS.len());
        assert!(usual.contains("<regionEndpoint>ec2.eu-west-1.amazonaws.com</regionEndpoint>"));
        let all = run(&TestCall::new("DescribeRegions").with("AllRegions", "true"));
        assert_eq!(all.matches("<regionName>").count(), REGIONS.len() + OPT_IN.len());
        let filtered = TestCall::new("DescribeRegions")
            .with("Filter.1.Name", "region-name")
            .with("Filter.1.Value.1", "us-*-1");
        assert_eq!(run(&filtered).matches("<regionName>").count(), 2);
        let unknown = TestCall::new("DescribeRegions").with("RegionName.1", "mars-1");
        assert_eq!(unknown.run(&mut region()).unwrap_err().code, "InvalidParameterValue");
    }

    #[test]
    fn zones_by_name_identifier_and_filter() {
        let all = run(&TestCall::new("DescribeAvailabilityZones"));
        assert_eq!(all.matches("<zoneName>").count(), 3);
        for (name, value) in [("ZoneName.1", "eu-central-1b"), ("ZoneId.1", "euc1-az2")] {
            let one = run(&TestCall::new("DescribeAvailabilityZones").with(name, value));
            assert!(one.contains("<zoneName>eu-central-1b</zoneName>"), "{one}");
            assert_eq!(one.matches("<zoneName>").count(), 1);
        }
        let down = TestCall::new("DescribeAvailabilityZones")
            .with("Filter.1.Name", "state")
            .with("Filter.1.Value.1", "impaired");
        assert_eq!(run(&down), "<availabilityZoneInfo></availabilityZoneInfo>");
        let unknown = TestCall::new("DescribeAvailabilityZones").with("ZoneName.1", "eu-west-1a");
        assert_eq!(unknown.run(&mut region()).unwrap_err().code, "InvalidParameterValue");
    }
}
