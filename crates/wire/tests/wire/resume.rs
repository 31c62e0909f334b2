//! Bodies that are interrupted: the whole content of one version, or an error.

use std::ops::Range;
use std::sync::Arc;

use crate::script::{Act, End, Script};
use polycloud_core::clock::{Random, SeededRandom};
use polycloud_core::{ErrorKind, Result};
use polycloud_wire::client::RequestBody;
use polycloud_wire::{Call, Class, Download};

const CONTENT: &str = "0123456789abcdefghij";

fn request(left: &Range<u64>) -> Result<http::Request<RequestBody>> {
    let mut request = http::Request::new(RequestBody::empty());
    let range = format!("bytes={}-{}", left.start, left.end - 1);
    request.headers_mut().insert("range", range.parse().unwrap());
    Ok(request)
}

fn part(from: usize, to: usize, end: End) -> Act {
    let headers = vec![
        ("content-range", format!("bytes {from}-{}/{}", CONTENT.len() - 1, CONTENT.len())),
        ("etag", "\"one\"".to_owned()),
    ];
    Act::Send(206, headers, vec![&CONTENT[from..to]], end)
}

async fn read(script: &Script, resumable: bool) -> Result<bytes::Bytes> {
    let wire = script.wire();
    let make = || Ok(http::Request::new(RequestBody::empty()));
    let call = Call { operation: "get", class: Class::Read, make: &make };
    let response = wire.open(call).await?;
    let body = wire.body(response, 0..CONTENT.len() as u64, 0, || Download {
        operation: "get",
        target: "k".into(),
        etag: Some(http::HeaderValue::from_static("\"one\"")),
        reopen: resumable.then(|| Box::new(request) as _),
    })?;
    body.bytes().await
}

fn whole(to: usize, end: End) -> Act {
    Act::Send(200, vec![("etag", "\"one\"".to_owned())], vec![&CONTENT[..to]], end)
}

#[tokio::test(start_paused = true)]
async fn goes_on_where_it_stopped() {
    for end in [End::Broken, End::Silent, End::Clean] {
        for cut in 0..CONTENT.len() {
            let script = Script::new([whole(cut, end), part(cut, CONTENT.len(), End::Clean)]);
            assert_eq!(read(&script, true).await.unwrap(), CONTENT, "{end:?} at {cut}");
            assert_eq!(script.header(1, "range"), format!("bytes={cut}-19"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn is_cut_at_any_places() {
    for seed in 0..200 {
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(seed));
        let (mut acts, mut at) = (Vec::new(), 0);
        while at < CONTENT.len() {
            let to = at + usize::try_from(random.below(8)).unwrap();
            let to = to.min(CONTENT.len()).max(at + usize::from(!acts.is_empty()));
            let ends = [End::Broken, End::Silent, End::Clean];
            let end = ends[usize::try_from(random.below(3)).unwrap()];
            acts.push(if acts.is_empty() { whole(to, end) } else { part(at, to, end) });
            at = to;
        }
        let script = Script::new(acts);
        assert_eq!(read(&script, true).await.unwrap(), CONTENT, "seed {seed}");
        assert_eq!(script.left(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn never_splices() {
    let headers = |etag: &str, range: &str| {
        vec![("etag", etag.to_owned()), ("content-range", range.to_owned())]
    };
    let rows = [
        (crate::script::say(412, ""), ErrorKind::ObjectChanged),
        (crate::script::say(404, ""), ErrorKind::ObjectChanged),
        (crate::script::say(403, ""), ErrorKind::PermissionDenied),
        (
            Act::Send(206, headers("\"two\"", "bytes 5-19/20"), vec!["x"], End::Clean),
            ErrorKind::ObjectChanged,
        ),
        (
            Act::Send(206, headers("\"one\"", "bytes 4-19/20"), vec!["x"], End::Clean),
            ErrorKind::InvalidResponse,
        ),
        (
            Act::Send(206, vec![("etag", "\"one\"".into())], vec!["x"], End::Clean),
            ErrorKind::InvalidResponse,
        ),
        (
            Act::Send(
                206,
                headers("\"one\"", "bytes 5-19/20"),
                vec!["56789abcdefghij", "more"],
                End::Clean,
            ),
            ErrorKind::InvalidResponse,
        ),
    ];
    for (act, kind) in rows {
        let script = Script::new([whole(5, End::Broken), act.clone()]);
        let error = read(&script, true).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{act:?}");
        assert_eq!((error.operation(), error.target()), ("get", "k"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_ranges_is_skipped_forward() {
    let script = Script::new([whole(5, End::Broken), whole(20, End::Clean)]);
    assert_eq!(read(&script, true).await.unwrap(), CONTENT);
}

#[tokio::test(start_paused = true)]
async fn without_a_validator_it_fails() {
    let script = Script::new([whole(5, End::Clean)]);
    let error = read(&script, false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_moves_ends() {
    let acts =
        std::iter::once(whole(5, End::Silent)).chain((0..9).map(|_| part(5, 5, End::Silent)));
    let script = Script::new(acts);
    let error = read(&script, true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(script.left(), 5, "five attempts without a byte");
}

#[tokio::test(start_paused = true)]
async fn an_announced_length_has_to_fit() {
    let headers = vec![("content-length", "19".to_owned())];
    let script = Script::new([Act::Send(200, headers, vec![CONTENT], End::Clean)]);
    assert_eq!(read(&script, true).await.unwrap_err().kind(), ErrorKind::InvalidResponse);
    let script = Script::new([Act::Send(200, vec![], vec![CONTENT, "more"], End::Clean)]);
    assert_eq!(read(&script, true).await.unwrap_err().kind(), ErrorKind::InvalidResponse);
}
