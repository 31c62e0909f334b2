//! Regions, zones, and limits of the account.

use std::collections::BTreeSet;

use polycloud_core::compute::{Compute, InstanceState as State};

use super::lab::Lab;
use crate::case::{Failure, cases, ensure, ensure_eq};

cases! {
    Compute, "location";

    /// There are regions, the backend's own among them, and no region or zone comes twice.
    async fn regions(context: Context) -> CaseResult {
        let compute = context.compute()?;
        let locations = compute.locations().await?;
        let own = &compute.info().region;
        ensure!(
            locations.iter().any(|location| own.ends_with(&location.region)),
            "{own} is not in {locations:?}"
        );
        let regions: BTreeSet<_> = locations.iter().map(|location| &location.region).collect();
        ensure_eq!(regions.len(), locations.len(), "different regions");
        for location in &locations {
            let zones: BTreeSet<_> = location.zones.iter().collect();
            ensure_eq!(zones.len(), location.zones.len(), "different zones of {}", location.region);
        }
        Ok(())
    }

    /// The backend's own region has zones.
    #[needs(Zones)]
    async fn zones(context: Context) -> CaseResult {
        let zones = own_zones(&*context.compute()?).await?;
        ensure!(!zones.is_empty(), "there are none");
        Ok(())
    }

    /// An instance stands in the zone that it was asked to stand in.
    #[needs(Zones)]
    async fn in_a_zone(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let zones = own_zones(&*lab.compute).await?;
        let last = zones.last().ok_or_else(|| Failure::new("there are no zones"))?;
        let made = lab.make(&lab.spec("a")?.with_zone(last)).await?;
        ensure_eq!(made.zone.as_ref(), Some(last));
        ensure_eq!(lab.reach(&made.id, State::Running).await?.zone.as_ref(), Some(last));
        Ok(())
    }

    /// An instance whose zone is left to the provider stands in one of those that there are.
    #[needs(Zones)]
    async fn in_any_zone(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let zones = own_zones(&*lab.compute).await?;
        let zone = lab.run_bare("a").await?.zone;
        ensure!(zone.iter().all(|zone| zones.contains(zone)), "{zone:?} is not in {zones:?}");
        Ok(())
    }

    /// Limits have names of their own, and neither they nor their use are below zero.
    #[needs(Quotas)]
    async fn quotas(context: Context) -> CaseResult {
        let compute = context.compute()?;
        let quotas = compute.quotas().ok_or_else(|| Failure::new("there are no quotas"))?;
        let quotas = quotas.list().await?;
        ensure!(!quotas.is_empty(), "the account has no limits");
        let names: BTreeSet<_> = quotas.iter().map(|quota| &quota.name).collect();
        ensure_eq!(names.len(), quotas.len(), "different names");
        for quota in &quotas {
            let used = quota.used.unwrap_or(0.0);
            let plausible = quota.limit >= 0.0 && used >= 0.0 && used.is_finite();
            ensure!(plausible && !quota.name.is_empty(), "{quota:?}");
        }
        Ok(())
    }
}

/// The zones of the region that a backend works in.
pub(super) async fn own_zones(compute: &dyn Compute) -> Result<Vec<String>, Failure> {
    let own = &compute.info().region;
    let locations = compute.locations().await?;
    let location = locations.into_iter().find(|location| own.ends_with(&location.region));
    Ok(location.map(|location| location.zones).unwrap_or_default())
}
