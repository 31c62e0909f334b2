use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Around, Call, run};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::object::{Key, PutResult, Upload};

/// An upload whose every step passes a layer.
#[derive(Debug)]
pub(super) struct LayeredUpload<A> {
    inner: Box<dyn Upload>,
    around: Arc<A>,
    provider: &'static str,
    key: Key,
    /// Whether everything that was written is in the inner upload: a layer may have refused a piece,
    /// or dropped its write half-way, which the inner upload cannot know.
    whole: bool,
}

impl<A> LayeredUpload<A> {
    pub(super) fn new(
        inner: Box<dyn Upload>,
        around: Arc<A>,
        provider: &'static str,
        key: &Key,
    ) -> Self {
        Self { inner, around, provider, key: key.clone(), whole: true }
    }
}

/// Refuses to go on with an upload in which a piece is missing.
fn check(whole: bool, call: Call<'_>) -> Result<()> {
    if whole {
        return Ok(());
    }
    let error: Error = call.error(ErrorKind::InvalidState).with_outcome(Outcome::NotApplied);
    Err(error
        .with_message("an earlier write failed or was dropped; the upload can only be aborted"))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<A: Around> Upload for LayeredUpload<A> {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let call = Call::writing(self.provider, Call::WRITE, &self.key);
        check(mem::take(&mut self.whole), call)?;
        let call = call.with_bytes(chunk.len() as u64);
        run(&*self.around, call, self.inner.write(chunk)).await?;
        self.whole = true;
        Ok(())
    }

    async fn complete(self: Box<Self>) -> Result<PutResult> {
        let Self { inner, around, provider, key, whole } = *self;
        let call = Call::writing(provider, "complete", &key);
        if let Err(error) = check(whole, call) {
            let left = inner.abort().await.err();
            return Err(error.with_leaked(left.iter().flat_map(|it| it.leaked().to_vec())));
        }
        run(&*around, call, inner.complete()).await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let Self { inner, around, provider, key, whole: _ } = *self;
        run(&*around, Call::writing(provider, "abort", &key), inner.abort()).await
    }
}
