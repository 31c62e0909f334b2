//! What all connections of an emulator share.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::EmulatorClock;
use crate::credentials::{Credentials, Keys};
use crate::ec2::Ec2;
use crate::faults::Faults;
use crate::imds::Metadata;
use crate::journal::Journal;
use crate::persist::Saver;
use crate::s3::S3State;

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) s3: Mutex<Store>,
    pub(crate) ec2: Ec2,
    pub(crate) saver: Option<Saver>,
    pub(crate) accounts: Vec<Credentials>,
    pub(crate) keys: Keys,
    pub(crate) metadata: Metadata,
    pub(crate) clock: EmulatorClock,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) region: String,
    pub(crate) domains: Vec<String>,
    pub(crate) requests: AtomicU64,
}

/// The state of S3.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) state: S3State,
    /// Requests that may have changed it.
    pub(crate) changes: u64,
}

impl Core {
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.s3.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// 16 digits that do not look like a count.
    pub(crate) fn next_id(&self) -> String {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        // An odd factor maps different numbers to different ones.
        format!("{:016X}", number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Returns once this change is saved, if changes are.
    pub(crate) async fn save(self: &std::sync::Arc<Self>, change: u64) -> io::Result<()> {
        match &self.saver {
            Some(saver) => saver.save(self, change).await,
            None => Ok(()),
        }
    }
}
