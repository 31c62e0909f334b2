//! Objects in files.
//!
//! # On disk
//!
//! ```text
//! root/
//!   a/b.txt                the object `a/b.txt`, where its key can be a path
//!   .polycloud/
//!     layout               which layout this is; its age is the bucket's
//!     versioning           there while versioning is on
//!     keys/…               objects whose keys cannot be paths, under escaped names
//!     versions/…=/ID       older versions; `ID.deleted` is a delete marker
//!     uploads/ID/          multipart uploads and their parts
//!     locks/NN             what processes exclude each other by
//!     tmp/NAME/            files being written by the process that holds `tmp/NAME.lock`
//! ```
//!
//! An object is one file. Its ETag is made of its inode number and modification time, which every write
//! sets to a moment of its own; attributes, tags and checksums are in an extended attribute. So one
//! rename changes content and metadata together, a listing needs one system call for an object, and a
//! file that other tools put there is an object too.

mod body;
mod buckets;
mod commit;
mod identity;
mod list;
mod local;
mod lock;
mod multipart;
mod names;
mod read;
mod record;
mod root;
mod session;
mod sync;
mod tree;
mod upload;
mod versions;

pub use self::buckets::LocalBuckets;
pub use self::local::{LocalStore, LocalStoreBuilder};
pub use self::sync::Durability;
