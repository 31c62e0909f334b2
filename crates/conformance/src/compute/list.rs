//! Listing instances.

use std::collections::BTreeMap;

use polycloud_core::ErrorKind;
use polycloud_core::compute::{
    CreateOptions, InstanceFilter, InstanceState as State, Labels, Owner, TerminateOptions,
};
use polycloud_core::page::PageToken;

use super::lab::Lab;
use crate::case::{CaseResult, Context, Failure, cases, ensure, ensure_eq};
use crate::expect::expect_kind;

cases! {
    Compute, "list";

    /// Pages of one join to a listing that has each instance exactly once.
    async fn pages_of_one(context: Context) -> CaseResult {
        pages(context, 1).await
    }

    /// Pages of two join to a listing that has each instance exactly once.
    async fn pages_of_two(context: Context) -> CaseResult {
        pages(context, 2).await
    }

    /// A page size of zero counts as one.
    async fn pages_of_zero(context: Context) -> CaseResult {
        pages(context, 0).await
    }

    /// A page size above the provider's own is cut to that.
    async fn pages_of_any_size(context: Context) -> CaseResult {
        pages(context, u32::MAX).await
    }

    /// Instances that come and go meanwhile neither hide nor repeat those that stay.
    async fn changes_meanwhile(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let mut made = Vec::new();
        for name in ["a", "b", "c", "d"] {
            made.push(lab.make(&lab.spec(name)?).await?);
        }
        let filter = InstanceFilter::default().with_page_size(1);
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let page = lab.compute.list_page(&filter, token.as_ref()).await?;
            let own = page.instances.iter().filter(|instance| lab.is_own(instance));
            names.extend(own.map(|instance| lab.suffix(instance)));
            // The one that was just seen and one that is new: both lie where the listing stands.
            if let (Some("b"), 4) = (names.last().map(String::as_str), made.len()) {
                let seen = made.iter().find(|instance| lab.suffix(instance) == "b");
                let seen = seen.ok_or_else(|| Failure::new("b was listed but not made"))?.clone();
                lab.compute.terminate(&seen.id, &TerminateOptions::default()).await?;
                made.push(lab.make(&lab.spec("e")?).await?);
            }
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        for stays in ["a", "c", "d"] {
            let times = names.iter().filter(|name| *name == stays).count();
            ensure_eq!(times, 1, "how often {stays} is in {names:?}");
        }
        Ok(())
    }

    /// A token goes on after it was written down as text.
    async fn token_as_text(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        for name in ["a", "b"] {
            lab.make(&lab.spec(name)?).await?;
        }
        let filter = InstanceFilter::default().with_page_size(1);
        let first = lab.compute.list_page(&filter, None).await?;
        let token = first.next.ok_or_else(|| Failure::new("two instances fit on a page of one"))?;
        let text = token.as_str().to_owned();
        let second = lab.compute.list_page(&filter, Some(&PageToken::new(text))).await?;
        for instance in &second.instances {
            let repeated = first.instances.iter().any(|earlier| earlier.id == instance.id);
            ensure!(!repeated, "{} is on both pages", instance.id);
        }
        Ok(())
    }

    /// A token of no listing is refused.
    async fn unknown_token(context: Context) -> CaseResult {
        let compute = context.compute()?;
        let token = PageToken::new("conformance: no such token");
        let result = compute.list_page(&InstanceFilter::default(), Some(&token)).await;
        expect_kind(result, ErrorKind::InvalidArgument)?;
        Ok(())
    }

    /// What is terminated is not listed unless it is asked for.
    async fn terminated_is_left_out(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let gone = lab.make(&lab.spec("a")?).await?;
        let stays = lab.run_bare("b").await?;
        lab.terminate(&gone.id).await?;
        ensure_eq!(lab.list(InstanceFilter::default()).await?, [stays]);
        let terminated = InstanceFilter::default().with_states([State::Terminated]);
        for instance in lab.list(terminated).await? {
            ensure_eq!(instance.id, gone.id);
            ensure_eq!(instance.state(), State::Terminated);
        }
        Ok(())
    }

    /// A filter by states finds the instances that are in one of them.
    #[needs(StopDeallocate)]
    async fn by_state(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        lab.run_and_stop("stopped").await?;
        lab.run_bare("running").await?;
        let found = |states: &'static [State]| {
            lab.listed(InstanceFilter::default().with_states(states.iter().copied()))
        };
        ensure_eq!(found(&[State::Running]).await?, ["running"]);
        ensure_eq!(found(&[State::Stopped]).await?, ["stopped"]);
        ensure_eq!(found(&[State::Stopped, State::Running]).await?, ["running", "stopped"]);
        ensure_eq!(found(&[State::Suspended, State::Failed]).await?, [""; 0]);
        ensure_eq!(found(&State::ALL).await?, ["running", "stopped"]);
        Ok(())
    }

    /// A filter by labels finds the instances that have all of them.
    #[needs(Labels)]
    async fn by_labels(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let red = Labels::new().with("colour", "red")?;
        let large_red = red.clone().with("size", "large")?;
        for (name, labels) in [("none", &Labels::new()), ("red", &red), ("large-red", &large_red)] {
            lab.make(&lab.spec(name)?.with_labels(labels.clone())).await?;
        }
        let found = |labels: Labels| lab.listed(InstanceFilter::default().with_labels(labels));
        ensure_eq!(found(red).await?, ["large-red", "red"]);
        ensure_eq!(found(large_red).await?, ["large-red"]);
        ensure_eq!(found(Labels::new().with("colour", "blue")?).await?, [""; 0]);
        ensure_eq!(found(Labels::new().with("colour", "re")?).await?, [""; 0]);
        ensure_eq!(found(Labels::new()).await?, ["large-red", "none", "red"]);
        Ok(())
    }

    /// A filter by zone finds the instances in it.
    #[needs(Zones)]
    async fn by_zone(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let zones = super::location::own_zones(&*lab.compute).await?;
        for (number, zone) in zones.iter().take(2).enumerate() {
            lab.make(&lab.spec(&format!("z{number}"))?.with_zone(zone)).await?;
        }
        for (number, zone) in zones.iter().take(2).enumerate() {
            let filter = InstanceFilter::default().with_zone(zone);
            ensure_eq!(lab.listed(filter).await?, [format!("z{number}")], "zone {zone}");
        }
        Ok(())
    }

    /// A filter by owner finds the instances of that owner, not those of another or of nobody.
    #[needs(Sweep)]
    async fn by_owner(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let other = Owner::new(context.unique("other"))?;
        let others = CreateOptions::default().with_owner(other.clone());
        lab.create(&lab.spec("own")?, &lab.owned()?).await?;
        lab.create(&lab.spec("other")?, &others).await?;
        lab.make(&lab.spec("nobody")?).await?;
        let found = |owner| lab.listed(InstanceFilter::default().with_owner(owner));
        ensure_eq!(found(lab.owner()?).await?, ["own"]);
        ensure_eq!(found(other).await?, ["other"]);
        Ok(())
    }

    /// Filters are joined: what is listed passes all of them, on pages of any size.
    #[needs(Labels, StopDeallocate)]
    async fn by_everything(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let red = Labels::new().with("colour", "red")?;
        let stopped = lab.run(&lab.spec("red-stopped")?.with_labels(red.clone())).await?;
        lab.stop(&stopped.id).await?;
        lab.run(&lab.spec("red-running")?.with_labels(red.clone())).await?;
        lab.run_bare("plain-running").await?;
        let filter = InstanceFilter::default().with_labels(red).with_states([State::Running]);
        for size in [1, 2, 100] {
            let filter = filter.clone().with_page_size(size);
            ensure_eq!(lab.listed(filter).await?, ["red-running"], "on pages of {size}");
        }
        Ok(())
    }
}

/// Shows that pages join to the whole, and are not larger than asked for.
async fn pages(context: Context, size: u32) -> CaseResult {
    let lab = Lab::new(&context)?;
    for name in ["a", "b", "c"] {
        lab.make(&lab.spec(name)?).await?;
    }
    let most = usize::try_from(size.max(1)).unwrap_or(usize::MAX);
    let filter = InstanceFilter::default().with_page_size(size);
    let (mut times, mut token) = (BTreeMap::new(), None);
    loop {
        let page = lab.compute.list_page(&filter, token.as_ref()).await?;
        let entries = page.instances.len();
        ensure!(entries <= most, "{entries} entries on a page of {size}");
        for instance in page.instances.iter().filter(|instance| lab.is_own(instance)) {
            *times.entry(lab.suffix(instance)).or_insert(0) += 1;
        }
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    let times: Vec<_> = times.iter().map(|(name, times)| (name.as_str(), *times)).collect();
    ensure_eq!(times, [("a", 1), ("b", 1), ("c", 1)], "how often each was listed");
    lab.listed(filter).await.map(drop)
}
