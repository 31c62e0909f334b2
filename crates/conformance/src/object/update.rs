//! Changing metadata, tags and storage class in place.

use polycloud_core::ErrorKind;
use polycloud_core::object::{Attributes, ObjectUpdate, Precondition, PutOptions, Tags};

use super::kit::{
    Store, head, head_tags, holds, is_absent, key, metadata, metadata_of, put, put_if, same, tags,
    tags_of,
};
use crate::case::{CaseResult, Failure, cases, ensure_eq};
use crate::expect::{expect_any, expect_kind};

/// Writes an object with metadata, a header and tags.
async fn put_dressed(store: &Store) -> CaseResult {
    let attributes = metadata(&[("color", "green")])?.with_content_language("en")?;
    let options = PutOptions::default().with_attributes(attributes);
    let options = options.with_tags(tags(&[("team", "blue")])?);
    store.put(&key("k")?, "content".into(), &options).await?;
    Ok(())
}

cases! {
    Store, "update";

    /// New attributes replace all of the old ones.
    #[needs(UpdateAttributes, Attributes, Metadata, Tags)]
    async fn attributes(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_dressed(&*store).await?;
        let attributes = metadata(&[("shape", "rund")])?.with_cache_control("no-store")?;
        store.update(&key("k")?, &ObjectUpdate::default().with_attributes(attributes)).await?;
        let meta = head(&*store, "k").await?;
        ensure_eq!(metadata_of(&meta)?, [("shape", "rund")]);
        let attributes = meta.attributes.as_ref();
        ensure_eq!(attributes.and_then(|it| it.cache_control()), Some("no-store"));
        ensure_eq!(attributes.and_then(|it| it.content_language()), None);
        Ok(())
    }

    /// Empty attributes remove the old ones.
    #[needs(UpdateAttributes, Attributes, Metadata, Tags)]
    async fn no_attributes(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_dressed(&*store).await?;
        let update = ObjectUpdate::default().with_attributes(Attributes::new());
        store.update(&key("k")?, &update).await?;
        let meta = head(&*store, "k").await?;
        ensure_eq!(metadata_of(&meta)?, []);
        ensure_eq!(meta.attributes.as_ref().and_then(|it| it.content_language()), None);
        Ok(())
    }

    /// The content stays as it is.
    #[needs(UpdateAttributes, Attributes, Metadata, Tags)]
    async fn keeps_the_content(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_dressed(&*store).await?;
        let update = ObjectUpdate::default().with_attributes(metadata(&[("a", "b")])?);
        store.update(&key("k")?, &update).await?;
        ensure_eq!(head(&*store, "k").await?.size, 7);
        holds(&*store, "k", "content").await
    }

    /// New attributes leave the tags alone.
    #[needs(UpdateAttributes, Attributes, Metadata, Tags)]
    async fn attributes_keep_tags(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_dressed(&*store).await?;
        let update = ObjectUpdate::default().with_attributes(metadata(&[("a", "b")])?);
        store.update(&key("k")?, &update).await?;
        ensure_eq!(tags_of(&head_tags(&*store, "k").await?)?, [("team", "blue")]);
        Ok(())
    }

    /// New tags replace all of the old ones, and leave content and attributes alone.
    #[needs(UpdateTags, Attributes, Metadata, Tags)]
    async fn tags_only(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_dressed(&*store).await?;
        let update = ObjectUpdate::default().with_tags(tags(&[("x", "1"), ("y", "2")])?);
        store.update(&key("k")?, &update).await?;
        let meta = head_tags(&*store, "k").await?;
        ensure_eq!(tags_of(&meta)?, [("x", "1"), ("y", "2")]);
        ensure_eq!(metadata_of(&meta)?, [("color", "green")]);
        holds(&*store, "k", "content").await
    }

    /// Empty tags remove the old ones.
    #[needs(UpdateTags, Attributes, Metadata, Tags)]
    async fn no_tags(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_dressed(&*store).await?;
        store.update(&key("k")?, &ObjectUpdate::default().with_tags(Tags::new())).await?;
        ensure_eq!(tags_of(&head_tags(&*store, "k").await?)?, []);
        Ok(())
    }

    /// An update returns the object as it is then, with its attributes and tags.
    #[needs(UpdateAttributes, UpdateTags, Attributes, Metadata, Tags)]
    async fn result(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_dressed(&*store).await?;
        let update = ObjectUpdate::default().with_attributes(metadata(&[("a", "b")])?);
        let updated = store.update(&key("k")?, &update.with_tags(tags(&[("c", "d")])?)).await?;
        ensure_eq!(updated.key, key("k")?);
        ensure_eq!(updated.size, 7);
        ensure_eq!(metadata_of(&updated)?, [("a", "b")]);
        ensure_eq!(tags_of(&updated)?, [("c", "d")]);
        same(&updated.revision, &head(&*store, "k").await?.revision)
    }

    /// An update of tags alone returns the attributes that are there.
    #[needs(UpdateTags, Attributes, Metadata, Tags)]
    async fn result_of_tags_only(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_dressed(&*store).await?;
        let update = ObjectUpdate::default().with_tags(tags(&[("c", "d")])?);
        let updated = store.update(&key("k")?, &update).await?;
        ensure_eq!(metadata_of(&updated)?, [("color", "green")]);
        ensure_eq!(tags_of(&updated)?, [("c", "d")]);
        Ok(())
    }

    /// A missing object is not found, and not made.
    #[needs(UpdateAttributes, Metadata)]
    async fn missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        let update = ObjectUpdate::default().with_attributes(metadata(&[("a", "b")])?);
        expect_kind(store.update(&key("k")?, &update).await, ErrorKind::NotFound)?;
        is_absent(&*store, "k").await
    }

    /// An update of nothing is invalid.
    async fn nothing(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let result = store.update(&key("k")?, &ObjectUpdate::default()).await;
        expect_kind(result, ErrorKind::InvalidArgument)?;
        Ok(())
    }

    /// An update goes ahead if the object is unchanged, and its revision serves the next one.
    #[needs(UpdateAttributes, Metadata, WriteIfMatch)]
    async fn if_unchanged_same(context: Context) -> CaseResult {
        let store = context.store().await?;
        let mut last = put(&*store, "k", "content").await?.revision;
        for round in ["1", "2", "3"] {
            let update = ObjectUpdate::default().with_attributes(metadata(&[("round", round)])?);
            let update = update.with_precondition(Precondition::IfUnchanged(last));
            last = store.update(&key("k")?, &update).await?.revision;
        }
        ensure_eq!(metadata_of(&head(&*store, "k").await?)?, [("round", "3")]);
        put_if(&*store, "k", "new", Precondition::IfUnchanged(last)).await?;
        holds(&*store, "k", "new").await
    }

    /// An update fails its precondition if the object has changed, and changes nothing.
    #[needs(UpdateAttributes, Metadata, WriteIfMatch)]
    async fn if_unchanged_stale(context: Context) -> CaseResult {
        let store = context.store().await?;
        let stale = put(&*store, "k", "old").await?.revision;
        put(&*store, "k", "content").await?;
        let update = ObjectUpdate::default().with_attributes(metadata(&[("a", "b")])?);
        let update = update.with_precondition(Precondition::IfUnchanged(stale));
        let result = store.update(&key("k")?, &update).await;
        expect_kind(result, ErrorKind::PreconditionFailed)?;
        ensure_eq!(metadata_of(&head(&*store, "k").await?)?, []);
        Ok(())
    }

    /// A conditional update of a missing object fails, and makes nothing.
    #[needs(UpdateAttributes, Metadata, WriteIfMatch)]
    async fn if_unchanged_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        let gone = put(&*store, "k", "old").await?.revision;
        super::kit::delete(&*store, "k").await?;
        let update = ObjectUpdate::default().with_attributes(metadata(&[("a", "b")])?);
        let update = update.with_precondition(Precondition::IfUnchanged(gone));
        let result = store.update(&key("k")?, &update).await;
        expect_any(result, &[ErrorKind::NotFound, ErrorKind::PreconditionFailed])?;
        is_absent(&*store, "k").await
    }

    /// A write of the content after an update drops what the update set.
    #[needs(UpdateAttributes, Metadata)]
    async fn overwritten(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let update = ObjectUpdate::default().with_attributes(metadata(&[("a", "b")])?);
        store.update(&key("k")?, &update).await?;
        put(&*store, "k", "new").await?;
        ensure_eq!(metadata_of(&head(&*store, "k").await?)?, []);
        Ok(())
    }

    /// An object is written to the storage class that it is put to, and shows it.
    #[needs(StorageClass)]
    async fn put_to_storage_class(context: Context) -> CaseResult {
        let (store, class) = (context.store().await?, context.harness().storage_class());
        let class = class.ok_or_else(|| Failure::new("the harness names no storage class"))?;
        let options = PutOptions::default().with_storage_class(class.clone());
        store.put(&key("k")?, "content".into(), &options).await?;
        ensure_eq!(head(&*store, "k").await?.storage_class, Some(class));
        Ok(())
    }

    /// An object that is put without a storage class shows none.
    #[needs(StorageClass)]
    async fn default_storage_class(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        ensure_eq!(head(&*store, "k").await?.storage_class, None);
        Ok(())
    }

    /// An object moves to another storage class in place.
    #[needs(UpdateStorageClass)]
    async fn move_to_storage_class(context: Context) -> CaseResult {
        let (store, class) = (context.store().await?, context.harness().storage_class());
        let class = class.ok_or_else(|| Failure::new("the harness names no storage class"))?;
        put(&*store, "k", "content").await?;
        let update = ObjectUpdate::default().with_storage_class(class.clone());
        ensure_eq!(store.update(&key("k")?, &update).await?.storage_class, Some(class.clone()));
        ensure_eq!(head(&*store, "k").await?.storage_class, Some(class));
        holds(&*store, "k", "content").await
    }
}
