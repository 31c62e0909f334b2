//! What is known about instances: a directory each, in which one small file tells everything.
//!
//! The file is the only truth. It is replaced as a whole, under a lock on its directory that is held for
//! the change alone, so that any number of processes work on the same instances. Whoever drives an
//! instance from one phase to the next holds a second lock meanwhile; see [`drive`](super::drive).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use polycloud_core::compute::{
    IdempotencyToken, Instance, InstanceName, InstanceState, InstanceStatus, Labels, Owner,
    StateReason,
};
use polycloud_core::{Error, ErrorKind, Result};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::error::{broken, failed};
use super::ids;
use super::process::Runner;
use super::tree;

/// The layout of [`Record`] and of the directory around it.
const FORMAT: u32 = 1;

const JOURNAL: &str = "instance.json";

/// What an instance is doing, in more detail than an [`InstanceState`]: enough to go on after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Phase {
    /// Its disk is being made, then it boots for the first time.
    Provisioning,
    /// It boots again.
    Starting,
    /// It goes down to boot again.
    Restarting {
        force: bool,
    },
    /// Its processes are being continued.
    Resuming,
    Running,
    Stopping {
        force: bool,
    },
    Stopped,
    Suspending,
    Suspended,
    Terminating,
    /// It could not be provisioned.
    Failed,
}

impl Phase {
    pub(super) fn state(self) -> InstanceState {
        match self {
            Self::Provisioning | Self::Starting | Self::Restarting { .. } | Self::Resuming => {
                InstanceState::Pending
            }
            Self::Running => InstanceState::Running,
            Self::Stopping { .. } => InstanceState::Stopping,
            Self::Stopped => InstanceState::Stopped,
            Self::Suspending => InstanceState::Suspending,
            Self::Suspended => InstanceState::Suspended,
            Self::Terminating => InstanceState::Terminating,
            Self::Failed => InstanceState::Failed,
        }
    }

    /// The word for it, in place of a provider's own.
    fn native(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Starting => "starting",
            Self::Restarting { .. } => "restarting",
            Self::Resuming => "resuming",
            other => other.state().as_str(),
        }
    }

    /// Whether the instance is down as soon as its runner is.
    pub(super) fn needs_runner(self) -> bool {
        matches!(self, Self::Running | Self::Suspended)
    }
}

/// Everything about an instance but its disk, console and user data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) format: u32,
    /// The native part of its id.
    pub(super) id: String,
    pub(super) name: InstanceName,
    pub(super) owner: Option<Owner>,
    pub(super) token: Option<IdempotencyToken>,
    /// Tells whether a create with the same token asks for the same.
    pub(super) fingerprint: String,
    /// Its number among the instances of one create.
    pub(super) index: u32,
    pub(super) instance_type: String,
    pub(super) image: String,
    pub(super) zone: String,
    pub(super) address: Ipv4Addr,
    pub(super) public: bool,
    pub(super) labels: Labels,
    pub(super) created: SystemTime,
    pub(super) phase: Phase,
    pub(super) reason: Option<StateReason>,
    /// Grows with each change of the phase, so that who works on one notices when it is overtaken.
    pub(super) revision: u64,
    /// How many times it was booted, the boot that is under way included.
    pub(super) boots: u32,
    /// The runner of the last boot.
    pub(super) runner: Option<Runner>,
}

impl Record {
    pub(super) const FORMAT: u32 = FORMAT;

    /// Changes the phase.
    pub(super) fn enter(&mut self, phase: Phase, reason: Option<StateReason>) {
        self.phase = phase;
        self.reason = reason;
        self.revision += 1;
    }

    /// Changes the phase to one that ends in a boot.
    pub(super) fn enter_boot(&mut self, phase: Phase) {
        self.enter(phase, None);
        self.boots += 1;
        self.runner = None;
    }

    /// The instance as a caller sees it.
    pub(super) fn instance(&self) -> Result<Instance> {
        let mut status =
            InstanceStatus::new(self.phase.state(), self.phase.native()).with_compute_billed(false);
        status.reason.clone_from(&self.reason);
        let id = ids::instance_id(&self.id)?;
        let mut instance =
            Instance::new(id, self.name.clone(), status, self.instance_type.as_str());
        let address = IpAddr::V4(self.address);
        instance.private_ips = vec![address];
        if self.public {
            instance.public_ips = vec![address];
        }
        instance.image = Some(self.image.clone());
        instance.zone = Some(self.zone.clone());
        instance.labels = self.labels.clone();
        instance.owner.clone_from(&self.owner);
        instance.created = Some(self.created);
        Ok(instance)
    }
}

/// The directory of one instance.
#[derive(Debug, Clone)]
pub(super) struct InstanceDir {
    path: PathBuf,
}

impl InstanceDir {
    pub(super) fn new(instances: &Path, id: &str) -> Self {
        Self { path: instances.join(id) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The native part of the instance's id.
    pub(super) fn id(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    pub(super) fn exists(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    /// Where its programs work.
    pub(super) fn disk(&self) -> PathBuf {
        self.path.join("disk")
    }

    /// A disk that is not complete yet.
    pub(super) fn unfinished_disk(&self) -> PathBuf {
        self.path.join("disk.new")
    }

    /// Where its programs keep temporary files, which are not part of an image of it.
    pub(super) fn temporary(&self) -> PathBuf {
        self.path.join("tmp")
    }

    pub(super) fn console(&self) -> PathBuf {
        self.path.join("console.log")
    }

    pub(super) fn runner(&self) -> PathBuf {
        self.path.join("runner.sh")
    }

    /// The number of the last boot that its runner has begun.
    pub(super) fn begun_boot(&self) -> Option<u32> {
        fs::read_to_string(self.path.join("begun")).ok()?.trim().parse().ok()
    }

    /// The exit status of its user data, once that has ended.
    pub(super) fn user_data_status(&self) -> Option<i32> {
        fs::read_to_string(self.path.join("user-data.status")).ok()?.trim().parse().ok()
    }

    /// Makes the directory and its journal. The caller holds the lock of the root.
    pub(super) fn create(&self, record: &Record, user_data: Option<&[u8]>) -> Result<()> {
        let make = || -> io::Result<()> {
            fs::DirBuilder::new().mode(0o700).create(&self.path)?;
            if let Some(data) = user_data {
                write_file(&self.path.join("user-data"), data, true)?;
            }
            Ok(())
        };
        make().map_err(|error| failed("cannot make the instance's directory", error))?;
        self.write(record, true)?;
        let parent = self.path.parent().unwrap_or(&self.path);
        sync_dir(parent).map_err(|error| failed("cannot sync the directory of instances", error))
    }

    /// Reads the journal; `None` if there is no such instance.
    pub(super) fn read(&self) -> Result<Option<Record>> {
        let path = self.path.join(JOURNAL);
        let json = match fs::read(&path) {
            Ok(json) => json,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(failed("cannot read the instance's journal", error)),
        };
        let unreadable = |why: &dyn std::fmt::Display| broken(format!("{}: {why}", path.display()));
        let record: Record = serde_json::from_slice(&json).map_err(|error| unreadable(&error))?;
        if record.format != FORMAT {
            return Err(unreadable(&format!("format {} is not known", record.format)));
        }
        if record.id != self.id() {
            return Err(unreadable(&"it belongs to another instance"));
        }
        Ok(Some(record))
    }

    /// Changes the journal under its lock, durably. `None` if there is no such instance.
    ///
    /// If `change` fails, nothing is written.
    pub(super) fn update<T>(
        &self,
        change: impl FnOnce(&mut Record) -> Result<T>,
    ) -> Result<Option<T>> {
        self.update_with(true, change)
    }

    /// Like [`update`](Self::update), but a power cut may undo it: for what means nothing after one.
    pub(super) fn update_fast<T>(
        &self,
        change: impl FnOnce(&mut Record) -> Result<T>,
    ) -> Result<Option<T>> {
        self.update_with(false, change)
    }

    fn update_with<T>(
        &self,
        durable: bool,
        change: impl FnOnce(&mut Record) -> Result<T>,
    ) -> Result<Option<T>> {
        let _lock = match File::open(&self.path).and_then(FileLock::wait) {
            Ok(lock) => lock,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(failed("cannot lock the instance's journal", error)),
        };
        let Some(before) = self.read()? else { return Ok(None) };
        let mut record = before.clone();
        let result = change(&mut record)?;
        if record != before {
            self.write(&record, durable)?;
        }
        Ok(Some(result))
    }

    fn write(&self, record: &Record, durable: bool) -> Result<()> {
        let json = serde_json::to_vec_pretty(record).map_err(|error| broken(error.to_string()))?;
        let temporary = self.path.join("instance.json.new");
        let write = || -> io::Result<()> {
            write_file(&temporary, &json, durable)?;
            fs::rename(&temporary, self.path.join(JOURNAL))?;
            if durable { sync_dir(&self.path) } else { Ok(()) }
        };
        write().map_err(|error| failed("cannot write the instance's journal", error))
    }

    /// Waits until nobody else drives the instance. `None` if there is no such instance.
    pub(super) fn lock_worker(&self) -> Result<Option<FileLock>> {
        let lock = self.open_worker().and_then(|file| file.map(FileLock::wait).transpose());
        lock.map_err(|error| failed("cannot lock the instance", error))
    }

    /// Whether nobody drives the instance at the moment.
    pub(super) fn has_no_worker(&self) -> Result<bool> {
        let lock = self.open_worker().and_then(|file| file.map(FileLock::try_now).transpose());
        let lock = lock.map_err(|error| failed("cannot look at the instance's lock", error))?;
        Ok(matches!(lock, Some(Some(_))))
    }

    fn open_worker(&self) -> io::Result<Option<File>> {
        let path = self.path.join("worker.lock");
        match OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes everything, the journal last, so that a removal that is interrupted is known about.
    pub(super) fn remove(&self) -> Result<()> {
        let remove = || -> io::Result<()> {
            let entries = match fs::read_dir(&self.path) {
                Ok(entries) => entries,
                Err(error) if is_gone(&error) => return Ok(()),
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                if entry.file_name() != JOURNAL {
                    tree::remove(&entry.path())?;
                }
            }
            tree::remove(&self.path.join(JOURNAL))?;
            tree::remove(&self.path)
        };
        remove().map_err(|error| failed("cannot remove the instance's directory", error))
    }
}

/// A lock on a file, until it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct FileLock(File);

impl FileLock {
    pub(super) fn wait(file: File) -> io::Result<Self> {
        loop {
            match rustix::fs::flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Self(file)),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn try_now(file: File) -> io::Result<Option<Self>> {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // A child between its fork and its exec shares the open file: closing ours is not enough.
        let _closing_unlocks_too = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

/// Writes a file that only its owner can read.
pub(super) fn write_file(path: &Path, data: &[u8], durable: bool) -> io::Result<()> {
    let mut file =
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(data)?;
    if durable { file.sync_all() } else { Ok(()) }
}

pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether a file or one of its parents is not there, or no longer a directory.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Reads at most `most` bytes of a file from a position on, and tells its size.
pub(super) fn read_from(path: &Path, from: u64, most: u64) -> io::Result<(Vec<u8>, u64)> {
    use std::io::{Seek, SeekFrom};
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut data = Vec::new();
    if from < size {
        file.seek(SeekFrom::Start(from))?;
        file.take(most).read_to_end(&mut data)?;
    }
    Ok((data, size))
}

/// What the state of an instance forbids.
pub(super) fn invalid_state(record: &Record, action: &str) -> Error {
    Error::new(ErrorKind::InvalidState)
        .with_message(format!("it is {}, and so it cannot be {action}", record.phase.native()))
}
