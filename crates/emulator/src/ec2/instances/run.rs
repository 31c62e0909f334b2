//! `RunInstances`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::document::reservation;
use super::launch::{launch, no_room, no_vcpus, room, vcpus_left};
use super::model::{Instance, MetadataOptions, State, UserData};
use super::network::{self, Wanted};
use super::spot::SpotOptions;
use super::storage::{self, Disk};
use super::token;
use crate::ec2::call::Call;
use crate::ec2::catalog::{MachineType, machine_type};
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::images::Image;
use crate::ec2::params::Fields;
use crate::ec2::state::Region;
use crate::ec2::state::tags::{TagMap, check_kinds, specified};
use crate::ec2::userdata::Console;
use crate::ec2::xml::Xml;

const MAX_USER_DATA: usize = 16 << 10;

/// The tags of all that comes with an instance.
#[derive(Debug)]
pub(super) struct LaunchTags {
    pub(super) instance: TagMap,
    pub(super) volume: TagMap,
    pub(super) interface: TagMap,
    pub(super) spot: TagMap,
}

/// What a request asks for, checked.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) image: String,
    pub(super) root_device: String,
    pub(super) machine_type: &'static MachineType,
    pub(super) zone: String,
    pub(super) subnet: String,
    pub(super) vpc: String,
    pub(super) interfaces: Vec<Wanted>,
    pub(super) public_ip: bool,
    pub(super) disks: Vec<Disk>,
    pub(super) spot: Option<SpotOptions>,
    pub(super) tags: LaunchTags,
    /// What is the same for all of its instances.
    pub(super) template: Instance,
    token: Option<&'a str>,
    count: usize,
}

pub(super) fn run_instances(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let (token, known) = token::look_up(region, call)?;
    if let Some(known) = known {
        call.dry_run()?;
        return Ok(reservation(region, &known));
    }
    let plan = Plan::new(region, call, token)?;
    call.dry_run()?;
    let id = region.new_id("r");
    for index in 0..plan.count {
        launch(region, call, &plan, &id, index)?;
    }
    if let Some(token) = plan.token {
        token::remember(region, call, token, &id);
    }
    Ok(reservation(region, &id))
}

impl<'a> Plan<'a> {
    fn new(region: &Region, call: &Call<'a>, token: Option<&'a str>) -> Result<Self> {
        let params = &call.params;
        let launch_template = params.inner("LaunchTemplate");
        if ["LaunchTemplateId", "LaunchTemplateName"]
            .iter()
            .any(|name| launch_template.text(name).is_some())
        {
            let message = "There are no launch templates here.";
            return Err(Ec2Error::new("UnsupportedOperation", message));
        }
        check_kinds(call, &["instance", "volume", "network-interface", "spot-instances-request"])?;
        let (least, most) = counts(params)?;
        let image = image(region, params.need("ImageId")?)?;
        let machine_type = type_of(params, image)?;
        let disks = storage::disks(region, call, image)?;
        let interfaces = network::wanted(region, call)?;
        let spot = SpotOptions::parse(params)?;
        let mut template = template(region, call)?;
        template.client_token = token.map(str::to_owned);
        if template.hibernation && disks.first().is_none_or(|root| !root.encrypted) {
            let message = "The root volume of an instance that can hibernate must be encrypted.";
            return Err(Ec2Error::new("UnsupportedHibernationConfiguration", message));
        }
        let subnet = place(region, call, machine_type, &interfaces, most)?;
        let count = how_many(region, call, machine_type, &subnet.1, spot.is_some(), (least, most))?;
        let (subnet, zone) = subnet;
        let known = region.subnets.get(&subnet);
        let vpc = known.map(|subnet| subnet.vpc.clone()).unwrap_or_default();
        for wanted in &interfaces {
            network::groups_in(region, &vpc, &wanted.groups)?;
        }
        check_addresses(region, &interfaces, &subnet, count)?;
        let first = interfaces.first().and_then(|wanted| wanted.public_ip);
        let default = known.is_some_and(|subnet| subnet.map_public_ip) && interfaces.len() == 1;
        Ok(Self {
            image: image.id.clone(),
            root_device: image.root_device.clone(),
            machine_type,
            zone,
            subnet,
            vpc,
            public_ip: first.unwrap_or(default),
            interfaces,
            disks,
            spot,
            tags: LaunchTags {
                instance: specified(call, "instance")?,
                volume: specified(call, "volume")?,
                interface: specified(call, "network-interface")?,
                spot: specified(call, "spot-instances-request")?,
            },
            template,
            token,
            count,
        })
    }
}

fn counts(params: &Fields<'_>) -> Result<(usize, usize)> {
    let need = |name| -> Result<usize> {
        params.need(name)?;
        Ok(params.number(name)?.unwrap_or(0))
    };
    let (most, least) = (need("MaxCount")?, need("MinCount")?);
    if most == 0 {
        return Err(Ec2Error::invalid_value("maxCount", "0"));
    }
    if least == 0 || least > most {
        let message = format!(
            "Value ({least}) for parameter minCount is invalid. It must be at least 1 and at most \
             maxCount ({most})."
        );
        return Err(Ec2Error::invalid(message));
    }
    Ok((least, most))
}

fn image<'r>(region: &'r Region, id: &str) -> Result<&'r Image> {
    if !id.starts_with("ami-") {
        let message = format!("Invalid id: \"{id}\" (expecting \"ami-...\")");
        return Err(Ec2Error::new("InvalidAMIID.Malformed", message));
    }
    let missing =
        || Ec2Error::new("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist"));
    let image = region.images.get(id).ok_or_else(missing)?;
    if image.state != "available" {
        let message = format!("The image ID '{id}' is not available");
        return Err(Ec2Error::new("InvalidAMIID.Unavailable", message));
    }
    Ok(image)
}

fn type_of(params: &Fields<'_>, image: &Image) -> Result<&'static MachineType> {
    let name = params.text("InstanceType").unwrap_or("m1.small");
    let unknown = || Ec2Error::invalid(format!("Invalid value '{name}' for InstanceType."));
    let found = machine_type(name).ok_or_else(unknown)?;
    if found.architecture != image.architecture {
        let message = format!(
            "The architecture '{}' of the specified instance type does not match the architecture \
             '{}' of the specified AMI. Specify an instance type and an AMI that have matching \
             architectures, and try again.",
            found.architecture, image.architecture
        );
        return Err(Ec2Error::invalid(message));
    }
    Ok(found)
}

/// The subnet and its zone: those that are asked for, else of the default network where there is most room.
fn place(
    region: &Region,
    call: &Call<'_>,
    machine_type: &MachineType,
    interfaces: &[Wanted],
    most: usize,
) -> Result<(String, String)> {
    let zone = call.params.inner("Placement").text("AvailabilityZone");
    let mut all = region.subnets.values();
    if let Some(id) = interfaces.first().and_then(|wanted| wanted.subnet.as_ref()) {
        let missing = || Ec2Error::not_found("InvalidSubnetID.NotFound", "subnet ID", id);
        let subnet = all.find(|subnet| subnet.id == *id).ok_or_else(missing)?;
        if zone.is_some_and(|zone| zone != subnet.zone) {
            let message = "The specified subnet is not in the specified Availability Zone.";
            return Err(Ec2Error::invalid(message));
        }
        check_offer(region, machine_type, &subnet.zone)?;
        return Ok((subnet.id.clone(), subnet.zone.clone()));
    }
    if let Some(zone) = zone {
        if !crate::ec2::zones::of(&region.name).iter().any(|known| known == zone) {
            let message = format!("Invalid availability zone: [{zone}]");
            return Err(Ec2Error::invalid(message));
        }
        check_offer(region, machine_type, zone)?;
    }
    let mut candidates = all
        .filter(|subnet| subnet.default_for_zone && zone.is_none_or(|zone| zone == subnet.zone))
        .filter(|subnet| machine_type.is_offered(&subnet.zone))
        .map(|subnet| {
            let addresses = usize::try_from(region.free_private_ips(&subnet.id));
            let free = room(region, call.settings, &subnet.zone, machine_type.name)
                .min(addresses.unwrap_or(usize::MAX));
            (std::cmp::Reverse(free.min(most)), &subnet.zone, &subnet.id)
        })
        .collect::<Vec<_>>();
    candidates.sort();
    let missing = || {
        let message = "No default subnet found. Specify a subnet.";
        Ec2Error::new("MissingInput", message)
    };
    let (_, zone, id) = candidates.first().ok_or_else(missing)?;
    Ok(((*id).clone(), (*zone).clone()))
}

/// Fails if a zone has no machines of a type.
fn check_offer(region: &Region, machine_type: &MachineType, zone: &str) -> Result<()> {
    if machine_type.is_offered(zone) {
        return Ok(());
    }
    let mut others = crate::ec2::zones::of(&region.name);
    others.retain(|other| machine_type.is_offered(other));
    let message = format!(
        "Your requested instance type ({}) is not supported in your requested Availability Zone \
         ({zone}). Please retry your request by not specifying an Availability Zone or choosing {}.",
        machine_type.name,
        others.join(", ")
    );
    Err(Ec2Error::new("Unsupported", message))
}

/// As many as there is room for and the quotas allow.
fn how_many(
    region: &Region,
    call: &Call<'_>,
    machine_type: &MachineType,
    zone: &str,
    spot: bool,
    (least, most): (usize, usize),
) -> Result<usize> {
    let settings = call.settings;
    let living = region.instances.values().filter(|known| known.state != State::Terminated).count();
    let by_number = settings.quota_instances.saturating_sub(living);
    if by_number < least {
        let message = format!(
            "Your request for {least} instance(s) exceeds your quota of {}.",
            settings.quota_instances
        );
        return Err(Ec2Error::new("InstanceLimitExceeded", message));
    }
    let left = vcpus_left(region, settings, spot) / machine_type.vcpus.max(1);
    let by_vcpus = usize::try_from(left).unwrap_or(usize::MAX);
    if by_vcpus < least {
        return Err(no_vcpus(settings, spot));
    }
    let by_room = room(region, settings, zone, machine_type.name);
    if by_room < least {
        return Err(no_room(zone, machine_type.name));
    }
    Ok(most.min(by_number).min(by_vcpus).min(by_room))
}

/// Fails unless there are addresses for all instances.
fn check_addresses(
    region: &Region,
    interfaces: &[Wanted],
    subnet: &str,
    count: usize,
) -> Result<()> {
    let fixed =
        interfaces.iter().any(|wanted| wanted.private_ip.is_some() || wanted.existing.is_some());
    if fixed && count > 1 {
        let message = "Several instances cannot have the same address or network interface.";
        return Err(Ec2Error::combination(message));
    }
    let new = interfaces.iter().filter(|wanted| wanted.existing.is_none()).count();
    let needed = count.saturating_mul(new);
    let free = usize::try_from(region.free_private_ips(subnet)).unwrap_or(usize::MAX);
    if needed > free {
        let message = format!("There are not enough free addresses in subnet '{subnet}'.");
        return Err(Ec2Error::new("InsufficientFreeAddressesInSubnet", message));
    }
    Ok(())
}

/// What is the same for all instances of a request; the rest is empty yet.
fn template(region: &Region, call: &Call<'_>) -> Result<Instance> {
    let params = &call.params;
    let key_name = params.text("KeyName");
    if let Some(name) = key_name
        && !region.key_pairs.values().any(|pair| pair.name == name)
    {
        return Err(Ec2Error::not_found("InvalidKeyPair.NotFound", "key pair", name));
    }
    let shutdown = params.text("InstanceInitiatedShutdownBehavior").unwrap_or("stop");
    if !matches!(shutdown, "stop" | "terminate") {
        return Err(Ec2Error::invalid_value("instanceInitiatedShutdownBehavior", shutdown));
    }
    let placement = params.inner("Placement");
    if let Some(group) = placement.text("GroupName")
        && !region.has_placement_group(group)
    {
        let message = format!("The Placement Group '{group}' is unknown.");
        return Err(Ec2Error::new("InvalidPlacementGroup.Unknown", message));
    }
    Ok(Instance {
        id: String::new(),
        reservation: String::new(),
        launch_index: 0,
        state: State::Pending,
        due: None,
        launched: call.now,
        running_since: None,
        reason: None,
        transition_reason: String::new(),
        fails_with: None,
        image: String::new(),
        machine_type: String::new(),
        vcpus: 0,
        architecture: String::new(),
        zone: String::new(),
        vpc: String::new(),
        root_device: String::new(),
        key_name: key_name.map(str::to_owned),
        client_token: None,
        profile: profile(call)?,
        placement_group: placement.text("GroupName").map(str::to_owned),
        tenancy: placement.text("Tenancy").unwrap_or("default").to_owned(),
        user_data: params.text("UserData").map(user_data).transpose()?,
        monitoring: params.inner("Monitoring").flag("Enabled")?.unwrap_or(false),
        ebs_optimized: params.flag("EbsOptimized")?.unwrap_or(false),
        hibernation: params.inner("HibernationOptions").flag("Configured")?.unwrap_or(false),
        metadata: metadata(&params.inner("MetadataOptions"))?,
        shutdown_behavior: shutdown.to_owned(),
        disable_api_termination: params.flag("DisableApiTermination")?.unwrap_or(false),
        disable_api_stop: params.flag("DisableApiStop")?.unwrap_or(false),
        source_dest_check: true,
        public_ip: false,
        spot_request: None,
        console: Console::default(),
        booted: false,
        interfaces: Vec::new(),
    })
}

fn profile(call: &Call<'_>) -> Result<Option<(String, String)>> {
    let profile = call.params.inner("IamInstanceProfile");
    let exists = |name: &str| call.settings.profiles.contains(name);
    let last = |arn: &str| arn.rsplit('/').next().is_some_and(exists);
    let arn = match (profile.text("Arn"), profile.text("Name")) {
        (None, None) => return Ok(None),
        (Some(arn), None) if arn.contains(":instance-profile/") && last(arn) => arn.to_owned(),
        (None, Some(name)) if exists(name) => {
            format!("arn:aws:iam::{}:instance-profile/{name}", call.account)
        }
        (Some(_), Some(_)) => {
            let message = "The parameter 'iamInstanceProfile.name' may not be used in combination \
                           with 'iamInstanceProfile.arn'";
            return Err(Ec2Error::combination(message));
        }
        (Some(arn), None) => return Err(Ec2Error::invalid_value("iamInstanceProfile.arn", arn)),
        (None, Some(name)) => return Err(Ec2Error::invalid_value("iamInstanceProfile.name", name)),
    };
    let digest = crate::auth::sha256_hex(arn.as_bytes()).to_ascii_uppercase();
    let id = format!("AIPA{}", digest.get(..17).unwrap_or_default());
    Ok(Some((arn, id)))
}

/// User data without its base64.
pub(super) fn user_data(text: &str) -> Result<UserData> {
    let packed = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<_>>();
    let wrong = |_| Ec2Error::invalid("Invalid BASE64 encoding of user data.");
    let bytes = STANDARD.decode(packed).map_err(wrong)?;
    if bytes.len() > MAX_USER_DATA {
        let message = format!("User data is limited to {MAX_USER_DATA} bytes");
        return Err(Ec2Error::invalid(message));
    }
    Ok(UserData::new(bytes))
}

fn metadata(fields: &Fields<'_>) -> Result<MetadataOptions> {
    let one_of = |name: &str, allowed: [&str; 2], default: &str| {
        let value = fields.text(name).unwrap_or(default);
        let good = allowed.contains(&value).then(|| value.to_owned());
        good.ok_or_else(|| Ec2Error::invalid_value(name, value))
    };
    let hop_limit = fields.number("HttpPutResponseHopLimit")?.unwrap_or(2);
    if !(1..=64).contains(&hop_limit) {
        return Err(Ec2Error::invalid_value("httpPutResponseHopLimit", &hop_limit.to_string()));
    }
    Ok(MetadataOptions {
        tokens: one_of("HttpTokens", ["optional", "required"], "required")?,
        hop_limit,
        endpoint: one_of("HttpEndpoint", ["enabled", "disabled"], "enabled")?,
        tags: one_of("InstanceMetadataTags", ["enabled", "disabled"], "disabled")?,
    })
}
