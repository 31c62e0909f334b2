//! `CreateTags`, `DeleteTags`, `DescribeTags`.

use super::call::{Actions, Call};
use super::error::{Ec2Error, Result};
use super::paging::page;
use super::state::Region;
use super::state::tags::{check_key, parse};
use super::xml::Xml;

pub(crate) const ACTIONS: Actions =
    &[("CreateTags", create_tags), ("DeleteTags", delete_tags), ("DescribeTags", describe_tags)];

const MAX_RESOURCES: usize = 1000;

/// Beginnings of ids, types of resources, and the code if there is no such resource.
const KINDS: [(&str, &str, &str); 13] = [
    ("i", "instance", "InvalidInstanceID.NotFound"),
    ("vol", "volume", "InvalidVolume.NotFound"),
    ("snap", "snapshot", "InvalidSnapshot.NotFound"),
    ("ami", "image", "InvalidAMIID.NotFound"),
    ("sg", "security-group", "InvalidGroup.NotFound"),
    ("sgr", "security-group-rule", "InvalidSecurityGroupRuleId.NotFound"),
    ("key", "key-pair", "InvalidKeyPair.NotFound"),
    ("eipalloc", "elastic-ip", "InvalidAllocationID.NotFound"),
    ("eni", "network-interface", "InvalidNetworkInterfaceID.NotFound"),
    ("subnet", "subnet", "InvalidSubnetID.NotFound"),
    ("vpc", "vpc", "InvalidVpcID.NotFound"),
    ("pg", "placement-group", "InvalidPlacementGroup.Unknown"),
    ("sir", "spot-instances-request", "InvalidSpotInstanceRequestID.NotFound"),
];

fn kind(id: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    let (prefix, _) = id.split_once('-')?;
    KINDS.iter().find(|(known, _, _)| *known == prefix)
}

impl Region {
    /// Whether there is a resource with tags of this id.
    pub(crate) fn has(&self, id: &str) -> bool {
        match kind(id).map(|(prefix, _, _)| *prefix) {
            Some("i") => self.instances.contains_key(id),
            Some("vol") => self.volumes.contains_key(id),
            Some("snap") => self.snapshots.contains_key(id),
            Some("ami") => self.images.contains_key(id),
            Some("sg") => self.security_groups.contains_key(id),
            Some("key") => self.key_pairs.contains_key(id),
            Some("eipalloc") => self.addresses.contains_key(id),
            Some("eni") => self.interfaces.contains_key(id),
            Some("subnet") => self.subnets.contains_key(id),
            Some("vpc") => self.vpcs.contains_key(id),
            Some("pg") => self.placement_groups.contains_key(id),
            Some("sgr") => true,
            Some("sir") => self.has_spot_request(id),
            _ => false,
        }
    }
}

/// The resources of a request; all have to be there, and to be seen.
fn resources<'a>(region: &Region, call: &Call<'a>) -> Result<Vec<&'a str>> {
    let ids = call.params.list("ResourceId");
    if ids.is_empty() {
        return Err(Ec2Error::missing("resourceIdSet"));
    }
    if ids.len() > MAX_RESOURCES {
        return Err(Ec2Error::invalid("The maximum number of resources is 1000"));
    }
    for id in &ids {
        let Some((_, name, code)) = kind(id) else {
            return Err(Ec2Error::new("InvalidID", format!("The ID '{id}' is not valid")));
        };
        if !region.has(id) || !region.sees(id, call) {
            return Err(Ec2Error::not_found(code, &format!("{name} ID"), id));
        }
    }
    Ok(ids)
}

fn create_tags(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = resources(region, call)?;
    let tags = parse(&call.params)?;
    if tags.is_empty() {
        return Err(Ec2Error::missing("tagSet"));
    }
    call.dry_run()?;
    for id in &ids {
        region.tags.check(id, &tags)?;
    }
    for id in ids {
        region.tags.add(id, &tags)?;
    }
    Ok(Xml::success())
}

fn delete_tags(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = resources(region, call)?;
    let tags = call.params.structs("Tag");
    for tag in &tags {
        check_key(tag.need("Key")?)?;
    }
    call.dry_run()?;
    for id in ids {
        if tags.is_empty() {
            region.tags.clear(id);
        }
        for tag in &tags {
            region.tags.remove(id, tag.need("Key")?, tag.any_text("Value"));
        }
    }
    Ok(Xml::success())
}

fn describe_tags(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let filters = call.filters(&["key", "value", "resource-id", "resource-type"])?;
    call.dry_run()?;
    let mut rows = Vec::new();
    for (id, tags) in region.tags.all() {
        if !region.sees(id, call) {
            continue;
        }
        let name = kind(id).map_or("", |(_, name, _)| *name);
        for (key, value) in tags {
            let own = [(key.clone(), value.clone())].into();
            let passes = filters.pass(&own, |field| {
                let value = match field {
                    "key" => key,
                    "value" => value,
                    "resource-id" => id,
                    _ => name,
                };
                vec![value.to_owned()]
            });
            if passes {
                rows.push((id, name, key, value));
            }
        }
    }
    let page = page(call, rows, |(id, _, key, _)| format!("{id} {key}"), 5..=1000)?;
    let mut xml = Xml::new();
    xml.list("tagSet", &page.items, |xml, (id, name, key, value)| {
        xml.text("resourceId", id).text("resourceType", name).text("key", key).text("value", value);
    });
    page.write_next(&mut xml);
    Ok(xml)
}
