//! Programs about virtual machines.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::aws::Aws;
use crate::run::{Running, command, nothing_is_left, succeed};

/// What a program says about the life of a machine.
fn tells_a_life(output: &str) {
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.len(), 5, "{output}");
    for (line, text) in lines.iter().zip([
        // Pending, or running already.
        ", is ",
        "it is running at ",
        "it is stopped",
        "it is running again, at ",
        " is terminated",
    ]) {
        assert!(line.contains(text), "{line} should tell that{text}");
    }
}

#[test]
fn vm_lifecycle() {
    let home = TempDir::new().unwrap();
    tells_a_life(&succeed("vm_lifecycle", home.path(), &[]));
    nothing_is_left(home.path());

    let aws = Aws::start();
    let machine = ["--name", "my-vm", "--image", "ubuntu:24.04", "--type", "t3.micro"];
    let output = aws.run("vm_lifecycle", &[&[&*aws.ec2()][..], &machine].concat());
    tells_a_life(&output);
    assert!(output.contains(", a t3.micro, "), "{output}");
    let instances = aws.emulator.ec2().instances();
    assert_eq!(instances.len(), 1);
    assert_eq!(instances[0].tags["Name"], "my-vm");
    aws.has_no_instances();
}

#[test]
fn vm_lifecycle_leaves_nothing_behind() {
    let aws = Aws::start();
    let unknown = aws.try_run("vm_lifecycle", &[&aws.ec2(), "--type", "t9.gigantic"]);
    let message = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(!unknown.status.success() && message.contains("not found"), "{message}");
    assert_eq!(aws.emulator.ec2().resources(), []);

    // Long enough to be interrupted.
    aws.emulator.ec2().timings(|timings| timings.pending = Duration::from_secs(600));
    let mut program = Running::start(aws.command("vm_lifecycle", &[&aws.ec2()]));
    let first = program.line();
    assert!(first.contains(" is pending"), "{first}");
    let (code, rest) = program.end("INT");
    assert_eq!(code, Some(1), "{rest}");
    assert!(rest.contains(" is terminated") && rest.contains("cancelled"), "{rest}");
    aws.has_no_instances();
}

/// An answer over HTTP.
struct Answer {
    status: u16,
    headers: String,
    body: Value,
}

/// Sends a request to a program and reads the answer.
fn ask(address: &str, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        headers: head.to_ascii_lowercase(),
        body: serde_json::from_str(body).unwrap_or_default(),
    }
}

/// Creates a machine through the service, waits until it runs, and removes it.
fn serves(mut service: Running) {
    let first = service.line();
    let address = first.trim().strip_prefix("listening on http://").unwrap();
    let post = |key: &str, body: &str| {
        ask(address, "POST", "/instances", &format!("Idempotency-Key: {key}\r\n"), body)
    };
    let get = |path: &str| ask(address, "GET", path, "", "");

    let body = r#"{"name": "web-1", "labels": {"team": "a"}}"#;
    let created = post("key-1", body);
    assert_eq!(created.status, 201, "{}", created.body);
    let id = created.body["id"].as_str().unwrap().to_owned();
    let path = format!("/instances/{id}");
    assert!(created.headers.contains(&format!("location: {path}").to_ascii_lowercase()));
    assert_eq!(post("key-1", body).body["id"], *id, "the same request makes the same instance");
    assert_eq!(post("key-1", r#"{"name": "web-2"}"#).status, 422);
    assert_eq!(post("key-2", body).status, 409);
    assert_eq!(post("key-3", r#"{"name": "Web 1"}"#).status, 422);
    assert_eq!(post("key-4", "{").status, 400);
    assert_eq!(post("key-5", r#"{"name": "b", "type": "no-such-type"}"#).status, 404);

    let mut shown = get(&path);
    for _ in 0..600 {
        if shown.status == 200 && shown.body["state"] == "running" {
            break;
        }
        wait_a_little();
        shown = get(&path);
    }
    assert_eq!(shown.body["state"], "running", "{}", shown.body);
    assert_eq!(shown.body["name"], "web-1");
    assert_eq!(shown.body["labels"]["team"], "a");
    let listed = get("/instances").body;
    assert_eq!(listed["instances"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["instances"][0]["id"], *id);

    assert_eq!(ask(address, "DELETE", &path, "", "").status, 202);
    assert_eq!(ask(address, "DELETE", &path, "", "").status, 202, "it can be repeated");
    let gone = get(&path);
    assert!(gone.status == 404 || gone.body["state"] != "running", "{}", gone.body);
    assert_eq!(get("/nowhere").status, 404);
    assert_eq!(get("/instances/nonsense").status, 400);
    assert_eq!(ask(address, "PUT", "/instances", "", "").status, 405);
    let (scope, native) = id.rsplit_once('/').unwrap();
    let native = native.replace(|c: char| c.is_ascii_digit(), "0");
    let unknown = get(&format!("/instances/{scope}/{native}"));
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    assert_eq!(unknown.body["error"]["kind"], "not found");

    let (code, rest) = service.end("TERM");
    assert_eq!(code, Some(0), "{rest}");
}

#[allow(clippy::disallowed_methods, reason = "it waits for another process")]
fn wait_a_little() {
    std::thread::sleep(Duration::from_millis(50));
}

#[test]
fn vm_service_on_this_machine() {
    let home = TempDir::new().unwrap();
    let arguments = ["--listen", "127.0.0.1:0"];
    serves(Running::start(command("vm_service", home.path(), &arguments, &[])));
    nothing_is_left(home.path());
}

#[test]
fn vm_service_on_ec2() {
    let aws = Aws::start();
    let compute = aws.ec2();
    let arguments = ["--listen", "127.0.0.1:0", "--compute", &compute];
    serves(Running::start(aws.command("vm_service", &arguments)));
    let instances = aws.emulator.ec2().instances();
    assert_eq!(instances.len(), 1, "{instances:?}");
    assert!(matches!(&*instances[0].state, "shutting-down" | "terminated"), "{instances:?}");
}
