//! Measures polycloud against other crates.
//!
//! `polycloud-bench suite NAME` measures all cases of a suite: it starts this program once per client,
//! case and round, so that no client profits or suffers from what another left in the process, and
//! the clients take turns. `polycloud-bench run` is one such process: it measures one case with one
//! client and prints one line of JSON.
//!
//! | suite | what is measured |
//! | --- | --- |
//! | `local` | the embedded stores, in memory and on files |
//! | `s3` | clients of Amazon S3's protocol, against `polycloud-bench serve-s3` |
//!
//! [`suite`] says what is measured, who takes part and where the bars are: a new case or bar is a line
//! there. A new client is a file in [`client`]. [`work`] drives a client through a case, [`measure`]
//! reads what the process used, [`callgrind`] counts instructions, [`server`] is what the `s3` suite
//! talks to, [`driver`] starts all processes, [`report`] and [`chart`] show what came out.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

mod callgrind;
mod chart;
mod client;
mod driver;
mod measure;
mod report;
mod server;
mod suite;
mod work;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::work::Extent;

/// Measures polycloud against other crates.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure a suite, client against client, and report the ratios.
    Suite(SuiteArgs),
    /// Measure one case with one client and print one line of JSON.
    Run(RunArgs),
    /// Answer like Amazon S3, at once, until standard input ends; prints the endpoint.
    ServeS3 {
        /// The port; any if not given.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
}

#[derive(Args)]
struct SuiteArgs {
    /// Which suite: local or s3.
    name: String,
    /// One short round, which writes no documentation: shows that everything works.
    #[arg(long)]
    quick: bool,
    /// Rounds, of which the medians are reported.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only operations whose name contains one of these; writes no documentation.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these clients; writes no documentation.
    #[arg(long, value_delimiter = ',')]
    client: Vec<String>,
    /// Where to write files, which decides about the file system that is measured; below `target`
    /// if not given.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Count the instructions of small calls by one task, which needs valgrind.
    #[arg(long)]
    callgrind: bool,
}

#[derive(Args)]
struct RunArgs {
    /// Which suite the case belongs to.
    #[arg(long, default_value = "local")]
    suite: String,
    /// Whose code is measured.
    #[arg(long)]
    client: String,
    /// The operation, as in the report.
    #[arg(long)]
    op: String,
    /// How many tasks call it at the same time.
    #[arg(long, default_value_t = 1)]
    tasks: usize,
    /// A directory that the process may fill and that the caller removes, or the endpoint of a
    /// server.
    #[arg(long)]
    at: String,
    /// For how long to measure, in milliseconds.
    #[arg(long, default_value_t = 500)]
    millis: u64,
    /// How many calls of each task to measure, instead of as many as fit into the time.
    #[arg(long)]
    calls: Option<u64>,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Suite(args) => {
            let suite = suite::named(&args.name)?;
            let plan = driver::Plan {
                rounds: if args.quick { 1 } else { args.rounds },
                millis: if args.quick { 40 } else { 500 },
                only: args.only,
                clients: args.client,
                dir: args.dir,
                callgrind: args.callgrind,
                publish: !args.quick,
            };
            driver::run(&suite, &plan)
        }
        Command::Run(args) => {
            let suite = suite::named(&args.suite)?;
            let case = suite
                .cases
                .iter()
                .find(|case| case.op == args.op && case.tasks == args.tasks)
                .with_context(|| format!("no {} with {} tasks", args.op, args.tasks))?;
            let time = Extent::Time(Duration::from_millis(args.millis));
            let extent = args.calls.map_or(time, Extent::Calls);
            let measured = client::measure(&args.client, case, &args.at, extent)?;
            println!("{}", serde_json::to_string(&measured)?);
            Ok(())
        }
        Command::ServeS3 { port } => server::serve(port),
    }
}
