use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, Either, select};
use futures::stream::{self, StreamExt};
use polycloud_core::capability::{Feature, Support};
use polycloud_core::clock::{Clock, SystemClock};
use tokio::task::AbortHandle;

use crate::case::{Case, CaseResult, Context, applies, support};
use crate::expect::panic_message;
use crate::harness::Harness;
use crate::negative;

/// Which cases to run, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Selection {
    /// Only cases whose name contains one of these; all if empty.
    pub names: Vec<String>,
    /// What the random choices of the cases are drawn from.
    pub seed: u64,
    /// Most cases under way at a time.
    pub concurrency: usize,
    /// Most time of one case, and again of cleaning up after it.
    pub timeout: Duration,
}

impl Selection {
    /// Restricts the run to cases whose name contains `name` or another name given so.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Sets what random choices are drawn from.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets how many cases are under way at a time; 0 counts as 1.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Sets the most time of one case.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn selects(&self, case: &Case) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| case.name.contains(name.as_str()))
    }
}

impl Default for Selection {
    /// All cases, eight at a time, a minute each.
    fn default() -> Self {
        Self { names: Vec::new(), seed: 1, concurrency: 8, timeout: Duration::from_secs(60) }
    }
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The backend behaves so.
    Passed,
    /// The backend behaves so, with the help of further requests.
    Emulated,
    /// The backend declares that it cannot, and refuses it before any I/O.
    Unsupported,
    /// It behaves otherwise, as said.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "pass",
            Self::Emulated => "emulated",
            Self::Unsupported => "unsupported",
            Self::Failed(_) => "FAILED",
        })
    }
}

/// A case and what became of it on one backend.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Row {
    /// The case.
    pub case: &'static Case,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took.
    pub elapsed: Duration,
}

/// What became of the cases on one backend.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The name of the backend.
    pub backend: String,
    /// The cases that apply to it, in the order of [`cases`](crate::cases).
    pub rows: Vec<Row>,
}

impl Report {
    /// Whether no case failed, and there was one.
    #[must_use]
    pub fn is_success(&self) -> bool {
        !self.rows.is_empty() && self.failures().next().is_none()
    }

    /// The cases that failed, with the reason.
    pub fn failures(&self) -> impl Iterator<Item = (&'static Case, &str)> {
        self.rows.iter().filter_map(|row| match &row.outcome {
            Outcome::Failed(why) => Some((row.case, why.as_str())),
            _ => None,
        })
    }

    /// What became of a case, by its name.
    #[must_use]
    pub fn outcome(&self, name: &str) -> Option<&Outcome> {
        self.rows.iter().find(|row| row.case.name == name).map(|row| &row.outcome)
    }
}

impl fmt::Display for Report {
    /// Prints the failures and the counts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_failures(f, self)?;
        write_counts(f, std::slice::from_ref(self))
    }
}

/// What became of the cases on several backends.
#[derive(Debug, Clone)]
pub struct Matrix {
    reports: Vec<Report>,
}

impl Matrix {
    /// Puts reports side by side.
    #[must_use]
    pub fn new(reports: Vec<Report>) -> Self {
        Self { reports }
    }

    /// The reports, one for each backend.
    #[must_use]
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }

    /// Whether no case failed on any backend, and each had one.
    #[must_use]
    pub fn is_success(&self) -> bool {
        !self.reports.is_empty() && self.reports.iter().all(Report::is_success)
    }
}

impl fmt::Display for Matrix {
    /// Prints cases × backends, the failures, and the counts in the last line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = BTreeMap::<&str, Vec<Option<&Outcome>>>::new();
        for (column, report) in self.reports.iter().enumerate() {
            for row in &report.rows {
                let line = lines.entry(row.case.name).or_default();
                line.resize(column, None);
                line.push(Some(&row.outcome));
            }
        }
        let width = lines.keys().map(|name| name.len()).max().unwrap_or(0);
        write!(f, "{:width$}", "case")?;
        for report in &self.reports {
            write!(f, "  {:11}", report.backend)?;
        }
        writeln!(f)?;
        for (name, mut line) in lines {
            line.resize(self.reports.len(), None);
            write!(f, "{name:width$}")?;
            for outcome in line {
                match outcome {
                    Some(outcome) => write!(f, "  {outcome:11}")?,
                    None => write!(f, "  {:11}", "-")?,
                }
            }
            writeln!(f)?;
        }
        self.reports.iter().try_for_each(|report| write_failures(f, report))?;
        write_counts(f, &self.reports)
    }
}

fn write_failures(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    for (case, why) in report.failures() {
        writeln!(f, "FAILED {} on {}: {}", case.name, report.backend, case.sentence)?;
        writeln!(f, "    {why}")?;
    }
    Ok(())
}

fn write_counts(f: &mut fmt::Formatter<'_>, reports: &[Report]) -> fmt::Result {
    let rows = || reports.iter().flat_map(|report| &report.rows);
    let count = |wanted: fn(&Outcome) -> bool| rows().filter(|row| wanted(&row.outcome)).count();
    let names: std::collections::BTreeSet<_> = rows().map(|row| row.case.name).collect();
    write!(
        f,
        "conformance: {} cases, {} backends, {} passed, {} unsupported, {} failed",
        names.len(),
        reports.len(),
        count(|outcome| matches!(outcome, Outcome::Passed | Outcome::Emulated)),
        count(|outcome| matches!(outcome, Outcome::Unsupported)),
        count(|outcome| matches!(outcome, Outcome::Failed(_))),
    )
}

/// Runs the cases that apply to a backend, and cleans up after them.
///
/// Needs a Tokio runtime with its timer enabled; races between writers are real on a multi-threaded
/// one. A case that panics or takes too long has failed; the others go on.
pub async fn run(harness: Arc<dyn Harness>, selection: &Selection) -> Report {
    let cases = crate::cases().filter(|case| selection.selects(case)).collect();
    let report = run_cases(&harness, cases, selection).await;
    harness.cleanup().await;
    report
}

/// Runs these cases, as far as they apply.
pub(crate) async fn run_cases(
    harness: &Arc<dyn Harness>,
    cases: Vec<&'static Case>,
    selection: &Selection,
) -> Report {
    let rows = cases.into_iter().filter(|case| applies(&**harness, case));
    let rows = stream::iter(rows.map(|case| judge(Arc::clone(harness), case, selection)))
        .buffered(selection.concurrency.max(1))
        .collect()
        .await;
    Report { backend: harness.name().to_owned(), rows }
}

async fn judge(harness: Arc<dyn Harness>, case: &'static Case, selection: &Selection) -> Row {
    let clock = SystemClock::new();
    let supports = |wanted: Support| -> Option<Feature> {
        case.features.iter().copied().find(|feature| support(&*harness, *feature) == wanted)
    };
    let context = Context::new(Arc::clone(&harness), selection.seed, case.name);
    let end = context.clone();
    let (work, good) = match supports(Support::Unsupported) {
        Some(feature) => (negative::refuses(context, feature), Outcome::Unsupported),
        None if supports(Support::Emulated).is_some() => ((case.run)(context), Outcome::Emulated),
        None => ((case.run)(context), Outcome::Passed),
    };
    let done = within(&clock, selection.timeout, work).await;
    let cleaned = within(&clock, selection.timeout, Box::pin(end.finish())).await;
    let cleaned = cleaned.map_err(|why| format!("cleaning up: {why}"));
    let outcome = match done.and(cleaned) {
        Ok(()) => good,
        Err(why) => Outcome::Failed(why),
    };
    Row { case, outcome, elapsed: clock.monotonic() }
}

/// Runs work in a task of its own, so that it can neither panic nor block its way out of the suite.
async fn within(
    clock: &SystemClock,
    timeout: Duration,
    work: BoxFuture<'static, CaseResult>,
) -> Result<(), String> {
    let task = tokio::spawn(work);
    let _abort = AbortOnDrop(task.abort_handle());
    match select(task, clock.sleep(timeout)).await {
        Either::Left((Ok(result), _)) => result.map_err(|failure| failure.to_string()),
        Either::Left((Err(panic), _)) => Err(panic_message(panic)),
        Either::Right(_) => Err(format!("not done after {timeout:?}")),
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
