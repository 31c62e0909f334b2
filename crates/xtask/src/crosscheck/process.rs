//! Programs that are ended with everything that they started, whatever becomes of this one's work.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use polycloud_core::clock::{Clock as _, SystemClock};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::http::send;

/// How long a server may take until it answers.
const READY: Duration = Duration::from_secs(60);

/// A program in a process group of its own, which is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    group: Option<Pid>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let name = command.as_std().get_program().to_string_lossy().into_owned();
        let child = command
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Ok(Self { child, group })
    }

    /// What it prints, if it was started with a pipe.
    pub(crate) fn lines(&mut self) -> anyhow::Result<Lines<BufReader<ChildStdout>>> {
        let stdout = self.child.stdout.take().context("the output is not a pipe")?;
        Ok(BufReader::new(stdout).lines())
    }

    pub(crate) async fn wait(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        timeout(limit, self.child.wait())
            .await
            .with_context(|| format!("not done after {limit:?}"))?
            .context("nobody knows how it ended")
    }

    /// Waits until it answers HTTP, or ends.
    pub(crate) async fn answers(&mut self, address: SocketAddr, path: &str) -> anyhow::Result<()> {
        let clock = SystemClock::new();
        while clock.monotonic() < READY {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}");
            }
            if send("GET", &format!("http://{address}{path}"), &[], b"").await.is_ok() {
                return Ok(());
            }
            clock.sleep(Duration::from_millis(50)).await;
        }
        bail!("the server does not answer after {READY:?}")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // It may have ended already, with all that it started.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// A port of the loopback that nobody listens on. Servers that cannot take one by themselves are told it.
pub(crate) fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Sends what a program prints to a file; its errors too.
pub(crate) fn logged(command: &mut Command, log: &Path) -> anyhow::Result<()> {
    let file = File::create(log).with_context(|| log.display().to_string())?;
    command.stdout(file.try_clone()?).stderr(file);
    Ok(())
}

/// The environment of a program that must not meet the settings of whoever runs this.
pub(crate) fn alone(command: &mut Command, home: &Path) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    command
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("LC_ALL", "C.UTF-8")
        .env("NO_PROXY", "*")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUTF8", "1");
}

/// Runs a program to its end, and fails with the end of what it said.
pub(crate) async fn finish(
    command: &mut Command,
    log: &Path,
    limit: Duration,
) -> anyhow::Result<()> {
    logged(command, log)?;
    let status = Program::start(command)?.wait(limit).await?;
    if status.success() {
        return Ok(());
    }
    bail!("{status}: {}", last_words(log))
}

/// The end of a log, in one line.
pub(crate) fn last_words(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> =
        text.lines().rev().map(str::trim).filter(|line| !line.is_empty()).take(2).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ").chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn what_a_program_started_ends_with_it() {
        let mut command = shell("sleep 1000 & echo $!; wait");
        command.stdout(Stdio::piped());
        let mut program = Program::start(&mut command).unwrap();
        let mut lines = program.lines().unwrap();
        let line = lines.next_line().await.unwrap().unwrap();
        assert!(line.parse::<u32>().is_ok());
        drop(program);
        // The pipe is closed when the last process of the group is gone.
        assert_eq!(lines.next_line().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_program_that_fails_has_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let limit = Duration::from_secs(60);
        finish(&mut shell("echo fine"), &log, limit).await.unwrap();
        let mut broken = shell("echo one; echo two >&2; echo; echo three; exit 3");
        let error = finish(&mut broken, &log, limit).await.unwrap_err().to_string();
        assert!(error.ends_with("two | three"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_ends_is_not_waited_for() {
        let mut program = Program::start(&mut shell("exit 1")).unwrap();
        let error = program.answers(free_port().unwrap(), "/").await.unwrap_err();
        assert!(error.to_string().contains("ended"), "{error}");
    }
}
