//! Instance types: the catalogue of the region, listings of it, and a choice by need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{Arch, Hardware, InstanceType, Needs, TypePage, TypeQuery};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, ErrorKind, Result};
use tokio::sync::Mutex;

use super::Inner;
use super::list::{filter, next_page};

/// How long what a region offers is taken to stay.
const FRESH: Duration = Duration::from_secs(600);

/// What is chosen if nothing is needed: the cheapest that boots every image that aliases name, and that new
/// accounts have for nothing.
const DEFAULTS: [&str; 2] = ["t3.micro", "t4g.micro"];

/// So begin the tokens of listings.
const MARK: &str = "ec2-type/";

/// The types of a region, smallest first, as they were read last.
#[derive(Debug, Default)]
pub(super) struct Catalogue(Mutex<Read>);

#[derive(Debug, Default)]
struct Read {
    types: Option<(Duration, Arc<Vec<Entry>>)>,
    /// The names of the types of each zone.
    zones: BTreeMap<String, (Duration, Arc<BTreeSet<String>>)>,
}

#[derive(Debug)]
struct Entry {
    kind: InstanceType,
    /// What is chosen first among types of one size: what is cheap, and what is not old.
    rank: (bool, bool),
    /// Whether it is chosen only by its name: for its price, since it has accelerators or is a whole machine.
    is_special: bool,
}

/// A page of types, smallest first. The first one costs a request for each hundred types of the region, and
/// two for a zone; they are kept for ten minutes.
pub(super) async fn page(
    inner: &Inner,
    query: &TypeQuery,
    token: Option<&PageToken>,
) -> Result<TypePage> {
    let after = match token {
        Some(token) => {
            let name = token.as_str().strip_prefix(MARK).filter(|name| is_name(name));
            let foreign = || Error::invalid("the token is not from a listing of instance types");
            Some(name.ok_or_else(foreign)?)
        }
        None => None,
    };
    let all = matching(inner, query, false).await?;
    let begin = match after {
        Some(after) => {
            let place = all.iter().position(|kind| kind.name == after);
            place.map(|place| place + 1).ok_or_else(|| {
                Error::invalid("the listing of instance types cannot go on: it has changed")
            })?
        }
        None => 0,
    };
    let size = query.page_size.map_or(usize::MAX, |size| usize::try_from(size.max(1)).unwrap_or(1));
    let types: Vec<_> = all.iter().skip(begin).take(size).cloned().collect();
    let more = begin.saturating_add(types.len()) < all.len();
    let last = types.last().filter(|_| more);
    let next = last.map(|last| PageToken::new(format!("{MARK}{}", last.name)));
    Ok(TypePage::new(types, next))
}

/// The type that is asked for, or the smallest one that meets the needs, without accelerators and not of
/// bare metal. Among types of one size, those with burstable performance come first, which are cheapest, then
/// those of the present hypervisor, then the first by name. What needs nothing gets one of [`DEFAULTS`].
pub(super) async fn choose(
    inner: &Inner,
    hardware: &Hardware,
    zone: Option<&str>,
) -> Result<InstanceType> {
    let mut query = TypeQuery::default();
    query.zone = zone.map(str::to_owned);
    match hardware {
        Hardware::Type(name) => named(inner, name).await,
        Hardware::Needs(needs) => {
            let all = matching(inner, &query.with_needs(*needs), true).await?;
            let default =
                || DEFAULTS.iter().find_map(|name| all.iter().find(|it| it.name == *name));
            let found = if (needs.vcpus, needs.memory_mib) == (0, 0) { default() } else { None };
            found.or_else(|| all.first()).cloned().ok_or_else(|| none_has(needs, zone))
        }
        _ => Err(ErrorKind::Unsupported.into()),
    }
}

fn none_has(needs: &Needs, zone: Option<&str>) -> Error {
    let Needs { vcpus, memory_mib, arch, .. } = *needs;
    let arch = arch.map(|arch| format!(" of {arch}")).unwrap_or_default();
    let place = zone.unwrap_or("the region");
    let message =
        format!("{place} has no instance type{arch} with {vcpus} vCPU and {memory_mib} MiB");
    Error::new(ErrorKind::NotFound).with_message(message)
}

/// A type by its name, which need not be one of those that are chosen by need.
async fn named(inner: &Inner, name: &str) -> Result<InstanceType> {
    let missing = || {
        Error::new(ErrorKind::NotFound).with_message(format!("there is no instance type {name:?}"))
    };
    if !is_name(name) {
        return Err(missing());
    }
    let request = inner.caller.client().describe_instance_types();
    let request = request.instance_types(sdk::InstanceType::from(name));
    let answer = inner.caller.call("DescribeInstanceTypes", request.send()).await?;
    let found = answer.instance_types.into_iter().flatten().find_map(|info| entry(&info));
    found.map(|entry| entry.kind).ok_or_else(missing)
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

async fn matching(inner: &Inner, query: &TypeQuery, plain: bool) -> Result<Vec<InstanceType>> {
    let all = inner.catalogue.types(inner).await?;
    let zone = match &query.zone {
        Some(zone) => Some(inner.catalogue.zone(inner, zone).await?),
        None => None,
    };
    let is_there = |kind: &InstanceType| {
        kind.meets(&query.needs) && zone.as_ref().is_none_or(|names| names.contains(&kind.name))
    };
    let all = all.iter().filter(|entry| !(plain && entry.is_special)).map(|entry| &entry.kind);
    Ok(all.filter(|kind| is_there(kind)).cloned().collect())
}

impl Catalogue {
    async fn types(&self, inner: &Inner) -> Result<Arc<Vec<Entry>>> {
        let mut read = self.0.lock().await;
        let now = inner.caller.clock().monotonic();
        if let Some((at, types)) = &read.types
            && now.saturating_sub(*at) < FRESH
        {
            return Ok(Arc::clone(types));
        }
        let types = Arc::new(read_types(inner).await?);
        read.types = Some((now, Arc::clone(&types)));
        Ok(types)
    }

    async fn zone(&self, inner: &Inner, zone: &str) -> Result<Arc<BTreeSet<String>>> {
        let mut read = self.0.lock().await;
        let now = inner.caller.clock().monotonic();
        read.zones.retain(|_, (at, _)| now.saturating_sub(*at) < FRESH);
        if let Some((_, names)) = read.zones.get(zone) {
            return Ok(Arc::clone(names));
        }
        let names = Arc::new(read_offerings(inner, zone).await?);
        if !names.is_empty() {
            read.zones.insert(zone.to_owned(), (now, Arc::clone(&names)));
        }
        Ok(names)
    }
}

/// All types of today, smallest first.
async fn read_types(inner: &Inner) -> Result<Vec<Entry>> {
    let (mut all, mut next, mut seen) = (Vec::new(), None, BTreeSet::new());
    loop {
        let request = inner
            .caller
            .client()
            .describe_instance_types()
            .filters(filter("current-generation", ["true"]))
            .filters(filter("supported-root-device-type", ["ebs"]))
            .max_results(100)
            .set_next_token(next.take());
        let answer = inner.caller.call("DescribeInstanceTypes", request.send()).await?;
        all.extend(answer.instance_types.iter().flatten().filter_map(entry));
        match next_page(answer.next_token, &mut seen)? {
            Some(token) => next = Some(token),
            None => break,
        }
    }
    all.sort_by(|a, b| {
        let size = |entry: &Entry| (entry.kind.vcpus, entry.kind.memory_mib, entry.kind.arch);
        (size(a), a.rank, &a.kind.name).cmp(&(size(b), b.rank, &b.kind.name))
    });
    all.dedup_by(|a, b| a.kind.name == b.kind.name);
    Ok(all)
}

/// The names of the types that a zone has.
async fn read_offerings(inner: &Inner, zone: &str) -> Result<BTreeSet<String>> {
    let (mut all, mut next, mut seen) = (BTreeSet::new(), None, BTreeSet::new());
    loop {
        let request = inner
            .caller
            .client()
            .describe_instance_type_offerings()
            .location_type(sdk::LocationType::AvailabilityZone)
            .filters(filter("location", [zone]))
            .max_results(1_000)
            .set_next_token(next.take());
        let answer = inner.caller.call("DescribeInstanceTypeOfferings", request.send()).await?;
        let offerings = answer.instance_type_offerings.into_iter().flatten();
        all.extend(offerings.filter_map(|o| Some(o.instance_type?.as_str().to_owned())));
        match next_page(answer.next_token, &mut seen)? {
            Some(token) => next = Some(token),
            None => return Ok(all),
        }
    }
}

/// A type in the terms of the trait; none for those that run neither architecture, as Macs.
fn entry(info: &sdk::InstanceTypeInfo) -> Option<Entry> {
    let archs = info.processor_info()?.supported_architectures();
    let arch = if archs.contains(&sdk::ArchitectureType::X8664) {
        Arch::X86_64
    } else if archs.contains(&sdk::ArchitectureType::Arm64) {
        Arch::Arm64
    } else {
        return None;
    };
    let vcpus = u32::try_from(info.v_cpu_info()?.default_v_cpus()?).ok()?;
    let memory = u64::try_from(info.memory_info()?.size_in_mib()?).ok()?;
    let kind = InstanceType::new(info.instance_type()?.as_str(), vcpus, memory, arch);
    let cheap = info.burstable_performance_supported() == Some(true);
    let new = info.hypervisor() == Some(&sdk::InstanceTypeHypervisor::Nitro);
    let is_special = info.bare_metal() == Some(true)
        || info.gpu_info().is_some()
        || info.fpga_info().is_some()
        || info.inference_accelerator_info().is_some()
        || info.media_accelerator_info().is_some()
        || info.neuron_info().is_some();
    Some(Entry { kind, rank: (!cheap, !new), is_special })
}
