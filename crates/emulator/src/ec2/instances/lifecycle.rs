//! Start, stop, reboot and terminate.

use std::time::SystemTime;

use super::launch::{check_room, public_ip};
use super::model::{Instance, Reason, State};
use super::{needed_ids, network, spot};
use crate::date;
use crate::ec2::call::Call;
use crate::ec2::controls::Settings;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::state::Region;
use crate::ec2::state::region::Event;
use crate::ec2::userdata::Effect;
use crate::ec2::xml::Xml;

/// A state before and after an action, by id.
type Change = (String, State, State);

pub(super) fn start_instances(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = needed_ids(region, call)?;
    let mut stopped = Vec::new();
    for id in &ids {
        let instance = instance(region, id)?;
        match instance.state {
            State::Stopped => stopped.push(instance),
            State::Pending | State::Running => {}
            _ => return Err(wrong_state(id, "started")),
        }
    }
    check_room(region, call, &stopped)?;
    call.dry_run()?;
    let mut changes = Vec::new();
    for id in ids {
        let before = instance(region, id)?.state;
        if before == State::Stopped {
            start(region, id, call.now, call.settings)?;
        }
        changes.push((id.to_owned(), before, instance(region, id)?.state));
    }
    Ok(answer(&changes))
}

fn start(region: &mut Region, id: &str, now: SystemTime, settings: &Settings) -> Result<()> {
    let due = later(now, settings.timings.pending);
    let instance = instance_mut(region, id)?;
    instance.launched = now;
    instance.reason = None;
    instance.transition_reason.clear();
    enter(region, id, State::Pending, Some(due));
    Ok(())
}

pub(super) fn stop_instances(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = needed_ids(region, call)?;
    let hibernate = call.params.flag("Hibernate")?.unwrap_or(false);
    let force = call.params.flag("Force")?.unwrap_or(false);
    for id in &ids {
        check_stop(region, id, hibernate)?;
    }
    call.dry_run()?;
    let reason = if hibernate {
        Reason::new("Client.UserInitiatedHibernate", "User initiated hibernate")
    } else {
        Reason::new("Client.UserInitiatedShutdown", "User initiated shutdown")
    };
    let mut changes = Vec::new();
    for id in ids {
        let before = instance(region, id)?.state;
        if before == State::Running || (before == State::Stopping && force) {
            stop(region, id, reason.clone(), by_user(call.now), call.now, call.settings)?;
        }
        changes.push((id.to_owned(), before, instance(region, id)?.state));
    }
    Ok(answer(&changes))
}

fn check_stop(region: &Region, id: &str, hibernate: bool) -> Result<()> {
    let instance = instance(region, id)?;
    match instance.state {
        State::Running | State::Stopping | State::Stopped => {}
        _ => return Err(wrong_state(id, "stopped")),
    }
    if instance.disable_api_stop {
        let message = format!(
            "The instance '{id}' may not be stopped. Modify its 'disableApiStop' instance attribute \
             and try again."
        );
        return Err(Ec2Error::new("OperationNotPermitted", message));
    }
    if hibernate && !instance.hibernation {
        let message = format!("The instance '{id}' is not enabled for hibernation.");
        return Err(Ec2Error::new("UnsupportedHibernationConfiguration", message));
    }
    let one_time = instance.spot_request.as_ref().and_then(|id| region.spot_requests.get(id));
    if one_time.is_some_and(|request| !request.persistent) {
        let message = format!(
            "You can't stop the Spot Instance '{id}' because it is associated with a one-time Spot \
             Instance request. You can only stop Spot Instances associated with persistent Spot \
             Instance requests."
        );
        return Err(Ec2Error::new("UnsupportedOperation", message));
    }
    Ok(())
}

pub(super) fn stop(
    region: &mut Region,
    id: &str,
    reason: Reason,
    transition: String,
    now: SystemTime,
    settings: &Settings,
) -> Result<()> {
    let instance = instance_mut(region, id)?;
    instance.reason = Some(reason);
    instance.transition_reason = transition;
    let due = later(now, settings.timings.stopping);
    enter(region, id, State::Stopping, Some(due));
    region.effects.push(Effect::End(id.to_owned()));
    Ok(())
}

pub(super) fn reboot_instances(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = needed_ids(region, call)?;
    for id in &ids {
        match instance(region, id)?.state {
            State::Pending | State::Running => {}
            _ => return Err(wrong_state(id, "rebooted")),
        }
    }
    call.dry_run()?;
    for id in ids {
        let instance = instance_mut(region, id)?;
        if instance.state == State::Running {
            instance.running_since = Some(call.now);
            instance.console.write(format!("instance {id} boots again\n").as_bytes());
            // Scripts are for the first boot only.
            region.effects.push(Effect::End(id.to_owned()));
        }
    }
    Ok(Xml::success())
}

pub(super) fn terminate_instances(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = needed_ids(region, call)?;
    for id in &ids {
        let instance = instance(region, id)?;
        if instance.disable_api_termination && !instance.state.is_ending() {
            let message = format!(
                "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' \
                 instance attribute and try again."
            );
            return Err(Ec2Error::new("OperationNotPermitted", message));
        }
    }
    call.dry_run()?;
    let reason = Reason::new("Client.UserInitiatedShutdown", "User initiated shutdown");
    let mut changes = Vec::new();
    for id in ids {
        let before = instance(region, id)?.state;
        if !before.is_ending() {
            let by_user = by_user(call.now);
            terminate(region, id, reason.clone(), by_user, call.now, call.settings)?;
        }
        changes.push((id.to_owned(), before, instance(region, id)?.state));
    }
    Ok(answer(&changes))
}

pub(super) fn terminate(
    region: &mut Region,
    id: &str,
    reason: Reason,
    transition: String,
    now: SystemTime,
    settings: &Settings,
) -> Result<()> {
    let instance = instance_mut(region, id)?;
    let stopped = instance.state == State::Stopped;
    instance.reason = Some(reason);
    instance.transition_reason = transition;
    region.effects.push(Effect::End(id.to_owned()));
    if stopped {
        terminated(region, id, now, settings);
    } else {
        let due = later(now, settings.timings.shutting_down);
        enter(region, id, State::ShuttingDown, Some(due));
    }
    Ok(())
}

/// What an instance does whose machine was told to shut down from inside.
pub(crate) fn shut_down(
    region: &mut Region,
    id: &str,
    now: SystemTime,
    settings: &Settings,
) -> Result<()> {
    let reason = Reason::new("Client.InstanceInitiatedShutdown", "Instance initiated shutdown");
    let instance = instance(region, id)?;
    match (instance.state, instance.shutdown_behavior.as_str()) {
        (State::Running, "terminate") => {
            terminate(region, id, reason, String::new(), now, settings)
        }
        (State::Running, _) => stop(region, id, reason, String::new(), now, settings),
        _ => Err(wrong_state(id, "shut down")),
    }
}

/// What happens to an instance at its time.
pub(crate) fn settle(region: &mut Region, id: &str, due: SystemTime, settings: &Settings) {
    let Some(instance) = region.instances.get_mut(id) else { return };
    if instance.due != Some(due) {
        // Something else happened meanwhile.
        return;
    }
    match (instance.state, instance.fails_with.take()) {
        (State::Pending, Some(reason)) => {
            instance.transition_reason.clone_from(&reason.message);
            instance.reason = Some(reason);
            terminated(region, id, due, settings);
        }
        (State::Pending, None) => runs(region, id, due),
        (State::Stopping, _) => stopped(region, id),
        (State::ShuttingDown, _) => terminated(region, id, due, settings),
        (State::Terminated, _) => forget(region, id),
        (State::Running | State::Stopped, _) => {}
    }
}

fn runs(region: &mut Region, id: &str, now: SystemTime) {
    enter(region, id, State::Running, None);
    let Some(instance) = region.instances.get_mut(id) else { return };
    instance.running_since = Some(now);
    instance.reason = None;
    instance.console.write(format!("instance {id} boots\n").as_bytes());
    let first_boot = !std::mem::replace(&mut instance.booted, true);
    // A public address is not told before.
    if let Some(primary) = instance.interfaces.first().cloned().filter(|_| instance.public_ip) {
        public_ip(region, &primary);
    }
    if first_boot {
        region.effects.push(Effect::FirstBoot(id.to_owned()));
    }
    region.begun.push(id.to_owned());
}

fn stopped(region: &mut Region, id: &str) {
    enter(region, id, State::Stopped, None);
    let Some(instance) = region.instances.get_mut(id) else { return };
    instance.running_since = None;
    for interface in instance.interfaces.clone() {
        free_public_ip(region, &interface);
    }
    spot::stopped(region, id);
}

fn terminated(region: &mut Region, id: &str, now: SystemTime, settings: &Settings) {
    let forgotten = later(now, settings.timings.terminated_visible);
    enter(region, id, State::Terminated, Some(forgotten));
    let Some(instance) = region.instances.get_mut(id) else { return };
    instance.running_since = None;
    for interface in std::mem::take(&mut instance.interfaces) {
        free_public_ip(region, &interface);
        network::release(region, &interface);
    }
    region.ended.push(id.to_owned());
    region.effects.push(Effect::Gone(id.to_owned()));
    spot::terminated(region, id);
}

fn free_public_ip(region: &mut Region, interface: &str) {
    let address = region.interfaces.get_mut(interface).and_then(|known| known.public_ip.take());
    if let Some(address) = address {
        region.free_public_ip(address);
    }
}

fn forget(region: &mut Region, id: &str) {
    let Some(gone) = region.instances.remove(id) else { return };
    region.tags.forget(id);
    let last = !region.instances.values().any(|other| other.reservation == gone.reservation);
    if let Some(token) = gone.client_token.filter(|_| last) {
        region.run_tokens.remove(&token);
    }
}

/// Brings an instance to a state, which it leaves by itself when it is due to.
fn enter(region: &mut Region, id: &str, state: State, due: Option<SystemTime>) {
    if let Some(instance) = region.instances.get_mut(id) {
        instance.state = state;
        instance.due = due;
    }
    if let Some(due) = due {
        region.events.at(due, Event::Instance(id.to_owned()));
    }
}

fn instance<'r>(region: &'r Region, id: &str) -> Result<&'r Instance> {
    region.instances.get(id).ok_or_else(|| gone(id))
}

fn instance_mut<'r>(region: &'r mut Region, id: &str) -> Result<&'r mut Instance> {
    region.instances.get_mut(id).ok_or_else(|| gone(id))
}

fn gone(id: &str) -> Ec2Error {
    Ec2Error::not_found("InvalidInstanceID.NotFound", "instance ID", id)
}

fn wrong_state(id: &str, what: &str) -> Ec2Error {
    let message = format!("The instance '{id}' is not in a state from which it can be {what}.");
    Ec2Error::new("IncorrectInstanceState", message)
}

fn by_user(now: SystemTime) -> String {
    let time = date::extended(now).replace('T', " ").replace('Z', " GMT");
    format!("User initiated ({time})")
}

pub(super) fn later(now: SystemTime, delay: std::time::Duration) -> SystemTime {
    now.checked_add(delay).unwrap_or(now)
}

fn answer(changes: &[Change]) -> Xml {
    let mut xml = Xml::new();
    xml.list("instancesSet", changes, |xml, (id, before, after)| {
        xml.text("instanceId", id);
        for (name, state) in [("currentState", after), ("previousState", before)] {
            xml.element(name, |xml| {
                xml.value("code", state.code()).text("name", state.name());
            });
        }
    });
    xml
}
