//! Every fault, as a client sees it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers fail as tests do")]

mod common;

use std::time::Duration;

use common::{Answer, Call, connect, element, emulator, get, put, receive};
use polycloud_emulator::{Emulator, Fault, FaultRates, Rule, StallAt};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// A call to the object `key`.
fn call(method: &'static str, emulator: &Emulator) -> Call {
    let call = Call::new(method, "/bucket/key");
    let call = if method == "PUT" { call.body("new content") } else { call };
    call.sign(emulator.credentials())
}

/// What becomes of one call with a fault.
async fn with(emulator: &Emulator, fault: impl Into<Rule>, call: &Call) -> Option<Answer> {
    emulator.faults().push(fault);
    let answer = call.try_send(&mut connect(emulator)).await;
    assert_eq!(emulator.faults().fired().len(), 1, "it fired");
    let recorded = emulator.journal().requests().pop();
    // The answer may end before the server is done with it.
    tokio::task::yield_now().await;
    if let Some(recorded) = recorded {
        assert_eq!(emulator.faults().fired()[0].request, recorded.id);
        assert_eq!(Some(&emulator.faults().fired()[0].fault), recorded.fault.as_ref());
    }
    answer
}

/// An emulator with `key` holding "old content".
async fn prepared() -> Emulator {
    let emulator = emulator();
    assert_eq!(put(&emulator, "key", "old content").await.status, 200);
    emulator.journal().clear();
    emulator
}

async fn content(emulator: &Emulator) -> String {
    get(emulator, "key").await.text().to_owned()
}

fn status(status: u16, code: &str, retry_after: Option<&str>) -> Fault {
    let retry_after = retry_after.map(str::to_owned);
    Fault::Status { status, code: code.to_owned(), retry_after }
}

#[tokio::test]
async fn resets_before_the_effect() {
    for fault in [
        Fault::ResetBeforeRead,
        Fault::ResetDuringBody { after_bytes: 0 },
        Fault::ResetDuringBody { after_bytes: 5 },
        Fault::ResetDuringBody { after_bytes: 1000 },
        Fault::ResetBeforeResponse,
    ] {
        let emulator = prepared().await;
        let answer = with(&emulator, fault.clone(), &call("PUT", &emulator)).await;
        assert_eq!(answer, None, "{fault:?}");
        assert_eq!(emulator.journal().requests()[0].status, None);
        assert_eq!(content(&emulator).await, "old content", "{fault:?}");
    }
}

#[tokio::test]
async fn a_reset_after_the_effect() {
    let emulator = prepared().await;
    assert_eq!(with(&emulator, Fault::ResetAfterEffect, &call("PUT", &emulator)).await, None);
    assert_eq!(content(&emulator).await, "new content");
}

#[tokio::test]
async fn errors_before_the_effect() {
    for (fault, expected) in [
        (status(503, "SlowDown", Some("7")), 503),
        (status(429, "TooManyRequests", Some("Fri, 24 May 2013 00:00:09 GMT")), 429),
        (status(500, "InternalError", None), 500),
        (status(504, "Gateway<&>", None), 504),
        (Fault::ErrorIn200 { code: "SlowDown".to_owned(), after_effect: false }, 200),
        (Fault::ExpiredToken, 400),
    ] {
        let emulator = prepared().await;
        let answer = with(&emulator, fault.clone(), &call("PUT", &emulator)).await.unwrap();
        assert_eq!(answer.status, expected);
        assert!(answer.text().contains("<Error><Code>"), "{}", answer.text());
        if let Fault::Status { retry_after, .. } = &fault {
            assert_eq!(answer.header("retry-after"), retry_after.as_deref());
        }
        assert_eq!(content(&emulator).await, "old content", "{fault:?}");
    }
}

#[tokio::test]
async fn errors_after_the_effect() {
    let code = || "InternalError".to_owned();
    for (fault, expected) in [
        (Fault::ErrorAfterEffect { status: 500, code: code() }, 500),
        (Fault::ErrorIn200 { code: code(), after_effect: true }, 200),
    ] {
        let emulator = prepared().await;
        let answer = with(&emulator, fault, &call("PUT", &emulator)).await.unwrap();
        assert_eq!((answer.status, answer.code()), (expected, code()));
        assert_eq!(content(&emulator).await, "new content");
    }
}

/// Head and body of an answer that is not complete.
async fn partial(emulator: &Emulator, fault: Fault) -> (String, Vec<u8>) {
    emulator.faults().push(fault);
    let mut io = connect(emulator);
    io.write_all(call("GET", emulator).head().as_bytes()).await.unwrap();
    let received = receive(&mut io, false).await.unwrap_err();
    let end = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    (String::from_utf8(received[..end].to_vec()).unwrap(), received[end..].to_vec())
}

#[tokio::test]
async fn answers_that_end_early() {
    for (cut, expected) in [(0, ""), (3, "old"), (10, "old conten"), (99, "old content")] {
        let emulator = prepared().await;
        let mut expected = expected.as_bytes().to_vec();
        if cut < 99 {
            let fault = Fault::ResetDuringResponse { after_bytes: cut };
            assert_eq!(partial(&emulator, fault).await.1, expected, "{cut}");
        }
        expected.truncate(10);
        let (head, body) = partial(&emulator, Fault::TruncateBody { after_bytes: cut }).await;
        assert_eq!(body, expected, "{cut}");
        assert!(head.contains("content-length: 11\r\n"), "{head}");
    }
}

#[tokio::test]
async fn a_reset_behind_the_last_byte_ends_the_connection() {
    let emulator = prepared().await;
    emulator.faults().push(Fault::ResetDuringResponse { after_bytes: 99 });
    let mut io = connect(&emulator);
    let answer = call("GET", &emulator).send(&mut io).await;
    assert_eq!(answer.text(), "old content");
    assert_eq!(io.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn an_answer_is_cut_behind_its_own_head() {
    let emulator = prepared().await;
    emulator
        .faults()
        .push(Rule::new(Fault::TruncateBody { after_bytes: 4 }).operation("ListObjectsV2"));
    let mut io = connect(&emulator);
    // A client that waits for it gets an interim answer, which has a head of its own.
    let list = Call::new("GET", "/bucket?list-type=2").sign(emulator.credentials());
    let upload = call("PUT", &emulator).header("expect", "100-continue");
    assert_eq!(upload.send(&mut io).await.status, 200);
    io.write_all(list.head().as_bytes()).await.unwrap();
    let received = receive(&mut io, false).await.unwrap_err();
    assert!(received.ends_with(b"\r\n\r\n<?xm"), "{}", String::from_utf8_lossy(&received));
}

#[tokio::test(start_paused = true)]
async fn stalls() {
    let duration = Duration::from_secs(3600);
    for at in [
        StallAt::BeforeEffect,
        StallAt::BeforeHeaders,
        StallAt::InBody { after_bytes: 3 },
        StallAt::InBody { after_bytes: 99 },
    ] {
        let emulator = prepared().await;
        let begin = Instant::now();
        let fault = Fault::Stall { at, duration };
        let answer = with(&emulator, fault, &call("GET", &emulator)).await.unwrap();
        assert_eq!(answer.text(), "old content");
        let all_sent = at == StallAt::InBody { after_bytes: 99 };
        assert_eq!(begin.elapsed() >= duration, !all_sent, "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_a_stall_is() {
    let duration = Duration::from_secs(60);
    for (at, effect, received) in
        [(StallAt::BeforeEffect, "old content", 0), (StallAt::BeforeHeaders, "new content", 0)]
    {
        let emulator = prepared().await;
        emulator.faults().push(Fault::Stall { at, duration });
        let mut io = connect(&emulator);
        let call = call("PUT", &emulator);
        io.write_all(call.head().as_bytes()).await.unwrap();
        io.write_all(&call.body).await.unwrap();
        let mut buffer = [0; 1000];
        let wait = tokio::time::timeout(duration / 2, io.read(&mut buffer)).await;
        assert_eq!(wait.map_or(0, Result::unwrap), received, "{at:?}");
        assert_eq!(content(&emulator).await, effect, "{at:?}");
        // The client is gone; what it asked for comes about nevertheless.
        drop(io);
        tokio::time::advance(duration).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(content(&emulator).await, "new content", "{at:?}");
    }
    let emulator = prepared().await;
    emulator.faults().push(Fault::Stall { at: StallAt::InBody { after_bytes: 3 }, duration });
    let mut io = connect(&emulator);
    io.write_all(call("GET", &emulator).head().as_bytes()).await.unwrap();
    let received = tokio::time::timeout(duration / 2, receive(&mut io, false)).await;
    assert!(received.is_err(), "the body is not complete");
}

#[tokio::test]
async fn a_skewed_clock() {
    let emulator = prepared().await;
    let rule = Rule::new(Fault::SkewedClock { seconds: 3600 }).always();
    let answer = with(&emulator, rule, &call("GET", &emulator)).await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (403, "RequestTimeTooSkewed"));
    let date = answer.header("date").unwrap();
    assert_eq!(date, "Fri, 24 May 2013 01:00:00 GMT");
    // Who learns from it is answered.
    let learned = httpdate::parse_http_date(date).unwrap();
    let again = Call::new("GET", "/bucket/key").at(learned).sign(emulator.credentials());
    assert_eq!(again.to(&emulator).await.text(), "old content");
    emulator.faults().script([Fault::SkewedClock { seconds: -3600 }.into()]);
    let answer = call("GET", &emulator).to(&emulator).await;
    assert_eq!(answer.header("date"), Some("Thu, 23 May 2013 23:00:00 GMT"));
    assert_eq!(answer.code(), "RequestTimeTooSkewed");
}

#[tokio::test]
async fn listings() {
    let emulator = prepared().await;
    for key in ["a", "b", "c"] {
        put(&emulator, key, "").await;
    }
    let page = async |token: &str| {
        let token =
            if token.is_empty() { String::new() } else { format!("&continuation-token={token}") };
        let list = Call::new("GET", format!("/bucket?list-type=2&max-keys=2{token}"));
        list.sign(emulator.credentials()).to(&emulator).await
    };
    emulator.faults().push(Rule::new(Fault::RepeatedToken).always());
    let first = page("").await.element("NextContinuationToken").unwrap();
    let escaped = first.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
    for _ in 0..5 {
        let next = page(&escaped).await;
        assert_eq!(next.element("NextContinuationToken"), Some(first.clone()));
        assert_eq!(next.element("IsTruncated").as_deref(), Some("true"));
    }
    assert_eq!(emulator.faults().fired().len(), 5, "the first page has no token to repeat");

    emulator.faults().script([Fault::PageCut.into()]);
    let cut = page("").await;
    assert_eq!(cut.status, 200);
    assert!(!cut.text().contains("</ListBucketResult>"), "{}", cut.text());
    assert!(page("").await.text().contains("</ListBucketResult>"));
}

#[tokio::test]
async fn reads() {
    let emulator = prepared().await;
    let before = call("GET", &emulator).to(&emulator).await;
    let etag = before.header("etag").unwrap();
    let flipped = with(&emulator, Fault::WrongChecksum, &call("GET", &emulator)).await.unwrap();
    assert_ne!(flipped.body, before.body);
    assert_eq!(flipped.body.len(), before.body.len());
    assert_eq!(flipped.header("etag"), Some(etag));
    assert_eq!(
        flipped.header("x-amz-checksum-crc64nvme"),
        before.header("x-amz-checksum-crc64nvme")
    );

    let range = || {
        let call = Call::new("GET", "/bucket/key").header("range", "bytes=4-6");
        call.header("if-match", etag).sign(emulator.credentials())
    };
    emulator.faults().script([Fault::RangeIgnored.into(), Fault::WrongContentRange.into()]);
    let whole = range().to(&emulator).await;
    assert_eq!((whole.status, whole.text()), (200, "old content"));
    assert_eq!(whole.header("content-range"), None);
    let shifted = range().to(&emulator).await;
    assert_eq!((shifted.status, shifted.text()), (206, "con"));
    assert_eq!(shifted.header("content-range"), Some("bytes 5-7/11"));
    assert_eq!(range().to(&emulator).await.header("content-range"), Some("bytes 4-6/11"));

    emulator.faults().push(Rule::new(Fault::EtagChange).nth(2));
    assert_eq!(range().to(&emulator).await.status, 206);
    assert_eq!(range().to(&emulator).await.status, 412);
    let changed = call("GET", &emulator).to(&emulator).await;
    assert_eq!(changed.body.len(), before.body.len());
    assert_ne!(changed.header("etag"), Some(etag));
    assert_eq!(changed.header("content-type"), before.header("content-type"));
}

#[tokio::test]
async fn faults_pass_by_what_they_cannot_happen_to() {
    let emulator = prepared().await;
    emulator.faults().script(
        [
            Fault::RangeIgnored,
            Fault::PageCut,
            Fault::ResetDuringBody { after_bytes: 0 },
            Fault::TruncateBody { after_bytes: 0 },
        ]
        .map(Rule::from),
    );
    assert_eq!(call("HEAD", &emulator).to(&emulator).await.status, 200);
    assert_eq!(emulator.faults().fired(), []);
    emulator.faults().clear();
    assert_eq!(content(&emulator).await, "old content");
}

/// A client over a socket sees a reset as one.
#[tokio::test]
async fn resets_of_sockets() {
    let emulator = Emulator::start().await.unwrap();
    emulator.create_bucket("bucket").unwrap();
    emulator.make_bucket_public("bucket").unwrap();
    let address = emulator.s3_url().replace("http://", "");
    let reset = async |fault: Fault| {
        emulator.faults().push(fault);
        let mut io = TcpStream::connect(&address).await.unwrap();
        let call = Call::new("PUT", "/bucket/key").body("content");
        // The reset may come before all is written.
        let _ = io.write_all(call.head().as_bytes()).await;
        let _ = io.write_all(&call.body).await;
        let mut received = Vec::new();
        io.read_to_end(&mut received).await.map_err(|error| error.kind())
    };
    for fault in [
        Fault::RefuseConnection,
        Fault::ResetBeforeRead,
        Fault::ResetDuringBody { after_bytes: 3 },
        Fault::ResetBeforeResponse,
        Fault::ResetAfterEffect,
    ] {
        let kind = reset(fault.clone()).await.unwrap_err();
        assert_eq!(kind, std::io::ErrorKind::ConnectionReset, "{fault:?}");
    }
    assert_eq!(emulator.faults().fired().len(), 5);
    // An orderly end is no reset.
    emulator.faults().push(Fault::TruncateBody { after_bytes: 2 });
    let mut io = TcpStream::connect(&address).await.unwrap();
    io.write_all(Call::new("GET", "/bucket/key").head().as_bytes()).await.unwrap();
    let received = receive(&mut io, false).await.unwrap_err();
    assert!(received.ends_with(b"\r\n\r\nco"));
}

#[tokio::test]
async fn connections_in_memory_are_refused() {
    let emulator = prepared().await;
    emulator.faults().push(Fault::RefuseConnection);
    assert_eq!(call("GET", &emulator).try_send(&mut connect(&emulator)).await, None);
    assert_eq!(emulator.faults().fired()[0].operation, "Connect");
    assert_eq!(content(&emulator).await, "old content");
}

#[tokio::test(start_paused = true)]
async fn seeds_can_be_repeated() {
    let run = async |seed| {
        let emulator = prepared().await;
        emulator.faults().seeded(seed, FaultRates::uniform(0.03));
        let mut answers = Vec::new();
        for number in 0..100 {
            let call = match number % 4 {
                0 => call("PUT", &emulator),
                1 => Call::new("GET", "/bucket?list-type=2").sign(emulator.credentials()),
                _ => call("GET", &emulator),
            };
            let answer = call.try_send(&mut connect(&emulator)).await;
            answers.push(answer.map(|answer| (answer.status, answer.body)));
        }
        (answers, emulator.faults().fired())
    };
    let (first, second, other) = (run(1).await, run(1).await, run(2).await);
    assert_eq!(first, second);
    assert!(!first.1.is_empty());
    assert_ne!(first.1, other.1);
    // What failed and what did not is known.
    let failed = first.0.iter().filter(|answer| answer.is_none()).count();
    assert!(failed > 0 && failed <= first.1.len());
}

#[tokio::test]
async fn faults_of_operations_and_keys() {
    let emulator = prepared().await;
    emulator.faults().push(
        Rule::new(status(500, "InternalError", None)).operation("PutObject").key("other").nth(2),
    );
    assert_eq!(put(&emulator, "other", "1").await.status, 200);
    assert_eq!(put(&emulator, "key", "1").await.status, 200);
    let answer = put(&emulator, "other", "2").await;
    assert_eq!(answer.status, 500);
    assert_eq!(element(answer.text(), "Resource").as_deref(), Some("/bucket/other"));
    assert_eq!(put(&emulator, "other", "3").await.status, 200);
}
