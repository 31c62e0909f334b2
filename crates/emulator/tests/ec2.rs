//! EC2 by signed requests, its faults, and user data as processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers fail as tests do"
)]

mod common;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Answer, Call, element, start};
use polycloud_emulator::{Credentials, Emulator, EmulatorClock, Fault, FaultRates, Rule, Service};
use serde_json::Value;
use tokio::net::TcpStream;

fn emulator() -> Emulator {
    Emulator::builder().clock(EmulatorClock::manual(start())).build().unwrap()
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn form(action: &str, parameters: &[(&str, &str)]) -> Call {
    let mut body = format!("Action={action}&Version=2016-11-15");
    for (name, value) in parameters {
        body.push_str(&format!("&{name}={}", encode(value)));
    }
    let mut call = Call::new("POST", "/").body(body);
    call.service = "ec2";
    call.header("content-type", "application/x-www-form-urlencoded")
}

/// Sends a request, signed at the time of the emulator.
async fn ec2(emulator: &Emulator, call: Call) -> Answer {
    try_ec2(emulator, call).await.expect("an answer")
}

async fn try_ec2(emulator: &Emulator, call: Call) -> Option<Answer> {
    let (mut ours, theirs) = tokio::io::duplex(1 << 20);
    tokio::spawn(emulator.serve_ec2(theirs));
    let call = call.at(emulator.clock().now()).sign(emulator.credentials());
    call.try_send(&mut ours).await
}

async fn ask(emulator: &Emulator, action: &str, parameters: &[(&str, &str)]) -> String {
    let answer = ec2(emulator, form(action, parameters)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().to_owned()
}

async fn image(emulator: &Emulator) -> String {
    let filters =
        [("Filter.1.Name", "architecture"), ("Filter.1.Value.1", "x86_64"), ("Owner.1", "amazon")];
    let document = ask(emulator, "DescribeImages", &filters).await;
    element(&document, "imageId").unwrap()
}

async fn launch(emulator: &Emulator, more: &[(&str, &str)]) -> Answer {
    let image = image(emulator).await;
    let base = [
        ("ImageId", image.as_str()),
        ("InstanceType", "t3.micro"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
    ];
    ec2(emulator, form("RunInstances", &[&base[..], more].concat())).await
}

async fn launched(emulator: &Emulator, more: &[(&str, &str)]) -> String {
    let answer = launch(emulator, more).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.element("instanceId").unwrap()
}

fn wait(emulator: &Emulator, seconds: u64) {
    emulator.clock().advance(Duration::from_secs(seconds));
}

async fn state(emulator: &Emulator, id: &str) -> String {
    let document = ask(emulator, "DescribeInstances", &[("InstanceId.1", id)]).await;
    element(&element(&document, "instanceState").unwrap(), "name").unwrap()
}

#[tokio::test]
async fn the_life_of_an_instance_over_a_socket() {
    let clock = EmulatorClock::manual(start());
    let emulator = Emulator::builder().clock(clock).start().await.unwrap();
    let id = launched(&emulator, &[]).await;
    let mut socket = TcpStream::connect(emulator.ec2_url().replace("http://", "")).await.unwrap();
    wait(&emulator, 12);
    let describe = form("DescribeInstances", &[("InstanceId.1", &id)]);
    let call = describe.at(emulator.clock().now()).sign(emulator.credentials());
    let answer = call.send(&mut socket).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/xml;charset=UTF-8"));
    let document = answer.text();
    let root = "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">";
    assert!(document.contains(root), "{document}");
    assert!(document.contains("<name>running</name>"), "{document}");
    ask(&emulator, "StopInstances", &[("InstanceId.1", &id)]).await;
    assert_eq!(state(&emulator, &id).await, "stopping");
    wait(&emulator, 30);
    assert_eq!(state(&emulator, &id).await, "stopped");
    ask(&emulator, "TerminateInstances", &[("InstanceId.1", &id)]).await;
    assert_eq!(state(&emulator, &id).await, "terminated");
    assert!(emulator.ec2().resources().is_empty());
    let recorded = emulator.journal().requests();
    let run = recorded.iter().find(|request| request.operation == "RunInstances").unwrap();
    assert_eq!((run.service, run.status), (Service::Ec2, Some(200)));
    assert_eq!(run.signed_by.as_deref(), Some(emulator.credentials().access_key.as_str()));
    assert!(run.query_names.iter().any(|name| name == "InstanceType"));
}

#[tokio::test]
async fn errors_are_documents_of_ec2() {
    let emulator = emulator();
    let answer = ec2(&emulator, form("DescribeNothing", &[])).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "InvalidAction"));
    let text = answer.text();
    assert!(text.contains("<Response><Errors><Error><Code>InvalidAction</Code>"), "{text}");
    assert!(text.contains("</Errors><RequestID>"), "{text}");
    let answer = ec2(&emulator, form("TerminateInstances", &[])).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "MissingParameter"));
    let answer = launch(&emulator, &[("DryRun", "true")]).await;
    assert_eq!((answer.status, answer.code().as_str()), (412, "DryRunOperation"));
    let missing = [("InstanceId.1", "i-0123456789abcdef0")];
    let answer = ec2(&emulator, form("DescribeInstances", &missing)).await;
    assert_eq!(answer.code(), "InvalidInstanceID.NotFound");
}

#[tokio::test]
async fn only_signed_requests_are_carried_out() {
    let emulator = emulator();
    let send = async |call: Call| {
        let (mut ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(emulator.serve_ec2(theirs));
        let answer = call.send(&mut ours).await;
        (answer.status, answer.code())
    };
    let regions = || form("DescribeInstances", &[]);
    let credentials = emulator.credentials();
    assert_eq!(send(regions().sign(credentials)).await.0, 200);
    let unsigned = send(regions()).await;
    assert_eq!(unsigned, (403, "MissingAuthenticationToken".to_owned()));
    let wrong = Credentials::new(&credentials.access_key, "wrong");
    let wrong = send(regions().sign(&wrong)).await;
    assert_eq!(wrong, (403, "SignatureDoesNotMatch".to_owned()));
    let unknown = send(regions().sign(&Credentials::new("nobody", "wrong"))).await;
    assert_eq!(unknown, (401, "AuthFailure".to_owned()));
    let late = regions().at(start() + Duration::from_secs(3600)).sign(credentials);
    assert_eq!(send(late).await, (400, "RequestExpired".to_owned()));
    let mut changed = regions().sign(credentials);
    changed.body = form("TerminateInstances", &[]).body;
    assert_eq!(send(changed).await.1, "SignatureDoesNotMatch");
    let mut nowhere = regions();
    nowhere.region = "nowhere";
    assert_eq!(send(nowhere.sign(credentials)).await.1, "AuthFailure");
}

#[tokio::test]
async fn regions_are_apart() {
    let emulator = emulator();
    launched(&emulator, &[]).await;
    wait(&emulator, 5);
    let ids = async |region| {
        let mut call = form("DescribeInstances", &[]);
        call.region = region;
        ec2(&emulator, call).await.element("instanceId")
    };
    assert!(ids("us-east-1").await.is_some());
    assert_eq!(ids("eu-west-1").await, None);
    let regions = emulator.ec2().instances().into_iter().map(|known| known.region);
    assert_eq!(regions.collect::<Vec<_>>(), ["us-east-1"]);
}

#[tokio::test]
async fn faults_before_and_after_the_effect() {
    let emulator = emulator();
    let faults = emulator.faults();
    let run = |fault| Rule::new(fault).operation("RunInstances");
    let status =
        Fault::Status { status: 503, code: "RequestLimitExceeded".to_owned(), retry_after: None };
    faults.push(run(status));
    let answer = launch(&emulator, &[]).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "RequestLimitExceeded"));
    assert!(answer.text().contains("<Response><Errors>"), "{}", answer.text());
    assert!(emulator.ec2().instances().is_empty());

    faults.push(run(Fault::ErrorAfterEffect { status: 500, code: "InternalError".to_owned() }));
    let token = [("ClientToken", "t-1")];
    let answer = launch(&emulator, &token).await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "InternalError"));
    let made = emulator.ec2().instances();
    assert_eq!(made.len(), 1);
    assert_eq!(launched(&emulator, &token).await, made[0].id);

    let image = image(&emulator).await;
    faults.push(run(Fault::ResetAfterEffect));
    let base =
        [("ImageId", &*image), ("InstanceType", "t3.micro"), ("MinCount", "1"), ("MaxCount", "1")];
    assert!(try_ec2(&emulator, form("RunInstances", &base)).await.is_none());
    assert_eq!(emulator.ec2().instances().len(), 2);
}

#[tokio::test]
async fn seeded_faults_and_throttling() {
    let emulator = emulator();
    let rates = FaultRates { status: 0.3, reset_after_effect: 0.2, ..FaultRates::NONE };
    emulator.faults().seeded(7, rates);
    let mut codes = Vec::new();
    for _ in 0..60 {
        match try_ec2(&emulator, form("DescribeInstances", &[])).await {
            None => codes.push("reset".to_owned()),
            Some(answer) if answer.status != 200 => codes.push(answer.code()),
            Some(_) => {}
        }
    }
    codes.sort();
    codes.dedup();
    assert_eq!(codes, ["InternalError", "RequestLimitExceeded", "Unavailable", "reset"]);
    emulator.faults().clear();
    emulator.ec2().throttle("DescribeInstances", 1.0);
    let answer = ec2(&emulator, form("DescribeInstances", &[])).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "RequestLimitExceeded"));
    emulator.ec2().throttle("DescribeInstances", 0.0);
    ask(&emulator, "DescribeInstances", &[]).await;
}

#[tokio::test]
async fn controls_act_on_instances() {
    let emulator = emulator();
    let controls = emulator.ec2();
    controls.timings(|timings| timings.pending = Duration::ZERO);
    controls.lag(Duration::ZERO, 0);
    let spot = launched(&emulator, &[("InstanceMarketOptions.MarketType", "spot")]).await;
    assert_eq!(state(&emulator, &spot).await, "running");
    controls.interrupt_spot(&spot).unwrap();
    assert_eq!(state(&emulator, &spot).await, "shutting-down");
    assert!(controls.interrupt_spot(&spot).is_err());
    controls.capacity("us-east-1a", "t3.micro", 0);
    let placed = [("Placement.AvailabilityZone", "us-east-1a")];
    let answer = launch(&emulator, &placed).await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "InsufficientInstanceCapacity"));
    controls.unlimited_capacity();
    let id = launched(&emulator, &placed).await;
    controls.shut_down(&id).unwrap();
    wait(&emulator, 30);
    assert_eq!(state(&emulator, &id).await, "stopped");
    controls.fail_launches("us-east-1", 1, "Server.InternalError", "broken").unwrap();
    let failed = launched(&emulator, &[]).await;
    assert_eq!(state(&emulator, &failed).await, "terminated");
    let kinds = controls.resources().into_iter().map(|known| known.kind).collect::<Vec<_>>();
    assert_eq!(kinds, ["instance", "volume", "network-interface"]);
    emulator.reset();
    assert!(controls.resources().is_empty());
}

#[tokio::test]
async fn services_with_json_answer_at_the_same_address() {
    let emulator = emulator();
    let mut call = Call::new("POST", "/").body("{\"Name\":\"/nothing\"}");
    call.service = "ssm";
    let call = call
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "AmazonSSM.GetParameter");
    let answer = ec2(&emulator, call).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/x-amz-json-1.1"));
    let told = serde_json::from_str::<Value>(answer.text()).unwrap();
    assert_eq!(told["__type"], "ParameterNotFound");
    assert_eq!(emulator.journal().requests()[0].operation, "GetParameter");
}

#[cfg(unix)]
mod user_data {
    use super::*;

    const TRIES: usize = 1000;

    #[allow(clippy::disallowed_methods, reason = "processes have no clock to wait on")]
    async fn pause() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    async fn until(holds: impl Fn() -> bool) {
        for _ in 0..TRIES {
            if holds() {
                return;
            }
            pause().await;
        }
        panic!("it never held");
    }

    fn running() -> Emulator {
        let clock = EmulatorClock::manual(start());
        let emulator = Emulator::builder().clock(clock).run_user_data(true).build().unwrap();
        emulator.ec2().timings(|timings| timings.pending = Duration::ZERO);
        emulator.ec2().lag(Duration::ZERO, 0);
        emulator
    }

    async fn console(emulator: &Emulator, id: &str) -> String {
        let document = ask(emulator, "GetConsoleOutput", &[("InstanceId", id)]).await;
        let output = element(&document, "output").unwrap_or_default();
        String::from_utf8(STANDARD.decode(output).unwrap()).unwrap()
    }

    async fn console_with(emulator: &Emulator, id: &str, wanted: &str) -> String {
        for _ in 0..TRIES {
            let text = console(emulator, id).await;
            if text.contains(wanted) {
                return text;
            }
            pause().await;
        }
        panic!("no {wanted:?} in {:?}", console(emulator, id).await);
    }

    fn process(text: &str) -> rustix::process::Pid {
        let number = text.split("pid=").nth(1).unwrap().split_whitespace().next().unwrap();
        rustix::process::Pid::from_raw(number.parse().unwrap()).unwrap()
    }

    async fn ends(process: rustix::process::Pid) {
        until(|| rustix::process::test_kill_process(process).is_err()).await;
    }

    const FOREVER: &str = "#!/bin/sh\nsleep 600 &\necho \"dir=$PWD pid=$!\"\necho env; env\nwait\n";

    #[tokio::test]
    async fn scripts_run_and_end_with_their_instance() {
        let emulator = running();
        let id = launched(&emulator, &[("UserData", &STANDARD.encode(FOREVER))]).await;
        let text = console_with(&emulator, &id, "LANG=C.UTF-8").await;
        assert!(text.starts_with(&format!("instance {id} boots\n")), "{text}");
        assert!(!text.contains("CARGO"), "{text}");
        let dir = text.split("dir=").nth(1).unwrap().split_whitespace().next().unwrap();
        assert!(std::fs::metadata(dir).unwrap().is_dir());
        ask(&emulator, "TerminateInstances", &[("InstanceId.1", &id)]).await;
        ends(process(&text)).await;
        wait(&emulator, 60);
        assert_eq!(state(&emulator, &id).await, "terminated");
        until(|| std::fs::metadata(dir).is_err()).await;
    }

    #[tokio::test]
    async fn an_image_has_what_a_script_wrote() {
        let emulator = running();
        let script = STANDARD.encode("#!/bin/sh\necho kept >file\necho \"do\"ne\n");
        let id = launched(&emulator, &[("UserData", &script)]).await;
        console_with(&emulator, &id, "done\n").await;
        let image = ask(&emulator, "CreateImage", &[("InstanceId", &id), ("Name", "image")]).await;
        let image = element(&image, "imageId").unwrap().to_owned();
        ask(&emulator, "TerminateInstances", &[("InstanceId.1", &id)]).await;
        wait(&emulator, 120);
        let script = STANDARD.encode("#!/bin/sh\ncat file\n");
        let machine = [("InstanceType", "t3.micro"), ("MinCount", "1"), ("MaxCount", "1")];
        let boots = [("ImageId", &*image), ("UserData", &*script)];
        let copy = ask(&emulator, "RunInstances", &[machine.as_slice(), &boots].concat()).await;
        let copy = element(&copy, "instanceId").unwrap();
        console_with(&emulator, &copy, "kept\n").await;
    }

    #[tokio::test]
    async fn nothing_outlives_the_emulator() {
        let emulator = running();
        let id = launched(&emulator, &[("UserData", &STANDARD.encode(FOREVER))]).await;
        let text = console_with(&emulator, &id, "LANG=C.UTF-8").await;
        let dir = text.split("dir=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        let (mut ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(emulator.serve_ec2(theirs));
        let image = image(&emulator).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("there");
        let script = STANDARD.encode(format!("#!/bin/sh\ntouch {}\n", file.display()));
        let run = form(
            "RunInstances",
            &[
                ("ImageId", &image),
                ("UserData", &script),
                ("InstanceType", "t3.micro"),
                ("MinCount", "1"),
                ("MaxCount", "1"),
            ],
        );
        let run = run.at(emulator.clock().now()).sign(emulator.credentials());
        drop(emulator);
        ends(process(&text)).await;
        assert!(std::fs::metadata(dir).is_err());
        // A connection that is still there starts nothing.
        assert_eq!(run.send(&mut ours).await.status, 200);
        for _ in 0..20 {
            pause().await;
        }
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn parts_run_one_after_the_other_and_once() {
        let emulator = running();
        let document = "Content-Type: multipart/mixed; boundary=\"b\"\nMIME-Version: 1.0\n\n\
                        --b\nContent-Type: text/cloud-config\n\n#cloud-config\nusers: []\n\
                        --b\nContent-Type: text/x-shellscript\n\n#!/bin/sh\necho one; exit 3\n\
                        --b\nContent-Type: text/x-shellscript\n\n#!/bin/sh\necho two >&2\n--b--\n";
        let id = launched(&emulator, &[("UserData", &STANDARD.encode(document))]).await;
        let text = console_with(&emulator, &id, "two").await;
        assert!(text.contains("one\n"), "{text}");
        assert!(text.contains("user data ended with status 3\n"), "{text}");
        for action in ["StopInstances", "StartInstances"] {
            ask(&emulator, action, &[("InstanceId.1", &id)]).await;
            wait(&emulator, 60);
        }
        assert_eq!(state(&emulator, &id).await, "running");
        let text = console(&emulator, &id).await;
        assert_eq!(text.matches("two").count(), 1, "{text}");
        assert_eq!(text.matches("boots").count(), 2, "{text}");
    }

    #[tokio::test]
    async fn what_cannot_run_is_told() {
        let emulator = running();
        let script = STANDARD.encode("#!/no/such/interpreter\n");
        let id = launched(&emulator, &[("UserData", &script)]).await;
        console_with(&emulator, &id, "user data does not run").await;
    }

    #[tokio::test]
    async fn with_the_machines_clock_nobody_has_to_ask() {
        let emulator = Emulator::builder().run_user_data(true).start().await.unwrap();
        emulator.ec2().timings(|timings| timings.pending = Duration::from_millis(50));
        emulator.ec2().lag(Duration::ZERO, 0);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("there");
        let script = format!("#!/bin/sh\ntouch {}\n", file.display());
        launched(&emulator, &[("UserData", &STANDARD.encode(script))]).await;
        until(|| file.exists()).await;
    }

    /// The host does not go with the instance.
    #[tokio::test]
    async fn an_instance_switches_itself_off() {
        let emulator = running();
        let script = "#!/bin/sh\nsleep 600 &\necho \"pid=$! end\"\nshutdown -h now\necho after\n";
        let id = launched(&emulator, &[("UserData", &STANDARD.encode(script))]).await;
        let process = process(&console_with(&emulator, &id, "end\n").await);
        ends(process).await;
        for _ in 0..TRIES {
            if state(&emulator, &id).await == "stopping" {
                break;
            }
            pause().await;
        }
        assert_eq!(state(&emulator, &id).await, "stopping");
        assert!(!console(&emulator, &id).await.contains("after"));
    }

    #[tokio::test]
    async fn nothing_runs_unless_it_is_to() {
        let emulator = emulator();
        let script = STANDARD.encode("#!/bin/sh\necho ran\n");
        let id = launched(&emulator, &[("UserData", &script)]).await;
        wait(&emulator, 60);
        assert_eq!(state(&emulator, &id).await, "running");
        pause().await;
        assert_eq!(console(&emulator, &id).await, format!("instance {id} boots\n"));
    }
}
