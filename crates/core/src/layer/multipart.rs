use async_trait::async_trait;

use super::{Around, Layered, run};
use crate::capability::Feature;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{
    CompleteOptions, CopySource, Key, MultipartStore, ObjectStore, Part, PartNumber, Payload,
    PutOptions, PutResult, Range, SignOptions, SignedRequest, Signer, UploadId, UploadPage,
};
use crate::page::PageToken;

/// The facet of what is inside, whose absence shows only now if it was not asked for before.
pub(super) fn facet<T: ?Sized>(facet: Option<&T>, feature: Feature) -> Result<&T> {
    facet.ok_or_else(|| Error::new(ErrorKind::Unsupported).with_message(feature.as_str()))
}

impl<S: ObjectStore + ?Sized, A> Layered<S, A> {
    fn parts_store(&self) -> Result<&dyn MultipartStore> {
        facet(self.inner.multipart(), Feature::Multipart)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: ObjectStore + ?Sized, A: Around> Signer for Layered<S, A> {
    async fn sign(&self, key: &Key, options: &SignOptions) -> Result<SignedRequest> {
        let sign = async {
            let signer = facet(self.inner.signer(), Feature::SignedUrls)?;
            signer.sign(&*self.view().key(key)?, options).await
        };
        run(&*self.around, self.reads("sign", key), sign).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: ObjectStore + ?Sized, A: Around> MultipartStore for Layered<S, A> {
    async fn create(&self, key: &Key, options: &PutOptions) -> Result<UploadId> {
        let create = async { self.parts_store()?.create(&*self.view().key(key)?, options).await };
        run(&*self.around, self.writes("create_multipart", key), create).await
    }

    async fn put_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        payload: Payload,
    ) -> Result<Part> {
        let call = self.writes("put_part", key).with_bytes(payload.len());
        let put = async {
            let key = self.view().key(key)?;
            self.parts_store()?.put_part(&key, upload, number, payload).await
        };
        run(&*self.around, call, put).await
    }

    async fn copy_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        from: &CopySource,
        range: Option<Range>,
    ) -> Result<Part> {
        let call = self.writes("copy_part", key);
        let copy = async {
            let (key, from) = (self.view().key(key)?, self.view().source(from)?);
            self.parts_store()?.copy_part(&key, upload, number, &from, range).await
        };
        run(&*self.around, call, copy).await
    }

    async fn parts(&self, key: &Key, upload: &UploadId) -> Result<Vec<Part>> {
        let parts = async { self.parts_store()?.parts(&*self.view().key(key)?, upload).await };
        run(&*self.around, self.reads("parts", key), parts).await
    }

    async fn uploads(&self, prefix: &str, token: Option<&PageToken>) -> Result<UploadPage> {
        let list = async {
            let inner = self.view().text(prefix);
            self.view().uploads(self.parts_store()?.uploads(&inner, token).await?)
        };
        run(&*self.around, self.reads("uploads", &prefix), list).await
    }

    async fn complete(
        &self,
        key: &Key,
        upload: &UploadId,
        parts: &[Part],
        options: &CompleteOptions,
    ) -> Result<PutResult> {
        let call = self.writes("complete_multipart", key);
        let complete = async {
            let key = self.view().key(key)?;
            self.parts_store()?.complete(&key, upload, parts, options).await
        };
        run(&*self.around, call, complete).await
    }

    async fn abort(&self, key: &Key, upload: &UploadId) -> Result<()> {
        let abort = async { self.parts_store()?.abort(&*self.view().key(key)?, upload).await };
        run(&*self.around, self.writes("abort_multipart", key), abort).await
    }
}
