//! Starts the benchmarks.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;

/// Builds the benchmarks and runs a suite. They are a program of their own, so that nothing else has to
/// build the crates that they compare with.
pub(crate) fn run(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args(["run", "--quiet", "--release", "--package", "polycloud-bench", "--", "suite"])
        .args(arguments)
        .status()?;
    ensure!(status.success(), "the benchmarks ended with {status}");
    Ok(())
}
