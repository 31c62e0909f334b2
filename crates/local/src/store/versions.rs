//! Older versions and delete markers of a key, each a file named by its version.
//!
//! The current version is the object's own file and not among these. A killed process can leave a
//! version here that is still current, or a delete marker whose delete did not happen: both are
//! recognised and left out.

use polycloud_core::object::{Key, VersionId};
use polycloud_core::{ErrorKind, Result};
use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::commit::prune;
use super::identity::{Identity, stamp};
use super::local::Inner;
use super::names::escape;
use super::read::{Found, Place};
use super::record::Record;
use super::root::{self, Dir, failed};
use super::session::Existing;

const MARKER: &str = ".deleted";
const VERSIONING: &str = "versioning";

/// An older version, or a delete marker.
#[derive(Debug, Clone)]
pub(super) struct Older {
    pub(super) id: VersionId,
    pub(super) is_marker: bool,
}

impl Older {
    fn file_name(&self) -> String {
        format!("{}{}", self.id, if self.is_marker { MARKER } else { "" })
    }

    fn parse(name: &str) -> Option<Self> {
        let (id, is_marker) = match name.strip_suffix(MARKER) {
            Some(id) => (id, true),
            None => (name, false),
        };
        is_version(id).then(|| Self { id: VersionId::new(id), is_marker })
    }
}

/// Whether the text can be a version of this store, and so a file name.
fn is_version(id: &str) -> bool {
    id.len() == 23 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'v'))
}

impl Inner {
    /// Whether writes keep what they replace, as the disk says now.
    pub(super) fn look_up_versioning(&self) -> Result<bool> {
        let versioned = match root::stat(&self.private, VERSIONING) {
            Ok(_) => true,
            Err(Errno::NOENT) => false,
            Err(error) => return Err(failed(error)),
        };
        self.set_versioned_hint(versioned);
        Ok(versioned)
    }

    /// Switches versioning for every process that uses the directory. Blocks.
    pub(super) fn set_versioning(&self, enabled: bool) -> Result<()> {
        if !enabled {
            root::unlink(&self.private, VERSIONING).map_err(failed)?;
        } else if !self.look_up_versioning()? {
            match root::create_file(&self.private, VERSIONING) {
                Ok(_) | Err(Errno::EXIST) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        self.set_versioned_hint(enabled);
        self.sync(&self.private)
    }

    /// The older versions of a key, newest first. Blocks.
    pub(super) fn older(&self, key: &Key, current: Option<&Found>) -> Result<Vec<Older>> {
        let current = match current {
            Some(found) => Some(found.version(&Record::read(&found.file)?)),
            None => None,
        };
        let names = match root::open_dir(&self.versions, &escape(key)) {
            Ok(dir) => root::names(&dir).map_err(failed)?,
            Err(Errno::NOENT) => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let mut older: Vec<_> = names.iter().filter_map(|(name, _)| Older::parse(name)).collect();
        if let Some(current) = current {
            older.retain(|older| {
                older.id != current && !(older.is_marker && older.id.as_str() > current.as_str())
            });
        }
        older.sort_by(|a, b| b.id.as_str().cmp(a.id.as_str()));
        Ok(older)
    }

    /// Opens the file of an older version. Blocks.
    pub(super) fn open_older(&self, key: &Key, older: &Older) -> Result<Option<Found>> {
        let path = format!("{}/{}", escape(key), older.file_name());
        self.open(&self.versions, &path, Place::Escaped)
    }

    /// Opens a version, and tells whether it is the current one. Blocks.
    pub(super) fn find_version(&self, key: &Key, id: &VersionId) -> Result<(Found, bool)> {
        let current = self.find(key)?;
        if let Some(current) = current {
            if current.version(&Record::read(&current.file)?) == *id {
                return Ok((current, true));
            }
        } else if root::open_dir(&self.versions, &escape(key)).is_err() {
            return Err(self.not_found());
        }
        let older = Older { id: id.clone(), is_marker: false };
        let found = if is_version(id.as_str()) { self.open_older(key, &older)? } else { None };
        found.map(|found| (found, false)).ok_or_else(|| ErrorKind::VersionNotFound.into())
    }

    /// Keeps the current version under a second name, before it is replaced or deleted.
    pub(super) fn preserve(&self, key: &Key, current: &Found) -> Result<()> {
        let id = current.version(&Record::read(&current.file)?);
        let target = self.versions_dir(key)?;
        let escaped = escape(key);
        let (base, path) = match current.place {
            Place::Plain => (&self.root, key.as_str()),
            Place::Escaped => (&self.keys, escaped.as_str()),
        };
        let (parent, name) = root::split(path);
        let dir = root::open_dir(base, parent).map_err(failed)?;
        match rustix::fs::linkat(&dir, name, &target, id.as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::EXIST) => self.sync(&target),
            Err(error) => Err(failed(error)),
        }
    }

    /// Adds a delete marker. Blocks.
    pub(super) fn mark_deleted(&self, key: &Key) -> Result<VersionId> {
        let mut temp = self.session.file()?;
        stamp(&temp.file, self.stamps.next(&*self.clock)).map_err(failed)?;
        let id = Identity::of(&rustix::fs::fstat(&temp.file).map_err(failed)?).version();
        let marker = Older { id, is_marker: true };
        let dir = self.versions_dir(key)?;
        temp.rename(&dir, &marker.file_name(), Existing::Replace).map_err(failed)?;
        self.sync(&dir)?;
        Ok(marker.id)
    }

    fn versions_dir(&self, key: &Key) -> Result<Dir> {
        let durable = self.durability == super::sync::Durability::Full;
        root::create_dirs(&self.versions, &escape(key), durable).map_err(failed)
    }

    /// Removes a version for good and tells whether it was there. If it was the newest, the one before
    /// it is current again. Needs the lock of the key.
    pub(super) fn remove_version(
        &self,
        key: &Key,
        current: Option<&Found>,
        id: &VersionId,
    ) -> Result<bool> {
        let mut older = self.older(key, current)?;
        let mut is_current = false;
        if let Some(found) = current {
            is_current = found.version(&Record::read(&found.file)?) == *id;
            if is_current {
                let dir = self.unlink_object(key, found.place)?;
                self.sync(&dir)?;
            }
        }
        let at = older.iter().position(|older| older.id == *id);
        let was_newest = is_current || (at == Some(0) && current.is_none());
        if let Some(at) = at {
            let removed = older.remove(at);
            self.unlink_older(key, &removed)?;
        }
        if let Some(newest) = older.first().filter(|newest| was_newest && !newest.is_marker) {
            self.promote(key, newest)?;
        }
        Ok(is_current || at.is_some())
    }

    fn unlink_older(&self, key: &Key, older: &Older) -> Result<()> {
        let path = escape(key);
        let dir = match root::open_dir(&self.versions, &path) {
            Ok(dir) => dir,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        root::unlink(&dir, &older.file_name()).map_err(failed)?;
        let dir = prune(&self.versions, &path, dir).map_err(failed)?;
        self.sync(&dir)
    }

    /// Makes an older version current.
    fn promote(&self, key: &Key, version: &Older) -> Result<()> {
        let dir = root::open_dir(&self.versions, &escape(key)).map_err(failed)?;
        // A second name first and the removal of the old one then: no moment without either.
        let mut temp = self.session.link(&dir, &version.file_name())?;
        let place = self.put_in_place(key, &mut temp, None, Existing::Replace)?;
        self.sync(&place)?;
        self.unlink_older(key, version)
    }
}
