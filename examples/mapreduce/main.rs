//! Counts the words of many texts on many machines: a master that shares data with its workers through
//! an [`ObjectStore`] and starts them through [`Compute`].
//!
//! ```text
//! cargo run -p polycloud-examples --example mapreduce
//! cargo run -p polycloud-examples --example mapreduce -- --workers 8 --input ~/texts
//! cargo run -p polycloud-examples --example mapreduce -- --kill-one
//! cargo run -p polycloud-examples --example mapreduce -- --store file:///data/bucket --compute local:
//! cargo run -p polycloud-examples --features aws --release --example mapreduce -- \
//!     --store s3://bucket?region=eu-west-1 --compute ec2://eu-west-1 --identity workers
//! ```
//!
//! Without arguments it counts the words of this repository's own `docs` and `crates`, with a store and
//! instances in a temporary directory. With the URLs of another store and compute the same program
//! runs there: instances fetch it by a signed URL. They open the store as the identity that they are
//! given; `--env` is for emulators, because everybody on an instance can read its user data.
//!
//! - `layout`: what is in the store. Read it first: how workers share out the work is decided there.
//! - `job`: the master. `worker`: what instances run. `fleet`: the instances.
//! - `program`: how the program gets onto an instance. `input`, `words`, `progress`: the rest.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use futures::FutureExt as _;
use polycloud::clock::{Random as _, SystemClock, SystemRandom};
use polycloud::compute::ImageSelector;
use polycloud::local::{Durability, FileConfig, LocalComputeConfig};
use polycloud::prelude::*;
use polycloud::{ComputeConfig, StoreConfig};
use tokio::signal::unix::{SignalKind, signal};

use crate::fleet::{Fleet, Machine};
use crate::job::{Job, Outcome};
use crate::layout::Layout;
use crate::progress::Progress;
use crate::worker::{Fault, WorkArgs};

mod fleet;
mod input;
mod job;
mod layout;
mod program;
mod progress;
mod words;
mod worker;

pub(crate) type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Counts the words of many texts on many machines.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    job: JobArgs,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// What an instance runs.
    #[command(hide = true)]
    Work(WorkArgs),
}

#[derive(Debug, clap::Args)]
struct JobArgs {
    /// The store, as its URL; files in a temporary directory if unset.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// The compute, as its URL; processes of this machine if unset.
    #[arg(long, value_name = "URL")]
    compute: Option<String>,
    /// How many instances to start.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
    workers: u8,
    /// A directory of texts; can be repeated. This repository's docs and crates if unset.
    #[arg(long, value_name = "DIR")]
    input: Vec<PathBuf>,
    /// The provider's type of instances, such as t3.small; the smallest that the program runs on if unset.
    #[arg(long = "type", value_name = "TYPE")]
    hardware: Option<String>,
    /// What the instances boot, such as ubuntu:24.04; needs curl or wget, and a C library that is not older
    /// than that of this machine. The provider's Debian if unset.
    #[arg(long, value_name = "IMAGE")]
    image: Option<ImageSelector>,
    /// The provider's identity (an instance profile) that the instances open the store as.
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
    /// A variable of the environment that the instances get, too; can be repeated. Everybody on an instance
    /// can read it: for the credentials of a store prefer --identity.
    #[arg(long, value_name = "NAME")]
    env: Vec<String>,
    /// How many words to print.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Print the result as JSON, with all words.
    #[arg(long)]
    json: bool,
    /// Leave the objects of the job in the store.
    #[arg(long)]
    keep: bool,
    /// Seconds that a worker may be silent before it is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    patience: u64,
    /// Cut the power of a worker in the middle of its first task.
    #[arg(long)]
    kill_one: bool,
    /// Let a worker fall silent in the middle of its first task.
    #[arg(long, conflicts_with = "kill_one")]
    hang_one: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.role {
        Some(Role::Work(args)) => worker::work(args).await,
        None => run(args.job).await,
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprint!("mapreduce: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprint!(": {error}");
        cause = error.source();
    }
    eprintln!();
    ExitCode::FAILURE
}

async fn run(args: JobArgs) -> Result<()> {
    let clock = SystemClock::shared();
    let begin = clock.monotonic();
    let place = Place::new(&args)?;
    let directories = if args.input.is_empty() { own_texts() } else { args.input.clone() };
    let texts = input::find(&directories)?;

    let name = format!("{:010x}", SystemRandom.next_u64() >> 24);
    let job = Job {
        store: place.store.open().await?,
        store_url: place.store.url()?,
        layout: Layout::new(&name),
        name,
        clock: clock.clone(),
        progress: Progress::new(),
        workers: usize::from(args.workers),
        environment: environment(&args.env)?,
        fault: args.fault(),
    };
    let compute = place.compute.open().await?;
    let patience = Duration::from_secs(args.patience);
    let mut fleet = Fleet::new(compute, clock.clone(), args.machine(), &job.name, patience)?;

    // However it ends, by an error, a signal or a panic, the instances are terminated.
    let outcome = tokio::select! {
        outcome = AssertUnwindSafe(job.run(&mut fleet, &texts)).catch_unwind() => outcome,
        signal = interrupted() => Ok(Err(format!("ended by {signal}").into())),
    };
    job.progress.end();
    let ended = fleet.end().await;
    let cleaned = if args.keep { Ok(()) } else { clean(&*job.store, &job.layout).await };
    let outcome = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    ended?;
    cleaned?;
    report(&args, &outcome, clock.monotonic().saturating_sub(begin))
}

/// Deletes the objects of the job.
async fn clean(store: &dyn ObjectStore, layout: &Layout) -> Result<()> {
    let summary = store.delete_prefix(layout.root()).await?;
    for outcome in summary.failed {
        outcome.result?;
    }
    Ok(())
}

impl JobArgs {
    fn machine(&self) -> Machine {
        let Self { hardware, image, identity, .. } = self;
        let (hardware, image) = (hardware.clone(), image.clone());
        Machine { hardware, image, identity: identity.clone() }
    }

    fn fault(&self) -> Option<Fault> {
        match (self.kill_one, self.hang_one) {
            (true, _) => Some(Fault::Stall),
            (_, true) => Some(Fault::Hang),
            _ => None,
        }
    }
}

/// The variables to hand on, with their values.
#[allow(clippy::disallowed_methods, reason = "the user names the variables")]
fn environment(names: &[String]) -> Result<Vec<(String, String)>> {
    let value = |name: &String| match std::env::var(name) {
        Ok(value) => Ok((name.clone(), value)),
        Err(_) => Err(format!("--env {name}: there is no such variable").into()),
    };
    names.iter().map(value).collect()
}

/// Where the store and the instances are.
struct Place {
    store: StoreConfig,
    compute: ComputeConfig,
    /// Removed with everything in it when the job is over.
    _temporary: tempfile::TempDir,
}

impl Place {
    fn new(args: &JobArgs) -> Result<Self> {
        let temporary = tempfile::Builder::new().prefix("mapreduce-").tempdir()?;
        let path = |name: &str| temporary.path().join(name);
        let store = match &args.store {
            Some(url) => StoreConfig::from_url(url)?,
            // What is gone in a minute need not survive a power cut.
            None => FileConfig::new(path("store")).with_durability(Durability::Fast).into(),
        };
        let compute = match &args.compute {
            Some(url) => ComputeConfig::from_url(url)?,
            None => LocalComputeConfig::new(path("compute")).into(),
        };
        Ok(Self { store, compute, _temporary: temporary })
    }
}

/// The directories of this repository that are full of text.
fn own_texts() -> Vec<PathBuf> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["../docs", "../crates"].map(|name| examples.join(name)).into()
}

/// Waits for the signal to end.
async fn interrupted() -> &'static str {
    let mut terminate = signal(SignalKind::terminate()).ok();
    let terminated = async {
        match &mut terminate {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "Ctrl-C",
        _ = terminated => "a signal",
    }
}

fn report(args: &JobArgs, outcome: &Outcome, wall: Duration) -> Result<()> {
    let Outcome { objects, bytes, words, partitions, repeated } = outcome;
    if args.json {
        println!("{}", serde_json::to_string(outcome)?);
        return Ok(());
    }
    println!("{:>10}  word", "count");
    for (word, count) in words::top(words, args.top) {
        println!("{count:>10}  {word}");
    }
    let total: u64 = words.values().sum();
    println!(
        "{total} words, {} different ones, in {objects} objects of {bytes} bytes",
        words.len()
    );
    let again =
        if *repeated == 0 { String::new() } else { format!(", {repeated} of them done again") };
    let workers = args.workers;
    println!("{partitions} partitions{again}, {workers} workers, {:.2} s", wall.as_secs_f64());
    Ok(())
}
