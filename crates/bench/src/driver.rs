//! Runs a suite: one process per client, case and round, the clients taking turns.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};

use crate::measure::Measured;
use crate::report::{self, Row};
use crate::suite::{Case, Store, Suite, US};
use crate::{callgrind, chart};

/// How thoroughly to measure.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Rounds, of which the medians count.
    pub(crate) rounds: usize,
    /// For how long each process measures.
    pub(crate) millis: u64,
    /// Only operations whose name contains one of these, if there are any.
    pub(crate) only: Vec<String>,
    /// Only these clients, if there are any.
    pub(crate) clients: Vec<String>,
    /// Where to write files, if not below `target`.
    pub(crate) dir: Option<PathBuf>,
    /// Whether to count instructions.
    pub(crate) callgrind: bool,
    /// Whether to write the documentation.
    pub(crate) publish: bool,
}

/// Measures the suite, prints the table, and writes the report, the charts and the documentation.
pub(crate) fn run(suite: &Suite, plan: &Plan) -> anyhow::Result<()> {
    let root = workspace()?;
    let out = root.join("target/bench");
    let cases: Vec<&Case> = suite.cases.iter().filter(|case| plan.covers(case)).collect();
    ensure!(!cases.is_empty(), "no operation of that name");
    let stage = Stage::set(suite, plan.dir.as_ref().unwrap_or(&out))?;
    let callgrind = plan.callgrind && callgrind::installed();
    let mut rows = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        eprintln!("[{}/{}] {} × {} tasks", number + 1, cases.len(), case.op, case.tasks);
        rows.extend(measure(case, plan, &stage, callgrind)?);
        stage.clear()?;
    }
    let json = out.join(format!("{}.json", suite.name));
    fs::write(&json, report::json(&rows)?)?;
    let markdown = report::tables(suite, &cases, &rows);
    println!("{markdown}");
    println!("{}", report::verdict(suite, &cases, &rows));
    // What was measured in part or in haste is not published.
    let publish = plan.publish && plan.only.is_empty() && plan.clients.is_empty();
    let charts = if publish { root.join("docs") } else { out };
    for group in report::groups(&cases) {
        let path = charts.join(format!("bench-{group}.svg"));
        chart::draw(&path, suite, group, &cases, &rows)?;
        println!("{}", path.display());
    }
    if publish {
        let document = root.join("docs/benchmarks.md");
        let machine = report::machine(&root, suite, &stage.files, plan.rounds)?;
        let generated = format!("{machine}\n\n{markdown}");
        report::publish(&document, suite.name, &generated)?;
        println!("{}", document.display());
    }
    println!("{}", json.display());
    Ok(())
}

impl Plan {
    fn covers(&self, case: &Case) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| case.op.contains(only.as_str()))
    }

    /// Who takes part in a case.
    fn clients(&self, case: &Case) -> Vec<&'static str> {
        let all = [US].into_iter().chain(case.peers.iter().copied());
        all.filter(|it| self.clients.is_empty() || self.clients.iter().any(|only| only == it))
            .collect()
    }
}

/// Where the clients work: a directory for files, and a server if the suite has need of one.
struct Stage {
    suite: &'static str,
    files: PathBuf,
    server: Option<Server>,
}

impl Stage {
    fn set(suite: &Suite, dir: &Path) -> anyhow::Result<Self> {
        let server = if suite.served() { Some(Server::start()?) } else { None };
        let files = dir.join("polycloud-bench-files");
        let stage = Self { suite: suite.name, files, server };
        stage.clear()?;
        Ok(stage)
    }

    /// Removes the files of a case.
    fn clear(&self) -> anyhow::Result<()> {
        match fs::remove_dir_all(&self.files) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The arguments with which this program measures a case, apart from the extent.
    fn arguments(&self, case: &Case, client: &str) -> anyhow::Result<Vec<String>> {
        let at = match &self.server {
            Some(server) if case.store == Store::S3 => server.endpoint.clone(),
            _ => self.files.join(client).to_str().context("a path that is not UTF-8")?.to_owned(),
        };
        let tasks = case.tasks.to_string();
        let arguments = ["run", "--suite", self.suite, "--client", client, "--op", case.op];
        let more = ["--tasks", &tasks, "--at", &at];
        Ok(arguments.into_iter().chain(more).map(str::to_owned).collect())
    }
}

/// The server, which ends with this value.
struct Server {
    process: Child,
    endpoint: String,
}

impl Server {
    fn start() -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("serve-s3")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().context("no output of the server")?;
        let mut server = Self { process, endpoint: String::new() };
        BufReader::new(output).read_line(&mut server.endpoint)?;
        server.endpoint.truncate(server.endpoint.trim_end().len());
        ensure!(!server.endpoint.is_empty(), "the server did not start");
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it is gone already, that is all that is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The medians of all who take part in a case.
fn measure(case: &Case, plan: &Plan, stage: &Stage, callgrind: bool) -> anyhow::Result<Vec<Row>> {
    let clients = plan.clients(case);
    let mut rounds: Vec<Vec<Measured>> = vec![Vec::new(); clients.len()];
    for round in 0..plan.rounds {
        let mut turns: Vec<_> = clients.iter().zip(&mut rounds).collect();
        // Each client comes first in some round.
        turns.rotate_left(round % clients.len().max(1));
        for (client, measured) in turns {
            let output = process(&mut Command::new(std::env::current_exe()?))
                .args(stage.arguments(case, client)?)
                .args(["--millis", &plan.millis.to_string()])
                .output()?;
            ensure!(output.status.success(), "{client} failed at {}: {}", case.op, output.status);
            measured.push(serde_json::from_slice(&output.stdout)?);
        }
    }
    let mut rows = Vec::new();
    for (client, measured) in clients.iter().zip(rounds) {
        let instructions = if callgrind && case.counted() {
            Some(callgrind::instructions(&stage.arguments(case, client)?)?)
        } else {
            None
        };
        rows.push(Row::new(case, client, &measured, instructions)?);
    }
    Ok(rows)
}

/// What all processes that use a client have in common.
pub(crate) fn process(command: &mut Command) -> &mut Command {
    // Nobody is to ask the network for credentials.
    command.env("AWS_EC2_METADATA_DISABLED", "true").stderr(Stdio::inherit())
}

fn workspace() -> anyhow::Result<PathBuf> {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_dir.ancestors().nth(2).context("the crate is not in a workspace")?;
    fs::create_dir_all(root.join("target/bench"))?;
    Ok(root.into())
}
