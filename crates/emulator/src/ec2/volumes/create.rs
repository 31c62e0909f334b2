//! New volumes.

use std::ops::RangeInclusive;

use super::{Volume, missing, write};
use crate::ec2::call::Call;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::snapshots;
use crate::ec2::state::tags::{check_kinds, specified};
use crate::ec2::state::{Event, Region};
use crate::ec2::xml::Xml;

/// What a type of volume allows.
struct Limits {
    kind: &'static str,
    gib: RangeInclusive<u32>,
    /// None: the request may not set it.
    iops: Option<RangeInclusive<u32>>,
    iops_per_gib: u32,
    needs_iops: bool,
}

const GP3_THROUGHPUT: RangeInclusive<u32> = 125..=2000;

const LIMITS: [Limits; 7] = [
    Limits { kind: "gp2", gib: 1..=16_384, iops: None, iops_per_gib: 3, needs_iops: false },
    Limits {
        kind: "gp3",
        gib: 1..=65_536,
        iops: Some(3000..=80_000),
        iops_per_gib: 500,
        needs_iops: false,
    },
    Limits {
        kind: "io1",
        gib: 4..=16_384,
        iops: Some(100..=64_000),
        iops_per_gib: 50,
        needs_iops: true,
    },
    Limits {
        kind: "io2",
        gib: 4..=65_536,
        iops: Some(100..=256_000),
        iops_per_gib: 1000,
        needs_iops: true,
    },
    Limits { kind: "st1", gib: 125..=16_384, iops: None, iops_per_gib: 0, needs_iops: false },
    Limits { kind: "sc1", gib: 125..=16_384, iops: None, iops_per_gib: 0, needs_iops: false },
    Limits { kind: "standard", gib: 1..=1024, iops: None, iops_per_gib: 0, needs_iops: false },
];

pub(super) fn create_volume(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    check_kinds(call, &["volume"])?;
    let tags = specified(call, "volume")?;
    let zone = region.zone(call)?.ok_or_else(|| Ec2Error::missing("AvailabilityZone"))?;
    if let Some(id) = region.tokens.created(call)? {
        let id = id.to_owned();
        let volume = region.volumes.get(&id).ok_or_else(|| missing(&id))?;
        let mut xml = Xml::new();
        write(&mut xml, region, volume);
        return Ok(xml);
    }
    let kind = call.params.text("VolumeType").unwrap_or("gp2");
    let (size_gib, source_encrypted) = size(region, call)?;
    let (iops, throughput) = performance(call, kind, size_gib)?;
    let encrypted = call.params.flag("Encrypted")?.unwrap_or(false) || source_encrypted;
    call.dry_run()?;
    let id = region.new_id("vol");
    let volume = Volume {
        id: id.clone(),
        zone,
        size_gib,
        kind: kind.to_owned(),
        iops,
        throughput,
        encrypted,
        snapshot: call.params.text("SnapshotId").map(str::to_owned),
        created: call.now,
        state: "creating",
        attachment: None,
    };
    region.tags.add(&id, &tags)?;
    let mut xml = Xml::new();
    write(&mut xml, region, &volume);
    region.volumes.insert(id.clone(), volume);
    region.tokens.remember(call, &id);
    region.created(&id, call);
    region.events.at(call.after(call.settings.timings.volume), Event::Volume(id));
    Ok(xml)
}

/// The size that is asked for or that of the snapshot, and whether the snapshot is encrypted.
fn size(region: &Region, call: &Call<'_>) -> Result<(u32, bool)> {
    let size = call.params.number::<u32>("Size")?;
    let Some(id) = call.params.text("SnapshotId") else {
        let missing = || {
            Ec2Error::new(
                "MissingParameter",
                "The request must contain the parameter size/snapshot",
            )
        };
        return Ok((size.ok_or_else(missing)?, false));
    };
    // The snapshots of public images are not the account's own.
    let public = region.images.values().flat_map(|image| image.disks());
    let mut public = public.filter(|disk| disk.snapshot == id);
    let (least, encrypted) = match (region.snapshots.get(id), public.next()) {
        (Some(snapshot), _) if !snapshot.completed => {
            let message = format!("Snapshot '{id}' is not 'completed'.");
            return Err(Ec2Error::new("IncorrectState", message));
        }
        (Some(snapshot), _) => (snapshot.size_gib, snapshot.encrypted),
        (None, Some(disk)) => (disk.size_gib, false),
        (None, None) => return Err(snapshots::missing(id)),
    };
    match size {
        Some(size) if size < least => {
            let message = format!(
                "The volume size cannot be smaller than that of the snapshot ({least} GiB)."
            );
            Err(Ec2Error::invalid(message))
        }
        size => Ok((size.unwrap_or(least), encrypted)),
    }
}

/// Operations per second and MiB per second, as the type has them or as asked for.
fn performance(call: &Call<'_>, kind: &str, gib: u32) -> Result<(Option<u32>, Option<u32>)> {
    let Some(limits) = LIMITS.iter().find(|limits| limits.kind == kind) else {
        return Err(Ec2Error::invalid_value("volumeType", kind));
    };
    if !limits.gib.contains(&gib) {
        let (least, most) = (limits.gib.start(), limits.gib.end());
        let message = format!(
            "Volume of {gib}GiB is not between {least} and {most} GiB, as {kind} has to be."
        );
        return Err(Ec2Error::invalid(message));
    }
    let wanted = call.params.number::<u32>("Iops")?;
    let most = limits.iops_per_gib.saturating_mul(gib);
    let iops = match (&limits.iops, wanted) {
        (None, Some(_)) => {
            let message = format!("The parameter iops is not supported for {kind} volumes.");
            return Err(Ec2Error::combination(message));
        }
        (None, None) if limits.iops_per_gib > 0 => Some(most.clamp(100, 16_000)),
        (None, None) => None,
        (Some(_), None) if limits.needs_iops => return Err(Ec2Error::missing("iops")),
        (Some(range), None) => Some(*range.start()),
        (Some(range), Some(iops))
            if range.contains(&iops) && (iops <= most || iops == *range.start()) =>
        {
            Some(iops)
        }
        (Some(_), Some(iops)) => {
            let message = format!("Volume iops of {iops} is not possible for {kind} of {gib}GiB.");
            return Err(Ec2Error::invalid(message));
        }
    };
    let throughput = match call.params.number::<u32>("Throughput")? {
        None => (kind == "gp3").then_some(*GP3_THROUGHPUT.start()),
        Some(_) if kind != "gp3" => {
            let message = format!("The parameter throughput is not supported for {kind} volumes.");
            return Err(Ec2Error::combination(message));
        }
        Some(wanted) if GP3_THROUGHPUT.contains(&wanted) => Some(wanted),
        Some(wanted) => {
            return Err(Ec2Error::invalid_value("throughput", &wanted.to_string()));
        }
    };
    Ok((iops, throughput))
}
