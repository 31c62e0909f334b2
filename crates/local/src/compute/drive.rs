//! Bringing instances from one phase to the next.
//!
//! Whoever drives an instance holds its worker lock and works on a thread of its own, so that a runtime
//! that shuts down waits for it. It reads the journal again and again: a request that comes while it
//! works, from whichever process, changes the phase, and the driver drops what it does and turns to that.
//! If it dies, the lock is free, and the next look at the instance makes another driver, which finds
//! everything it needs in the journal.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use polycloud_core::clock::{Clock, SystemClock};
use polycloud_core::compute::StateReason;
use polycloud_core::{Error, ErrorKind, Result};
use rustix::process::Signal;
use tokio::sync::oneshot;

use super::error::failed;
use super::journal::{InstanceDir, Phase, Record};
use super::process::{Members, Runner, Stat};
use super::{Inner, boot, image, tree};

/// How long killed processes may take to end before the driver gives up until the next look.
const KILL_TIME: Duration = Duration::from_secs(30);

/// How long a runner may take from "go" to its first step.
const BEGIN_TIME: Duration = Duration::from_secs(30);

/// What one step of a driver came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There may be more to do.
    Done,
    /// A request changed the phase meanwhile.
    Overtaken,
}

/// Takes an instance off the list of those that are driven if the driver is dropped before its end: by a
/// runtime that shuts down before it could run.
struct Driver {
    inner: Arc<Inner>,
    dir: InstanceDir,
    begins: Option<oneshot::Sender<()>>,
    ended: bool,
}

/// That drivers have been sent for. A request returns once they have begun: a runtime that shuts down
/// waits for those, but drops what is still in its queue.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Pledge(Vec<oneshot::Receiver<()>>);

impl Pledge {
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Waits until the drivers have begun.
    pub(super) async fn kept(self) {
        for begun in self.0 {
            let _or_the_runtime_shuts_down = begun.await;
        }
    }
}

impl Driver {
    fn run(mut self) {
        if let Some(begins) = self.begins.take() {
            let _nobody_has_to_wait = begins.send(());
        }
        while !self.ended {
            let Self { inner, dir, .. } = &self;
            if let Err(error) = inner.drive_now(dir) {
                let error = reason_of(&error);
                tracing::warn!(instance = dir.id(), ?error, "cannot change the instance's state");
                inner.note(dir, error);
            }
            self.ended = inner.end_driving(dir.id());
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.ended {
            self.inner.lock_driving().remove(self.dir.id());
        }
    }
}

impl Inner {
    fn lock_driving(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.driving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_driving(&self, id: &str) -> bool {
        self.lock_driving().contains_key(id)
    }

    /// Makes sure that somebody works on the instance's phase from now on.
    pub(super) fn drive(self: &Arc<Self>, dir: &InstanceDir) -> Pledge {
        let mut driving = self.lock_driving();
        if let Some(again) = driving.get_mut(dir.id()) {
            *again = true;
            return Pledge::default();
        }
        driving.insert(dir.id().to_owned(), false);
        drop(driving);
        let (begins, begun) = oneshot::channel();
        let (inner, dir) = (Arc::clone(self), dir.clone());
        let driver = Driver { inner, dir, begins: Some(begins), ended: false };
        drop(tokio::task::spawn_blocking(move || driver.run()));
        Pledge(vec![begun])
    }

    /// Takes an instance off the list of those that are driven, unless it was asked for meanwhile.
    fn end_driving(&self, id: &str) -> bool {
        let mut driving = self.lock_driving();
        if let Some(again) = driving.get_mut(id)
            && *again
        {
            *again = false;
            return false;
        }
        driving.remove(id);
        true
    }

    /// Works on the instance's phase until there is nothing left to do.
    pub(super) fn drive_now(&self, dir: &InstanceDir) -> Result<()> {
        let Some(_lock) = dir.lock_worker()? else { return Ok(()) };
        while let Some(record) = dir.read()? {
            match record.phase {
                Phase::Provisioning | Phase::Starting => self.boot(dir, &record)?,
                Phase::Restarting { force } => self.shut_down(dir, &record, force)?,
                Phase::Stopping { force } => self.shut_down(dir, &record, force)?,
                Phase::Suspending => self.suspend(dir, &record)?,
                Phase::Resuming => self.resume(dir, &record)?,
                Phase::Terminating => self.terminate_now(dir, &record)?,
                Phase::Running | Phase::Stopped | Phase::Suspended | Phase::Failed => break,
            };
        }
        Ok(())
    }

    /// Lets the status tell why an instance is stuck.
    fn note(&self, dir: &InstanceDir, reason: StateReason) {
        let _the_failure_is_logged = dir.update(|record| {
            if record.phase.state().is_transitional() {
                record.reason = Some(reason);
            }
            Ok(())
        });
    }

    /// Enters a phase, unless a request has changed it since `seen` was read.
    fn advance(
        &self,
        dir: &InstanceDir,
        seen: &Record,
        change: impl FnOnce(&mut Record),
    ) -> Result<Step> {
        let advance = |now: &mut Record| {
            if now.revision != seen.revision {
                return Ok(Step::Overtaken);
            }
            change(now);
            Ok(Step::Done)
        };
        Ok(dir.update(advance)?.unwrap_or(Step::Overtaken))
    }

    fn is_overtaken(&self, dir: &InstanceDir, seen: &Record) -> Result<bool> {
        Ok(dir.read()?.is_none_or(|now| now.revision != seen.revision))
    }

    fn boot(&self, dir: &InstanceDir, record: &Record) -> Result<Step> {
        match self.try_boot(dir, record) {
            Ok(step) => Ok(step),
            Err(error) => {
                let phase = match record.phase {
                    Phase::Provisioning => {
                        self.end_processes(dir, record, true)?;
                        Phase::Failed
                    }
                    _ => Phase::Stopping { force: true },
                };
                self.advance(dir, record, |now| now.enter(phase, Some(reason_of(&error))))
            }
        }
    }

    fn try_boot(&self, dir: &InstanceDir, record: &Record) -> Result<Step> {
        if let Some(runner) = &record.runner {
            // An earlier driver died after it had started this one. It ends by itself if it was not
            // told to go.
            if self.has_begun(dir, record, runner) {
                return self.advance(dir, record, |now| now.enter(Phase::Running, None));
            }
        }
        self.make_disk(dir, record)?;
        let launched = boot::launch(dir, record, &self.environment, &self.host_boot)?;
        let runner = launched.runner.clone();
        let journal = |now: &mut Record| {
            let current = now.revision == record.revision;
            if current {
                now.runner = Some(runner);
            }
            Ok(current)
        };
        if !dir.update_fast(journal)?.unwrap_or(false) {
            return Ok(Step::Overtaken);
        }
        let runner = launched.runner.clone();
        launched.go()?;
        if !self.has_begun(dir, record, &runner) {
            return Err(Error::new(ErrorKind::Internal)
                .with_message("the instance's runner ended before it booted"));
        }
        self.advance(dir, record, |now| now.enter(Phase::Running, None))
    }

    /// Waits until a runner takes its first step. Whether it does.
    fn has_begun(&self, dir: &InstanceDir, record: &Record, runner: &Runner) -> bool {
        let mut wait = Wait::new(BEGIN_TIME);
        loop {
            // In this order: one that begins and ends at once has begun.
            let alive = runner.is_alive(&self.host_boot);
            if dir.begun_boot() == Some(record.boots) {
                return true;
            }
            if !alive || !wait.pause() {
                return false;
            }
        }
    }

    /// Makes the disk of an instance that has none. One that is there is complete.
    fn make_disk(&self, dir: &InstanceDir, record: &Record) -> Result<()> {
        if dir.disk().exists() {
            return Ok(());
        }
        let source = image::source(&self.images(), &record.image)?;
        let unfinished = dir.unfinished_disk();
        let make = || -> io::Result<()> {
            tree::remove(&unfinished)?;
            fs::create_dir(&unfinished)?;
            image::unpack(&source, &unfinished)?;
            fs::rename(&unfinished, dir.disk())
        };
        make().map_err(|error| failed("cannot unpack the image", error))
    }

    /// Ends all processes, then leaves the instance stopped or boots it again.
    fn shut_down(&self, dir: &InstanceDir, record: &Record, force: bool) -> Result<Step> {
        if self.end_processes(dir, record, force)? == Step::Overtaken {
            return Ok(Step::Overtaken);
        }
        self.advance(dir, record, |now| {
            if matches!(now.phase, Phase::Restarting { .. }) {
                now.enter_boot(Phase::Starting);
            } else {
                now.enter(Phase::Stopped, now.reason.clone());
                now.runner = None;
            }
        })
    }

    fn end_processes(&self, dir: &InstanceDir, record: &Record, force: bool) -> Result<Step> {
        let members = || {
            Members::find(dir.path(), record.runner.as_ref(), &self.host_boot)
                .map_err(|error| failed("cannot find the instance's processes", error))
        };
        let signal = |members: &Members, signal| {
            members
                .signal(signal)
                .map_err(|error| failed("cannot signal the instance's processes", error))
        };
        if !force {
            let found = members()?;
            signal(&found, Signal::TERM)?;
            let mut wait = Wait::new(self.grace);
            while found.linger() && wait.pause() {
                if self.is_overtaken(dir, record)? {
                    return Ok(Step::Overtaken);
                }
            }
        }
        let mut wait = Wait::new(KILL_TIME);
        loop {
            let found = members()?;
            if found.processes.is_empty() {
                return Ok(Step::Done);
            }
            signal(&found, Signal::KILL)?;
            let mut in_time = wait.pause();
            while in_time && found.linger() {
                in_time = wait.pause();
            }
            if !in_time {
                let ids: Vec<_> = found.processes.iter().map(|stat| stat.pid).collect();
                return Err(Error::new(ErrorKind::Unavailable)
                    .with_message(format!("processes {ids:?} do not end")));
            }
        }
    }

    fn suspend(&self, dir: &InstanceDir, record: &Record) -> Result<Step> {
        let mut wait = Wait::new(KILL_TIME);
        let mut signalled = HashSet::new();
        loop {
            let found = Members::find(dir.path(), record.runner.as_ref(), &self.host_boot)
                .map_err(|error| failed("cannot find the instance's processes", error))?;
            let is_done = |stat: &Stat| signalled.contains(&stat.identity()) && stat.is_stopped();
            if found.processes.iter().all(is_done) {
                break;
            }
            found
                .signal(Signal::STOP)
                .map_err(|error| failed("cannot suspend the instance's processes", error))?;
            signalled.extend(found.processes.iter().map(Stat::identity));
            if self.is_overtaken(dir, record)? {
                return Ok(Step::Overtaken);
            }
            if !wait.pause() {
                return Err(Error::new(ErrorKind::Unavailable)
                    .with_message("the instance's processes do not stop"));
            }
        }
        self.advance(dir, record, |now| now.enter(Phase::Suspended, now.reason.clone()))
    }

    fn resume(&self, dir: &InstanceDir, record: &Record) -> Result<Step> {
        Members::find(dir.path(), record.runner.as_ref(), &self.host_boot)
            .and_then(|found| found.signal(Signal::CONT))
            .map_err(|error| failed("cannot continue the instance's processes", error))?;
        self.advance(dir, record, |now| now.enter(Phase::Running, None))
    }

    fn terminate_now(&self, dir: &InstanceDir, record: &Record) -> Result<Step> {
        self.end_processes(dir, record, true)?;
        dir.remove()?;
        Ok(Step::Done)
    }

    /// Terminates an instance and returns when it is gone.
    pub(super) fn terminate_and_wait(&self, dir: &InstanceDir) -> Result<()> {
        let enter = |record: &mut Record| {
            if record.phase != Phase::Terminating {
                record.enter(Phase::Terminating, Some(StateReason::UserRequest));
            }
            Ok(())
        };
        if dir.update(enter)?.is_some() {
            self.drive_now(dir)?;
        }
        match dir.read()? {
            None => Ok(()),
            Some(_) => Err(Error::new(ErrorKind::Internal).with_message("it is still there")),
        }
    }
}

/// An error as the reason of a state.
fn reason_of(error: &Error) -> StateReason {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    StateReason::Other { code: format!("{:?}", error.kind()), message }
}

/// Pauses that grow, up to an end.
struct Wait {
    clock: SystemClock,
    end: Duration,
    next: Duration,
}

impl Wait {
    fn new(time: Duration) -> Self {
        let clock = SystemClock::new();
        Self { clock, end: clock.monotonic() + time, next: Duration::from_millis(1) }
    }

    /// Pauses, or tells by `false` that the time is up.
    #[allow(
        clippy::disallowed_methods,
        reason = "a driver waits for real processes, on a thread of its own, also while the runtime \
                  and its timers shut down"
    )]
    fn pause(&mut self) -> bool {
        let left = self.end.saturating_sub(self.clock.monotonic());
        std::thread::sleep(self.next.min(left));
        self.next = (self.next * 2).min(Duration::from_millis(50));
        !left.is_zero()
    }
}
