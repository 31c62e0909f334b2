//! Listings of objects and versions.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use polycloud_core::Result;
use polycloud_core::object::{
    DeleteMarker, Key, ListEntry, ListOptions, ListPage, ObjectMeta, Revision, VersionId,
};
use polycloud_core::page::PageToken;

use super::identity::Identity;
use super::local::{Inner, LIST_PAGE};
use super::names::{PRIVATE, is_plain, unescape};
use super::read::{Found, Place};
use super::record::Record;
use super::root::{self, Dir, is_file};
use super::tree::{Tree, TreeFile};
use crate::listing::{self, Found as Line, Position, Walk};

/// How many listings can be under way without reading a directory again for their next page.
const CURSORS: usize = 16;

/// Walks whose next page was not asked for yet. A page that finds its walk gone starts a new one.
#[derive(Debug, Default)]
pub(super) struct Cursors(Mutex<VecDeque<Cursor>>);

#[derive(Debug)]
struct Cursor {
    token: PageToken,
    options: ListOptions,
    walk: Keys,
}

impl Cursors {
    fn take(&self, options: &ListOptions, token: &PageToken) -> Option<Keys> {
        let mut cursors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = cursors.iter().position(|c| c.token == *token && c.options == *options)?;
        cursors.remove(at).map(|cursor| cursor.walk)
    }

    fn put(&self, options: &ListOptions, token: &PageToken, walk: Keys) {
        let mut cursors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cursors.len() == CURSORS {
            cursors.pop_front();
        }
        cursors.push_back(Cursor { token: token.clone(), options: options.clone(), walk });
    }
}

/// A key of the walk, with the file that holds its object; without one if only older versions are left.
#[derive(Debug, Clone)]
struct Item {
    key: Key,
    file: Option<TreeFile>,
}

/// Keys in byte order: those whose paths are plain merged with those that are escaped.
#[derive(Debug)]
struct Keys {
    /// `None` if no plain key can begin with the prefix.
    plain: Option<Tree>,
    plain_next: Option<Item>,
    folding: bool,
    escaped: Vec<Item>,
    escaped_done: usize,
    /// Where the walk stands, as long as that is known, and the item that comes next there.
    position: Option<Position>,
    unread: Option<Item>,
}

impl Keys {
    fn start(inner: &Inner, options: &ListOptions) -> Result<Self> {
        let mut escaped = escaped_keys(&inner.keys, &options.prefix)?;
        if options.versions {
            let kept = escaped_keys(&inner.versions, &options.prefix)?;
            escaped.extend(kept.into_iter().map(|item| Item { file: None, ..item }));
        }
        escaped.sort_by(|a, b| a.key.cmp(&b.key).then(a.file.is_none().cmp(&b.file.is_none())));
        escaped.dedup_by(|b, a| a.key == b.key);
        Ok(Self {
            plain: plain_tree(inner, &options.prefix),
            plain_next: None,
            folding: inner.folding,
            escaped,
            escaped_done: 0,
            position: None,
            unread: None,
        })
    }

    fn next_plain(&mut self) -> Result<Option<Item>> {
        if self.plain_next.is_some() {
            return Ok(self.plain_next.take());
        }
        let Some(plain) = &mut self.plain else { return Ok(None) };
        while let Some(file) = plain.next()? {
            // Files that others made under names that no plain key has cannot be addressed.
            if is_plain(&file.path, self.folding)
                && let Ok(key) = Key::new(file.path.as_str())
            {
                return Ok(Some(Item { key, file: Some(file) }));
            }
        }
        Ok(None)
    }
}

impl Walk for Keys {
    type Item = Item;

    fn seek(&mut self, position: &Position) -> Result<()> {
        if self.position.as_ref() == Some(position) {
            return Ok(());
        }
        (self.unread, self.plain_next) = (None, None);
        let from = match position {
            Position::At(text) | Position::AfterVersion(text, _) => text.clone(),
            Position::After(text) => format!("{text}\0"),
        };
        if let Some(plain) = &mut self.plain {
            plain.seek(&from)?;
        }
        self.escaped_done = self.escaped.partition_point(|item| item.key.as_str() < from.as_str());
        self.position = Some(position.clone());
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Line<Item>>> {
        self.position = None;
        let item = match self.unread.take() {
            Some(item) => Some(item),
            None => {
                let plain = self.next_plain()?;
                let escaped = self.escaped.get(self.escaped_done);
                match (plain, escaped) {
                    (Some(plain), Some(escaped)) if plain.key <= escaped.key => {
                        self.escaped_done += usize::from(plain.key == escaped.key);
                        Some(plain)
                    }
                    (plain, Some(escaped)) => {
                        self.escaped_done += 1;
                        self.plain_next = plain;
                        Some(escaped.clone())
                    }
                    (plain, None) => plain,
                }
            }
        };
        Ok(item.map(|item| Line { key: item.key.clone(), version: None, item }))
    }

    fn unread(&mut self, found: Line<Item>, position: Position) {
        (self.unread, self.position) = (Some(found.item), Some(position));
    }
}

/// The walk over plain files. It starts at the last directory that the prefix names in full.
fn plain_tree(inner: &Inner, prefix: &str) -> Option<Tree> {
    let Some((base, _)) = prefix.rsplit_once('/') else {
        return Some(Tree::new(Dir::clone(&inner.root), "", PRIVATE));
    };
    if !is_plain(base, inner.folding) {
        return None;
    }
    let dir = root::open_dir(&inner.root, base).ok()?;
    Some(Tree::new(dir, format!("{base}/"), ""))
}

/// The keys that begin with a prefix, of the escaped names below a folder.
fn escaped_keys(base: &Dir, prefix: &str) -> Result<Vec<Item>> {
    let mut tree = Tree::new(Dir::clone(base), "", "");
    tree.seek("")?;
    let mut items = Vec::<Item>::new();
    while let Some(file) = tree.next()? {
        // An object is a file of an escaped name; older versions are files in a folder of one.
        let is_object = file.path.ends_with('=');
        let path = if is_object { file.path.as_str() } else { root::split(&file.path).0 };
        let key = unescape(path).filter(|key| key.starts_with(prefix));
        if let Some(key) = key.filter(|key| items.last().is_none_or(|last| last.key != *key)) {
            items.push(Item { key, file: Some(file) });
        }
    }
    Ok(items)
}

/// Keys with all their versions, newest first.
struct Versions<'a> {
    inner: &'a Inner,
    keys: Keys,
    options: &'a ListOptions,
    /// Entries of the key at hand that were not returned yet, newest last.
    pending: Vec<Line<ListEntry>>,
}

impl Versions<'_> {
    fn load(&mut self, key: &Key) -> Result<()> {
        let current = self.inner.find(key)?;
        let older = self.inner.older(key, current.as_ref())?;
        let has_current = current.is_some();
        if let Some(found) = current {
            let version = found.version(&Record::read(&found.file)?);
            let meta = self.inner.describe(key, &found, true, None)?;
            self.push(key, version, ListEntry::Object(meta));
        }
        for (i, version) in older.iter().enumerate() {
            let is_latest = i == 0 && !has_current && version.is_marker;
            let Some(found) = self.inner.open_older(key, version)? else { continue };
            let entry = if version.is_marker {
                let at = found.identity().modified();
                ListEntry::DeleteMarker(DeleteMarker::new(
                    key.clone(),
                    version.id.clone(),
                    at,
                    is_latest,
                ))
            } else {
                ListEntry::Object(self.inner.describe(key, &found, false, None)?)
            };
            self.push(key, version.id.clone(), entry);
        }
        self.pending.reverse();
        Ok(())
    }

    fn push(&mut self, key: &Key, version: VersionId, mut entry: ListEntry) {
        if let ListEntry::Object(meta) = &mut entry {
            strip(meta, self.options);
        }
        self.pending.push(Line { key: key.clone(), version: Some(version), item: entry });
    }
}

impl Walk for Versions<'_> {
    type Item = ListEntry;

    fn seek(&mut self, position: &Position) -> Result<()> {
        self.pending.clear();
        self.keys.seek(position)?;
        let Position::AfterVersion(text, version) = position else { return Ok(()) };
        let Some(line) = self.keys.next()? else { return Ok(()) };
        self.load(&line.key)?;
        if line.key.as_str() == text {
            listing::keep_older(&mut self.pending, version);
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Line<ListEntry>>> {
        loop {
            if let Some(line) = self.pending.pop() {
                return Ok(Some(line));
            }
            let Some(line) = self.keys.next()? else { return Ok(None) };
            self.load(&line.key)?;
        }
    }
}

impl Inner {
    /// Lists one page. Blocks.
    pub(super) fn list(
        &self,
        options: &ListOptions,
        token: Option<&PageToken>,
    ) -> Result<ListPage> {
        self.check_alive()?;
        let versioned = self.look_up_versioning()?;
        if options.versions {
            let keys = Keys::start(self, options)?;
            let mut walk = Versions { inner: self, keys, options, pending: Vec::new() };
            let (lines, next) = listing::page(&mut walk, options, token, LIST_PAGE)?;
            let entries = lines.into_iter().map(|line| match line {
                listing::Line::Object(entry) => entry,
                listing::Line::Prefix(prefix) => ListEntry::Prefix(prefix),
            });
            return Ok(ListPage::new(entries.collect(), next));
        }
        let walk = token.and_then(|token| self.cursors.take(options, token));
        let mut walk = walk.map_or_else(|| Keys::start(self, options), Ok)?;
        let (lines, next) = listing::page(&mut walk, options, token, LIST_PAGE)?;
        if let Some(next) = &next {
            self.cursors.put(options, next, walk);
        }
        let mut entries = Vec::with_capacity(lines.len());
        for line in lines {
            match line {
                listing::Line::Prefix(prefix) => entries.push(ListEntry::Prefix(prefix)),
                listing::Line::Object(item) => {
                    entries.extend(entry(item, options, versioned)?.map(ListEntry::Object));
                }
            }
        }
        Ok(ListPage::new(entries, next))
    }
}

/// Looks an object up that a walk came to; `None` if it was deleted since.
fn entry(item: Item, options: &ListOptions, versioned: bool) -> Result<Option<ObjectMeta>> {
    let Some(file) = item.file else { return Ok(None) };
    if !(options.attributes || options.tags || versioned) {
        let Ok(stat) = root::stat(&file.dir, file.name()) else { return Ok(None) };
        let identity = Identity::of(&stat);
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let revision = Revision::new(identity.etag(), None);
        let meta = ObjectMeta::new(item.key, size, identity.modified(), revision);
        return Ok(is_file(&stat).then_some(meta));
    }
    let Ok(fd) = root::open_file(&file.dir, file.name()) else { return Ok(None) };
    let Some(found) = Found::of(fd, Place::Plain)? else { return Ok(None) };
    let mut meta = found.meta(&item.key, Record::read(&found.file)?, versioned);
    strip(&mut meta, options);
    Ok(Some(meta))
}

/// Leaves out what the listing did not ask for.
fn strip(meta: &mut ObjectMeta, options: &ListOptions) {
    if !options.attributes {
        meta.attributes = None;
    }
    if !options.tags {
        meta.tags = None;
    }
}
