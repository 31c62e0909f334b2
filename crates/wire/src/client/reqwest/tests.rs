use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use polycloud_core::object::{Payload, PayloadSource};
use polycloud_core::{ErrorKind, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

fn client() -> ReqwestClient {
    ReqwestClient::from_builder(reqwest::Client::builder().no_proxy()).unwrap()
}

/// A server that takes one request, whose content ends as `ending` says, and answers it; and what it was
/// sent.
async fn serve(ending: &'static str, answer: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let seen = read_to(&mut stream, ending).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        seen
    });
    (address, task)
}

async fn read_to(stream: &mut TcpStream, ending: &str) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(ending.as_bytes()) {
        seen.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(seen).unwrap()
}

async fn send(
    client: &ReqwestClient,
    method: &str,
    url: &str,
    body: RequestBody,
) -> Result<http::Response<ResponseBody>, SendError> {
    client.send(http::Request::builder().method(method).uri(url).body(body).unwrap()).await
}

async fn get(url: &str) -> Result<http::Response<ResponseBody>, SendError> {
    send(&client(), "GET", url, RequestBody::empty()).await
}

#[track_caller]
fn refused(
    result: Result<http::Response<ResponseBody>, SendError>,
    kind: SendErrorKind,
    reached: Reached,
) -> SendError {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.reached()), (kind, reached), "{error:?}");
    error
}

/// Eleven bytes, unless it fails.
#[derive(Debug)]
struct Pieces(&'static [&'static str], Option<&'static str>);

impl PayloadSource for Pieces {
    fn len(&self) -> u64 {
        11
    }

    fn open(&self) -> BoxStream<'static, polycloud_core::Result<Bytes>> {
        let pieces = self.0.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
        let failure =
            self.1.map(|text| Err(Error::new(ErrorKind::SourceFailed).with_message(text)));
        stream::iter(pieces.chain(failure)).boxed()
    }
}

const EMPTY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn targets_arrive_as_they_are() {
    for target in
        ["/", "/b/a%2Fb//c/", "/b/%C3%BC%20~_-.,;=", "/b/a..b/...?list&x=a%2Bb+c", "/b%25?"]
    {
        let (address, seen) = serve("\r\n\r\n", EMPTY).await;
        get(&format!("http://{address}{target}")).await.unwrap();
        let seen = seen.await.unwrap();
        assert!(seen.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{target}: {seen}");
    }
}

#[tokio::test]
async fn targets_that_would_change_are_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for target in ["/a/../b", "/a/..", "/a/./b", "/.", "/%2e%2E/a", "/a?x='"] {
        let result = get(&format!("http://{address}{target}")).await;
        let error = refused(result, SendErrorKind::Malformed, Reached::Nothing);
        assert!(error.to_string().contains("reqwest would change"), "{error}");
        assert_eq!(Error::from(error).outcome(), Outcome::NotApplied);
    }
    let connected = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
    assert!(connected.is_err(), "nothing may be sent");
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let (address, seen) = serve(
        "second",
        "HTTP/1.1 200 OK\r\netag: \"x\"\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n",
    )
    .await;
    let payload = Payload::from_source(Pieces(&["first", "second"], None));
    let body = RequestBody::from(&payload);
    let progress = body.progress().unwrap().clone();
    let response = send(&client(), "PUT", &format!("http://{address}/k"), body).await.unwrap();
    assert_eq!(response.headers()["etag"], "\"x\"");
    let mut body = response.into_body();
    let mut received = Vec::new();
    while let Some(chunk) = body.next_chunk().await.unwrap() {
        received.extend_from_slice(&chunk);
    }
    assert_eq!(received, b"onetwo");
    let seen = seen.await.unwrap();
    assert!(
        seen.contains("content-length: 11\r\n") && seen.ends_with("\r\n\r\nfirstsecond"),
        "{seen}"
    );
    assert!(progress.count() >= 2);
}

#[tokio::test]
async fn a_body_that_is_cut_is_an_error() {
    let (address, _) =
        serve("\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort").await;
    let mut body = get(&format!("http://{address}/")).await.unwrap().into_body();
    assert_eq!(body.next_chunk().await.unwrap().unwrap(), "short");
    assert_eq!(body.next_chunk().await.unwrap_err().kind(), SendErrorKind::Closed);
}

#[tokio::test]
async fn a_redirect_is_returned_and_one_that_was_followed_is_an_error() {
    const MOVED: &str = "HTTP/1.1 302 Found\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n";
    let (address, _) = serve("\r\n\r\n", MOVED).await;
    assert_eq!(get(&format!("http://{address}/a")).await.unwrap().status(), 302);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for answer in [MOVED, EMPTY] {
            read_to(&mut stream, "\r\n\r\n").await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let follows = ReqwestClient::new(reqwest::Client::builder().no_proxy().build().unwrap());
    let url = format!("http://{address}/a");
    let result = send(&follows, "GET", &url, RequestBody::empty()).await;
    let error = refused(result, SendErrorKind::Malformed, Reached::Perhaps);
    assert!(error.to_string().contains("redirects"), "{error}");
}

#[tokio::test]
async fn errors_tell_how_far_the_request_got() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let result = get(&format!("http://{free}/?sig=c4n4ry")).await;
    let error = refused(result, SendErrorKind::Connect, Reached::Nothing);
    assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");

    let (address, _) = serve("\r\n\r\n", "").await;
    let result = get(&format!("http://{address}/?sig=c4n4ry")).await;
    let error = refused(result, SendErrorKind::Closed, Reached::Perhaps);
    assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");

    let (address, _) = serve("\r\n\r\n", "SSH-2.0-Test\r\n\r\n").await;
    let result = get(&format!("http://{address}/")).await;
    refused(result, SendErrorKind::Malformed, Reached::Perhaps);

    let (address, _) = serve("", "HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let result = get(&format!("https://{address}/")).await;
    refused(result, SendErrorKind::Tls, Reached::Nothing);
}

#[tokio::test]
async fn the_failure_of_a_source_is_kept_for_the_caller() {
    let (address, _) = serve("first", "").await;
    let payload = Payload::from_source(Pieces(&["first"], Some("disk on fire")));
    let body = RequestBody::from(&payload);
    let progress = body.progress().unwrap().clone();
    let result = send(&client(), "PUT", &format!("http://{address}/k"), body).await;
    refused(result, SendErrorKind::Source, Reached::Perhaps);
    assert_eq!(progress.take_failure().unwrap().message(), "disk on fire");
}
