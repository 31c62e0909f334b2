//! Turns an ordered walk over keys into the pages that `list_page` promises. Both stores use it.

use polycloud_core::object::{Key, ListOptions, VersionId};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, Result};

/// Keys in byte order, one item per entry of the listing; versions of one key newest first.
pub(crate) trait Walk {
    type Item;

    /// Goes to the first entry at or behind a position.
    fn seek(&mut self, position: &Position) -> Result<()>;

    /// The next entry. Its version is needed only where versions are listed.
    fn next(&mut self) -> Result<Option<Found<Self::Item>>>;

    /// Takes back the last entry, which came next at this position: the following page begins there.
    fn unread(&mut self, found: Found<Self::Item>, position: Position) {
        let _: (Found<Self::Item>, Position) = (found, position);
    }
}

/// An entry of a walk.
#[derive(Debug)]
pub(crate) struct Found<I> {
    pub(crate) key: Key,
    pub(crate) version: Option<VersionId>,
    pub(crate) item: I,
}

/// A place in the order of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Position {
    /// The first entry of the first key that is not less than this text.
    At(String),
    /// Behind all entries of this key.
    After(String),
    /// Behind this version of this key.
    AfterVersion(String, VersionId),
}

/// One line of a page before its metadata was looked up.
#[derive(Debug)]
pub(crate) enum Line<I> {
    Object(I),
    Prefix(String),
}

/// Some lines, and where the listing goes on.
pub(crate) type Lines<I> = (Vec<Line<I>>, Option<PageToken>);

/// Lists one page of at most `limit` lines. See `ObjectStore::list_page`.
pub(crate) fn page<W: Walk>(
    walk: &mut W,
    options: &ListOptions,
    token: Option<&PageToken>,
    limit: u32,
) -> Result<Lines<W::Item>> {
    let delimiter = options.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let limit = options.page_size.unwrap_or(limit).clamp(1, limit) as usize;
    walk.seek(&start(options, token)?)?;

    let mut lines = Vec::with_capacity(limit);
    let mut last = None::<Last>;
    while let Some(found) = walk.next()? {
        if !found.key.starts_with(options.prefix.as_str()) {
            break;
        }
        if let Some(last) = last.as_ref().filter(|_| lines.len() == limit) {
            walk.unread(found, last.position());
            return Ok((lines, Some(last.token())));
        }
        let Found { key, version, item } = found;
        let rest = key.get(options.prefix.len()..).unwrap_or_default();
        let group = delimiter
            .and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len()))
            .and_then(|end| key.get(..options.prefix.len() + end));
        if let Some(group) = group {
            let group = group.to_owned();
            lines.push(Line::Prefix(group.clone()));
            let Some(behind) = behind_prefix(&group) else { return Ok((lines, None)) };
            walk.seek(&Position::At(behind))?;
            last = Some(Last::Group(group));
        } else {
            last = Some(Last::Entry(key, version));
            lines.push(Line::Object(item));
        }
    }
    Ok((lines, None))
}

/// The last line of a page, of which the token of the next one is made.
enum Last {
    Entry(Key, Option<VersionId>),
    Group(String),
}

impl Last {
    fn position(&self) -> Position {
        match self {
            Self::Entry(key, None) => Position::After(key.as_str().into()),
            Self::Entry(key, Some(version)) => {
                Position::AfterVersion(key.as_str().into(), version.clone())
            }
            Self::Group(group) => behind(group),
        }
    }

    fn token(&self) -> PageToken {
        PageToken::new(match self {
            Self::Entry(key, None) => format!("k{}", key.as_str()),
            Self::Entry(key, Some(version)) => format!("v{version}/{}", key.as_str()),
            Self::Group(group) => format!("p{group}"),
        })
    }
}

fn start(options: &ListOptions, token: Option<&PageToken>) -> Result<Position> {
    let Some(token) = token else {
        return Ok(match &options.start_after {
            Some(after) if *after >= options.prefix => Position::After(after.clone()),
            _ => Position::At(options.prefix.clone()),
        });
    };
    let bad = || Error::invalid("the page token is not from such a listing");
    let text = token.as_str();
    let (position, name) = match (text.get(..1), text.get(1..), options.versions) {
        (Some("k"), Some(key), false) => (Position::After(key.into()), key),
        (Some("p"), Some(group), _) => (behind(group), group),
        (Some("v"), Some(rest), true) => {
            let (version, key) = rest.split_once('/').ok_or_else(bad)?;
            (Position::AfterVersion(key.into(), VersionId::new(version)), key)
        }
        _ => return Err(bad()),
    };
    if !name.starts_with(options.prefix.as_str()) {
        return Err(bad());
    }
    Ok(position)
}

/// Leaves of the versions of a key, newest last, those that are older than this one. If it was removed
/// meanwhile, that shows in its id: both stores give out ids that order by age.
pub(crate) fn keep_older<I>(versions: &mut Vec<Found<I>>, than: &VersionId) {
    let ids = || versions.iter().map(|found| found.version.as_ref());
    let same = ids().position(|id| id == Some(than));
    let newer = || ids().position(|id| id.is_some_and(|id| id.as_str() > than.as_str()));
    let end = same.or_else(newer).unwrap_or(versions.len());
    versions.truncate(end);
}

/// Behind all keys that begin with this.
fn behind(group: &str) -> Position {
    behind_prefix(group).map_or_else(|| Position::After(group.into()), Position::At)
}

/// The least text that is greater than everything that begins with `prefix`, or `None` if there is none.
pub(crate) fn behind_prefix(prefix: &str) -> Option<String> {
    let mut head = prefix.to_owned();
    while let Some(last) = head.pop() {
        // UTF-8 orders like the code points, so the next code point makes the next text.
        if let Some(next) = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
            head.push(next);
            return Some(head);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    struct Sorted(Vec<Key>, usize);

    impl Walk for Sorted {
        type Item = Key;

        fn seek(&mut self, position: &Position) -> Result<()> {
            self.1 = self.0.partition_point(|key| match position {
                Position::At(at) => key.as_str() < at.as_str(),
                Position::After(after) | Position::AfterVersion(after, _) => {
                    key.as_str() <= after.as_str()
                }
            });
            Ok(())
        }

        fn next(&mut self) -> Result<Option<Found<Key>>> {
            self.1 += 1;
            Ok(self.0.get(self.1 - 1).map(|key| Found {
                key: key.clone(),
                version: None,
                item: key.clone(),
            }))
        }
    }

    fn all(keys: &BTreeSet<String>, options: &ListOptions) -> Vec<String> {
        let sorted = keys.iter().map(|key| Key::new(key.as_str()).unwrap()).collect();
        let (mut walk, mut token, mut names) = (Sorted(sorted, 0), None, Vec::new());
        loop {
            let (lines, next) = page(&mut walk, options, token.as_ref(), 1000).unwrap();
            names.extend(lines.into_iter().map(|line| match line {
                Line::Object(key) => key.as_str().to_owned(),
                Line::Prefix(prefix) => format!("{prefix}*"),
            }));
            match next {
                Some(next) => token = Some(next),
                None => return names,
            }
        }
    }

    /// The definition of a grouped listing, without paging and without skipping.
    fn defined(keys: &BTreeSet<String>, options: &ListOptions) -> Vec<String> {
        let delimiter = options.delimiter.as_deref().unwrap_or("");
        let mut names = Vec::new();
        for key in keys {
            let after = options.start_after.as_ref().is_none_or(|after| key > after);
            let Some(rest) = key.strip_prefix(&options.prefix).filter(|_| after) else { continue };
            let name = match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
                Some(at) => format!("{}{}*", options.prefix, &rest[..at + delimiter.len()]),
                None => key.clone(),
            };
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        names
    }

    proptest! {
        #[test]
        fn pages_are_the_whole_listing(
            keys in proptest::collection::btree_set("[ab/é]{1,5}", 0..40),
            prefix in "[ab/]{0,2}",
            delimiter in "[/b]{0,2}",
            start_after in proptest::option::of("[ab/]{0,3}"),
            page_size in 1u32..5,
        ) {
            let mut options = ListOptions::prefix(prefix).with_delimiter(delimiter).with_page_size(page_size);
            options.start_after = start_after;
            prop_assert_eq!(all(&keys, &options), defined(&keys, &options));
        }

        #[test]
        fn behind_a_prefix_is_the_least_greater_text(prefix in ".{1,4}", tail in ".{0,3}") {
            let behind = behind_prefix(&prefix).unwrap();
            let longer = format!("{prefix}{tail}");
            prop_assert!(longer < behind);
            prop_assert!(prefix < behind);
        }
    }

    #[test]
    fn a_foreign_token_is_refused() {
        let plain = ListOptions::prefix("a");
        let versions = plain.clone().with_versions(true);
        let bad = ["", "x", "é", "kb", "pb/", "v1/b", "vno-slash"];
        let cases = bad.iter().flat_map(|bad| [(*bad, &plain), (*bad, &versions)]);
        for (bad, options) in cases.chain([("ka", &versions), ("v1/a", &plain)]) {
            let token = PageToken::new(bad);
            let mut walk = Sorted(Vec::new(), 0);
            assert!(page(&mut walk, options, Some(&token), 10).is_err(), "{bad:?}");
        }
    }
}
