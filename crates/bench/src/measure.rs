//! What a process used: processor time, wall time and memory.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};

/// What a call cost. Times are in microseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Processor time in user mode.
    pub(crate) user_us: f64,
    /// Processor time in kernel mode.
    pub(crate) sys_us: f64,
    /// Processor time in user and in kernel mode.
    pub(crate) cpu_us: f64,
    /// Elapsed time: that of all calls, whichever task made them, divided by their number.
    pub(crate) wall_us: f64,
    /// The most memory that the process held while it measured, in MiB.
    pub(crate) peak_mib: f64,
    /// How many calls were measured.
    pub(crate) calls: u64,
}

/// A start from which usage is counted.
#[derive(Debug)]
pub(crate) struct Start {
    user: Duration,
    system: Duration,
    wall: Instant,
}

impl Start {
    /// Starts to count, and forgets the memory peak of the set-up.
    pub(crate) fn now() -> anyhow::Result<Self> {
        fs::write("/proc/self/clear_refs", "5").context("cannot reset the memory peak")?;
        let (user, system) = processor_time()?;
        Ok(Self { user, system, wall: clock() })
    }

    /// Elapsed time.
    pub(crate) fn elapsed(&self) -> Duration {
        clock().duration_since(self.wall)
    }

    /// What was used since, per call.
    pub(crate) fn per_call(&self, calls: u64) -> anyhow::Result<Measured> {
        let wall = self.elapsed();
        let (user, system) = processor_time()?;
        let (user, system) = (user.saturating_sub(self.user), system.saturating_sub(self.system));
        let each = |time: Duration| time.as_secs_f64() * 1e6 / calls as f64;
        Ok(Measured {
            user_us: each(user),
            sys_us: each(system),
            cpu_us: each(user + system),
            wall_us: each(wall),
            peak_mib: peak_mib()?,
            calls,
        })
    }
}

#[allow(clippy::disallowed_methods, reason = "elapsed time is what is measured here")]
fn clock() -> Instant {
    Instant::now()
}

fn processor_time() -> anyhow::Result<(Duration, Duration)> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok((duration(usage.user_time())?, duration(usage.system_time())?))
}

fn duration(time: TimeVal) -> anyhow::Result<Duration> {
    let seconds = u64::try_from(time.tv_sec())?;
    Ok(Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec())?))
}

fn peak_mib() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no VmHWM")?;
    Ok(kib.trim().parse::<f64>()? / 1024.0)
}
