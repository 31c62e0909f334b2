//! Regions and zones.

use polycloud_core::compute::Location;
use polycloud_core::{Error, ErrorKind, Result};

use super::Inner;
use super::list::filter;

/// The regions that the account may use. EC2 tells the zones of the own region only.
pub(super) async fn locations(inner: &Inner) -> Result<Vec<Location>> {
    let regions = inner.caller.client().describe_regions();
    let regions = inner.caller.call("DescribeRegions", regions.send());
    let (regions, zones) = futures::try_join!(regions, zones(inner))?;
    let names = regions.regions.into_iter().flatten().filter_map(|region| region.region_name);
    let mut all: Vec<_> =
        names.filter(|name| name != inner.region()).map(|name| Location::new(name, [])).collect();
    all.push(Location::new(inner.region(), zones));
    all.sort_by(|a, b| a.region.cmp(&b.region));
    Ok(all)
}

/// The zones of the region that instances can be created in without being opted into.
async fn zones(inner: &Inner) -> Result<Vec<String>> {
    let request = inner
        .caller
        .client()
        .describe_availability_zones()
        .filters(filter("zone-type", ["availability-zone"]))
        .filters(filter("state", ["available"]));
    let answer = inner.caller.call("DescribeAvailabilityZones", request.send()).await?;
    let zones = answer.availability_zones.into_iter().flatten();
    let mut names: Vec<_> = zones.filter_map(|zone| zone.zone_name).collect();
    names.sort_unstable();
    Ok(names)
}

/// The zone for what needs one and is asked for without.
pub(super) async fn first_zone(inner: &Inner) -> Result<String> {
    let first = zones(inner).await?.into_iter().next();
    first.ok_or_else(|| {
        Error::new(ErrorKind::NotFound).with_message("the region has no zone that is available")
    })
}
