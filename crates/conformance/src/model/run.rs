//! Does the steps on a store and on the model, and compares.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use polycloud_core::ErrorKind;
use polycloud_core::capability::Requires;
use polycloud_core::object::{
    CopyOptions, CopySource, DeleteOptions, GetOptions, HeadOptions, ListEntry, ListOptions,
    ObjectMeta, ObjectStore, ObjectUpdate, Payload, Precondition, PutOptions, PutResult, VersionId,
};
use polycloud_core::page::{PageToken, paginate};

use super::reference::{Condition, Kinds, Line, Model, Object, Shown};
use super::step::{Data, Dress, Name, Part, Pick, Step, Wish};
use crate::case::{CaseResult, Failure, Short, ensure, ensure_eq};
use crate::expect::expect_any;

/// A store and what it has to hold.
pub(super) struct Run {
    store: Arc<dyn ObjectStore>,
    model: Model,
}

/// Ends a step that means nothing here: what it is about does not exist, or the store cannot do it.
macro_rules! or_skip {
    ($value:expr) => {
        match $value {
            Some(value) => value,
            None => return Ok(()),
        }
    };
}

/// What a result has to be: a success, or an error of one of these kinds.
fn settle<T: std::fmt::Debug>(
    result: polycloud_core::Result<T>,
    refused: Option<Kinds>,
) -> Result<Option<T>, Failure> {
    match refused {
        Some(kinds) => expect_any(result, kinds).map(|_| None),
        None => Ok(Some(result?)),
    }
}

/// One kind, as [`settle`] takes it.
fn one(kind: ErrorKind) -> Kinds {
    match kind {
        ErrorKind::AlreadyExists => &[ErrorKind::AlreadyExists],
        ErrorKind::NotModified => &[ErrorKind::NotModified],
        ErrorKind::RangeNotSatisfiable => &[ErrorKind::RangeNotSatisfiable],
        _ => &[ErrorKind::PreconditionFailed],
    }
}

impl Run {
    pub(super) fn new(store: Arc<dyn ObjectStore>, versioned: bool) -> Self {
        Self { store, model: Model::new(versioned) }
    }

    /// Does one step.
    pub(super) async fn step(&mut self, step: &Step) -> CaseResult {
        match step {
            Step::Put { key, data, dress, wish } => self.put(*key, *data, *dress, *wish).await,
            Step::Upload { key, chunks, dress, wish, complete } => {
                self.upload(*key, chunks, *dress, *wish, *complete).await
            }
            Step::Get { key, part, at, wish } => self.get(*key, *part, *at, *wish).await,
            Step::Head { key, at, wish } => self.head(*key, *at, *wish).await,
            Step::Delete { key, at: Some(at), .. } => self.delete_version(*key, *at).await,
            Step::Delete { key, at: None, wish } => self.delete(*key, *wish).await,
            Step::List(options) => self.list(options).await,
            Step::Copy { from, to, at, source, dress, wish } => {
                self.copy((*from, *at, *source), *to, *dress, *wish).await
            }
            Step::Update { key, dress, wish } => self.update(*key, *dress, *wish).await,
        }
    }

    /// Compares everything that the store holds.
    pub(super) async fn end(&mut self) -> CaseResult {
        self.list(&ListOptions::default()).await?;
        self.list(&ListOptions::default().with_versions(true)).await?;
        for name in Name::all() {
            self.get(name, None, None, None).await?;
            self.head(name, None, None).await?;
        }
        Ok(())
    }

    fn can(&self, options: &impl Requires) -> Option<()> {
        self.store.capabilities().check(options).ok()
    }

    /// The condition for a key; `Err` if it would need a revision that there is not.
    fn condition(&self, key: Name, wish: Option<Wish>) -> Result<Option<Condition>, ()> {
        let Some(wish) = wish else { return Ok(None) };
        let revision = match wish {
            Wish::Absent | Wish::Exists => Default::default(),
            Wish::Unchanged(pick) | Wish::Match(pick) | Wish::NoneMatch(pick) => {
                let revision = self.model.pick(&key.text(), pick).ok_or(())?;
                Some(revision).filter(|revision| revision.etag.is_some()).ok_or(())?
            }
        };
        Ok(Some(Condition { wish, revision }))
    }

    fn version(&self, key: Name, at: Option<Pick>) -> Result<Option<VersionId>, ()> {
        let Some(pick) = at else { return Ok(None) };
        let revision = self.model.pick(&key.text(), pick).ok_or(())?;
        revision.version.map(Some).ok_or(())
    }

    /// How a write or delete has to fail; `Err` if the step means nothing.
    fn refusal(&self, key: Name, condition: Option<&Condition>) -> Result<Option<Kinds>, ()> {
        let Some(condition) = condition else { return Ok(None) };
        Ok(condition.on_write(self.model.current(&key.text()))?.map(one))
    }

    async fn put(&mut self, key: Name, data: Data, dress: Dress, wish: Option<Wish>) -> CaseResult {
        let condition = or_skip!(self.condition(key, wish).ok());
        let refused = or_skip!(self.refusal(key, condition.as_ref()).ok());
        let options = put_options(dress, condition.as_ref())?;
        or_skip!(self.can(&options));
        let result = self.store.put(&key.key()?, Payload::from(data.bytes()), &options).await;
        match settle(result, refused)? {
            Some(result) => self.written(key, data.bytes(), dress, result),
            None => Ok(()),
        }
    }

    async fn upload(
        &mut self,
        key: Name,
        chunks: &[Data],
        dress: Dress,
        wish: Option<Wish>,
        complete: bool,
    ) -> CaseResult {
        let condition = or_skip!(self.condition(key, wish).ok());
        let refused = or_skip!(self.refusal(key, condition.as_ref()).ok());
        let options = put_options(dress, condition.as_ref())?.into();
        or_skip!(self.can(&options));
        let (mut upload, mut content) =
            (self.store.upload(&key.key()?, &options).await?, Vec::new());
        for chunk in chunks {
            upload.write(chunk.bytes()).await?;
            content.extend_from_slice(&chunk.bytes());
        }
        if !complete {
            return Ok(upload.abort().await?);
        }
        match settle(upload.complete().await, refused)? {
            Some(result) => self.written(key, content.into(), dress, result),
            None => Ok(()),
        }
    }

    /// Takes over what a write returned.
    fn written(
        &mut self,
        key: Name,
        content: Bytes,
        dress: Dress,
        result: PutResult,
    ) -> CaseResult {
        ensure_eq!(result.size, content.len() as u64, "the size of what was written");
        self.model.write(&key.text(), Object { content, dress, revision: result.revision })
    }

    /// What a read sees or how it has to fail; `Err` if the step means nothing.
    fn reads(
        &self,
        key: Name,
        version: Option<&VersionId>,
        condition: Option<&Condition>,
    ) -> Result<Result<(&Object, bool), Kinds>, ()> {
        let found = match self.model.read(&key.text(), version) {
            Ok(found) => found,
            Err(kinds) => return Ok(Err(kinds)),
        };
        match condition.map(|condition| condition.on_read(found.0)).transpose()?.flatten() {
            Some(kind) => Ok(Err(one(kind))),
            None => Ok(Ok(found)),
        }
    }

    async fn get(
        &self,
        key: Name,
        part: Option<Part>,
        at: Option<Pick>,
        wish: Option<Wish>,
    ) -> CaseResult {
        let condition = or_skip!(self.condition(key, wish).ok());
        let version = or_skip!(self.version(key, at).ok());
        let expected = or_skip!(self.reads(key, version.as_ref(), condition.as_ref()).ok());
        let mut options = GetOptions::default();
        options.range = part.map(Part::range).transpose()?;
        (options.version, options.precondition) = (version, condition.as_ref().map(precondition));
        or_skip!(self.can(&options));
        let result = self.store.get(&key.key()?, &options).await;
        let (object, latest) = match expected {
            Ok(found) => found,
            Err(kinds) => return settle(result, Some(kinds)).map(drop),
        };
        let wanted =
            part.map_or_else(|| Some(object.content.clone()), |part| part.of(&object.content));
        let Some(wanted) = wanted else {
            let error = expect_any(result, one(ErrorKind::RangeNotSatisfiable))?;
            let size = object.content.len() as u64;
            ensure_eq!(error.object_size(), Some(size), "the size that the error tells");
            return Ok(());
        };
        let got = result?;
        agrees(key, &got.meta, object, latest, None)?;
        let content = got.bytes().await?;
        ensure_eq!(content.len(), wanted.len(), "the number of bytes read");
        ensure!(
            content == wanted,
            "the bytes read are {:?}, not {:?}",
            Short(&content),
            Short(&wanted)
        );
        Ok(())
    }

    async fn head(&self, key: Name, at: Option<Pick>, wish: Option<Wish>) -> CaseResult {
        let condition = or_skip!(self.condition(key, wish).ok());
        let version = or_skip!(self.version(key, at).ok());
        let expected = or_skip!(self.reads(key, version.as_ref(), condition.as_ref()).ok());
        let tags = polycloud_core::capability::Feature::Tags;
        let mut options = HeadOptions::default().with_tags(self.store.capabilities().has(tags));
        (options.version, options.precondition) = (version, condition.as_ref().map(precondition));
        or_skip!(self.can(&options));
        let result = self.store.head(&key.key()?, &options).await;
        match expected {
            Ok((object, latest)) => agrees(key, &result?, object, latest, Some(options.tags)),
            Err(kinds) => settle(result, Some(kinds)).map(drop),
        }
    }

    async fn delete(&mut self, key: Name, wish: Option<Wish>) -> CaseResult {
        let condition = or_skip!(self.condition(key, wish).ok());
        let refused = or_skip!(self.refusal(key, condition.as_ref()).ok());
        let mut options = DeleteOptions::default();
        options.precondition = condition.as_ref().map(precondition);
        or_skip!(self.can(&options));
        let result = self.store.delete(&key.key()?, &options).await;
        let Some(result) = settle(result, refused)? else { return Ok(()) };
        let existed = self.model.current(&key.text()).is_some();
        ensure!(result.existed != Some(!existed), "existed: {existed}, not {:?}", result.existed);
        self.model.delete(&key.text(), result.delete_marker);
        Ok(())
    }

    async fn delete_version(&mut self, key: Name, at: Pick) -> CaseResult {
        let version = or_skip!(or_skip!(self.version(key, Some(at)).ok()));
        // Without delete markers providers differ in what is current then.
        if self.model.is_current(&key.text(), &version) && !self.model.has_markers() {
            return Ok(());
        }
        let options = DeleteOptions::default().with_version(version.clone());
        or_skip!(self.can(&options));
        let result = self.store.delete(&key.key()?, &options).await?;
        let existed = self.model.remove(&key.text(), &version);
        ensure!(result.existed != Some(!existed), "existed: {existed}, not {:?}", result.existed);
        ensure_eq!(result.delete_marker, None, "the delete marker of a delete by version");
        Ok(())
    }

    async fn list(&self, options: &ListOptions) -> CaseResult {
        or_skip!(self.can(options));
        let store = &*self.store;
        let pages = paginate(|token: Option<PageToken>| async move {
            let page = store.list_page(options, token.as_ref()).await?;
            Ok((page.entries, page.next))
        });
        let mut entries: Vec<ListEntry> = pages.try_collect().await?;
        if !store.capabilities().list_ordered {
            entries.sort_by(|a, b| a.name().cmp(b.name()));
        }
        let expected: Vec<Line<'_>> = self.model.list(options);
        for (number, line) in expected.iter().enumerate() {
            let entry = entries.get(number);
            let agrees = entry.is_some_and(|entry| line.agrees(entry));
            let entry = entry.map(Shown);
            ensure!(agrees, "entry {number} of {options:?} is {entry:?}, not {line:?}");
        }
        let more = entries.get(expected.len()).map(Shown);
        ensure!(more.is_none(), "{options:?} has an entry too many: {more:?}");
        Ok(())
    }

    async fn copy(
        &mut self,
        (from, at, source): (Name, Option<Pick>, Option<Wish>),
        to: Name,
        dress: Option<Dress>,
        wish: Option<Wish>,
    ) -> CaseResult {
        let source = or_skip!(self.condition(from, source).ok());
        let version = or_skip!(self.version(from, at).ok());
        let condition = or_skip!(self.condition(to, wish).ok());
        let refused = or_skip!(self.refusal(to, condition.as_ref()).ok());
        let found = or_skip!(self.reads(from, version.as_ref(), source.as_ref()).ok());
        let found = found.map(|(object, _)| object.clone());
        // Which side is looked at first is up to the provider.
        if found.is_err() && refused.is_some() {
            return Ok(());
        }
        let mut copy = CopySource::new(from.key()?);
        (copy.version, copy.precondition) = (version, source.as_ref().map(precondition));
        let mut options = CopyOptions::default();
        options.precondition = condition.as_ref().map(precondition);
        options.attributes = dress.map(Dress::attributes).transpose()?;
        options.tags = dress.map(Dress::tags).transpose()?;
        or_skip!(self.can(&copy));
        or_skip!(self.can(&options));
        let result = self.store.copy(&copy, &to.key()?, &options).await;
        let refused = refused.or_else(|| found.as_ref().err().copied());
        let Some(result) = settle(result, refused)? else { return Ok(()) };
        let Ok(object) = found else { return Ok(()) };
        self.written(to, object.content, dress.unwrap_or(object.dress), result)
    }

    async fn update(&mut self, key: Name, dress: Dress, wish: Option<Wish>) -> CaseResult {
        let condition = or_skip!(self.condition(key, wish).ok());
        let refused = or_skip!(self.refusal(key, condition.as_ref()).ok());
        let refused = match self.model.current(&key.text()) {
            Some(_) => refused,
            None if condition.is_some() => {
                Some(&[ErrorKind::NotFound, ErrorKind::PreconditionFailed] as Kinds)
            }
            None => Some(&[ErrorKind::NotFound] as Kinds),
        };
        let mut options = ObjectUpdate::default();
        options.precondition = condition.as_ref().map(precondition);
        options.attributes = Some(dress.attributes()?);
        options.tags = Some(dress.tags()?);
        or_skip!(self.can(&options));
        let result = self.store.update(&key.key()?, &options).await;
        let Some(meta) = settle(result, refused)? else { return Ok(()) };
        self.model.update(&key.text(), dress, meta.revision.clone())?;
        let object = or_skip!(self.model.current(&key.text()));
        agrees(key, &meta, object, true, Some(true))
    }
}

fn precondition(condition: &Condition) -> Precondition {
    let Condition { wish, revision } = condition;
    let etag = revision.etag.clone();
    match (wish, etag) {
        (Wish::Absent, _) => Precondition::IfAbsent,
        (Wish::Match(_), Some(etag)) => Precondition::IfMatch(etag),
        (Wish::NoneMatch(_), Some(etag)) => Precondition::IfNoneMatch(etag),
        (Wish::Unchanged(_), _) => Precondition::IfUnchanged(revision.clone()),
        (Wish::Exists | Wish::Match(_) | Wish::NoneMatch(_), _) => Precondition::IfExists,
    }
}

fn put_options(dress: Dress, condition: Option<&Condition>) -> polycloud_core::Result<PutOptions> {
    let mut options =
        PutOptions::default().with_attributes(dress.attributes()?).with_tags(dress.tags()?);
    options.precondition = condition.map(precondition);
    Ok(options)
}

/// Compares metadata. Tags are looked at if the answer has to have them, or must not.
fn agrees(
    key: Name,
    meta: &ObjectMeta,
    object: &Object,
    latest: bool,
    tags: Option<bool>,
) -> CaseResult {
    ensure_eq!(meta.key.as_str(), key.text(), "the key");
    ensure_eq!(meta.size, object.content.len() as u64, "the size");
    ensure!(meta.is_latest.is_none_or(|it| it == latest), "whether it is the latest: {latest}");
    let (actual, expected) = (&meta.revision, &object.revision);
    ensure!(actual.is_same(expected), "the revision is {actual:?}, not {expected:?}");
    let metadata = meta.attributes.as_ref().map(|attributes| attributes.metadata().clone());
    ensure_eq!(metadata, Some(object.dress.attributes()?.metadata().clone()), "the metadata");
    if tags == Some(true) {
        ensure_eq!(meta.tags, Some(object.dress.tags()?), "the tags");
    }
    Ok(())
}
