//! Objects that are written piece by piece.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use polycloud_core::object::{Key, PutOptions, PutResult, Upload};
use polycloud_core::{Error, ErrorKind, Result, ResultExt};
use tokio::task::JoinHandle;

use super::commit::Writer;
use super::local::{Inner, PROVIDER, joined};

/// Pieces are gathered up to this size and then written at once, while the next ones are gathered.
const BATCH: usize = 1 << 20;

/// Writes pieces to a temporary file, which becomes the object in the end. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct LocalUpload {
    inner: Arc<Inner>,
    key: Key,
    options: PutOptions,
    state: State,
    batch: Vec<Bytes>,
    batched: usize,
}

#[derive(Debug)]
enum State {
    Idle(Box<Writer>),
    Writing(JoinHandle<Result<Writer>>),
    Failed,
}

impl LocalUpload {
    pub(super) fn new(inner: Arc<Inner>, key: Key, options: PutOptions, writer: Writer) -> Self {
        Self {
            inner,
            key,
            options,
            state: State::Idle(Box::new(writer)),
            batch: Vec::new(),
            batched: 0,
        }
    }

    /// Waits until the file takes more.
    async fn writer(&mut self) -> Result<Writer> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Idle(writer) => Ok(*writer),
            State::Writing(task) => joined(task.await),
            State::Failed => {
                Err(Error::new(ErrorKind::InvalidState).with_message("the upload failed before"))
            }
        }
    }

    async fn flush(&mut self) -> Result<()> {
        let mut writer = self.writer().await?;
        let batch = std::mem::take(&mut self.batch);
        self.batched = 0;
        self.state = State::Writing(tokio::task::spawn_blocking(move || {
            writer.write(&batch)?;
            Ok(writer)
        }));
        Ok(())
    }
}

#[async_trait]
impl Upload for LocalUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.batched += chunk.len();
        self.batch.push(chunk);
        if self.batched < BATCH {
            return Ok(());
        }
        self.flush().await.during(PROVIDER, "upload", &self.key)
    }

    async fn complete(mut self: Box<Self>) -> Result<PutResult> {
        let key = self.key.clone();
        let complete = async {
            self.flush().await?;
            let writer = self.writer().await?;
            let Self { inner, key, options, .. } = *self;
            let task = tokio::task::spawn_blocking(move || {
                let staged = inner.seal(writer, &options)?;
                inner.commit(&key, staged, options.precondition.as_ref())
            });
            joined(task.await)
        };
        complete.await.during(PROVIDER, "upload", key)
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        // A write that is under way holds the file; the file goes once that is done.
        let writer = self.writer().await;
        let gone = tokio::task::spawn_blocking(move || drop(writer));
        joined(gone.await.map(Ok))
    }
}
