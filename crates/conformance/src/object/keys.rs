//! Keys are taken byte for byte, whatever they look like.

use polycloud_core::object::{
    CompleteOptions, DeleteItem, DeleteOptions, ListEntry, ListOptions, Precondition, PutOptions,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, ErrorKind};

use self::looks::{
    CASES_OF_LETTERS, DOTS, INTERNAL, QUOTES, SLASHES, SPACES, UNICODE, URLS, controls, long, weird,
};
use super::kit::{
    Step, Store, copy, delete, entries, head, holds, is_absent, key, lists, multipart, names, part,
    put, put_all, put_if, upload,
};
use crate::case::{CaseResult, cases, ensure, ensure_eq};
use crate::expect::expect_kind;

mod looks;

/// What is written under a key: another content under each.
fn content_of(name: &str) -> String {
    format!("content of {name:?}")
}

/// Writes, reads, lists and deletes objects, side by side in one bucket.
async fn live_side_by_side(store: &Store, keys: &[impl AsRef<str> + Sync]) -> CaseResult {
    for name in keys {
        let name = name.as_ref();
        put(store, name, content_of(name))
            .await
            .map_err(|failure| failure.context(Quoted(name)))?;
    }
    let mut expected: Vec<_> = keys.iter().map(AsRef::as_ref).collect();
    for name in &expected {
        let meta = head(store, name).await?;
        ensure_eq!(meta.key.as_str(), *name, "the key of the metadata");
        holds(store, name, content_of(name)).await?;
    }
    lists(store, &expected).await?;
    while let Some(name) = expected.pop() {
        delete(store, name).await?;
        is_absent(store, name).await?;
        lists(store, &expected).await?;
    }
    Ok(())
}

struct Quoted<'a>(&'a str);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The names of a listing, taken page by page of so many entries.
async fn paged(store: &Store, options: &ListOptions) -> Step<Vec<String>> {
    let (mut all, mut token) = (Vec::new(), None::<PageToken>);
    loop {
        let page = store.list_page(options, token.as_ref()).await?;
        all.extend(page.entries.iter().map(|entry| entry.name().to_owned()));
        match page.next {
            Some(next) => token = Some(next),
            None => return Ok(all),
        }
    }
}

cases! {
    Store, "keys";

    /// Slashes at the start, at the end and in a row are part of the key.
    async fn slashes(context: Context) -> CaseResult {
        live_side_by_side(&*context.store().await?, SLASHES).await
    }

    /// Dots mean no directories.
    async fn dots(context: Context) -> CaseResult {
        live_side_by_side(&*context.store().await?, DOTS).await
    }

    /// Spaces are kept, also at both ends.
    async fn spaces(context: Context) -> CaseResult {
        live_side_by_side(&*context.store().await?, SPACES).await
    }

    /// What means something in a URL means nothing in a key.
    async fn url_characters(context: Context) -> CaseResult {
        live_side_by_side(&*context.store().await?, URLS).await
    }

    /// Unicode text is neither normalised nor folded.
    async fn unicode(context: Context) -> CaseResult {
        live_side_by_side(&*context.store().await?, UNICODE).await
    }

    /// Backslashes, quotes and what means something to XML or a shell are just characters.
    async fn quotes_and_markup(context: Context) -> CaseResult {
        live_side_by_side(&*context.store().await?, QUOTES).await
    }

    /// Every control character can be part of a key.
    async fn control_characters(context: Context) -> CaseResult {
        let store = context.store().await?;
        let keys = controls();
        for name in &keys {
            put(&*store, name, content_of(name)).await?;
        }
        for name in &keys {
            holds(&*store, name, content_of(name)).await?;
        }
        let listed: Vec<_> = keys.iter().map(String::as_str).collect();
        lists(&*store, &listed).await?;
        for name in &keys {
            delete(&*store, name).await?;
        }
        lists(&*store, &[]).await
    }

    /// Names that look temporary, internal or reserved, and patterns, are keys like any other.
    async fn internal_looks(context: Context) -> CaseResult {
        live_side_by_side(&*context.store().await?, INTERNAL).await
    }

    /// Upper and lower case are different.
    async fn case_pairs(context: Context) -> CaseResult {
        live_side_by_side(&*context.store().await?, CASES_OF_LETTERS).await
    }

    /// Keys can have 1,024 bytes, in one segment or in many.
    async fn longest(context: Context) -> CaseResult {
        live_side_by_side(&*context.store().await?, &long()).await
    }

    /// Composed and decomposed forms of a character are two keys.
    async fn normal_forms(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "caf\u{e9}", "composed").await?;
        is_absent(&*store, "cafe\u{301}").await?;
        put(&*store, "cafe\u{301}", "decomposed").await?;
        holds(&*store, "caf\u{e9}", "composed").await?;
        holds(&*store, "cafe\u{301}", "decomposed").await
    }

    /// A key is not found under another one that looks alike once it is decoded, trimmed or collapsed.
    async fn lookalikes_are_absent(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a/b", "A", "c d", "e"]).await?;
        let lookalikes = [
            "a%2Fb", "a%2fb", "a//b", "/a/b", "a/b/", "a/./b", "a/x/../b", "./a/b", "a\\b", " a/b",
            "a/b ", "%41", "c+d", "c%20d", "c d ", "c  d", "E", "e.", "e/", "e\0", "e\n", "e/.",
            "e?", "e#", "e*",
        ];
        for name in lookalikes {
            is_absent(&*store, name).await.map_err(|failure| failure.context(Quoted(name)))?;
        }
        lists(&*store, &["a/b", "A", "c d", "e"]).await
    }

    /// Deleting a lookalike of a key leaves the key alone.
    async fn lookalikes_are_not_deleted(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a/b", "c"]).await?;
        for name in ["a", "a/", "a//b", "/a/b", "a/b/", "a/./b", "a/x/../b", "C", "c ", "c/", "."] {
            delete(&*store, name).await?;
        }
        lists(&*store, &["a/b", "c"]).await
    }

    /// An object can be made below the name of another one.
    async fn object_then_below(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a", "a/b", "a/b/c", "a/b/c/d"]).await?;
        for name in ["a", "a/b", "a/b/c", "a/b/c/d"] {
            holds(&*store, name, name).await?;
        }
        lists(&*store, &["a", "a/b", "a/b/c", "a/b/c/d"]).await
    }

    /// An object can be made by the name that others are below.
    async fn object_then_above(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a/b/c/d", "a/b/c", "a/b", "a"]).await?;
        for name in ["a", "a/b", "a/b/c", "a/b/c/d"] {
            holds(&*store, name, name).await?;
        }
        lists(&*store, &["a", "a/b", "a/b/c", "a/b/c/d"]).await
    }

    /// Deleting an object leaves those below its name.
    async fn delete_above(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a", "a/b", "a/b/c"]).await?;
        delete(&*store, "a").await?;
        delete(&*store, "a/b").await?;
        holds(&*store, "a/b/c", "a/b/c").await?;
        lists(&*store, &["a/b/c"]).await
    }

    /// Deleting what is below an object's name leaves the object.
    async fn delete_below(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a/b/c", "a/b", "a"]).await?;
        delete(&*store, "a/b/c").await?;
        delete(&*store, "a/b").await?;
        holds(&*store, "a", "a").await?;
        lists(&*store, &["a"]).await
    }

    /// Once everything below a name is deleted, the name is free for an object, and the other way round.
    async fn name_changes_sides(context: Context) -> CaseResult {
        let store = context.store().await?;
        for _ in 0..3 {
            put(&*store, "a/b/c", "below").await?;
            delete(&*store, "a/b/c").await?;
            put(&*store, "a", "above").await?;
            is_absent(&*store, "a/b/c").await?;
            delete(&*store, "a").await?;
        }
        lists(&*store, &[]).await
    }

    /// `a`, `a/` and `a//` are three objects.
    async fn trailing_slashes(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a/", "a", "a//", "a/b", "a//b"]).await?;
        delete(&*store, "a/").await?;
        lists(&*store, &["a", "a//", "a/b", "a//b"]).await?;
        delete(&*store, "a").await?;
        lists(&*store, &["a//", "a/b", "a//b"]).await?;
        holds(&*store, "a//b", "a//b").await
    }

    /// A key that ends with a slash holds content like any other.
    async fn directory_marker_with_content(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "dir/", "not empty").await?;
        put(&*store, "dir/file", "file").await?;
        holds(&*store, "dir/", "not empty").await?;
        ensure_eq!(head(&*store, "dir/").await?.size, 9);
        Ok(())
    }

    /// A missing object below an object is not found.
    async fn missing_below_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "a", "file").await?;
        is_absent(&*store, "a/b").await?;
        is_absent(&*store, "a/b/c").await?;
        delete(&*store, "a/b").await?;
        holds(&*store, "a", "file").await
    }

    /// Weird keys come out of a listing as they went in, in byte order.
    async fn weird_list(context: Context) -> CaseResult {
        let (store, keys) = (context.store().await?, weird());
        for name in &keys {
            put(&*store, name, "x").await?;
        }
        let mut expected: Vec<_> = keys.iter().map(String::as_str).collect();
        expected.sort_unstable();
        ensure_eq!(names(&*store, &ListOptions::default()).await?, expected);
        Ok(())
    }

    /// Weird keys survive as the last key of a page.
    async fn weird_page_ends(context: Context) -> CaseResult {
        let (store, keys) = (context.store().await?, weird());
        for name in &keys {
            put(&*store, name, "x").await?;
        }
        let mut listed = paged(&*store, &ListOptions::default().with_page_size(1_u32)).await?;
        let mut expected = keys;
        expected.sort_unstable();
        listed.sort_unstable();
        ensure_eq!(listed, expected);
        Ok(())
    }

    /// Weird keys work as prefixes of a listing.
    async fn weird_prefix(context: Context) -> CaseResult {
        let (store, keys) = (context.store().await?, weird());
        for name in &keys {
            put(&*store, name, "x").await?;
        }
        for prefix in &keys {
            let mut expected: Vec<_> =
                keys.iter().filter(|name| name.starts_with(prefix)).collect();
            expected.sort_unstable();
            let listed = names(&*store, &ListOptions::prefix(prefix.as_str())).await?;
            ensure_eq!(listed.iter().collect::<Vec<_>>(), expected, "keys below {prefix:?}");
        }
        Ok(())
    }

    /// A listing can start behind a weird key.
    #[needs(ListStartAfter)]
    async fn weird_start_after(context: Context) -> CaseResult {
        let (store, keys) = (context.store().await?, weird());
        for name in &keys {
            put(&*store, name, "x").await?;
        }
        for after in &keys {
            let mut expected: Vec<_> = keys.iter().filter(|name| *name > after).collect();
            expected.sort_unstable();
            let options = ListOptions::default().with_start_after(after.as_str());
            let listed = names(&*store, &options).await?;
            ensure_eq!(listed.iter().collect::<Vec<_>>(), expected, "keys behind {after:?}");
        }
        Ok(())
    }

    /// Weird keys are grouped by `/` as their bytes say.
    async fn weird_groups(context: Context) -> CaseResult {
        let (store, keys) = (context.store().await?, weird());
        for name in &keys {
            put(&*store, name, "x").await?;
        }
        let mut expected: Vec<_> = keys
            .iter()
            .map(|name| name.split_inclusive('/').next().unwrap_or_default().to_owned())
            .collect();
        expected.sort_unstable();
        expected.dedup();
        let options = ListOptions::default().with_delimiter("/");
        let mut listed: Vec<_> =
            entries(&*store, &options).await?.iter().map(|entry| entry.name().to_owned()).collect();
        listed.sort_unstable();
        ensure_eq!(listed, expected);
        Ok(())
    }

    /// Weird keys can be copied from and to.
    async fn weird_copy(context: Context) -> CaseResult {
        let (store, keys) = (context.store().await?, weird());
        put(&*store, "plain", "plain").await?;
        for name in &keys {
            copy(&*store, "plain", name).await?;
            put(&*store, name, content_of(name)).await?;
        }
        for pair in keys.windows(2) {
            let [from, to] = pair else { continue };
            copy(&*store, from, to).await?;
            holds(&*store, to, content_of(from)).await?;
            put(&*store, to, content_of(to)).await?;
        }
        ensure_eq!(names(&*store, &ListOptions::default()).await?.len(), keys.len() + 1);
        Ok(())
    }

    /// Weird keys can be uploaded piece by piece.
    async fn weird_upload(context: Context) -> CaseResult {
        let (store, keys) = (context.store().await?, weird());
        for name in &keys {
            let chunks = [name.clone().into(), " piece".into()];
            upload(&*store, name, chunks, &Default::default()).await?;
        }
        for name in &keys {
            holds(&*store, name, format!("{name} piece")).await?;
        }
        Ok(())
    }

    /// Weird keys can be deleted in bulk.
    async fn weird_delete_many(context: Context) -> CaseResult {
        let (store, names) = (context.store().await?, weird());
        for name in &names {
            put(&*store, name, "x").await?;
        }
        put(&*store, "survivor", "x").await?;
        let keys = names.iter().map(|name| key(name)).collect::<Result<Vec<_>, Error>>()?;
        let items = keys.iter().cloned().map(DeleteItem::from).collect();
        let outcomes = store.delete_many(items).await;
        ensure_eq!(outcomes.len(), keys.len());
        for (outcome, key) in outcomes.into_iter().zip(keys) {
            ensure_eq!(outcome.item.key, key);
            outcome.result?;
        }
        lists(&*store, &["survivor"]).await
    }

    /// Weird keys can be created once, and only once.
    #[needs(WriteIfAbsent)]
    async fn weird_create(context: Context) -> CaseResult {
        let (store, keys) = (context.store().await?, weird());
        for name in &keys {
            put_if(&*store, name, "x", Precondition::IfAbsent).await?;
        }
        for name in &keys {
            let again = put_if(&*store, name, "y", Precondition::IfAbsent).await;
            expect_kind(again, ErrorKind::AlreadyExists)?;
        }
        Ok(())
    }

    /// Weird keys can be uploaded part by part, and show in the listing of uploads.
    #[needs(Multipart)]
    async fn weird_multipart(context: Context) -> CaseResult {
        let (store, keys) = (context.store().await?, weird());
        let parts = multipart(&*store)?;
        for name in &keys {
            let upload = parts.create(&key(name)?, &PutOptions::default()).await?;
            let sent = part(&*store, name, &upload, 1, name.clone()).await?;
            let listed = parts.uploads(name, None).await?.uploads;
            let shown = listed.iter().any(|info| info.key.as_str() == name && info.id == upload);
            ensure!(shown, "the upload of {name:?} is not listed");
            parts.complete(&key(name)?, &upload, &[sent], &CompleteOptions::default()).await?;
            holds(&*store, name, name).await?;
        }
        Ok(())
    }

    /// Weird keys have versions like any other.
    #[needs(ListVersions, ReadVersion, DeleteVersion)]
    async fn weird_versions(context: Context) -> CaseResult {
        let (store, keys) = (context.versioned_store().await?, weird());
        for name in &keys {
            put(&*store, name, "old").await?;
            put(&*store, name, "new").await?;
        }
        let listed = entries(&*store, &ListOptions::default().with_versions(true)).await?;
        ensure_eq!(listed.len(), keys.len() * 2);
        for entry in listed {
            let ListEntry::Object(meta) = entry else { continue };
            let version = meta.revision.version.clone();
            let version = version.ok_or_else(|| crate::Failure::new("a version without an id"))?;
            let options = DeleteOptions::default().with_version(version);
            store.delete(&meta.key, &options).await?;
        }
        lists(&*store, &[]).await
    }
}
