//! The instances of one case: made, waited for, and removed however the case ends.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures::TryStreamExt;
use polycloud_core::Result;
use polycloud_core::clock::Clock;
use polycloud_core::compute::{
    Compute, ComputeExt, Console, Count, CreateOptions, CreateReport, Instance, InstanceFilter,
    InstanceId, InstanceName, InstanceSpec, InstanceState, Owner, StopMode, TerminateOptions,
    WaitOptions,
};

use crate::case::{CaseResult, Context, Failure, Short, ensure, ensure_eq};

/// What a case about instances works with.
#[derive(Clone)]
pub(crate) struct Lab {
    pub(crate) compute: Arc<dyn Compute>,
    clock: Arc<dyn Clock>,
    wait: WaitOptions,
    /// What the names of all instances of the case begin with.
    prefix: String,
    made: Arc<Mutex<Vec<InstanceId>>>,
}

impl Lab {
    /// No instances yet. Those that are made with it, and all others whose name begins as it says, are
    /// terminated once the case has ended.
    pub(crate) fn new(context: &Context) -> Result<Self, Failure> {
        let lab = Self {
            compute: context.compute()?,
            clock: context.clock(),
            wait: context.wait(),
            prefix: context.unique("t"),
            made: Arc::default(),
        };
        let own = lab.clone();
        context.defer(async move { own.clear().await });
        Ok(lab)
    }

    /// How to wait for instances.
    pub(crate) fn wait(&self) -> &WaitOptions {
        &self.wait
    }

    /// A name of up to 15 characters and those of the suffix, which no other case uses.
    pub(crate) fn name(&self, suffix: &str) -> Result<InstanceName, Failure> {
        Ok(InstanceName::new(format!("{}-{suffix}", self.prefix))?)
    }

    /// An instance with defaults for everything but its name.
    pub(crate) fn spec(&self, suffix: &str) -> Result<InstanceSpec, Failure> {
        Ok(InstanceSpec::new(self.name(suffix)?))
    }

    /// An instance that runs shell commands when it boots.
    pub(crate) fn script(&self, suffix: &str, commands: &str) -> Result<InstanceSpec, Failure> {
        Ok(self.spec(suffix)?.with_user_data(format!("#!/bin/sh\n{commands}\n")))
    }

    /// An owner that no other case uses.
    pub(crate) fn owner(&self) -> Result<Owner, Failure> {
        Ok(Owner::new(self.prefix.as_str())?)
    }

    /// Options that name the owner of this case.
    pub(crate) fn owned(&self) -> Result<CreateOptions, Failure> {
        Ok(CreateOptions::default().with_owner(self.owner()?))
    }

    fn note<'a>(&self, instances: impl IntoIterator<Item = &'a Instance>) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.extend(instances.into_iter().map(|instance| instance.id.clone()));
    }

    /// Creates an instance that the case cleans up.
    pub(crate) async fn create(
        &self,
        spec: &InstanceSpec,
        options: &CreateOptions,
    ) -> Result<Instance> {
        let result = self.compute.create(spec, options).await;
        self.note(&result);
        result
    }

    /// Creates instances that the case cleans up.
    pub(crate) async fn create_many(
        &self,
        spec: &InstanceSpec,
        count: Count,
        options: &CreateOptions,
    ) -> Result<CreateReport> {
        let result = self.compute.create_many(spec, count, options).await;
        self.note(result.iter().flat_map(|report| &report.instances));
        result
    }

    /// Creates an instance and does not wait for it.
    pub(crate) async fn make(&self, spec: &InstanceSpec) -> Result<Instance, Failure> {
        Ok(self.create(spec, &CreateOptions::default()).await?)
    }

    /// Creates an instance and waits until it runs.
    pub(crate) async fn run(&self, spec: &InstanceSpec) -> Result<Instance, Failure> {
        let id = self.make(spec).await?.id;
        self.reach(&id, InstanceState::Running).await
    }

    /// Creates an instance with defaults for everything and waits until it runs.
    pub(crate) async fn run_bare(&self, suffix: &str) -> Result<Instance, Failure> {
        self.run(&self.spec(suffix)?).await
    }

    /// Creates an instance, waits until it runs, stops it, and waits until it is stopped.
    pub(crate) async fn run_and_stop(&self, suffix: &str) -> Result<Instance, Failure> {
        let id = self.run_bare(suffix).await?.id;
        self.stop(&id).await
    }

    /// Stops an instance and waits until it is stopped.
    pub(crate) async fn stop(&self, id: &InstanceId) -> Result<Instance, Failure> {
        self.compute.stop(id, StopMode::Deallocate).await?;
        self.reach(id, InstanceState::Stopped).await
    }

    /// Waits until an instance is in a state other than `Terminated`.
    pub(crate) async fn reach(
        &self,
        id: &InstanceId,
        state: InstanceState,
    ) -> Result<Instance, Failure> {
        let instance = self.compute.wait_until(id, state, &self.wait).await?;
        let instance =
            instance.ok_or_else(|| Failure::new(format!("waited for {state}, but it is gone")))?;
        ensure_eq!(instance.id, *id, "the instance that was waited for");
        ensure_eq!(instance.state(), state, "the state that was waited for");
        Ok(instance)
    }

    /// Waits until an instance is terminated.
    pub(crate) async fn gone(&self, id: &InstanceId) -> CaseResult {
        self.compute.wait_until(id, InstanceState::Terminated, &self.wait).await?;
        Ok(())
    }

    /// Terminates an instance and waits until it is gone.
    pub(crate) async fn terminate(&self, id: &InstanceId) -> CaseResult {
        self.compute.terminate(id, &TerminateOptions::default()).await?;
        self.gone(id).await
    }

    /// Lists instances, of which only those of this case are of interest.
    pub(crate) async fn list(&self, filter: InstanceFilter) -> Result<Vec<Instance>, Failure> {
        let all: Vec<_> = self.compute.list(filter).try_collect().await?;
        Ok(all.into_iter().filter(|instance| self.is_own(instance)).collect())
    }

    /// The suffixes of the names of the instances that a filter finds, ordered.
    pub(crate) async fn listed(&self, filter: InstanceFilter) -> Result<Vec<String>, Failure> {
        let instances = self.list(filter).await?;
        let mut names: Vec<_> = instances.iter().map(|instance| self.suffix(instance)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The name of an instance without what all names of this case begin with.
    pub(crate) fn suffix(&self, instance: &Instance) -> String {
        let name = instance.name.as_str();
        let suffix = name.strip_prefix(&self.prefix).and_then(|rest| rest.strip_prefix('-'));
        suffix.unwrap_or(name).to_owned()
    }

    /// Whether an instance belongs to this case.
    pub(crate) fn is_own(&self, instance: &Instance) -> bool {
        instance.name.as_str().starts_with(&self.prefix)
    }

    /// An id that the provider could have given out, but has not.
    pub(crate) async fn unknown(&self) -> Result<InstanceId, Failure> {
        let real = self.make(&self.spec("real")?).await?.id;
        let mut native = real.native().to_owned();
        let last = native.pop();
        native.push(if last == Some('0') { '1' } else { '0' });
        Ok(InstanceId::new(real.provider(), real.scope(), native)?)
    }

    /// Looks again and again until something is there.
    pub(crate) async fn eventually<T, F>(
        &self,
        what: &str,
        mut look: impl FnMut() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<Option<T>, Failure>>,
    {
        let start = self.clock.monotonic();
        for n in 0.. {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            if self.clock.monotonic().saturating_sub(start) >= self.wait.timeout {
                break;
            }
            self.clock.sleep(self.wait.backoff.bound(n)).await;
        }
        Err(Failure::new(format!("never happened within {:?}: {what}", self.wait.timeout)))
    }

    /// The console of the backend.
    pub(crate) fn console(&self) -> Result<&dyn Console, Failure> {
        self.compute.console().ok_or_else(|| Failure::new("the console is declared but not there"))
    }

    /// Everything that an instance has written to its console and that is still kept.
    pub(crate) async fn console_text(&self, id: &InstanceId) -> Result<String, Failure> {
        let (console, mut text, mut from) = (self.console()?, Vec::new(), 0);
        loop {
            let piece = console.output(id, from).await?;
            if piece.data.is_empty() {
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            let gets_on = piece.start >= from && piece.next > from;
            ensure!(gets_on, "from {from} on, it reads {} to {}", piece.start, piece.next);
            text.extend_from_slice(&piece.data);
            from = piece.next;
        }
    }

    /// Waits until the console shows a text, and returns all of it.
    pub(crate) async fn console_with(
        &self,
        id: &InstanceId,
        text: &str,
    ) -> Result<String, Failure> {
        let seen = Mutex::new(String::new());
        let look = || async {
            let console = self.console_text(id).await?;
            let found = console.contains(text).then(|| console.clone());
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = console;
            Ok(found)
        };
        let result = self.eventually(&format!("the console shows {text:?}"), look).await;
        result.map_err(|failure| {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            failure.context(format_args!("it shows {:?}", Short(&*seen)))
        })
    }

    async fn clear(self) -> CaseResult {
        let mut ids =
            std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        let listed = self.list(InstanceFilter::default()).await;
        ids.extend(listed.iter().flatten().map(|instance| instance.id.clone()));
        ids.sort_unstable();
        ids.dedup();
        let mut result = listed.map(drop);
        for id in &ids {
            let terminated = self.compute.terminate(id, &TerminateOptions::default()).await;
            result = result.and_then(|()| Ok(terminated?));
        }
        for id in &ids {
            result = result.and(self.gone(id).await);
        }
        result
    }
}
