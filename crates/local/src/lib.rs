//! The embedded provider of polycloud: everything that the clouds do, without one.
//!
//! - [`MemoryStore`] keeps objects in memory, [`LocalStore`] in the files of a directory. Both have the
//!   conditions, versions, metadata, tags, checksums and multipart uploads of the clouds.
//! - [`LocalCompute`] runs instances as groups of processes on this host.

mod common;
#[cfg(unix)]
mod compute;
mod config;
mod listing;
mod memory;
#[cfg(unix)]
mod store;

#[cfg(unix)]
pub use self::compute::{LocalCompute, LocalComputeBuilder, LocalComputeConfig};
#[cfg(unix)]
pub use self::config::FileConfig;
pub use self::config::MemoryConfig;
pub use self::memory::{MemoryBuckets, MemoryStore, MemoryStoreBuilder};
#[cfg(unix)]
pub use self::store::{Durability, LocalBuckets, LocalStore, LocalStoreBuilder};
