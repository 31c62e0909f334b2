//! The same store with parts of a kilobyte, so that uploads in parts need no megabytes.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use polycloud_aws::S3Store;
use polycloud_core::Result;
use polycloud_core::capability::Capabilities;
use polycloud_core::object::{
    CopyOptions, CopySource, DeleteItem, DeleteOptions, DeleteOutcome, DeleteResult, GetOptions,
    GetResult, HeadOptions, Key, ListOptions, ListPage, MultipartStore, ObjectMeta, ObjectStore,
    ObjectUpdate, PartedUpload, Payload, PutOptions, PutResult, Signer, StoreInfo, Upload,
    UploadOptions,
};
use polycloud_core::page::PageToken;

use crate::lab::PART;

#[derive(Debug, Clone)]
pub(crate) struct SmallParts {
    store: S3Store,
    capabilities: Capabilities,
}

impl SmallParts {
    pub(crate) fn new(store: &S3Store) -> Self {
        let mut capabilities = store.capabilities().clone();
        capabilities.limits.part_min_bytes = PART as u64;
        Self { store: store.clone(), capabilities }
    }
}

#[async_trait]
impl ObjectStore for SmallParts {
    fn info(&self) -> &StoreInfo {
        self.store.info()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn get(&self, key: &Key, options: &GetOptions) -> Result<GetResult> {
        self.store.get(key, options).await
    }

    async fn head(&self, key: &Key, options: &HeadOptions) -> Result<ObjectMeta> {
        self.store.head(key, options).await
    }

    async fn put(&self, key: &Key, payload: Payload, options: &PutOptions) -> Result<PutResult> {
        self.store.put(key, payload, options).await
    }

    async fn upload(&self, key: &Key, options: &UploadOptions) -> Result<Box<dyn Upload>> {
        let options = options.clone().with_part_size(PART as u64);
        Ok(Box::new(PartedUpload::new(Arc::new(self.clone()), key.clone(), options)?))
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<DeleteResult> {
        self.store.delete(key, options).await
    }

    async fn delete_many(&self, items: Vec<DeleteItem>) -> Vec<DeleteOutcome> {
        self.store.delete_many(items).await
    }

    async fn list_page(
        &self,
        options: &ListOptions,
        token: Option<&PageToken>,
    ) -> Result<ListPage> {
        self.store.list_page(options, token).await
    }

    async fn copy(&self, from: &CopySource, to: &Key, options: &CopyOptions) -> Result<PutResult> {
        self.store.copy(from, to, options).await
    }

    async fn update(&self, key: &Key, update: &ObjectUpdate) -> Result<ObjectMeta> {
        self.store.update(key, update).await
    }

    fn signer(&self) -> Option<&dyn Signer> {
        self.store.signer()
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        self.store.multipart()
    }

    fn native(&self) -> &dyn Any {
        self.store.native()
    }
}
