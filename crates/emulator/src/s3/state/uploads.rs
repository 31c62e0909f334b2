//! Multipart uploads in progress, and their listing.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::bucket::{Bucket, Stored};
use super::checksum::{Algorithm, Checksum, ChecksumKind};
use super::list::{Line, Page, group, successor};
use super::object::{Content, Headers, StorageClass, Tag};

/// An upload in progress.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) headers: Headers,
    pub(crate) tags: Vec<Tag>,
    pub(crate) storage_class: StorageClass,
    /// None: the client named none, and S3 computes its own for the whole object.
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) kind: ChecksumKind,
    pub(crate) initiated: u64,
    /// The account.
    pub(crate) initiator: String,
    pub(crate) parts: BTreeMap<u16, Part>,
}

/// An uploaded part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) content: Content,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) modified: u64,
    pub(crate) checksum: Option<Checksum>,
}

/// An upload that was completed: with which parts, and what it made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Completed {
    pub(crate) key: String,
    pub(crate) parts: Vec<(u16, String)>,
    pub(crate) stored: Stored,
}

/// What a listing of uploads asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UploadsQuery {
    pub(crate) prefix: String,
    pub(crate) delimiter: String,
    pub(crate) key_marker: String,
    /// Behind this upload of the key marker; None: behind all uploads of the key marker.
    pub(crate) upload_marker: Option<u64>,
    pub(crate) limit: usize,
}

/// An upload in a listing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListedUpload<'a> {
    pub(crate) number: u64,
    pub(crate) upload: &'a Upload,
}

impl Bucket {
    /// One page of uploads in progress.
    pub(crate) fn list_uploads(&self, query: &UploadsQuery) -> Page<'_, ListedUpload<'_>> {
        let mut lines = Vec::new();
        let mut from = first(query);
        if query.limit == 0 {
            return Page { lines, truncated: false };
        }
        loop {
            let mut range = self.uploads.range((from, Bound::Unbounded));
            let Some(((key, number), upload)) = range.next() else { break };
            if !key.starts_with(&query.prefix) {
                break;
            }
            if lines.len() == query.limit {
                return Page { lines, truncated: true };
            }
            if let Some(group) = group(key, &query.prefix, &query.delimiter) {
                lines.push(Line::Prefix(group.to_owned()));
                let Some(next) = successor(group) else { break };
                from = Bound::Included((next, 0));
            } else {
                lines.push(Line::Entry(key, ListedUpload { number: *number, upload }));
                from = Bound::Excluded((key.clone(), *number));
            }
        }
        Page { lines, truncated: false }
    }
}

fn first(query: &UploadsQuery) -> Bound<(String, u64)> {
    let marker = &query.key_marker;
    if marker.is_empty() || *marker < query.prefix {
        return Bound::Included((query.prefix.clone(), 0));
    }
    let inside = marker.starts_with(&query.prefix);
    match group(marker, &query.prefix, &query.delimiter).filter(|_| inside).and_then(successor) {
        Some(next) => Bound::Included((next, 0)),
        None => Bound::Excluded((marker.clone(), query.upload_marker.unwrap_or(u64::MAX))),
    }
}
