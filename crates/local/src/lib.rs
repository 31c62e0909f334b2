//! The embedded provider of polycloud: everything that the clouds do, without one.
//!
//! - [`MemoryStore`] keeps objects in memory, [`LocalStore`] in the files of a directory. Both have the
//!   conditions, versions, metadata, tags, checksums and multipart uploads of the clouds.

mod common;
mod config;
mod listing;
mod memory;
#[cfg(unix)]
mod store;

#[cfg(unix)]
pub use self::config::FileConfig;
pub use self::config::MemoryConfig;
pub use self::memory::{MemoryBuckets, MemoryStore, MemoryStoreBuilder};
#[cfg(unix)]
pub use self::store::{Durability, LocalBuckets, LocalStore, LocalStoreBuilder};
