//! The one retry loop, row by row.

use std::time::{Duration, SystemTime};

use crate::script::{Act, End, Script, say};
use bytes::Bytes;
use polycloud_core::object::{Payload, PayloadSource};
use polycloud_core::retry::{RetryBudget, RetryPolicy};
use polycloud_core::{Error, ErrorKind, Outcome, Result, Retry};
use polycloud_wire::client::{RequestBody, SendErrorKind};
use polycloud_wire::{Call, Class, Failure, Reply, Timeouts, Wire};

async fn call(wire: &Wire<crate::script::Madeup>, class: Class) -> Result<Reply, Failure> {
    let make = || Ok(http::Request::new(RequestBody::from(Bytes::from_static(b"body"))));
    wire.send(Call { operation: "op", class, make: &make }, 1024).await
}

fn headers(name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    vec![(name, value.to_owned())]
}

const CLASSES: [Class; 3] = [Class::Read, Class::Idempotent, Class::Conditional];

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again() {
    use SendErrorKind::{Closed, Connect, Stalled};
    let faults = [
        Act::Break(Connect),
        Act::Break(Closed),
        Act::Break(Stalled),
        say(500, ""),
        say(502, ""),
        say(503, ""),
        say(429, ""),
        say(408, ""),
        say(409, ""),
        say(200, "oops"),
        Act::Rest,
    ];
    for fault in faults {
        for class in CLASSES {
            let script = Script::new([fault.clone(), say(200, "fine")]);
            let reply = call(&script.wire(), class).await.unwrap();
            assert_eq!((reply.body.as_ref(), script.left()), (&b"fine"[..], 0), "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_stays_is_not() {
    for (fault, kind) in [
        (Act::Break(SendErrorKind::Tls), ErrorKind::Config),
        (say(400, ""), ErrorKind::InvalidArgument),
        (say(401, ""), ErrorKind::Unauthenticated),
        (say(403, ""), ErrorKind::PermissionDenied),
        (say(404, ""), ErrorKind::NotFound),
        (say(412, ""), ErrorKind::PreconditionFailed),
        (say(416, ""), ErrorKind::RangeNotSatisfiable),
        (say(307, ""), ErrorKind::Config),
    ] {
        let script = Script::new([fault.clone()]);
        let failure = call(&script.wire(), Class::Conditional).await.unwrap_err();
        assert_eq!(failure.error.kind(), kind, "{fault:?}");
        assert_eq!(failure.error.outcome(), Outcome::NotApplied, "{fault:?}");
        assert_eq!(failure.error.retry(), Retry::Never, "{fault:?}");
        assert!(!failure.ambiguous);
        assert_eq!(failure.error.provider(), "madeup");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_lost_answer_proves_nothing() {
    for lost in [Act::Break(SendErrorKind::Closed), say(500, ""), Act::Rest, say(200, "oops")] {
        let script = Script::new([lost.clone(), say(412, "")]);
        let failure = call(&script.wire(), Class::Conditional).await.unwrap_err();
        assert!(failure.ambiguous, "{lost:?}");
        assert_eq!(Error::from(failure).outcome(), Outcome::Unknown, "{lost:?}");
    }
    // Here nothing can have arrived, or nothing came of it.
    for harmless in [Act::Break(SendErrorKind::Connect), say(503, ""), say(409, "")] {
        let script = Script::new([harmless.clone(), say(412, "")]);
        let failure = call(&script.wire(), Class::Conditional).await.unwrap_err();
        assert!(!failure.ambiguous, "{harmless:?}");
    }
    let script = Script::new([Act::Break(SendErrorKind::Closed), say(404, "")]);
    let failure = call(&script.wire(), Class::Read).await.unwrap_err();
    assert_eq!(Error::from(failure).outcome(), Outcome::NotApplied, "a read changes nothing");
}

#[tokio::test(start_paused = true)]
async fn the_servers_hint_is_waited_for() {
    let at = |seconds| {
        let time = SystemTime::now() + Duration::from_secs(seconds);
        polycloud_wire::time::format_http_date(time)
    };
    for (name, value, least, most) in [
        ("retry-after", "7".to_owned(), 7.0, 7.0),
        ("retry-after", at(30), 28.0, 31.0),
        ("retry-after", at(0), 0.0, 1.0),
        ("retry-after", "soon".to_owned(), 0.0, 0.1),
        ("retry-after-ms", "2500".to_owned(), 2.5, 2.5),
        ("x-ms-retry-after-ms", "1500".to_owned(), 1.5, 1.5),
    ] {
        let act = Act::Say(503, headers(name, &value), "");
        let script = Script::new([act, say(200, "")]);
        call(&script.wire(), Class::Idempotent).await.unwrap();
        let pause = script.pause(0).as_secs_f64();
        assert!((least - 0.01..=most + 0.11).contains(&pause), "{name}: {value}: {pause}");
    }
    let late = Act::Say(503, headers("retry-after", "1000000000"), "");
    let script = Script::new([late]);
    let failure = call(&script.wire(), Class::Read).await.unwrap_err();
    assert_eq!(failure.error.retry_after(), Some(Duration::from_secs(1_000_000_000)));
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_renewed_once() {
    let script = Script::new([say(401, "expired"), say(200, "")]);
    call(&script.wire(), Class::Conditional).await.unwrap();
    assert!(script.header(0, "authorization").starts_with("token-0"));
    assert!(script.header(1, "authorization").starts_with("token-1"));
    assert_eq!(script.pause(0), Duration::ZERO, "it is no failure to wait after");
    let script = Script::new([say(401, "expired"), say(401, "expired")]);
    let failure = call(&script.wire(), Class::Read).await.unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn the_servers_clock_is_learned() {
    let server = SystemTime::now() - Duration::from_secs(3_600);
    let date = polycloud_wire::time::format_http_date(server);
    let skewed = Act::Say(403, headers("date", &date), "clock");
    let script = Script::new([skewed.clone(), say(200, ""), say(200, "")]);
    let wire = script.wire();
    call(&wire, Class::Read).await.unwrap();
    call(&wire, Class::Read).await.unwrap();
    let at = |n| -> u64 {
        script.header(n, "authorization").rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    let told = server.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert!(at(0).abs_diff(told) > 3_500);
    assert!(at(1).abs_diff(told) < 60 && at(2).abs_diff(told) < 60, "and kept");
    let script = Script::new([skewed.clone(), skewed]);
    assert!(call(&script.wire(), Class::Read).await.is_err());
}

#[tokio::test]
async fn an_old_request_is_told_from_old_credentials_by_the_clock() {
    let at = |behind: u64| {
        let server = SystemTime::now() - Duration::from_secs(behind);
        let date = polycloud_wire::time::format_http_date(server);
        Act::Say(403, headers("date", &date), "expired")
    };
    for (behind, changes) in [(0, true), (3_600, false)] {
        let script = Script::new([at(behind), say(200, "")]);
        call(&script.wire(), Class::Read).await.unwrap();
        let key = |n| script.header(n, "authorization").split(' ').next().unwrap().to_owned();
        assert_eq!(key(0) != key(1), changes, "{behind} s");
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_and_the_budget_end() {
    let script = Script::new((0..5).map(|_| say(503, "")));
    let failure = call(&script.wire(), Class::Read).await.unwrap_err();
    assert_eq!((failure.error.retry(), script.left()), (Retry::Exhausted, 0));
    let budget = RetryBudget::new(2);
    let script = Script::new((0..4).map(|_| say(500, "")));
    let wire = Wire::builder(crate::script::Madeup::default(), std::sync::Arc::new(script.clone()))
        .retry(RetryPolicy::default().with_budget(budget))
        .build();
    assert!(call(&wire, Class::Read).await.is_err(), "two retries from the budget");
    assert_eq!(script.left(), 1);
    assert!(call(&wire, Class::Read).await.is_err(), "which is spent for all");
    assert_eq!(script.left(), 0);
}

#[derive(Debug)]
struct Broken;

impl PayloadSource for Broken {
    fn len(&self) -> u64 {
        10
    }

    fn open(&self) -> futures::stream::BoxStream<'static, Result<Bytes>> {
        Box::pin(futures::stream::iter([Err(Error::new(ErrorKind::SourceFailed))]))
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up() {
    let script = Script::new((0..5).map(|_| Act::Rest));
    let failure = call(&script.wire(), Class::Idempotent).await.unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Timeout);
    assert_eq!(Error::from(failure).outcome(), Outcome::Unknown);
    assert!(script.pause(0) >= Duration::from_secs(30));
    let script = Script::new([Act::Rest, say(200, "")]);
    let wire = Wire::builder(crate::script::Madeup::default(), std::sync::Arc::new(script.clone()))
        .timeouts(Timeouts::default().with_attempt(Duration::from_secs(3)))
        .build();
    call(&wire, Class::Read).await.unwrap();
    assert!(script.pause(0) < Duration::from_secs(4));
}

#[test]
fn bodies_are_as_long_as_they_say() {
    use http_body::Body as _;
    let payload = Payload::from_source(Broken);
    assert_eq!(RequestBody::from(&payload).size_hint().exact(), Some(10));
    assert!(RequestBody::empty().is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_words_are_lost_is_asked_for_again() {
    for end in [End::Broken, End::Silent] {
        let cut = Act::Send(403, Vec::new(), vec!["exp"], end);
        let script = Script::new([cut, say(200, "fine")]);
        assert!(call(&script.wire(), Class::Conditional).await.is_ok());
    }
    let whole = Act::Send(403, Vec::new(), vec!["no"], End::Clean);
    let failure = call(&Script::new([whole]).wire(), Class::Read).await.unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::PermissionDenied);
}

#[tokio::test(start_paused = true)]
async fn who_is_denied_without_a_word_looks_at_the_clock() {
    let denied = |date: &str| Act::Say(403, headers("date", date), "");
    let elsewhere = "Wed, 01 Jan 2020 00:00:00 GMT";
    let script = Script::new([denied(elsewhere), say(200, "fine")]);
    assert!(call(&script.wire(), Class::Read).await.is_ok());
    let at = script.header(1, "authorization").rsplit_once(' ').unwrap().1.parse::<u64>().unwrap();
    assert!((1_577_836_800..1_577_836_860).contains(&at), "{at}");
    // That is no reason to ask for ever.
    let script = Script::new([denied(elsewhere), denied(elsewhere)]);
    let failure = call(&script.wire(), Class::Conditional).await.unwrap_err();
    let found = (failure.error.kind(), failure.ambiguous);
    assert_eq!(found, (ErrorKind::PermissionDenied, false));
}
