use std::borrow::Cow;

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Uri};
use polycloud_wire::encode;
use sha2::{Digest as _, Sha256};

use super::Rules;

/// So many headers or parameters are sorted without an allocation.
const ON_STACK: usize = 32;

/// Headers that change on the way, or that are the signature.
const NEVER_SIGNED: [&str; 6] =
    ["authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"];

/// The names of the headers that are signed, sorted.
pub(super) struct Names<'a>(&'a [&'a str]);

impl<'a> Names<'a> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().copied()
    }
}

fn is_signed(name: &str, rules: Rules) -> bool {
    if rules.all_headers {
        return !NEVER_SIGNED.contains(&name);
    }
    name.starts_with("x-amz-") || name == HOST || name == CONTENT_TYPE || name == "content-md5"
}

/// Calls `then` with the names of the headers that are signed.
pub(super) fn with_names<T>(
    headers: &HeaderMap,
    rules: Rules,
    then: impl FnOnce(&Names<'_>) -> T,
) -> T {
    let names = || headers.keys().map(|name| name.as_str()).filter(|name| is_signed(name, rules));
    sorted(names, |a, b| a.cmp(b), |names| then(&Names(names)))
}

/// Calls `then` with the items in their order.
fn sorted<'a, T, I: Iterator<Item = &'a str>>(
    items: impl Fn() -> I,
    order: impl Fn(&&str, &&str) -> std::cmp::Ordering,
    then: impl FnOnce(&[&'a str]) -> T,
) -> T {
    let mut on_stack = [""; ON_STACK];
    let mut on_heap = Vec::new();
    let places = match on_stack.get_mut(..items().count()) {
        Some(places) => {
            places.iter_mut().zip(items()).for_each(|(place, item)| *place = item);
            places
        }
        None => {
            on_heap.extend(items());
            on_heap.as_mut_slice()
        }
    };
    places.sort_unstable_by(order);
    then(places)
}

/// A request as it is signed.
pub(super) struct Canonical<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    /// Parameters beside those of the URI.
    pub(super) more_query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) payload: &'a str,
}

impl Canonical<'_> {
    /// The hash of the canonical request.
    pub(super) fn hash(&self, rules: Rules, names: &Names<'_>) -> [u8; 32] {
        let mut hash = Sha256::new();
        self.write(rules, names, &mut |piece| hash.update(piece));
        hash.finalize().into()
    }

    /// Writes the canonical request.
    pub(super) fn write(&self, rules: Rules, names: &Names<'_>, out: &mut impl FnMut(&[u8])) {
        out(self.method.as_str().as_bytes());
        out(b"\n");
        out(path(self.uri.path(), rules).as_bytes());
        out(b"\n");
        self.write_query(out);
        out(b"\n");
        for name in names.iter() {
            out(name.as_bytes());
            let mut before: &[u8] = b":";
            for value in self.headers.get_all(name) {
                out(before);
                write_value(value.as_bytes(), out);
                before = b",";
            }
            out(b"\n");
        }
        out(b"\n");
        for (n, name) in names.iter().enumerate() {
            if n > 0 {
                out(b";");
            }
            out(name.as_bytes());
        }
        out(b"\n");
        out(self.payload.as_bytes());
    }

    fn write_query(&self, out: &mut impl FnMut(&[u8])) {
        let own = self.uri.query().unwrap_or_default();
        let parameters =
            || own.split('&').chain(self.more_query.split('&')).filter(|pair| !pair.is_empty());
        sorted(
            parameters,
            |a, b| parameter(a).cmp(&parameter(b)),
            |parameters| {
                for (n, pair) in parameters.iter().enumerate() {
                    if n > 0 {
                        out(b"&");
                    }
                    out(pair.as_bytes());
                    if !pair.contains('=') {
                        out(b"=");
                    }
                }
            },
        );
    }
}

/// Name and value, by which parameters are sorted: the sign between them sorts behind some characters
/// of names.
fn parameter<'a>(pair: &&'a str) -> (&'a str, &'a str) {
    pair.split_once('=').unwrap_or((pair, ""))
}

/// Writes a header's value without spaces at its ends, and one where several follow each other.
fn write_value(value: &[u8], out: &mut impl FnMut(&[u8])) {
    let value = trimmed(value);
    if !value.windows(2).any(|pair| pair == b"  ") {
        return out(value);
    }
    let words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    for (n, word) in words.enumerate() {
        if n > 0 {
            out(b" ");
        }
        out(word);
    }
}

/// Without the spaces at its ends: other white space is signed.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = value {
        value = rest;
    }
    value
}

pub(super) fn path(path: &str, rules: Rules) -> Cow<'_, str> {
    let path = if path.is_empty() { "/" } else { path };
    let path = if rules.normalize_path { normalized(path) } else { Cow::Borrowed(path) };
    if !rules.encode_path_again {
        return path;
    }
    let mut again = String::with_capacity(path.len() + 8);
    encode::path(&path, &mut again);
    Cow::Owned(again)
}

/// Resolves `.`, `..` and empty segments.
fn normalized(path: &str) -> Cow<'_, str> {
    let special = |segment: &str| matches!(segment, "" | "." | "..");
    let inner = path.strip_prefix('/').unwrap_or(path);
    if !inner.strip_suffix('/').unwrap_or(inner).split('/').any(special) {
        return Cow::Borrowed(path);
    }
    let mut segments = Vec::new();
    for segment in inner.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    let is_directory = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let end = if is_directory && !segments.is_empty() { "/" } else { "" };
    Cow::Owned(format!("/{}{end}", segments.join("/")))
}
