//! Row 14: what a bulk delete says of single keys.

use std::sync::Arc;

use polycloud_core::object::{DeleteItem, DeleteResult, ObjectStore as _};
use polycloud_core::{ErrorKind, Outcome, Result};

use crate::lab::{RuntimeClock, key, on_paused_time, store};
use crate::raw_server::{Answer, Attack, Server, answer, ok};

/// Deletes "a" and "b". The first answer names "a" as deleted, and an error for "b".
async fn deleted(code: &str, then: Option<&'static str>) -> (Vec<Result<DeleteResult>>, u64) {
    let told = format!(
        "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>{code}</Code>\
         <Message>no</Message></Error></DeleteResult>"
    );
    let attack: Attack = Arc::new(move |n| match (n, then) {
        (0, _) => ok(&told),
        (_, None) => Answer::Say(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        (_, Some(status)) => Answer::Say(answer(status, "", b"")),
    });
    let clock = Arc::new(RuntimeClock::new());
    let server = Server::new(&attack, &clock);
    let store = store(server.clone(), clock, 1).await;
    let items = ["a", "b"].map(|name| DeleteItem::from(key(name)));
    let outcomes = store.delete_many(items.into()).await;
    let names: Vec<_> = outcomes.iter().map(|outcome| outcome.item.key.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    (outcomes.into_iter().map(|outcome| outcome.result).collect(), server.requests())
}

#[test]
fn what_passes_is_tried_again_for_this_key_alone() {
    for code in ["InternalError", "SlowDown", "ServiceUnavailable", "OperationAborted"] {
        let (results, requests) = on_paused_time(deleted(code, None));
        assert!(results.iter().all(Result::is_ok), "{code}: {results:?}");
        assert_eq!(requests, 2, "{code}");
    }
}

#[test]
fn what_stays_is_told_of_this_key_alone() {
    for (code, kind) in [
        ("AccessDenied", ErrorKind::PermissionDenied),
        ("MethodNotAllowed", ErrorKind::Unsupported),
    ] {
        let (results, requests) = on_paused_time(deleted(code, None));
        let [Ok(_), Err(error)] = &results[..] else { panic!("{code}: {results:?}") };
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NotApplied));
        assert_eq!(requests, 1, "{code}");
    }
}

#[test]
fn what_may_have_happened_is_not_denied_later() {
    for (code, outcome) in [("InternalError", Outcome::Unknown), ("SlowDown", Outcome::NotApplied)]
    {
        for status in ["503 Slow Down", "403 Forbidden"] {
            let (results, _) = on_paused_time(deleted(code, Some(status)));
            let [Ok(_), Err(error)] = &results[..] else { panic!("{code}: {results:?}") };
            assert_eq!(error.outcome(), outcome, "{code}, {status}: {error:?}");
        }
    }
}
