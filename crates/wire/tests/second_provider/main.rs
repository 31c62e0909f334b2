//! A second provider, which does not exist: bearer tokens in place of signatures, JSON in place of XML,
//! error codes and a header of its own. It shows that nothing in the wire knows a provider, and talks to
//! a real HTTP server through the built-in client.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

mod provider;
mod server;

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use polycloud_core::page::paginate;
use polycloud_core::retry::RetryPolicy;
use polycloud_core::{ErrorKind, Outcome, Retry};

use crate::provider::Items;
use crate::server::{Act, Server, TOKEN_LIFETIME, json, refuse};

#[tokio::test(start_paused = true)]
async fn a_request_carries_a_token_that_is_fetched_once() {
    let server = Server::new((0..10).map(|_| json(200, r#"{"items":[],"next":null}"#)));
    let items = Items::new(&server, RetryPolicy::default());
    futures::future::try_join_all((0..10).map(|_| items.page(None))).await.unwrap();
    assert_eq!(server.tokens(), 1);
    for seen in server.seen() {
        assert_eq!(seen.headers["authorization"], "Bearer token-1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_authorised_again_and_waits_as_the_provider_says() {
    let wait = TOKEN_LIFETIME.as_secs() + 5;
    let server = Server::new([
        refuse(503, "busy", &[("nimbus-wait-seconds", wait.to_string())]),
        json(200, r#"{"items":["a"],"next":null}"#),
    ]);
    let items = Items::new(&server, RetryPolicy::default().with_time(TOKEN_LIFETIME * 2));
    let (names, _) = items.page(None).await.unwrap();
    assert_eq!(names, ["a"]);
    let seen = server.seen();
    assert!(seen[1].at - seen[0].at >= Duration::from_secs(wait));
    assert_eq!(seen[0].headers["authorization"], "Bearer token-1");
    assert_eq!(seen[1].headers["authorization"], "Bearer token-2");
    assert_ne!(seen[0].headers["nimbus-time"], seen[1].headers["nimbus-time"]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_time_that_is_left_is_told_instead() {
    let server = Server::new([refuse(429, "busy", &[("nimbus-wait-seconds", "3600".into())])]);
    let error = Items::new(&server, RetryPolicy::default()).page(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(error.outcome(), Outcome::NotApplied);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_fetched_anew_once() {
    let server = Server::new([
        refuse(401, "token_expired", &[]),
        json(200, r#"{"items":[],"next":null}"#),
        refuse(401, "token_expired", &[]),
        refuse(401, "token_expired", &[]),
    ]);
    // Not a retry that a policy would have to allow.
    let items = Items::new(&server, RetryPolicy::never());
    items.page(None).await.unwrap();
    assert_eq!(server.tokens(), 2);
    let error = items.page(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(server.tokens(), 3);
    let bearers: Vec<_> =
        server.seen().iter().map(|seen| seen.headers["authorization"].clone()).collect();
    assert_eq!(bearers, ["Bearer token-1", "Bearer token-2", "Bearer token-2", "Bearer token-3"]);
}

#[tokio::test(start_paused = true)]
async fn tokens_are_fetched_with_retries_and_their_failure_is_the_error() {
    let server = Server::new([json(200, r#"{"items":[],"next":null}"#)]);
    server.fail_tokens(2);
    let items = Items::new(&server, RetryPolicy::default());
    items.page(None).await.unwrap();

    let server = Server::new([]);
    server.fail_tokens(1000);
    let error = Items::new(&server, RetryPolicy::default()).page(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.outcome(), Outcome::NotApplied);
    assert!(server.seen().is_empty(), "nothing is sent without a token");
}

#[tokio::test(start_paused = true)]
async fn refusals_are_errors_with_code_and_request() {
    let server = Server::new([
        refuse(404, "no_such_item", &[]),
        refuse(403, "some_new_code", &[]),
        Act::Answer(404, vec![], "<html>not found</html>".into()),
        Act::Answer(500, vec![], r#"{"error":{"#.into()),
    ]);
    let items = Items::new(&server, RetryPolicy::never());
    let error = items.get("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!((error.code(), error.request_id()), (Some("no_such_item"), Some("req-7")));
    assert_eq!((error.status(), error.provider()), (Some(404), "nimbus"));
    for kind in [ErrorKind::PermissionDenied, ErrorKind::NotFound, ErrorKind::Unavailable] {
        assert_eq!(items.get("k").await.unwrap_err().kind(), kind);
    }
    assert_eq!(server.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_inside_a_success_is_found() {
    let server = Server::new([
        json(200, r#"{"error":{"code":"try_again"}}"#),
        json(200, r#"{"items":["a"],"next":null}"#),
        json(200, r#"{"error":{"code":"no_such_item"}}"#),
    ]);
    let items = Items::new(&server, RetryPolicy::default());
    assert_eq!(items.page(None).await.unwrap().0, ["a"]);
    assert_eq!(items.page(None).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn answers_that_make_no_sense_are_errors() {
    let long = format!(r#"{{"items":["{}"]}}"#, "x".repeat(1 << 17));
    for body in ["", "{", "[]", r#"{"items":7}"#, &long] {
        let server = Server::new([Act::Answer(200, vec![], body.to_owned())]);
        let error = Items::new(&server, RetryPolicy::never()).page(None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_become_one_stream_and_a_repeated_token_an_error() {
    let page = |item: &str, next: &str| {
        let next = if next.is_empty() { "null".into() } else { format!("\"{next}\"") };
        json(200, &format!(r#"{{"items":["{item}"],"next":{next}}}"#))
    };
    let server = Server::new([page("a", "to b/c"), page("b", "2"), page("c", "")]);
    let items = Items::new(&server, RetryPolicy::default());
    let all: Vec<_> = paginate(|token| items.page(token)).try_collect().await.unwrap();
    assert_eq!(all, ["a", "b", "c"]);
    let targets: Vec<_> = server.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/v1/items", "/v1/items?page=to%20b%2Fc", "/v1/items?page=2"]);

    let server = Server::new([page("a", "1"), page("b", "2"), page("c", "1")]);
    let items = Items::new(&server, RetryPolicy::default());
    let all: Result<Vec<_>, _> = paginate(|token| items.page(token)).try_collect().await;
    assert_eq!(all.unwrap_err().kind(), ErrorKind::InvalidResponse);
}

#[tokio::test(start_paused = true)]
async fn a_download_goes_on_where_it_was_interrupted() {
    let tag = |rest: &[(&'static str, &str)]| {
        let tag = ("etag", "\"v1\"".to_owned());
        let rest = rest.iter().map(|(name, value)| (*name, (*value).to_owned()));
        std::iter::once(tag).chain(rest).collect::<Vec<_>>()
    };
    let server = Server::new([
        Act::Cut(200, tag(&[("content-length", "10")]), "0123".into()),
        Act::Cut(
            206,
            tag(&[("content-length", "6"), ("content-range", "bytes 4-9/10")]),
            "45".into(),
        ),
        Act::Answer(206, tag(&[("content-range", "bytes 6-9/10")]), "6789".into()),
    ]);
    let items = Items::new(&server, RetryPolicy::default());
    assert_eq!(items.get("a/../b").await.unwrap(), Bytes::from("0123456789"));
    let seen = server.seen();
    for (index, range) in [(1, "bytes=4-9"), (2, "bytes=6-9")] {
        assert_eq!(seen[index].headers["range"], range);
        assert_eq!(seen[index].headers["if-match"], "\"v1\"");
    }
    assert!(seen.iter().all(|seen| seen.target == "/v1/items/a/../b"));

    let server = Server::new([
        Act::Cut(200, tag(&[("content-length", "10")]), "0123".into()),
        refuse(412, "version_conflict", &[]),
    ]);
    let error = Items::new(&server, RetryPolicy::default()).get("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ObjectChanged);
}

#[tokio::test(start_paused = true)]
async fn a_write_without_an_answer_is_repeated_or_its_outcome_unknown() {
    let server = Server::new([Act::Drop, json(200, "{}")]);
    let items = Items::new(&server, RetryPolicy::default());
    items.put("k", "content", false).await.unwrap();
    let bodies: Vec<_> = server.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, ["content", "content"]);

    let server = Server::new([Act::Drop, refuse(412, "version_conflict", &[])]);
    let items = Items::new(&server, RetryPolicy::default());
    let error = items.put("k", "content", true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    assert_eq!(error.outcome(), Outcome::Unknown, "the first attempt may have written it");

    let server = Server::new([refuse(412, "version_conflict", &[])]);
    let items = Items::new(&server, RetryPolicy::default());
    let error = items.put("k", "content", true).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotApplied, "refused without a doubt");

    let server = Server::new([Act::Drop, Act::Drop, Act::Drop]);
    let items = Items::new(&server, RetryPolicy::default().with_attempts(3));
    let error = items.put("k", "content", false).await.unwrap_err();
    assert_eq!((error.outcome(), error.retry()), (Outcome::Unknown, Retry::Exhausted));
    assert_eq!(server.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_in_what_is_printed() {
    let server = Server::new([refuse(403, "some_new_code", &[])]);
    let items = Items::new(&server, RetryPolicy::never());
    let error = items.page(None).await.unwrap_err();
    let shown = format!("{items:?} {items:#?} {error:?} {error}");
    assert!(!shown.contains("token-1") && !shown.contains("Bearer"), "{shown}");
}
