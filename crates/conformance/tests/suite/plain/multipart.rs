use async_trait::async_trait;
use bytes::Bytes;
use polycloud_core::capability::Feature;
use polycloud_core::object::{
    CompleteOptions, CopySource, ETag, Key, MultipartStore, Part, PartNumber, Payload, PutOptions,
    PutResult, Range, UploadId, UploadInfo, UploadPage,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, ErrorKind, Result};

use super::fault::Fault;
use super::state::{Object, Pending};
use super::store::{PlainStore, cut};

impl PlainStore {
    fn add_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        content: Bytes,
    ) -> Result<Part> {
        let mut state = self.lock();
        let part = Part::new(number, ETag::new(state.number()), content.len() as u64);
        let pending = state.uploads.get_mut(&(key.clone(), upload.clone()));
        let pending = pending.ok_or(ErrorKind::UploadNotFound)?;
        pending.parts.retain(|(old, _)| old.number != number);
        pending.parts.push((part.clone(), content));
        Ok(part)
    }
}

#[async_trait]
impl MultipartStore for PlainStore {
    async fn create(&self, key: &Key, options: &PutOptions) -> Result<UploadId> {
        self.able.check(options)?;
        if options.precondition.is_some() {
            return Err(Error::invalid("the condition belongs to the completion"));
        }
        let mut state = self.lock();
        let id = UploadId::new(state.number());
        let pending = Pending { options: options.clone(), started: self.now(), parts: Vec::new() };
        state.uploads.insert((key.clone(), id.clone()), pending);
        Ok(id)
    }

    async fn put_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        payload: Payload,
    ) -> Result<Part> {
        let content = self.content(&payload).await?;
        self.add_part(key, upload, number, content)
    }

    async fn copy_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        from: &CopySource,
        range: Option<Range>,
    ) -> Result<Part> {
        self.able.require(Feature::MultipartCopy)?;
        self.able.check(from)?;
        let Object { meta, content } =
            self.read(&from.key, from.version.as_ref(), from.precondition.as_ref())?;
        let range = range.map_or(Ok(0..meta.size), |range| range.resolve(meta.size))?;
        self.add_part(key, upload, number, cut(&content, &range))
    }

    async fn parts(&self, key: &Key, upload: &UploadId) -> Result<Vec<Part>> {
        let state = self.lock();
        let pending = state.uploads.get(&(key.clone(), upload.clone()));
        let pending = pending.ok_or(ErrorKind::UploadNotFound)?;
        let mut parts: Vec<_> = pending.parts.iter().map(|(part, _)| part.clone()).collect();
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    async fn uploads(&self, prefix: &str, token: Option<&PageToken>) -> Result<UploadPage> {
        if token.is_some() {
            return Err(Error::invalid("everything is on the first page"));
        }
        let state = self.lock();
        let found = state.uploads.iter().filter(|((key, _), _)| key.starts_with(prefix));
        let infos =
            found.map(|((key, id), it)| UploadInfo::new(key.clone(), id.clone(), it.started));
        Ok(UploadPage::new(infos.collect(), None))
    }

    async fn complete(
        &self,
        key: &Key,
        upload: &UploadId,
        parts: &[Part],
        options: &CompleteOptions,
    ) -> Result<PutResult> {
        self.able.check(options)?;
        let at = (key.clone(), upload.clone());
        let (content, mut put) = {
            let state = self.lock();
            let pending = state.uploads.get(&at).ok_or(ErrorKind::UploadNotFound)?;
            let sorted = parts.is_sorted_by(|a, b| a.number < b.number);
            let known = |part: &Part| pending.find(part.number).is_some_and(|(it, _)| it == part);
            if parts.is_empty() || !sorted || !parts.iter().all(known) {
                return Err(Error::invalid("not the parts of this upload"));
            }
            let chunks: Vec<_> = if self.has(Fault::PartsInOrderOfArrival) {
                pending.parts.iter().map(|(_, content)| content.clone()).collect()
            } else {
                let found = parts.iter().filter_map(|part| pending.find(part.number));
                found.map(|(_, content)| content.clone()).collect()
            };
            (Bytes::from(chunks.concat()), pending.options.clone())
        };
        let checksums = self.checksums(&content, put.checksum)?;
        put.precondition = options.precondition.clone();
        let result = self.write(key, content, &put, checksums)?;
        if !self.has(Fault::UploadLivesOn) {
            self.lock().uploads.remove(&at);
        }
        Ok(result)
    }

    async fn abort(&self, key: &Key, upload: &UploadId) -> Result<()> {
        self.lock().uploads.remove(&(key.clone(), upload.clone()));
        Ok(())
    }
}
