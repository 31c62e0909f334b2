//! The emulator as a program.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers fail as tests do")]

mod common;

use std::process::Stdio;
use std::time::SystemTime;

use common::Call;
use polycloud_emulator::{Credentials, EmulatorClock};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

fn run(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_polycloud-emulator"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

fn now() -> SystemTime {
    EmulatorClock::system().now()
}

#[tokio::test]
async fn one_line_tells_what_a_client_needs() {
    let dir = tempfile::tempdir().unwrap();
    let persist = dir.path().to_str().unwrap();
    let arguments =
        ["--persist", persist, "--bucket", "one", "--bucket", "two", "--access-key", "AKIATEST"];
    let arguments =
        [&arguments[..], &["--secret-key", "secret", "--region", "eu-west-1", "--run-user-data"]]
            .concat();
    for _ in 0..2 {
        let mut child = run(&arguments);
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).await.unwrap();
        let told = serde_json::from_str::<Value>(&line).unwrap();
        assert_eq!(told["access_key"], "AKIATEST");
        assert_eq!(told["env"]["AWS_SECRET_ACCESS_KEY"], "secret");
        assert_eq!(told["env"]["AWS_ENDPOINT_URL_S3"], told["s3"]);
        for name in ["EC2", "SSM", "SERVICE_QUOTAS"] {
            assert_eq!(told["env"][format!("AWS_ENDPOINT_URL_{name}")], told["ec2"]);
        }
        let address = told["s3"].as_str().unwrap().replace("http://", "");
        let mut io = TcpStream::connect(address).await.unwrap();
        let mut call = Call::new("GET", "/one?location").at(now());
        call.region = "eu-west-1";
        let answer = call.sign(&Credentials::new("AKIATEST", "secret")).send(&mut io).await;
        assert!(answer.text().contains(">eu-west-1</LocationConstraint>"), "{}", answer.text());
        let id = rustix::process::Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert!(child.wait().await.unwrap().success());
    }
}

#[tokio::test]
async fn wrong_arguments_are_told() {
    for arguments in
        [&["--s3", "nowhere"][..], &["--access-key", "AKIATEST"], &["--bucket", "Not_A_Bucket"]]
    {
        let output = run(arguments).wait_with_output().await.unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}
