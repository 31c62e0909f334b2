//! Instances as process groups of the host.
//!
//! Everything about the instances of a root is in its directory; see [`journal`]. A request changes an
//! instance's journal and returns; [`drive`] then brings the instance there in the background.
//! [`lifecycle`] has the requests and what a look at an instance sets right, [`boot`] and [`process`]
//! deal with the host's processes.

mod boot;
mod builder;
mod create;
mod drive;
mod error;
mod facets;
mod ids;
mod image;
mod journal;
mod lifecycle;
mod process;
mod provider;
mod sweep;
mod tree;
mod types;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use polycloud_core::capability::Capabilities;
use polycloud_core::clock::{Clock, Random};
use polycloud_core::compute::{ComputeInfo, InstanceId};
use polycloud_core::{Error, ErrorKind, Result};

use self::boot::Environment;
pub use self::builder::{LocalComputeBuilder, LocalComputeConfig};
use self::error::failed;
use self::journal::{FileLock, InstanceDir, Record, is_gone};
use self::provider::Nothing;

/// Instances that are groups of processes on this host: the clouds' behaviour without a cloud.
///
/// An instance has a directory of its own, an address of its own in 127.64.0.0/10 and a captured
/// console. It goes through the same states as a cloud's. Its user data, a script that begins with `#!`,
/// runs at its first boot with that directory as working directory, and the instance stays on after the
/// script has ended, until it is stopped, or shuts itself down (a script does so with `kill 0`). A
/// restart, or a stop and a start, ends all its processes and boots it again; user data does not run
/// again, as on the clouds. A program `etc/rc.local` on its disk is started at every boot. Programs are
/// asked to end (`SIGTERM`) and given [some time](LocalComputeBuilder::grace) for it by a stop and a
/// restart, but not if these are forced, and not by a termination.
///
/// # What programs on an instance see
///
/// They run as the user that calls, with all of the host's files in reach: an instance keeps programs
/// apart, but does not lock them in. Of the caller's environment they see `PATH` only, and these
/// variables: `POLYCLOUD_INSTANCE_ID`, `POLYCLOUD_INSTANCE_NAME`, `POLYCLOUD_INSTANCE_TYPE`,
/// `POLYCLOUD_INSTANCE_IP`, `POLYCLOUD_INSTANCE_DIR`, `POLYCLOUD_REGION`, `POLYCLOUD_ZONE`,
/// `POLYCLOUD_VCPUS`, `POLYCLOUD_MEMORY_MIB`, `POLYCLOUD_BOOT` (1 at the first boot),
/// `POLYCLOUD_OWNER`, `POLYCLOUD_LABEL_KEY` for each label as it was at the boot, and those that
/// [`LocalComputeBuilder::variable`] sets.
///
/// The processors of the type are enforced by affinity on Linux. The memory of the type limits what each
/// process may allocate, not what all of them may allocate together, which would need privileges.
///
/// A process belongs to its instance as long as it is in its process group or keeps
/// `POLYCLOUD_INSTANCE_DIR` in the environment that it was started with: daemons do, and are ended with
/// the rest.
///
/// # Images, console and the rest
///
/// An image is the host itself (the default, `host:latest`, or what the host runs, such as `debian:12`:
/// an empty directory), or a directory or tar file, also gzipped, that is copied to the instance's
/// directory: `id:` and its absolute path, or its name in the directory `images` of the root, where an
/// alias `os:version` is looked for as `os-version`. Images with links that lead out of them, devices or
/// pipes do not boot. An instance keeps running while an image is made of its disk.
///
/// The console has everything since the instance was created, one MiB a read. A sweep removes an owner's
/// instances and stray processes and, whoever they belonged to, what a killed process had begun to make
/// or had not quite removed, which holds nothing.
///
/// # Life and death
///
/// Instances outlive the program that created them, like a cloud's. Any number of processes may open
/// the same root at a time; each sees and manages all instances. A request that a killed process left
/// half done is taken up by whoever looks at the instance next. A program whose Tokio runtime shuts down
/// in order finishes first what it has begun.
///
/// Needs a Unix with a process table in `/proc`, that is Linux. Methods have to be called within a Tokio
/// runtime. Clones are cheap and share everything.
///
/// ```no_run
/// use polycloud_core::compute::{
///     ComputeExt, CreateOptions, InstanceName, InstanceSpec, WaitOptions,
/// };
/// use polycloud_local::LocalCompute;
///
/// # async fn example() -> polycloud_core::Result<()> {
/// let compute = LocalCompute::open("/tmp/instances")?;
/// let spec = InstanceSpec::new(InstanceName::new("hello")?).with_user_data("#!/bin/sh\necho hello");
/// let (create, wait) = (CreateOptions::default(), WaitOptions::default());
/// let instance = compute.create_and_wait(&spec, &create, &wait).await?;
/// println!("{:?}", instance.ip());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LocalCompute {
    handle: Handle,
}

/// What implements the facets. They are not traits of [`LocalCompute`] itself: some of their methods
/// have the names of [`Compute`](polycloud_core::compute::Compute)'s.
#[derive(Clone)]
struct Handle {
    inner: Arc<Inner>,
}

/// What all clones share.
struct Inner {
    info: ComputeInfo,
    capabilities: Capabilities,
    root: PathBuf,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Time that programs get to end by themselves.
    grace: Duration,
    /// Most living instances.
    capacity: u32,
    environment: Environment,
    /// Tells this boot of the host from others.
    host_boot: String,
    /// The instances that this value is driving, and whether they have to be looked at again.
    driving: Mutex<HashMap<String, bool>>,
}

impl LocalCompute {
    /// Opens the instances below a directory, and creates it if it is not there. Blocks for a few
    /// system calls.
    ///
    /// # Errors
    /// `PermissionDenied` and other errors of the file system; `Unsupported` without `/proc`.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        Self::builder(root).open()
    }

    /// Opens the instances below a directory with other settings.
    pub fn builder(root: impl AsRef<Path>) -> LocalComputeBuilder {
        LocalComputeBuilder::new(root.as_ref())
    }

    /// The directory that holds everything, without symbolic links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.handle.inner.root
    }

    /// The exit status with which an instance's user data ended, or `None` if it has none or has not
    /// ended. 128 and a signal's number if it was killed by one.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn user_data_status(&self, id: &InstanceId) -> Result<Option<i32>> {
        self.handle
            .on("user_data_status", id, &Nothing, |_, dir| match dir.read()? {
                Some(_) => Ok(dir.user_data_status()),
                None => Err(not_found()),
            })
            .await
    }

    /// The directory in which an instance's programs work. It is there from the first boot on.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn disk(&self, id: &InstanceId) -> Result<PathBuf> {
        self.handle
            .on("disk", id, &Nothing, |_, dir| match dir.read()? {
                Some(_) => Ok(dir.disk()),
                None => Err(not_found()),
            })
            .await
    }
}

impl Handle {
    /// Does blocking work on a thread for it. It goes on to its end if the future is dropped.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Inner>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(result) => result,
            Err(error) if error.is_cancelled() => {
                Err(Error::new(ErrorKind::Cancelled).with_source(error))
            }
            Err(error) => Err(Error::new(ErrorKind::Internal).with_source(error)),
        }
    }
}

impl fmt::Debug for LocalCompute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCompute").field("root", &self.inner.root).finish_non_exhaustive()
    }
}

impl Inner {
    fn instances(&self) -> PathBuf {
        self.root.join("instances")
    }

    fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// The directory of an instance.
    ///
    /// # Errors
    /// `InvalidArgument` for the id of another provider; `NotFound` if no instance can have it.
    fn dir(&self, id: &InstanceId) -> Result<InstanceDir> {
        let native = ids::native(id)?.ok_or_else(not_found)?;
        Ok(InstanceDir::new(&self.instances(), native))
    }

    /// Keeps other creates and sweeps away, in this and other processes.
    fn lock_root(&self) -> Result<FileLock> {
        let lock = fs::File::open(&self.root).and_then(FileLock::wait);
        lock.map_err(|error| failed("cannot lock the directory of instances", error))
    }

    /// The directories of all instances, ordered by id.
    fn dirs(&self) -> Result<Vec<InstanceDir>> {
        let instances = self.instances();
        let names = fs::read_dir(&instances)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
            .map_err(|error| failed("cannot list the instances", error));
        let mut names: Vec<String> = names
            .map(|names: Vec<_>| names.into_iter().filter_map(|name| name.into_string().ok()))?
            .filter(|name| ids::is_native(name))
            .collect();
        names.sort_unstable();
        Ok(names.iter().map(|name| InstanceDir::new(&instances, name)).collect())
    }

    /// The journals of all instances.
    fn records(&self) -> Result<Vec<Record>> {
        self.dirs()?.iter().filter_map(|dir| dir.read().transpose()).collect()
    }

    /// Removes directories whose making or removal was cut short. Returns what it removed.
    ///
    /// The caller holds the lock of the root: then nobody is just making one.
    fn remove_unfinished(&self) -> Result<Vec<InstanceDir>> {
        let mut removed = Vec::new();
        for dir in self.unfinished()? {
            dir.remove()?;
            removed.push(dir);
        }
        Ok(removed)
    }

    fn unfinished(&self) -> Result<Vec<InstanceDir>> {
        let is_unfinished = |dir: &InstanceDir| match dir.path().join("instance.json").metadata() {
            Ok(_) => false,
            Err(error) => is_gone(&error) && dir.exists(),
        };
        Ok(self.dirs()?.into_iter().filter(is_unfinished).collect())
    }
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound)
}
