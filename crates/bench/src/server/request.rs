//! The head of a request, as far as the answer depends on it.

use std::io::{Error, ErrorKind};

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// An object of that size, or a part of it.
    Get { size: u64, range: Option<ByteRange> },
    /// Its metadata.
    Head { size: u64 },
    /// Write an object or a part of one.
    Put,
    /// Delete an object, or give up a multipart upload.
    Delete,
    /// Delete the objects that the body names.
    DeleteMany,
    /// The page of that number.
    List { page: usize, encoded: bool },
    /// Begin a multipart upload.
    CreateUpload { key: String },
    /// End it.
    CompleteUpload { key: String },
    /// Anything else.
    Unknown,
}

/// The `Range` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteRange {
    /// From a position, to one that is included or to the end.
    From(u64, Option<u64>),
    /// So many bytes at the end.
    Last(u64),
}

/// Where the body of a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// After an empty chunk.
    Chunked,
}

/// The head of a request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) action: Action,
    pub(super) body: Framing,
    /// Whether the client waits for a `100 Continue` before it sends the body.
    pub(super) waits: bool,
}

pub(super) const BUCKET: &str = "bench";

impl Request {
    /// Parses a head, without the empty line behind it.
    pub(super) fn parse(head: &[u8]) -> std::io::Result<Self> {
        let head = str::from_utf8(head).map_err(|_| invalid("a head that is not UTF-8"))?;
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target)) = (first.next(), first.next()) else {
            return Err(invalid("no request line"));
        };
        let (mut body, mut waits, mut range) = (Framing::Length(0), false, None);
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            // Most headers differ in length from all of these.
            match name.len() {
                14 if name.eq_ignore_ascii_case("content-length") => {
                    body = Framing::Length(value.parse().map_err(|_| invalid("content-length"))?);
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => body = Framing::Chunked,
                6 if name.eq_ignore_ascii_case("expect") => waits = true,
                5 if name.eq_ignore_ascii_case("range") => range = ByteRange::parse(value),
                _ => {}
            }
        }
        Ok(Self { action: action(method, target, range), body, waits })
    }
}

fn action(method: &str, target: &str, range: Option<ByteRange>) -> Action {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(rest) = path.strip_prefix('/').and_then(|path| path.strip_prefix(BUCKET)) else {
        return Action::Unknown;
    };
    let key = rest.strip_prefix('/').unwrap_or(rest);
    let has = |name: &str| fields(query).any(|(field, _)| field == name);
    let size = || key.split('/').next().and_then(|size| size.parse().ok());
    match (method, key.is_empty()) {
        ("GET", false) => size().map_or(Action::Unknown, |size| Action::Get { size, range }),
        ("HEAD", false) => size().map_or(Action::Unknown, |size| Action::Head { size }),
        ("PUT", false) => Action::Put,
        ("DELETE", false) => Action::Delete,
        ("POST", false) if has("uploads") => Action::CreateUpload { key: key.into() },
        ("POST", false) if has("uploadId") => Action::CompleteUpload { key: key.into() },
        ("POST", true) if has("delete") => Action::DeleteMany,
        ("GET", true) if has("list-type") => Action::List {
            page: fields(query)
                .find(|(name, _)| *name == "continuation-token")
                .map_or(Some(0), |(_, token)| page(token))
                .unwrap_or(usize::MAX),
            encoded: has("encoding-type"),
        },
        _ => Action::Unknown,
    }
}

fn fields(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').map(|field| field.split_once('=').unwrap_or((field, "")))
}

/// What follows the page's number in a continuation token, which is as long as Amazon's.
const TOKEN: &str = "ueGcxLPRx1TrXYExHnhbYLgveDs2Jwm36Hy4vbOwM8dU41N4cIrN3Wd8";

/// The token that leads to a page.
pub(super) fn token(page: usize) -> String {
    format!("{page}{TOKEN}")
}

fn page(token: &str) -> Option<usize> {
    token.strip_suffix(TOKEN)?.parse().ok()
}

impl ByteRange {
    fn parse(value: &str) -> Option<Self> {
        let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
        if first.is_empty() {
            return Some(Self::Last(last.parse().ok()?));
        }
        let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
        Some(Self::From(first.parse().ok()?, last))
    }

    /// The first position and the one behind the last in an object of that size; `None` if there is
    /// nothing in it.
    pub(super) fn within(self, size: u64) -> Option<(u64, u64)> {
        let (first, end) = match self {
            Self::From(first, last) => {
                (first, last.map_or(size, |last| last.saturating_add(1).min(size)))
            }
            Self::Last(count) => (size.saturating_sub(count), size),
        };
        (first < end).then_some((first, end))
    }
}

pub(super) fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Request {
        Request::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn objects() {
        let request = parsed("GET /bench/4096/a HTTP/1.1\r\nhost: x\r\nRange: bytes=8-15");
        let range = Some(ByteRange::From(8, Some(15)));
        assert_eq!(request.action, Action::Get { size: 4096, range });
        assert_eq!(request.body, Framing::Length(0));
        let request =
            parsed("PUT /bench/4096/a HTTP/1.1\r\nContent-Length: 12\r\nExpect: 100-continue");
        assert_eq!(request.action, Action::Put);
        assert_eq!((request.body, request.waits), (Framing::Length(12), true));
        let request = parsed("PUT /bench/4096/a HTTP/1.1\r\ntransfer-encoding: chunked");
        assert_eq!(request.body, Framing::Chunked);
        assert_eq!(parsed("GET /other/4096/a HTTP/1.1").action, Action::Unknown);
        assert_eq!(parsed("GET /bench/a HTTP/1.1").action, Action::Unknown);
        assert!(Request::parse(b"GET").is_err());
    }

    #[test]
    fn buckets() {
        let first = parsed("GET /bench?list-type=2&encoding-type=url HTTP/1.1");
        assert_eq!(first.action, Action::List { page: 0, encoded: true });
        let text = format!("GET /bench/?continuation-token={}&list-type=2 HTTP/1.1", token(17));
        assert_eq!(parsed(&text).action, Action::List { page: 17, encoded: false });
        assert_eq!(parsed("POST /bench?delete HTTP/1.1").action, Action::DeleteMany);
        let key = "4096/a".to_owned();
        let begun = parsed("POST /bench/4096/a?uploads= HTTP/1.1");
        assert_eq!(begun.action, Action::CreateUpload { key: key.clone() });
        let ended = parsed("POST /bench/4096/a?uploadId=7 HTTP/1.1");
        assert_eq!(ended.action, Action::CompleteUpload { key });
    }

    #[test]
    fn ranges() {
        let within = |text, size| ByteRange::parse(text).and_then(|range| range.within(size));
        assert_eq!(within("bytes=0-3", 10), Some((0, 4)));
        assert_eq!(within("bytes=4-", 10), Some((4, 10)));
        assert_eq!(within("bytes=4-99", 10), Some((4, 10)));
        assert_eq!(within("bytes=-3", 10), Some((7, 10)));
        assert_eq!(within("bytes=-30", 10), Some((0, 10)));
        assert_eq!(within("bytes=10-", 10), None);
        assert_eq!(within("bytes=-0", 10), None);
        assert_eq!(within("lines=1-2", 10), None);
    }
}
