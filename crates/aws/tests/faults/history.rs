//! What clients did and saw, and the contents that they wrote.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use polycloud_core::checksum::{Checksum, ChecksumAlgorithm};
use polycloud_core::error::ResourceRef;
use polycloud_core::object::{ObjectMeta, Revision};
use polycloud_core::{Error, Outcome};

use crate::lab::PART;
use crate::model::{Action, Step, Tag};

/// The metadata that name the operation which wrote an object.
pub(crate) const OP: &str = "op";

/// Content that no other operation writes.
pub(crate) fn content(id: u64, length: usize) -> Bytes {
    let mut text = String::with_capacity(length + 24);
    for line in 0.. {
        if text.len() >= length {
            break;
        }
        let _ = write!(text, "{id}:{line:04};");
    }
    text.truncate(length);
    text.into()
}

fn md5(data: &[u8]) -> [u8; 16] {
    match ChecksumAlgorithm::Md5.of(data) {
        Checksum::Md5(digest) => digest,
        other => unreachable!("{other} is no MD5"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The ETag of content that was written in one request.
pub(crate) fn plain_etag(content: &[u8]) -> String {
    hex(&md5(content))
}

/// The ETag of content that was written in parts.
pub(crate) fn parted_etag(content: &[u8]) -> String {
    let parts = content.chunks(PART).map(md5).collect::<Vec<_>>();
    format!("{}-{}", hex(&md5(&parts.concat())), parts.len())
}

/// All ETags that there can be, and the content of each.
#[derive(Default)]
pub(crate) struct Tags {
    numbers: HashMap<String, Tag>,
    contents: Vec<Bytes>,
}

impl Tags {
    /// Adds content. Returns its ETags: written in one request, and in parts.
    pub(crate) fn add(&mut self, content: &Bytes) -> (Tag, Tag) {
        (self.put(plain_etag(content), content), self.put(parted_etag(content), content))
    }

    fn put(&mut self, etag: String, content: &Bytes) -> Tag {
        let number = Tag::try_from(self.contents.len()).unwrap();
        self.contents.push(content.clone());
        self.numbers.insert(etag, number);
        number
    }

    pub(crate) fn find(&self, revision: &Revision) -> Option<Tag> {
        self.numbers.get(revision.etag.as_ref()?.as_str()).copied()
    }

    pub(crate) fn content(&self, tag: Tag) -> &Bytes {
        &self.contents[tag as usize]
    }

    /// The ETag of a copy.
    pub(crate) fn plain(&self, tag: Tag) -> Tag {
        self.numbers[&plain_etag(self.content(tag))]
    }
}

/// How an operation that changes a key ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    NotApplied,
    Applied,
    Unknown,
}

impl End {
    pub(crate) fn of(error: &Error) -> Self {
        match error.outcome() {
            Outcome::NotApplied => Self::NotApplied,
            Outcome::Applied => Self::Applied,
            _ => Self::Unknown,
        }
    }
}

/// An operation that changes a key.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) key: usize,
    /// Zero for deletes, which leave no mark.
    pub(crate) id: u64,
    pub(crate) action: Action,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) end: End,
    pub(crate) leaked: Vec<ResourceRef>,
    /// Whether it is an upload in parts.
    pub(crate) parted: bool,
}

/// Everything that happened in one schedule.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) tags: Tags,
    pub(crate) changes: Vec<Change>,
    /// What was seen, by key.
    pub(crate) seen: Vec<(usize, Step)>,
    pub(crate) lines: Vec<String>,
    /// What is wrong, found while it happened.
    pub(crate) wrong: Vec<String>,
    events: u64,
    operations: u64,
}

impl History {
    /// The number of the next event.
    pub(crate) fn tick(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    /// A number for an operation that writes.
    pub(crate) fn operation(&mut self) -> u64 {
        self.operations += 1;
        self.operations
    }

    pub(crate) fn saw(&mut self, key: usize, action: Action, from: u64, to: u64) {
        self.seen.push((key, Step { action, from, to, certain: true }));
    }

    /// Takes note of an object that was read.
    pub(crate) fn saw_object(&mut self, key: usize, meta: &ObjectMeta, from: u64, to: u64) {
        let Some(tag) = self.tags.find(&meta.revision) else {
            return self.wrong.push(format!("nobody wrote {meta:?}"));
        };
        let expected = self.tags.content(tag).len() as u64;
        if meta.size != expected {
            self.wrong.push(format!("{} of {expected} bytes: {meta:?}", meta.size));
        }
        let metadata = meta.attributes.as_ref().map(|attributes| attributes.metadata());
        let id = metadata.map(|metadata| metadata.get(OP).and_then(|id| id.parse().ok()));
        if id == Some(None) {
            self.wrong.push(format!("the metadata are lost: {meta:?}"));
        }
        self.saw(key, Action::Saw { id: id.flatten(), tag }, from, to);
    }

    pub(crate) fn line(&mut self, at: Duration, text: &str) {
        self.lines.push(format!("{:>10.3} s  {text}", at.as_secs_f64()));
    }
}
