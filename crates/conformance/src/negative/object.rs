use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use polycloud_core::ErrorKind;
use polycloud_core::capability::Feature;
use polycloud_core::checksum::ChecksumAlgorithm;
use polycloud_core::object::{
    Attributes, BucketName, ChecksumRequest, CopyOptions, CopySource, CreateBucketOptions,
    DeleteOptions, ETag, GetOptions, HeadOptions, Key, LifecycleRule, ListOptions, ObjectUpdate,
    PartNumber, Payload, Precondition, PutOptions, Range, StorageClass, Tags, UploadId,
    UploadOptions, VersionId,
};

use super::Probe;
use crate::case::{CaseResult, Context, Failure, ensure};
use crate::expect::expect_kind;

type Work = BoxFuture<'static, CaseResult>;

/// The probe of a feature of object stores or buckets.
pub(super) fn probe(feature: Feature) -> Option<Probe> {
    use Feature as F;
    Some(match feature {
        F::RangeSuffix => |c| get(c, Ok(GetOptions::default().with_range(Range::suffix(1)))),
        F::ReadIfMatch => |c| read_if(c, Precondition::IfMatch(etag())),
        F::ReadIfNoneMatch => |c| read_if(c, Precondition::IfNoneMatch(etag())),
        F::ReadIfDate => |c| read_if(c, Precondition::IfModifiedSince(date())),
        F::ReadVersion => |c| get(c, Ok(GetOptions::default().with_version(version()))),
        F::WriteIfAbsent => |c| write_if(c, Precondition::IfAbsent),
        F::WriteIfExists => |c| write_if(c, Precondition::IfExists),
        F::WriteIfMatch => |c| write_if(c, Precondition::IfMatch(etag())),
        F::WriteIfNoneMatch => |c| write_if(c, Precondition::IfNoneMatch(etag())),
        F::WriteIfDate => |c| write_if(c, Precondition::IfUnmodifiedSince(date())),
        F::DeleteIfExists => |c| delete_if(c, Precondition::IfExists),
        F::DeleteIfMatch => |c| delete_if(c, Precondition::IfMatch(etag())),
        F::DeleteIfOther => |c| delete_if(c, Precondition::IfUnmodifiedSince(date())),
        F::DeleteVersion => |c| delete(c, DeleteOptions::default().with_version(version())),
        F::CopySourceCondition => |c| copy(c, |from| Ok(from.with_precondition(condition()))),
        F::CopyTargetCondition => |c| Box::pin(copy_if(c)),
        F::CopySourceVersion => |c| copy(c, |from| Ok(from.with_version(version()))),
        F::CopyAcrossBuckets => {
            |c| copy(c, |from| Ok(from.with_bucket(BucketName::new("conformance-nowhere")?)))
        }
        F::Attributes => |c| {
            let attributes = Attributes::new().with_content_type("text/plain");
            put(c, attributes.map(|it| PutOptions::default().with_attributes(it)))
        },
        F::Metadata => |c| {
            let attributes = Attributes::new().with_metadata("name", "value");
            put(c, attributes.map(|it| PutOptions::default().with_attributes(it)))
        },
        F::Tags => |c| Box::pin(tags(c)),
        F::StorageClass => {
            |c| put(c, class().map(|it| PutOptions::default().with_storage_class(it)))
        }
        F::UpdateAttributes => {
            |c| update(c, Ok(ObjectUpdate::default().with_attributes(Attributes::new())))
        }
        F::UpdateTags => |c| update(c, Ok(ObjectUpdate::default().with_tags(Tags::new()))),
        F::UpdateStorageClass => {
            |c| update(c, class().map(|it| ObjectUpdate::default().with_storage_class(it)))
        }
        F::Crc32c => |c| checksum(c, ChecksumAlgorithm::Crc32c),
        F::Crc64Nvme => |c| checksum(c, ChecksumAlgorithm::Crc64Nvme),
        F::Md5 => |c| checksum(c, ChecksumAlgorithm::Md5),
        F::Sha256 => |c| checksum(c, ChecksumAlgorithm::Sha256),
        F::ListStartAfter => |c| list(c, ListOptions::default().with_start_after("a")),
        F::ListDelimiter => |c| list(c, ListOptions::default().with_delimiter("-")),
        F::ListAttributes => |c| list(c, ListOptions::default().with_attributes(true)),
        F::ListTags => |c| list(c, ListOptions::default().with_tags(true)),
        F::ListVersions => |c| list(c, ListOptions::default().with_versions(true)),
        F::Multipart => |c| Box::pin(multipart(c)),
        F::MultipartCopy => |c| Box::pin(multipart_copy(c)),
        F::SignedUrls => |c| Box::pin(signed_urls(c)),
        F::BucketVersioning => |c| Box::pin(bucket_versioning(c)),
        F::BucketLifecycle => |c| Box::pin(bucket_lifecycle(c)),
        F::BucketLocation => |c| Box::pin(bucket_location(c)),
        _ => return None,
    })
}

fn missing() -> polycloud_core::Result<Key> {
    Key::new("conformance/no such object")
}

fn etag() -> ETag {
    ETag::new("conformance")
}

fn version() -> VersionId {
    VersionId::new("conformance")
}

fn condition() -> Precondition {
    Precondition::IfMatch(etag())
}

fn class() -> polycloud_core::Result<StorageClass> {
    StorageClass::new("CONFORMANCE")
}

fn date() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

fn get(context: Context, options: polycloud_core::Result<GetOptions>) -> Work {
    Box::pin(async move {
        let result = context.store().await?.get(&missing()?, &options?).await;
        expect_kind(result, ErrorKind::Unsupported).map(drop)
    })
}

fn read_if(context: Context, precondition: Precondition) -> Work {
    Box::pin(async move {
        let store = context.store().await?;
        let options = HeadOptions::default().with_precondition(precondition.clone());
        expect_kind(store.head(&missing()?, &options).await, ErrorKind::Unsupported)?;
        let options = GetOptions::default().with_precondition(precondition);
        expect_kind(store.get(&missing()?, &options).await, ErrorKind::Unsupported).map(drop)
    })
}

fn put(context: Context, options: polycloud_core::Result<PutOptions>) -> Work {
    Box::pin(async move {
        let (store, key, options) = (context.store().await?, missing()?, options?);
        let upload = store.upload(&key, &UploadOptions::from(options.clone())).await;
        expect_kind(upload, ErrorKind::Unsupported)?;
        let result = store.put(&key, Payload::from("x"), &options).await;
        expect_kind(result, ErrorKind::Unsupported)?;
        expect_kind(store.head(&key, &HeadOptions::default()).await, ErrorKind::NotFound).map(drop)
    })
}

fn write_if(context: Context, precondition: Precondition) -> Work {
    let options = CopyOptions::default().with_precondition(precondition.clone());
    let written = put(context.clone(), Ok(PutOptions::default().with_precondition(precondition)));
    Box::pin(async move {
        written.await?;
        let (store, key) = (context.store().await?, missing()?);
        let result = store.copy(&CopySource::new(key.clone()), &key, &options).await;
        expect_kind(result, ErrorKind::Unsupported).map(drop)
    })
}

fn delete(context: Context, options: DeleteOptions) -> Work {
    Box::pin(async move {
        let (store, key) = (context.store().await?, missing()?);
        expect_kind(store.delete(&key, &options).await, ErrorKind::Unsupported)?;
        let item = polycloud_core::object::DeleteItem::new(key, options);
        let mut outcomes = store.delete_many(vec![item]).await;
        let outcome = outcomes.pop().ok_or_else(|| Failure::new("no outcome of the item"))?;
        expect_kind(outcome.result, ErrorKind::Unsupported).map(drop)
    })
}

fn delete_if(context: Context, precondition: Precondition) -> Work {
    delete(context, DeleteOptions::default().with_precondition(precondition))
}

fn copy(context: Context, from: fn(CopySource) -> polycloud_core::Result<CopySource>) -> Work {
    Box::pin(async move {
        let from = from(CopySource::new(missing()?))?;
        let store = context.store().await?;
        let result = store.copy(&from, &Key::new("target")?, &CopyOptions::default()).await;
        expect_kind(result, ErrorKind::Unsupported).map(drop)
    })
}

/// A condition that the store knows for writes, or any, if it knows none.
async fn copy_if(context: Context) -> CaseResult {
    let store = context.store().await?;
    let known = [Precondition::IfAbsent, Precondition::IfMatch(etag()), Precondition::IfExists];
    for condition in known {
        let from = CopySource::new(missing()?);
        let options = CopyOptions::default().with_precondition(condition);
        let result = store.copy(&from, &Key::new("target")?, &options).await;
        expect_kind(result, ErrorKind::Unsupported)?;
    }
    Ok(())
}

async fn tags(context: Context) -> CaseResult {
    let tags = Tags::new().with("name", "value")?;
    put(context.clone(), Ok(PutOptions::default().with_tags(tags))).await?;
    let store = context.store().await?;
    let options = HeadOptions::default().with_tags(true);
    expect_kind(store.head(&missing()?, &options).await, ErrorKind::Unsupported).map(drop)
}

fn update(context: Context, update: polycloud_core::Result<ObjectUpdate>) -> Work {
    Box::pin(async move {
        let result = context.store().await?.update(&missing()?, &update?).await;
        expect_kind(result, ErrorKind::Unsupported).map(drop)
    })
}

fn checksum(context: Context, algorithm: ChecksumAlgorithm) -> Work {
    put(context, Ok(PutOptions::default().with_checksum(ChecksumRequest::Compute(algorithm))))
}

fn list(context: Context, options: ListOptions) -> Work {
    Box::pin(async move {
        let result = context.store().await?.list_page(&options, None).await;
        expect_kind(result, ErrorKind::Unsupported).map(drop)
    })
}

async fn multipart(context: Context) -> CaseResult {
    ensure!(context.store().await?.multipart().is_none(), "there is a multipart() all the same");
    Ok(())
}

async fn multipart_copy(context: Context) -> CaseResult {
    let store = context.store().await?;
    let Some(multipart) = store.multipart() else { return Ok(()) };
    let (key, upload) = (missing()?, UploadId::new("conformance"));
    let from = CopySource::new(key.clone());
    let result = multipart.copy_part(&key, &upload, PartNumber::new(1)?, &from, None).await;
    expect_kind(result, ErrorKind::Unsupported).map(drop)
}

async fn signed_urls(context: Context) -> CaseResult {
    ensure!(context.store().await?.signer().is_none(), "there is a signer() all the same");
    Ok(())
}

async fn bucket_versioning(context: Context) -> CaseResult {
    let (buckets, name) = (context.buckets()?, BucketName::new(context.unique("none"))?);
    let options = CreateBucketOptions::default().with_versioning(true);
    expect_kind(buckets.create(&name, &options).await, ErrorKind::Unsupported)?;
    expect_kind(buckets.set_versioning(&name, true).await, ErrorKind::Unsupported).map(drop)
}

async fn bucket_lifecycle(context: Context) -> CaseResult {
    let (buckets, name) = (context.buckets()?, BucketName::new(context.unique("none"))?);
    expect_kind(buckets.lifecycle(&name).await, ErrorKind::Unsupported)?;
    let rules = [LifecycleRule::default()];
    expect_kind(buckets.set_lifecycle(&name, &rules).await, ErrorKind::Unsupported).map(drop)
}

async fn bucket_location(context: Context) -> CaseResult {
    let (buckets, name) = (context.buckets()?, BucketName::new(context.unique("none"))?);
    let options = CreateBucketOptions::default().with_location("conformance");
    expect_kind(buckets.create(&name, &options).await, ErrorKind::Unsupported).map(drop)
}
