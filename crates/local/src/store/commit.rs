//! Changing what a key holds: every change is one rename or one unlink under the lock of the key.

use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::time::Duration;

use bytes::Bytes;
use polycloud_core::checksum::{ChecksumSet, Hasher};
use polycloud_core::object::{
    Access, ChecksumRequest, DeleteOptions, DeleteResult, Key, ObjectMeta, ObjectUpdate,
    Precondition, PutOptions, PutResult, Revision,
};
use polycloud_core::{Error, ErrorKind, Outcome, Result};
use rustix::io::Errno;

use super::identity::{Identity, stamp};
use super::local::Inner;
use super::names::{escape, is_plain};
use super::read::{Found, Place};
use super::record::{self, Record};
use super::root::{self, Dir, failed};
use super::session::{Existing, TempFile};
use super::sync::Durability;

/// Bytes that are copied at a time where they have to be looked at.
const COPY_BUFFER: usize = 256 << 10;

/// How often a directory is made again that others remove at the same time because it is empty.
const ATTEMPTS: u32 = 1_000;

/// A complete file that has not got its name yet.
#[derive(Debug)]
pub(super) struct Staged {
    temp: TempFile,
    identity: Identity,
    size: u64,
    checksums: ChecksumSet,
}

/// Content that is being written to a temporary file, with its checksum.
#[derive(Debug)]
pub(super) struct Writer {
    temp: TempFile,
    request: ChecksumRequest,
    hasher: Option<Hasher>,
    size: u64,
}

impl Writer {
    /// Appends chunks. Blocks.
    pub(super) fn write(&mut self, chunks: &[Bytes]) -> Result<()> {
        for chunk in chunks {
            self.size += chunk.len() as u64;
            if let Some(hasher) = &mut self.hasher {
                hasher.update(chunk);
            }
        }
        match chunks {
            [chunk] => self.temp.file.write_all(chunk).map_err(failed),
            chunks => {
                let mut slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
                write_all_vectored(&mut self.temp.file, &mut slices)
            }
        }
    }

    /// Appends what a reader yields, within the kernel where nothing is to be computed. Blocks.
    pub(super) fn copy_from(&mut self, source: &mut std::io::Take<File>) -> Result<()> {
        let copied = match &mut self.hasher {
            None => std::io::copy(source, &mut self.temp.file),
            Some(hasher) => {
                let mut buffer = vec![0; COPY_BUFFER];
                let mut copied = 0;
                loop {
                    match source.read(&mut buffer) {
                        Ok(0) => break Ok(copied),
                        Ok(n) => {
                            let data = buffer.get(..n).unwrap_or_default();
                            hasher.update(data);
                            self.temp.file.write_all(data).map_err(failed)?;
                            copied += n as u64;
                        }
                        Err(error) => break Err(error),
                    }
                }
            }
        };
        self.size += copied.map_err(failed)?;
        Ok(())
    }

    /// The file and its size, without the checksum.
    pub(super) fn into_file(self) -> (TempFile, u64) {
        (self.temp, self.size)
    }
}

fn write_all_vectored(file: &mut File, mut slices: &mut [IoSlice<'_>]) -> Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(failed(std::io::Error::from(std::io::ErrorKind::WriteZero))),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

impl Inner {
    /// Starts a file for new content. Blocks.
    pub(super) fn writer(&self, request: ChecksumRequest) -> Result<Writer> {
        let hasher = request.algorithm().map(polycloud_core::checksum::ChecksumAlgorithm::hasher);
        Ok(Writer { temp: self.session.file()?, request, hasher, size: 0 })
    }

    /// Completes a file: checks its content, gives it metadata and a time, and makes it durable. Blocks.
    pub(super) fn seal(&self, writer: Writer, options: &PutOptions) -> Result<Staged> {
        let Writer { temp, request, hasher, size } = writer;
        let mut checksums = ChecksumSet::new();
        if let Some(hasher) = hasher {
            let actual = hasher.finish();
            if let ChecksumRequest::Expect(expected) = request {
                expected.verify(&actual)?;
            }
            checksums.insert(actual);
        }
        let record = Record {
            attributes: options.attributes.clone(),
            tags: options.tags.clone(),
            checksums,
            ..Record::default()
        };
        self.stage(temp, record, size)
    }

    /// Gives a file with complete content metadata and a time, and makes it durable. Blocks.
    pub(super) fn stage(&self, temp: TempFile, mut record: Record, size: u64) -> Result<Staged> {
        let time = self.stamps.next(&*self.clock);
        record.stamp = nanos(time);
        if !record.is_empty() {
            record::write(&temp.file, &record.encode()?)?;
        }
        stamp(&temp.file, time).map_err(failed)?;
        let stat = rustix::fs::fstat(&temp.file).map_err(failed)?;
        if self.durability == Durability::Full {
            rustix::fs::fsync(&temp.file).map_err(failed)?;
        }
        let identity = Identity::of(&stat);
        Ok(Staged { temp, identity, size, checksums: record.checksums })
    }

    /// Makes a staged file the object of a key, if the condition holds. Blocks.
    pub(super) fn commit(
        &self,
        key: &Key,
        staged: Staged,
        condition: Option<&Precondition>,
    ) -> Result<PutResult> {
        let Staged { mut temp, identity, size, checksums } = staged;
        let guard = self.locks.lock(key)?;
        let versioned = self.look_up_versioning()?;
        let mut place = None;
        if condition.is_some() || versioned {
            let current = self.find(key)?;
            self.check_write(key, current.as_ref(), condition)?;
            if let Some(current) = &current {
                place = Some(current.place);
                if versioned {
                    self.preserve(key, current)?;
                }
            }
        }
        let existing = match (condition, self.durability) {
            (Some(Precondition::IfAbsent), _) => Existing::Refuse,
            (_, Durability::Full) => Existing::Replace,
            (_, Durability::Fast) => Existing::ReplaceQuickly,
        };
        let dir = self.put_in_place(key, &mut temp, place, existing)?;
        drop(guard);
        self.sync(&dir)?;
        let version = versioned.then(|| identity.version());
        let mut result = PutResult::new(Revision::new(identity.etag(), version), size);
        result.checksums = checksums;
        Ok(result)
    }

    fn check_write(
        &self,
        key: &Key,
        current: Option<&Found>,
        condition: Option<&Precondition>,
    ) -> Result<()> {
        let Some(condition) = condition else { return Ok(()) };
        let meta = current.map(|found| self.describe(key, found, true, None)).transpose()?;
        condition.check(Access::Write, meta.as_ref())
    }

    /// Renames a file to where the object of a key belongs, and returns the directory to sync.
    ///
    /// An object stays where it is. A new one gets the path that its key spells, unless a directory or
    /// a file stands in the way there.
    pub(super) fn put_in_place(
        &self,
        key: &Key,
        temp: &mut TempFile,
        place: Option<Place>,
        existing: Existing,
    ) -> Result<Dir> {
        let escaped = escape(key);
        let stays_escaped = match place {
            Some(place) => place == Place::Escaped,
            None => root::stat(&self.keys, &escaped).is_ok(),
        };
        if !stays_escaped && is_plain(key, self.folding) {
            let dir = self.rename_into(&self.root, key, temp, existing)?;
            if let Some(dir) = dir {
                return Ok(dir);
            }
        }
        let dir = self.rename_into(&self.keys, &escaped, temp, existing)?;
        dir.ok_or_else(|| Error::new(ErrorKind::Internal).with_message("an escaped name is taken"))
    }

    /// Renames a file to a path below a directory, whose directories are made as needed; `None` if a
    /// file is in the place of a directory or the other way round.
    pub(super) fn rename_into(
        &self,
        base: &Dir,
        path: &str,
        temp: &mut TempFile,
        existing: Existing,
    ) -> Result<Option<Dir>> {
        let (parent, name) = root::split(path);
        for _ in 0..ATTEMPTS {
            let dir = match root::open_dir(base, parent) {
                Err(Errno::NOENT) => {
                    root::create_dirs(base, parent, self.durability == Durability::Full)
                }
                result => result,
            };
            let renamed = dir.and_then(|dir| temp.rename(&dir, name, existing).map(|()| dir));
            match renamed {
                Ok(dir) => return Ok(Some(dir)),
                // Someone removed the directory because it was empty a moment ago.
                Err(Errno::NOENT) => self.check_alive()?,
                Err(Errno::NOTDIR | Errno::ISDIR) => return Ok(None),
                Err(Errno::EXIST) => {
                    let file = root::open_dir(base, path).is_err();
                    return if file { Err(ErrorKind::AlreadyExists.into()) } else { Ok(None) };
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Err(Error::new(ErrorKind::Conflict)
            .with_message("its directory is removed again and again"))
    }

    pub(super) fn check_alive(&self) -> Result<()> {
        let error = self.not_found();
        if error.kind() == ErrorKind::BucketNotFound { Err(error) } else { Ok(()) }
    }

    /// Deletes the object of a key. Blocks.
    pub(super) fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<DeleteResult> {
        let guard = self.locks.lock(key)?;
        let current = self.find(key)?;
        if let Some(condition) = &options.precondition {
            let meta =
                current.as_ref().map(|found| self.describe(key, found, true, None)).transpose()?;
            condition.check(Access::Delete, meta.as_ref())?;
        }
        if let Some(version) = &options.version {
            let existed = self.remove_version(key, current.as_ref(), version)?;
            return Ok(DeleteResult::new(Some(existed)));
        }
        let Some(current) = current else {
            self.check_alive()?;
            return Ok(DeleteResult::new(Some(false)));
        };
        let mut result = DeleteResult::new(Some(true));
        if self.look_up_versioning()? {
            self.preserve(key, &current)?;
            result.delete_marker = Some(self.mark_deleted(key)?);
        }
        let dir = self.unlink_object(key, current.place)?;
        drop(guard);
        self.sync(&dir)?;
        Ok(result)
    }

    /// Removes the file of an object and the directories that are empty without it, and returns the
    /// directory to sync.
    pub(super) fn unlink_object(&self, key: &Key, place: Place) -> Result<Dir> {
        let escaped;
        let (base, path) = match place {
            Place::Plain => (&self.root, key.as_str()),
            Place::Escaped => {
                escaped = escape(key);
                (&self.keys, escaped.as_str())
            }
        };
        let (parent, name) = root::split(path);
        let dir = root::open_dir(base, parent).map_err(failed)?;
        root::unlink(&dir, name).map_err(failed)?;
        prune(base, parent, dir).map_err(|error| failed(error).with_outcome(Outcome::Applied))
    }

    /// Changes attributes and tags of an object in place. Blocks.
    pub(super) fn update(&self, key: &Key, update: &ObjectUpdate) -> Result<ObjectMeta> {
        let _guard = self.locks.lock(key)?;
        let versioned = self.look_up_versioning()?;
        let Some(mut found) = self.find(key)? else { return Err(self.not_found()) };
        self.check_write(key, Some(&found), update.precondition.as_ref())?;
        let mut record = Record::read(&found.file)?;
        if record.stamp != found.identity().stamp() {
            record.checksums = ChecksumSet::new();
        }
        if versioned {
            record.version = Some(found.version(&record));
        }
        if let Some(attributes) = &update.attributes {
            record.attributes = attributes.clone();
        }
        if let Some(tags) = &update.tags {
            record.tags = tags.clone();
        }
        let time = self.stamps.next(&*self.clock);
        record.stamp = nanos(time);
        record::write(&found.file, &record.encode()?)?;
        let file = File::from(found.file);
        let applied = |error: Errno| failed(error).with_outcome(Outcome::Applied);
        stamp(&file, time).map_err(applied)?;
        if self.durability == Durability::Full {
            rustix::fs::fsync(&file)
                .map_err(|error| failed(error).with_outcome(Outcome::Unknown))?;
        }
        found.stat = rustix::fs::fstat(&file).map_err(applied)?;
        found.file = file.into();
        Ok(found.meta(key, record, versioned))
    }

    /// Makes renames in a directory durable, if writes are to be. Blocks.
    pub(super) fn sync(&self, dir: &Dir) -> Result<()> {
        match self.durability {
            Durability::Full => self.syncs.sync(dir),
            Durability::Fast => Ok(()),
        }
    }
}

/// Removes a directory and those above it, up to a base, as far as they are empty. Returns the deepest
/// one that stays.
pub(super) fn prune(base: &Dir, mut path: &str, mut dir: Dir) -> Result<Dir, Errno> {
    while !path.is_empty() {
        let (parent, name) = root::split(path);
        let above = root::open_dir(base, parent)?;
        match root::remove_dir(&above, name) {
            Ok(()) => (path, dir) = (parent, above),
            // Not empty, or in use by someone, or not ours to remove.
            Err(_) => break,
        }
    }
    Ok(dir)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
