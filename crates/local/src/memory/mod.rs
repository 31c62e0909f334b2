//! Objects in memory.

mod buckets;
mod multipart;
mod object;
mod shards;
mod store;
mod upload;

pub use self::buckets::MemoryBuckets;
pub use self::store::{MemoryStore, MemoryStoreBuilder};
