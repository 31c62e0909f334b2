//! What a store has to hold: a map, without anything that makes a store fast, durable or shared.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use polycloud_core::ErrorKind;
use polycloud_core::object::{ListEntry, ListOptions, Revision, VersionId};

use super::step::{Dress, Pick, Wish};
use crate::case::{CaseResult, ensure};
use crate::listing::{label, label_of};

/// The kinds of which an error has to be.
pub(super) type Kinds = &'static [ErrorKind];

const MISSING: Kinds = &[ErrorKind::NotFound];

/// Once nothing is left of a key, there is no telling what was missing first.
const NO_VERSION: Kinds = &[ErrorKind::VersionNotFound, ErrorKind::NotFound];

/// An object, or one version of it.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) content: Bytes,
    pub(super) dress: Dress,
    pub(super) revision: Revision,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, {:?}", self.content.len(), self.revision)
    }
}

#[derive(Debug)]
enum Entry {
    Object(Object),
    Marker(VersionId),
}

impl Entry {
    fn version(&self) -> Option<&VersionId> {
        match self {
            Self::Object(object) => object.revision.version.as_ref(),
            Self::Marker(version) => Some(version),
        }
    }
}

/// What a key holds and held.
#[derive(Debug, Default)]
struct Slot {
    /// The newest one last.
    entries: Vec<Entry>,
    /// Whether the newest one is what reads see.
    live: bool,
    /// Every revision that the key ever had, with its content.
    history: Vec<(Revision, Option<Bytes>)>,
}

/// The state of a store.
#[derive(Debug)]
pub(super) struct Model {
    slots: BTreeMap<String, Slot>,
    versioned: bool,
    /// Whether deletes were seen to leave markers.
    markers: bool,
}

impl Model {
    pub(super) fn new(versioned: bool) -> Self {
        Self { slots: BTreeMap::new(), versioned, markers: false }
    }

    pub(super) fn current(&self, name: &str) -> Option<&Object> {
        let slot = self.slots.get(name).filter(|slot| slot.live)?;
        match slot.entries.last()? {
            Entry::Object(object) => Some(object),
            Entry::Marker(_) => None,
        }
    }

    /// What a read sees, and whether it is the latest; or how the read has to fail.
    pub(super) fn read(
        &self,
        name: &str,
        version: Option<&VersionId>,
    ) -> Result<(&Object, bool), Kinds> {
        let Some(version) = version else {
            let current = self.current(name).ok_or(MISSING)?;
            return Ok((current, true));
        };
        let slot = self.slots.get(name).filter(|slot| !slot.entries.is_empty());
        let slot = slot.ok_or(NO_VERSION)?;
        let found = slot.entries.iter().rposition(|entry| entry.version() == Some(version));
        match found.and_then(|at| slot.entries.get(at).zip(Some(at))) {
            Some((Entry::Object(object), at)) => {
                Ok((object, slot.live && at + 1 == slot.entries.len()))
            }
            Some((Entry::Marker(_), _)) => Err(NO_VERSION),
            None => Err(&[ErrorKind::VersionNotFound]),
        }
    }

    /// A revision that the key had; `None` if there was none yet.
    pub(super) fn pick(&self, name: &str, pick: Pick) -> Option<Revision> {
        let history = &self.slots.get(name)?.history;
        let back = pick.0.checked_rem(history.len())?;
        history.iter().rev().nth(back).map(|(revision, _)| revision.clone())
    }

    /// Whether a version is the one that reads see.
    pub(super) fn is_current(&self, name: &str, version: &VersionId) -> bool {
        self.current(name).is_some_and(|object| object.revision.version.as_ref() == Some(version))
    }

    /// Whether deletes were seen to leave markers.
    pub(super) fn has_markers(&self) -> bool {
        self.markers
    }

    /// Makes an object current.
    pub(super) fn write(&mut self, name: &str, object: Object) -> CaseResult {
        let slot = self.slots.entry(name.to_owned()).or_default();
        let etag = &object.revision.etag;
        ensure!(etag.is_some(), "the revision has no ETag");
        let clash = slot.history.iter().any(|(revision, content)| {
            revision.etag == *etag && content.as_ref().is_some_and(|it| *it != object.content)
        });
        ensure!(!clash, "{etag:?} stood for other content before");
        if self.versioned {
            let version = &object.revision.version;
            ensure!(version.is_some(), "a write into a versioned bucket returned no version");
            let used = slot.entries.iter().any(|entry| entry.version() == version.as_ref());
            ensure!(!used, "{version:?} is that of another version");
        } else {
            slot.entries.clear();
        }
        slot.history.push((object.revision.clone(), Some(object.content.clone())));
        slot.entries.push(Entry::Object(object));
        slot.live = true;
        Ok(())
    }

    /// Deletes what is current. On a versioned bucket it may leave a marker.
    pub(super) fn delete(&mut self, name: &str, marker: Option<VersionId>) {
        let slot = self.slots.entry(name.to_owned()).or_default();
        slot.live = false;
        if !self.versioned {
            slot.entries.clear();
        }
        if let Some(version) = marker {
            slot.history.push((Revision::new(None, version.clone()), None));
            slot.entries.push(Entry::Marker(version));
            self.markers = true;
        }
    }

    /// Removes a version for good, and tells whether it was there.
    pub(super) fn remove(&mut self, name: &str, version: &VersionId) -> bool {
        let markers = self.markers;
        let Some(slot) = self.slots.get_mut(name) else { return false };
        let before = slot.entries.len();
        slot.entries.retain(|entry| entry.version() != Some(version));
        if markers {
            slot.live = matches!(slot.entries.last(), Some(Entry::Object(_)));
        }
        slot.entries.len() < before
    }

    /// Changes what is current, which may make a version of its own.
    pub(super) fn update(&mut self, name: &str, dress: Dress, revision: Revision) -> CaseResult {
        let Some(mut object) = self.current(name).cloned() else { return Ok(()) };
        let in_place = object.revision.version == revision.version;
        (object.dress, object.revision) = (dress, revision);
        if in_place && let Some(slot) = self.slots.get_mut(name) {
            slot.entries.pop();
        }
        self.write(name, object)
    }

    /// What a listing has to show.
    pub(super) fn list(&self, options: &ListOptions) -> Vec<Line<'_>> {
        let mut lines = Vec::<Line<'_>>::new();
        for (name, slot) in &self.slots {
            let newest = slot.entries.len().saturating_sub(1);
            for (at, entry) in slot.entries.iter().enumerate().rev() {
                let latest = match entry {
                    Entry::Object(_) => at == newest && slot.live,
                    Entry::Marker(_) => at == newest,
                };
                let shown = options.versions || (latest && matches!(entry, Entry::Object(_)));
                let Some(label) = label_of(name, options).filter(|_| shown) else { continue };
                let line = match entry {
                    _ if label != *name => Line::Prefix(label),
                    Entry::Object(object) => Line::Object(name, object, latest),
                    Entry::Marker(version) => Line::Marker(name, version, latest),
                };
                let repeats = matches!((lines.last(), &line), (Some(Line::Prefix(a)), Line::Prefix(b)) if a == b);
                if !repeats {
                    lines.push(line);
                }
            }
        }
        lines.sort_by(|a, b| a.name().cmp(b.name()));
        lines
    }
}

/// One line of a listing.
pub(super) enum Line<'a> {
    /// A common prefix, with a `*` behind it.
    Prefix(String),
    /// An object, and whether it is the latest.
    Object(&'a str, &'a Object, bool),
    /// A delete marker, and whether it is the latest.
    Marker(&'a str, &'a VersionId, bool),
}

impl Line<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Prefix(label) => label.trim_end_matches('*'),
            Self::Object(name, ..) | Self::Marker(name, ..) => name,
        }
    }

    /// Whether an entry of the store says the same.
    pub(super) fn agrees(&self, entry: &ListEntry) -> bool {
        match (self, entry) {
            (Self::Prefix(label), ListEntry::Prefix(prefix)) => *label == format!("{prefix}*"),
            (Self::Object(name, object, latest), ListEntry::Object(meta)) => {
                meta.key.as_str() == *name
                    && meta.size == object.content.len() as u64
                    && meta.is_latest == Some(*latest)
                    && meta.revision.is_same(&object.revision)
            }
            (Self::Marker(name, version, latest), ListEntry::DeleteMarker(marker)) => {
                marker.key.as_str() == *name
                    && marker.version == **version
                    && marker.is_latest == *latest
            }
            _ => false,
        }
    }
}

/// A condition with the revision that it is about.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) wish: Wish,
    pub(super) revision: Revision,
}

impl Condition {
    /// How a write or a delete under this condition has to fail, if it has to. `Err` if providers
    /// differ, because the content came back under another version.
    pub(super) fn on_write(&self, current: Option<&Object>) -> Result<Option<ErrorKind>, ()> {
        let same = self.same(current)?;
        let failed = Some(ErrorKind::PreconditionFailed);
        Ok(match (self.wish, current.is_some()) {
            (Wish::Absent, true) => Some(ErrorKind::AlreadyExists),
            (Wish::Absent, false) | (Wish::Exists, true) | (Wish::NoneMatch(_), false) => None,
            (Wish::NoneMatch(_), true) => failed.filter(|_| same),
            (Wish::Exists | Wish::Unchanged(_) | Wish::Match(_), false) => failed,
            (Wish::Unchanged(_) | Wish::Match(_), true) => failed.filter(|_| !same),
        })
    }

    /// How a read of this object has to fail.
    pub(super) fn on_read(&self, object: &Object) -> Result<Option<ErrorKind>, ()> {
        let same = self.same(Some(object))?;
        Ok(match self.wish {
            Wish::NoneMatch(_) => Some(ErrorKind::NotModified).filter(|_| same),
            Wish::Unchanged(_) | Wish::Match(_) => {
                Some(ErrorKind::PreconditionFailed).filter(|_| !same)
            }
            Wish::Absent | Wish::Exists => None,
        })
    }

    fn same(&self, current: Option<&Object>) -> Result<bool, ()> {
        let Some(current) = current else { return Ok(false) };
        let etag = self.revision.etag == current.revision.etag;
        match self.wish {
            Wish::Unchanged(_) => {
                let same = self.revision.is_same(&current.revision);
                // Some providers compare by ETag, some by version.
                if etag == same { Ok(same) } else { Err(()) }
            }
            _ => Ok(etag),
        }
    }
}

impl fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(label) => label.fmt(f),
            Self::Object(name, object, latest) => {
                write!(f, "{name:?} ({object:?}, latest: {latest})")
            }
            Self::Marker(name, version, latest) => {
                write!(f, "{name:?} (deleted, {version:?}, latest: {latest})")
            }
        }
    }
}

/// An entry of a store in the words of [`Line`].
pub(super) struct Shown<'a>(pub(super) &'a ListEntry);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ListEntry::Object(meta) => {
                let (key, size, latest) =
                    (meta.key.as_str(), meta.size, meta.is_latest == Some(true));
                write!(f, "{key:?} ({size} bytes, {:?}, latest: {latest})", meta.revision)
            }
            ListEntry::DeleteMarker(marker) => {
                Line::Marker(&marker.key, &marker.version, marker.is_latest).fmt(f)
            }
            other => label(other).fmt(f),
        }
    }
}
