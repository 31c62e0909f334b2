//! Chores of the workspace, as `cargo xtask`.

#![allow(clippy::print_stdout, reason = "a program that prints its results")]

mod bench;
mod capabilities;
mod conformance;
mod crosscheck;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand};

/// Chores of the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure a suite against other crates, in release mode; `local`, `s3` and `compute` are there. The table,
    /// the report in target/bench and, unless something is left out, the documentation are written.
    #[command(disable_help_flag = true)]
    Bench {
        /// The suite and its options; `--help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run the conformance suite on every backend, and print what became of each case.
    Conformance(conformance::Arguments),
    /// Check the emulator and the client against clients and servers that are not ours. What it needs is
    /// installed into target/crosscheck.
    Crosscheck(crosscheck::Arguments),
    /// Write the table of backends and capabilities into the README.
    Capabilities {
        /// Write nothing, and fail if the README has another table.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Bench { arguments } => bench::run(&workspace()?, &arguments),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Crosscheck(arguments) => crosscheck::run(&workspace()?, &arguments),
        Command::Capabilities { check } => capabilities::run(&workspace()?, check),
    }
}

fn workspace() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.map(Path::to_owned).context("the crate is not in a workspace")
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
