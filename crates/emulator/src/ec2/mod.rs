//! Amazon EC2: instances and what belongs to them, as a control plane that takes its time.

mod account;
mod addresses;
mod call;
mod catalog;
mod controls;
mod error;
mod filters;
mod images;
mod instances;
mod interfaces;
mod key_pairs;
mod networks;
mod paging;
mod params;
mod placement_groups;
mod public_images;
mod quotas;
mod security_groups;
mod select;
mod service;
mod snapshots;
mod ssm;
mod state;
mod tags;
mod time;
mod tokens;
mod types;
mod userdata;
mod volumes;
mod xml;
mod zones;

use self::call::{Actions, Handler, JsonHandler, Targets};
pub use self::controls::{Ec2Controls, Ec2Instance, Ec2Resource, Ec2Timings};
pub(crate) use self::service::{answer, fault_document};
pub(crate) use self::state::Ec2;
pub(crate) use self::userdata::{Processes, settle_by_itself};

/// What can be asked for in the Query protocol.
const ACTIONS: [Actions; 14] = [
    instances::ACTIONS,
    tags::ACTIONS,
    account::ACTIONS,
    addresses::ACTIONS,
    images::ACTIONS,
    interfaces::ACTIONS,
    key_pairs::ACTIONS,
    networks::ACTIONS,
    placement_groups::ACTIONS,
    security_groups::ACTIONS,
    snapshots::ACTIONS,
    types::ACTIONS,
    volumes::ACTIONS,
    zones::ACTIONS,
];

/// What can be asked for in JSON.
const TARGETS: [Targets; 2] = [ssm::TARGETS, quotas::TARGETS];

/// The handler of an action.
fn handler(action: &str) -> Option<Handler> {
    let mut all = ACTIONS.iter().flat_map(|actions| actions.iter());
    all.find(|(name, _)| *name == action).map(|(_, handler)| *handler)
}

/// The handler of a target.
fn json_handler(target: &str) -> Option<JsonHandler> {
    let mut all = TARGETS.iter().flat_map(|targets| targets.iter());
    all.find(|(name, _)| *name == target).map(|(_, handler)| *handler)
}

#[cfg(test)]
mod tests;
