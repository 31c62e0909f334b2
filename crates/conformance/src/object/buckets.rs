//! Creating, listing and deleting buckets.

use std::sync::Arc;

use futures::TryStreamExt;
use polycloud_core::ErrorKind;
use polycloud_core::object::{
    BucketInfo, BucketName, Buckets, CopyOptions, CopySource, CreateBucketOptions,
    DeleteBucketOptions, DeleteOptions, GetOptions, HeadOptions, ListOptions, ObjectStore, Payload,
    PutOptions,
};
use polycloud_core::page::{PageToken, paginate};

use super::kit::{
    Step, delete, holds, is_absent, key, lists, metadata, metadata_of, multipart, part, put,
    put_all, tags, tags_of,
};
use crate::case::{Context, Failure, cases, ensure, ensure_eq};
use crate::expect::{expect_kind, race};

/// A name for a bucket that goes with the case.
fn fresh(context: &Context, buckets: &Arc<dyn Buckets>) -> Step<BucketName> {
    let name = BucketName::new(context.unique("conformance"))?;
    let (doomed, buckets) = (name.clone(), Arc::clone(buckets));
    context.defer(async move {
        match buckets.delete(&doomed, &DeleteBucketOptions::default().with_force(true)).await {
            Err(error) if error.kind() != ErrorKind::BucketNotFound => Err(error.into()),
            _ => Ok(()),
        }
    });
    Ok(name)
}

/// A bucket that goes with the case, and the store in it.
pub(super) async fn create(
    context: &Context,
    options: &CreateBucketOptions,
) -> Step<(Arc<dyn Buckets>, BucketName, Arc<dyn ObjectStore>)> {
    let buckets = context.buckets()?;
    let name = fresh(context, &buckets)?;
    buckets.create(&name, options).await?;
    let store = buckets.open(&name)?;
    Ok((buckets, name, store))
}

/// A bucket without versioning.
async fn plain(context: &Context) -> Step<(Arc<dyn Buckets>, BucketName, Arc<dyn ObjectStore>)> {
    create(context, &CreateBucketOptions::default()).await
}

/// All buckets, page by page.
async fn listed(buckets: &dyn Buckets) -> Step<Vec<BucketInfo>> {
    let pages = paginate(|token: Option<PageToken>| async move {
        let page = buckets.list_page(token.as_ref()).await?;
        Ok((page.buckets, page.next))
    });
    Ok(pages.try_collect().await?)
}

const FORCE: fn() -> DeleteBucketOptions = || DeleteBucketOptions::default().with_force(true);

cases! {
    Buckets, "buckets";

    /// A bucket that was created is there, and empty.
    async fn create_and_head(context: Context) -> CaseResult {
        let buckets = context.buckets()?;
        let name = fresh(&context, &buckets)?;
        let created = buckets.create(&name, &CreateBucketOptions::default()).await?;
        ensure_eq!(created.name, name);
        let info = buckets.head(&name).await?;
        ensure_eq!(info.name, name);
        ensure!(info.versioning != Some(true), "versions are kept, which nobody asked for");
        lists(&*buckets.open(&name)?, &[]).await
    }

    /// The time of creation is that of the create, within the fifteen minutes that clocks may differ.
    async fn creation_time(context: Context) -> CaseResult {
        let (buckets, name, _) = plain(&context).await?;
        if let Some(created) = buckets.head(&name).await?.created {
            let now = context.clock().now();
            let apart = now.duration_since(created).unwrap_or_else(|ahead| ahead.duration());
            ensure!(apart.as_secs() < 900, "created at {created:?}, and now it is {now:?}");
        }
        Ok(())
    }

    /// A name that is taken exists already, and what is in the bucket stays.
    async fn create_twice(context: Context) -> CaseResult {
        let (buckets, name, store) = plain(&context).await?;
        put(&*store, "k", "content").await?;
        let again = buckets.create(&name, &CreateBucketOptions::default()).await;
        expect_kind(again, ErrorKind::AlreadyExists)?;
        holds(&*store, "k", "content").await
    }

    /// Of several that create one bucket at the same time, one succeeds.
    async fn create_race(context: Context) -> CaseResult {
        let buckets = context.buckets()?;
        let name = fresh(&context, &buckets)?;
        let results = race(8, |_| {
            let (buckets, name) = (Arc::clone(&buckets), name.clone());
            async move { buckets.create(&name, &CreateBucketOptions::default()).await }
        });
        let mut created = 0;
        for result in results.await? {
            match result {
                Ok(_) => created += 1,
                lost => drop(expect_kind(lost, ErrorKind::AlreadyExists)?),
            }
        }
        ensure_eq!(created, 1, "creates that succeeded");
        Ok(())
    }

    /// A bucket that does not exist is not found, whatever is to be done with it.
    async fn missing(context: Context) -> CaseResult {
        let (buckets, kind) = (context.buckets()?, ErrorKind::BucketNotFound);
        let name = fresh(&context, &buckets)?;
        expect_kind(buckets.head(&name).await, kind)?;
        expect_kind(buckets.delete(&name, &DeleteBucketOptions::default()).await, kind)?;
        expect_kind(buckets.delete(&name, &FORCE()).await, kind)?;
        match buckets.open(&name) {
            Ok(store) => {
                let put = store.put(&key("k")?, Payload::from("x"), &PutOptions::default()).await;
                expect_kind(put, kind)?;
                expect_kind(store.list_page(&ListOptions::default(), None).await, kind)?;
            }
            Err(error) => drop(expect_kind::<()>(Err(error), kind)?),
        }
        Ok(())
    }

    /// A bucket can be opened any number of times, and all of them are the same.
    async fn open_twice(context: Context) -> CaseResult {
        let (buckets, name, store) = plain(&context).await?;
        let other = buckets.open(&name)?;
        put(&*store, "k", "content").await?;
        holds(&*other, "k", "content").await?;
        delete(&*other, "k").await?;
        is_absent(&*store, "k").await?;
        ensure_eq!(store.info().bucket, name.as_str());
        Ok(())
    }

    /// Buckets share nothing: the same key is another object in each.
    async fn isolation(context: Context) -> CaseResult {
        let (_, _, one) = plain(&context).await?;
        let (buckets, name, two) = plain(&context).await?;
        put_all(&*one, &["k", "only one"]).await?;
        put(&*two, "k", "two").await?;
        holds(&*one, "k", "k").await?;
        holds(&*two, "k", "two").await?;
        lists(&*two, &["k"]).await?;
        delete(&*two, "k").await?;
        lists(&*one, &["k", "only one"]).await?;
        buckets.delete(&name, &DeleteBucketOptions::default()).await?;
        lists(&*one, &["k", "only one"]).await
    }

    /// Buckets whose names begin alike, or that a path could confuse, are different ones.
    async fn similar_names(context: Context) -> CaseResult {
        let buckets = context.buckets()?;
        let base = fresh(&context, &buckets)?;
        let longer = BucketName::new(format!("{base}-0"))?;
        buckets.create(&base, &CreateBucketOptions::default()).await?;
        expect_kind(buckets.head(&longer).await, ErrorKind::BucketNotFound)?;
        let store = buckets.open(&base)?;
        put_all(&*store, &["../k", "..", "-0/k"]).await?;
        expect_kind(buckets.head(&longer).await, ErrorKind::BucketNotFound)?;
        lists(&*store, &["../k", "..", "-0/k"]).await
    }

    /// Buckets are listed by name, each once.
    async fn list(context: Context) -> CaseResult {
        let buckets = context.buckets()?;
        let mut mine = Vec::new();
        for _ in 0..5 {
            let name = fresh(&context, &buckets)?;
            buckets.create(&name, &CreateBucketOptions::default()).await?;
            mine.push(name);
        }
        mine.sort();
        let names: Vec<_> = listed(&*buckets).await?.into_iter().map(|info| info.name).collect();
        ensure!(names.is_sorted(), "not in the order of names: {names:?}");
        let found: Vec<_> = names.into_iter().filter(|name| mine.contains(name)).collect();
        ensure_eq!(found, mine);
        Ok(())
    }

    /// A deleted bucket is gone from the listing, and its name is free again.
    async fn delete_and_create_anew(context: Context) -> CaseResult {
        let (buckets, name, store) = plain(&context).await?;
        put(&*store, "k", "content").await?;
        delete(&*store, "k").await?;
        buckets.delete(&name, &DeleteBucketOptions::default()).await?;
        expect_kind(buckets.head(&name).await, ErrorKind::BucketNotFound)?;
        let still = listed(&*buckets).await?.into_iter().any(|info| info.name == name);
        ensure!(!still, "the deleted bucket is listed");
        buckets.create(&name, &CreateBucketOptions::default()).await?;
        lists(&*buckets.open(&name)?, &[]).await
    }

    /// A bucket with an object in it is not deleted unless forced to.
    async fn delete_with_objects(context: Context) -> CaseResult {
        let (buckets, name, store) = plain(&context).await?;
        put_all(&*store, &["a/b", "c", "..", "☺"]).await?;
        let refused = buckets.delete(&name, &DeleteBucketOptions::default()).await;
        expect_kind(refused, ErrorKind::BucketNotEmpty)?;
        lists(&*store, &["..", "a/b", "c", "☺"]).await?;
        buckets.delete(&name, &FORCE()).await?;
        expect_kind(buckets.head(&name).await, ErrorKind::BucketNotFound)?;
        buckets.create(&name, &CreateBucketOptions::default()).await?;
        lists(&*buckets.open(&name)?, &[]).await
    }

    /// A bucket with nothing but older versions is not deleted unless forced to, and takes them along.
    #[needs(BucketVersioning, ListVersions)]
    async fn delete_with_versions(context: Context) -> CaseResult {
        let options = CreateBucketOptions::default().with_versioning(true);
        let (buckets, name, store) = create(&context, &options).await?;
        put(&*store, "k", "one").await?;
        put(&*store, "k", "two").await?;
        delete(&*store, "k").await?;
        lists(&*store, &[]).await?;
        let refused = buckets.delete(&name, &DeleteBucketOptions::default()).await;
        expect_kind(refused, ErrorKind::BucketNotEmpty)?;
        buckets.delete(&name, &FORCE()).await?;
        buckets.create(&name, &CreateBucketOptions::default()).await?;
        let all = ListOptions::default().with_versions(true);
        ensure_eq!(super::kit::names(&*buckets.open(&name)?, &all).await?, Vec::<String>::new());
        Ok(())
    }

    /// Unfinished uploads do not survive the forced delete of their bucket.
    #[needs(Multipart)]
    async fn delete_with_uploads(context: Context) -> CaseResult {
        let (buckets, name, store) = plain(&context).await?;
        let upload = multipart(&*store)?.create(&key("k")?, &PutOptions::default()).await?;
        part(&*store, "k", &upload, 1, "part").await?;
        buckets.delete(&name, &FORCE()).await?;
        expect_kind(buckets.head(&name).await, ErrorKind::BucketNotFound)?;
        buckets.create(&name, &CreateBucketOptions::default()).await?;
        let store = buckets.open(&name)?;
        let uploads = multipart(&*store)?.uploads("", None).await?.uploads;
        ensure!(uploads.is_empty(), "uploads of the deleted bucket: {uploads:?}");
        lists(&*store, &[]).await
    }

    /// A store whose bucket was deleted says so, and writes nothing into nowhere.
    async fn store_of_deleted_bucket(context: Context) -> CaseResult {
        let (buckets, name, store) = plain(&context).await?;
        put(&*store, "k", "content").await?;
        buckets.delete(&name, &FORCE()).await?;
        let (key, kind) = (key("k")?, ErrorKind::BucketNotFound);
        expect_kind(store.get(&key, &GetOptions::default()).await, kind)?;
        let put = store.put(&key, Payload::from("x"), &PutOptions::default()).await;
        expect_kind(put, kind)?;
        expect_kind(store.delete(&key, &DeleteOptions::default()).await, kind)?;
        expect_kind(store.list_page(&ListOptions::default(), None).await, kind)?;
        let copy = CopySource::new(key.clone());
        expect_kind(store.copy(&copy, &key, &CopyOptions::default()).await, kind)?;
        expect_kind(buckets.head(&name).await, kind)?;
        Ok(())
    }

    /// The versioning of a bucket is as it was created, until it is switched.
    #[needs(BucketVersioning)]
    async fn versioning_is_told(context: Context) -> CaseResult {
        let options = CreateBucketOptions::default().with_versioning(true);
        let (buckets, name, _) = create(&context, &options).await?;
        let told = async || Ok::<_, Failure>(buckets.head(&name).await?.versioning);
        ensure!(told().await? != Some(false), "created with versioning, which is off");
        for enabled in [false, true, true, false, false] {
            buckets.set_versioning(&name, enabled).await?;
            let now = told().await?;
            ensure!(now.is_none_or(|now| now == enabled), "{now:?} after setting {enabled}");
        }
        Ok(())
    }

    /// The versioning of a bucket that does not exist cannot be set.
    #[needs(BucketVersioning)]
    async fn versioning_of_missing_bucket(context: Context) -> CaseResult {
        let buckets = context.buckets()?;
        let name = fresh(&context, &buckets)?;
        let result = buckets.set_versioning(&name, true).await;
        expect_kind(result, ErrorKind::BucketNotFound)?;
        expect_kind(buckets.head(&name).await, ErrorKind::BucketNotFound)?;
        Ok(())
    }

    /// An object is copied from another bucket, with its metadata and tags, and stays there.
    #[needs(CopyAcrossBuckets, Metadata, Tags)]
    async fn copy_across(context: Context) -> CaseResult {
        let (_, from, source) = plain(&context).await?;
        let (_, _, target) = plain(&context).await?;
        let options = PutOptions::default()
            .with_attributes(metadata(&[("color", "blue")])?)
            .with_tags(tags(&[("team", "red")])?);
        source.put(&key("a//b")?, Payload::from("content"), &options).await?;
        let copy = CopySource::new(key("a//b")?).with_bucket(from);
        let result = target.copy(&copy, &key("c")?, &CopyOptions::default()).await?;
        holds(&*target, "c", "content").await?;
        let meta = target.head(&key("c")?, &HeadOptions::default().with_tags(true)).await?;
        ensure_eq!(metadata_of(&meta)?, [("color", "blue")]);
        ensure_eq!(tags_of(&meta)?, [("team", "red")]);
        super::kit::same(&result.revision, &meta.revision)?;
        lists(&*target, &["c"]).await?;
        lists(&*source, &["a//b"]).await
    }

    /// A copy from a bucket or an object that does not exist fails and changes nothing.
    #[needs(CopyAcrossBuckets)]
    async fn copy_across_from_nowhere(context: Context) -> CaseResult {
        let (buckets, from, _) = plain(&context).await?;
        let (_, _, target) = plain(&context).await?;
        put(&*target, "k", "content").await?;
        let missing = CopySource::new(key("k")?).with_bucket(from);
        let result = target.copy(&missing, &key("k")?, &CopyOptions::default()).await;
        expect_kind(result, ErrorKind::NotFound)?;
        let nowhere = CopySource::new(key("k")?).with_bucket(fresh(&context, &buckets)?);
        let result = target.copy(&nowhere, &key("k")?, &CopyOptions::default()).await;
        expect_kind(result, ErrorKind::BucketNotFound)?;
        holds(&*target, "k", "content").await
    }

    /// A text that is no page token is an invalid argument, or lists no bucket that does not exist.
    async fn foreign_token(context: Context) -> CaseResult {
        let (buckets, _, _) = plain(&context).await?;
        match buckets.list_page(Some(&PageToken::new("../☺"))).await {
            Ok(page) => ensure!(page.buckets.is_sorted_by(|a, b| a.name < b.name), "{page:?}"),
            result => drop(expect_kind(result, ErrorKind::InvalidArgument)?),
        }
        Ok(())
    }
}
