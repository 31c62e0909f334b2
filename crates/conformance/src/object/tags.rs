//! Tags.

use polycloud_core::object::{PutOptions, Tags, UploadOptions};

use super::kit::{Store, head_tags, key, put, tags, tags_of, upload};
use crate::case::{CaseResult, cases, ensure_eq};

async fn put_with(store: &Store, name: &str, tags: Tags) -> CaseResult {
    let options = PutOptions::default().with_tags(tags);
    store.put(&key(name)?, "content".into(), &options).await?;
    Ok(())
}

cases! {
    Store, "tags";

    /// Tags are returned by a head that asks for them.
    #[needs(Tags)]
    async fn round_trip(context: Context) -> CaseResult {
        let store = context.store().await?;
        let pairs = [("color", "green"), ("team", "blue")];
        put_with(&*store, "k", tags(&pairs)?).await?;
        ensure_eq!(tags_of(&head_tags(&*store, "k").await?)?, pairs);
        Ok(())
    }

    /// An object without tags has none.
    #[needs(Tags)]
    async fn none(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        ensure_eq!(tags_of(&head_tags(&*store, "k").await?)?, []);
        Ok(())
    }

    /// Tags keep their case, their spaces and every legal character, and values can be empty.
    #[needs(Tags)]
    async fn every_character(context: Context) -> CaseResult {
        let store = context.store().await?;
        let pairs = [("A", "a"), ("Key 1+-=._:/@", "a b+-=._:/@"), ("a", "A"), ("e", "")];
        put_with(&*store, "k", tags(&pairs)?).await?;
        ensure_eq!(tags_of(&head_tags(&*store, "k").await?)?, pairs);
        Ok(())
    }

    /// An object can have ten tags with the longest keys and values.
    #[needs(Tags)]
    async fn ten_long_tags(context: Context) -> CaseResult {
        let store = context.store().await?;
        let pairs: Vec<_> = (0..10)
            .map(|number| (format!("{number}{}", "k".repeat(127)), "v".repeat(256)))
            .collect();
        let all = pairs.iter().try_fold(Tags::new(), |all, (key, value)| all.with(key, value))?;
        put_with(&*store, "k", all).await?;
        let expected: Vec<_> =
            pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        ensure_eq!(tags_of(&head_tags(&*store, "k").await?)?, expected);
        Ok(())
    }

    /// An overwrite drops the tags of the old object.
    #[needs(Tags)]
    async fn overwrite_drops(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_with(&*store, "k", tags(&[("old", "1"), ("both", "2")])?).await?;
        put_with(&*store, "k", tags(&[("both", "3")])?).await?;
        ensure_eq!(tags_of(&head_tags(&*store, "k").await?)?, [("both", "3")]);
        put(&*store, "k", "content").await?;
        ensure_eq!(tags_of(&head_tags(&*store, "k").await?)?, []);
        Ok(())
    }

    /// An upload stores tags like a put.
    #[needs(Tags)]
    async fn of_upload(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = PutOptions::default().with_tags(tags(&[("a", "b")])?);
        upload(&*store, "k", ["content".into()], &UploadOptions::from(options)).await?;
        ensure_eq!(tags_of(&head_tags(&*store, "k").await?)?, [("a", "b")]);
        Ok(())
    }
}
