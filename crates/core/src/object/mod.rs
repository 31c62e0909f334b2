//! Object storage: [`ObjectStore`], its facets and its value types.

mod attributes;
mod body;
mod bucket;
mod buckets;
mod condition;
mod ext;
mod key;
mod meta;
mod multipart;
mod options;
mod payload;
mod range;
mod signer;
mod store;
mod upload;

pub use self::attributes::{Attributes, Metadata, StorageClass, Tags};
pub use self::body::{Body, BodySource, GetResult};
pub use self::bucket::BucketName;
pub use self::buckets::{
    BucketInfo, BucketPage, Buckets, CreateBucketOptions, DeleteBucketOptions, LifecycleRule,
};
pub use self::condition::{Access, ETag, Precondition, Revision, VersionId};
pub use self::ext::ObjectStoreExt;
pub use self::key::Key;
pub use self::meta::{
    DeleteMarker, DeleteOutcome, DeleteResult, ListEntry, ListPage, ObjectMeta, PutResult,
};
pub use self::multipart::{
    CompleteOptions, MultipartStore, Part, PartNumber, UploadId, UploadInfo, UploadPage,
};
pub use self::options::{
    ChecksumRequest, CopyOptions, CopySource, DeleteItem, DeleteOptions, GetOptions, HeadOptions,
    ListOptions, ObjectUpdate, PutOptions, UploadOptions, Verify,
};
pub use self::payload::{Payload, PayloadSource};
pub use self::range::Range;
pub use self::signer::{SignOptions, SignedRequest, Signer};
pub use self::store::{ObjectStore, StoreInfo, Upload};
pub use self::upload::PartedUpload;
