//! Where there is room for instances, and making them.

use std::collections::BTreeMap;

use super::model::{Instance, State};
use super::run::Plan;
use super::spot::SpotRequest;
use super::{network, storage};
use crate::ec2::call::Call;
use crate::ec2::controls::Settings;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::instances::lifecycle::later;
use crate::ec2::state::Region;
use crate::ec2::state::region::Event;
use crate::ec2::userdata::Console;

/// Instances that there is room for in a zone.
pub(super) fn room(region: &Region, settings: &Settings, zone: &str, machine_type: &str) -> usize {
    let key = (zone.to_owned(), machine_type.to_owned());
    let Some(capacity) = settings.capacity.get(&key) else { return usize::MAX };
    let placed = region.instances.values().filter(|instance| {
        instance.state.is_placed() && instance.zone == zone && instance.machine_type == machine_type
    });
    capacity.saturating_sub(placed.count())
}

pub(super) fn no_room(zone: &str, machine_type: &str) -> Ec2Error {
    let message = format!(
        "We currently do not have sufficient {machine_type} capacity in the Availability Zone you \
         requested ({zone}). Our system will be working on provisioning additional capacity. You can \
         currently get {machine_type} capacity by not specifying an Availability Zone in your request."
    );
    Ec2Error::with_status(500, "InsufficientInstanceCapacity", message)
}

/// Virtual processors that may be started yet.
pub(super) fn vcpus_left(region: &Region, settings: &Settings, spot: bool) -> u32 {
    let counted = region.instances.values();
    let counted =
        counted.filter(|instance| instance.state.is_counted() && instance.is_spot() == spot);
    settings.quota_vcpus.saturating_sub(counted.map(|instance| instance.vcpus).sum())
}

pub(super) fn no_vcpus(settings: &Settings, spot: bool) -> Ec2Error {
    if spot {
        return Ec2Error::new("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded");
    }
    let message = format!(
        "You have requested more vCPU capacity than your current vCPU limit of {} allows for the \
         instance bucket that the specified instance type belongs to. Please visit \
         http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
        settings.quota_vcpus
    );
    Ec2Error::new("VcpuLimitExceeded", message)
}

/// Whether stopped instances can be started, all of them together.
pub(super) fn check_room(region: &Region, call: &Call<'_>, stopped: &[&Instance]) -> Result<()> {
    let settings = call.settings;
    let (mut places, mut vcpus) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, u32>::new());
    for instance in stopped {
        let (zone, machine_type) = (instance.zone.as_str(), instance.machine_type.as_str());
        let places = places.entry((zone, machine_type)).or_default();
        *places += 1;
        if room(region, settings, zone, machine_type) < *places {
            return Err(no_room(zone, machine_type));
        }
        let vcpus = vcpus.entry(instance.is_spot()).or_default();
        *vcpus = vcpus.saturating_add(instance.vcpus);
        if vcpus_left(region, settings, instance.is_spot()) < *vcpus {
            return Err(no_vcpus(settings, instance.is_spot()));
        }
    }
    Ok(())
}

/// Gives an interface a public address, unless it has one that stays.
pub(super) fn public_ip(region: &mut Region, interface: &str) {
    let mut addresses = region.addresses.values();
    let has_own = addresses.any(|address| {
        address.association.as_ref().is_some_and(|(_, associated)| associated == interface)
    });
    if has_own || region.interfaces.get(interface).is_none_or(|known| known.public_ip.is_some()) {
        return;
    }
    let address = region.take_public_ip();
    if let Some(interface) = region.interfaces.get_mut(interface) {
        interface.public_ip = Some(address);
    }
}

/// Makes an instance with its interfaces and volumes, and tells its id.
pub(super) fn launch(
    region: &mut Region,
    call: &Call<'_>,
    plan: &Plan<'_>,
    reservation: &str,
    launch_index: usize,
) -> Result<String> {
    let id = region.new_id("i");
    let due = later(call.now, call.settings.timings.pending);
    let interfaces = network::create(region, call, plan, &id, &plan.tags.interface)?;
    storage::create(region, call, &plan.disks, &id, &plan.zone, &plan.tags.volume)?;
    let spot_request = spot_request(region, call, plan, &id)?;
    let fails_with = region.failing_launches.pop();
    let instance = Instance {
        id: id.clone(),
        reservation: reservation.to_owned(),
        launch_index,
        state: State::Pending,
        due: Some(due),
        launched: call.now,
        running_since: None,
        reason: None,
        transition_reason: String::new(),
        fails_with,
        image: plan.image.clone(),
        machine_type: plan.machine_type.name.to_owned(),
        vcpus: plan.machine_type.vcpus,
        architecture: plan.machine_type.architecture.to_owned(),
        zone: plan.zone.clone(),
        vpc: plan.vpc.clone(),
        root_device: plan.root_device.clone(),
        console: Console::default(),
        booted: false,
        public_ip: plan.public_ip,
        spot_request,
        interfaces,
        ..plan.template.clone()
    };
    region.instances.insert(id.clone(), instance);
    region.events.at(due, Event::Instance(id.clone()));
    region.tags.add(&id, &plan.tags.instance)?;
    region.created(&id, call);
    Ok(id)
}

fn spot_request(
    region: &mut Region,
    call: &Call<'_>,
    plan: &Plan<'_>,
    instance: &str,
) -> Result<Option<String>> {
    let Some(options) = &plan.spot else { return Ok(None) };
    let id = region.new_id("sir");
    let request = SpotRequest {
        id: id.clone(),
        instance: instance.to_owned(),
        persistent: options.persistent,
        max_price: options.max_price.clone(),
        interruption: options.interruption,
        created: call.now,
        zone: plan.zone.clone(),
        machine_type: plan.machine_type.name.to_owned(),
        image: plan.image.clone(),
        state: "active",
        status: "fulfilled",
    };
    region.spot_requests.insert(id.clone(), request);
    region.tags.add(&id, &plan.tags.spot)?;
    Ok(Some(id))
}
