//! Serving: sockets, hosts, the journal, persistence, limits.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers fail as tests do")]

mod common;

use std::time::Duration;

use common::{Answer, Call, connect, emulator, get, put, receive, start};
use polycloud_emulator::{Credentials, Emulator, EmulatorClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

async fn dial(emulator: &Emulator) -> TcpStream {
    TcpStream::connect(emulator.s3_url().replace("http://", "")).await.unwrap()
}

#[tokio::test]
async fn an_emulator_listens_until_it_is_dropped() {
    let emulator = Emulator::start().await.unwrap();
    let address = emulator.s3_url().replace("http://", "");
    let mut io = dial(&emulator).await;
    let call = Call::new("GET", "/").at(emulator.clock().now()).sign(emulator.credentials());
    assert_eq!(call.send(&mut io).await.status, 200);
    for url in [emulator.sts_url(), emulator.imds_url()] {
        TcpStream::connect(url.replace("http://", "")).await.unwrap();
    }
    drop(emulator);
    assert_eq!(io.read(&mut [0; 1]).await.unwrap_or(0), 0);
    // The task that listens ends once it is polled again.
    tokio::task::yield_now().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let emulator = Emulator::start().await.unwrap();
    let address = emulator.s3_url().replace("http://", "").parse().unwrap();
    let error = Emulator::builder().s3_address(address).start().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn buckets_in_the_name_of_the_host() {
    let clock = EmulatorClock::manual(start());
    let emulator = Emulator::builder().clock(clock).domain("s3.example.test").build().unwrap();
    emulator.create_bucket("bucket").unwrap();
    put(&emulator, "a/key", "content").await;
    for host in [
        "bucket.localhost:9000",
        "bucket.s3.localhost",
        "bucket.s3.us-east-1.amazonaws.com",
        "bucket.s3.example.test",
        "bucket.127.0.0.1.nip.io:9000",
    ] {
        let call = Call::new("GET", "/a/key").header("host", host);
        let answer = call.sign(emulator.credentials()).to(&emulator).await;
        assert_eq!((answer.status, answer.text()), (200, "content"), "{host}");
    }
}

#[tokio::test]
async fn paths_are_not_normalised() {
    let emulator = emulator();
    let keys = ["/leading", "a//b", "a/../b", "./a", "..", ".", "trailing/", "%2F", "a+b"];
    for key in keys {
        let sent = key.replace('%', "%25").replace('+', "%2B");
        assert_eq!(put(&emulator, &sent, key).await.status, 200, "{key}");
        assert_eq!(get(&emulator, &sent).await.text(), key);
    }
    let list = Call::new("GET", "/bucket?list-type=2").sign(emulator.credentials());
    let listed = list.to(&emulator).await.text().matches("<Key>").count();
    assert_eq!(listed, keys.len());
    let bad = Call::new("GET", "/bucket/%ff").sign(emulator.credentials()).to(&emulator).await;
    assert_eq!((bad.status, bad.code().as_str()), (400, "InvalidURI"));
}

#[tokio::test]
async fn continue_is_sent_only_to_who_may() {
    let emulator = emulator();
    let call = || Call::new("PUT", "/bucket/key").header("expect", "100-continue").body("content");
    let mut io = connect(&emulator);
    io.write_all(call().sign(emulator.credentials()).head().as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    io.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    io.write_all(b"content").await.unwrap();
    assert_eq!(receive(&mut io, false).await.unwrap().status, 200);

    let mut io = connect(&emulator);
    let stranger = Credentials::new("AKIASTRANGER", "secret");
    io.write_all(call().sign(&stranger).head().as_bytes()).await.unwrap();
    let mut status = [0; 12];
    io.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 403");
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let emulator = emulator();
    let long = format!("GET /bucket/{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(70_000));
    let endless = format!("GET / HTTP/1.1\r\nx: {}", "a".repeat(1_000_000));
    for (text, status) in [("NONSENSE\r\n\r\n", 400), (&long, 414), (&endless, 431)] {
        let mut io = connect(&emulator);
        let _ = io.write_all(text.as_bytes()).await;
        let answer = receive(&mut io, false).await.map(|answer| answer.status);
        assert_eq!(answer, Ok(status));
    }
    let large = Call::new("GET", "/bucket").header("x-large", "a".repeat(20_000));
    let answer = large.sign(emulator.credentials()).to(&emulator).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "RequestHeaderSectionTooLarge"));
}

#[tokio::test]
async fn bodies_of_unknown_or_wrong_length() {
    let emulator = emulator();
    let call = Call::new("PUT", "/bucket/key").header("transfer-encoding", "chunked");
    let mut call = call.sign(emulator.credentials());
    call.body = b"3\r\nabc\r\n0\r\n\r\n".to_vec();
    let answer = call.to(&emulator).await;
    assert_eq!((answer.status, answer.code().as_str()), (411, "MissingContentLength"));

    let huge = Call::new("PUT", "/bucket/key").header("content-length", "9000000000000000000");
    let answer = huge.sign(emulator.credentials()).to(&emulator).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "EntityTooLarge"));

    let mut io = connect(&emulator);
    let short = Call::new("PUT", "/bucket/key").header("content-length", "10");
    io.write_all(short.sign(emulator.credentials()).head().as_bytes()).await.unwrap();
    io.write_all(b"abc").await.unwrap();
    io.shutdown().await.unwrap();
    let mut rest = Vec::new();
    io.read_to_end(&mut rest).await.unwrap();
    assert_eq!(get(&emulator, "key").await.status, 404);
}

#[tokio::test]
async fn the_journal_tells_what_was_asked() {
    let emulator = emulator();
    put(&emulator, "key", "content").await;
    let call = Call::new("GET", "/bucket/key?versionId=null&x-id=GetObject");
    let call = call.header("x-amz-security-token", "canary").header("range", "bytes=0-1");
    let answer = call.to(&emulator).await;
    let requests = emulator.journal().requests();
    let [put, get] = requests.as_slice() else { panic!("two requests") };
    assert_eq!((put.operation.as_str(), put.status), ("PutObject", Some(200)));
    assert_eq!((put.bytes_in, put.bytes_out), (7, 0));
    assert_eq!(put.header("Authorization"), Some("[redacted]"));
    assert_eq!(get.id, answer.header("x-amz-request-id").unwrap());
    assert_eq!((get.method.as_str(), get.path.as_str()), ("GET", "/bucket/key"));
    assert_eq!(get.query_names, ["versionId", "x-id"]);
    assert_eq!(get.header("range"), Some("bytes=0-1"));
    assert_eq!(get.header("x-amz-security-token"), Some("[redacted]"));
    assert_eq!((get.status, get.signed_by.as_deref()), (Some(403), None));
    assert_eq!(emulator.journal().count("PutObject"), 1);
    emulator.journal().clear();
    assert_eq!(emulator.journal().requests(), []);
}

#[tokio::test]
async fn state_outlives_the_emulator() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let builder = Emulator::builder().clock(EmulatorClock::manual(start()));
        builder.persist(dir.path()).build().unwrap()
    };
    let emulator = open();
    emulator.create_bucket("bucket").unwrap();
    assert_eq!(put(&emulator, "kept", "content").await.status, 200);
    assert_eq!(put(&emulator, "gone", "content").await.status, 200);
    let delete = Call::new("DELETE", "/bucket/gone").sign(emulator.credentials());
    assert_eq!(delete.to(&emulator).await.status, 204);
    let before = get(&emulator, "kept").await;
    drop(emulator);

    let emulator = open();
    let after = get(&emulator, "kept").await;
    assert_eq!((after.text(), after.header("etag")), ("content", before.header("etag")));
    assert_eq!(after.header("last-modified"), before.header("last-modified"));
    assert_eq!(get(&emulator, "gone").await.status, 404);
    put(&emulator, "kept", "changed").await;
    drop(emulator);
    assert_eq!(get(&open(), "kept").await.text(), "changed");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state");
    let builder = Emulator::builder().clock(EmulatorClock::manual(start()));
    let emulator = builder.persist(&folder).build().unwrap();
    emulator.create_bucket("bucket").unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "a file in its place").unwrap();
    let answer = put(&emulator, "key", "content").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "InternalError"));
    assert!(answer.header("x-emulator-error").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_write_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let builder = Emulator::builder().clock(EmulatorClock::manual(start()));
    let emulator = builder.persist(dir.path()).start().await.unwrap();
    emulator.create_bucket("bucket").unwrap();
    let address = emulator.s3_url().replace("http://", "");
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let (address, credentials) = (address.clone(), emulator.credentials().clone());
        tasks.spawn(async move {
            let mut io = TcpStream::connect(address).await.unwrap();
            let mut statuses = Vec::new();
            for number in 0..5 {
                let own = Call::new("PUT", format!("/bucket/{task}-{number}")).body("content");
                assert_eq!(own.sign(&credentials).send(&mut io).await.status, 200);
                let one = Call::new("PUT", format!("/bucket/one-{number}"));
                let one = one.header("if-none-match", "*").body(task.to_string());
                statuses.push(one.sign(&credentials).send(&mut io).await.status);
            }
            statuses
        });
    }
    let mut won = [0; 5];
    while let Some(statuses) = tasks.join_next().await {
        for (won, status) in won.iter_mut().zip(statuses.unwrap()) {
            assert!(status == 200 || status == 412, "{status}");
            *won += i32::from(status == 200);
        }
    }
    assert_eq!(won, [1; 5]);
    let list = Call::new("GET", "/bucket?list-type=2").sign(emulator.credentials());
    let answer: Answer = list.to(&emulator).await;
    assert_eq!(answer.element("KeyCount").as_deref(), Some("85"));
}

#[tokio::test]
async fn limits_can_be_lowered() {
    let emulator = emulator();
    emulator.limits(|limits| limits.put_bytes = 4);
    let answer = put(&emulator, "key", "12345").await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "EntityTooLarge"));
    emulator.reset();
    emulator.create_bucket("bucket").unwrap();
    assert_eq!(put(&emulator, "key", "1234").await.status, 200);
    assert_eq!(put(&emulator, "key", "12345").await.status, 400, "limits outlive a reset");
    let error = emulator.create_bucket("a").unwrap_err();
    assert!(error.to_string().contains("InvalidBucketName"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_the_runtime() {
    let clock = EmulatorClock::runtime(start());
    let emulator = Emulator::builder().clock(clock).build().unwrap();
    emulator.create_bucket("bucket").unwrap();
    tokio::time::advance(Duration::from_secs(3600)).await;
    let call = Call::new("PUT", "/bucket/key").body("content");
    let answer = call.clone().sign(emulator.credentials()).to(&emulator).await;
    assert_eq!(answer.code(), "RequestTimeTooSkewed");
    let answer = call.at(emulator.clock().now()).sign(emulator.credentials()).to(&emulator).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("date"), Some("Fri, 24 May 2013 01:00:00 GMT"));
}
