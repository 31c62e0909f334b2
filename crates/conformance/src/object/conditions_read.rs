//! Reading under conditions.

use std::time::Duration;

use polycloud_core::ErrorKind;
use polycloud_core::object::{
    ETag, GetOptions, HeadOptions, ListOptions, Precondition, Range, Revision,
};

use super::kit::{Step, Store, head, key, objects, put, read_with};
use crate::case::{CaseResult, Failure, cases, ensure_eq};
use crate::expect::expect_kind;

/// More than any clock is off.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// Fails unless a get and a head succeed under a condition.
async fn holds_if(store: &Store, condition: Precondition) -> CaseResult {
    let get = GetOptions::default().with_precondition(condition.clone());
    ensure_eq!(read_with(store, "k", &get).await?, "content");
    let head = HeadOptions::default().with_precondition(condition);
    ensure_eq!(store.head(&key("k")?, &head).await?.size, 7);
    Ok(())
}

/// Fails unless a get and a head of an object fail with this kind under a condition.
async fn fails_if(
    store: &Store,
    name: &str,
    condition: Precondition,
    kind: ErrorKind,
) -> CaseResult {
    let get = GetOptions::default().with_precondition(condition.clone());
    expect_kind(read_with(store, name, &get).await, kind)?;
    let head = HeadOptions::default().with_precondition(condition);
    expect_kind(store.head(&key(name)?, &head).await, kind)?;
    Ok(())
}

fn etag(revision: &Revision) -> Step<ETag> {
    revision.etag.clone().ok_or_else(|| Failure::new("the revision has no ETag"))
}

cases! {
    Store, "conditions_read";

    /// A read succeeds if the ETag is the stated one.
    #[needs(ReadIfMatch)]
    async fn if_match_same(context: Context) -> CaseResult {
        let store = context.store().await?;
        let written = put(&*store, "k", "content").await?;
        holds_if(&*store, Precondition::IfMatch(etag(&written.revision)?)).await
    }

    /// A read fails its precondition if the ETag is another one.
    #[needs(ReadIfMatch)]
    async fn if_match_other(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = put(&*store, "k", "before").await?;
        put(&*store, "k", "content").await?;
        let condition = Precondition::IfMatch(etag(&old.revision)?);
        fails_if(&*store, "k", condition, ErrorKind::PreconditionFailed).await
    }

    /// A read that is conditional on an ETag does not find a missing object.
    #[needs(ReadIfMatch)]
    async fn if_match_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        let other = put(&*store, "other", "content").await?;
        let condition = Precondition::IfMatch(etag(&other.revision)?);
        fails_if(&*store, "k", condition, ErrorKind::NotFound).await
    }

    /// A read succeeds if the ETag is not the stated one.
    #[needs(ReadIfNoneMatch)]
    async fn if_none_match_other(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = put(&*store, "k", "before").await?;
        put(&*store, "k", "content").await?;
        holds_if(&*store, Precondition::IfNoneMatch(etag(&old.revision)?)).await
    }

    /// A read is not modified if the ETag is still the stated one.
    #[needs(ReadIfNoneMatch)]
    async fn if_none_match_same(context: Context) -> CaseResult {
        let store = context.store().await?;
        let written = put(&*store, "k", "content").await?;
        let condition = Precondition::IfNoneMatch(etag(&written.revision)?);
        fails_if(&*store, "k", condition, ErrorKind::NotModified).await
    }

    /// A read that is conditional on another ETag does not find a missing object.
    #[needs(ReadIfNoneMatch)]
    async fn if_none_match_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        let other = put(&*store, "other", "content").await?;
        let condition = Precondition::IfNoneMatch(etag(&other.revision)?);
        fails_if(&*store, "k", condition, ErrorKind::NotFound).await
    }

    /// A read succeeds if the object is unchanged since a put, a get, a head or a listing.
    #[needs(ReadIfMatch)]
    async fn if_unchanged_since_any_answer(context: Context) -> CaseResult {
        let store = context.store().await?;
        let written = put(&*store, "k", "content").await?;
        let listed = objects(&*store, &ListOptions::default()).await?;
        let listed = listed.first().ok_or_else(|| Failure::new("the listing is empty"))?;
        let got = store.get(&key("k")?, &GetOptions::default()).await?;
        let seen = head(&*store, "k").await?;
        let from_listing = listed.revision.clone();
        for revision in [written.revision, got.meta.revision, seen.revision, from_listing] {
            holds_if(&*store, Precondition::IfUnchanged(revision)).await?;
        }
        Ok(())
    }

    /// A read fails its precondition if the object was replaced.
    #[needs(ReadIfMatch)]
    async fn if_unchanged_after_overwrite(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = put(&*store, "k", "before").await?;
        put(&*store, "k", "content").await?;
        let condition = Precondition::IfUnchanged(old.revision);
        fails_if(&*store, "k", condition, ErrorKind::PreconditionFailed).await
    }

    /// A read that is conditional on a revision does not find an object that was deleted.
    #[needs(ReadIfMatch)]
    async fn if_unchanged_after_delete(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = put(&*store, "k", "content").await?;
        super::kit::delete(&*store, "k").await?;
        let condition = Precondition::IfUnchanged(old.revision);
        fails_if(&*store, "k", condition, ErrorKind::NotFound).await
    }

    /// A read succeeds if the object was modified since a time.
    #[needs(ReadIfDate)]
    async fn if_modified_since_before(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let modified = head(&*store, "k").await?.last_modified;
        holds_if(&*store, Precondition::IfModifiedSince(modified - LONG)).await
    }

    /// A read is not modified if the object was not modified since its own modification time.
    #[needs(ReadIfDate)]
    async fn if_modified_since_itself(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let modified = head(&*store, "k").await?.last_modified;
        let condition = Precondition::IfModifiedSince(modified);
        fails_if(&*store, "k", condition, ErrorKind::NotModified).await
    }

    /// A read succeeds if the object was not modified since its own modification time.
    #[needs(ReadIfDate)]
    async fn if_unmodified_since_itself(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let modified = head(&*store, "k").await?.last_modified;
        holds_if(&*store, Precondition::IfUnmodifiedSince(modified)).await?;
        holds_if(&*store, Precondition::IfUnmodifiedSince(modified + LONG)).await
    }

    /// A read fails its precondition if the object was modified since a time.
    #[needs(ReadIfDate)]
    async fn if_unmodified_since_before(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let modified = head(&*store, "k").await?.last_modified;
        let condition = Precondition::IfUnmodifiedSince(modified - LONG);
        fails_if(&*store, "k", condition, ErrorKind::PreconditionFailed).await
    }

    /// A read that is conditional on a date does not find a missing object.
    #[needs(ReadIfDate)]
    async fn by_date_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        let past = context.clock().now() - LONG;
        let condition = Precondition::IfModifiedSince(past);
        fails_if(&*store, "k", condition, ErrorKind::NotFound).await?;
        fails_if(&*store, "k", Precondition::IfUnmodifiedSince(past), ErrorKind::NotFound).await
    }

    /// A range is read under a condition like the whole.
    #[needs(ReadIfMatch)]
    async fn range_if_unchanged(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = put(&*store, "k", "content").await?.revision;
        let range = Range::bounded(3, 7)?;
        let options = GetOptions::default().with_range(range);
        let options = options.with_precondition(Precondition::IfUnchanged(old));
        ensure_eq!(read_with(&*store, "k", &options).await?, "tent");
        put(&*store, "k", "another").await?;
        expect_kind(read_with(&*store, "k", &options).await, ErrorKind::PreconditionFailed)?;
        Ok(())
    }

    /// A failed condition counts before an unsatisfiable range.
    #[needs(ReadIfMatch)]
    async fn condition_before_range(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = put(&*store, "k", "content").await?.revision;
        put(&*store, "k", "x").await?;
        let options = GetOptions::default().with_range(Range::from_offset(5));
        let options = options.with_precondition(Precondition::IfUnchanged(old));
        expect_kind(read_with(&*store, "k", &options).await, ErrorKind::PreconditionFailed)?;
        Ok(())
    }

    /// Conditions that mean nothing for a read are invalid.
    async fn conditions_without_meaning(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let kind = ErrorKind::InvalidArgument;
        fails_if(&*store, "k", Precondition::IfAbsent, kind).await?;
        fails_if(&*store, "k", Precondition::IfExists, kind).await
    }
}
