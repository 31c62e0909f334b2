//! Instances.

mod attributes;
mod console;
mod describe;
mod document;
mod launch;
mod lifecycle;
mod model;
mod network;
mod run;
mod spot;
mod status;
mod storage;
#[cfg(test)]
mod tests;
mod token;

pub(crate) use self::lifecycle::{settle, shut_down};
pub(crate) use self::model::{Instance, Reason, State};
pub(crate) use self::spot::{SpotRequest, interrupt};
pub(crate) use self::storage::follow;
pub(crate) use self::token::Token;
use super::call::{Actions, Call};
use super::error::{Ec2Error, Result};
use super::state::Region;

pub(crate) const ACTIONS: Actions = &[
    ("RunInstances", run::run_instances),
    ("DescribeInstances", describe::describe_instances),
    ("DescribeInstanceStatus", status::describe_instance_status),
    ("StartInstances", lifecycle::start_instances),
    ("StopInstances", lifecycle::stop_instances),
    ("RebootInstances", lifecycle::reboot_instances),
    ("TerminateInstances", lifecycle::terminate_instances),
    ("ModifyInstanceAttribute", attributes::modify_instance_attribute),
    ("DescribeInstanceAttribute", attributes::describe_instance_attribute),
    ("GetConsoleOutput", console::get_console_output),
    ("DescribeSpotInstanceRequests", spot::describe_spot_instance_requests),
    ("CancelSpotInstanceRequests", spot::cancel_spot_instance_requests),
];

impl Region {
    pub(crate) fn has_spot_request(&self, id: &str) -> bool {
        self.spot_requests.contains_key(id)
    }
}

/// Fails unless all of the ids are of instances that are seen.
fn check_ids(region: &Region, call: &Call<'_>, ids: &[&str]) -> Result<()> {
    let mut missing = Vec::new();
    for id in ids {
        let digits = id.strip_prefix("i-").unwrap_or_default();
        let well_formed =
            matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !well_formed {
            let message = format!("Invalid id: \"{id}\"");
            return Err(Ec2Error::new("InvalidInstanceID.Malformed", message));
        }
        if !region.instances.contains_key(*id) || !region.sees(id, call) {
            missing.push(*id);
        }
    }
    let message = match missing.as_slice() {
        [] => return Ok(()),
        [one] => format!("The instance ID '{one}' does not exist"),
        several => format!("The instance IDs '{}' do not exist", several.join(", ")),
    };
    Err(Ec2Error::new("InvalidInstanceID.NotFound", message))
}

/// The instances of a request; there has to be one.
fn needed_ids<'a>(region: &Region, call: &Call<'a>) -> Result<Vec<&'a str>> {
    let ids = call.params.list("InstanceId");
    if ids.is_empty() {
        return Err(Ec2Error::missing("InstanceId"));
    }
    check_ids(region, call, &ids)?;
    Ok(ids)
}

/// The one instance of a request.
fn needed<'r>(region: &'r Region, call: &Call<'_>) -> Result<&'r Instance> {
    let id = call.params.need("InstanceId")?;
    check_ids(region, call, &[id])?;
    region
        .instances
        .get(id)
        .ok_or_else(|| Ec2Error::not_found("InvalidInstanceID.NotFound", "instance ID", id))
}
