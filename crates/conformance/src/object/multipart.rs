//! Uploads whose parts the caller sends, lists and completes.

use bytes::Bytes;
use polycloud_core::object::{
    CompleteOptions, MultipartStore, Part, PartNumber, Precondition, PutOptions, UploadId,
    UploadInfo,
};
use polycloud_core::{ErrorKind, Result};

use super::kit::{
    Step, Store, content, holds, is_absent, key, lists, multipart, part, part_size, put, same,
};
use crate::case::{CaseResult, Failure, cases, ensure, ensure_eq};
use crate::expect::expect_kind;

pub(super) mod object;

/// Starts an upload of `k`.
async fn start(store: &Store) -> Step<UploadId> {
    Ok(multipart(store)?.create(&key("k")?, &PutOptions::default()).await?)
}

/// Completes an upload of `k`.
async fn complete(store: &Store, upload: &UploadId, parts: &[Part]) -> Result<u64> {
    complete_if(store, upload, parts, CompleteOptions::default()).await
}

async fn complete_if(
    store: &Store,
    upload: &UploadId,
    parts: &[Part],
    options: CompleteOptions,
) -> Result<u64> {
    let side = store.multipart().ok_or(ErrorKind::Unsupported)?;
    Ok(side.complete(&key("k")?, upload, parts, &options).await?.size)
}

/// Every upload below a prefix.
async fn all_uploads(side: &dyn MultipartStore, prefix: &str) -> Step<Vec<UploadInfo>> {
    let (mut all, mut token) = (Vec::new(), None);
    loop {
        let page = side.uploads(prefix, token.as_ref()).await?;
        all.extend(page.uploads);
        let Some(next) = page.next else { return Ok(all) };
        token = Some(next);
    }
}

/// Fails unless nothing can be done with an upload any more.
async fn is_unknown(store: &Store, upload: &UploadId) -> CaseResult {
    let (side, key, kind) = (multipart(store)?, key("k")?, ErrorKind::UploadNotFound);
    expect_kind(side.parts(&key, upload).await, kind)?;
    let number = PartNumber::new(1)?;
    expect_kind(side.put_part(&key, upload, number, "x".into()).await, kind)?;
    Ok(())
}

/// Fails unless completing `k` with these parts is invalid, and writes nothing.
async fn is_invalid(store: &Store, upload: &UploadId, parts: &[Part]) -> CaseResult {
    expect_kind(complete(store, upload, parts).await, ErrorKind::InvalidArgument)?;
    is_absent(store, "k").await
}

cases! {
    Store, "multipart";

    /// A single part makes an object.
    #[needs(Multipart)]
    async fn one_part(context: Context) -> CaseResult {
        let store = context.store().await?;
        let upload = start(&*store).await?;
        let only = part(&*store, "k", &upload, 1, "content").await?;
        ensure_eq!(complete(&*store, &upload, &[only]).await?, 7);
        holds(&*store, "k", "content").await
    }

    /// Parts are put together in the order of their numbers.
    #[needs(Multipart)]
    async fn several_parts(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (upload, size) = (start(&*store).await?, part_size(&*store));
        let whole = content(3 * size + 10);
        let mut parts = Vec::new();
        for (number, chunk) in (1..).zip(whole.chunks(size)) {
            parts.push(part(&*store, "k", &upload, number, whole.slice_ref(chunk)).await?);
        }
        complete(&*store, &upload, &parts).await?;
        holds(&*store, "k", whole).await
    }

    /// Parts can be sent in any order.
    #[needs(Multipart)]
    async fn sent_out_of_order(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (upload, size) = (start(&*store).await?, part_size(&*store));
        let letter = |letter: u8| Bytes::from(vec![letter; size]);
        let third = part(&*store, "k", &upload, 3, "c").await?;
        let first = part(&*store, "k", &upload, 1, letter(b'a')).await?;
        let second = part(&*store, "k", &upload, 2, letter(b'b')).await?;
        complete(&*store, &upload, &[first, second, third]).await?;
        holds(&*store, "k", [letter(b'a'), letter(b'b'), "c".into()].concat()).await
    }

    /// Part numbers can have gaps, up to the largest one that is declared.
    #[needs(Multipart)]
    async fn gaps_in_numbers(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (upload, size) = (start(&*store).await?, part_size(&*store));
        let last = store.capabilities().limits.parts;
        let mut parts = Vec::new();
        for number in [2, 77, last] {
            parts.push(part(&*store, "k", &upload, number, content(size)).await?);
        }
        complete(&*store, &upload, &parts).await?;
        holds(&*store, "k", content(size).repeat(3)).await
    }

    /// A part can be empty if it is the only one.
    #[needs(Multipart)]
    async fn empty_part(context: Context) -> CaseResult {
        let store = context.store().await?;
        let upload = start(&*store).await?;
        let only = part(&*store, "k", &upload, 1, "").await?;
        ensure_eq!(only.size, 0);
        complete(&*store, &upload, &[only]).await?;
        holds(&*store, "k", "").await
    }

    /// A sent part has its number, its size and an ETag.
    #[needs(Multipart)]
    async fn part_result(context: Context) -> CaseResult {
        let store = context.store().await?;
        let upload = start(&*store).await?;
        let sent = part(&*store, "k", &upload, 4, "content").await?;
        ensure_eq!(sent.number, PartNumber::new(4)?);
        ensure_eq!(sent.size, 7);
        ensure!(!sent.etag.as_str().is_empty(), "the part has no ETag");
        Ok(())
    }

    /// Nothing is visible before the upload completes.
    #[needs(Multipart)]
    async fn invisible_until_complete(context: Context) -> CaseResult {
        let store = context.store().await?;
        let upload = start(&*store).await?;
        let only = part(&*store, "k", &upload, 1, "content").await?;
        is_absent(&*store, "k").await?;
        lists(&*store, &[]).await?;
        complete(&*store, &upload, &[only]).await?;
        lists(&*store, &["k"]).await
    }

    /// Completing returns the size and revision that a head then shows.
    #[needs(Multipart)]
    async fn complete_result(context: Context) -> CaseResult {
        let store = context.store().await?;
        let upload = start(&*store).await?;
        let only = part(&*store, "k", &upload, 1, "content").await?;
        let side = multipart(&*store)?;
        let result =
            side.complete(&key("k")?, &upload, &[only], &CompleteOptions::default()).await?;
        ensure_eq!(result.size, 7);
        same(&result.revision, &super::kit::head(&*store, "k").await?.revision)
    }

    /// Completing replaces the object that is there.
    #[needs(Multipart)]
    async fn overwrite(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "old").await?;
        let upload = start(&*store).await?;
        let only = part(&*store, "k", &upload, 1, "content").await?;
        holds(&*store, "k", "old").await?;
        complete(&*store, &upload, &[only]).await?;
        holds(&*store, "k", "content").await
    }

    /// A part that is sent again replaces the first one.
    #[needs(Multipart)]
    async fn replaced_part(context: Context) -> CaseResult {
        let store = context.store().await?;
        let upload = start(&*store).await?;
        part(&*store, "k", &upload, 1, "first").await?;
        let second = part(&*store, "k", &upload, 1, "second").await?;
        let sent = [second];
        ensure_eq!(multipart(&*store)?.parts(&key("k")?, &upload).await?, sent);
        complete(&*store, &upload, &sent).await?;
        holds(&*store, "k", "second").await
    }

    /// A part that was replaced cannot be completed with.
    #[needs(Multipart)]
    async fn stale_part(context: Context) -> CaseResult {
        let store = context.store().await?;
        let upload = start(&*store).await?;
        let first = part(&*store, "k", &upload, 1, "first").await?;
        part(&*store, "k", &upload, 1, "other").await?;
        is_invalid(&*store, &upload, &[first]).await
    }

    /// Parts that are not named are dropped.
    #[needs(Multipart)]
    async fn unnamed_parts(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (upload, size) = (start(&*store).await?, part_size(&*store));
        let first = part(&*store, "k", &upload, 1, content(size)).await?;
        part(&*store, "k", &upload, 2, "dropped").await?;
        let third = part(&*store, "k", &upload, 3, "third").await?;
        complete(&*store, &upload, &[first, third]).await?;
        holds(&*store, "k", [content(size), "third".into()].concat()).await
    }

    /// An upload cannot be completed without parts.
    #[needs(Multipart)]
    async fn no_parts(context: Context) -> CaseResult {
        let store = context.store().await?;
        let upload = start(&*store).await?;
        is_invalid(&*store, &upload, &[]).await?;
        part(&*store, "k", &upload, 1, "sent but not named").await?;
        is_invalid(&*store, &upload, &[]).await
    }

    /// Parts have to be named in the order of their numbers, each once.
    #[needs(Multipart)]
    async fn named_out_of_order(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (upload, size) = (start(&*store).await?, part_size(&*store));
        let first = part(&*store, "k", &upload, 1, content(size)).await?;
        let second = part(&*store, "k", &upload, 2, content(size)).await?;
        is_invalid(&*store, &upload, &[second.clone(), first.clone()]).await?;
        is_invalid(&*store, &upload, &[first.clone(), first.clone()]).await?;
        complete(&*store, &upload, &[first, second]).await?;
        holds(&*store, "k", content(size).repeat(2)).await
    }

    /// A part that was never sent cannot be completed with.
    #[needs(Multipart)]
    async fn unknown_part(context: Context) -> CaseResult {
        let store = context.store().await?;
        let upload = start(&*store).await?;
        let sent = part(&*store, "k", &upload, 1, "content").await?;
        let invented = Part::new(PartNumber::new(2)?, sent.etag, sent.size);
        is_invalid(&*store, &upload, &[invented]).await
    }

    /// A part of another upload of the same key cannot be completed with.
    #[needs(Multipart)]
    async fn part_of_another_upload(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (one, two) = (start(&*store).await?, start(&*store).await?);
        part(&*store, "k", &one, 1, "one").await?;
        let other = part(&*store, "k", &two, 1, "two").await?;
        is_invalid(&*store, &one, &[other]).await
    }

    /// A part below the declared least size has to be the last one.
    #[needs(Multipart)]
    async fn part_too_small(context: Context) -> CaseResult {
        let store = context.store().await?;
        if store.capabilities().limits.part_min_bytes <= 1 {
            return Ok(());
        }
        let upload = start(&*store).await?;
        let first = part(&*store, "k", &upload, 1, "x").await?;
        let second = part(&*store, "k", &upload, 2, "y").await?;
        is_invalid(&*store, &upload, &[first, second]).await
    }

    /// Parts that have arrived are listed by number, with their sizes.
    #[needs(Multipart)]
    async fn parts_listed(context: Context) -> CaseResult {
        let store = context.store().await?;
        let upload = start(&*store).await?;
        let side = multipart(&*store)?;
        ensure_eq!(side.parts(&key("k")?, &upload).await?, []);
        let mut sent = Vec::new();
        for number in [11, 2, 30, 1] {
            sent.push(part(&*store, "k", &upload, number, content(number as usize)).await?);
        }
        sent.sort_by_key(|part| part.number);
        ensure_eq!(side.parts(&key("k")?, &upload).await?, sent);
        Ok(())
    }

    /// Parts can be listed and completed by someone who only knows key and identifier.
    #[needs(Multipart)]
    async fn resumed(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (upload, size) = (start(&*store).await?, part_size(&*store));
        part(&*store, "k", &upload, 1, content(size)).await?;
        part(&*store, "k", &upload, 2, "end").await?;
        let found = all_uploads(multipart(&*store)?, "k").await?;
        let info = found.first().ok_or_else(|| Failure::new("the upload is not listed"))?;
        let side = multipart(&*store)?;
        let parts = side.parts(&info.key, &info.id).await?;
        side.complete(&info.key, &info.id, &parts, &CompleteOptions::default()).await?;
        holds(&*store, "k", [content(size), "end".into()].concat()).await
    }

    /// Uploads are listed by key until they are completed or aborted.
    #[needs(Multipart)]
    async fn uploads_listed(context: Context) -> CaseResult {
        let store = context.store().await?;
        let side = multipart(&*store)?;
        let names = ["b", "a/2", "a/1", "c"];
        let mut ids = Vec::new();
        for name in names {
            ids.push(side.create(&key(name)?, &PutOptions::default()).await?);
        }
        let listed = |infos: &[UploadInfo]| -> Vec<String> {
            infos.iter().map(|info| info.key.as_str().to_owned()).collect()
        };
        ensure_eq!(listed(&all_uploads(side, "").await?), ["a/1", "a/2", "b", "c"]);
        ensure_eq!(listed(&all_uploads(side, "a/").await?), ["a/1", "a/2"]);
        ensure_eq!(listed(&all_uploads(side, "x").await?), Vec::<String>::new());
        for (name, id) in names.into_iter().zip(&ids) {
            side.abort(&key(name)?, id).await?;
        }
        ensure_eq!(all_uploads(side, "").await?, []);
        Ok(())
    }

    /// Several uploads of one key are listed side by side, in the order of their starts.
    #[needs(Multipart)]
    async fn uploads_of_one_key(context: Context) -> CaseResult {
        let store = context.store().await?;
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(start(&*store).await?);
        }
        let listed = all_uploads(multipart(&*store)?, "").await?;
        ensure!(listed.is_sorted_by_key(|info| info.started), "not by start: {listed:?}");
        let mut found: Vec<_> = listed.into_iter().map(|info| info.id).collect();
        ids.sort();
        found.sort();
        ensure_eq!(found, ids);
        Ok(())
    }

    /// Two uploads of one key do not share parts, and the last one to complete stays.
    #[needs(Multipart)]
    async fn two_writers(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (one, two) = (start(&*store).await?, start(&*store).await?);
        let of_one = part(&*store, "k", &one, 1, "one").await?;
        let of_two = part(&*store, "k", &two, 1, "two").await?;
        complete(&*store, &two, &[of_two]).await?;
        holds(&*store, "k", "two").await?;
        complete(&*store, &one, &[of_one]).await?;
        holds(&*store, "k", "one").await
    }

    /// An aborted upload is unknown, with its parts.
    #[needs(Multipart)]
    async fn abort(context: Context) -> CaseResult {
        let store = context.store().await?;
        let upload = start(&*store).await?;
        let sent = part(&*store, "k", &upload, 1, "content").await?;
        multipart(&*store)?.abort(&key("k")?, &upload).await?;
        is_unknown(&*store, &upload).await?;
        expect_kind(complete(&*store, &upload, &[sent]).await, ErrorKind::UploadNotFound)?;
        is_absent(&*store, "k").await
    }

    /// Aborting what is not there succeeds.
    #[needs(Multipart)]
    async fn abort_twice(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (side, upload) = (multipart(&*store)?, start(&*store).await?);
        for _ in 0..2 {
            side.abort(&key("k")?, &upload).await?;
        }
        Ok(())
    }

    /// Aborting one upload leaves another one of the same key.
    #[needs(Multipart)]
    async fn abort_one_of_two(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (one, two) = (start(&*store).await?, start(&*store).await?);
        let sent = part(&*store, "k", &two, 1, "two").await?;
        multipart(&*store)?.abort(&key("k")?, &one).await?;
        complete(&*store, &two, &[sent]).await?;
        holds(&*store, "k", "two").await
    }

    /// A completed upload is unknown, and aborting it leaves the object.
    #[needs(Multipart)]
    async fn unknown_after_complete(context: Context) -> CaseResult {
        let store = context.store().await?;
        let upload = start(&*store).await?;
        let only = part(&*store, "k", &upload, 1, "content").await?;
        complete(&*store, &upload, &[only]).await?;
        is_unknown(&*store, &upload).await?;
        multipart(&*store)?.abort(&key("k")?, &upload).await?;
        holds(&*store, "k", "content").await
    }

    /// An upload belongs to its key.
    #[needs(Multipart)]
    async fn upload_of_another_key(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (side, other) = (multipart(&*store)?, key("other")?);
        let upload = start(&*store).await?;
        let kind = ErrorKind::UploadNotFound;
        expect_kind(side.parts(&other, &upload).await, kind)?;
        let number = PartNumber::new(1)?;
        expect_kind(side.put_part(&other, &upload, number, "x".into()).await, kind)?;
        ensure_eq!(side.parts(&key("k")?, &upload).await?, []);
        Ok(())
    }

    /// A precondition belongs to the completion, and is invalid at the start.
    #[needs(Multipart, WriteIfAbsent)]
    async fn condition_at_the_start(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = PutOptions::default().with_precondition(Precondition::IfAbsent);
        let result = multipart(&*store)?.create(&key("k")?, &options).await;
        expect_kind(result, ErrorKind::InvalidArgument)?;
        Ok(())
    }

    /// A completion that has to create finds that the object exists, and the upload stays as it was.
    #[needs(Multipart, WriteIfAbsent)]
    async fn complete_if_absent(context: Context) -> CaseResult {
        let store = context.store().await?;
        let upload = start(&*store).await?;
        let only = part(&*store, "k", &upload, 1, "content").await?;
        put(&*store, "k", "old").await?;
        let absent = CompleteOptions::default().with_precondition(Precondition::IfAbsent);
        let parts = std::slice::from_ref(&only);
        let result = complete_if(&*store, &upload, parts, absent.clone()).await;
        expect_kind(result, ErrorKind::AlreadyExists)?;
        holds(&*store, "k", "old").await?;
        ensure_eq!(multipart(&*store)?.parts(&key("k")?, &upload).await?, parts);
        super::kit::delete(&*store, "k").await?;
        complete_if(&*store, &upload, parts, absent).await?;
        holds(&*store, "k", "content").await
    }

    /// A completion fails its precondition over an object that has changed, and succeeds over one that has
    /// not.
    #[needs(Multipart, WriteIfMatch)]
    async fn complete_if_unchanged(context: Context) -> CaseResult {
        let store = context.store().await?;
        let stale = put(&*store, "k", "old").await?.revision;
        let current = put(&*store, "k", "newer").await?.revision;
        let upload = start(&*store).await?;
        let parts = [part(&*store, "k", &upload, 1, "content").await?];
        let when = |it| CompleteOptions::default().with_precondition(Precondition::IfUnchanged(it));
        let result = complete_if(&*store, &upload, &parts, when(stale)).await;
        expect_kind(result, ErrorKind::PreconditionFailed)?;
        holds(&*store, "k", "newer").await?;
        complete_if(&*store, &upload, &parts, when(current)).await?;
        holds(&*store, "k", "content").await
    }

    /// Uploads keep their objects apart from the listing of keys.
    #[needs(Multipart)]
    async fn uploads_are_no_keys(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let upload = start(&*store).await?;
        part(&*store, "k", &upload, 1, content(10_000)).await?;
        lists(&*store, &["k"]).await?;
        super::kit::delete(&*store, "k").await?;
        lists(&*store, &[]).await?;
        ensure_eq!(all_uploads(multipart(&*store)?, "").await?.len(), 1);
        Ok(())
    }
}
