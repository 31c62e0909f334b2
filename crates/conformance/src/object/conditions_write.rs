//! Writing under conditions: by put, by upload, and deleting.

use std::time::Duration;

use polycloud_core::ErrorKind;
use polycloud_core::object::{DeleteOptions, ETag, ListOptions, Precondition, PutResult};

use super::kit::{
    Step, Store, delete, head, holds, is_absent, key, objects, put, put_if, upload_if,
};
use crate::case::{CaseResult, Failure, cases, ensure_eq};
use crate::expect::expect_kind;

/// More than any clock is off.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// Fails unless a put and then an upload succeed, each under the condition that is made for it.
async fn writes_if(
    store: &Store,
    name: &str,
    condition: impl Fn(&PutResult) -> Step<Precondition>,
) -> CaseResult {
    let before = put(store, name, "before").await?;
    let written = put_if(store, name, "put", condition(&before)?).await?;
    holds(store, name, "put").await?;
    upload_if(store, name, "upload", condition(&written)?).await?;
    holds(store, name, "upload").await
}

/// Fails unless a put and an upload over an object fail with this kind, and leave it as it is.
async fn refused_if(
    store: &Store,
    name: &str,
    condition: &Precondition,
    kind: ErrorKind,
) -> CaseResult {
    let before = put(store, name, "before").await?;
    expect_kind(put_if(store, name, "put", condition.clone()).await, kind)?;
    expect_kind(upload_if(store, name, "upload", condition.clone()).await, kind)?;
    holds(store, name, "before").await?;
    super::kit::same(&head(store, name).await?.revision, &before.revision)
}

/// Fails unless a put and an upload of a missing object fail with this kind, and write nothing.
async fn refused_if_missing(store: &Store, condition: &Precondition) -> CaseResult {
    let kind = ErrorKind::PreconditionFailed;
    expect_kind(put_if(store, "missing", "put", condition.clone()).await, kind)?;
    expect_kind(upload_if(store, "missing", "upload", condition.clone()).await, kind)?;
    is_absent(store, "missing").await
}

async fn delete_if(
    store: &Store,
    name: &str,
    condition: Precondition,
) -> polycloud_core::Result<()> {
    let options = DeleteOptions::default().with_precondition(condition);
    store.delete(&key(name)?, &options).await.map(drop)
}

fn etag(result: &PutResult) -> Step<ETag> {
    let etag = result.revision.etag.clone();
    etag.ok_or_else(|| Failure::new("the revision has no ETag"))
}

cases! {
    Store, "conditions_write";

    /// A put and an upload create what is absent.
    #[needs(WriteIfAbsent)]
    async fn if_absent_free(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_if(&*store, "a", "put", Precondition::IfAbsent).await?;
        holds(&*store, "a", "put").await?;
        upload_if(&*store, "b", "upload", Precondition::IfAbsent).await?;
        holds(&*store, "b", "upload").await
    }

    /// A create over an object finds that it exists already, and leaves it alone.
    #[needs(WriteIfAbsent)]
    async fn if_absent_taken(context: Context) -> CaseResult {
        let store = context.store().await?;
        refused_if(&*store, "k", &Precondition::IfAbsent, ErrorKind::AlreadyExists).await
    }

    /// A create over an empty object finds that it exists already.
    #[needs(WriteIfAbsent)]
    async fn if_absent_taken_by_nothing(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "").await?;
        let result = put_if(&*store, "k", "new", Precondition::IfAbsent).await;
        expect_kind(result, ErrorKind::AlreadyExists)?;
        holds(&*store, "k", "").await
    }

    /// A key is absent again once its object was deleted.
    #[needs(WriteIfAbsent)]
    async fn if_absent_after_delete(context: Context) -> CaseResult {
        let store = context.store().await?;
        for round in ["one", "two", "three"] {
            put_if(&*store, "k", round, Precondition::IfAbsent).await?;
            holds(&*store, "k", round).await?;
            delete(&*store, "k").await?;
        }
        Ok(())
    }

    /// Other keys, above and below, do not keep a key from being absent.
    #[needs(WriteIfAbsent)]
    async fn if_absent_beside_others(context: Context) -> CaseResult {
        let store = context.store().await?;
        super::kit::put_all(&*store, &["a", "a/b/c", "a/bb", "A/b"]).await?;
        for name in ["a/b", "a/", "a/b/", "a/b/c/d"] {
            put_if(&*store, name, "new", Precondition::IfAbsent).await?;
            let again = put_if(&*store, name, "again", Precondition::IfAbsent).await;
            expect_kind(again, ErrorKind::AlreadyExists)?;
        }
        holds(&*store, "a", "a").await
    }

    /// A put and an upload replace what exists, whatever it is.
    #[needs(WriteIfExists)]
    async fn if_exists_present(context: Context) -> CaseResult {
        let store = context.store().await?;
        writes_if(&*store, "k", |_| Ok(Precondition::IfExists)).await
    }

    /// A write that needs an object fails its precondition where there is none.
    #[needs(WriteIfExists)]
    async fn if_exists_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        refused_if_missing(&*store, &Precondition::IfExists).await
    }

    /// A put and an upload replace the object with the stated ETag.
    #[needs(WriteIfMatch)]
    async fn if_match_same(context: Context) -> CaseResult {
        let store = context.store().await?;
        writes_if(&*store, "k", |last| Ok(Precondition::IfMatch(etag(last)?))).await
    }

    /// A write fails its precondition over an object with another ETag.
    #[needs(WriteIfMatch)]
    async fn if_match_other(context: Context) -> CaseResult {
        let store = context.store().await?;
        let condition = Precondition::IfMatch(etag(&put(&*store, "k", "old").await?)?);
        refused_if(&*store, "k", &condition, ErrorKind::PreconditionFailed).await
    }

    /// A write that needs an ETag fails its precondition where there is no object.
    #[needs(WriteIfMatch)]
    async fn if_match_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        let other = put(&*store, "other", "content").await?;
        refused_if_missing(&*store, &Precondition::IfMatch(etag(&other)?)).await
    }

    /// A put and an upload replace an object that is unchanged.
    #[needs(WriteIfMatch)]
    async fn if_unchanged_same(context: Context) -> CaseResult {
        let store = context.store().await?;
        let unchanged = |last: &PutResult| Ok(Precondition::IfUnchanged(last.revision.clone()));
        writes_if(&*store, "k", unchanged).await
    }

    /// A write fails its precondition over an object that has changed.
    #[needs(WriteIfMatch)]
    async fn if_unchanged_stale(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = put(&*store, "k", "old").await?;
        let condition = Precondition::IfUnchanged(old.revision);
        refused_if(&*store, "k", &condition, ErrorKind::PreconditionFailed).await
    }

    /// A write that needs a revision fails its precondition once the object is deleted.
    #[needs(WriteIfMatch)]
    async fn if_unchanged_after_delete(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = put(&*store, "missing", "old").await?;
        delete(&*store, "missing").await?;
        refused_if_missing(&*store, &Precondition::IfUnchanged(old.revision)).await
    }

    /// The revision of a deleted object does not stand for the one that was created after it.
    #[needs(WriteIfMatch)]
    async fn if_unchanged_after_create_anew(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = put(&*store, "k", "old").await?;
        delete(&*store, "k").await?;
        let condition = Precondition::IfUnchanged(old.revision);
        refused_if(&*store, "k", &condition, ErrorKind::PreconditionFailed).await
    }

    /// The revision of a head, a get or a listing serves a compare-and-swap like that of a put.
    #[needs(WriteIfMatch)]
    async fn if_unchanged_since_any_answer(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "one").await?;
        let seen = head(&*store, "k").await?.revision;
        put_if(&*store, "k", "two", Precondition::IfUnchanged(seen)).await?;
        let got = store.get(&key("k")?, &Default::default()).await?.meta.revision;
        put_if(&*store, "k", "three", Precondition::IfUnchanged(got)).await?;
        let listed = objects(&*store, &ListOptions::default()).await?;
        let listed = listed.into_iter().next().ok_or_else(|| Failure::new("nothing listed"))?;
        put_if(&*store, "k", "four", Precondition::IfUnchanged(listed.revision)).await?;
        holds(&*store, "k", "four").await
    }

    /// Each compare-and-swap returns the revision for the next one.
    #[needs(WriteIfMatch)]
    async fn chain_of_swaps(context: Context) -> CaseResult {
        let store = context.store().await?;
        let mut last = put(&*store, "k", "start").await?;
        for round in ["a", "b", "c", "d", "e", "f", "g"] {
            let condition = Precondition::IfUnchanged(last.revision);
            last = put_if(&*store, "k", round, condition).await?;
        }
        holds(&*store, "k", "g").await
    }

    /// A write succeeds over an object with another ETag than the stated one, and where there is none.
    #[needs(WriteIfNoneMatch)]
    async fn if_none_match_other(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = etag(&put(&*store, "k", "old").await?)?;
        put(&*store, "k", "content").await?;
        put_if(&*store, "k", "new", Precondition::IfNoneMatch(old.clone())).await?;
        holds(&*store, "k", "new").await?;
        put_if(&*store, "missing", "new", Precondition::IfNoneMatch(old)).await?;
        holds(&*store, "missing", "new").await
    }

    /// A write fails its precondition over an object with the ETag that it must not have.
    #[needs(WriteIfNoneMatch)]
    async fn if_none_match_same(context: Context) -> CaseResult {
        let store = context.store().await?;
        let current = put(&*store, "k", "content").await?;
        let condition = Precondition::IfNoneMatch(etag(&current)?);
        let result = put_if(&*store, "k", "new", condition).await;
        expect_kind(result, ErrorKind::PreconditionFailed)?;
        holds(&*store, "k", "content").await
    }

    /// A write succeeds over an object that was not modified since a time.
    #[needs(WriteIfDate)]
    async fn if_unmodified_since_later(context: Context) -> CaseResult {
        let store = context.store().await?;
        let later = context.clock().now() + LONG;
        writes_if(&*store, "k", |_| Ok(Precondition::IfUnmodifiedSince(later))).await
    }

    /// A write fails its precondition over an object that was modified since a time.
    #[needs(WriteIfDate)]
    async fn if_unmodified_since_before(context: Context) -> CaseResult {
        let store = context.store().await?;
        let condition = Precondition::IfUnmodifiedSince(context.clock().now() - LONG);
        refused_if(&*store, "k", &condition, ErrorKind::PreconditionFailed).await
    }

    /// A write succeeds over an object that was modified since a time.
    #[needs(WriteIfDate)]
    async fn if_modified_since_before(context: Context) -> CaseResult {
        let store = context.store().await?;
        let before = context.clock().now() - LONG;
        writes_if(&*store, "k", |_| Ok(Precondition::IfModifiedSince(before))).await
    }

    /// The condition of an upload is decided when it completes, not when it starts.
    #[needs(WriteIfAbsent)]
    async fn upload_decides_at_its_end(context: Context) -> CaseResult {
        let store = context.store().await?;
        let put_options = polycloud_core::object::PutOptions::default();
        let options = put_options.with_precondition(Precondition::IfAbsent).into();
        let mut late = store.upload(&key("k")?, &options).await?;
        late.write("late".into()).await?;
        put(&*store, "k", "early").await?;
        expect_kind(late.complete().await, ErrorKind::AlreadyExists)?;
        holds(&*store, "k", "early").await?;
        let mut lucky = store.upload(&key("k")?, &options).await?;
        lucky.write("lucky".into()).await?;
        delete(&*store, "k").await?;
        lucky.complete().await?;
        holds(&*store, "k", "lucky").await
    }

    /// A delete succeeds if there is an object.
    #[needs(DeleteIfExists)]
    async fn delete_if_exists_present(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        delete_if(&*store, "k", Precondition::IfExists).await?;
        is_absent(&*store, "k").await
    }

    /// A delete that needs an object fails its precondition where there is none.
    #[needs(DeleteIfExists)]
    async fn delete_if_exists_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        let result = delete_if(&*store, "k", Precondition::IfExists).await;
        expect_kind(result, ErrorKind::PreconditionFailed)?;
        Ok(())
    }

    /// A delete succeeds if the ETag is the stated one.
    #[needs(DeleteIfMatch)]
    async fn delete_if_match_same(context: Context) -> CaseResult {
        let store = context.store().await?;
        let current = etag(&put(&*store, "k", "content").await?)?;
        delete_if(&*store, "k", Precondition::IfMatch(current)).await?;
        is_absent(&*store, "k").await
    }

    /// A delete fails its precondition if the ETag is another one, and deletes nothing.
    #[needs(DeleteIfMatch)]
    async fn delete_if_match_other(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = etag(&put(&*store, "k", "old").await?)?;
        put(&*store, "k", "content").await?;
        let result = delete_if(&*store, "k", Precondition::IfMatch(old)).await;
        expect_kind(result, ErrorKind::PreconditionFailed)?;
        holds(&*store, "k", "content").await
    }

    /// A delete succeeds if the object is unchanged.
    #[needs(DeleteIfMatch)]
    async fn delete_if_unchanged_same(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let seen = head(&*store, "k").await?.revision;
        delete_if(&*store, "k", Precondition::IfUnchanged(seen)).await?;
        is_absent(&*store, "k").await
    }

    /// A delete fails its precondition if the object has changed, and deletes nothing.
    #[needs(DeleteIfMatch)]
    async fn delete_if_unchanged_stale(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = put(&*store, "k", "old").await?.revision;
        put(&*store, "k", "content").await?;
        let result = delete_if(&*store, "k", Precondition::IfUnchanged(old)).await;
        expect_kind(result, ErrorKind::PreconditionFailed)?;
        holds(&*store, "k", "content").await
    }

    /// A delete that needs a revision fails its precondition where there is no object.
    #[needs(DeleteIfMatch)]
    async fn delete_if_unchanged_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = put(&*store, "k", "old").await?.revision;
        delete(&*store, "k").await?;
        let result = delete_if(&*store, "k", Precondition::IfUnchanged(old)).await;
        expect_kind(result, ErrorKind::PreconditionFailed)?;
        Ok(())
    }

    /// A delete by date fails its precondition over an object that was modified later, and succeeds over
    /// one that was not.
    #[needs(DeleteIfOther)]
    async fn delete_if_unmodified_since(context: Context) -> CaseResult {
        let (store, now) = (context.store().await?, context.clock().now());
        put(&*store, "k", "content").await?;
        let result = delete_if(&*store, "k", Precondition::IfUnmodifiedSince(now - LONG)).await;
        expect_kind(result, ErrorKind::PreconditionFailed)?;
        holds(&*store, "k", "content").await?;
        delete_if(&*store, "k", Precondition::IfUnmodifiedSince(now + LONG)).await?;
        is_absent(&*store, "k").await
    }

    /// A delete of anything but the stated ETag spares the object that has it.
    #[needs(DeleteIfOther)]
    async fn delete_if_none_match(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = etag(&put(&*store, "k", "old").await?)?;
        let current = etag(&put(&*store, "k", "content").await?)?;
        let result = delete_if(&*store, "k", Precondition::IfNoneMatch(current)).await;
        expect_kind(result, ErrorKind::PreconditionFailed)?;
        holds(&*store, "k", "content").await?;
        delete_if(&*store, "k", Precondition::IfNoneMatch(old)).await?;
        is_absent(&*store, "k").await
    }

    /// A delete on condition that there is no object is invalid.
    async fn delete_if_absent_is_invalid(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let result = delete_if(&*store, "k", Precondition::IfAbsent).await;
        expect_kind(result, ErrorKind::InvalidArgument)?;
        holds(&*store, "k", "content").await
    }

    /// A write that failed its precondition was not applied, and says so.
    #[needs(WriteIfAbsent)]
    async fn refusals_are_not_applied(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let result = put_if(&*store, "k", "new", Precondition::IfAbsent).await;
        let error = expect_kind(result, ErrorKind::AlreadyExists)?;
        ensure_eq!(error.outcome(), polycloud_core::Outcome::NotApplied);
        ensure_eq!(error.retry(), polycloud_core::Retry::Never);
        Ok(())
    }
}
