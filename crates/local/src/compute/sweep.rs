//! Finding and removing what a killed caller left behind.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use polycloud_core::compute::{Sweep, SweepOptions, SweepReport};
use polycloud_core::{ResourceRef, Result};
use rustix::process::Signal;

use super::boot::OWNER;
use super::error::failed;
use super::journal::InstanceDir;
use super::{Handle, Inner, ids, process};

#[async_trait]
impl Sweep for Handle {
    async fn sweep(&self, options: &SweepOptions) -> Result<SweepReport> {
        let owned = options.clone();
        self.at("sweep", &options.owner, &[], move |inner| inner.sweep(&owned)).await
    }
}

impl Inner {
    fn sweep(self: &Arc<Self>, options: &SweepOptions) -> Result<SweepReport> {
        let mut report = SweepReport::default();
        report.at = Some(self.clock.now());
        self.sweep_instances(options, &mut report)?;
        self.sweep_processes(options, &mut report)?;
        self.sweep_unfinished(options, &mut report)?;
        Ok(report)
    }

    fn sweep_instances(&self, options: &SweepOptions, report: &mut SweepReport) -> Result<()> {
        let now = self.clock.now();
        for record in self.records()? {
            let age = now.duration_since(record.created).unwrap_or(Duration::ZERO);
            if record.owner.as_ref() != Some(&options.owner) || age < options.older_than {
                continue;
            }
            let found = ResourceRef::new("instance", ids::instance_id(&record.id)?.to_string());
            report.found.push(found.clone());
            if options.dry_run {
                continue;
            }
            let dir = InstanceDir::new(&self.instances(), &record.id);
            match self.terminate_and_wait(&dir) {
                Ok(()) => report.removed.push(found),
                Err(error) => report.failed.push((found, error)),
            }
        }
        Ok(())
    }

    /// Processes whose instance's directory was removed by hand.
    fn sweep_processes(&self, options: &SweepOptions, report: &mut SweepReport) -> Result<()> {
        let orphans = process::orphans(&self.instances())
            .map_err(|error| failed("cannot read the process table", error))?;
        for (orphan, _) in orphans {
            if process::variable(orphan.pid, OWNER).as_deref() != Some(options.owner.as_str()) {
                continue;
            }
            let found = ResourceRef::new("process", orphan.pid.to_string());
            report.found.push(found.clone());
            if options.dry_run {
                continue;
            }
            match process::send(&orphan, Signal::KILL) {
                Ok(()) => report.removed.push(found),
                Err(error) => report.failed.push((found, failed("cannot kill it", error))),
            }
        }
        Ok(())
    }

    /// Directories that hold nothing yet or nothing any more. They have no journal, and so no owner.
    fn sweep_unfinished(&self, options: &SweepOptions, report: &mut SweepReport) -> Result<()> {
        let _lock = self.lock_root()?;
        let name = |dir: &InstanceDir| ResourceRef::new("unfinished directory", dir.id());
        if options.dry_run {
            report.found.extend(self.unfinished()?.iter().map(name));
            return Ok(());
        }
        let removed = self.remove_unfinished()?;
        report.found.extend(removed.iter().map(name));
        report.removed.extend(removed.iter().map(name));
        self.remove_unfinished_images()
    }
}
