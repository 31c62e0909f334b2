//! Third-party clients against our emulator.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use super::process::{Program, alone, logged};
use super::report::{Check, Verdict};
use super::{Bench, NotRun, cargo, install};

/// A client, or one side of it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) name: &'static str,
    /// The file with its checks.
    script: &'static str,
}

const fn client(name: &'static str, script: &'static str) -> Client {
    Client { name, script }
}

pub(crate) const PARTS: &[Client] = &[
    client("clients/boto3-objects", "boto3_objects.py"),
    client("clients/boto3-conditions", "boto3_conditions.py"),
    client("clients/boto3-multipart", "boto3_multipart.py"),
    client("clients/boto3-lists", "boto3_lists.py"),
    client("clients/boto3-checksums", "boto3_checksums.py"),
    client("clients/boto3-presigned", "boto3_presigned.py"),
    client("clients/boto3-buckets", "boto3_buckets.py"),
    client("clients/boto3-credentials", "boto3_credentials.py"),
    client("clients/boto3-transfer", "boto3_transfer.py"),
    client("clients/s5cmd", "s5cmd.py"),
    client("clients/rclone", "rclone.py"),
    client("clients/obstore", "obstore_store.py"),
];

pub(crate) const EC2_PARTS: &[Client] = &[
    client("clients/ec2-model", "ec2_model.py"),
    client("clients/boto3-ec2-instances", "boto3_ec2_instances.py"),
    client("clients/boto3-ec2-requests", "boto3_ec2_requests.py"),
    client("clients/boto3-ec2-listings", "boto3_ec2_listings.py"),
    client("clients/boto3-ec2-networks", "boto3_ec2_networks.py"),
    client("clients/boto3-ec2-volumes", "boto3_ec2_volumes.py"),
    client("clients/boto3-ec2-catalog", "boto3_ec2_catalog.py"),
];

/// How many times as fast as in the cloud instances change their states: the scripts wait for it.
const EC2_SPEED: &str = "20";

/// How long the checks of a client may take.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// The name under which a script as a whole is judged.
const SCRIPT: &str = "(the script)";

/// Runs the checks of a client against an emulator of its own.
pub(crate) async fn run(bench: &Bench, part: &Client) -> Result<Vec<Check>, NotRun> {
    let bin = install::environment(bench, &install::CLIENTS).await?;
    let checks = run_script(bench, part, &bin).await;
    // A script that cannot be judged has failed: that is our fault, not that of a missing program.
    Ok(checks
        .unwrap_or_else(|error| vec![Check::new(SCRIPT, Verdict::Failed(format!("{error:#}")))]))
}

async fn run_script(bench: &Bench, part: &Client, bin: &Path) -> anyhow::Result<Vec<Check>> {
    let (_emulator, description) = start_emulator(bench, part.name).await?;
    let home = tempfile::tempdir()?;
    let mut command = Command::new(bin.join("python"));
    alone(&mut command, home.path());
    command
        .arg(bench.sources().join("scripts").join(part.script))
        .args(&bench.checks)
        .env("CROSSCHECK_TARGET", description);
    logged(&mut command, &bench.log(part.name))?;
    let mut script = Program::start(command.stdout(Stdio::piped()))?;
    let mut lines = script.lines()?;
    let mut transcript = Transcript::default();
    let read = async {
        while let Some(line) = lines.next_line().await? {
            transcript.add(&line);
        }
        script.wait(LIMIT).await
    };
    let status = timeout(LIMIT, read).await.with_context(|| format!("not done after {LIMIT:?}"));
    let problem = match status {
        Ok(Ok(status)) if status.success() => None,
        Ok(Ok(status)) => Some(status.to_string()),
        Ok(Err(error)) | Err(error) => Some(format!("{error:#}")),
    };
    Ok(transcript.finish(problem))
}

/// Starts the emulator as a program, and returns the line that it prints.
async fn start_emulator(bench: &Bench, part: &str) -> anyhow::Result<(Program, String)> {
    let mut command = Command::new(emulator(bench).await?);
    alone(&mut command, &bench.folder);
    command.args(["--s3", "127.0.0.1:0", "--ec2", "127.0.0.1:0", "--ec2-speed", EC2_SPEED]);
    logged(&mut command, &bench.log(&format!("{part}-emulator")))?;
    let mut program = Program::start(command.stdout(Stdio::piped()))?;
    let mut lines = program.lines()?;
    let line = timeout(Duration::from_secs(60), lines.next_line()).await??;
    Ok((program, line.context("the emulator ended before it told where it is")?))
}

/// Builds the emulator, and returns the path of the program.
async fn emulator(bench: &Bench) -> anyhow::Result<PathBuf> {
    let arguments = [
        "build",
        "--quiet",
        "--package",
        "polycloud-emulator",
        "--bins",
        "--message-format",
        "json",
    ];
    let mut command = Command::new(cargo());
    command.args(arguments).current_dir(&bench.root).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().await?;
    ensure!(output.status.success(), "the emulator cannot be built");
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    let executable =
        |message: serde_json::Value| message.get("executable")?.as_str().map(PathBuf::from);
    messages.filter_map(executable).next_back().context("the emulator has no program")
}

/// What a script prints: how many checks there are, and what became of each.
#[derive(Debug, Default)]
struct Transcript {
    planned: Option<usize>,
    checks: Vec<Check>,
    strange: Option<String>,
}

impl Transcript {
    fn add(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "plan" if self.planned.is_none() => self.planned = rest.parse().ok(),
            "ok" => self.checks.push(Check::new(rest, Verdict::Passed)),
            "FAIL" => {
                let (name, why) = rest.split_once(": ").unwrap_or((rest, ""));
                self.checks.push(Check::new(name, Verdict::Failed(why.to_owned())));
            }
            _ => self.strange = Some(line.to_owned()),
        }
    }

    /// The checks, and one more if the script itself has failed.
    fn finish(mut self, problem: Option<String>) -> Vec<Check> {
        let done = self.checks.len();
        let problem = problem
            .or_else(|| self.strange.map(|line| format!("printed `{line}`")))
            .or_else(|| match self.planned {
                Some(planned) if planned == done => None,
                Some(planned) => Some(format!("ended after {done} of {planned} checks")),
                None => Some("does not tell how many checks there are".into()),
            });
        if let Some(problem) = problem {
            self.checks.push(Check::new(SCRIPT, Verdict::Failed(problem)));
        }
        self.checks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, problem: Option<&str>) -> Vec<(String, Verdict)> {
        let mut transcript = Transcript::default();
        text.lines().for_each(|line| transcript.add(line));
        let checks = transcript.finish(problem.map(str::to_owned));
        checks.into_iter().map(|check| (check.name, check.verdict)).collect()
    }

    fn failed(why: &str) -> Verdict {
        Verdict::Failed(why.into())
    }

    #[test]
    fn each_line_is_a_check() {
        let found = read("plan 2\nok one\nFAIL two: a: b", None);
        assert_eq!(found, [("one".into(), Verdict::Passed), ("two".into(), failed("a: b"))]);
    }

    #[test]
    fn a_script_that_ends_early_has_failed() {
        let of = |text, problem| read(text, problem).pop();
        let script = |why| Some((SCRIPT.to_owned(), failed(why)));
        assert_eq!(of("plan 2\nok one", None), script("ended after 1 of 2 checks"));
        assert_eq!(of("ok one", None), script("does not tell how many checks there are"));
        assert_eq!(of("", None), script("does not tell how many checks there are"));
        assert_eq!(of("plan 1\nok one\nhello", None), script("printed `hello`"));
        assert_eq!(of("plan 1\nok one", Some("exit status: 1")), script("exit status: 1"));
    }

    #[test]
    fn every_script_is_there_and_every_part_has_a_name_of_its_own() {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/crosscheck/scripts");
        let all: Vec<_> = PARTS.iter().chain(EC2_PARTS).collect();
        for (n, part) in all.iter().enumerate() {
            assert!(scripts.join(part.script).is_file(), "{}", part.script);
            assert!(all.iter().skip(n + 1).all(|other| other.name != part.name), "{}", part.name);
        }
    }
}
