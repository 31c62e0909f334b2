//! Runs a part of a test in a process of its own, which can be killed.

use std::process::{Child, Command, Stdio};

/// Starts this test binary again with nothing but the test `entry`, which is ignored otherwise. `args`
/// reach it in the environment variable `POLYCLOUD_TEST_ARGS`, separated by spaces.
#[allow(dead_code, reason = "not every test leaves it at that")]
pub(crate) fn spawn(entry: &str, args: &[&str]) -> Child {
    command(std::env::current_exe().unwrap(), entry, args).spawn().unwrap()
}

/// The command that [`spawn`] runs.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>, entry: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--exact", entry, "--ignored", "--nocapture", "--test-threads=1", "--quiet"])
        .env("POLYCLOUD_TEST_ARGS", args.join(" "))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// The arguments of the child, or `None` if the entry was run by hand.
#[allow(clippy::disallowed_methods, reason = "the way from a test to its child process")]
pub(crate) fn args() -> Option<Vec<String>> {
    let args = std::env::var("POLYCLOUD_TEST_ARGS").ok()?;
    Some(args.split(' ').map(str::to_owned).collect())
}

/// How often to repeat what chance decides: `default`, unless the environment says otherwise.
#[allow(clippy::disallowed_methods, reason = "the switch for longer runs")]
#[allow(dead_code, reason = "not every test repeats")]
pub(crate) fn rounds(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(default)
}
