//! Listings of versions: the newest of a key first.

use super::bucket::Bucket;
use super::list::{Keys, Line, ListQuery, Page, Start, first_bound, group};
use super::object::Version;

/// A version in a listing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListedVersion<'a> {
    pub(crate) version: &'a Version,
    pub(crate) latest: bool,
}

impl Bucket {
    /// One page of versions and delete markers.
    pub(crate) fn list_versions(&self, query: &ListQuery) -> Page<'_, ListedVersion<'_>> {
        let mut lines = Vec::new();
        if query.limit == 0 {
            return Page { lines, truncated: false };
        }
        let mut keys = Keys::new(self, &query.prefix, first_bound(query));
        while let Some((key, versions)) = keys.next() {
            if let Some(group) = group(key, &query.prefix, &query.delimiter) {
                if lines.len() == query.limit {
                    return Page { lines, truncated: true };
                }
                keys.skip_group(group);
                lines.push(Line::Prefix(group.to_owned()));
                continue;
            }
            for (at, version) in versions.iter().rev().enumerate() {
                if behind(&query.start, key, version) {
                    if lines.len() == query.limit {
                        return Page { lines, truncated: true };
                    }
                    lines.push(Line::Entry(key, ListedVersion { version, latest: at == 0 }));
                }
            }
        }
        Page { lines, truncated: false }
    }
}

/// Whether a version comes behind the place where the page begins. Numbers fall from version to version,
/// so a version that was deleted meanwhile still marks its place.
fn behind(start: &Start, key: &str, version: &Version) -> bool {
    match start {
        Start::AfterVersion(at, number) if at == key => version.number < *number,
        _ => true,
    }
}
