//! Every data operation, what it needs to be there, and what it leaves.

use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::{self, BoxStream, StreamExt as _};
use polycloud_aws::S3Store;
use polycloud_core::object::{
    Attributes, CompleteOptions, CopyOptions, CopySource, DeleteItem, DeleteOptions, GetOptions,
    HeadOptions, Key, ListEntry, ListOptions, ObjectStore as _, ObjectStoreExt as _, ObjectUpdate,
    Part, PartNumber, Payload, PayloadSource, Precondition, PutOptions, Range, Revision,
    Tags as ObjectTags, UploadId, UploadOptions,
};
use polycloud_core::{Error, ErrorKind, Result};

use crate::history::content;
use crate::lab::{Lab, PART, key, multipart};
use crate::small_parts::SmallParts;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Op {
    Get,
    GetRange,
    GetTail,
    Head,
    HeadWithTags,
    Put,
    PutStream,
    PutIfAbsent,
    PutIfUnchanged,
    UploadSmall,
    UploadParts,
    UploadPartsIfAbsent,
    Delete,
    DeleteIfMatch,
    DeleteMany,
    List,
    ListVersions,
    Copy,
    CopyIfAbsent,
    UpdateAttributes,
    UpdateTags,
    CreateUpload,
    PutPart,
    CopyPart,
    ListParts,
    ListUploads,
    Complete,
    CompleteIfAbsent,
    Abort,
}

pub(crate) const ALL: [Op; 29] = [
    Op::Get,
    Op::GetRange,
    Op::GetTail,
    Op::Head,
    Op::HeadWithTags,
    Op::Put,
    Op::PutStream,
    Op::PutIfAbsent,
    Op::PutIfUnchanged,
    Op::UploadSmall,
    Op::UploadParts,
    Op::UploadPartsIfAbsent,
    Op::Delete,
    Op::DeleteIfMatch,
    Op::DeleteMany,
    Op::List,
    Op::ListVersions,
    Op::Copy,
    Op::CopyIfAbsent,
    Op::UpdateAttributes,
    Op::UpdateTags,
    Op::CreateUpload,
    Op::PutPart,
    Op::CopyPart,
    Op::ListParts,
    Op::ListUploads,
    Op::Complete,
    Op::CompleteIfAbsent,
    Op::Abort,
];

impl Op {
    pub(crate) fn is_read(self) -> bool {
        matches!(
            self,
            Self::Get
                | Self::GetRange
                | Self::GetTail
                | Self::Head
                | Self::HeadWithTags
                | Self::List
                | Self::ListVersions
                | Self::ListParts
                | Self::ListUploads
        )
    }

    /// Whether it works on an upload that is there.
    fn has_upload(self) -> bool {
        matches!(
            self,
            Self::PutPart
                | Self::CopyPart
                | Self::ListParts
                | Self::ListUploads
                | Self::Complete
                | Self::CompleteIfAbsent
                | Self::Abort
        )
    }

    /// Whether it is an upload from its creation to its completion.
    pub(crate) fn is_whole_upload(self) -> bool {
        matches!(self, Self::UploadParts | Self::UploadPartsIfAbsent)
    }
}

/// What is there before or after an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Old,
    New,
    Other(String),
}

/// What an operation works on. The keys are of its own.
pub(crate) struct Stage {
    pub(crate) op: Op,
    clean: S3Store,
    /// There is an object of old content.
    target: Key,
    /// There is nothing.
    free: Key,
    source: Key,
    revision: Revision,
    upload: UploadId,
    parts: Vec<Part>,
    known: Vec<UploadId>,
}

fn old() -> Bytes {
    content(1, 60)
}

fn new() -> Bytes {
    content(2, 70)
}

fn new_in_parts() -> Bytes {
    content(3, PART * 5 / 2)
}

fn part(n: usize) -> Bytes {
    new_in_parts().slice(n * PART..(PART * 5 / 2).min((n + 1) * PART))
}

fn number(n: u32) -> PartNumber {
    PartNumber::new(n).unwrap()
}

/// Content that is read when it is sent.
#[derive(Debug)]
struct Source;

impl PayloadSource for Source {
    fn len(&self) -> u64 {
        new().len() as u64
    }

    fn open(&self) -> BoxStream<'static, Result<Bytes>> {
        let (all, half) = (new(), new().len() / 2);
        stream::iter([Ok(all.slice(..half)), Ok(all.slice(half..))]).boxed()
    }
}

/// What lists find.
pub(crate) async fn fill(clean: &S3Store) {
    for n in 0..5 {
        let name = key(&format!("listed/{n}"));
        clean.put(&name, old().into(), &PutOptions::default()).await.unwrap();
    }
    clean.put(&key("source"), new().into(), &PutOptions::default()).await.unwrap();
}

impl Stage {
    /// Sets the stage with keys that nobody else has.
    pub(crate) async fn set(op: Op, lab: &Lab, clean: &S3Store, name: usize) -> Self {
        let target = key(&format!("target/{op:?}/{name}"));
        let put = clean.put(&target, old().into(), &PutOptions::default()).await.unwrap();
        let free = key(&format!("free/{op:?}/{name}"));
        let (mut upload, mut parts) = (UploadId::new(""), Vec::new());
        if op.has_upload() {
            let on = if op == Op::CompleteIfAbsent { &free } else { &target };
            upload = multipart(clean).create(on, &PutOptions::default()).await.unwrap();
            for n in 0..3_u32 {
                if n == 2 && matches!(op, Op::PutPart | Op::CopyPart) {
                    break;
                }
                let payload = Payload::from(part(n as usize));
                let sent = multipart(clean).put_part(on, &upload, number(n + 1), payload).await;
                parts.push(sent.unwrap());
            }
        }
        let known = lab.uploads(clean).await.into_iter().map(|info| info.id).collect();
        let (clean, source, revision) = (clean.clone(), key("source"), put.revision);
        Self { op, clean, target, free, source, revision, upload, parts, known }
    }

    /// The uploads that were not there before.
    pub(crate) async fn left_behind(&self, lab: &Lab) -> Vec<UploadId> {
        let uploads = lab.uploads(&self.clean).await.into_iter().map(|info| info.id);
        uploads.filter(|id| !self.known.contains(id)).collect()
    }

    /// Does it. The inner error tells what is wrong with a success.
    pub(crate) async fn perform(&self, store: &S3Store) -> Result<Result<(), String>> {
        match self.op {
            Op::Get | Op::GetRange | Op::GetTail | Op::Head | Op::HeadWithTags => {
                self.read(store).await
            }
            Op::List | Op::ListVersions => self.list(store).await,
            Op::ListParts | Op::ListUploads => self.list_upload(store).await,
            Op::UploadSmall | Op::UploadParts | Op::UploadPartsIfAbsent => {
                self.upload(store).await.map(Ok)
            }
            Op::CreateUpload
            | Op::PutPart
            | Op::CopyPart
            | Op::Complete
            | Op::CompleteIfAbsent
            | Op::Abort => self.multipart(store).await.map(Ok),
            _ => self.write(store).await.map(Ok),
        }
    }

    async fn read(&self, store: &S3Store) -> Result<Result<(), String>> {
        let (all, size) = (old(), 60_u64);
        let (options, expected) = match self.op {
            Op::GetRange => (
                GetOptions::default().with_range(Range::bounded(10, 50).unwrap()),
                all.slice(10..50),
            ),
            Op::GetTail => (GetOptions::default().with_range(Range::from(10..)), all.slice(10..)),
            Op::Get => (GetOptions::default(), all),
            _ => {
                let with_tags = self.op == Op::HeadWithTags;
                let options = HeadOptions::default().with_tags(with_tags);
                let meta = store.head(&self.target, &options).await?;
                let right = meta.size == size && meta.tags.is_some() == with_tags;
                return Ok(right.then_some(()).ok_or_else(|| format!("{meta:?}")));
            }
        };
        let get = store.get(&self.target, &options).await?;
        let found = (get.meta.size, get.bytes().await?);
        let right = found == (size, expected);
        Ok(right.then_some(()).ok_or_else(|| format!("{found:?}")))
    }

    async fn list(&self, store: &S3Store) -> Result<Result<(), String>> {
        let options = ListOptions::prefix("listed/").with_page_size(2);
        let options = options.with_versions(self.op == Op::ListVersions);
        let entries: Vec<ListEntry> = store.list_with(options).try_collect().await?;
        let names: Vec<_> = entries.iter().map(ListEntry::name).collect();
        let right = names == ["listed/0", "listed/1", "listed/2", "listed/3", "listed/4"];
        Ok(right.then_some(()).ok_or_else(|| format!("{names:?}")))
    }

    async fn list_upload(&self, store: &S3Store) -> Result<Result<(), String>> {
        if self.op == Op::ListParts {
            let parts = multipart(store).parts(&self.target, &self.upload).await?;
            return Ok((parts == self.parts).then_some(()).ok_or_else(|| format!("{parts:?}")));
        }
        let page = multipart(store).uploads(&self.target, None).await?;
        let found = page.uploads.iter().any(|info| info.id == self.upload);
        Ok(found.then_some(()).ok_or_else(|| format!("{page:?}")))
    }

    async fn write(&self, store: &S3Store) -> Result<()> {
        let put = PutOptions::default();
        let same = || Precondition::IfUnchanged(self.revision.clone());
        match self.op {
            Op::Put => drop(store.put(&self.target, new().into(), &put).await?),
            Op::PutStream => {
                let payload = Payload::from_source(Source);
                drop(store.put(&self.target, payload, &put).await?);
            }
            Op::PutIfAbsent => {
                let put = put.with_precondition(Precondition::IfAbsent);
                drop(store.put(&self.free, new().into(), &put).await?);
            }
            Op::PutIfUnchanged => {
                let put = put.with_precondition(same());
                drop(store.put(&self.target, new().into(), &put).await?);
            }
            Op::Delete => drop(store.delete(&self.target, &DeleteOptions::default()).await?),
            Op::DeleteIfMatch => {
                let options = DeleteOptions::default().with_precondition(same());
                drop(store.delete(&self.target, &options).await?);
            }
            Op::DeleteMany => {
                let items = [&self.free, &self.target].map(|key| DeleteItem::from(key.clone()));
                for outcome in store.delete_many(items.into()).await {
                    drop(outcome.result?);
                }
            }
            Op::Copy => {
                let from = CopySource::new(self.source.clone());
                drop(store.copy(&from, &self.target, &CopyOptions::default()).await?);
            }
            Op::CopyIfAbsent => {
                let from = CopySource::new(self.source.clone());
                let options = CopyOptions::default().with_precondition(Precondition::IfAbsent);
                drop(store.copy(&from, &self.free, &options).await?);
            }
            Op::UpdateAttributes => {
                let attributes = Attributes::new().with_metadata("a", "new")?;
                let update = ObjectUpdate::default().with_attributes(attributes);
                drop(store.update(&self.target, &update).await?);
            }
            Op::UpdateTags => {
                let update = ObjectUpdate::default().with_tags(ObjectTags::new().with("a", "new")?);
                drop(store.update(&self.target, &update).await?);
            }
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }

    async fn upload(&self, store: &S3Store) -> Result<()> {
        let mut put = PutOptions::default();
        if self.op == Op::UploadPartsIfAbsent {
            put = put.with_precondition(Precondition::IfAbsent);
        }
        let content = if self.op == Op::UploadSmall { new() } else { new_in_parts() };
        let options = UploadOptions::default().with_put(put);
        let mut upload = SmallParts::new(store).upload(self.on(), &options).await?;
        for chunk in content.chunks(800) {
            upload.write(content.slice_ref(chunk)).await?;
        }
        upload.complete().await.map(drop)
    }

    async fn multipart(&self, store: &S3Store) -> Result<()> {
        let (multipart, on) = (multipart(store), self.on());
        let complete = CompleteOptions::default();
        match self.op {
            Op::CreateUpload => drop(multipart.create(on, &PutOptions::default()).await?),
            Op::PutPart => {
                let payload = Payload::from(part(2));
                drop(multipart.put_part(on, &self.upload, number(3), payload).await?);
            }
            Op::CopyPart => {
                let from = CopySource::new(self.source.clone());
                let range = Some(Range::bounded(3, 33)?);
                drop(multipart.copy_part(on, &self.upload, number(3), &from, range).await?);
            }
            Op::Complete => {
                drop(multipart.complete(on, &self.upload, &self.parts, &complete).await?);
            }
            Op::CompleteIfAbsent => {
                let complete = complete.with_precondition(Precondition::IfAbsent);
                drop(multipart.complete(on, &self.upload, &self.parts, &complete).await?);
            }
            Op::Abort => multipart.abort(on, &self.upload).await?,
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }

    /// The key that changes.
    fn on(&self) -> &Key {
        match self.op {
            Op::PutIfAbsent | Op::UploadPartsIfAbsent | Op::CopyIfAbsent | Op::CompleteIfAbsent => {
                &self.free
            }
            _ => &self.target,
        }
    }

    /// What is there now.
    pub(crate) async fn state(&self, lab: &Lab) -> State {
        match self.op {
            Op::UpdateAttributes | Op::UpdateTags => self.described().await,
            Op::CreateUpload if !self.left_behind(lab).await.is_empty() => State::New,
            Op::CreateUpload => State::Old,
            Op::PutPart | Op::CopyPart => {
                let parts = multipart(&self.clean).parts(&self.target, &self.upload).await.unwrap();
                let size = if self.op == Op::PutPart { part(2).len() as u64 } else { 30 };
                match parts.get(2) {
                    None => State::Old,
                    Some(third) if third.size == size => State::New,
                    Some(other) => State::Other(format!("{other:?}")),
                }
            }
            Op::Abort => {
                let uploads = lab.uploads(&self.clean).await;
                let there = uploads.iter().any(|info| info.id == self.upload);
                if there { State::Old } else { State::New }
            }
            _ => self.content().await,
        }
    }

    async fn described(&self) -> State {
        let head = HeadOptions::default().with_tags(true);
        let meta = self.clean.head(&self.target, &head).await.unwrap();
        let described = if self.op == Op::UpdateTags {
            meta.tags.as_ref().and_then(|tags| tags.get("a")).map(str::to_owned)
        } else {
            let attributes = meta.attributes.as_ref();
            attributes.and_then(|it| it.metadata().get("a")).map(str::to_owned)
        };
        match (meta.size, described.as_deref()) {
            (60, None) => State::Old,
            (60, Some("new")) => State::New,
            _ => State::Other(format!("{meta:?}")),
        }
    }

    async fn content(&self) -> State {
        let get = self.clean.get(self.on(), &GetOptions::default()).await;
        let found = match get {
            Ok(get) => Some(get.bytes().await.unwrap()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return State::Other(error.to_string()),
        };
        let before = (self.on() == &self.target).then(old);
        let after = match self.op {
            Op::Delete | Op::DeleteIfMatch | Op::DeleteMany => None,
            Op::UploadParts | Op::UploadPartsIfAbsent | Op::Complete | Op::CompleteIfAbsent => {
                Some(new_in_parts())
            }
            _ => Some(new()),
        };
        match found {
            found if found == before => State::Old,
            found if found == after => State::New,
            other => State::Other(format!("{other:?}")),
        }
    }
}

/// What an error says, in short.
pub(crate) fn tell(error: &Error) -> String {
    format!("{:?}, {:?}: {error}", error.kind(), error.outcome())
}
