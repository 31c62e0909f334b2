//! The conformance suite on every backend of the workspace.

use anyhow::{bail, ensure};
use clap::Args;
use polycloud_conformance::{Matrix, Selection, run as run_suite};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only the backend of this name.
    #[arg(long)]
    backend: Option<String>,
    /// Only cases whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// What the random choices of the cases are drawn from.
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs the suite, one backend after the other, and fails if a case failed.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut selection = Selection::default();
    if let Some(seed) = arguments.seed {
        selection = selection.with_seed(seed);
    }
    if let Some(only) = &arguments.only {
        selection = selection.with_name(only);
    }
    let matrix = crate::runtime()?.block_on(async {
        let mut reports = Vec::new();
        for harness in polycloud_tests::harnesses().await? {
            if arguments.backend.as_ref().is_none_or(|name| harness.name() == name) {
                reports.push(run_suite(harness, &selection).await);
            }
        }
        anyhow::Ok(Matrix::new(reports))
    })?;
    ensure!(!matrix.reports().is_empty(), "no backend has that name");
    println!("{matrix}");
    if matrix.reports().iter().all(|report| report.rows.is_empty()) {
        bail!("no case has such a name");
    }
    // A backend to which none of the chosen cases applies is no failure.
    let failed: usize = matrix.reports().iter().map(|report| report.failures().count()).sum();
    ensure!(failed == 0, "{failed} cases failed");
    Ok(())
}
