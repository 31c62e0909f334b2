//! Runs all cases: one process per client, case and round, the clients taking turns.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::case::Case;
use crate::client::{self, Who};
use crate::measure::Measured;
use crate::report::{self, Sample};

/// How thoroughly to measure.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Rounds, of which the medians count.
    pub(crate) rounds: usize,
    /// Only cases whose name contains one of these, if there are any.
    pub(crate) only: Vec<String>,
    /// Whether to write the documentation.
    pub(crate) publish: bool,
}

/// Measures, prints the table, and writes the report and the documentation.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let root = workspace()?;
    let wanted = |case: &Case| {
        plan.only.is_empty() || plan.only.iter().any(|only| case.name().contains(only.as_str()))
    };
    let cases: Vec<Case> = Case::ALL.into_iter().filter(wanted).collect();
    ensure!(!cases.is_empty(), "no case of that name");
    let mut samples = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        eprintln!("[{}/{}] {}", number + 1, cases.len(), case.title());
        samples.extend(measure(*case, plan.rounds)?);
    }
    let json = root.join("target/bench/compute.json");
    fs::write(&json, report::json(&samples)?)?;
    let table = report::table(&cases, &samples)?;
    println!("{table}\n{}", json.display());
    if plan.publish {
        let document = root.join("docs/benchmarks.md");
        let machine = report::machine(&root, plan.rounds)?;
        report::publish(&document, &format!("{machine}\n\n{table}"))?;
        println!("{}", document.display());
    }
    Ok(())
}

/// All rounds of a case, with a server of its own.
fn measure(case: Case, rounds: usize) -> anyhow::Result<Vec<Sample>> {
    let mut server = Server::start(case)?;
    if case == Case::List {
        client::populate(&server.endpoint)?;
    }
    let mut samples = Vec::new();
    for round in 0..rounds {
        let mut turns = [Who::Polycloud, Who::Sdk];
        // Each client comes first in some round.
        turns.rotate_left(round % 2);
        for who in turns {
            let prefix = format!("{}-{round}", who.argument());
            samples.push(sample(&mut server, who, case, &prefix)?);
        }
    }
    Ok(samples)
}

fn sample(server: &mut Server, who: Who, case: Case, prefix: &str) -> anyhow::Result<Sample> {
    let mut process = Process::start(&[
        "run",
        "--client",
        who.argument(),
        "--case",
        case.name(),
        "--at",
        &server.endpoint,
        "--prefix",
        prefix,
    ])?;
    let name = who.name();
    let ready = process.line()?;
    ensure!(ready == "ready", "{name} failed at {}", case.title());
    server.requests()?;
    process.tell()?;
    let line = process.line()?;
    let requests = server.requests()?;
    let cost: Measured = serde_json::from_str(&line)
        .with_context(|| format!("{name} failed at {}", case.title()))?;
    Ok(Sample { case: case.name(), client: name, requests, cost })
}

/// The server, which ends with this value.
struct Server {
    process: Process,
    endpoint: String,
}

impl Server {
    fn start(case: Case) -> anyhow::Result<Self> {
        let pending = case.pending().to_string();
        let mut process = Process::start(&["serve", "--pending", &pending])?;
        let endpoint = process.line()?;
        ensure!(!endpoint.is_empty(), "the server did not start");
        Ok(Self { process, endpoint })
    }

    /// How many requests there were since this was last asked.
    fn requests(&mut self) -> anyhow::Result<u64> {
        self.process.tell()?;
        Ok(self.process.line()?.parse()?)
    }
}

/// This program once more, which ends with this value.
struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            // Nobody is to ask the network for credentials.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Self { child, input, output })
    }

    /// Sends an empty line.
    fn tell(&mut self) -> anyhow::Result<()> {
        self.input.write_all(b"\n")?;
        Ok(self.input.flush()?)
    }

    /// The next line; an empty one if the process has ended.
    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // If it is gone already, that is all that is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn workspace() -> anyhow::Result<PathBuf> {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_dir.ancestors().nth(2).context("the crate is not in a workspace")?;
    fs::create_dir_all(root.join("target/bench"))?;
    Ok(root.into())
}
