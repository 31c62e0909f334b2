//! Uploads whose parts are files in a folder of the upload.

use std::fs::File;
use std::io::{Read, Write};

use async_trait::async_trait;
use futures::StreamExt;
use polycloud_core::clock::{Random, SystemRandom};
use polycloud_core::object::{
    ChecksumRequest, CompleteOptions, CopySource, ETag, Key, MultipartStore, Part, PartNumber,
    Payload, PutOptions, PutResult, Range, UploadId, UploadInfo, UploadPage,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, ErrorKind, Result, ResultExt};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::commit::Writer;
use super::identity::{Identity, stamp};
use super::local::{Inner, LIST_PAGE, LocalStore, PROVIDER};
use super::read::Place;
use super::record::Record;
use super::root::{self, Dir, failed};
use super::session::Existing;
use super::sync::Durability;
use crate::common::{CAPABILITIES, check_create, check_parts};

/// The file that says what the upload is for.
const INTENT: &str = "upload.json";

/// What an upload was started with.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    key: Key,
    record: Record,
    checksum: ChecksumRequest,
}

fn unknown() -> Error {
    ErrorKind::UploadNotFound.into()
}

fn part_name(number: PartNumber) -> String {
    format!("{:05}", number.get())
}

impl Inner {
    fn start_upload(&self, key: &Key, options: &PutOptions) -> Result<UploadId> {
        let record = Record {
            attributes: options.attributes.clone(),
            tags: options.tags.clone(),
            ..Record::default()
        };
        record.encode()?;
        let intent = Intent { key: key.clone(), record, checksum: options.checksum };
        let json = serde_json::to_vec(&intent)
            .map_err(|error| Error::new(ErrorKind::Internal).with_source(error))?;
        let mut temp = self.session.file()?;
        temp.file.write_all(&json).map_err(failed)?;
        stamp(&temp.file, self.stamps.next(&*self.clock)).map_err(failed)?;
        self.sync_file(&temp.file)?;

        let id = format!("{:016x}{:016x}", SystemRandom.next_u64(), SystemRandom.next_u64());
        let durable = self.durability == Durability::Full;
        let dir = root::create_dirs(&self.uploads, &id, durable).map_err(failed)?;
        temp.rename(&dir, INTENT, Existing::Refuse).map_err(failed)?;
        self.sync(&dir)?;
        Ok(UploadId::new(id))
    }

    fn sync_file(&self, file: &File) -> Result<()> {
        match self.durability {
            Durability::Full => rustix::fs::fsync(file).map_err(failed),
            Durability::Fast => Ok(()),
        }
    }

    /// The folder of an upload, and what it was started with.
    fn upload(&self, id: &str) -> Result<(Dir, Intent, Identity)> {
        // An identifier from outside becomes a path only if it is one that this store gives out.
        if id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(unknown());
        }
        let dir = root::open_dir(&self.uploads, id).map_err(|_| unknown())?;
        let found = self.open(&dir, INTENT, Place::Escaped)?.ok_or_else(unknown)?;
        let (identity, mut json) = (found.identity(), Vec::new());
        File::from(found.file).read_to_end(&mut json).map_err(failed)?;
        let intent = serde_json::from_slice(&json)
            .map_err(|error| Error::new(ErrorKind::InvalidResponse).with_source(error))?;
        Ok((dir, intent, identity))
    }

    fn upload_of(&self, key: &Key, id: &UploadId) -> Result<(Dir, Intent)> {
        let (dir, intent, _) = self.upload(id.as_str())?;
        if intent.key == *key { Ok((dir, intent)) } else { Err(unknown()) }
    }

    fn store_part(
        &self,
        key: &Key,
        id: &UploadId,
        number: PartNumber,
        writer: Writer,
    ) -> Result<Part> {
        let (dir, _) = self.upload_of(key, id)?;
        let (mut temp, size) = writer.into_file();
        stamp(&temp.file, self.stamps.next(&*self.clock)).map_err(failed)?;
        let stat = rustix::fs::fstat(&temp.file).map_err(failed)?;
        self.sync_file(&temp.file)?;
        match temp.rename(&dir, &part_name(number), Existing::Replace) {
            Err(Errno::NOENT) => return Err(unknown()),
            result => result.map_err(failed)?,
        }
        self.sync(&dir)?;
        Ok(Part::new(number, Identity::of(&stat).etag(), size))
    }

    fn copy_part(
        &self,
        key: &Key,
        id: &UploadId,
        number: PartNumber,
        from: &CopySource,
        range: Option<Range>,
    ) -> Result<Part> {
        use std::io::{Seek, SeekFrom};
        CAPABILITIES.check(from)?;
        self.upload_of(key, id)?;
        let sibling = from.bucket.as_ref().map(|name| self.sibling(name)).transpose()?;
        let source = sibling.as_ref().map_or(self, |store| &*store.0);
        let (found, is_latest) = source.find_for_read(&from.key, from.version.as_ref())?;
        let meta = source.describe(&from.key, &found, is_latest, from.precondition.as_ref())?;
        let range = range.map_or(Ok(0..meta.size), |range| range.resolve(meta.size))?;
        let mut file = File::from(found.file);
        file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
        let mut writer = self.writer(ChecksumRequest::None)?;
        writer.copy_from(&mut file.take(range.end - range.start))?;
        self.store_part(key, id, number, writer)
    }

    fn parts(&self, key: &Key, id: &UploadId) -> Result<Vec<Part>> {
        let (dir, _) = self.upload_of(key, id)?;
        let mut parts = Vec::new();
        for (name, _) in root::names(&dir).map_err(failed)? {
            let Some(number) = name.parse().ok().and_then(|n| PartNumber::new(n).ok()) else {
                continue;
            };
            let Ok(stat) = root::stat(&dir, &name) else { continue };
            let etag: ETag = Identity::of(&stat).etag();
            parts.push(Part::new(number, etag, u64::try_from(stat.st_size).unwrap_or(0)));
        }
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    fn complete_upload(
        &self,
        key: &Key,
        id: &UploadId,
        parts: &[Part],
        options: &CompleteOptions,
    ) -> Result<PutResult> {
        CAPABILITIES.check(options)?;
        let (dir, intent) = self.upload_of(key, id)?;
        let arrived = self.parts(key, id)?;
        check_parts(parts, |number| arrived.iter().find(|part| part.number == number).cloned())?;
        let mut writer = self.writer(intent.checksum)?;
        for part in parts {
            let file = root::open_file(&dir, &part_name(part.number)).map_err(failed)?;
            writer.copy_from(&mut File::from(file).take(part.size))?;
        }
        let mut put = PutOptions::default();
        (put.attributes, put.tags) = (intent.record.attributes, intent.record.tags);
        let staged = self.seal(writer, &put)?;
        let result = self.commit(key, staged, options.precondition.as_ref())?;
        self.abort_upload(id)?;
        Ok(result)
    }

    fn abort_upload(&self, id: &UploadId) -> Result<()> {
        if self.upload(id.as_str()).is_err() {
            return Ok(());
        }
        root::remove_tree(&self.uploads, id.as_str()).map_err(failed)
    }

    fn list_uploads(&self, prefix: &str, token: Option<&PageToken>) -> Result<UploadPage> {
        let mut infos = Vec::new();
        for (id, _) in root::names(&self.uploads).map_err(failed)? {
            let Ok((_, intent, identity)) = self.upload(&id) else { continue };
            if intent.key.starts_with(prefix) {
                infos.push(UploadInfo::new(intent.key, UploadId::new(id), identity.modified()));
            }
        }
        infos.sort_by(|a, b| {
            a.key.cmp(&b.key).then(a.started.cmp(&b.started)).then(a.id.cmp(&b.id))
        });
        if let Some(token) = token {
            let (id, key) = token
                .as_str()
                .split_once('/')
                .ok_or_else(|| Error::invalid("the page token is not from such a listing"))?;
            let last = infos.iter().position(|info| info.id.as_str() == id);
            let done = last.map_or_else(
                || infos.partition_point(|info| info.key.as_str() <= key),
                |at| at + 1,
            );
            infos.drain(..done);
        }
        let more = infos.len() > LIST_PAGE as usize;
        infos.truncate(LIST_PAGE as usize);
        let next = infos.last().filter(|_| more);
        let next = next.map(|last| PageToken::new(format!("{}/{}", last.id, last.key.as_str())));
        Ok(UploadPage::new(infos, next))
    }
}

#[async_trait]
impl MultipartStore for LocalStore {
    async fn create(&self, key: &Key, options: &PutOptions) -> Result<UploadId> {
        let create = async {
            check_create(options)?;
            let (key, options) = (key.clone(), options.clone());
            self.blocking(move |inner| inner.start_upload(&key, &options)).await
        };
        create.await.during(PROVIDER, "create_multipart", key)
    }

    async fn put_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        payload: Payload,
    ) -> Result<Part> {
        let put = async {
            let (at, id) = (key.clone(), upload.clone());
            let mut writer = self
                .blocking(move |inner| {
                    inner.upload_of(&at, &id)?;
                    inner.writer(ChecksumRequest::None)
                })
                .await?;
            let mut chunks = payload.stream();
            while let Some(chunk) = chunks.next().await.transpose()? {
                writer = self.blocking(move |_| writer.write(&[chunk]).map(|()| writer)).await?;
            }
            let (key, upload) = (key.clone(), upload.clone());
            self.blocking(move |inner| inner.store_part(&key, &upload, number, writer)).await
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
        let (at, id, from) = (key.clone(), upload.clone(), from.clone());
        let copied =
            self.blocking(move |inner| inner.copy_part(&at, &id, number, &from, range)).await;
        copied.during(PROVIDER, "copy_part", key)
    }

    async fn parts(&self, key: &Key, upload: &UploadId) -> Result<Vec<Part>> {
        let (at, id) = (key.clone(), upload.clone());
        self.blocking(move |inner| inner.parts(&at, &id)).await.during(PROVIDER, "parts", key)
    }

    async fn uploads(&self, prefix: &str, token: Option<&PageToken>) -> Result<UploadPage> {
        let (from, token) = (prefix.to_owned(), token.cloned());
        let listed = self.blocking(move |inner| inner.list_uploads(&from, token.as_ref())).await;
        listed.during(PROVIDER, "uploads", prefix)
    }

    async fn complete(
        &self,
        key: &Key,
        upload: &UploadId,
        parts: &[Part],
        options: &CompleteOptions,
    ) -> Result<PutResult> {
        let (at, id) = (key.clone(), upload.clone());
        let (parts, options) = (parts.to_vec(), options.clone());
        let completed =
            self.blocking(move |inner| inner.complete_upload(&at, &id, &parts, &options)).await;
        completed.during(PROVIDER, "complete_multipart", key)
    }

    async fn abort(&self, key: &Key, upload: &UploadId) -> Result<()> {
        let id = upload.clone();
        self.blocking(move |inner| inner.abort_upload(&id)).await.during(
            PROVIDER,
            "abort_multipart",
            key,
        )
    }
}
