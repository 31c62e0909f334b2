//! What the cases of object stores share.

use bytes::Bytes;
use futures::TryStreamExt;
use polycloud_core::ErrorKind;
use polycloud_core::object::{
    Attributes, CopyOptions, CopySource, DeleteOptions, GetOptions, HeadOptions, Key, ListEntry,
    ListOptions, MultipartStore, ObjectMeta, ObjectStore, Part, PartNumber, Payload, Precondition,
    PutOptions, PutResult, Revision, Tags, UploadId, UploadOptions,
};
use polycloud_core::page::{PageToken, paginate};

use crate::case::{CaseResult, Failure, ensure, ensure_eq};
use crate::expect::expect_kind;

/// A store under test.
pub(super) type Store = dyn ObjectStore;

/// A result of a step of a case.
pub(super) type Step<T> = Result<T, Failure>;

/// A key.
pub(super) fn key(name: &str) -> polycloud_core::Result<Key> {
    Key::new(name)
}

/// Bytes that repeat only after 251, so that pieces that got lost or swapped are noticed.
pub(super) fn content(len: usize) -> Bytes {
    let mut bytes = (0..=250).collect::<Vec<u8>>().repeat(len / 251 + 1);
    bytes.truncate(len);
    bytes.into()
}

/// Writes an object.
pub(super) async fn put(
    store: &Store,
    name: &str,
    content: impl Into<Payload> + Send,
) -> Step<PutResult> {
    Ok(store.put(&key(name)?, content.into(), &PutOptions::default()).await?)
}

/// Writes an object if a condition holds.
pub(super) async fn put_if(
    store: &Store,
    name: &str,
    content: &'static str,
    condition: Precondition,
) -> polycloud_core::Result<PutResult> {
    let options = PutOptions::default().with_precondition(condition);
    store.put(&key(name)?, Payload::from(content), &options).await
}

/// Writes an object through an upload if a condition holds.
pub(super) async fn upload_if(
    store: &Store,
    name: &str,
    content: &'static str,
    condition: Precondition,
) -> polycloud_core::Result<PutResult> {
    let put = PutOptions::default().with_precondition(condition);
    upload(store, name, [Bytes::from(content)], &put.into()).await
}

/// Writes an object chunk by chunk.
pub(super) async fn upload(
    store: &Store,
    name: &str,
    chunks: impl IntoIterator<Item = Bytes, IntoIter: Send> + Send,
    options: &UploadOptions,
) -> polycloud_core::Result<PutResult> {
    let mut upload = store.upload(&key(name)?, options).await?;
    for chunk in chunks {
        upload.write(chunk).await?;
    }
    upload.complete().await
}

/// Writes objects that are named by their own content.
pub(super) async fn put_all(store: &Store, names: &[&str]) -> CaseResult {
    for name in names {
        put(store, name, (*name).to_owned()).await?;
    }
    Ok(())
}

/// Writes many small objects, several at a time.
pub(super) async fn put_many(store: &Store, names: Vec<String>) -> CaseResult {
    let names = names.into_iter().map(Ok::<_, Failure>);
    futures::stream::iter(names)
        .try_for_each_concurrent(16, |name| async move {
            put(store, &name, Payload::empty()).await.map(drop)
        })
        .await
}

/// Reads a whole object.
pub(super) async fn read(store: &Store, name: &str) -> Step<Bytes> {
    Ok(read_with(store, name, &GetOptions::default()).await?)
}

/// Reads an object, or a part of it.
pub(super) async fn read_with(
    store: &Store,
    name: &str,
    options: &GetOptions,
) -> polycloud_core::Result<Bytes> {
    store.get(&key(name)?, options).await?.bytes().await
}

/// The metadata of an object, without tags.
pub(super) async fn head(store: &Store, name: &str) -> Step<ObjectMeta> {
    Ok(store.head(&key(name)?, &HeadOptions::default()).await?)
}

/// The metadata of an object, with its tags.
pub(super) async fn head_tags(store: &Store, name: &str) -> Step<ObjectMeta> {
    Ok(store.head(&key(name)?, &HeadOptions::default().with_tags(true)).await?)
}

/// Deletes an object.
pub(super) async fn delete(store: &Store, name: &str) -> CaseResult {
    store.delete(&key(name)?, &DeleteOptions::default()).await?;
    Ok(())
}

/// Copies an object.
pub(super) async fn copy(store: &Store, from: &str, to: &str) -> Step<PutResult> {
    let from = CopySource::new(key(from)?);
    Ok(store.copy(&from, &key(to)?, &CopyOptions::default()).await?)
}

/// Fails unless an object has this content.
pub(super) async fn holds(store: &Store, name: &str, content: impl AsRef<[u8]>) -> CaseResult {
    let actual = read(store, name).await?;
    ensure_eq!(actual.len(), content.as_ref().len(), "the size of {name:?}");
    ensure!(actual == content.as_ref(), "the content of {name:?} is not what was written");
    Ok(())
}

/// Fails if there is an object of this name.
pub(super) async fn is_absent(store: &Store, name: &str) -> CaseResult {
    expect_kind(store.head(&key(name)?, &HeadOptions::default()).await, ErrorKind::NotFound)?;
    expect_kind(store.get(&key(name)?, &GetOptions::default()).await, ErrorKind::NotFound)?;
    Ok(())
}

/// The entries of a whole listing, page by page.
pub(super) async fn entries(store: &Store, options: &ListOptions) -> Step<Vec<ListEntry>> {
    let pages = paginate(|token: Option<PageToken>| async move {
        let page = store.list_page(options, token.as_ref()).await?;
        Ok((page.entries, page.next))
    });
    let entries: Vec<_> = pages.try_collect().await?;
    if store.capabilities().list_ordered {
        let ordered = entries.is_sorted_by(|a, b| a.name() <= b.name());
        ensure!(ordered, "the listing is not in the byte order of its names: {entries:?}");
    }
    Ok(entries)
}

/// The names of a whole listing in byte order, common prefixes marked by a `*` behind them.
pub(super) async fn names(store: &Store, options: &ListOptions) -> Step<Vec<String>> {
    let mut entries = entries(store, options).await?;
    entries.sort_by(|a, b| a.name().cmp(b.name()));
    let names = entries.iter().map(|entry| match entry {
        ListEntry::Prefix(prefix) => format!("{prefix}*"),
        other => other.name().to_owned(),
    });
    Ok(names.collect())
}

/// The objects of a whole listing.
pub(super) async fn objects(store: &Store, options: &ListOptions) -> Step<Vec<ObjectMeta>> {
    let entries = entries(store, options).await?;
    Ok(entries.into_iter().filter_map(ListEntry::into_object).collect())
}

/// Fails unless the bucket holds exactly these keys.
pub(super) async fn lists(store: &Store, expected: &[&str]) -> CaseResult {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    ensure_eq!(names(store, &ListOptions::default()).await?, expected, "the keys of the bucket");
    Ok(())
}

/// Attributes of user metadata.
pub(super) fn metadata(pairs: &[(&str, &str)]) -> polycloud_core::Result<Attributes> {
    pairs.iter().try_fold(Attributes::new(), |all, (name, value)| all.with_metadata(name, *value))
}

/// Tags.
pub(super) fn tags(pairs: &[(&str, &str)]) -> polycloud_core::Result<Tags> {
    pairs.iter().try_fold(Tags::new(), |all, (key, value)| all.with(*key, *value))
}

/// The user metadata of an object.
pub(super) fn metadata_of(meta: &ObjectMeta) -> Step<Vec<(&str, &str)>> {
    let attributes = meta.attributes.as_ref();
    let attributes = attributes.ok_or_else(|| Failure::new("the answer has no attributes"))?;
    Ok(attributes.metadata().iter().collect())
}

/// The tags of an object.
pub(super) fn tags_of(meta: &ObjectMeta) -> Step<Vec<(&str, &str)>> {
    let tags = meta.tags.as_ref().ok_or_else(|| Failure::new("the answer has no tags"))?;
    Ok(tags.iter().collect())
}

/// Fails unless two revisions are of the same object.
#[track_caller]
pub(super) fn same(a: &Revision, b: &Revision) -> CaseResult {
    ensure!(a.is_same(b), "{a:?} and {b:?} should be of the same object");
    Ok(())
}

/// Fails if two revisions are of the same object.
#[track_caller]
pub(super) fn differ(a: &Revision, b: &Revision) -> CaseResult {
    ensure!(!a.is_same(b), "{a:?} and {b:?} should be of different objects");
    Ok(())
}

/// The multipart side of a store that declares it.
pub(super) fn multipart(store: &Store) -> Step<&dyn MultipartStore> {
    store.multipart().ok_or_else(|| Failure::new("multipart is declared, but multipart() is None"))
}

/// The size of a part that need not be the last one.
pub(super) fn part_size(store: &Store) -> usize {
    let least = store.capabilities().limits.part_min_bytes;
    usize::try_from(least).unwrap_or(usize::MAX).max(1_000)
}

/// Sends a part.
pub(super) async fn part(
    store: &Store,
    name: &str,
    upload: &UploadId,
    number: u32,
    content: impl Into<Payload> + Send,
) -> Step<Part> {
    let (number, content) = (PartNumber::new(number)?, content.into());
    Ok(multipart(store)?.put_part(&key(name)?, upload, number, content).await?)
}
