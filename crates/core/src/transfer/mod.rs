//! Files and streams in and out of a store, in parallel and in bounded memory.
//!
//! The transfers are methods of [`ObjectStoreExt`](crate::object::ObjectStoreExt); their options and
//! results are here. They read and write local files on Tokio's blocking threads, so they need a
//! Tokio runtime.
//!
//! ```
//! use polycloud_core::transfer::TransferOptions;
//!
//! let options = TransferOptions::default()
//!     .with_part_size(16 << 20)
//!     .with_concurrency(8)
//!     .with_progress(|progress| eprintln!("{} of {:?} bytes", progress.done, progress.total));
//! assert_eq!(options.part_size, 16 << 20);
//! ```

mod blocking;
mod delete;
mod download;
mod pinned;
mod ranges;
mod source;
mod upload;

use std::fmt;
use std::sync::Arc;

use crate::object::PutOptions;

pub use self::delete::DeleteSummary;
pub use self::ranges::CoalesceOptions;
pub use self::source::FileSource;

pub(crate) use self::delete::delete_prefix;
pub(crate) use self::download::download_file;
pub(crate) use self::ranges::get_ranges;
pub(crate) use self::upload::{copy_to, upload_file, upload_stream};

/// How to move content.
#[derive(Clone)]
#[non_exhaustive]
pub struct TransferOptions {
    /// Bytes of a part; content up to this size moves in one request. 8 MiB by default.
    pub part_size: u64,
    /// Most parts under way at a time; 4 by default.
    pub concurrency: usize,
    /// How an object is written. Without effect on downloads.
    pub put: PutOptions,
    /// Called as the content moves.
    pub progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
    /// Whether a downloaded file and its name are on the disk for sure when the download returns. Set
    /// by default.
    pub durable: bool,
}

impl TransferOptions {
    /// Sets the bytes of a part; 0 counts as 1.
    #[must_use]
    pub fn with_part_size(mut self, bytes: u64) -> Self {
        self.part_size = bytes.max(1);
        self
    }

    /// Sets the number of parts under way at a time; 0 counts as 1.
    #[must_use]
    pub fn with_concurrency(mut self, parts: usize) -> Self {
        self.concurrency = parts.max(1);
        self
    }

    /// Sets how an object is written: precondition, attributes, tags, checksum and storage class.
    #[must_use]
    pub fn with_put(mut self, put: PutOptions) -> Self {
        self.put = put;
        self
    }

    /// Sets what is called as the content moves. It runs inside the transfer, so it must be quick.
    #[must_use]
    pub fn with_progress(mut self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// Sets whether a download waits until its file is on the disk.
    #[must_use]
    pub fn with_durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    fn report(&self, done: u64, total: Option<u64>) {
        if let Some(progress) = &self.progress {
            progress(Progress { done, total });
        }
    }
}

impl Default for TransferOptions {
    fn default() -> Self {
        Self {
            part_size: 8 << 20,
            concurrency: 4,
            put: PutOptions::default(),
            progress: None,
            durable: true,
        }
    }
}

impl fmt::Debug for TransferOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part_size, concurrency, put, progress, durable } = self;
        f.debug_struct("TransferOptions")
            .field("part_size", part_size)
            .field("concurrency", concurrency)
            .field("put", put)
            .field("progress", &progress.is_some())
            .field("durable", durable)
            .finish()
    }
}

/// How far a transfer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes that have been moved.
    pub done: u64,
    /// Bytes in all, where that is known.
    pub total: Option<u64>,
}

#[cfg(test)]
mod tests;
