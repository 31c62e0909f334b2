//! What some providers offer beyond instances: keys, volumes, networks, firewalls, prices.

use std::sync::Arc;

use futures::TryStreamExt;
use polycloud_core::compute::{
    Cidr, Compute, ComputeExt, FirewallInfo, Firewalls, IngressRule, KeyPair, KeyPairs, NewVolume,
    Protocol, TypeQuery, Volume, VolumeState, Volumes,
};
use polycloud_core::{ErrorKind, Result as CoreResult};

use super::address::public_key;
use super::lab::Lab;
use crate::case::{CaseResult, Context, Failure, cases, ensure, ensure_eq};
use crate::expect::expect_kind;

cases! {
    Compute, "facet";

    /// An imported key is listed until it is deleted; deleting it again succeeds.
    #[needs(KeyPairs)]
    async fn key_pair(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let (keys, name) = (key_pairs(&lab.compute)?, context.unique("key"));
        let imported = import(&context, &lab.compute, &name).await?;
        ensure_eq!(imported.name, name);
        key_pair_is_listed(&lab, &imported).await?;
        keys.delete(&name).await?;
        keys.delete(&name).await?;
        let is_gone = || async {
            let listed = keys.list().await?;
            Ok(listed.iter().all(|key| key.name != name).then_some(()))
        };
        lab.eventually("the key is gone", is_gone).await
    }

    /// Two keys cannot have the same name.
    #[needs(KeyPairs)]
    async fn key_pair_name_is_taken(context: Context) -> CaseResult {
        let (compute, name) = (context.compute()?, context.unique("key"));
        import(&context, &compute, &name).await?;
        let again = key_pairs(&compute)?.import(&name, &public_key()?).await;
        expect_kind(again, ErrorKind::AlreadyExists)?;
        Ok(())
    }

    /// A generated key comes with its private half, which is shown by accident to nobody; it is listed, and
    /// its name is taken.
    #[needs(KeyPairs)]
    async fn generated_key_pair(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let (compute, name) = (Arc::clone(&lab.compute), context.unique("key"));
        let keys = key_pairs(&compute)?;
        delete_later(&context, &compute, &name);
        let (generated, private) = keys.generate(&name).await?;
        ensure_eq!(generated.name, name);
        ensure!(private.expose().contains("PRIVATE KEY-----"), "it is no private key");
        ensure!(!format!("{private:?}").contains("PRIVATE KEY"), "the key is shown");
        key_pair_is_listed(&lab, &generated).await?;
        expect_kind(keys.generate(&name).await, ErrorKind::AlreadyExists)?;
        let other = context.unique("key");
        delete_later(&context, &compute, &other);
        let (_, another) = keys.generate(&other).await?;
        ensure!(another != private, "two pairs have the same private key");
        Ok(())
    }

    /// A created volume can be read and is listed until it is deleted; deleting it again succeeds.
    #[needs(Volumes)]
    async fn volume(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let volume = make_volume(&context, &lab, None).await?;
        ensure_eq!((volume.size_gib, volume.attached_to.clone()), (10, None));
        let volumes = volumes(&lab.compute)?;
        let listed = volumes.list().await?;
        ensure!(listed.iter().any(|listed| listed.id == volume.id), "it is not listed");
        volumes.delete(&volume.id).await?;
        volumes.delete(&volume.id).await?;
        let look = || async { gone(volumes.get(&volume.id).await) };
        lab.eventually("the volume is gone", look).await
    }

    /// An attached volume names its instance, cannot be deleted, and is free again once detached.
    #[needs(Volumes)]
    async fn attached_volume(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let instance = lab.run_bare("a").await?;
        let volume = make_volume(&context, &lab, instance.zone.clone()).await?;
        let volumes = volumes(&lab.compute)?;
        volumes.attach(&volume.id, &instance.id).await?;
        let attached = volume_in(&lab, &volume.id, VolumeState::InUse).await?;
        ensure_eq!(attached.attached_to, Some(instance.id.clone()));
        expect_kind(volumes.attach(&volume.id, &instance.id).await, ErrorKind::InvalidState)?;
        expect_kind(volumes.delete(&volume.id).await, ErrorKind::InvalidState)?;
        volumes.detach(&volume.id).await?;
        let free = volume_in(&lab, &volume.id, VolumeState::Available).await?;
        ensure_eq!(free.attached_to, None);
        volumes.detach(&volume.id).await?;
        Ok(())
    }

    /// A snapshot of a volume is listed until it is deleted; deleting it again succeeds.
    #[needs(Volumes)]
    async fn snapshot(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let volume = make_volume(&context, &lab, None).await?;
        let snapshot = volumes(&lab.compute)?.snapshot(&volume.id, &context.unique("snap")).await?;
        let (compute, own) = (Arc::clone(&lab.compute), snapshot.id.clone());
        context.defer(async move { Ok(volumes(&compute)?.delete_snapshot(&own).await?) });
        ensure_eq!(snapshot.size_gib, volume.size_gib);
        let volumes = volumes(&lab.compute)?;
        let is_listed = || async {
            let listed = volumes.snapshots().await?;
            CoreResult::<bool>::Ok(listed.iter().any(|listed| listed.id == snapshot.id))
        };
        let look = || async { Ok(is_listed().await?.then_some(())) };
        lab.eventually("the snapshot is listed", look).await?;
        volumes.delete_snapshot(&snapshot.id).await?;
        volumes.delete_snapshot(&snapshot.id).await?;
        let look = || async { Ok((!is_listed().await?).then_some(())) };
        lab.eventually("the snapshot is gone", look).await
    }

    /// What was never there is not found among the volumes.
    #[needs(Volumes)]
    async fn unknown_volume(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let volume = make_volume(&context, &lab, None).await?;
        let volumes = volumes(&lab.compute)?;
        volumes.delete(&volume.id).await?;
        let look = || async { gone(volumes.get(&volume.id).await) };
        lab.eventually("the volume is gone", look).await?;
        let instance = lab.run_bare("a").await?;
        let attach = volumes.attach(&volume.id, &instance.id).await;
        expect_kind(attach, ErrorKind::NotFound)?;
        expect_kind(volumes.detach(&volume.id).await, ErrorKind::NotFound)?;
        expect_kind(volumes.snapshot(&volume.id, "conformance").await, ErrorKind::NotFound)?;
        Ok(())
    }

    /// The default network is one of those that are listed.
    #[needs(Networks)]
    async fn networks(context: Context) -> CaseResult {
        let compute = context.compute()?;
        let networks = compute.networks().ok_or_else(|| Failure::new("there are no networks"))?;
        let default = networks.default_network().await?;
        let listed = networks.list().await?;
        ensure!(listed.iter().any(|network| network.id == default.id), "{default:?} is not listed");
        Ok(())
    }

    /// A firewall has its rules, then those that replace them, until it is deleted; deleting it again
    /// succeeds.
    #[needs(Firewalls)]
    async fn firewall(context: Context) -> CaseResult {
        let compute = context.compute()?;
        let (name, first) = (context.unique("firewall"), rules(22..=22)?);
        let made = make_firewall(&context, &compute, &name, &first).await?;
        ensure_eq!((&made.name, &made.rules), (&name, &first));
        let firewalls = firewalls(&compute)?;
        let second = rules(80..=443)?;
        firewalls.set_rules(&made.id, &second).await?;
        let listed = firewalls.list().await?;
        let read = listed.iter().find(|firewall| firewall.id == made.id);
        ensure_eq!(read.map(|read| &read.rules), Some(&second));
        firewalls.delete(&made.id).await?;
        firewalls.delete(&made.id).await?;
        let listed = firewalls.list().await?;
        ensure!(listed.iter().all(|firewall| firewall.id != made.id), "it is still listed");
        expect_kind(firewalls.set_rules(&made.id, &first).await, ErrorKind::NotFound)?;
        Ok(())
    }

    /// Two firewalls cannot have the same name.
    #[needs(Firewalls)]
    async fn firewall_name_is_taken(context: Context) -> CaseResult {
        let (compute, name) = (context.compute()?, context.unique("firewall"));
        let rules = rules(22..=22)?;
        make_firewall(&context, &compute, &name, &rules).await?;
        let again = firewalls(&compute)?.create(&name, &rules).await;
        expect_kind(again, ErrorKind::AlreadyExists)?;
        Ok(())
    }

    /// Types have prices, and one that does not exist is not found.
    #[needs(Prices)]
    async fn prices(context: Context) -> CaseResult {
        let compute = context.compute()?;
        let prices = compute.prices().ok_or_else(|| Failure::new("there are no prices"))?;
        let types: Vec<_> = compute.types(TypeQuery::default()).try_collect().await?;
        let mut known = 0;
        for kind in types.iter().take(20) {
            known += usize::from(prices.hourly(&kind.name, false).await?.is_some());
        }
        ensure!(known > 0, "no type has a price that is known");
        expect_kind(prices.hourly("conformance.none", false).await, ErrorKind::NotFound)?;
        Ok(())
    }
}

fn key_pairs(compute: &Arc<dyn Compute>) -> Result<&dyn KeyPairs, Failure> {
    compute.key_pairs().ok_or_else(|| Failure::new("key pairs are declared but not there"))
}

/// Waits until a key is listed: listings may lag behind.
async fn key_pair_is_listed(lab: &Lab, key: &KeyPair) -> CaseResult {
    let is_listed = || async {
        let listed = key_pairs(&lab.compute)?.list().await?;
        Ok(listed.contains(key).then_some(()))
    };
    lab.eventually("the key is listed", is_listed).await
}

async fn import(
    context: &Context,
    compute: &Arc<dyn Compute>,
    name: &str,
) -> Result<KeyPair, Failure> {
    let imported = key_pairs(compute)?.import(name, &public_key()?).await?;
    delete_later(context, compute, name);
    Ok(imported)
}

fn delete_later(context: &Context, compute: &Arc<dyn Compute>, name: &str) {
    let (compute, name) = (Arc::clone(compute), name.to_owned());
    context.defer(async move { Ok(key_pairs(&compute)?.delete(&name).await?) });
}

fn volumes(compute: &Arc<dyn Compute>) -> Result<&dyn Volumes, Failure> {
    compute.volumes().ok_or_else(|| Failure::new("volumes are declared but not there"))
}

/// Makes a volume that can be attached, and that is deleted once the case has ended.
async fn make_volume(
    context: &Context,
    lab: &Lab,
    zone: Option<String>,
) -> Result<Volume, Failure> {
    let mut new = NewVolume::new(context.unique("volume"), 10);
    new.zone = zone;
    let made = volumes(&lab.compute)?.create(&new).await?;
    let (own, id) = (lab.clone(), made.id.clone());
    context.defer(async move { remove_volume(&own, &id).await });
    ensure_eq!(made.name, new.name);
    volume_in(lab, &made.id, VolumeState::Available).await
}

async fn remove_volume(lab: &Lab, id: &str) -> CaseResult {
    let volumes = volumes(&lab.compute)?;
    match volumes.detach(id).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        result => result?,
    }
    volume_in(lab, id, VolumeState::Available).await?;
    Ok(volumes.delete(id).await?)
}

async fn volume_in(lab: &Lab, id: &str, state: VolumeState) -> Result<Volume, Failure> {
    let look = || async {
        let volume = volumes(&lab.compute)?.get(id).await?;
        Ok((volume.state == state).then_some(volume))
    };
    lab.eventually("the volume is in another state", look).await
}

/// Whether a volume is not there any more.
fn gone(read: CoreResult<Volume>) -> Result<Option<()>, Failure> {
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(())),
        read => Ok(read.map(|_| None)?),
    }
}

fn firewalls(compute: &Arc<dyn Compute>) -> Result<&dyn Firewalls, Failure> {
    compute.firewalls().ok_or_else(|| Failure::new("firewalls are declared but not there"))
}

fn rules(ports: std::ops::RangeInclusive<u16>) -> CoreResult<Vec<IngressRule>> {
    let office: Cidr = "192.0.2.0/24".parse()?;
    Ok(vec![IngressRule::new(Protocol::Tcp, ports, office)?])
}

/// Makes a firewall that is deleted once the case has ended.
async fn make_firewall(
    context: &Context,
    compute: &Arc<dyn Compute>,
    name: &str,
    rules: &[IngressRule],
) -> Result<FirewallInfo, Failure> {
    let made = firewalls(compute)?.create(name, rules).await?;
    let (compute, id) = (Arc::clone(compute), made.id.clone());
    context.defer(async move { Ok(firewalls(&compute)?.delete(&id).await?) });
    Ok(made)
}
