//! Removing what a killed caller left behind.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{Intent, IntentId, Owner, Sweep, SweepOptions, SweepReport};
use polycloud_core::{Error, ErrorKind, ResourceRef, Result, ResultExt as _};

use super::ledger::{GROUP, INSTANCE, KEY_PAIR, VOLUME};
use super::list::{LIVING, filter};
use super::patience::CONSISTENCY;
use super::{Ec2Compute, Inner, tags};
use crate::PROVIDER;

/// How long instances may take to shut down.
const SHUTDOWN: Duration = Duration::from_secs(900);

/// Longer than a create can take.
const LONGEST: Duration = Duration::from_secs(3600);

/// Instances of one request.
const BATCH: usize = 100;

#[async_trait]
impl Sweep for Ec2Compute {
    async fn sweep(&self, options: &SweepOptions) -> Result<SweepReport> {
        self.0.sweep(options).await.during(PROVIDER, "sweep", &options.owner)
    }
}

/// What belongs to an owner and is old enough.
#[derive(Default)]
struct Found {
    instances: Vec<sdk::Instance>,
    groups: Vec<String>,
    volumes: Vec<String>,
    key_pairs: Vec<String>,
    intents: Vec<IntentId>,
}

impl Inner {
    async fn sweep(&self, options: &SweepOptions) -> Result<SweepReport> {
        let now = self.caller.now();
        let found = self.find_owned(options, now).await?;
        let mut report = SweepReport::default();
        report.at = Some(now);
        report.found = self.references(&found)?;
        if options.dry_run {
            return Ok(report);
        }
        self.sweep_instances(&found.instances, &mut report).await?;
        for id in &found.groups {
            note(&mut report, ResourceRef::new(GROUP, id), self.delete_group(id).await);
        }
        for id in &found.volumes {
            note(&mut report, ResourceRef::new(VOLUME, id), self.remove_volume(id).await);
        }
        for name in &found.key_pairs {
            note(&mut report, ResourceRef::new(KEY_PAIR, name), self.delete_key_pair(name).await);
        }
        if let (Some(journal), true) = (&self.journal, report.failed.is_empty()) {
            for intent in &found.intents {
                journal.done(intent).await?;
            }
        }
        Ok(report)
    }

    async fn find_owned(&self, options: &SweepOptions, now: SystemTime) -> Result<Found> {
        let owner = format!("tag:{}", Owner::LABEL);
        let by_owner = || filter(owner.clone(), [options.owner.as_str()]);
        let is_old = |created: Option<SystemTime>| {
            let age = created.map(|at| now.duration_since(at).unwrap_or_default());
            // What nobody knows the age of is old unless somebody asks for an age.
            age.unwrap_or_default() >= options.older_than
        };
        let mut found = Found::default();
        let intents = self.own_intents(options, now).await?;
        let owned = self.find(vec![by_owner(), filter("instance-state-name", LIVING)]).await?;
        let (old, young): (Vec<_>, Vec<_>) =
            owned.into_iter().partition(|instance| is_old(super::instance::created(instance)));
        found.instances = old;
        self.add_intents(options, intents, &mut found).await?;
        let in_use: BTreeSet<_> =
            young.iter().filter_map(|young| tags::value(young.tags(), tags::GROUP)).collect();
        for group in self.owned_groups(by_owner()).await? {
            let id = group.group_id.unwrap_or_default();
            let created = tags::created(group.tags.as_deref().unwrap_or_default());
            if is_old(created) && !in_use.contains(id.as_str()) {
                found.groups.push(id);
            }
        }
        let going: BTreeSet<_> =
            found.instances.iter().filter_map(sdk::Instance::instance_id).collect();
        for volume in self.owned_volumes(by_owner()).await? {
            let created = volume.create_time.and_then(|time| SystemTime::try_from(time).ok());
            let attachments = volume.attachments();
            let mut users = attachments.iter().filter_map(|used| used.instance_id());
            let goes_along =
                attachments.iter().any(|used| used.delete_on_termination() == Some(true));
            let is_free = users.all(|user| going.contains(user)) && !goes_along;
            if is_old(created) && is_free {
                found.volumes.extend(volume.volume_id);
            }
        }
        let request = self.caller.client().describe_key_pairs().filters(by_owner());
        let pairs = self.caller.call("DescribeKeyPairs", request.send()).await?;
        for pair in pairs.key_pairs.into_iter().flatten() {
            if is_old(pair.create_time.and_then(|time| SystemTime::try_from(time).ok())) {
                found.key_pairs.extend(pair.key_name);
            }
        }
        Ok(found)
    }

    /// The creates of the owner that were begun and not brought to an end, as the journal tells. Waits until
    /// all that they have made can be seen.
    async fn own_intents(
        &self,
        options: &SweepOptions,
        now: SystemTime,
    ) -> Result<Vec<(IntentId, Intent)>> {
        let Some(journal) = &self.journal else { return Ok(Vec::new()) };
        let age = |intent: &Intent| now.duration_since(intent.started).unwrap_or_default();
        let mut intents = journal.pending().await?;
        intents.retain(|(_, intent)| {
            intent.owner.as_ref() == Some(&options.owner)
                && intent.scope == self.region()
                && age(intent) >= options.older_than
        });
        if intents.iter().any(|(_, intent)| age(intent) < LONGEST) {
            // The last thing that was made may be so new that nothing shows it, or only a part of it.
            self.caller.clock().sleep(CONSISTENCY).await;
        }
        Ok(intents)
    }

    /// Adds what those creates have launched, however new it is.
    async fn add_intents(
        &self,
        options: &SweepOptions,
        intents: Vec<(IntentId, Intent)>,
        found: &mut Found,
    ) -> Result<()> {
        for (id, intent) in intents {
            for instance in self.find_by_token(&intent.token).await? {
                let is_own = tags::owner(instance.tags()).as_ref() == Some(&options.owner);
                let is_new = |known: &sdk::Instance| known.instance_id() != instance.instance_id();
                let ended = super::instance::native_word(&instance) == "terminated";
                if is_own && !ended && found.instances.iter().all(is_new) {
                    found.instances.push(instance);
                }
            }
            found.intents.push(id);
        }
        Ok(())
    }

    fn references(&self, found: &Found) -> Result<Vec<ResourceRef>> {
        let mut all = Vec::new();
        for instance in &found.instances {
            let id = self.id(instance.instance_id().unwrap_or_default())?;
            all.push(ResourceRef::new(INSTANCE, id.to_string()));
        }
        for (kind, ids) in
            [(GROUP, &found.groups), (VOLUME, &found.volumes), (KEY_PAIR, &found.key_pairs)]
        {
            all.extend(ids.iter().map(|id| ResourceRef::new(kind, id)));
        }
        Ok(all)
    }

    async fn sweep_instances(
        &self,
        instances: &[sdk::Instance],
        report: &mut SweepReport,
    ) -> Result<()> {
        let ids: Vec<_> =
            instances.iter().filter_map(|known| known.instance_id().map(str::to_owned)).collect();
        let mut asked = Vec::new();
        for batch in ids.chunks(BATCH) {
            for (id, result) in self.end_all(batch).await {
                match result {
                    Ok(()) => asked.push(id),
                    Err(error) => {
                        let what = ResourceRef::new(INSTANCE, self.id(&id)?.to_string());
                        report.failed.push((what, error));
                    }
                }
            }
        }
        let still = self.wait_for_the_end(&asked).await;
        for id in asked {
            let what = ResourceRef::new(INSTANCE, self.id(&id)?.to_string());
            let result = match &still {
                Ok(still) if still.contains(&id) => {
                    Err(Error::new(ErrorKind::Timeout).with_message("it is still shutting down"))
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error.repeat()),
            };
            note(report, what, result);
        }
        Ok(())
    }

    /// Terminates instances together, or one by one if one of them is in the way of the others.
    async fn end_all(&self, ids: &[String]) -> Vec<(String, Result<()>)> {
        if self.terminate_all(ids).await.is_ok() {
            return ids.iter().map(|id| (id.clone(), Ok(()))).collect();
        }
        let mut results = Vec::with_capacity(ids.len());
        for id in ids {
            let result = match self.terminate_all(std::slice::from_ref(id)).await {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                result => result,
            };
            results.push((id.clone(), result));
        }
        results
    }

    /// Waits until instances are terminated, and tells which are not for too long.
    async fn wait_for_the_end(&self, ids: &[String]) -> Result<Vec<String>> {
        let mut left = ids.to_vec();
        let start = self.caller.clock().monotonic();
        while !left.is_empty() {
            let living = self.look(Duration::ZERO, || async {
                let mut living = BTreeSet::new();
                for batch in left.chunks(BATCH) {
                    let filters =
                        vec![filter("instance-id", batch), filter("instance-state-name", LIVING)];
                    let found = self.find(filters).await?;
                    living.extend(found.into_iter().filter_map(|known| known.instance_id));
                }
                Ok(Some(living))
            });
            let living = living.await?.unwrap_or_default();
            left.retain(|id| living.contains(id));
            let waited = self.caller.clock().monotonic().saturating_sub(start);
            if waited >= SHUTDOWN {
                break;
            }
            if !left.is_empty() {
                self.caller.clock().sleep(Duration::from_secs(3)).await;
            }
        }
        Ok(left)
    }

    async fn owned_groups(&self, by_owner: sdk::Filter) -> Result<Vec<sdk::SecurityGroup>> {
        let (mut all, mut next, mut seen) = (Vec::new(), None, BTreeSet::new());
        loop {
            let request = self.caller.client().describe_security_groups();
            let request = request.filters(by_owner.clone()).max_results(1_000);
            let request = request.set_next_token(next.take());
            let page = self.caller.call("DescribeSecurityGroups", request.send()).await?;
            all.extend(page.security_groups.into_iter().flatten());
            match super::list::next_page(page.next_token, &mut seen)? {
                Some(token) => next = Some(token),
                None => return Ok(all),
            }
        }
    }

    async fn owned_volumes(&self, by_owner: sdk::Filter) -> Result<Vec<sdk::Volume>> {
        let (mut all, mut next, mut seen) = (Vec::new(), None, BTreeSet::new());
        loop {
            let request = self.caller.client().describe_volumes();
            let request = request.filters(by_owner.clone()).max_results(500);
            let request = request.set_next_token(next.take());
            let page = self.caller.call("DescribeVolumes", request.send()).await?;
            let present = |volume: &sdk::Volume| {
                !matches!(
                    volume.state(),
                    Some(sdk::VolumeState::Deleting | sdk::VolumeState::Deleted)
                )
            };
            all.extend(page.volumes.into_iter().flatten().filter(present));
            match super::list::next_page(page.next_token, &mut seen)? {
                Some(token) => next = Some(token),
                None => return Ok(all),
            }
        }
    }

    /// Deletes a volume, once its instance has let it go.
    async fn remove_volume(&self, id: &str) -> Result<()> {
        let in_use = |error: &Error| error.kind() == ErrorKind::InvalidState;
        let deleted = self.repeat(super::patience::RELEASE, in_use, || {
            let request = self.caller.client().delete_volume().volume_id(id);
            self.caller.call("DeleteVolume", request.send())
        });
        match deleted.await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            deleted => deleted.map(drop),
        }
    }
}

fn note(report: &mut SweepReport, what: ResourceRef, result: Result<()>) {
    match result {
        Ok(()) => report.removed.push(what),
        Err(error) => report.failed.push((what, error)),
    }
}
