//! Measures polycloud against other crates.
//!
//! `polycloud-bench suite local` measures all cases of a suite: it starts this program once per
//! client, case and round, so that no client profits or suffers from what another left in the
//! process. `polycloud-bench run` is one such process.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

mod chart;
mod client;
mod driver;
mod measure;
mod report;
mod suite;
mod work;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

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
}

#[derive(Args)]
struct SuiteArgs {
    /// Which suite.
    name: String,
    /// One short round, which writes no documentation: shows that everything works.
    #[arg(long)]
    quick: bool,
    /// Rounds, of which the medians are reported.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only operations whose name contains this; writes no documentation.
    #[arg(long)]
    only: Option<String>,
    /// Where to write files, which decides about the file system that is measured; below `target`
    /// if not given.
    #[arg(long)]
    dir: Option<PathBuf>,
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
    /// A directory that the process may fill and that the caller removes.
    #[arg(long)]
    dir: PathBuf,
    /// For how long to measure, in milliseconds.
    #[arg(long, default_value_t = 500)]
    millis: u64,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Suite(args) => {
            let suite = suite::named(&args.name)?;
            let plan = driver::Plan {
                rounds: if args.quick { 1 } else { args.rounds },
                millis: if args.quick { 40 } else { 500 },
                only: args.only,
                dir: args.dir,
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
            let measured = client::measure(&args.client, case, &args.dir, args.millis)?;
            println!("{}", serde_json::to_string(&measured)?);
            Ok(())
        }
    }
}
