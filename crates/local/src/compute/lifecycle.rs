//! Requests that change an instance's phase, and what a look at an instance sets right.

use std::sync::Arc;

use polycloud_core::compute::{LabelPatch, RestartMode, StateReason, StopMode, TerminateOptions};
use polycloud_core::{Error, ErrorKind, Result};

use super::drive::Pledge;
use super::journal::{InstanceDir, Phase, Record, invalid_state};
use super::{Inner, not_found, types};

/// Whether a request changed the phase, so that the instance has to be driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Made,
    Unneeded,
}

impl Inner {
    /// Reads an instance and sets right what happened behind the journal's back: a machine that went
    /// down, a request whose process died. `None` if there is no such instance.
    pub(super) fn observe(self: &Arc<Self>, dir: &InstanceDir) -> Result<Option<Record>> {
        let Some(mut record) = dir.read()? else { return Ok(None) };
        if self.is_down(&record) {
            let fallen = dir.update(|now| {
                if self.is_down(now) {
                    let same_boot =
                        now.runner.as_ref().is_some_and(|r| r.host_boot == self.host_boot);
                    let reason =
                        if same_boot { StateReason::GuestShutdown } else { StateReason::HostError };
                    now.enter(Phase::Stopping { force: true }, Some(reason));
                }
                Ok(now.clone())
            })?;
            let Some(fallen) = fallen else { return Ok(None) };
            record = fallen;
        }
        if record.phase.state().is_transitional()
            && !self.is_driving(dir.id())
            && dir.has_no_worker()?
        {
            let _nobody_asked_for_it_now = self.drive(dir);
        }
        Ok(Some(record))
    }

    /// Whether the journal says that it is up, but its runner is gone.
    fn is_down(&self, record: &Record) -> bool {
        let alive = || record.runner.as_ref().is_some_and(|r| r.is_alive(&self.host_boot));
        record.phase.needs_runner() && !alive()
    }

    /// Makes a change to the journal, then drives the instance if its phase has changed.
    fn request(
        self: &Arc<Self>,
        dir: &InstanceDir,
        change: impl FnOnce(&mut Record) -> Result<Change>,
    ) -> Result<Pledge> {
        self.observe(dir)?.ok_or_else(not_found)?;
        Ok(match dir.update(change)?.ok_or_else(not_found)? {
            Change::Made => self.drive(dir),
            Change::Unneeded => Pledge::default(),
        })
    }

    pub(super) fn start(self: &Arc<Self>, dir: &InstanceDir) -> Result<Pledge> {
        self.request(dir, |record| match record.phase {
            Phase::Running
            | Phase::Provisioning
            | Phase::Starting
            | Phase::Restarting { .. }
            | Phase::Resuming => Ok(Change::Unneeded),
            Phase::Stopped => {
                record.enter_boot(Phase::Starting);
                Ok(Change::Made)
            }
            Phase::Suspended => {
                record.enter(Phase::Resuming, None);
                Ok(Change::Made)
            }
            Phase::Stopping { .. } | Phase::Suspending | Phase::Terminating | Phase::Failed => {
                Err(invalid_state(record, "started"))
            }
        })
    }

    pub(super) fn stop(self: &Arc<Self>, dir: &InstanceDir, mode: StopMode) -> Result<Pledge> {
        let phase = match mode {
            StopMode::Deallocate => Phase::Stopping { force: false },
            StopMode::Force => Phase::Stopping { force: true },
            StopMode::Suspend => Phase::Suspending,
            _ => {
                return Err(Error::new(ErrorKind::Unsupported).with_message("this way of stopping"));
            }
        };
        self.request(dir, |record| match (record.phase, mode) {
            (Phase::Stopping { force: false }, StopMode::Force) => {
                record.enter(phase, record.reason.clone());
                Ok(Change::Made)
            }
            (Phase::Stopped | Phase::Stopping { .. }, _)
            | (Phase::Suspending, StopMode::Suspend) => Ok(Change::Unneeded),
            (Phase::Running, _) => {
                record.enter(phase, Some(StateReason::UserRequest));
                Ok(Change::Made)
            }
            _ => Err(invalid_state(record, "stopped")),
        })
    }

    pub(super) fn restart(
        self: &Arc<Self>,
        dir: &InstanceDir,
        mode: RestartMode,
    ) -> Result<Pledge> {
        self.request(dir, |record| {
            if record.phase != Phase::Running {
                return Err(invalid_state(record, "restarted"));
            }
            record.enter(Phase::Restarting { force: mode == RestartMode::Force }, None);
            Ok(Change::Made)
        })
    }

    /// Terminating what is not there succeeds.
    pub(super) fn terminate(
        self: &Arc<Self>,
        dir: &InstanceDir,
        options: &TerminateOptions,
    ) -> Result<Pledge> {
        let TerminateOptions { only_owner, .. } = options;
        let changed = dir.update(|record| {
            if only_owner.is_some() && record.owner != *only_owner {
                return Err(Error::new(ErrorKind::PermissionDenied)
                    .with_message("the instance belongs to another owner"));
            }
            if record.phase != Phase::Terminating {
                record.enter(Phase::Terminating, Some(StateReason::UserRequest));
            }
            Ok(())
        })?;
        Ok(changed.map_or_else(Pledge::default, |()| self.drive(dir)))
    }

    pub(super) fn set_labels(
        self: &Arc<Self>,
        dir: &InstanceDir,
        patch: &LabelPatch,
    ) -> Result<()> {
        dir.update(|record| {
            if record.phase == Phase::Terminating {
                return Err(invalid_state(record, "labelled"));
            }
            record.labels.apply(patch);
            self.check_labels(&record.labels)
        })?
        .ok_or_else(not_found)
    }

    pub(super) fn resize(
        self: &Arc<Self>,
        dir: &InstanceDir,
        hardware: &polycloud_core::compute::Hardware,
    ) -> Result<()> {
        let kind = types::resolve(hardware)?;
        self.observe(dir)?.ok_or_else(not_found)?;
        dir.update(|record| {
            if record.phase != Phase::Stopped {
                return Err(invalid_state(record, "resized"));
            }
            record.instance_type = kind.name;
            Ok(())
        })?
        .ok_or_else(not_found)
    }
}
