mod buffer;
mod sizes;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle, JoinSet};

use self::buffer::PartBuffer;
use self::sizes::PartSizes;
use super::key::Key;
use super::meta::PutResult;
use super::multipart::{CompleteOptions, MultipartStore, Part, PartNumber, UploadId};
use super::options::{ChecksumRequest, UploadOptions};
use super::store::{ObjectStore, Upload};
use crate::capability::Feature;
use crate::checksum::{Checksum, Hasher};
use crate::error::{Error, ErrorKind, Outcome, ResourceRef, Result, ResultExt};

/// Most parts under way where nobody asks for another number.
const CONCURRENCY: usize = 4;

/// An [`Upload`] made of the parts of a [`MultipartStore`]: what a backend returns from
/// [`ObjectStore::upload`] if its provider has multipart uploads.
///
/// - Content of at most one part is sent in one put when the upload completes.
/// - Parts are sent in the background, as tasks of the Tokio runtime, so that they get on while the
///   caller prepares the next piece. All have the same size, until it grows as described at
///   [`UploadOptions::part_size`].
/// - Memory is at most part size × (concurrency + 1), and what [`write`](Upload::write) was given.
///   When parts grow, fewer of them are under way, so that the bound grows only once a single part
///   is larger than all that were under way at first.
/// - An expected checksum is compared before the object becomes visible.
/// - After an error the parts are removed at once. If that fails too, [`Error::leaked`] names the
///   multipart upload. A dropped upload is removed in the background, if a runtime is there to do it.
#[derive(Debug)]
pub struct PartedUpload {
    target: Arc<Target>,
    sizes: PartSizes,
    concurrency: u64,
    buffer: PartBuffer,
    /// Bytes written so far.
    written: u64,
    expected: Option<(Checksum, Hasher)>,
    session: Session,
    /// Parts that were sent or are under way.
    sent: u32,
    running: JoinSet<Result<Part>>,
    arrived: Vec<Part>,
    /// Whether everything that was written is still here: not after an error or a cancelled write.
    whole: bool,
}

/// What is written, and where to.
#[derive(Debug)]
struct Target {
    store: Arc<dyn ObjectStore>,
    key: Key,
    options: UploadOptions,
}

/// The multipart upload at the provider.
#[derive(Debug, Default)]
enum Session {
    #[default]
    None,
    /// It is being created by a task of its own, so that cancelling a write cannot lose its name.
    Creating(JoinHandle<Result<UploadId>>),
    Open(UploadId),
}

impl PartedUpload {
    /// Starts an upload. Costs no request.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) if the store has no [`multipart`](ObjectStore::multipart)
    /// or lacks what the options ask for.
    pub fn new(store: Arc<dyn ObjectStore>, key: Key, options: UploadOptions) -> Result<Self> {
        let capabilities = store.capabilities();
        capabilities.check(&options)?;
        multipart(&*store)?;
        let sizes = PartSizes::new(&capabilities.limits, options.part_size, options.size_hint);
        let concurrency = options.concurrency.unwrap_or(CONCURRENCY).max(1) as u64;
        let expected = match options.put.checksum {
            ChecksumRequest::Expect(checksum) => Some((checksum, checksum.algorithm().hasher())),
            _ => None,
        };
        Ok(Self {
            target: Arc::new(Target { store, key, options }),
            sizes,
            concurrency,
            buffer: PartBuffer::default(),
            written: 0,
            expected,
            session: Session::None,
            sent: 0,
            running: JoinSet::new(),
            arrived: Vec::new(),
            whole: true,
        })
    }

    /// Fails unless everything that was written is still here, and assumes the worst from now on.
    fn begin(&mut self) -> Result<()> {
        if std::mem::take(&mut self.whole) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidState)
            .with_message("the upload failed before, or a write was cancelled"))
    }

    async fn accept(&mut self, chunk: Bytes) -> Result<()> {
        self.written += chunk.len() as u64;
        let limit = self.target.store.capabilities().limits.object_bytes;
        if limit.is_some_and(|limit| self.written > limit) {
            return Err(Error::new(ErrorKind::TooLarge).with_message("larger than any object"));
        }
        if let Some((_, hasher)) = &mut self.expected {
            hasher.update(&chunk);
        }
        self.buffer.push(chunk);
        while self.has_part() {
            self.send_part().await?;
        }
        Ok(())
    }

    /// Whether there is a part to be sent. The first one waits for one byte more, since an object of
    /// one part is sent in one put.
    fn has_part(&self) -> bool {
        let size = self.sizes.of(self.sent);
        match self.session {
            Session::None => self.buffer.len() > size,
            Session::Creating(_) | Session::Open(_) => self.buffer.len() >= size,
        }
    }

    async fn send_part(&mut self) -> Result<()> {
        let size = self.sizes.of(self.sent);
        let upload = self.open().await?;
        self.make_room(size).await?;
        if self.sent >= self.sizes.parts() {
            return Err(Error::new(ErrorKind::TooLarge).with_message("no parts are left"));
        }
        self.sent += 1;
        let number = PartNumber::new(self.sent)?;
        let (target, payload) = (Arc::clone(&self.target), self.buffer.take(size));
        self.running.spawn(async move {
            multipart(&*target.store)?.put_part(&target.key, &upload, number, payload).await
        });
        Ok(())
    }

    /// The multipart upload, created when it is first needed.
    async fn open(&mut self) -> Result<UploadId> {
        loop {
            self.session = match &mut self.session {
                Session::None => Session::Creating(tokio::spawn(create(Arc::clone(&self.target)))),
                Session::Creating(task) => match joined(task.await) {
                    Ok(id) => Session::Open(id),
                    Err(error) => {
                        self.session = Session::None;
                        return Err(error);
                    }
                },
                Session::Open(id) => return Ok(id.clone()),
            };
        }
    }

    /// Waits until a part of this size fits into memory beside those that are under way.
    async fn make_room(&mut self, size: u64) -> Result<()> {
        let most = (self.sizes.base().saturating_mul(self.concurrency) / size).max(1);
        while let Some(done) = self.running.try_join_next() {
            self.arrived.push(joined(done)?);
        }
        while self.running.len() as u64 >= most {
            self.next_arrived().await?;
        }
        Ok(())
    }

    /// Waits for a part. Returns whether there was one.
    async fn next_arrived(&mut self) -> Result<bool> {
        let Some(done) = self.running.join_next().await else { return Ok(false) };
        self.arrived.push(joined(done)?);
        Ok(true)
    }

    async fn finish(&mut self) -> Result<PutResult> {
        if let Some((expected, hasher)) = self.expected.take() {
            expected.verify(&hasher.finish())?;
        }
        let target = Arc::clone(&self.target);
        let put = &target.options.put;
        let most = target.store.capabilities().limits.put_bytes.unwrap_or(u64::MAX);
        if matches!(self.session, Session::None) && self.buffer.len() <= most {
            return target.store.put(&target.key, self.buffer.take(u64::MAX), put).await;
        }
        let upload = self.send_rest().await.map_err(unseen)?;
        let options = CompleteOptions { precondition: put.precondition.clone() };
        let multipart = multipart(&*target.store)?;
        let result = multipart.complete(&target.key, &upload, &self.arrived, &options).await?;
        self.session = Session::None;
        Ok(result)
    }

    /// Sends what is buffered and waits until all parts have arrived.
    async fn send_rest(&mut self) -> Result<UploadId> {
        while self.buffer.len() > 0 {
            self.send_part().await?;
        }
        while self.next_arrived().await? {}
        self.arrived.sort_by_key(|part| part.number);
        self.open().await
    }

    /// Removes what was sent after an error, and says so if that fails too.
    async fn clean_up(&mut self, error: Error) -> Error {
        self.running.shutdown().await;
        match std::mem::take(&mut self.session).remove(&self.target).await {
            Ok(()) => error,
            Err(leak) => error.with_leaked(leak.leaked().iter().cloned()),
        }
    }
}

impl Session {
    /// Removes the multipart upload.
    async fn remove(self, target: &Target) -> Result<()> {
        let id = match self {
            Self::None => return Ok(()),
            Self::Open(id) => id,
            Self::Creating(task) => match joined(task.await) {
                Ok(id) => id,
                Err(_) => return Ok(()),
            },
        };
        multipart(&*target.store)?.abort(&target.key, &id).await.map_err(|error| {
            let name = format!("{id} of {}", target.key);
            error.with_leaked([ResourceRef::new("multipart upload", name)])
        })
    }
}

#[async_trait]
impl Upload for PartedUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.begin().during(self.target.store.info().provider, "upload", &self.target.key)?;
        match self.accept(chunk).await {
            Ok(()) => {
                self.whole = true;
                Ok(())
            }
            Err(error) => Err(self.clean_up(unseen(error)).await),
        }
        .during(self.target.store.info().provider, "upload", &self.target.key)
    }

    async fn complete(mut self: Box<Self>) -> Result<PutResult> {
        let result = match self.begin() {
            Ok(()) => self.finish().await,
            Err(error) => Err(error),
        };
        match result {
            Ok(put) => Ok(put),
            Err(error) => Err(self.clean_up(error).await),
        }
        .during(self.target.store.info().provider, "upload", &self.target.key)
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        self.running.shutdown().await;
        let removed = std::mem::take(&mut self.session).remove(&self.target).await;
        removed.during(self.target.store.info().provider, "upload", &self.target.key)
    }
}

impl Drop for PartedUpload {
    fn drop(&mut self) {
        let session = std::mem::take(&mut self.session);
        let (Ok(runtime), false) = (Handle::try_current(), matches!(session, Session::None)) else {
            return;
        };
        let (mut running, target) = (std::mem::take(&mut self.running), Arc::clone(&self.target));
        runtime.spawn(async move {
            running.shutdown().await;
            // Nobody is left to be told; the provider's lifecycle rules remove what stays behind.
            let _ = session.remove(&target).await;
        });
    }
}

fn multipart(store: &dyn ObjectStore) -> Result<&dyn MultipartStore> {
    let missing = || Error::new(ErrorKind::Unsupported).with_message(Feature::Multipart.as_str());
    store.multipart().ok_or_else(missing)
}

async fn create(target: Arc<Target>) -> Result<UploadId> {
    let mut options = target.options.put.clone();
    // It belongs to the completion.
    options.precondition = None;
    // Verified here, over all parts, before they are completed.
    if let ChecksumRequest::Expect(expected) = options.checksum {
        options.checksum = ChecksumRequest::Compute(expected.algorithm());
    }
    multipart(&*target.store)?.create(&target.key, &options).await
}

/// Whatever became of a part, nobody can see it.
fn unseen(error: Error) -> Error {
    error.with_outcome(Outcome::NotApplied)
}

fn joined<T>(result: Result<Result<T>, JoinError>) -> Result<T> {
    match result {
        Ok(result) => result,
        Err(join) => match join.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::new(ErrorKind::Cancelled).with_message("the runtime shuts down")),
        },
    }
}
