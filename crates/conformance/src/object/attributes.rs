//! HTTP headers and user metadata.

use polycloud_core::ErrorKind;
use polycloud_core::object::{Attributes, GetOptions, ObjectMeta, PutOptions, UploadOptions};

use super::kit::{Step, Store, head, holds, is_absent, key, metadata, metadata_of, put, upload};
use crate::case::{CaseResult, Failure, cases, ensure_eq};
use crate::expect::expect_kind;

async fn put_with(store: &Store, name: &str, attributes: Attributes) -> CaseResult {
    let options = PutOptions::default().with_attributes(attributes);
    store.put(&key(name)?, "content".into(), &options).await?;
    Ok(())
}

fn attributes_of(meta: &ObjectMeta) -> Step<&Attributes> {
    let attributes = meta.attributes.as_ref();
    attributes.ok_or_else(|| Failure::new("the answer has no attributes"))
}

/// Every header with a value that has to be quoted or kept as it is somewhere.
fn all_headers() -> polycloud_core::Result<Attributes> {
    Attributes::new()
        .with_content_type("text/html; charset=\"utf-8\"")?
        .with_content_encoding("gzip")?
        .with_content_language("de-CH, en")?
        .with_content_disposition("attachment; filename=\"a b.txt\"")?
        .with_cache_control("max-age=60, no-transform")
}

/// Fails unless a metadata value comes back as it was written.
async fn value_survives(store: &Store, value: &str) -> CaseResult {
    put_with(store, "k", metadata(&[("name", value)])?).await?;
    ensure_eq!(metadata_of(&head(store, "k").await?)?, [("name", value)]);
    Ok(())
}

cases! {
    Store, "attributes";

    /// The content type is returned by head and get.
    #[needs(Attributes)]
    async fn content_type(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_with(&*store, "k", Attributes::new().with_content_type("image/png")?).await?;
        let meta = head(&*store, "k").await?;
        ensure_eq!(attributes_of(&meta)?.content_type(), Some("image/png"));
        let got = store.get(&key("k")?, &GetOptions::default()).await?;
        ensure_eq!(attributes_of(&got.meta)?.content_type(), Some("image/png"));
        Ok(())
    }

    /// All HTTP headers are kept side by side.
    #[needs(Attributes)]
    async fn headers(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_with(&*store, "k", all_headers()?).await?;
        ensure_eq!(attributes_of(&head(&*store, "k").await?)?, &all_headers()?);
        Ok(())
    }

    /// Content that is said to be encoded is returned as it was written, not decoded.
    #[needs(Attributes)]
    async fn content_encoding_is_not_applied(context: Context) -> CaseResult {
        let store = context.store().await?;
        // An empty gzip stream.
        let gzip: &[u8] = &[31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let attributes = Attributes::new().with_content_encoding("gzip")?;
        let options = PutOptions::default().with_attributes(attributes);
        store.put(&key("k")?, gzip.into(), &options).await?;
        ensure_eq!(head(&*store, "k").await?.size, 20);
        holds(&*store, "k", gzip).await
    }

    /// Headers that were not set are not there, but for a default content type.
    #[needs(Attributes)]
    async fn unset_headers(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let meta = head(&*store, "k").await?;
        let attributes = attributes_of(&meta)?;
        ensure_eq!(attributes.content_encoding(), None);
        ensure_eq!(attributes.content_language(), None);
        ensure_eq!(attributes.content_disposition(), None);
        ensure_eq!(attributes.cache_control(), None);
        Ok(())
    }

    /// User metadata is returned by head and get.
    #[needs(Metadata)]
    async fn user_metadata(context: Context) -> CaseResult {
        let store = context.store().await?;
        let pairs = [("author", "Ada Lovelace"), ("x-1_y", "2"), ("z", "3")];
        put_with(&*store, "k", metadata(&pairs)?).await?;
        ensure_eq!(metadata_of(&head(&*store, "k").await?)?, pairs);
        let got = store.get(&key("k")?, &GetOptions::default()).await?;
        ensure_eq!(metadata_of(&got.meta)?, pairs);
        Ok(())
    }

    /// An object without user metadata has none.
    #[needs(Metadata)]
    async fn no_metadata(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        ensure_eq!(metadata_of(&head(&*store, "k").await?)?, []);
        Ok(())
    }

    /// Metadata names are returned in lower case.
    #[needs(Metadata)]
    async fn metadata_names_are_lower_case(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_with(&*store, "k", metadata(&[("Content-MD5x", "a"), ("UPPER", "B")])?).await?;
        let expected = [("content-md5x", "a"), ("upper", "B")];
        ensure_eq!(metadata_of(&head(&*store, "k").await?)?, expected);
        Ok(())
    }

    /// Metadata names may begin with a digit or a dash, and look like headers.
    #[needs(Metadata)]
    async fn metadata_names(context: Context) -> CaseResult {
        let store = context.store().await?;
        let pairs = [
            ("-", "dash"),
            ("0", "digit"),
            ("_a", "underscore"),
            ("a-b", "1"),
            ("a_b", "2"),
            ("class", "keyword"),
            ("content-type", "not a header"),
            ("x-amz-acl", "private"),
        ];
        put_with(&*store, "k", metadata(&pairs)?).await?;
        ensure_eq!(metadata_of(&head(&*store, "k").await?)?, pairs);
        Ok(())
    }

    /// Metadata values can be any Unicode text.
    #[needs(Metadata)]
    async fn unicode_values(context: Context) -> CaseResult {
        let store = context.store().await?;
        for value in ["grün", "日本語", "☺🦀", "e\u{301} is not \u{e9}", "\u{10ffff}"] {
            value_survives(&*store, value).await?;
        }
        Ok(())
    }

    /// Metadata values can be empty, and keep the spaces around them.
    #[needs(Metadata)]
    async fn spaces_in_values(context: Context) -> CaseResult {
        let store = context.store().await?;
        for value in ["", " ", " a", "a ", "a  b"] {
            value_survives(&*store, value).await?;
        }
        Ok(())
    }

    /// Metadata values that look encoded are not decoded.
    #[needs(Metadata)]
    async fn values_that_look_encoded(context: Context) -> CaseResult {
        let store = context.store().await?;
        let values = [
            "%41",
            "%",
            "=?UTF-8?B?w6Q=?=",
            "=?utf-8?q?a?=",
            "\"quoted\"",
            "a,b;c=d",
            "\\u00e4",
            "+",
        ];
        for value in values {
            value_survives(&*store, value).await?;
        }
        Ok(())
    }

    /// Metadata up to the declared size is kept, and more is invalid.
    #[needs(Metadata)]
    async fn metadata_limit(context: Context) -> CaseResult {
        let store = context.store().await?;
        let Some(limit) = store.capabilities().limits.metadata_bytes else { return Ok(()) };
        let value = |len: u64| "v".repeat(usize::try_from(len).unwrap_or(0));
        let most = value(limit.saturating_sub(1));
        put_with(&*store, "k", metadata(&[("n", &most)])?).await?;
        ensure_eq!(metadata_of(&head(&*store, "k").await?)?, [("n", most.as_str())]);
        let over = PutOptions::default().with_attributes(metadata(&[("n", &value(limit))])?);
        let result = store.put(&key("new")?, "content".into(), &over).await;
        expect_kind(result, ErrorKind::InvalidArgument)?;
        is_absent(&*store, "new").await
    }

    /// An overwrite drops the attributes of the old object.
    #[needs(Attributes, Metadata)]
    async fn overwrite_drops(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_with(&*store, "k", all_headers()?.with_metadata("old", "1")?).await?;
        put_with(&*store, "k", metadata(&[("new", "2")])?).await?;
        let meta = head(&*store, "k").await?;
        ensure_eq!(metadata_of(&meta)?, [("new", "2")]);
        ensure_eq!(attributes_of(&meta)?.content_language(), None);
        put(&*store, "k", "content").await?;
        ensure_eq!(metadata_of(&head(&*store, "k").await?)?, []);
        Ok(())
    }

    /// An object that is created anew has nothing of the one that was deleted.
    #[needs(Metadata)]
    async fn delete_drops(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_with(&*store, "k", metadata(&[("old", "1")])?).await?;
        super::kit::delete(&*store, "k").await?;
        put(&*store, "k", "content").await?;
        ensure_eq!(metadata_of(&head(&*store, "k").await?)?, []);
        Ok(())
    }

    /// An empty object has attributes like any other.
    #[needs(Attributes, Metadata)]
    async fn of_empty_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        let attributes = metadata(&[("a", "b")])?.with_content_type("text/plain")?;
        let options = PutOptions::default().with_attributes(attributes);
        store.put(&key("k")?, "".into(), &options).await?;
        let meta = head(&*store, "k").await?;
        ensure_eq!(metadata_of(&meta)?, [("a", "b")]);
        ensure_eq!(attributes_of(&meta)?.content_type(), Some("text/plain"));
        Ok(())
    }

    /// An upload stores headers and metadata like a put.
    #[needs(Attributes, Metadata)]
    async fn of_upload(context: Context) -> CaseResult {
        let store = context.store().await?;
        let attributes = all_headers()?.with_metadata("name", "wért")?;
        let options = PutOptions::default().with_attributes(attributes.clone());
        upload(&*store, "k", ["content".into()], &UploadOptions::from(options)).await?;
        ensure_eq!(attributes_of(&head(&*store, "k").await?)?, &attributes);
        Ok(())
    }
}
