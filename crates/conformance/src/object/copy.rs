//! Copying within the provider.

use polycloud_core::ErrorKind;
use polycloud_core::object::{
    CopyOptions, CopySource, ETag, Precondition, PutOptions, PutResult, Revision,
};

use super::kit::{
    Step, Store, content, copy, delete, head, head_tags, holds, is_absent, key, lists, metadata,
    metadata_of, put, same, tags, tags_of,
};
use crate::case::{CaseResult, Failure, cases, ensure_eq};
use crate::expect::expect_kind;

async fn copy_if(store: &Store, condition: Precondition) -> polycloud_core::Result<PutResult> {
    let options = CopyOptions::default().with_precondition(condition);
    store.copy(&CopySource::new(key("from")?), &key("to")?, &options).await
}

async fn copy_from_if(store: &Store, condition: Precondition) -> polycloud_core::Result<PutResult> {
    let from = CopySource::new(key("from")?).with_precondition(condition);
    store.copy(&from, &key("to")?, &CopyOptions::default()).await
}

/// Fails unless a copy over `to` fails with this kind, and leaves it as it is.
async fn refused(
    store: &Store,
    result: polycloud_core::Result<PutResult>,
    kind: ErrorKind,
) -> CaseResult {
    expect_kind(result, kind)?;
    holds(store, "to", "target").await
}

fn etag(revision: Revision) -> Step<ETag> {
    revision.etag.ok_or_else(|| Failure::new("the revision has no ETag"))
}

/// Writes an object with metadata, a header and tags.
async fn put_dressed(store: &Store, name: &str) -> CaseResult {
    let attributes = metadata(&[("color", "green")])?.with_content_language("en")?;
    let options = PutOptions::default().with_attributes(attributes);
    let options = options.with_tags(tags(&[("team", "blue")])?);
    store.put(&key(name)?, "dressed".into(), &options).await?;
    Ok(())
}

cases! {
    Store, "copy";

    /// A copy has the content of its source, which stays.
    async fn round_trip(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "a/from", "content").await?;
        copy(&*store, "a/from", "b/to").await?;
        holds(&*store, "b/to", "content").await?;
        holds(&*store, "a/from", "content").await?;
        lists(&*store, &["a/from", "b/to"]).await
    }

    /// A copy returns the size and revision of the target.
    async fn result(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "from", "content").await?;
        let result = copy(&*store, "from", "to").await?;
        ensure_eq!(result.size, 7);
        same(&result.revision, &head(&*store, "to").await?.revision)
    }

    /// An empty object can be copied.
    async fn empty_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "from", "").await?;
        copy(&*store, "from", "to").await?;
        holds(&*store, "to", "").await
    }

    /// An object of several megabytes can be copied.
    async fn large_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        let bytes = content(9_000_001);
        put(&*store, "from", bytes.clone()).await?;
        copy(&*store, "from", "to").await?;
        holds(&*store, "to", bytes).await
    }

    /// A copy replaces its target.
    async fn overwrite(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "from", "content").await?;
        put(&*store, "to", "a longer target").await?;
        copy(&*store, "from", "to").await?;
        holds(&*store, "to", "content").await
    }

    /// Copy and source are independent of each other.
    async fn independent(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "from", "content").await?;
        copy(&*store, "from", "to").await?;
        put(&*store, "from", "changed").await?;
        holds(&*store, "to", "content").await?;
        delete(&*store, "from").await?;
        holds(&*store, "to", "content").await?;
        put(&*store, "to", "changed as well").await?;
        is_absent(&*store, "from").await
    }

    /// An object can be copied to a name below its own, and back.
    async fn below_itself(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "a", "content").await?;
        copy(&*store, "a", "a/b").await?;
        copy(&*store, "a/b", "a/b/c").await?;
        delete(&*store, "a").await?;
        copy(&*store, "a/b/c", "a").await?;
        holds(&*store, "a", "content").await
    }

    /// A missing source is not found, and the target stays as it is.
    async fn missing_source(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "to", "target").await?;
        let from = CopySource::new(key("from")?);
        let result = store.copy(&from, &key("to")?, &CopyOptions::default()).await;
        refused(&*store, result, ErrorKind::NotFound).await?;
        let result = store.copy(&from, &key("new")?, &CopyOptions::default()).await;
        expect_kind(result, ErrorKind::NotFound)?;
        is_absent(&*store, "new").await
    }

    /// An object that is copied onto itself keeps its content.
    async fn onto_itself(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        copy(&*store, "k", "k").await?;
        holds(&*store, "k", "content").await
    }

    /// A copy onto itself can replace the metadata.
    #[needs(Metadata)]
    async fn onto_itself_with_metadata(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let options = CopyOptions::default().with_attributes(metadata(&[("a", "b")])?);
        store.copy(&CopySource::new(key("k")?), &key("k")?, &options).await?;
        holds(&*store, "k", "content").await?;
        ensure_eq!(metadata_of(&head(&*store, "k").await?)?, [("a", "b")]);
        Ok(())
    }

    /// HTTP headers and user metadata come along.
    #[needs(Attributes, Metadata, Tags)]
    async fn keeps_attributes(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_dressed(&*store, "from").await?;
        copy(&*store, "from", "to").await?;
        let meta = head(&*store, "to").await?;
        ensure_eq!(metadata_of(&meta)?, [("color", "green")]);
        let language = meta.attributes.as_ref().and_then(|it| it.content_language());
        ensure_eq!(language, Some("en"));
        Ok(())
    }

    /// Tags come along.
    #[needs(Attributes, Metadata, Tags)]
    async fn keeps_tags(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_dressed(&*store, "from").await?;
        copy(&*store, "from", "to").await?;
        ensure_eq!(tags_of(&head_tags(&*store, "to").await?)?, [("team", "blue")]);
        Ok(())
    }

    /// Attributes of the options replace all of the source's, and leave its tags.
    #[needs(Attributes, Metadata, Tags)]
    async fn replaces_attributes(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_dressed(&*store, "from").await?;
        let options = CopyOptions::default().with_attributes(metadata(&[("shape", "round")])?);
        store.copy(&CopySource::new(key("from")?), &key("to")?, &options).await?;
        let meta = head_tags(&*store, "to").await?;
        ensure_eq!(metadata_of(&meta)?, [("shape", "round")]);
        ensure_eq!(meta.attributes.as_ref().and_then(|it| it.content_language()), None);
        ensure_eq!(tags_of(&meta)?, [("team", "blue")]);
        Ok(())
    }

    /// Tags of the options replace all of the source's, and leave its attributes.
    #[needs(Attributes, Metadata, Tags)]
    async fn replaces_tags(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_dressed(&*store, "from").await?;
        let options = CopyOptions::default().with_tags(tags(&[("team", "red"), ("x", "")])?);
        store.copy(&CopySource::new(key("from")?), &key("to")?, &options).await?;
        let meta = head_tags(&*store, "to").await?;
        ensure_eq!(tags_of(&meta)?, [("team", "red"), ("x", "")]);
        ensure_eq!(metadata_of(&meta)?, [("color", "green")]);
        Ok(())
    }

    /// Nothing of the target that was replaced is left on the copy.
    #[needs(Attributes, Metadata, Tags)]
    async fn drops_those_of_the_target(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_dressed(&*store, "to").await?;
        put(&*store, "from", "plain").await?;
        copy(&*store, "from", "to").await?;
        let meta = head_tags(&*store, "to").await?;
        ensure_eq!(metadata_of(&meta)?, []);
        ensure_eq!(tags_of(&meta)?, []);
        Ok(())
    }

    /// A copy creates what is absent.
    #[needs(WriteIfAbsent, CopyTargetCondition)]
    async fn if_absent_free(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "from", "content").await?;
        copy_if(&*store, Precondition::IfAbsent).await?;
        holds(&*store, "to", "content").await
    }

    /// A copy that has to create finds that the target exists already.
    #[needs(WriteIfAbsent, CopyTargetCondition)]
    async fn if_absent_taken(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "from", "content").await?;
        put(&*store, "to", "target").await?;
        let result = copy_if(&*store, Precondition::IfAbsent).await;
        refused(&*store, result, ErrorKind::AlreadyExists).await
    }

    /// A copy replaces a target that is unchanged.
    #[needs(WriteIfMatch, CopyTargetCondition)]
    async fn if_unchanged_same(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "from", "content").await?;
        let target = put(&*store, "to", "target").await?.revision;
        copy_if(&*store, Precondition::IfUnchanged(target)).await?;
        holds(&*store, "to", "content").await
    }

    /// A copy fails its precondition over a target that has changed.
    #[needs(WriteIfMatch, CopyTargetCondition)]
    async fn if_unchanged_stale(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "from", "content").await?;
        let stale = put(&*store, "to", "older").await?.revision;
        put(&*store, "to", "target").await?;
        let result = copy_if(&*store, Precondition::IfUnchanged(stale)).await;
        refused(&*store, result, ErrorKind::PreconditionFailed).await
    }

    /// A copy that needs a target fails its precondition where there is none.
    #[needs(WriteIfExists, CopyTargetCondition)]
    async fn if_exists_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "from", "content").await?;
        let result = copy_if(&*store, Precondition::IfExists).await;
        expect_kind(result, ErrorKind::PreconditionFailed)?;
        is_absent(&*store, "to").await
    }

    /// The condition of a copy is about the target, not about the source.
    #[needs(WriteIfMatch, CopyTargetCondition)]
    async fn condition_is_about_the_target(context: Context) -> CaseResult {
        let store = context.store().await?;
        let source = put(&*store, "from", "content").await?.revision;
        put(&*store, "to", "target").await?;
        let result = copy_if(&*store, Precondition::IfUnchanged(source)).await;
        refused(&*store, result, ErrorKind::PreconditionFailed).await
    }

    /// A copy goes ahead if the source is unchanged.
    #[needs(CopySourceCondition)]
    async fn source_unchanged(context: Context) -> CaseResult {
        let store = context.store().await?;
        let source = put(&*store, "from", "content").await?.revision;
        copy_from_if(&*store, Precondition::IfUnchanged(source.clone())).await?;
        copy_from_if(&*store, Precondition::IfMatch(etag(source)?)).await?;
        holds(&*store, "to", "content").await
    }

    /// A copy fails its precondition if the source has changed, and the target stays as it is.
    #[needs(CopySourceCondition)]
    async fn source_changed(context: Context) -> CaseResult {
        let store = context.store().await?;
        let stale = put(&*store, "from", "older").await?.revision;
        put(&*store, "from", "content").await?;
        put(&*store, "to", "target").await?;
        let result = copy_from_if(&*store, Precondition::IfUnchanged(stale)).await;
        refused(&*store, result, ErrorKind::PreconditionFailed).await
    }

    /// A copy only of something new does not happen if the source is what it was.
    #[needs(CopySourceCondition)]
    async fn source_not_modified(context: Context) -> CaseResult {
        let store = context.store().await?;
        let source = etag(put(&*store, "from", "content").await?.revision)?;
        put(&*store, "to", "target").await?;
        let result = copy_from_if(&*store, Precondition::IfNoneMatch(source)).await;
        refused(&*store, result, ErrorKind::NotModified).await
    }

    /// A conditional copy of a missing source is not found.
    #[needs(CopySourceCondition)]
    async fn source_condition_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "to", "target").await?;
        let other = etag(put(&*store, "other", "content").await?.revision)?;
        let result = copy_from_if(&*store, Precondition::IfMatch(other)).await;
        refused(&*store, result, ErrorKind::NotFound).await
    }

    /// Conditions on source and target have to hold both.
    #[needs(CopySourceCondition, CopyTargetCondition, WriteIfAbsent)]
    async fn both_conditions(context: Context) -> CaseResult {
        let store = context.store().await?;
        let source = put(&*store, "from", "content").await?.revision;
        let from = CopySource::new(key("from")?);
        let from = from.with_precondition(Precondition::IfUnchanged(source));
        let absent = CopyOptions::default().with_precondition(Precondition::IfAbsent);
        store.copy(&from, &key("to")?, &absent).await?;
        holds(&*store, "to", "content").await?;
        let again = store.copy(&from, &key("to")?, &absent).await;
        expect_kind(again, ErrorKind::AlreadyExists)?;
        put(&*store, "from", "changed").await?;
        let stale = store.copy(&from, &key("new")?, &absent).await;
        expect_kind(stale, ErrorKind::PreconditionFailed)?;
        is_absent(&*store, "new").await
    }
}
