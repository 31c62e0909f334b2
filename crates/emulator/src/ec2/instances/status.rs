//! `DescribeInstanceStatus`.

use std::collections::BTreeMap;

use super::check_ids;
use super::model::{Instance, State};
use crate::ec2::call::Call;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::paging::page;
use crate::ec2::state::Region;
use crate::ec2::xml::Xml;

const FILTERS: [&str; 7] = [
    "availability-zone",
    "instance-state-code",
    "instance-state-name",
    "instance-status.reachability",
    "instance-status.status",
    "system-status.reachability",
    "system-status.status",
];

pub(super) fn describe_instance_status(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = call.params.list("InstanceId");
    check_ids(region, call, &ids)?;
    let filters = call.filters(&FILTERS)?;
    let all = call.params.flag("IncludeAllInstances")?.unwrap_or(false);
    if !ids.is_empty() && call.params.text("MaxResults").is_some() {
        let message = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(Ec2Error::combination(message));
    }
    call.dry_run()?;
    let shown = region.instances.values().filter(|instance| {
        (ids.is_empty() || ids.contains(&instance.id.as_str()))
            && (all || instance.state == State::Running)
            && (!ids.is_empty() || region.sees(&instance.id, call))
    });
    let none = BTreeMap::new();
    let rows = shown
        .map(|instance| (instance, summary(instance, call)))
        .filter(|(instance, (status, reachability))| {
            filters.pass(&none, |name| {
                let value = match name {
                    "availability-zone" => instance.zone.clone(),
                    "instance-state-code" => instance.state.code().to_string(),
                    "instance-state-name" => instance.state.name().to_owned(),
                    name if name.ends_with("reachability") => (*reachability).to_owned(),
                    _ => (*status).to_owned(),
                };
                vec![value]
            })
        })
        .collect::<Vec<_>>();
    let page = page(call, rows, |(instance, _)| instance.id.clone(), 5..=1000)?;
    let mut xml = Xml::new();
    xml.list("instanceStatusSet", &page.items, |xml, (instance, (status, reachability))| {
        xml.text("instanceId", &instance.id).text("availabilityZone", &instance.zone);
        xml.element("instanceState", |xml| {
            xml.value("code", instance.state.code()).text("name", instance.state.name());
        });
        for name in ["systemStatus", "instanceStatus"] {
            xml.element(name, |xml| {
                xml.text("status", status);
                if *reachability != "not-applicable" {
                    xml.list("details", [*reachability], |xml, reachability| {
                        xml.text("name", "reachability").text("status", reachability);
                    });
                }
            });
        }
    });
    page.write_next(&mut xml);
    Ok(xml)
}

/// The outcome of the status checks, and the one check there is.
fn summary(instance: &Instance, call: &Call<'_>) -> (&'static str, &'static str) {
    let since = instance.running_since.filter(|_| instance.state == State::Running);
    let Some(since) = since else { return ("not-applicable", "not-applicable") };
    let running = call.now.duration_since(since).unwrap_or_default();
    if running < call.settings.timings.initializing {
        ("initializing", "initializing")
    } else {
        ("ok", "passed")
    }
}
