//! Buckets that keep older versions.

use polycloud_core::ErrorKind;
use polycloud_core::object::{
    CopyOptions, CopySource, DeleteOptions, DeleteResult, ETag, GetOptions, HeadOptions, ListEntry,
    ListOptions, ObjectMeta, ObjectUpdate, Precondition, VersionId,
};

use super::kit::{
    Step, Store, delete, entries, head, head_tags, holds, is_absent, key, lists, names, put,
    put_all, put_if, read, read_with, tags, tags_of, upload,
};
use crate::case::{CaseResult, Failure, cases, ensure, ensure_eq};
use crate::expect::{expect_any, expect_kind};

/// Puts an object and returns the version that it got.
async fn put_version(store: &Store, name: &str, content: &'static str) -> Step<VersionId> {
    let version = put(store, name, content).await?.revision.version;
    version.ok_or_else(|| Failure::new("a put into a versioned bucket returned no version"))
}

/// Puts one version after another.
pub(super) async fn put_versions<const N: usize>(
    store: &Store,
    name: &str,
    contents: [&'static str; N],
) -> Step<[VersionId; N]> {
    let mut versions = Vec::new();
    for content in contents {
        versions.push(put_version(store, name, content).await?);
    }
    versions.try_into().map_err(|_| Failure::new("another number of versions"))
}

fn at(version: &VersionId) -> GetOptions {
    GetOptions::default().with_version(version.clone())
}

pub(super) async fn read_version(store: &Store, name: &str, version: &VersionId) -> Step<String> {
    let bytes = read_with(store, name, &at(version)).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn head_version(store: &Store, name: &str, version: &VersionId) -> Step<ObjectMeta> {
    let options = HeadOptions::default().with_version(version.clone());
    Ok(store.head(&key(name)?, &options).await?)
}

async fn delete_version(store: &Store, name: &str, version: &VersionId) -> Step<DeleteResult> {
    let options = DeleteOptions::default().with_version(version.clone());
    Ok(store.delete(&key(name)?, &options).await?)
}

/// Fails unless a version is not found any more, by get and by head.
async fn version_is_gone(store: &Store, name: &str, version: &VersionId) -> CaseResult {
    // Once nothing at all is left of a key, there is no telling what was missing first.
    let kinds = [ErrorKind::VersionNotFound, ErrorKind::NotFound];
    expect_any(read_with(store, name, &at(version)).await, &kinds)?;
    let options = HeadOptions::default().with_version(version.clone());
    expect_any(store.head(&key(name)?, &options).await, &kinds)?;
    Ok(())
}

/// Deletes an object, and returns the delete marker where the backend has such.
async fn hide(store: &Store, name: &str) -> Step<Option<VersionId>> {
    Ok(store.delete(&key(name)?, &DeleteOptions::default()).await?.delete_marker)
}

pub(super) fn all() -> ListOptions {
    ListOptions::default().with_versions(true)
}

/// One line of a listing of versions: the key, the version, and whether it is the latest. A delete
/// marker is written with a `-` in front of its key.
pub(super) type Line = (String, Option<VersionId>, bool);

fn line(entry: ListEntry) -> Line {
    match entry {
        ListEntry::Object(meta) => {
            (meta.key.into(), meta.revision.version, meta.is_latest == Some(true))
        }
        ListEntry::DeleteMarker(marker) => {
            (format!("-{}", marker.key), Some(marker.version), marker.is_latest)
        }
        ListEntry::Prefix(prefix) => (format!("{prefix}*"), None, false),
        _ => (String::new(), None, false),
    }
}

pub(super) async fn lines(store: &Store, options: &ListOptions) -> Step<Vec<Line>> {
    Ok(entries(store, options).await?.into_iter().map(line).collect())
}

/// Whether metadata of a version that was read by name says this, or does not tell.
fn may_be(meta: &ObjectMeta, latest: bool) -> bool {
    meta.is_latest.is_none_or(|it| it == latest)
}

/// An object as [`line`] writes it.
fn object(name: &str, version: &VersionId, is_latest: bool) -> Line {
    (name.into(), Some(version.clone()), is_latest)
}

/// A delete marker as [`line`] writes it, if there is one.
fn marker(name: &str, version: Option<VersionId>, is_latest: bool) -> Option<Line> {
    version.map(|version| (format!("-{name}"), Some(version), is_latest))
}

cases! {
    Store, "versions";

    /// A put keeps what it replaces as an older version, and returns a version of its own.
    #[needs(ListVersions, ReadVersion)]
    async fn put_keeps_the_old(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let [first, second, third] = put_versions(&*store, "k", ["one", "two", "three"]).await?;
        ensure!(first != second && second != third && first != third, "versions repeat");
        holds(&*store, "k", "three").await?;
        for (version, content) in [(&first, "one"), (&second, "two"), (&third, "three")] {
            ensure_eq!(read_version(&*store, "k", version).await?, content);
        }
        Ok(())
    }

    /// A head of a version tells of that version, and whether it is the latest.
    #[needs(ListVersions, ReadVersion)]
    async fn head_by_version(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let [old, new] = put_versions(&*store, "k", ["old", "newer"]).await?;
        for (version, size, is_latest) in [(&old, 3, false), (&new, 5, true)] {
            let meta = head_version(&*store, "k", version).await?;
            ensure_eq!(meta.size, size, "the size of {version}");
            ensure!(may_be(&meta, is_latest), "a head tells wrongly whether {version} is the latest");
            ensure_eq!(meta.revision.version.as_ref(), Some(version));
            let got = store.get(&key("k")?, &at(version)).await?.meta;
            ensure!(may_be(&got, is_latest), "a get tells wrongly whether {version} is the latest");
            super::kit::same(&got.revision, &meta.revision)?;
        }
        ensure_eq!(head(&*store, "k").await?.revision.version, Some(new));
        Ok(())
    }

    /// A version that a key never had is not found, and does not hide the object.
    #[needs(ListVersions, ReadVersion)]
    async fn unknown_version(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let gone = put_version(&*store, "k", "gone").await?;
        delete_version(&*store, "k", &gone).await?;
        put(&*store, "k", "content").await?;
        let kind = ErrorKind::VersionNotFound;
        expect_kind(read_with(&*store, "k", &at(&gone)).await, kind)?;
        let options = HeadOptions::default().with_version(gone);
        expect_kind(store.head(&key("k")?, &options).await, kind)?;
        holds(&*store, "k", "content").await
    }

    /// A version belongs to its key: another key does not have it.
    #[needs(ListVersions, ReadVersion)]
    async fn version_of_another_key(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let [old, new] = put_versions(&*store, "a", ["one", "two"]).await?;
        put_versions(&*store, "b", ["three", "four"]).await?;
        for version in [&old, &new] {
            let result = read_with(&*store, "b", &at(version)).await;
            expect_kind(result, ErrorKind::VersionNotFound)?;
            version_is_gone(&*store, "missing", version).await?;
            delete_version(&*store, "b", version).await?;
        }
        ensure_eq!(read_version(&*store, "a", &old).await?, "one");
        holds(&*store, "b", "four").await
    }

    /// Versions are listed by key, newest first, and the newest is the latest.
    #[needs(ListVersions)]
    async fn listed_newest_first(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let [a1, a2, a3] = put_versions(&*store, "a", ["1", "22", "333"]).await?;
        let [b1, b2] = put_versions(&*store, "b/c", ["1", "22"]).await?;
        let expected = [
            object("a", &a3, true),
            object("a", &a2, false),
            object("a", &a1, false),
            object("b/c", &b2, true),
            object("b/c", &b1, false),
        ];
        ensure_eq!(lines(&*store, &all()).await?, expected);
        let sizes = super::kit::objects(&*store, &all()).await?;
        let sizes: Vec<_> = sizes.iter().map(|meta| meta.size).collect();
        ensure_eq!(sizes, [3, 2, 1, 2, 1]);
        Ok(())
    }

    /// A listing that does not ask for versions shows each current object once.
    #[needs(ListVersions)]
    async fn listing_of_current_objects(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        put_versions(&*store, "a", ["1", "22", "333"]).await?;
        put_versions(&*store, "b", ["1", "22"]).await?;
        put_all(&*store, &["gone", "c"]).await?;
        delete(&*store, "gone").await?;
        lists(&*store, &["a", "b", "c"]).await?;
        let current = super::kit::objects(&*store, &ListOptions::default()).await?;
        ensure!(current.iter().all(|meta| meta.is_latest == Some(true)), "not the latest: {current:?}");
        let sizes: Vec<_> = current.iter().map(|meta| meta.size).collect();
        ensure_eq!(sizes, [3, 2, 1]);
        Ok(())
    }

    /// Listed revisions are those that a head shows, and serve a compare-and-swap.
    #[needs(ListVersions, WriteIfMatch)]
    async fn listed_revisions(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        put_versions(&*store, "k", ["one", "two"]).await?;
        for options in [ListOptions::default(), all()] {
            let listed = super::kit::objects(&*store, &options).await?;
            let newest = listed.first().ok_or_else(|| Failure::new("nothing is listed"))?;
            super::kit::same(&newest.revision, &head(&*store, "k").await?.revision)?;
            let condition = Precondition::IfUnchanged(newest.revision.clone());
            put_if(&*store, "k", "three", condition).await?;
        }
        Ok(())
    }

    /// A delete hides the object from reads and listings, and keeps its versions.
    #[needs(ListVersions, ReadVersion)]
    async fn delete_hides(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let [old, new] = put_versions(&*store, "k", ["old", "new"]).await?;
        hide(&*store, "k").await?;
        is_absent(&*store, "k").await?;
        lists(&*store, &[]).await?;
        ensure_eq!(read_version(&*store, "k", &old).await?, "old");
        ensure_eq!(read_version(&*store, "k", &new).await?, "new");
        let hidden = head_version(&*store, "k", &new).await?;
        ensure!(may_be(&hidden, false), "a hidden version is the latest");
        Ok(())
    }

    /// A deleted object is listed with its versions, none of which is the latest; its delete marker is,
    /// where the backend has such.
    #[needs(ListVersions)]
    async fn marker_is_listed(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let [old, new] = put_versions(&*store, "k", ["old", "new"]).await?;
        let hidden = hide(&*store, "k").await?;
        let mut expected: Vec<_> = marker("k", hidden, true).into_iter().collect();
        expected.extend([object("k", &new, false), object("k", &old, false)]);
        ensure_eq!(lines(&*store, &all()).await?, expected);
        Ok(())
    }

    /// A delete of what is hidden, or was never there, leaves at most a marker and no object.
    #[needs(ListVersions)]
    async fn delete_of_the_hidden(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let only = put_version(&*store, "k", "content").await?;
        for _ in 0..3 {
            hide(&*store, "k").await?;
        }
        hide(&*store, "never").await?;
        is_absent(&*store, "k").await?;
        let objects: Vec<_> = lines(&*store, &all()).await?;
        let objects: Vec<_> = objects.into_iter().filter(|line| !line.0.starts_with('-')).collect();
        ensure_eq!(objects, [object("k", &only, false)]);
        Ok(())
    }

    /// A delete marker cannot be read.
    #[needs(ListVersions, ReadVersion)]
    async fn marker_is_no_object(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        put_version(&*store, "k", "content").await?;
        if let Some(marker) = hide(&*store, "k").await? {
            version_is_gone(&*store, "k", &marker).await?;
        }
        Ok(())
    }

    /// Deleting the delete marker brings the object back, and so does copying a version over it.
    #[needs(ListVersions, DeleteVersion, CopySourceVersion)]
    async fn undelete(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let [_, new] = put_versions(&*store, "k", ["old", "new"]).await?;
        match hide(&*store, "k").await? {
            Some(marker) => {
                ensure!(delete_version(&*store, "k", &marker).await?.existed != Some(false), "no marker");
                ensure_eq!(head(&*store, "k").await?.revision.version, Some(new.clone()));
            }
            None => {
                let from = CopySource::new(key("k")?).with_version(new);
                store.copy(&from, &key("k")?, &CopyOptions::default()).await?;
            }
        }
        holds(&*store, "k", "new").await?;
        lists(&*store, &["k"]).await
    }

    /// What is put over a delete marker is current; the marker and all versions stay below it.
    #[needs(ListVersions, ReadVersion)]
    async fn put_after_delete(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let old = put_version(&*store, "k", "old").await?;
        let hidden = hide(&*store, "k").await?;
        let new = put_version(&*store, "k", "new").await?;
        holds(&*store, "k", "new").await?;
        ensure_eq!(read_version(&*store, "k", &old).await?, "old");
        let mut expected = vec![object("k", &new, true)];
        expected.extend(marker("k", hidden, false));
        expected.push(object("k", &old, false));
        ensure_eq!(lines(&*store, &all()).await?, expected);
        Ok(())
    }

    /// A version that is deleted is gone for good; the current object and other versions stay.
    #[needs(ListVersions, ReadVersion, DeleteVersion)]
    async fn delete_for_good(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let [first, second, third] = put_versions(&*store, "k", ["one", "two", "three"]).await?;
        let result = delete_version(&*store, "k", &second).await?;
        ensure_eq!(result.delete_marker, None);
        version_is_gone(&*store, "k", &second).await?;
        holds(&*store, "k", "three").await?;
        ensure_eq!(read_version(&*store, "k", &first).await?, "one");
        let expected = [object("k", &third, true), object("k", &first, false)];
        ensure_eq!(lines(&*store, &all()).await?, expected);
        // Once more: what is not there is deleted with success.
        ensure!(delete_version(&*store, "k", &second).await?.existed != Some(true), "still there");
        Ok(())
    }

    /// Deleting the current version makes the one before it current. Where there are no delete markers the
    /// key may hold nothing instead; it never holds anything else.
    #[needs(ListVersions, DeleteVersion)]
    async fn delete_of_the_current(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        put(&*store, "probe", "x").await?;
        let markers = hide(&*store, "probe").await?.is_some();
        let [first, second, third] = put_versions(&*store, "k", ["one", "two", "three"]).await?;
        for (version, before) in [(&third, "two"), (&second, "one")] {
            delete_version(&*store, "k", version).await?;
            if markers {
                holds(&*store, "k", before).await?;
                let current = head(&*store, "k").await?;
                ensure!(current.is_latest == Some(true), "the current object is not the latest");
            } else {
                let now = read(&*store, "k").await;
                ensure!(now.as_ref().is_ok_and(|now| now == before) || now.is_err(), "{now:?}");
            }
        }
        delete_version(&*store, "k", &first).await?;
        is_absent(&*store, "k").await?;
        let left: Vec<_> = lines(&*store, &all()).await?;
        ensure!(left.iter().all(|line| !line.0.ends_with('k')), "left of the key: {left:?}");
        Ok(())
    }

    /// An older version is restored by copying it onto its own key; it stays where it is.
    #[needs(ListVersions, CopySourceVersion, ReadVersion)]
    async fn restore_by_copy(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let [old, new] = put_versions(&*store, "k", ["old", "new"]).await?;
        let from = CopySource::new(key("k")?).with_version(old.clone());
        let copied = store.copy(&from, &key("k")?, &CopyOptions::default()).await?;
        holds(&*store, "k", "old").await?;
        let version = copied.revision.version.ok_or_else(|| Failure::new("no version"))?;
        ensure!(version != old && version != new, "the copy got no version of its own");
        let expected =
            [object("k", &version, true), object("k", &new, false), object("k", &old, false)];
        ensure_eq!(lines(&*store, &all()).await?, expected);
        Ok(())
    }

    /// A version can be copied to another key, also once it is hidden.
    #[needs(ListVersions, CopySourceVersion)]
    async fn copy_of_a_version(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let [old, _] = put_versions(&*store, "k", ["old", "new"]).await?;
        hide(&*store, "k").await?;
        let from = CopySource::new(key("k")?).with_version(old.clone());
        store.copy(&from, &key("to")?, &CopyOptions::default()).await?;
        holds(&*store, "to", "old").await?;
        let plain = CopySource::new(key("k")?);
        let result = store.copy(&plain, &key("to")?, &CopyOptions::default()).await;
        expect_kind(result, ErrorKind::NotFound)?;
        let foreign = CopySource::new(key("to")?).with_version(old);
        let result = store.copy(&foreign, &key("x")?, &CopyOptions::default()).await;
        expect_kind(result, ErrorKind::VersionNotFound)?;
        is_absent(&*store, "x").await
    }

    /// A key whose object is hidden is absent for conditions; a stale revision does not match.
    #[needs(ListVersions, WriteIfAbsent, WriteIfMatch)]
    async fn conditions(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let first = put_if(&*store, "k", "one", Precondition::IfAbsent).await?.revision;
        let taken = put_if(&*store, "k", "x", Precondition::IfAbsent).await;
        expect_kind(taken, ErrorKind::AlreadyExists)?;
        let unchanged = Precondition::IfUnchanged(first.clone());
        let second = put_if(&*store, "k", "two", unchanged.clone()).await?.revision;
        let failed = ErrorKind::PreconditionFailed;
        expect_kind(put_if(&*store, "k", "x", unchanged).await, failed)?;
        hide(&*store, "k").await?;
        let hidden = Precondition::IfUnchanged(second);
        expect_kind(put_if(&*store, "k", "x", hidden).await, failed)?;
        put_if(&*store, "k", "three", Precondition::IfAbsent).await?;
        let stale = Precondition::IfUnchanged(first);
        expect_kind(put_if(&*store, "k", "x", stale).await, failed)?;
        holds(&*store, "k", "three").await?;
        let objects = super::kit::objects(&*store, &all()).await?;
        ensure_eq!(objects.len(), 3, "versions: refused writes leave none");
        Ok(())
    }

    /// A read of a version decides its condition by that version.
    #[needs(ListVersions, ReadVersion, ReadIfMatch, ReadIfNoneMatch)]
    async fn condition_on_a_version(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let [old, new] = put_versions(&*store, "k", ["old", "new"]).await?;
        let etag = |meta: ObjectMeta| meta.revision.etag.unwrap_or_else(|| ETag::new(""));
        let old_etag = etag(head_version(&*store, "k", &old).await?);
        let new_etag = etag(head_version(&*store, "k", &new).await?);
        let with = |condition| at(&old).with_precondition(condition);
        let same = with(Precondition::IfMatch(old_etag.clone()));
        ensure_eq!(read_with(&*store, "k", &same).await?, "old");
        let other = read_with(&*store, "k", &with(Precondition::IfMatch(new_etag.clone()))).await;
        expect_kind(other, ErrorKind::PreconditionFailed)?;
        let seen = read_with(&*store, "k", &with(Precondition::IfNoneMatch(old_etag))).await;
        expect_kind(seen, ErrorKind::NotModified)?;
        let unseen = with(Precondition::IfNoneMatch(new_etag));
        ensure_eq!(read_with(&*store, "k", &unseen).await?, "old");
        Ok(())
    }

    /// Common prefixes of current objects leave out what only has deleted ones; those of versions do not.
    #[needs(ListVersions)]
    async fn groups(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        put_all(&*store, &["a/1", "a/2", "b/1", "b/2", "c"]).await?;
        for name in ["a/1", "b/1", "b/2", "c"] {
            hide(&*store, name).await?;
        }
        for size in [1_u32, 2, 100] {
            let options = ListOptions::default().with_delimiter("/").with_page_size(size);
            ensure_eq!(names(&*store, &options).await?, ["a/*"], "pages of {size}");
            let mut names = names(&*store, &options.with_versions(true)).await?;
            names.dedup();
            ensure_eq!(names, ["a/*", "b/*", "c"], "pages of {size}, with versions");
        }
        Ok(())
    }

    /// Pages of any size add up to the listing of all versions.
    #[needs(ListVersions)]
    async fn pages_add_up(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        for round in ["one", "two", "three"] {
            for name in ["a", "a/b", "a\n", "b", "ü"] {
                put(&*store, name, round).await?;
            }
            delete(&*store, "a/b").await?;
            delete(&*store, "b").await?;
        }
        let whole = lines(&*store, &all()).await?;
        let objects = whole.iter().filter(|line| !line.0.starts_with('-')).count();
        ensure_eq!(objects, 15, "versions of objects");
        for size in [1_u32, 2, 3, 7] {
            let paged = lines(&*store, &all().with_page_size(size)).await?;
            ensure_eq!(paged, whole, "pages of {size}");
        }
        let below = lines(&*store, &ListOptions::prefix("a/").with_versions(true)).await?;
        let expected: Vec<_> = whole.into_iter().filter(|line| line.0.contains("a/")).collect();
        ensure_eq!(below, expected, "versions below a prefix");
        Ok(())
    }

    /// An upload makes a version like a put.
    #[needs(ListVersions, ReadVersion)]
    async fn upload_makes_a_version(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let old = put_version(&*store, "k", "old").await?;
        let result = upload(&*store, "k", ["new".into()], &Default::default()).await?;
        let new = result.revision.version.ok_or_else(|| Failure::new("no version"))?;
        ensure_eq!(read_version(&*store, "k", &old).await?, "old");
        let expected = [object("k", &new, true), object("k", &old, false)];
        ensure_eq!(lines(&*store, &all()).await?, expected);
        Ok(())
    }

    /// An update changes the current version and leaves the older ones as they are.
    #[needs(ListVersions, ReadVersion, UpdateTags, Tags)]
    async fn update_leaves_the_old(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let old = put_version(&*store, "k", "old").await?;
        put(&*store, "k", "new").await?;
        let update = ObjectUpdate::default().with_tags(tags(&[("color", "blue")])?);
        store.update(&key("k")?, &update).await?;
        ensure_eq!(tags_of(&head_tags(&*store, "k").await?)?, [("color", "blue")]);
        holds(&*store, "k", "new").await?;
        let options = HeadOptions::default().with_version(old.clone()).with_tags(true);
        ensure_eq!(tags_of(&store.head(&key("k")?, &options).await?)?, []);
        ensure_eq!(read_version(&*store, "k", &old).await?, "old");
        Ok(())
    }

    /// An update of a hidden object is not found.
    #[needs(ListVersions, UpdateTags, Tags)]
    async fn update_of_the_hidden(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        put(&*store, "k", "content").await?;
        hide(&*store, "k").await?;
        let update = ObjectUpdate::default().with_tags(tags(&[("color", "blue")])?);
        expect_kind(store.update(&key("k")?, &update).await, ErrorKind::NotFound)?;
        is_absent(&*store, "k").await
    }

    /// Versions that are removed during a listing do not keep others from being listed exactly once.
    #[needs(ListVersions, DeleteVersion)]
    async fn removed_meanwhile(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        for round in ["1", "22", "333", "4444", "55555"] {
            put_all(&*store, &["a", "k", "z"]).await?;
            put(&*store, "k", round).await?;
        }
        let before = lines(&*store, &all()).await?;
        let (options, mut token) = (all().with_page_size(2), None);
        let (mut seen, mut removed) = (Vec::new(), Vec::new());
        loop {
            let page = store.list_page(&options, token.as_ref()).await?;
            seen.extend(page.entries.into_iter().map(line));
            token = page.next;
            if token.is_none() {
                break;
            }
            let last: Option<&Line> = seen.last();
            if let Some((name, Some(version), false)) = last {
                delete_version(&*store, name, version).await?;
                removed.push(version.clone());
            }
        }
        ensure!(!removed.is_empty(), "no page ended with an older version");
        ensure_eq!(seen, before, "what was listed, page by page");
        Ok(())
    }
}
