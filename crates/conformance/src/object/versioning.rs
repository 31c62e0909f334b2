//! Buckets whose versioning is switched on and off.

use polycloud_core::object::CreateBucketOptions;

use super::buckets::create;
use super::kit::{head, holds, lists, put};
use super::versions::{all, lines, put_versions, read_version};
use crate::case::{cases, ensure, ensure_eq};

cases! {
    Buckets, "versioning";

    /// Objects from before versioning was switched on are kept as older versions.
    #[needs(BucketVersioning, ListVersions)]
    async fn on(context: Context) -> CaseResult {
        let (buckets, name, store) = create(&context, &CreateBucketOptions::default()).await?;
        put(&*store, "k", "before").await?;
        buckets.set_versioning(&name, true).await?;
        put(&*store, "k", "after").await?;
        holds(&*store, "k", "after").await?;
        let versions = super::kit::objects(&*store, &all()).await?;
        let sizes: Vec<_> = versions.iter().map(|meta| (meta.size, meta.is_latest == Some(true))).collect();
        ensure_eq!(sizes, [(5, true), (6, false)]);
        Ok(())
    }

    /// Switching versioning off keeps the older versions.
    #[needs(BucketVersioning, ListVersions, ReadVersion)]
    async fn off_keeps_versions(context: Context) -> CaseResult {
        let options = CreateBucketOptions::default().with_versioning(true);
        let (buckets, name, store) = create(&context, &options).await?;
        let [first, second, _] = put_versions(&*store, "k", ["one", "two", "three"]).await?;
        buckets.set_versioning(&name, false).await?;
        put(&*store, "k", "four").await?;
        put(&*store, "k", "five").await?;
        holds(&*store, "k", "five").await?;
        ensure_eq!(read_version(&*store, "k", &first).await?, "one");
        ensure_eq!(read_version(&*store, "k", &second).await?, "two");
        lists(&*store, &["k"]).await?;
        let whole = lines(&*store, &all()).await?;
        ensure!(whole.iter().filter(|line| line.2).count() == 1, "the latest of {whole:?}");
        for size in [1_u32, 2] {
            let paged = lines(&*store, &all().with_page_size(size)).await?;
            ensure_eq!(paged, whole, "pages of {size}");
        }
        Ok(())
    }

    /// Versions are kept again once versioning is switched on again.
    #[needs(BucketVersioning, ListVersions, ReadVersion)]
    async fn off_and_on(context: Context) -> CaseResult {
        let options = CreateBucketOptions::default().with_versioning(true);
        let (buckets, name, store) = create(&context, &options).await?;
        let [first, _] = put_versions(&*store, "k", ["one", "two"]).await?;
        buckets.set_versioning(&name, false).await?;
        put(&*store, "k", "three").await?;
        buckets.set_versioning(&name, true).await?;
        let [_, fifth] = put_versions(&*store, "k", ["four", "five"]).await?;
        ensure_eq!(read_version(&*store, "k", &first).await?, "one");
        ensure_eq!(head(&*store, "k").await?.revision.version, Some(fifth));
        let whole = lines(&*store, &all()).await?;
        for size in [1_u32, 2, 3] {
            let paged = lines(&*store, &all().with_page_size(size)).await?;
            ensure_eq!(paged, whole, "pages of {size}");
        }
        Ok(())
    }
}
