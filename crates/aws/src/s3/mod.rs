//! Amazon S3 and services that speak its protocol.

pub(crate) mod capabilities;
mod copy;
mod delete;
mod document;
mod headers;
mod list;
mod multipart;
mod read;
mod request;
mod service;
mod signer;
mod tags;
#[cfg(test)]
mod tests;
mod trailer;
mod write;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use http::{HeaderMap, Method};
use polycloud_core::capability::Capabilities;
use polycloud_core::object::{
    BucketName, CopyOptions, CopySource, DeleteItem, DeleteOptions, DeleteOutcome, DeleteResult,
    GetOptions, GetResult, HeadOptions, Key, ListOptions, ListPage, MultipartStore, ObjectMeta,
    ObjectStore, ObjectUpdate, PartedUpload, Payload, PutOptions, PutResult, Signer, StoreInfo,
    Upload, UploadOptions,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Result, ResultExt as _};
use polycloud_wire::Wire;

use self::read::unchanged;
use self::request::RequestBuilder;
use self::service::S3Service;
pub use self::signer::{PostForm, PostPolicy};
use crate::PROVIDER;
use crate::config::{Account, Endpoint, Resolved};
use crate::sign::SigV4;

/// Bytes of an answer that should have no body.
const NO_BODY: usize = 64 * 1024;

/// Bytes of an XML document: a page of 1,000 long keys is far below.
const DOCUMENT: usize = 16 * 1024 * 1024;

/// Bytes up to which a payload is sent in one request. Above, parts side by side are faster.
const SINGLE_PUT: u64 = 128 * 1024 * 1024;

/// One bucket of Amazon S3, or of a service that speaks its protocol. Cheap to clone; clones share
/// connections, credentials and the retry budget.
///
/// Opened by [`S3Config::open`](crate::S3Config::open).
#[derive(Clone)]
pub struct S3Store(Arc<Inner>);

struct Inner {
    info: StoreInfo,
    capabilities: Capabilities,
    wire: Wire<S3Service>,
    endpoint: Endpoint,
    account: Account,
    /// Headers that every request gets.
    request_headers: HeaderMap,
    /// Headers that every new object gets.
    object_headers: HeaderMap,
    /// Until when, in seconds of the clock, the bucket is taken to be there.
    bucket_seen: AtomicU64,
    /// Payloads up to this size are sent in one request.
    single_put: u64,
}

impl S3Store {
    pub(crate) fn from_resolved(resolved: Resolved) -> Result<Self> {
        let Resolved { bucket, endpoint, account } = resolved;
        let info = StoreInfo::new(PROVIDER, bucket.clone(), format!("s3://{bucket}"));
        let service = S3Service {
            credentials: account.credentials.clone(),
            signer: SigV4::new(account.region.clone(), "s3"),
            dialect: self::service::S3,
        };
        let wire = Wire::builder(service, Arc::clone(&account.client))
            .clock(Arc::clone(&account.clock))
            .random(Arc::clone(&account.random))
            .retry(account.retry.clone())
            .timeouts(account.timeouts)
            .build();
        Ok(Self(Arc::new(Inner {
            info: info.with_region(account.region.clone()),
            capabilities: capabilities::of(&account.quirks),
            wire,
            endpoint,
            request_headers: headers::of_requests(&account),
            object_headers: headers::of_objects(&account)?,
            bucket_seen: AtomicU64::new(0),
            single_put: SINGLE_PUT,
            account,
        })))
    }

    /// Takes objects above this size for too large for a single request.
    #[cfg(test)]
    fn limit_puts(&mut self, bytes: u64) {
        let inner = Arc::get_mut(&mut self.0).unwrap();
        inner.capabilities.limits.put_bytes = Some(bytes);
    }

    /// Another bucket of the account.
    fn sibling(&self, bucket: &BucketName) -> Result<Self> {
        Self::from_resolved(self.0.account.bucket(bucket.as_str())?)
    }

    fn request<'a>(&'a self, method: Method, key: Option<&'a Key>) -> RequestBuilder<'a> {
        RequestBuilder::new(&self.0.endpoint, method, key).headers(&self.0.request_headers)
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Store({})", self.0.info)
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    fn info(&self) -> &StoreInfo {
        &self.0.info
    }

    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    async fn get(&self, key: &Key, options: &GetOptions) -> Result<GetResult> {
        self.read(key, options).await.map_err(unchanged).during(PROVIDER, "get", key)
    }

    async fn head(&self, key: &Key, options: &HeadOptions) -> Result<ObjectMeta> {
        self.head_object(key, options).await.map_err(unchanged).during(PROVIDER, "head", key)
    }

    async fn put(&self, key: &Key, payload: Payload, options: &PutOptions) -> Result<PutResult> {
        self.write(key, payload, options).await.during(PROVIDER, "put", key)
    }

    async fn upload(&self, key: &Key, options: &UploadOptions) -> Result<Box<dyn Upload>> {
        let upload = PartedUpload::new(Arc::new(self.clone()), key.clone(), options.clone());
        Ok(Box::new(upload.during(PROVIDER, "upload", key)?))
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<DeleteResult> {
        self.remove(key, options).await.during(PROVIDER, "delete", key)
    }

    async fn delete_many(&self, items: Vec<DeleteItem>) -> Vec<DeleteOutcome> {
        let mut outcomes = self.remove_many(items).await;
        for outcome in &mut outcomes {
            let result = std::mem::replace(&mut outcome.result, Ok(DeleteResult::default()));
            outcome.result = result.during(PROVIDER, "delete_many", &outcome.item.key);
        }
        outcomes
    }

    async fn list_page(
        &self,
        options: &ListOptions,
        token: Option<&PageToken>,
    ) -> Result<ListPage> {
        let page = self.list(options, token).await.map_err(unchanged);
        page.during(PROVIDER, "list_page", &options.prefix)
    }

    async fn copy(&self, from: &CopySource, to: &Key, options: &CopyOptions) -> Result<PutResult> {
        self.copy_object(from, to, options).await.during(PROVIDER, "copy", to)
    }

    async fn update(&self, key: &Key, update: &ObjectUpdate) -> Result<ObjectMeta> {
        self.change(key, update).await.during(PROVIDER, "update", key)
    }

    fn signer(&self) -> Option<&dyn Signer> {
        Some(self)
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        Some(self)
    }

    fn native(&self) -> &dyn Any {
        self
    }
}
