//! Writing objects piece by piece.

use bytes::Bytes;
use polycloud_core::object::{HeadOptions, ListOptions, UploadOptions};

use super::kit::{
    Store, content, head, holds, is_absent, key, lists, names, part_size, put, same, upload,
};
use crate::case::{CaseResult, cases, ensure_eq};
use crate::expect::race;

/// Uploads so many bytes in chunks of this size, in parts of the smallest size, and reads them back.
async fn survives(store: &Store, len: usize, chunk: usize) -> CaseResult {
    let whole = content(len);
    let chunks: Vec<_> = whole.chunks(chunk).map(|chunk| whole.slice_ref(chunk)).collect();
    let options = UploadOptions::default().with_part_size(part_size(store) as u64);
    let result = upload(store, "k", chunks, &options).await?;
    ensure_eq!(result.size, len as u64);
    holds(store, "k", whole).await
}

cases! {
    Store, "upload";

    /// An upload of no pieces is an empty object.
    async fn no_pieces(context: Context) -> CaseResult {
        let store = context.store().await?;
        let result = upload(&*store, "k", [], &UploadOptions::default()).await?;
        ensure_eq!(result.size, 0);
        holds(&*store, "k", "").await
    }

    /// Empty pieces add nothing.
    async fn empty_pieces(context: Context) -> CaseResult {
        let store = context.store().await?;
        let chunks = ["", "a", "", "", "b", ""].map(Bytes::from);
        upload(&*store, "k", chunks, &UploadOptions::default()).await?;
        holds(&*store, "k", "ab").await?;
        upload(&*store, "empty", ["", ""].map(Bytes::from), &UploadOptions::default()).await?;
        holds(&*store, "empty", "").await
    }

    /// Pieces are put together in the order in which they were written.
    async fn order(context: Context) -> CaseResult {
        let store = context.store().await?;
        let chunks: Vec<_> = (0..500).map(|number| Bytes::from(format!("{number},"))).collect();
        upload(&*store, "k", chunks.clone(), &UploadOptions::default()).await?;
        holds(&*store, "k", chunks.concat()).await
    }

    /// An upload returns the size and revision that a head then shows.
    async fn result(context: Context) -> CaseResult {
        let store = context.store().await?;
        let chunks = ["one ", "two"].map(Bytes::from);
        let result = upload(&*store, "k", chunks, &UploadOptions::default()).await?;
        ensure_eq!(result.size, 7);
        same(&result.revision, &head(&*store, "k").await?.revision)
    }

    /// Content of a single byte is uploaded.
    async fn one_byte(context: Context) -> CaseResult {
        survives(&*context.store().await?, 1, 1).await
    }

    /// Content of one byte less than a part is uploaded.
    async fn part_less_one(context: Context) -> CaseResult {
        let store = context.store().await?;
        survives(&*store, part_size(&*store) - 1, 700).await
    }

    /// Content of exactly one part is uploaded.
    async fn one_part(context: Context) -> CaseResult {
        let store = context.store().await?;
        let size = part_size(&*store);
        survives(&*store, size, size).await?;
        survives(&*store, size, size / 2).await
    }

    /// Content of one byte more than a part is uploaded.
    async fn part_and_one(context: Context) -> CaseResult {
        let store = context.store().await?;
        let size = part_size(&*store);
        survives(&*store, size + 1, size + 1).await?;
        survives(&*store, size + 1, size).await
    }

    /// Content of exactly several parts is uploaded.
    async fn several_parts(context: Context) -> CaseResult {
        let store = context.store().await?;
        let size = part_size(&*store);
        survives(&*store, 3 * size, size).await?;
        survives(&*store, 3 * size, 3 * size).await
    }

    /// Content of several parts and a byte is uploaded, however its pieces lie across the parts.
    async fn parts_and_one(context: Context) -> CaseResult {
        let store = context.store().await?;
        let size = part_size(&*store);
        for chunk in [size - 1, size + 1, 2 * size + 1, 3 * size + 1] {
            survives(&*store, 3 * size + 1, chunk).await?;
        }
        Ok(())
    }

    /// One part at a time is enough, and so are more than there are.
    async fn concurrency(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (size, chunk) = (part_size(&*store), part_size(&*store) / 3 + 1);
        let whole = content(4 * size + 5);
        for concurrency in [1_usize, 2, 64] {
            let chunks: Vec<_> = whole.chunks(chunk).map(|chunk| whole.slice_ref(chunk)).collect();
            let options = UploadOptions::default().with_part_size(size as u64);
            upload(&*store, "k", chunks, &options.with_concurrency(concurrency)).await?;
            holds(&*store, "k", whole.clone()).await?;
        }
        Ok(())
    }

    /// The size hint is a hint: the content may be shorter or longer.
    async fn size_hint(context: Context) -> CaseResult {
        let store = context.store().await?;
        let whole = content(50_000);
        for hint in [0_u64, 1, 49_999, 50_000, 50_001, 1 << 40] {
            let options = UploadOptions::default().with_size_hint(hint);
            upload(&*store, "k", [whole.clone()], &options).await?;
            holds(&*store, "k", whole.clone()).await?;
        }
        Ok(())
    }

    /// Nothing is visible before an upload completes, and then all of it is.
    async fn invisible_until_complete(context: Context) -> CaseResult {
        let store = context.store().await?;
        let mut upload = store.upload(&key("k")?, &UploadOptions::default()).await?;
        is_absent(&*store, "k").await?;
        upload.write(content(100_000)).await?;
        is_absent(&*store, "k").await?;
        lists(&*store, &[]).await?;
        upload.complete().await?;
        holds(&*store, "k", content(100_000)).await?;
        lists(&*store, &["k"]).await
    }

    /// An object is read as it was until the upload that replaces it completes.
    async fn old_until_complete(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = put(&*store, "k", "old").await?.revision;
        let mut upload = store.upload(&key("k")?, &UploadOptions::default()).await?;
        upload.write("new content".into()).await?;
        holds(&*store, "k", "old").await?;
        same(&head(&*store, "k").await?.revision, &old)?;
        upload.complete().await?;
        holds(&*store, "k", "new content").await
    }

    /// An upload that is aborted writes nothing.
    async fn abort(context: Context) -> CaseResult {
        let store = context.store().await?;
        let mut upload = store.upload(&key("k")?, &UploadOptions::default()).await?;
        upload.write(content(100_000)).await?;
        upload.abort().await?;
        is_absent(&*store, "k").await?;
        lists(&*store, &[]).await
    }

    /// An upload that is aborted before its first piece writes nothing.
    async fn abort_at_once(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "old").await?;
        store.upload(&key("k")?, &UploadOptions::default()).await?.abort().await?;
        holds(&*store, "k", "old").await
    }

    /// An upload that is aborted leaves the object that it would have replaced.
    async fn abort_keeps_old(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "old").await?;
        let options = UploadOptions::default().with_part_size(part_size(&*store) as u64);
        let mut upload = store.upload(&key("k")?, &options).await?;
        upload.write(content(part_size(&*store) * 2 + 1)).await?;
        upload.abort().await?;
        holds(&*store, "k", "old").await
    }

    /// An upload that is dropped writes nothing.
    async fn dropped(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "old", "old").await?;
        let options = UploadOptions::default().with_part_size(part_size(&*store) as u64);
        for name in ["old", "new"] {
            let mut upload = store.upload(&key(name)?, &options).await?;
            upload.write(content(part_size(&*store) + 1)).await?;
            drop(upload);
        }
        holds(&*store, "old", "old").await?;
        is_absent(&*store, "new").await?;
        lists(&*store, &["old"]).await
    }

    /// An upload that is dropped or aborted leaves no parts behind.
    #[needs(Multipart)]
    async fn leaves_no_parts(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = UploadOptions::default().with_part_size(part_size(&*store) as u64);
        for abort in [true, false] {
            let mut upload = store.upload(&key("k")?, &options).await?;
            upload.write(content(part_size(&*store) * 3 + 1)).await?;
            if abort {
                upload.abort().await?;
            }
        }
        // A dropped upload is aborted in the background.
        let clock = polycloud_core::clock::SystemClock::shared();
        for _ in 0..200 {
            if super::kit::multipart(&*store)?.uploads("", None).await?.uploads.is_empty() {
                return Ok(());
            }
            clock.sleep(std::time::Duration::from_millis(50)).await;
        }
        Err(crate::Failure::new("an upload is still listed after ten seconds"))
    }

    /// Two uploads of one key do not disturb each other, and the last one to complete stays.
    async fn two_of_one_key(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = UploadOptions::default();
        let mut first = store.upload(&key("k")?, &options).await?;
        let mut second = store.upload(&key("k")?, &options).await?;
        for number in 0..5 {
            first.write(format!("first {number};").into()).await?;
            second.write(format!("second {number};").into()).await?;
        }
        second.complete().await?;
        holds(&*store, "k", "second 0;second 1;second 2;second 3;second 4;").await?;
        first.complete().await?;
        holds(&*store, "k", "first 0;first 1;first 2;first 3;first 4;").await
    }

    /// Many uploads run side by side.
    async fn side_by_side(context: Context) -> CaseResult {
        let store = context.store().await?;
        let results = race(20, |number| {
            let store = std::sync::Arc::clone(&store);
            async move {
                let whole = content(number * 1_000 + number);
                let name = format!("k{number}");
                let chunks: Vec<_> = whole.chunks(97).map(|chunk| whole.slice_ref(chunk)).collect();
                upload(&*store, &name, chunks, &UploadOptions::default()).await?;
                holds(&*store, &name, whole).await
            }
        });
        results.await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        ensure_eq!(names(&*store, &ListOptions::default()).await?.len(), 20);
        Ok(())
    }

    /// An object that is deleted during an upload is there again when the upload completes.
    async fn delete_meanwhile(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "old").await?;
        let mut upload = store.upload(&key("k")?, &UploadOptions::default()).await?;
        upload.write("new".into()).await?;
        super::kit::delete(&*store, "k").await?;
        is_absent(&*store, "k").await?;
        upload.complete().await?;
        holds(&*store, "k", "new").await
    }

    /// The modification time of an upload is that of its completion.
    async fn modified_at_completion(context: Context) -> CaseResult {
        let store = context.store().await?;
        let mut upload = store.upload(&key("k")?, &UploadOptions::default()).await?;
        upload.write("content".into()).await?;
        put(&*store, "between", "x").await?;
        let between = store.head(&key("between")?, &HeadOptions::default()).await?;
        upload.complete().await?;
        let modified = head(&*store, "k").await?.last_modified;
        // Providers that keep whole seconds may round down.
        let slack = std::time::Duration::from_secs(1);
        crate::case::ensure!(
            modified + slack >= between.last_modified,
            "modified at {modified:?}, before {:?}",
            between.last_modified
        );
        Ok(())
    }
}
