//! What is ours against what is not: third-party clients against the emulator, our client against
//! third-party servers.

mod clients;
mod deviations;
mod http;
mod install;
mod process;
mod report;
mod servers;
mod signed;
mod suite;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use polycloud_core::clock::{Clock as _, SystemClock};
use tokio::signal::unix::{SignalKind, signal};

use self::report::{Part, Report};
use self::suite::Suite;

#[derive(Args)]
pub(crate) struct Arguments {
    /// What is checked.
    #[arg(value_enum)]
    suite: Suite,
    /// Only parts whose names contain this, such as `clients/boto3` or `servers/moto`; may be repeated.
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// Only checks whose names contain this; may be repeated.
    #[arg(long, value_name = "NAME")]
    check: Vec<String>,
    /// Fail also if a part cannot be run.
    #[arg(long)]
    strict: bool,
    /// Install nothing, and run only what is installed.
    #[arg(long)]
    offline: bool,
    /// Print the names of the parts.
    #[arg(long)]
    list: bool,
    /// The gateway of a Ceph that runs already; its keys are taken from the environment
    /// (`CEPH_ACCESS_KEY`, `CEPH_SECRET_KEY`).
    #[arg(long, value_name = "URL")]
    ceph: Option<String>,
}

/// Why a part is not run.
pub(crate) type NotRun = String;

/// Where everything is, and what was asked for.
pub(crate) struct Bench {
    /// The root of the workspace.
    root: PathBuf,
    /// What is installed, and the logs.
    folder: PathBuf,
    checks: Vec<String>,
    offline: bool,
    ceph: Option<String>,
}

impl Bench {
    fn new(root: &Path, arguments: &Arguments) -> anyhow::Result<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let target = target.unwrap_or_else(|| root.join("target"));
        let folder = std::path::absolute(target)?.join("crosscheck");
        fs::create_dir_all(folder.join("logs"))?;
        Ok(Self {
            root: root.to_owned(),
            folder,
            checks: arguments.check.clone(),
            offline: arguments.offline,
            ceph: arguments.ceph.clone(),
        })
    }

    /// The sources of the cross-checks.
    fn sources(&self) -> PathBuf {
        self.root.join("crates/xtask/src/crosscheck")
    }

    /// Where a part's programs say what they do.
    fn log(&self, part: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{}.log", part.replace('/', "-")))
    }
}

/// The program with which this one was built.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Runs the chosen parts, prints what became of them, and fails if a check did.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let suite = arguments.suite;
    let wanted = |name: &str| {
        arguments.only.is_empty() || arguments.only.iter().any(|only| name.contains(only.as_str()))
    };
    let mut parts = suite.parts();
    parts.retain(|part| wanted(part.name()));
    ensure!(!parts.is_empty(), "no part has such a name; --list prints them");
    if arguments.list {
        parts.iter().for_each(|part| println!("{}", part.name()));
        return Ok(());
    }
    let bench = Bench::new(root, arguments)?;
    let report = crate::runtime()?.block_on(until_stopped(run_parts(&bench, suite, &parts)))?;
    println!("{report}");
    fs::write(bench.folder.join("report.txt"), report.to_string())?;
    ensure!(report.ran_checks(), "no check has such a name, or none could be run");
    ensure!(report.failures() == 0, "{} checks failed", report.failures());
    let not_run = report.not_run();
    ensure!(!arguments.strict || not_run == 0, "{not_run} parts could not be run");
    Ok(())
}

/// Gives up on the first signal to stop, so that what was started is ended as on any other return.
async fn until_stopped<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        done = work => Ok(done),
        _ = interrupt.recv() => anyhow::bail!("interrupted"),
        _ = terminate.recv() => anyhow::bail!("terminated"),
    }
}

async fn run_parts(bench: &Bench, suite: Suite, parts: &[suite::Part]) -> Report {
    let mut report = Report::new(suite.deviations(), bench.checks.is_empty());
    for part in parts {
        println!("{}", part.name());
        let clock = SystemClock::new();
        let outcome = part.run(bench).await;
        report.add(Part { name: part.name(), outcome, elapsed: clock.monotonic() });
    }
    report
}
