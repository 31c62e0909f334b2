//! Several writers and readers of one key at the same moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use polycloud_core::object::{
    CompleteOptions, CopyOptions, CopySource, DeleteOptions, GetOptions, ObjectStore, ObjectUpdate,
    Precondition, PutOptions, PutResult, Revision, UploadOptions,
};
use polycloud_core::{Error, ErrorKind, Result};

use super::kit::{
    Step, content, copy, delete, entries, head, holds, key, metadata, metadata_of, multipart, part,
    put, put_if, read, upload,
};
use crate::case::{CaseResult, Failure, cases, ensure, ensure_eq};
use crate::expect::race;

/// How many try at the same moment.
const RIVALS: usize = 16;

/// How often they try: a gap between looking and writing shows only now and then.
const ROUNDS: usize = 8;

type Shared = Arc<dyn ObjectStore>;

/// Fails unless exactly one of the rivals succeeded, and the others lost in one of these ways.
fn one_winner<T>(results: Vec<Result<T>>, losses: &[ErrorKind]) -> Step<(usize, T)> {
    let mut winners = Vec::new();
    for (rival, result) in results.into_iter().enumerate() {
        match result {
            Ok(value) => winners.push((rival, value)),
            Err(error) if losses.contains(&error.kind()) => {}
            Err(error) => return Err(Failure::new(format!("rival {rival} lost by {error}"))),
        }
    }
    let count = winners.len();
    winners.pop().filter(|_| count == 1).ok_or_else(|| Failure::new(format!("{count} rivals won")))
}

/// How a rival may lose a race to create: `Conflict` means that it was refused before it was decided.
const TAKEN: &[ErrorKind] = &[ErrorKind::AlreadyExists, ErrorKind::Conflict];

/// How a rival may lose a race to replace or delete.
const CHANGED: &[ErrorKind] = &[ErrorKind::PreconditionFailed, ErrorKind::Conflict];

fn options_if(condition: Precondition) -> PutOptions {
    PutOptions::default().with_precondition(condition)
}

/// What a rival writes: long enough that a mixture of two would show.
fn content_of(rival: usize) -> Bytes {
    let letter = b'a'.saturating_add(u8::try_from(rival % 26).unwrap_or(0));
    Bytes::from(vec![letter; 50_000 + rival])
}

/// Adds one to the number that an object holds, by compare-and-swap, until it succeeds.
async fn increment(store: &Shared) -> CaseResult {
    loop {
        let got = store.get(&key("k")?, &GetOptions::default()).await?;
        let seen = got.meta.revision.clone();
        let text = String::from_utf8(got.bytes().await?.to_vec());
        let number = text.ok().and_then(|text| text.parse::<u64>().ok());
        let number = number.ok_or_else(|| Failure::new("the counter is not a number"))?;
        let options = options_if(Precondition::IfUnchanged(seen));
        match store.put(&key("k")?, (number + 1).to_string().into(), &options).await {
            Ok(_) => return Ok(()),
            Err(error) if CHANGED.contains(&error.kind()) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits for all rivals of a race, and passes on the first failure.
async fn all_succeed<F>(count: usize, task: impl FnMut(usize) -> F) -> CaseResult
where
    F: Future<Output = CaseResult> + Send + 'static,
{
    race(count, task).await?.into_iter().collect()
}

/// The upload of a part that is ready to be completed.
async fn ready(
    store: &Shared,
    rival: usize,
) -> Step<impl Future<Output = Result<PutResult>> + use<>> {
    let id = multipart(&**store)?.create(&key("k")?, &PutOptions::default()).await?;
    let sent = part(&**store, "k", &id, 1, content_of(rival)).await?;
    let (store, key) = (Arc::clone(store), key("k")?);
    Ok(async move {
        let side = store.multipart().ok_or(ErrorKind::Unsupported)?;
        let options = CompleteOptions::default().with_precondition(Precondition::IfAbsent);
        side.complete(&key, &id, &[sent], &options).await
    })
}

cases! {
    Store, "races";

    /// Of several puts that create, exactly one wins, and its content stays.
    #[needs(WriteIfAbsent)]
    async fn create_by_put(context: Context) -> CaseResult {
        let store = context.store().await?;
        for round in 0..ROUNDS {
            let name = format!("k{round}");
            let results = race(RIVALS, |rival| {
                let (store, name) = (Arc::clone(&store), name.clone());
                async move {
                    let options = options_if(Precondition::IfAbsent);
                    store.put(&key(&name)?, content_of(rival).into(), &options).await
                }
            });
            let (winner, result) = one_winner(results.await?, TAKEN)?;
            holds(&*store, &name, content_of(winner)).await?;
            super::kit::same(&result.revision, &head(&*store, &name).await?.revision)?;
        }
        Ok(())
    }

    /// Of several uploads that create, exactly one wins.
    #[needs(WriteIfAbsent)]
    async fn create_by_upload(context: Context) -> CaseResult {
        let store = context.store().await?;
        let results = race(RIVALS, |rival| {
            let store = Arc::clone(&store);
            async move {
                let options = UploadOptions::from(options_if(Precondition::IfAbsent));
                upload(&*store, "k", [content_of(rival)], &options).await
            }
        });
        let (winner, _) = one_winner(results.await?, TAKEN)?;
        holds(&*store, "k", content_of(winner)).await
    }

    /// Of several copies that create, exactly one wins.
    #[needs(WriteIfAbsent, CopyTargetCondition)]
    async fn create_by_copy(context: Context) -> CaseResult {
        let store = context.store().await?;
        for rival in 0..RIVALS {
            put(&*store, &format!("from/{rival}"), content_of(rival)).await?;
        }
        let results = race(RIVALS, |rival| {
            let store = Arc::clone(&store);
            async move {
                let from = CopySource::new(key(&format!("from/{rival}"))?);
                let options = CopyOptions::default().with_precondition(Precondition::IfAbsent);
                store.copy(&from, &key("k")?, &options).await
            }
        });
        let (winner, _) = one_winner(results.await?, TAKEN)?;
        holds(&*store, "k", content_of(winner)).await
    }

    /// Of several completions that create, exactly one wins.
    #[needs(WriteIfAbsent, Multipart)]
    async fn create_by_multipart(context: Context) -> CaseResult {
        let store = context.store().await?;
        let mut rivals = Vec::new();
        for rival in 0..RIVALS {
            rivals.push(Box::pin(ready(&store, rival).await?));
        }
        let mut rivals = rivals.into_iter();
        let results = race(RIVALS, |_| {
            let rival = rivals.next();
            async move {
                match rival {
                    Some(rival) => rival.await,
                    None => Err(Error::invalid("more rivals than uploads")),
                }
            }
        });
        let (winner, _) = one_winner(results.await?, TAKEN)?;
        holds(&*store, "k", content_of(winner)).await
    }

    /// Of a put, an upload and a copy that create, exactly one wins.
    #[needs(WriteIfAbsent, CopyTargetCondition)]
    async fn create_by_all_means(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "from", "copied").await?;
        for round in 0..10 {
            let name = format!("k{round}");
            let results = race(3, |rival| {
                let (store, name) = (Arc::clone(&store), name.clone());
                async move {
                    let put = options_if(Precondition::IfAbsent);
                    let from = CopySource::new(key("from")?);
                    let copy = CopyOptions::default().with_precondition(Precondition::IfAbsent);
                    match rival {
                        0 => store.put(&key(&name)?, "put".into(), &put).await,
                        1 => upload(&*store, &name, ["uploaded".into()], &put.into()).await,
                        _ => store.copy(&from, &key(&name)?, &copy).await,
                    }
                }
            });
            let (winner, _) = one_winner(results.await?, TAKEN)?;
            let expected = ["put", "uploaded", "copied"].into_iter().nth(winner).unwrap_or("");
            holds(&*store, &name, expected).await?;
        }
        Ok(())
    }

    /// Of several writers that replace the same revision, exactly one wins.
    #[needs(WriteIfMatch)]
    async fn swap_by_put(context: Context) -> CaseResult {
        let store = context.store().await?;
        let mut seen = put(&*store, "k", "start").await?.revision;
        for _ in 0..ROUNDS {
            let results = race(RIVALS, |rival| {
                let (store, seen) = (Arc::clone(&store), seen.clone());
                async move {
                    let options = options_if(Precondition::IfUnchanged(seen));
                    store.put(&key("k")?, content_of(rival).into(), &options).await
                }
            });
            let (winner, result) = one_winner(results.await?, CHANGED)?;
            holds(&*store, "k", content_of(winner)).await?;
            seen = put_if(&*store, "k", "next", Precondition::IfUnchanged(result.revision))
                .await?
                .revision;
        }
        Ok(())
    }

    /// Of several uploads that replace the same revision, exactly one wins.
    #[needs(WriteIfMatch)]
    async fn swap_by_upload(context: Context) -> CaseResult {
        let store = context.store().await?;
        let seen = put(&*store, "k", "start").await?.revision;
        let results = race(RIVALS, |rival| {
            let (store, seen) = (Arc::clone(&store), seen.clone());
            async move {
                let options = options_if(Precondition::IfUnchanged(seen));
                upload(&*store, "k", [content_of(rival)], &options.into()).await
            }
        });
        let (winner, _) = one_winner(results.await?, CHANGED)?;
        holds(&*store, "k", content_of(winner)).await
    }

    /// A counter that many increment by compare-and-swap loses no increment.
    #[needs(WriteIfMatch)]
    async fn counter(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "0").await?;
        all_succeed(5, |_| {
            let store = Arc::clone(&store);
            async move {
                for _ in 0..10 {
                    increment(&store).await?;
                }
                Ok(())
            }
        })
        .await?;
        holds(&*store, "k", "50").await
    }

    /// Of several updates of the same revision, exactly one wins.
    #[needs(UpdateAttributes, Metadata, WriteIfMatch)]
    async fn swap_by_update(context: Context) -> CaseResult {
        let store = context.store().await?;
        let seen = put(&*store, "k", "content").await?.revision;
        let results = race(RIVALS, |rival| {
            let (store, seen) = (Arc::clone(&store), seen.clone());
            async move {
                let attributes = metadata(&[("rival", &rival.to_string())])?;
                let update = ObjectUpdate::default().with_attributes(attributes);
                let update = update.with_precondition(Precondition::IfUnchanged(seen));
                store.update(&key("k")?, &update).await
            }
        });
        let results = results.await?;
        // A provider whose updates keep the revision lets all of them through, one after the other.
        let unchanged = |it: &Revision| it.is_same(&seen);
        if !results.iter().flatten().all(|meta| unchanged(&meta.revision)) {
            let (winner, _) = one_winner(results, CHANGED)?;
            let expected = winner.to_string();
            let meta = head(&*store, "k").await?;
            ensure_eq!(metadata_of(&meta)?, [("rival", expected.as_str())]);
        }
        holds(&*store, "k", "content").await
    }

    /// Of several deletes of the same revision, exactly one wins.
    #[needs(DeleteIfMatch)]
    async fn delete_by_revision(context: Context) -> CaseResult {
        let store = context.store().await?;
        let seen = put(&*store, "k", "content").await?.revision;
        let results = race(RIVALS, |_| {
            let (store, seen) = (Arc::clone(&store), seen.clone());
            async move {
                let condition = Precondition::IfUnchanged(seen);
                let options = DeleteOptions::default().with_precondition(condition);
                store.delete(&key("k")?, &options).await
            }
        });
        one_winner(results.await?, CHANGED)?;
        super::kit::is_absent(&*store, "k").await
    }

    /// A delete and a write of the same revision do not both win.
    #[needs(DeleteIfMatch, WriteIfMatch)]
    async fn delete_against_swap(context: Context) -> CaseResult {
        let store = context.store().await?;
        for round in 0..20 {
            let name = format!("k{round}");
            let seen = put(&*store, &name, "old").await?.revision;
            let results = race(2, |rival| {
                let (store, name, seen) = (Arc::clone(&store), name.clone(), seen.clone());
                async move {
                    let condition = Precondition::IfUnchanged(seen);
                    if rival == 0 {
                        let options = DeleteOptions::default().with_precondition(condition);
                        store.delete(&key(&name)?, &options).await.map(drop)
                    } else {
                        put_if(&*store, &name, "new", condition).await.map(drop)
                    }
                }
            });
            match one_winner(results.await?, CHANGED)? {
                (0, ()) => super::kit::is_absent(&*store, &name).await?,
                _ => holds(&*store, &name, "new").await?,
            }
        }
        Ok(())
    }

    /// After several unconditional puts the object is one of them as a whole, with its own revision.
    async fn last_put_wins(context: Context) -> CaseResult {
        let store = context.store().await?;
        let results = race(RIVALS, |rival| {
            let store = Arc::clone(&store);
            async move { put(&*store, "k", content_of(rival)).await }
        });
        let results = results.await?.into_iter().collect::<Step<Vec<_>>>()?;
        let got = store.get(&key("k")?, &GetOptions::default()).await?;
        let current = got.meta.revision.clone();
        let bytes = got.bytes().await?;
        let winner = results.iter().position(|result| result.revision.is_same(&current));
        let winner = winner.ok_or_else(|| Failure::new("the revision is none of those written"))?;
        ensure!(bytes == content_of(winner), "the content is not that of the revision");
        Ok(())
    }

    /// Readers see one version as a whole while it is overwritten, and its own revision beside it.
    async fn readers_during_overwrites(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", content_of(0)).await?;
        let done = Arc::new(AtomicBool::new(false));
        all_succeed(5, |task| {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            async move {
                if task == 0 {
                    for round in 1..60 {
                        put(&*store, "k", content_of(round)).await?;
                    }
                    done.store(true, Ordering::Release);
                    return Ok(());
                }
                while !done.load(Ordering::Acquire) {
                    let got = store.get(&key("k")?, &GetOptions::default()).await?;
                    let size = got.meta.size;
                    let bytes = got.bytes().await?;
                    ensure_eq!(bytes.len() as u64, size, "the bytes read of the announced size");
                    let whole = content_of(bytes.len().saturating_sub(50_000));
                    ensure!(bytes == whole, "a mixture of two versions, {size} bytes");
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
        })
        .await
    }

    /// A read that has begun goes on with its own version or fails, when the object is replaced.
    async fn overwritten_while_read(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (old, new) = (content(4_000_000), Bytes::from(vec![b'x'; 4_000_000]));
        put(&*store, "k", old.clone()).await?;
        let mut body = store.get(&key("k")?, &GetOptions::default()).await?.body;
        let mut bytes = body.next_chunk().await?.unwrap_or_default().to_vec();
        put(&*store, "k", new).await?;
        loop {
            match body.next_chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) if error.kind() == ErrorKind::ObjectChanged => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        ensure!(bytes == old, "{} bytes, not those of the version that was opened", bytes.len());
        Ok(())
    }

    /// A read that has begun goes on or fails, when the object is deleted.
    async fn deleted_while_read(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = content(4_000_000);
        put(&*store, "k", old.clone()).await?;
        let body = store.get(&key("k")?, &GetOptions::default()).await?.body;
        delete(&*store, "k").await?;
        match body.bytes().await {
            Ok(bytes) => ensure!(bytes == old, "{} bytes, not what was opened", bytes.len()),
            Err(error) => {
                let kinds = [ErrorKind::ObjectChanged, ErrorKind::NotFound];
                ensure!(kinds.contains(&error.kind()), "the read failed by {error}");
            }
        }
        Ok(())
    }

    /// Listings beside writers show whole entries: a size that some write had.
    async fn listings_during_overwrites(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", content_of(0)).await?;
        let done = Arc::new(AtomicBool::new(false));
        all_succeed(3, |task| {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            async move {
                if task == 0 {
                    for round in 1..40 {
                        put(&*store, "k", content_of(round)).await?;
                        put(&*store, &format!("other{round}"), "x").await?;
                    }
                    done.store(true, Ordering::Release);
                    return Ok(());
                }
                while !done.load(Ordering::Acquire) {
                    let listed = entries(&*store, &Default::default()).await?;
                    let sizes = listed.into_iter().filter_map(|entry| entry.into_object());
                    let size =
                        sizes.filter(|meta| meta.key.as_str() == "k").map(|meta| meta.size).next();
                    ensure!(size.is_some_and(|size| size >= 50_000), "k is listed with {size:?}");
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
        })
        .await
    }

    /// Puts and deletes of one key leave the object of one put, or none.
    async fn puts_and_deletes(context: Context) -> CaseResult {
        let store = context.store().await?;
        for _ in 0..5 {
            all_succeed(RIVALS, |rival| {
                let store = Arc::clone(&store);
                async move {
                    if rival % 2 == 0 {
                        put(&*store, "a/k", content_of(rival)).await.map(drop)
                    } else {
                        delete(&*store, "a/k").await
                    }
                }
            })
            .await?;
            let Ok(bytes) = read(&*store, "a/k").await else { continue };
            let whole = content_of(bytes.len().saturating_sub(50_000));
            ensure!(bytes == whole, "a mixture of two puts, {} bytes", bytes.len());
        }
        put(&*store, "a/k", "last").await?;
        holds(&*store, "a/k", "last").await
    }

    /// An object and others below its name can be written and deleted at the same moment.
    async fn above_and_below(context: Context) -> CaseResult {
        let store = context.store().await?;
        let names = ["a", "a/b", "a/b/c", "a/", "a/b/"];
        for _ in 0..5 {
            all_succeed(names.len() * 3, |rival| {
                let store = Arc::clone(&store);
                async move {
                    let name = names.into_iter().cycle().nth(rival).unwrap_or("a");
                    if rival < names.len() {
                        delete(&*store, name).await
                    } else {
                        put(&*store, name, name).await.map(drop)
                    }
                }
            })
            .await?;
            for name in names {
                put(&*store, name, name).await?;
            }
            super::kit::lists(&*store, &names).await?;
        }
        Ok(())
    }

    /// Copies of an object that is being overwritten are whole.
    async fn copies_during_overwrites(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "from", content_of(0)).await?;
        all_succeed(4, |task| {
            let store = Arc::clone(&store);
            async move {
                for round in 1..20 {
                    if task == 0 {
                        put(&*store, "from", content_of(round)).await?;
                        continue;
                    }
                    let to = format!("to/{task}");
                    let copied = copy(&*store, "from", &to).await?;
                    let bytes = read(&*store, &to).await?;
                    ensure_eq!(bytes.len() as u64, copied.size);
                    let whole = content_of(bytes.len().saturating_sub(50_000));
                    ensure!(bytes == whole, "a copy of two versions, {} bytes", bytes.len());
                }
                Ok(())
            }
        })
        .await
    }
}
