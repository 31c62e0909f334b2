//! Kinds of machines: listing them, and choosing one.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use polycloud_core::ErrorKind;
use polycloud_core::compute::{
    BootDisk, Compute, ComputeExt, DiskKind, Hardware, InstanceState as State, InstanceType,
    Market, Needs, Resize, TypeQuery,
};
use polycloud_core::page::PageToken;

use super::lab::Lab;
use crate::case::{Failure, cases, ensure, ensure_eq};
use crate::expect::expect_kind;

cases! {
    Compute, "hardware";

    /// There are types, each with a name of its own, a processor and memory.
    async fn types(context: Context) -> CaseResult {
        let types = list_types(&*context.compute()?, TypeQuery::default()).await?;
        ensure!(!types.is_empty(), "there are none");
        let names: BTreeSet<_> = types.iter().map(|kind| &kind.name).collect();
        ensure_eq!(names.len(), types.len(), "different names");
        for kind in &types {
            ensure!(kind.vcpus > 0 && kind.memory_mib > 0, "{kind:?}");
        }
        Ok(())
    }

    /// Pages of types join to the whole, and are not larger than asked for.
    async fn pages_of_types(context: Context) -> CaseResult {
        let compute = context.compute()?;
        // A third of them, so that no provider is asked for hundreds of pages.
        let whole = list_types(&*compute, TypeQuery::default()).await?;
        let size = whole.len().div_ceil(3).max(1);
        let query = TypeQuery::default().with_page_size(u32::try_from(size).unwrap_or(u32::MAX));
        let (mut joined, mut token) = (Vec::new(), None);
        loop {
            let page = compute.types_page(&query, token.as_ref()).await?;
            ensure!(page.types.len() <= size, "{} types on a page of {size}", page.types.len());
            joined.extend(page.types);
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        ensure_eq!(sorted(joined), sorted(whole));
        Ok(())
    }

    /// A query by need finds exactly the types that meet it.
    async fn types_by_need(context: Context) -> CaseResult {
        let compute = context.compute()?;
        let all = list_types(&*compute, TypeQuery::default()).await?;
        let arch = all.first().map(|kind| kind.arch);
        let mut needs = vec![Needs::new(2, 0), Needs::new(0, 2_048), Needs::new(4, 8_192)];
        needs.extend(arch.map(|arch| Needs::new(1, 1).with_arch(arch)));
        needs.push(Needs::new(1_000_000, 1 << 40));
        for needs in needs {
            let found = list_types(&*compute, TypeQuery::default().with_needs(needs)).await?;
            let expected = all.iter().filter(|kind| kind.meets(&needs)).cloned().collect();
            ensure_eq!(sorted(found), sorted(expected), "{needs:?}");
        }
        Ok(())
    }

    /// A query by zone finds types in the zones that there are, and none elsewhere.
    #[needs(Zones)]
    async fn types_by_zone(context: Context) -> CaseResult {
        let compute = context.compute()?;
        for zone in super::location::own_zones(&*compute).await? {
            let found = list_types(&*compute, TypeQuery::default().with_zone(&zone)).await?;
            ensure!(!found.is_empty(), "zone {zone} has no types");
        }
        let elsewhere = TypeQuery::default().with_zone("conformance-none");
        ensure_eq!(list_types(&*compute, elsewhere).await?, [], "types of an unknown zone");
        Ok(())
    }

    /// A token of no listing of types is refused.
    async fn unknown_token(context: Context) -> CaseResult {
        let token = PageToken::new("conformance: no such token");
        let result = context.compute()?.types_page(&TypeQuery::default(), Some(&token)).await;
        expect_kind(result, ErrorKind::InvalidArgument)?;
        Ok(())
    }

    /// An instance is of the type that it was asked to be of.
    async fn by_name(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let default = lab.make(&lab.spec("a")?).await?.instance_type;
        let other = other_type(&*lab.compute, &default).await?;
        let spec = lab.spec("b")?.with_hardware(Hardware::of_type(other.as_str()));
        ensure_eq!(lab.run(&spec).await?.instance_type, other);
        Ok(())
    }

    /// An instance whose hardware is chosen by need gets a type that meets the need, and no listed type
    /// that meets it as well is smaller.
    #[needs(HardwareNeeds)]
    async fn by_need(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let all = list_types(&*lab.compute, TypeQuery::default()).await?;
        let arch = all.first().map(|kind| kind.arch);
        let arch = arch.ok_or_else(|| Failure::new("there are no types"))?;
        let needs = [Needs::new(2, 1_024), Needs::new(1, 1_500).with_arch(arch)];
        for (needs, name) in needs.into_iter().zip(["a", "b"]) {
            let spec = lab.spec(name)?.with_hardware(Hardware::Needs(needs));
            let instance = lab.make(&spec).await?;
            let chosen = all.iter().find(|kind| kind.name == instance.instance_type);
            let chosen = chosen.ok_or_else(|| Failure::new("the type is not a listed one"))?;
            ensure!(chosen.meets(&needs), "{chosen:?} does not meet {needs:?}");
            let smaller = all.iter().find(|kind| {
                kind.meets(&needs)
                    && kind.arch == chosen.arch
                    && kind.vcpus <= chosen.vcpus
                    && kind.memory_mib <= chosen.memory_mib
                    && (kind.vcpus, kind.memory_mib) != (chosen.vcpus, chosen.memory_mib)
            });
            ensure!(smaller.is_none(), "{smaller:?} is smaller than {chosen:?}");
        }
        Ok(())
    }

    /// An instance is created with a boot disk of a size and kind.
    #[needs(BootDisk)]
    async fn boot_disk(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let disk = BootDisk::of_size(64).with_kind(DiskKind::Balanced);
        lab.run(&lab.spec("a")?.with_boot_disk(disk)).await?;
        Ok(())
    }

    /// An instance that the provider may take back says so.
    #[needs(Spot)]
    async fn spot(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let spec = lab.spec("a")?.with_market(Market::Spot { max_hourly: None });
        ensure!(lab.run(&spec).await?.spot, "it does not");
        Ok(())
    }

    /// A stopped instance that is resized has the other type, and keeps it when it starts.
    #[needs(Resize, StopDeallocate)]
    async fn resize_while_stopped(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let before = lab.run_and_stop("a").await?;
        let other = other_type(&*lab.compute, &before.instance_type).await?;
        resizer(&lab)?.resize(&before.id, &Hardware::of_type(other.as_str())).await?;
        ensure_eq!(lab.compute.get(&before.id).await?.instance_type, other);
        lab.compute.start(&before.id).await?;
        let after = lab.reach(&before.id, State::Running).await?;
        ensure_eq!(after.instance_type, other);
        ensure_eq!(after.name, before.name);
        Ok(())
    }

    /// A running instance cannot be resized, and keeps its type.
    #[needs(Resize)]
    async fn resize_while_running(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let before = lab.run_bare("a").await?;
        let other = other_type(&*lab.compute, &before.instance_type).await?;
        let result = resizer(&lab)?.resize(&before.id, &Hardware::of_type(other)).await;
        expect_kind(result, ErrorKind::InvalidState)?;
        ensure_eq!(lab.compute.get(&before.id).await?.instance_type, before.instance_type);
        Ok(())
    }

    /// An instance cannot be resized to a type that does not exist, and keeps its own.
    #[needs(Resize, StopDeallocate)]
    async fn resize_to_unknown_type(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let before = lab.run_and_stop("a").await?;
        let none = Hardware::of_type("conformance.none");
        expect_kind(resizer(&lab)?.resize(&before.id, &none).await, ErrorKind::NotFound)?;
        ensure_eq!(lab.compute.get(&before.id).await?.instance_type, before.instance_type);
        Ok(())
    }
}

async fn list_types(compute: &dyn Compute, query: TypeQuery) -> Result<Vec<InstanceType>, Failure> {
    Ok(compute.types(query).try_collect().await?)
}

fn sorted(mut types: Vec<InstanceType>) -> Vec<InstanceType> {
    types.sort_by(|a, b| a.name.cmp(&b.name));
    types
}

/// The smallest type other than this, of the same architecture.
async fn other_type(compute: &dyn Compute, name: &str) -> Result<String, Failure> {
    let types = list_types(compute, TypeQuery::default()).await?;
    let arch = types.iter().find(|kind| kind.name == name).map(|kind| kind.arch);
    let others = types.into_iter().filter(|kind| kind.name != name && Some(kind.arch) == arch);
    let smallest = others.min_by_key(|kind| (kind.vcpus, kind.memory_mib));
    smallest.map(|kind| kind.name).ok_or_else(|| Failure::new("there is no other type"))
}

fn resizer(lab: &Lab) -> Result<&dyn Resize, Failure> {
    lab.compute.resize().ok_or_else(|| Failure::new("resizing is declared but not there"))
}
