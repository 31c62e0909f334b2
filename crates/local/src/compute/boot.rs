//! Starting an instance's first process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};

use polycloud_core::{Error, ErrorKind, Result};

use super::error::failed;
use super::ids;
use super::journal::{InstanceDir, Record, write_file};
use super::process::{self, MARK, Runner};
use super::types;

const SCRIPT: &str = include_str!("runner.sh");

/// What programs on all instances get to see of the host's environment.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) search_path: OsString,
    pub(super) variables: BTreeMap<String, String>,
}

/// A runner that waits. Dropping it ends the runner.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) runner: Runner,
    pipe: ChildStdin,
}

impl Launched {
    /// Lets it boot.
    pub(super) fn go(mut self) -> Result<()> {
        self.pipe.write_all(b"go\n").map_err(|error| failed("the instance's runner ended", error))
    }
}

/// Starts the runner of an instance, which waits until it is told to go.
pub(super) fn launch(
    dir: &InstanceDir,
    record: &Record,
    environment: &Environment,
    host_boot: &str,
) -> Result<Launched> {
    let kind = types::named(&record.instance_type)?;
    let start = || -> io::Result<(i32, String, ChildStdin)> {
        write_file(&dir.runner(), SCRIPT.as_bytes(), false)?;
        fs::create_dir_all(dir.temporary())?;
        let mut launcher =
            command(dir, record, environment, kind.vcpus, kind.memory_mib).spawn()?;
        let group = i32::try_from(launcher.id()).map_err(io::Error::other)?;
        let (pipe, output) = (launcher.stdin.take(), launcher.stdout.take());
        let mut pid = String::new();
        let read = output.map_or(Ok(0), |mut output| output.read_to_string(&mut pid));
        launcher.wait()?;
        read?;
        let pipe = pipe.ok_or_else(|| io::Error::other("the launcher has no standard input"))?;
        Ok((group, pid, pipe))
    };
    let (group, pid, pipe) =
        start().map_err(|error| failed("cannot start the instance's runner", error))?;
    let runner = pid.trim().parse().ok().and_then(process::stat).map(|stat| Runner {
        pid: stat.pid,
        group,
        started: stat.started,
        host_boot: host_boot.to_owned(),
    });
    let runner = runner.ok_or_else(|| {
        Error::new(ErrorKind::Internal).with_message("the instance's runner did not start")
    })?;
    let [.., seed] = record.address.octets();
    process::pin(runner.pid, kind.vcpus, seed.into());
    Ok(Launched { runner, pipe })
}

fn command(
    dir: &InstanceDir,
    record: &Record,
    environment: &Environment,
    vcpus: u32,
    memory_mib: u64,
) -> Command {
    let which = if record.boots <= 1 { "first" } else { "again" };
    let mut command = Command::new("/bin/sh");
    command
        .arg(dir.runner())
        .args(["launch", which])
        .current_dir(dir.disk())
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .env_clear()
        .env("PATH", &environment.search_path)
        .env("HOME", dir.disk())
        .env("TMPDIR", dir.temporary())
        .envs(&environment.variables)
        .env(MARK, dir.path())
        .env("POLYCLOUD_INSTANCE_ID", format!("{}:{}/{}", ids::PROVIDER, ids::REGION, record.id))
        .env("POLYCLOUD_INSTANCE_NAME", record.name.as_str())
        .env("POLYCLOUD_INSTANCE_TYPE", &record.instance_type)
        .env("POLYCLOUD_INSTANCE_IP", record.address.to_string())
        .env("POLYCLOUD_REGION", ids::REGION)
        .env("POLYCLOUD_ZONE", &record.zone)
        .env("POLYCLOUD_VCPUS", vcpus.to_string())
        .env("POLYCLOUD_MEMORY_MIB", memory_mib.to_string())
        .env("POLYCLOUD_BOOT", record.boots.to_string());
    if let Some(owner) = &record.owner {
        command.env(OWNER, owner.as_str());
    }
    for (key, value) in record.labels.iter() {
        let key = key.to_ascii_uppercase().replace('-', "_");
        command.env(format!("POLYCLOUD_LABEL_{key}"), value);
    }
    command
}

/// The variable that names the owner.
pub(super) const OWNER: &str = "POLYCLOUD_OWNER";
