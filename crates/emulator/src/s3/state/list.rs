//! Listings of objects: one page at a time, never more work than the page needs.

use std::collections::btree_map::Range;
use std::ops::Bound;

use super::bucket::Bucket;
use super::object::{Object, Version};

/// What a listing asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ListQuery {
    pub(crate) prefix: String,
    pub(crate) delimiter: String,
    pub(crate) start: Start,
    pub(crate) limit: usize,
}

/// Where a page begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Start {
    #[default]
    Beginning,
    /// Behind this key.
    After(String),
    /// Behind this key, or behind all keys that begin with this common prefix.
    AfterEntry(String),
    /// Behind this version of this key.
    AfterVersion(String, u64),
}

/// One line of a page.
#[derive(Debug, Clone)]
pub(crate) enum Line<'a, T> {
    Entry(&'a str, T),
    Prefix(String),
}

impl<T> Line<'_, T> {
    /// The key or the prefix.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Entry(key, _) => key,
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// The lines of a page in the order of their names.
#[derive(Debug, Clone)]
pub(crate) struct Page<'a, T> {
    pub(crate) lines: Vec<Line<'a, T>>,
    pub(crate) truncated: bool,
}

/// The common prefix of a key: up to the first delimiter behind the prefix.
pub(crate) fn group<'a>(key: &'a str, prefix: &str, delimiter: &str) -> Option<&'a str> {
    if delimiter.is_empty() {
        return None;
    }
    let at = key.get(prefix.len()..)?.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

/// The least text that is greater than all texts with this prefix.
pub(crate) fn successor(prefix: &str) -> Option<String> {
    let mut next = prefix.to_owned();
    while let Some(last) = next.pop() {
        let mut following = u32::from(last) + 1;
        if following == 0xD800 {
            following = 0xE000;
        }
        if let Some(following) = char::from_u32(following) {
            next.push(following);
            return Some(next);
        }
    }
    None
}

/// A walk over keys that can jump ahead.
pub(crate) struct Keys<'a, 'p> {
    bucket: &'a Bucket,
    prefix: &'p str,
    range: Range<'a, String, Vec<Version>>,
}

impl<'a, 'p> Keys<'a, 'p> {
    pub(crate) fn new(bucket: &'a Bucket, prefix: &'p str, from: Bound<String>) -> Self {
        let from = if below(&from, prefix) { Bound::Included(prefix.to_owned()) } else { from };
        let range = bucket.keys.range((from, Bound::Unbounded));
        Self { bucket, prefix, range }
    }

    /// Goes on behind all keys with this prefix.
    pub(crate) fn skip_group(&mut self, group: &str) {
        self.range = match successor(group) {
            Some(next) => self.bucket.keys.range((Bound::Included(next), Bound::Unbounded)),
            None => Range::default(),
        };
    }
}

fn below(from: &Bound<String>, prefix: &str) -> bool {
    match from {
        Bound::Included(key) | Bound::Excluded(key) => key.as_str() < prefix,
        Bound::Unbounded => true,
    }
}

impl<'a> Iterator for Keys<'a, '_> {
    type Item = (&'a str, &'a [Version]);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, versions) = self.range.next()?;
        key.starts_with(self.prefix).then_some((key.as_str(), versions.as_slice()))
    }
}

/// Where the walk for a page begins.
pub(crate) fn first_bound(query: &ListQuery) -> Bound<String> {
    match &query.start {
        Start::Beginning => Bound::Unbounded,
        Start::After(key) => Bound::Excluded(key.clone()),
        Start::AfterVersion(key, _) => Bound::Included(key.clone()),
        Start::AfterEntry(entry) => {
            let inside = entry.starts_with(&query.prefix);
            match group(entry, &query.prefix, &query.delimiter).filter(|_| inside) {
                Some(group) => successor(group).map_or_else(
                    // Nothing is greater than this prefix but what begins with it.
                    || Bound::Excluded(char::MAX.to_string().repeat(super::KEY_BYTES)),
                    Bound::Included,
                ),
                None => Bound::Excluded(entry.clone()),
            }
        }
    }
}

impl Bucket {
    /// One page of current objects.
    pub(crate) fn list(&self, query: &ListQuery) -> Page<'_, (&Version, &Object)> {
        let mut lines = Vec::new();
        if query.limit == 0 {
            return Page { lines, truncated: false };
        }
        let mut keys = Keys::new(self, &query.prefix, first_bound(query));
        while let Some((key, versions)) = keys.next() {
            let Some(version) = versions.last() else { continue };
            let Some(object) = version.object.as_deref() else { continue };
            if lines.len() == query.limit {
                return Page { lines, truncated: true };
            }
            if let Some(group) = group(key, &query.prefix, &query.delimiter) {
                keys.skip_group(group);
                lines.push(Line::Prefix(group.to_owned()));
            } else {
                lines.push(Line::Entry(key, (version, object)));
            }
        }
        Page { lines, truncated: false }
    }
}
