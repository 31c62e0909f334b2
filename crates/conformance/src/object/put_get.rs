//! Writing, reading and deleting whole objects.

use bytes::Bytes;
use futures::TryStreamExt;
use polycloud_core::ErrorKind;
use polycloud_core::object::{DeleteOptions, GetOptions, HeadOptions, Payload, PutOptions};

use super::kit::{
    content, delete, differ, head, holds, is_absent, key, lists, put, put_all, read, same,
};
use crate::case::{cases, ensure, ensure_eq};
use crate::expect::{expect_kind, race};

cases! {
    Store, "put_get";

    /// A new bucket is empty.
    async fn empty_bucket(context: Context) -> CaseResult {
        let store = context.store().await?;
        lists(&*store, &[]).await?;
        is_absent(&*store, "anything").await
    }

    /// What was put is what is read.
    async fn round_trip(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "a/b.txt", "hello").await?;
        holds(&*store, "a/b.txt", "hello").await
    }

    /// Every byte value survives.
    async fn binary(context: Context) -> CaseResult {
        let store = context.store().await?;
        let bytes: Bytes = (0..=255_u8).chain((0..=255).rev()).collect();
        put(&*store, "binary", bytes.clone()).await?;
        holds(&*store, "binary", bytes).await
    }

    /// An object can be empty.
    async fn empty_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        let result = put(&*store, "empty", "").await?;
        ensure_eq!(result.size, 0);
        ensure_eq!(head(&*store, "empty").await?.size, 0);
        let got = store.get(&key("empty")?, &GetOptions::default()).await?;
        ensure!(got.range.is_empty(), "the range of nothing is {:?}", got.range);
        ensure_eq!(got.bytes().await?, "");
        lists(&*store, &["empty"]).await
    }

    /// An object of several megabytes is read as it was written.
    async fn large_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        let bytes = content(9 * 1024 * 1024 + 1);
        let result = put(&*store, "large", bytes.clone()).await?;
        ensure_eq!(result.size, bytes.len() as u64);
        holds(&*store, "large", bytes).await
    }

    /// A put returns the size and the revision that a head then shows.
    async fn put_result(context: Context) -> CaseResult {
        let store = context.store().await?;
        let result = put(&*store, "k", "hello").await?;
        let meta = head(&*store, "k").await?;
        ensure_eq!(result.size, 5);
        ensure_eq!(meta.size, 5);
        same(&result.revision, &meta.revision)
    }

    /// A get returns the metadata that a head returns.
    async fn get_metadata(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "hello").await?;
        let (got, meta) = (
            store.get(&key("k")?, &GetOptions::default()).await?,
            store.head(&key("k")?, &HeadOptions::default()).await?,
        );
        ensure_eq!(got.meta.key, key("k")?);
        ensure_eq!(meta.key, key("k")?);
        ensure_eq!(got.meta.size, meta.size);
        ensure_eq!(got.meta.last_modified, meta.last_modified);
        ensure_eq!(got.meta.attributes, meta.attributes);
        ensure!(got.meta.is_latest == Some(true) && meta.is_latest == Some(true), "the only version is the latest");
        same(&got.meta.revision, &meta.revision)
    }

    /// A get of a whole object says that its range is the whole object.
    async fn get_range_of_all(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "hello").await?;
        let got = store.get(&key("k")?, &GetOptions::default()).await?;
        ensure_eq!(got.range, 0..5);
        Ok(())
    }

    /// Content can be read chunk by chunk, and no chunk is empty.
    async fn read_by_chunks(context: Context) -> CaseResult {
        let store = context.store().await?;
        let bytes = content(3_000_000);
        put(&*store, "k", bytes.clone()).await?;
        let got = store.get(&key("k")?, &GetOptions::default()).await?;
        let chunks: Vec<Bytes> = got.into_stream().try_collect().await?;
        ensure!(chunks.iter().all(|chunk| !chunk.is_empty()), "there is an empty chunk");
        ensure!(chunks.concat() == bytes, "the chunks are not the content");
        Ok(())
    }

    /// Content can be read into a buffer of the caller.
    async fn read_into_buffer(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "hello").await?;
        let mut buffer = [b'.'; 7];
        let got = store.get(&key("k")?, &GetOptions::default()).await?;
        ensure_eq!(got.read_into(&mut buffer).await?, 5);
        ensure_eq!(&buffer, b"hello..");
        Ok(())
    }

    /// Content that does not fit into the caller's buffer is too large.
    async fn read_into_small_buffer(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "hello").await?;
        let got = store.get(&key("k")?, &GetOptions::default()).await?;
        expect_kind(got.read_into(&mut [0; 4]).await, ErrorKind::TooLarge)?;
        Ok(())
    }

    /// A body that is dropped halfway does no harm.
    async fn body_dropped_halfway(context: Context) -> CaseResult {
        let store = context.store().await?;
        let bytes = content(5_000_000);
        put(&*store, "k", bytes.clone()).await?;
        for _ in 0..20 {
            let mut got = store.get(&key("k")?, &GetOptions::default()).await?;
            ensure!(got.body.next_chunk().await?.is_some(), "there is no first chunk");
        }
        holds(&*store, "k", bytes).await?;
        delete(&*store, "k").await?;
        is_absent(&*store, "k").await
    }

    /// A put replaces an object by a longer one.
    async fn overwrite_longer(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "short").await?;
        put(&*store, "k", "much longer").await?;
        holds(&*store, "k", "much longer").await?;
        ensure_eq!(head(&*store, "k").await?.size, 11);
        lists(&*store, &["k"]).await
    }

    /// A put replaces an object by a shorter one, of which nothing is left over.
    async fn overwrite_shorter(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", content(100_000)).await?;
        put(&*store, "k", "x").await?;
        holds(&*store, "k", "x").await?;
        put(&*store, "k", "").await?;
        holds(&*store, "k", "").await
    }

    /// Other content has another ETag, also at the same size.
    async fn etag_changes(context: Context) -> CaseResult {
        let store = context.store().await?;
        let before = put(&*store, "k", "one").await?;
        let after = put(&*store, "k", "two").await?;
        differ(&before.revision, &after.revision)?;
        ensure!(before.revision.etag != after.revision.etag, "the ETag is the same");
        Ok(())
    }

    /// Every read and write returns an ETag without quotes.
    async fn etag_is_bare(context: Context) -> CaseResult {
        let store = context.store().await?;
        let put = put(&*store, "k", "content").await?;
        let got = store.get(&key("k")?, &GetOptions::default()).await?;
        let head = head(&*store, "k").await?;
        for revision in [put.revision, got.meta.revision, head.revision] {
            let etag = revision.etag.as_ref().map(|etag| etag.as_str());
            let bare = etag.is_some_and(|etag| !etag.is_empty() && !etag.contains('"'));
            ensure!(bare, "not an ETag: {etag:?}");
        }
        Ok(())
    }

    /// Reading does not change the revision.
    async fn revision_is_stable(context: Context) -> CaseResult {
        let store = context.store().await?;
        let written = put(&*store, "k", "content").await?;
        for _ in 0..3 {
            read(&*store, "k").await?;
            same(&head(&*store, "k").await?.revision, &written.revision)?;
        }
        Ok(())
    }

    /// The modification time is that of the write, within the fifteen minutes that clocks may differ.
    async fn last_modified(context: Context) -> CaseResult {
        let (store, clock) = (context.store().await?, context.clock());
        put(&*store, "k", "content").await?;
        let (modified, now) = (head(&*store, "k").await?.last_modified, clock.now());
        let apart = now.duration_since(modified).unwrap_or_else(|ahead| ahead.duration());
        ensure!(apart.as_secs() < 900, "modified at {modified:?}, and now it is {now:?}");
        Ok(())
    }

    /// The modification time does not go back when an object is replaced.
    async fn last_modified_grows(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "one").await?;
        let before = head(&*store, "k").await?.last_modified;
        put(&*store, "k", "two").await?;
        let after = head(&*store, "k").await?.last_modified;
        ensure!(after >= before, "{before:?} was followed by {after:?}");
        Ok(())
    }

    /// A get or head of a missing object is not found.
    async fn missing_object(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "b", "content").await?;
        for name in ["a", "bb", "b/", "b/c", "B"] {
            is_absent(&*store, name).await?;
        }
        Ok(())
    }

    /// A deleted object is gone from reads and listings.
    async fn delete_removes(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a", "b", "c"]).await?;
        delete(&*store, "b").await?;
        is_absent(&*store, "b").await?;
        lists(&*store, &["a", "c"]).await
    }

    /// Deleting what is not there succeeds.
    async fn delete_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        delete(&*store, "never/was").await?;
        put(&*store, "k", "content").await?;
        delete(&*store, "k").await?;
        delete(&*store, "k").await
    }

    /// A delete tells whether the object existed, if it tells at all.
    async fn delete_tells_existed(context: Context) -> CaseResult {
        let (store, options) = (context.store().await?, DeleteOptions::default());
        put(&*store, "k", "content").await?;
        let first = store.delete(&key("k")?, &options).await?;
        let second = store.delete(&key("k")?, &options).await?;
        ensure!(first.existed != Some(false), "an object that existed was said to be missing");
        ensure!(second.existed != Some(true), "a missing object was said to exist");
        Ok(())
    }

    /// A bucket without versioning leaves no delete marker.
    async fn delete_leaves_no_marker(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "content").await?;
        let result = store.delete(&key("k")?, &DeleteOptions::default()).await?;
        ensure_eq!(result.delete_marker, None);
        Ok(())
    }

    /// A key can be written again after it was deleted.
    async fn write_after_delete(context: Context) -> CaseResult {
        let store = context.store().await?;
        for round in ["one", "two", "three"] {
            put(&*store, "a/b/c", round).await?;
            holds(&*store, "a/b/c", round).await?;
            delete(&*store, "a/b/c").await?;
            is_absent(&*store, "a/b/c").await?;
        }
        Ok(())
    }

    /// A write that returned is seen by reads and listings that start later.
    async fn read_after_write(context: Context) -> CaseResult {
        let store = context.store().await?;
        for number in 0..30 {
            let name = format!("k{number:02}");
            put(&*store, &name, name.clone()).await?;
            holds(&*store, &name, &name).await?;
            let listed = super::kit::names(&*store, &Default::default()).await?;
            ensure_eq!(listed.len(), number + 1, "the objects listed after {name} was written");
        }
        Ok(())
    }

    /// An overwrite that returned is seen by reads and listings that start later.
    async fn read_after_overwrite(context: Context) -> CaseResult {
        let store = context.store().await?;
        for number in 0..30_usize {
            let result = put(&*store, "k", content(number)).await?;
            holds(&*store, "k", content(number)).await?;
            let listed = super::kit::objects(&*store, &Default::default()).await?;
            let sizes: Vec<_> = listed.iter().map(|meta| meta.size).collect();
            ensure_eq!(sizes, [result.size], "the sizes listed");
        }
        Ok(())
    }

    /// Many objects are written and read side by side.
    async fn side_by_side(context: Context) -> CaseResult {
        let store = context.store().await?;
        let results = race(50, |number| {
            let store = std::sync::Arc::clone(&store);
            async move {
                let name = format!("dir{}/k{number}", number % 5);
                put(&*store, &name, content(number * 100)).await?;
                holds(&*store, &name, content(number * 100)).await
            }
        });
        results.await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        ensure_eq!(super::kit::names(&*store, &Default::default()).await?.len(), 50);
        Ok(())
    }

    /// A put that is given up halfway took effect as a whole or not at all.
    async fn put_dropped(context: Context) -> CaseResult {
        let (store, new) = (context.store().await?, content(300_000));
        for polls in 1..15 {
            put(&*store, "k", "old").await?;
            let (key, options) = (key("k")?, PutOptions::default());
            let mut write = store.put(&key, Payload::from(new.clone()), &options);
            for _ in 0..polls {
                if futures::poll!(&mut write).is_ready() {
                    break;
                }
            }
            drop(write);
            let now = read(&*store, "k").await?;
            ensure!(now == "old" || now == new, "{} bytes, neither old nor new", now.len());
        }
        Ok(())
    }
}
