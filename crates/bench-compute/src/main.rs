//! Measures polycloud's compute against the AWS SDK.
//!
//! It is a program of its own, with a profile of its own: aws-sdk-ec2 takes minutes and gigabytes to
//! compile, and the other benchmarks have no need of it. `polycloud-bench-compute suite` starts this
//! program once per client, case and round, and another one as the server: our emulator, which answers
//! at once. Only what the clients use is measured. [`case`] says what is measured, [`client`] how each
//! client does it, [`driver`] starts all processes, [`report`] shows what came out.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

mod case;
mod client;
mod driver;
#[path = "../../bench/src/measure.rs"]
mod measure;
mod report;
mod server;

use clap::{Args, Parser, Subcommand};

use crate::case::Case;
use crate::client::Who;

/// Measures polycloud's compute against the AWS SDK.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure all cases, client against client, and report the ratios.
    Suite(Suite),
    /// Measure one case with one client: prints `ready` once it is set up, begins when it reads a line,
    /// and prints one line of JSON.
    Run(Run),
    /// Answer like Amazon EC2 until standard input ends; prints where. Prints the number of requests
    /// since the last line for each line that it reads.
    Serve {
        /// How long instances take until they run, in milliseconds.
        #[arg(long, default_value_t = 0)]
        pending: u64,
    },
}

#[derive(Args)]
struct Suite {
    /// One round, which writes no documentation: shows that everything works.
    #[arg(long)]
    quick: bool,
    /// Rounds, of which the medians are reported.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only cases whose name contains one of these; writes no documentation.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

#[derive(Args)]
struct Run {
    /// Whose code is measured.
    #[arg(long, value_enum)]
    client: Who,
    /// What is measured.
    #[arg(long, value_enum)]
    case: Case,
    /// Where the server is.
    #[arg(long)]
    at: String,
    /// What the names of the instances begin with.
    #[arg(long)]
    prefix: String,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Suite(suite) => {
            let publish = !suite.quick && suite.only.is_empty();
            let rounds = if suite.quick { 1 } else { suite.rounds.max(1) };
            driver::run(&driver::Plan { rounds, only: suite.only, publish })
        }
        Command::Run(run) => client::run(run.client, run.case, &run.at, &run.prefix),
        Command::Serve { pending } => server::serve(pending),
    }
}
