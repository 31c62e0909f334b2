//! Finding objects and reading them.

use std::fs::File;
use std::os::fd::OwnedFd;

use bytes::{Bytes, BytesMut};
use polycloud_core::object::{
    Access, Body, GetOptions, GetResult, Key, ObjectMeta, Precondition, Revision, Verify, VersionId,
};
use polycloud_core::{Error, ErrorKind, Result};
use rustix::fs::Stat;
use rustix::io::Errno;

use super::body::{self, FileBody};
use super::identity::Identity;
use super::local::Inner;
use super::names::{escape, is_plain};
use super::record::Record;
use super::root::{self, Dir, failed, is_file};

/// Content up to this size is read together with its metadata.
const AT_ONCE: u64 = 1 << 20;

/// Content up to this size is read on the calling task if the kernel has it cached.
const CACHED: u64 = 64 << 10;

/// Where the file of an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At the path that its key spells.
    Plain,
    /// Among the escaped names.
    Escaped,
}

/// The open file of an object.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) file: OwnedFd,
    pub(super) stat: Stat,
}

impl Found {
    /// Takes a file that was opened for reading; `None` if it is a directory.
    pub(super) fn of(file: OwnedFd, place: Place) -> Result<Option<Self>> {
        let stat = rustix::fs::fstat(&file).map_err(failed)?;
        match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
            _ if is_file(&stat) => Ok(Some(Self { place, file, stat })),
            rustix::fs::FileType::Directory => Ok(None),
            _ => Err(special_file()),
        }
    }

    pub(super) fn identity(&self) -> Identity {
        Identity::of(&self.stat)
    }

    /// The version that the file is, whether or not the bucket keeps versions.
    pub(super) fn version(&self, record: &Record) -> VersionId {
        record.version.clone().unwrap_or_else(|| self.identity().version())
    }

    /// The object that the file is.
    pub(super) fn meta(&self, key: &Key, record: Record, versioned: bool) -> ObjectMeta {
        let identity = self.identity();
        let version = versioned.then(|| self.version(&record));
        let revision = Revision::new(identity.etag(), version);
        let size = u64::try_from(self.stat.st_size).unwrap_or(0);
        let mut meta = ObjectMeta::new(key.clone(), size, identity.modified(), revision);
        let Record { attributes, tags, checksums, stamp, version: _ } = record;
        meta.attributes = Some(attributes);
        meta.tags = Some(tags);
        if identity.stamp() == stamp {
            meta.checksums = checksums;
        }
        meta
    }
}

fn special_file() -> Error {
    Error::new(ErrorKind::InvalidResponse)
        .with_message("there is something that is not a regular file")
}

impl Inner {
    /// Opens the object that a key holds. Blocks.
    pub(super) fn find(&self, key: &Key) -> Result<Option<Found>> {
        if is_plain(key, self.folding) {
            let found = self.open(&self.root, key, Place::Plain)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        self.open(&self.keys, &escape(key), Place::Escaped)
    }

    pub(super) fn open(&self, dir: &Dir, path: &str, place: Place) -> Result<Option<Found>> {
        match root::open_file(dir, path) {
            Ok(file) => Found::of(file, place),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            // Sockets cannot be opened, nor devices without a driver.
            Err(Errno::NXIO | Errno::NODEV) => Err(special_file()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Opens the object or version that a read means. Blocks.
    pub(super) fn find_for_read(
        &self,
        key: &Key,
        version: Option<&VersionId>,
    ) -> Result<(Found, bool)> {
        match version {
            Some(version) => self.find_version(key, version),
            None => match self.find(key)? {
                Some(found) => Ok((found, true)),
                None => Err(self.not_found()),
            },
        }
    }

    /// Why an object is not there.
    pub(super) fn not_found(&self) -> Error {
        let removed = rustix::fs::fstat(&self.root).is_ok_and(|stat| stat.st_nlink == 0);
        if removed { ErrorKind::BucketNotFound.into() } else { ErrorKind::NotFound.into() }
    }

    /// The metadata of an open object, if the condition holds.
    pub(super) fn describe(
        &self,
        key: &Key,
        found: &Found,
        is_latest: bool,
        condition: Option<&Precondition>,
    ) -> Result<ObjectMeta> {
        let record = Record::read(&found.file)?;
        // An older version is one, whether or not the bucket still keeps versions.
        let mut meta = found.meta(key, record, self.is_versioned() || !is_latest);
        meta.is_latest = Some(is_latest);
        if let Some(condition) = condition {
            condition.check(Access::Read, Some(&meta))?;
        }
        Ok(meta)
    }

    /// Reads on the calling task what the kernel has in its caches; `None` if it would have to wait.
    pub(super) fn get_cached(&self, key: &Key, options: &GetOptions) -> Result<Option<GetResult>> {
        if options.version.is_some() || !is_plain(key, self.folding) {
            return Ok(None);
        }
        // A miss, like everything out of the ordinary, is looked at again by the thorough way.
        let Ok(file) = root::open_file_cached(&self.root, key) else { return Ok(None) };
        let Some(found) = Found::of(file, Place::Plain)? else { return Ok(None) };
        self.read_open(key, found, true, options, read_cached).map(Some)
    }

    /// Reads an object; content that is not small follows through the body. Blocks.
    pub(super) fn get(&self, key: &Key, options: &GetOptions) -> Result<GetResult> {
        let (found, is_latest) = self.find_for_read(key, options.version.as_ref())?;
        self.read_open(key, found, is_latest, options, |file, range| {
            (range.end - range.start <= AT_ONCE).then(|| body::read_at(file, range)).transpose()
        })
    }

    fn read_open(
        &self,
        key: &Key,
        found: Found,
        is_latest: bool,
        options: &GetOptions,
        read_now: impl Fn(&File, std::ops::Range<u64>) -> Result<Option<Bytes>>,
    ) -> Result<GetResult> {
        let mut meta = self.describe(key, &found, is_latest, options.precondition.as_ref())?;
        meta.tags = None;
        let size = meta.size;
        let range = options.range.map_or(Ok(0..size), |range| range.resolve(size))?;
        let whole = range == (0..size) && options.verify == Verify::IfStored;
        let checksum = meta.checksums.cheapest().filter(|_| whole);
        let file = File::from(found.file);
        let body = match read_now(&file, range.clone())? {
            Some(bytes) => Body::from(bytes),
            None => Body::from_source(FileBody::new(file, range.clone())),
        };
        let result = GetResult::new(meta, range, body);
        Ok(match checksum {
            Some(checksum) => result.verified(checksum),
            None => result,
        })
    }
}

/// Reads what is in the page cache, and nothing if a part of it is not.
#[cfg(target_os = "linux")]
#[allow(clippy::unnecessary_wraps, reason = "stands in for a read that can fail")]
fn read_cached(file: &File, range: std::ops::Range<u64>) -> Result<Option<Bytes>> {
    let len = range.end - range.start;
    let Some(len) = usize::try_from(len).ok().filter(|len| *len as u64 <= CACHED) else {
        return Ok(None);
    };
    let mut buffer = BytesMut::zeroed(len);
    let mut slices = [std::io::IoSliceMut::new(&mut buffer)];
    let flags = rustix::io::ReadWriteFlags::NOWAIT;
    let read = rustix::io::preadv2(file, &mut slices, range.start, flags);
    Ok((read == Ok(len)).then(|| buffer.freeze()))
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &File, _: std::ops::Range<u64>) -> Result<Option<Bytes>> {
    Ok(None)
}
