//! The instances of the job: started, watched, replaced, and terminated whatever happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use polycloud::clock::Clock;
use polycloud::compute::{
    Hardware, IdempotencyToken, ImageSelector, InstanceFilter, InstanceId, Needs, Owner, StopMode,
    SweepOptions,
};
use polycloud::object::Revision;
use polycloud::prelude::*;

use crate::Result;

/// Instances that are started or terminated at a time.
const AT_A_TIME: usize = 8;

/// Time between two listings of the instances, which a provider answers only so often.
const LISTING: Duration = Duration::from_secs(1);

/// How long an instance may take to boot before its first heartbeat.
const BOOT: Duration = Duration::from_secs(300);

/// How long a new instance may be missing from listings.
const UNSEEN: Duration = Duration::from_secs(60);

/// Why a worker is given up.
#[derive(Debug)]
pub(crate) struct Loss {
    pub(crate) worker: String,
    pub(crate) why: String,
}

/// The instances of one job.
pub(crate) struct Fleet {
    compute: Arc<dyn Compute>,
    clock: Arc<dyn Clock>,
    machine: Machine,
    owner: Owner,
    /// How long a worker may be silent.
    patience: Duration,
    started: usize,
    /// When the instances were listed last.
    listed: Option<Duration>,
    workers: BTreeMap<String, Member>,
}

/// What the instances are like, as far as the user says.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    pub(crate) hardware: Option<String>,
    pub(crate) image: Option<ImageSelector>,
    /// The provider's identity that workers open the store as.
    pub(crate) identity: Option<String>,
}

impl Machine {
    /// An instance that this program's own executable runs on.
    fn spec(&self, name: InstanceName) -> Result<InstanceSpec> {
        let own = Needs::new(1, 512).with_arch(std::env::consts::ARCH.parse()?);
        let hardware = match &self.hardware {
            Some(name) => Hardware::of_type(name.as_str()),
            None => Hardware::Needs(own),
        };
        let mut spec = InstanceSpec::new(name).with_hardware(hardware);
        if let Some(image) = &self.image {
            spec = spec.with_image(image.clone());
        }
        if let Some(identity) = &self.identity {
            spec = spec.with_identity(identity);
        }
        Ok(spec)
    }
}

struct Member {
    id: InstanceId,
    beat: Option<Revision>,
    heard: Duration,
}

impl Fleet {
    pub(crate) fn new(
        compute: Arc<dyn Compute>,
        clock: Arc<dyn Clock>,
        machine: Machine,
        job: &str,
        patience: Duration,
    ) -> Result<Self> {
        let owner = Owner::new(format!("mapreduce-{job}"))?;
        let (started, listed, workers) = (0, None, BTreeMap::new());
        Ok(Self { compute, clock, machine, owner, patience, started, listed, workers })
    }

    /// Workers that were started, the lost ones among them.
    pub(crate) fn started(&self) -> usize {
        self.started
    }

    /// The name of the nth worker.
    fn name(&self, n: usize) -> String {
        format!("{}-{n}", self.owner)
    }

    /// Whether a worker is there.
    pub(crate) fn has(&self, worker: &str) -> bool {
        self.workers.contains_key(worker)
    }

    /// Starts workers with the user data that `script` makes for the number and name of each.
    pub(crate) async fn start(
        &mut self,
        count: usize,
        script: impl Fn(usize, &str) -> String,
    ) -> Result<()> {
        let specs = (self.started..self.started + count).map(|n| {
            let name = self.name(n);
            let data = script(n, &name);
            Ok(self.machine.spec(InstanceName::new(name)?)?.with_user_data(data))
        });
        let specs: Vec<InstanceSpec> = specs.collect::<Result<_>>()?;
        self.started += count;
        let (compute, owner) = (&self.compute, &self.owner);
        let mut starting = stream::iter(specs)
            .map(|spec| async move {
                let token = IdempotencyToken::new(spec.name.as_str())?;
                let options = CreateOptions::default().with_owner(owner.clone()).with_token(token);
                compute.create(&spec, &options).await
            })
            .buffer_unordered(AT_A_TIME);
        while let Some(instance) = starting.try_next().await? {
            let heard = self.clock.monotonic();
            let member = Member { id: instance.id, beat: None, heard };
            self.workers.insert(instance.name.to_string(), member);
        }
        Ok(())
    }

    /// Takes out the workers whose instance does not run any more or that have not been heard of for
    /// too long, and terminates them.
    pub(crate) async fn lost(&mut self, beats: &BTreeMap<String, Revision>) -> Result<Vec<Loss>> {
        let now = self.clock.monotonic();
        if self.listed.is_some_and(|listed| now.saturating_sub(listed) < LISTING) {
            return Ok(Vec::new());
        }
        let filter = InstanceFilter::default().with_owner(self.owner.clone());
        let instances: Vec<_> = self.compute.list(filter).try_collect().await?;
        self.listed = Some(now);
        let mut lost = Vec::new();
        for (name, member) in &mut self.workers {
            let beat = beats.get(name);
            if member.beat.as_ref() != beat {
                (member.beat, member.heard) = (beat.cloned(), now);
            }
            let silent = now.saturating_sub(member.heard);
            let patience = if member.beat.is_some() { self.patience } else { BOOT };
            let state = instances.iter().find(|i| i.id == member.id).map(|i| i.state());
            let why = match state {
                Some(InstanceState::Pending | InstanceState::Running) if silent < patience => {
                    continue;
                }
                Some(InstanceState::Pending | InstanceState::Running) => {
                    format!("has been silent for {} s", silent.as_secs())
                }
                Some(state) => format!("is {state}"),
                // A provider may show an instance only a while after it was created.
                None if member.beat.is_none() && silent < UNSEEN => continue,
                None => "is gone".into(),
            };
            lost.push((name.clone(), member.id.clone(), why));
        }
        let mut losses = Vec::new();
        for (worker, id, why) in lost {
            self.workers.remove(&worker);
            let why = why + &self.last_words(&id).await;
            self.compute.terminate(&id, &TerminateOptions::default()).await?;
            losses.push(Loss { worker, why });
        }
        Ok(losses)
    }

    /// The last line on the console of an instance, if there is one to be had.
    async fn last_words(&self, id: &InstanceId) -> String {
        let Some(console) = self.compute.console() else { return String::new() };
        let Ok(output) = console.output(id, 0).await else { return String::new() };
        let text = String::from_utf8_lossy(&output.data);
        // The local provider notes its boots there.
        let said = |line: &&str| !line.is_empty() && !line.starts_with("polycloud:");
        let line = text.lines().rev().find(said);
        line.map(|line| format!(", after saying {line:?}")).unwrap_or_default()
    }

    /// Cuts the power of the nth worker.
    pub(crate) async fn kill(&self, n: usize) -> Result<()> {
        if let Some(member) = self.workers.get(&self.name(n)) {
            self.compute.stop(&member.id, StopMode::Force).await?;
        }
        Ok(())
    }

    /// Terminates all instances, waits until they are gone, and looks for those that were being
    /// created when something went wrong.
    pub(crate) async fn end(mut self) -> Result<()> {
        let compute = &self.compute;
        let ids = std::mem::take(&mut self.workers).into_values().map(|member| member.id);
        let ended: Vec<polycloud::Result<()>> = stream::iter(ids)
            .map(|id| async move {
                compute.terminate(&id, &TerminateOptions::default()).await?;
                let wait = WaitOptions::default();
                compute.wait_until(&id, InstanceState::Terminated, &wait).await.map(drop)
            })
            .buffer_unordered(AT_A_TIME)
            .collect()
            .await;
        if let Some(sweep) = self.compute.sweep() {
            let report = sweep.sweep(&SweepOptions::new(self.owner)).await?;
            if let Some((resource, error)) = report.failed.into_iter().next() {
                return Err(error.with_leaked([resource]).into());
            }
        }
        Ok(ended.into_iter().collect::<polycloud::Result<()>>()?)
    }
}
