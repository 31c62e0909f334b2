//! Runs a suite: one process per client, case and round, the clients taking turns.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::measure::Measured;
use crate::report::{self, Row};
use crate::suite::{Case, Suite};
use crate::{chart, suite};

/// How thoroughly to measure.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Rounds, of which the medians count.
    pub(crate) rounds: usize,
    /// For how long each process measures.
    pub(crate) millis: u64,
    /// Only operations whose name contains this.
    pub(crate) only: Option<String>,
    /// Where to write files, if not below `target`.
    pub(crate) dir: Option<PathBuf>,
    /// Whether to write the documentation.
    pub(crate) publish: bool,
}

/// Measures the suite, prints the table, and writes the report, the charts and the documentation.
pub(crate) fn run(suite: &Suite, plan: &Plan) -> anyhow::Result<()> {
    let root = workspace()?;
    let out = root.join("target/bench");
    let files = plan.dir.as_ref().unwrap_or(&out).join("polycloud-bench-files");
    remove(&files)?;
    let chosen = |case: &&Case| plan.only.as_ref().is_none_or(|only| case.op.contains(only));
    let cases: Vec<&Case> = suite.cases.iter().filter(chosen).collect();
    ensure!(!cases.is_empty(), "no operation of that name");
    let mut rows = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        eprintln!("[{}/{}] {} × {} tasks", number + 1, cases.len(), case.op, case.tasks);
        rows.extend(measure(suite, case, plan, &files)?);
        remove(&files)?;
    }
    let json = out.join(format!("{}.json", suite.name));
    fs::write(&json, report::json(&rows)?)?;
    let markdown = report::tables(suite, &cases, &rows)?;
    println!("{markdown}");
    println!("{}", report::verdict(suite, &cases, &rows)?);
    // What was measured in part or in haste is not published.
    let publish = plan.publish && plan.only.is_none();
    let charts = if publish { root.join("docs") } else { out };
    for group in report::groups(&cases) {
        let path = charts.join(format!("bench-{group}.svg"));
        chart::draw(&path, suite, group, &cases, &rows)?;
        println!("{}", path.display());
    }
    if publish {
        let document = root.join("docs/benchmarks.md");
        let machine = report::machine(&root, &files, plan.rounds)?;
        let generated = format!("{machine}\n\n{markdown}");
        report::publish(&document, suite.name, &generated)?;
        println!("{}", document.display());
    }
    println!("{}", json.display());
    Ok(())
}

/// The medians of all who take part in a case.
fn measure(suite: &Suite, case: &Case, plan: &Plan, files: &Path) -> anyhow::Result<Vec<Row>> {
    let clients: Vec<&str> = [suite::US].iter().chain(case.peers).copied().collect();
    let mut rounds: Vec<Vec<Measured>> = vec![Vec::new(); clients.len()];
    for _ in 0..plan.rounds {
        for (client, measured) in clients.iter().zip(&mut rounds) {
            let dir = files.join(client);
            measured.push(process(suite, case, client, plan.millis, &dir)?);
        }
    }
    clients.iter().zip(rounds).map(|(client, measured)| Row::new(case, client, &measured)).collect()
}

fn process(
    suite: &Suite,
    case: &Case,
    client: &str,
    millis: u64,
    dir: &Path,
) -> anyhow::Result<Measured> {
    let output = Command::new(std::env::current_exe()?)
        .args(["run", "--suite", suite.name, "--client", client, "--op", case.op])
        .args(["--tasks", &case.tasks.to_string(), "--millis", &millis.to_string(), "--dir"])
        .arg(dir)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{client} failed at {}: {}", case.op, output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn workspace() -> anyhow::Result<PathBuf> {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_dir.ancestors().nth(2).context("the crate is not in a workspace")?;
    fs::create_dir_all(root.join("target/bench"))?;
    Ok(root.into())
}

fn remove(dir: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
