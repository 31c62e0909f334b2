//! The processes of an instance: finding them, and sending them signals.
//!
//! A process belongs to an instance if it is in the process group of its runner, or if its environment
//! names the instance's directory, which everything that the runner starts inherits. So daemons that
//! leave the group are found too. A process is known by its id and the time it started, and so never
//! confused with a later one of the same id.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

/// The variable that marks the processes of an instance. Its value is the instance's directory.
pub(super) const MARK: &str = "POLYCLOUD_INSTANCE_DIR";

/// The first process of an instance, as its journal names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Runner {
    pub(super) pid: i32,
    /// Its process group, which the processes that it starts share.
    pub(super) group: i32,
    /// When it started, in clock ticks since the host's boot.
    pub(super) started: u64,
    /// The boot of the host that it belongs to.
    pub(super) host_boot: String,
}

impl Runner {
    /// Whether it still runs. `host_boot` is the host's current boot.
    pub(super) fn is_alive(&self, host_boot: &str) -> bool {
        self.host_boot == host_boot
            && stat(self.pid).is_some_and(|stat| stat.started == self.started && !stat.is_dead())
    }
}

/// A process as the kernel describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: i32,
    pub(super) group: i32,
    pub(super) started: u64,
    state: u8,
}

impl Stat {
    /// What tells it from every other process of this boot of the host.
    pub(super) fn identity(&self) -> (i32, u64) {
        (self.pid, self.started)
    }

    /// Whether it has ended and only waits to be collected by its parent.
    fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Whether it does nothing once it has got the signal to stop. One that the kernel holds, such as a
    /// parent of a process that was stopped between its fork and its exec, stops when it is let go.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't' | b'D')
    }
}

/// Reads one process; `None` if there is none of that id.
pub(super) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(pid: i32, line: &str) -> Option<Stat> {
    // The second field is the program's name in parentheses; it may hold spaces and parentheses.
    let (_, rest) = line.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let group = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(16)?.parse().ok()?;
    Some(Stat { pid, group, started, state })
}

/// Tells one boot of the host from another.
pub(super) fn host_boot() -> io::Result<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    // Without the process table instances could not be told from other programs.
    fs::metadata("/proc/self/stat")?;
    Ok(id.trim().to_owned())
}

/// All processes that have not ended.
fn all() -> io::Result<Vec<Stat>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
            all.extend(stat(pid).filter(|stat| !stat.is_dead()));
        }
    }
    Ok(all)
}

/// The mark of a process, if it has one. Processes of other users show none.
fn mark(pid: i32) -> Option<PathBuf> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut values = environment.split(|byte| *byte == 0).filter_map(|variable| {
        variable.strip_prefix(MARK.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
    });
    values.next().map(|value| PathBuf::from(OsStr::from_bytes(value)))
}

/// The processes of one instance at one moment.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// The group, if at least one of them is in it.
    group: Option<i32>,
    pub(super) processes: Vec<Stat>,
}

impl Members {
    /// Finds the processes of the instance with this directory and runner.
    pub(super) fn find(dir: &Path, runner: Option<&Runner>, host_boot: &str) -> io::Result<Self> {
        let runner = runner.filter(|runner| runner.host_boot == host_boot);
        let all = all()?;
        // What is older than the runner cannot come from it, and need not be looked into.
        let oldest = runner.map_or(0, |runner| runner.started);
        let is_marked =
            |stat: &Stat| stat.started >= oldest && mark(stat.pid).is_some_and(|mark| mark == dir);
        let marked: Vec<_> = all.iter().copied().filter(is_marked).collect();
        let group = runner.map(|runner| runner.group).filter(|group| {
            let is_runner = |stat: &Stat| {
                runner.is_some_and(|r| r.pid == stat.pid && r.started == stat.started)
            };
            marked.iter().any(|stat| stat.group == *group) || all.iter().any(is_runner)
        });
        let in_group = |stat: &&Stat| Some(stat.group) == group && !marked.contains(stat);
        let others = all.iter().filter(in_group).copied();
        Ok(Self { group, processes: marked.iter().copied().chain(others).collect() })
    }

    /// Whether one of them has not ended yet. Does not look for others, and so costs little.
    pub(super) fn linger(&self) -> bool {
        self.processes.iter().any(|process| {
            stat(process.pid).is_some_and(|now| now.started == process.started && !now.is_dead())
        })
    }

    /// Sends a signal to all of them. Those that have ended meanwhile are passed over.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        if let Some(group) = self.group.and_then(Pid::from_raw) {
            ignore_ended(rustix::process::kill_process_group(group, signal))?;
        }
        let stragglers = self.processes.iter().filter(|stat| Some(stat.group) != self.group);
        stragglers.into_iter().try_for_each(|stat| send(stat, signal))
    }
}

/// The processes that carry the mark of an instance below `instances` whose directory is gone.
pub(super) fn orphans(instances: &Path) -> io::Result<Vec<(Stat, PathBuf)>> {
    let orphaned = |dir: &PathBuf| dir.parent() == Some(instances) && !dir.exists();
    let marked = all()?.into_iter().filter_map(|stat| mark(stat.pid).map(|dir| (stat, dir)));
    Ok(marked.filter(|(_, dir)| orphaned(dir)).collect())
}

/// The value of a variable in the environment that a process was started with.
pub(super) fn variable(pid: i32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut values = environment.split(|byte| *byte == 0).filter_map(|variable| {
        variable.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
    });
    values.next().map(|value| String::from_utf8_lossy(value).into_owned())
}

/// Sends a signal to one process, and to no other that has got its id since.
pub(super) fn send(target: &Stat, signal: Signal) -> io::Result<()> {
    let Some(pid) = Pid::from_raw(target.pid) else { return Ok(()) };
    let is_same = || stat(target.pid).is_some_and(|stat| stat.started == target.started);
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
        match pidfd_open(pid, PidfdFlags::empty()) {
            // The descriptor stays with the process that it was opened for: look, then send.
            Ok(process) if is_same() => return ignore_ended(pidfd_send_signal(process, signal)),
            Ok(_) | Err(Errno::SRCH) => return Ok(()),
            // Not there in an old kernel, or kept from us by a container's filter.
            Err(Errno::NOSYS | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if is_same() { ignore_ended(rustix::process::kill_process(pid, signal)) } else { Ok(()) }
}

fn ignore_ended(result: Result<(), Errno>) -> io::Result<()> {
    match result {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Keeps a process, and what it will start, on as many processors as its instance type has.
///
/// `seed` spreads instances over the processors. Does nothing where the system has no such setting, or
/// where the host has no more processors than that.
pub(super) fn pin(pid: i32, vcpus: u32, seed: u32) {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let (Some(pid), Ok(allowed)) = (Pid::from_raw(pid), sched_getaffinity(None)) else {
            return;
        };
        let cpus: Vec<_> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
        let vcpus = usize::try_from(vcpus).unwrap_or(usize::MAX);
        if vcpus >= cpus.len() {
            return;
        }
        let first = usize::try_from(seed).unwrap_or(0) % cpus.len();
        let mut chosen = CpuSet::new();
        cpus.iter().cycle().skip(first).take(vcpus).for_each(|cpu| chosen.set(*cpu));
        let _best_effort = sched_setaffinity(Some(pid), &chosen);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (pid, vcpus, seed);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};

    #[allow(clippy::unwrap_used, reason = "the helpers of tests may fail like tests")]
    fn sleeper(mark_as: &Path) -> Child {
        let mut command = Command::new("sleep");
        command.arg("600").env(MARK, mark_as).process_group(0).spawn().unwrap()
    }

    #[test]
    fn names_with_parentheses_are_read() {
        let line = "7 (a) b) c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 100 200";
        let stat = parse_stat(7, line).unwrap();
        assert_eq!((stat.group, stat.started, stat.state), (42, 12345, b'S'));
        assert!(parse_stat(7, "7 (sh").is_none());
    }

    #[test]
    fn members_are_found_by_mark_and_killed() {
        let dir = tempfile::tempdir().unwrap();
        let boot = host_boot().unwrap();
        let (mut mine, mut other) = (sleeper(dir.path()), sleeper(Path::new("/elsewhere")));
        let found = loop {
            // Between its fork and its exec a child still has the environment of its parent.
            let found = Members::find(dir.path(), None, &boot).unwrap();
            if !found.processes.is_empty() {
                break found;
            }
        };
        let pids: Vec<_> = found.processes.iter().map(|stat| stat.pid).collect();
        assert_eq!(pids, [i32::try_from(mine.id()).unwrap()]);
        found.signal(Signal::KILL).unwrap();
        mine.wait().unwrap();
        assert!(Members::find(dir.path(), None, &boot).unwrap().processes.is_empty());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn a_process_is_not_confused_with_a_later_one() {
        let dir = tempfile::tempdir().unwrap();
        let boot = host_boot().unwrap();
        let mut child = sleeper(Path::new("/elsewhere"));
        let now = stat(i32::try_from(child.id()).unwrap()).unwrap();
        let earlier = Stat { started: now.started - 1, ..now };
        send(&earlier, Signal::KILL).unwrap();
        let runner = |started, host_boot: &str| Runner {
            pid: now.pid,
            group: now.group,
            started,
            host_boot: host_boot.into(),
        };
        assert!(runner(now.started, &boot).is_alive(&boot));
        assert!(!runner(now.started - 1, &boot).is_alive(&boot));
        assert!(!runner(now.started, "an earlier boot").is_alive(&boot));
        let found = |runner| Members::find(dir.path(), Some(&runner), &boot).unwrap().processes;
        assert_eq!(found(runner(now.started - 1, &boot)), []);
        assert_eq!(found(runner(now.started, &boot)).len(), 1);
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
