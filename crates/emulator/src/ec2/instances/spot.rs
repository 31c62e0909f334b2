//! Spot instances and their requests.

use std::time::SystemTime;

use super::lifecycle::{stop, terminate};
use super::model::{Interruption, Reason, State};
use crate::ec2::call::Call;
use crate::ec2::controls::Settings;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::paging::page;
use crate::ec2::params::Fields;
use crate::ec2::state::Region;
use crate::ec2::xml::Xml;

const FILTERS: [&str; 5] =
    ["instance-id", "spot-instance-request-id", "state", "status-code", "type"];

/// A request for a spot instance.
#[derive(Debug, Clone)]
pub(crate) struct SpotRequest {
    pub(crate) id: String,
    pub(crate) instance: String,
    pub(crate) persistent: bool,
    pub(crate) max_price: Option<String>,
    pub(crate) interruption: Interruption,
    pub(crate) created: SystemTime,
    pub(crate) zone: String,
    pub(crate) machine_type: String,
    pub(crate) image: String,
    /// `open`, `active`, `closed`, `cancelled` or `disabled`.
    pub(crate) state: &'static str,
    /// A code such as `fulfilled`.
    pub(crate) status: &'static str,
}

/// What a request wants of the spot market.
#[derive(Debug, Clone)]
pub(super) struct SpotOptions {
    pub(super) persistent: bool,
    pub(super) max_price: Option<String>,
    pub(super) interruption: Interruption,
}

impl SpotOptions {
    /// None: on demand.
    pub(super) fn parse(params: &Fields<'_>) -> Result<Option<Self>> {
        let market = params.inner("InstanceMarketOptions");
        match market.text("MarketType") {
            None => return Ok(None),
            Some("spot") => {}
            Some(other) => {
                return Err(Ec2Error::invalid_value("InstanceMarketOptions.MarketType", other));
            }
        }
        let options = market.inner("SpotOptions");
        let persistent = match options.text("SpotInstanceType") {
            None | Some("one-time") => false,
            Some("persistent") => true,
            Some(other) => return Err(Ec2Error::invalid_value("spotInstanceType", other)),
        };
        let interruption = match options.text("InstanceInterruptionBehavior") {
            None | Some("terminate") => Interruption::Terminate,
            Some("stop") => Interruption::Stop,
            Some("hibernate") => Interruption::Hibernate,
            Some(other) => {
                return Err(Ec2Error::invalid_value("instanceInterruptionBehavior", other));
            }
        };
        if interruption != Interruption::Terminate && !persistent {
            let message = "The interruption behaviors 'stop' and 'hibernate' are for persistent Spot \
                           Instance requests only.";
            return Err(Ec2Error::combination(message));
        }
        let max_price = options.text("MaxPrice");
        if let Some(price) = max_price
            && !price.parse::<f64>().is_ok_and(|price| price.is_finite() && price > 0.0)
        {
            return Err(Ec2Error::invalid_value("spotPrice", price));
        }
        Ok(Some(Self { persistent, max_price: max_price.map(str::to_owned), interruption }))
    }
}

/// Takes a running spot instance away, as its request says.
pub(crate) fn interrupt(
    region: &mut Region,
    id: &str,
    now: SystemTime,
    settings: &Settings,
) -> Result<()> {
    let not_spot = || Ec2Error::invalid(format!("'{id}' is not a Spot Instance that runs"));
    let instance = region.instances.get(id).ok_or_else(not_spot)?;
    let request = instance
        .spot_request
        .clone()
        .filter(|_| matches!(instance.state, State::Pending | State::Running));
    let request = request.and_then(|request| region.spot_requests.get_mut(&request));
    let request = request.ok_or_else(not_spot)?;
    request.status = match request.interruption {
        Interruption::Terminate => "instance-terminated-no-capacity",
        Interruption::Stop => "instance-stopped-no-capacity",
        Interruption::Hibernate => "instance-hibernated-no-capacity",
    };
    if request.interruption == Interruption::Terminate {
        let reason = Reason::new("Server.SpotInstanceTermination", "Spot instance termination");
        let transition = reason.message.clone();
        return terminate(region, id, reason, transition, now, settings);
    }
    let reason = Reason::new("Server.SpotInstanceShutdown", "Spot instance shutdown");
    let transition = reason.message.clone();
    stop(region, id, reason, transition, now, settings)
}

/// What a request becomes when its instance has stopped.
pub(super) fn stopped(region: &mut Region, instance: &str) {
    if let Some(request) = request_of(region, instance)
        && request.state == "active"
    {
        request.state = "disabled";
        if request.status == "fulfilled" {
            request.status = "instance-stopped-by-user";
        }
    }
}

/// What a request becomes when its instance has terminated.
pub(super) fn terminated(region: &mut Region, instance: &str) {
    if let Some(request) = request_of(region, instance)
        && matches!(request.state, "active" | "disabled")
    {
        request.state = if request.persistent { "open" } else { "closed" };
        if matches!(request.status, "fulfilled" | "instance-stopped-by-user") {
            request.status = "instance-terminated-by-user";
        }
    }
}

fn request_of<'r>(region: &'r mut Region, instance: &str) -> Option<&'r mut SpotRequest> {
    let request = region.instances.get(instance)?.spot_request.clone()?;
    region.spot_requests.get_mut(&request)
}

pub(super) fn describe_spot_instance_requests(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = call.params.list("SpotInstanceRequestId");
    check_ids(region, &ids)?;
    let filters = call.filters(&FILTERS)?;
    call.dry_run()?;
    let rows = region
        .spot_requests
        .values()
        .filter(|request| ids.is_empty() || ids.contains(&request.id.as_str()))
        .filter(|request| {
            filters.pass(region.tags.of(&request.id), |name| {
                let value = match name {
                    "instance-id" => &request.instance,
                    "state" => request.state,
                    "status-code" => request.status,
                    "type" => kind(request),
                    _ => &request.id,
                };
                vec![value.to_owned()]
            })
        })
        .collect();
    let page = page(call, rows, |request| request.id.clone(), 5..=1000)?;
    let mut xml = Xml::new();
    xml.list("spotInstanceRequestSet", &page.items, |xml, request| {
        write(xml, region, request);
    });
    page.write_next(&mut xml);
    Ok(xml)
}

fn write(xml: &mut Xml, region: &Region, request: &SpotRequest) {
    xml.text("spotInstanceRequestId", &request.id)
        .optional("spotPrice", request.max_price.as_deref())
        .text("type", kind(request))
        .text("state", request.state);
    xml.element("status", |xml| {
        xml.text("code", request.status).time("updateTime", request.created);
    });
    xml.element("launchSpecification", |xml| {
        xml.text("imageId", &request.image).text("instanceType", &request.machine_type);
    });
    xml.text("instanceId", &request.instance)
        .time("createTime", request.created)
        .text("productDescription", "Linux/UNIX")
        .text("launchedAvailabilityZone", &request.zone)
        .text("instanceInterruptionBehavior", request.interruption.name());
    region.tags.write(xml, &request.id);
}

pub(super) fn cancel_spot_instance_requests(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = call.params.list("SpotInstanceRequestId");
    if ids.is_empty() {
        return Err(Ec2Error::missing("SpotInstanceRequestId"));
    }
    check_ids(region, &ids)?;
    call.dry_run()?;
    for id in &ids {
        if let Some(request) = region.spot_requests.get_mut(*id)
            && request.state != "closed"
        {
            request.state = "cancelled";
            if request.status == "fulfilled" {
                request.status = "request-canceled-and-instance-running";
            }
        }
    }
    let mut xml = Xml::new();
    xml.list("spotInstanceRequestSet", ids, |xml, id| {
        let state = region.spot_requests.get(id).map_or("cancelled", |request| request.state);
        xml.text("spotInstanceRequestId", id).text("state", state);
    });
    Ok(xml)
}

fn check_ids(region: &Region, ids: &[&str]) -> Result<()> {
    match ids.iter().find(|id| !region.spot_requests.contains_key(**id)) {
        Some(id) => Err(Ec2Error::not_found(
            "InvalidSpotInstanceRequestID.NotFound",
            "spot instance request ID",
            id,
        )),
        None => Ok(()),
    }
}

fn kind(request: &SpotRequest) -> &'static str {
    if request.persistent { "persistent" } else { "one-time" }
}
