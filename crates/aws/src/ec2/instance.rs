//! Instances as EC2 describes them, in the terms of the trait.

use std::net::IpAddr;
use std::time::SystemTime;

use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{Instance, InstanceName, InstanceState, InstanceStatus, StateReason};
use polycloud_core::{Error, ErrorKind, Result};

use super::{Inner, tags};

/// The reason of an instance that saved its memory.
const HIBERNATED: &str = "Client.UserInitiatedHibernate";

impl Inner {
    /// Reads one instance.
    pub(super) async fn describe(&self, native: &str) -> Result<sdk::Instance> {
        let answer = self.once_seen(native, || {
            let request = self.caller.client().describe_instances().instance_ids(native);
            self.caller.call("DescribeInstances", request.send())
        });
        let answer = answer.await?;
        let mut all = answer.reservations.into_iter().flatten();
        let found = all.find_map(|reservation| {
            let mut all = reservation.instances.into_iter().flatten();
            all.find(|instance| instance.instance_id() == Some(native))
        });
        found.ok_or_else(|| Error::new(ErrorKind::NotFound))
    }

    /// An instance in the terms of the trait.
    pub(super) fn instance(&self, from: &sdk::Instance) -> Result<Instance> {
        let native = from.instance_id().ok_or_else(|| incomplete("an instance without an id"))?;
        let id = self.id(native)?;
        let kind = from.instance_type().map(sdk::InstanceType::as_str).unwrap_or_default();
        let mut instance = Instance::new(id, name(from, native)?, status(from), kind);
        instance.image = from.image_id().map(str::to_owned);
        let placement = from.placement();
        instance.zone = placement.and_then(|p| p.availability_zone()).map(str::to_owned);
        (instance.public_ips, instance.private_ips) = addresses(from);
        instance.labels = tags::labels(from.tags());
        instance.owner = tags::owner(from.tags());
        instance.spot = from.instance_lifecycle() == Some(&sdk::InstanceLifecycleType::Spot);
        instance.created = created(from);
        Ok(instance)
    }
}

/// That an answer lacks what it always has.
pub(super) fn incomplete(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidResponse).with_message(what)
}

/// The name that its tag says. Instances of other tools may have none, or one that is no name here: they
/// are called by their id.
fn name(from: &sdk::Instance, native: &str) -> Result<InstanceName> {
    let tagged = tags::value(from.tags(), tags::NAME);
    let named = tagged.and_then(|name| InstanceName::new(name).ok());
    named.map_or_else(
        || InstanceName::new(native).map_err(|_| incomplete("an instance id that is none")),
        Ok,
    )
}

/// The word for a state, in ours.
pub(super) fn state(native: &str, hibernates: bool) -> InstanceState {
    match (native, hibernates) {
        ("pending", _) => InstanceState::Pending,
        ("running", _) => InstanceState::Running,
        ("stopping", false) => InstanceState::Stopping,
        ("stopping", true) => InstanceState::Suspending,
        ("stopped", false) => InstanceState::Stopped,
        ("stopped", true) => InstanceState::Suspended,
        ("shutting-down", _) => InstanceState::Terminating,
        ("terminated", _) => InstanceState::Terminated,
        _ => InstanceState::Unknown,
    }
}

/// EC2's words for a state; none for what it does not know.
pub(super) fn native_state(state: InstanceState) -> Option<&'static str> {
    match state {
        InstanceState::Pending => Some("pending"),
        InstanceState::Running => Some("running"),
        InstanceState::Stopping | InstanceState::Suspending => Some("stopping"),
        InstanceState::Stopped | InstanceState::Suspended => Some("stopped"),
        InstanceState::Terminating => Some("shutting-down"),
        InstanceState::Terminated => Some("terminated"),
        _ => None,
    }
}

/// The state of an instance.
pub(super) fn status(from: &sdk::Instance) -> InstanceStatus {
    let native = native_word(from);
    let code = from.state_reason().and_then(|reason| reason.code()).unwrap_or_default();
    let state = state(native, code == HIBERNATED);
    // Stopping is free, but saving the memory takes the machine's time.
    let billed = match state {
        InstanceState::Running | InstanceState::Suspending => Some(true),
        InstanceState::Unknown => None,
        _ => Some(false),
    };
    let mut status = InstanceStatus::new(state, native);
    status.compute_billed = billed;
    status.reason = match state {
        InstanceState::Pending | InstanceState::Running => None,
        _ => from.state_reason().and_then(reason),
    };
    status
}

/// EC2's word for the state of an instance.
pub(super) fn native_word(from: &sdk::Instance) -> &str {
    let name = from.state().and_then(|state| state.name());
    name.map_or("unknown", sdk::InstanceStateName::as_str)
}

fn reason(from: &sdk::StateReason) -> Option<StateReason> {
    let code = from.code().filter(|code| !code.is_empty())?;
    Some(match code {
        "Client.UserInitiatedShutdown" | HIBERNATED => StateReason::UserRequest,
        "Client.InstanceInitiatedShutdown" => StateReason::GuestShutdown,
        "Server.SpotInstanceShutdown" | "Server.SpotInstanceTermination" => StateReason::Preempted,
        "Server.InsufficientInstanceCapacity" => StateReason::CapacityLost,
        "Server.InternalError" | "Server.ScheduledStop" => StateReason::HostError,
        code => StateReason::Other {
            code: code.to_owned(),
            message: from.message().unwrap_or_default().to_owned(),
        },
    })
}

/// Addresses that the outside can reach, and those within the network.
fn addresses(from: &sdk::Instance) -> (Vec<IpAddr>, Vec<IpAddr>) {
    let (mut public, mut private) = (Vec::new(), Vec::new());
    add(&mut public, from.public_ip_address());
    add(&mut private, from.private_ip_address());
    for interface in from.network_interfaces() {
        for address in interface.private_ip_addresses() {
            add(&mut private, address.private_ip_address());
            add(&mut public, address.association().and_then(|known| known.public_ip()));
        }
    }
    for interface in from.network_interfaces() {
        for address in interface.ipv6_addresses() {
            add(&mut public, address.ipv6_address());
        }
    }
    (public, private)
}

fn add(addresses: &mut Vec<IpAddr>, text: Option<&str>) {
    if let Some(address) = text.and_then(|text| text.parse().ok())
        && !addresses.contains(&address)
    {
        addresses.push(address);
    }
}

/// When it was created. The time of launch is that of the last start: the first interface is older.
pub(super) fn created(from: &sdk::Instance) -> Option<SystemTime> {
    let attached = from.network_interfaces().iter().filter_map(|interface| {
        interface.attachment().filter(|known| known.device_index() == Some(0))?.attach_time()
    });
    let times = attached.chain(from.launch_time());
    times.filter_map(|time| SystemTime::try_from(*time).ok()).min()
}
