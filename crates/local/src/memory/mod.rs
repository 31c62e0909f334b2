//! Objects in memory.

mod buckets;
mod index;
mod multipart;
mod object;
mod store;
mod upload;

pub use self::buckets::MemoryBuckets;
pub use self::store::{MemoryStore, MemoryStoreBuilder};
