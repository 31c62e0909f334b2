use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use polycloud_core::object::{
    CompleteOptions, CopySource, Key, MultipartStore, ObjectStore as _, Part, PartNumber, Payload,
    PutOptions, PutResult, Range, UploadId, UploadInfo, UploadPage,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, ErrorKind, Result, ResultExt};

use super::object::Content;
use super::store::{MemoryStore, PROVIDER};
use crate::common::{check_create, check_parts};

/// Uploads that are neither completed nor aborted, ordered as they are listed.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<BTreeMap<(Key, UploadId), Pending>>);

#[derive(Debug)]
struct Pending {
    options: PutOptions,
    started: SystemTime,
    parts: BTreeMap<PartNumber, (Part, Content)>,
}

// `BTreeMap` needs an order of identifiers; they count up, so that it is also the order of starts.
type Guard<'a> = MutexGuard<'a, BTreeMap<(Key, UploadId), Pending>>;

impl Uploads {
    fn lock(&self) -> Guard<'_> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }
}

fn unknown() -> Error {
    ErrorKind::UploadNotFound.into()
}

impl MemoryStore {
    fn store_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        content: Content,
    ) -> Result<Part> {
        let part = Part::new(number, self.fresh_etag(), content.len());
        let mut uploads = self.0.uploads.lock();
        let pending = uploads.get_mut(&(key.clone(), upload.clone())).ok_or_else(unknown)?;
        pending.parts.insert(number, (part.clone(), content));
        Ok(part)
    }

    async fn complete_upload(
        &self,
        key: &Key,
        upload: &UploadId,
        parts: &[Part],
        options: &CompleteOptions,
    ) -> Result<PutResult> {
        self.capabilities().check(options)?;
        let at = (key.clone(), upload.clone());
        let (content, put) = self.assemble(&at, parts)?;
        let checksums = content.checksums(put.checksum).await?;
        let object = self.object(key, content, checksums, put.attributes, put.tags);
        // Of two that complete the same upload, the one that removes it makes the object.
        let mut uploads = self.0.uploads.lock();
        if !uploads.contains_key(&at) {
            return Err(unknown());
        }
        let result = self.commit(object, options.precondition.as_ref())?;
        uploads.remove(&at);
        Ok(result)
    }

    /// Joins the parts of an upload, without copying them.
    fn assemble(&self, at: &(Key, UploadId), parts: &[Part]) -> Result<(Content, PutOptions)> {
        let uploads = self.0.uploads.lock();
        let pending = uploads.get(at).ok_or_else(unknown)?;
        check_parts(parts, |number| pending.parts.get(&number).map(|(part, _)| part.clone()))?;
        let chunks: Vec<Bytes> = parts
            .iter()
            .filter_map(|part| pending.parts.get(&part.number))
            .flat_map(|(_, content)| {
                content.chunks().iter().filter(|chunk| !chunk.is_empty()).cloned()
            })
            .collect();
        Ok((Content::from_chunks(chunks), pending.options.clone()))
    }

    fn list_uploads(&self, prefix: &str, token: Option<&PageToken>) -> Result<UploadPage> {
        let after = token.map(parse_token).transpose()?;
        let limit = self.capabilities().limits.list_page as usize;
        let uploads = self.0.uploads.lock();
        let mut infos = uploads
            .iter()
            .filter(|(at, _)| {
                at.0.starts_with(prefix) && after.as_ref().is_none_or(|after| *at > after)
            })
            .map(|((key, id), pending)| UploadInfo::new(key.clone(), id.clone(), pending.started));
        let page: Vec<_> = infos.by_ref().take(limit).collect();
        let next = infos.next().and_then(|_| page.last());
        let next = next.map(|last| PageToken::new(format!("{}/{}", last.id, last.key.as_str())));
        Ok(UploadPage::new(page, next))
    }
}

fn parse_token(token: &PageToken) -> Result<(Key, UploadId)> {
    let (id, key) = token
        .as_str()
        .split_once('/')
        .ok_or_else(|| Error::invalid("the page token is not from such a listing"))?;
    Ok((Key::new(key)?, UploadId::new(id)))
}

#[async_trait]
impl MultipartStore for MemoryStore {
    async fn create(&self, key: &Key, options: &PutOptions) -> Result<UploadId> {
        check_create(options).during(PROVIDER, "create_multipart", key)?;
        let id = self.fresh_upload();
        let pending = Pending {
            options: options.clone(),
            started: self.0.clock.now(),
            parts: BTreeMap::new(),
        };
        self.0.uploads.lock().insert((key.clone(), id.clone()), pending);
        Ok(id)
    }

    async fn put_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        payload: Payload,
    ) -> Result<Part> {
        let put = async {
            let content = Content::take(&payload).await?;
            self.store_part(key, upload, number, content)
        };
        put.await.during(PROVIDER, "put_part", key)
    }

    async fn copy_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        from: &CopySource,
        range: Option<Range>,
    ) -> Result<Part> {
        let copy = || {
            self.capabilities().check(from)?;
            let source = self.source(from)?;
            let size = source.meta.size;
            let range = range.map_or(Ok(0..size), |range| range.resolve(size))?;
            let content = Content::from_chunks(source.content.slice(&range));
            self.store_part(key, upload, number, content)
        };
        copy().during(PROVIDER, "copy_part", key)
    }

    async fn parts(&self, key: &Key, upload: &UploadId) -> Result<Vec<Part>> {
        let uploads = self.0.uploads.lock();
        let pending = uploads.get(&(key.clone(), upload.clone())).ok_or_else(unknown);
        let pending = pending.during(PROVIDER, "parts", key)?;
        Ok(pending.parts.values().map(|(part, _)| part.clone()).collect())
    }

    async fn uploads(&self, prefix: &str, token: Option<&PageToken>) -> Result<UploadPage> {
        self.list_uploads(prefix, token).during(PROVIDER, "uploads", prefix)
    }

    async fn complete(
        &self,
        key: &Key,
        upload: &UploadId,
        parts: &[Part],
        options: &CompleteOptions,
    ) -> Result<PutResult> {
        self.complete_upload(key, upload, parts, options).await.during(
            PROVIDER,
            "complete_multipart",
            key,
        )
    }

    async fn abort(&self, key: &Key, upload: &UploadId) -> Result<()> {
        self.0.uploads.lock().remove(&(key.clone(), upload.clone()));
        Ok(())
    }
}
