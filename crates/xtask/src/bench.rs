//! Starts the benchmarks.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;

/// The suite of compute. Its clients need a crate that takes long to compile, which the others do without.
const COMPUTE: &str = "compute";

/// Builds the benchmarks and runs a suite. They are programs of their own, so that nothing else has to
/// build the crates that they compare with.
pub(crate) fn run(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["run", "--quiet"]);
    match arguments.split_first() {
        Some((suite, options)) if suite == COMPUTE => {
            command.args(["--profile", "bench-compute", "--package", "polycloud-bench-compute"]);
            command.args(["--", "suite"]).args(options);
        }
        _ => {
            command.args(["--release", "--package", "polycloud-bench", "--", "suite"]);
            command.args(arguments);
        }
    }
    let status = command.status()?;
    ensure!(status.success(), "the benchmarks ended with {status}");
    Ok(())
}
