use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;

use super::upload::LayeredUpload;
use super::view::View;
use super::{Around, Layered, run};
use crate::capability::Capabilities;
use crate::error::{Error, ErrorKind, Result, ResultExt};
use crate::object::{
    CopyOptions, CopySource, DeleteItem, DeleteOptions, DeleteOutcome, DeleteResult, GetOptions,
    GetResult, HeadOptions, Key, ListOptions, ListPage, MultipartStore, ObjectMeta, ObjectStore,
    ObjectUpdate, Payload, PutOptions, PutResult, Signer, StoreInfo, Upload, UploadOptions,
};
use crate::page::PageToken;

impl<S: ?Sized, A: Around> Layered<S, A> {
    pub(super) fn view(&self) -> View<'_> {
        View(self.around.prefix())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: ObjectStore + ?Sized, A: Around> ObjectStore for Layered<S, A> {
    fn info(&self) -> &StoreInfo {
        self.inner.info()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn get(&self, key: &Key, options: &GetOptions) -> Result<GetResult> {
        let call = self.reads("get", key);
        let get = async {
            let mut result = self.inner.get(&*self.view().key(key)?, options).await?;
            result.meta = self.view().meta(result.meta)?;
            Ok(result)
        };
        let mut result = run(&*self.around, call, get).await?;
        result.body = self.around.body(call, result.body);
        Ok(result)
    }

    async fn head(&self, key: &Key, options: &HeadOptions) -> Result<ObjectMeta> {
        let head =
            async { self.view().meta(self.inner.head(&*self.view().key(key)?, options).await?) };
        run(&*self.around, self.reads("head", key), head).await
    }

    async fn put(&self, key: &Key, payload: Payload, options: &PutOptions) -> Result<PutResult> {
        let call = self.writes("put", key).with_bytes(payload.len());
        let put = async { self.inner.put(&*self.view().key(key)?, payload, options).await };
        run(&*self.around, call, put).await
    }

    async fn upload(&self, key: &Key, options: &UploadOptions) -> Result<Box<dyn Upload>> {
        let upload = async { self.inner.upload(&*self.view().key(key)?, options).await };
        let upload = run(&*self.around, self.writes("upload", key), upload).await?;
        Ok(Box::new(LayeredUpload::new(upload, Arc::clone(&self.around), self.provider, key)))
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<DeleteResult> {
        let delete = async { self.inner.delete(&*self.view().key(key)?, options).await };
        run(&*self.around, self.writes("delete", key), delete).await
    }

    async fn delete_many(&self, items: Vec<DeleteItem>) -> Vec<DeleteOutcome> {
        let target = format!("{} objects", items.len());
        let inward = |item: &DeleteItem| {
            let key = self.view().key(&item.key);
            let key = key.during(self.provider, "delete_many", &item.key)?.into_owned();
            Ok(DeleteItem::new(key, item.options.clone()))
        };
        let mut sent = Vec::with_capacity(items.len());
        let refused: Vec<Option<Error>> =
            items.iter().map(|item| inward(item).map(|item| sent.push(item)).err()).collect();
        let delete = async { Ok(self.inner.delete_many(sent).await) };
        let answer = run(&*self.around, self.writes("delete_many", &target), delete).await;
        let mut answer = Answer::from(answer);
        let outcome = |(item, refused): (DeleteItem, Option<Error>)| {
            let result = refused.map_or_else(|| answer.next(&item.key), Err);
            DeleteOutcome::new(item, result)
        };
        items.into_iter().zip(refused).map(outcome).collect()
    }

    async fn list_page(
        &self,
        options: &ListOptions,
        token: Option<&PageToken>,
    ) -> Result<ListPage> {
        let list = async {
            self.view().page(self.inner.list_page(&self.view().list(options), token).await?)
        };
        run(&*self.around, self.reads("list_page", &options.prefix), list).await
    }

    async fn copy(&self, from: &CopySource, to: &Key, options: &CopyOptions) -> Result<PutResult> {
        let copy = async {
            let (from, to) = (self.view().source(from)?, self.view().key(to)?);
            self.inner.copy(&from, &to, options).await
        };
        run(&*self.around, self.writes("copy", to), copy).await
    }

    async fn update(&self, key: &Key, update: &ObjectUpdate) -> Result<ObjectMeta> {
        let change =
            async { self.view().meta(self.inner.update(&*self.view().key(key)?, update).await?) };
        run(&*self.around, self.writes("update", key), change).await
    }

    fn signer(&self) -> Option<&dyn Signer> {
        self.inner.signer().map(|_| self as _)
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        self.inner.multipart().map(|_| self as _)
    }

    fn native(&self) -> &dyn Any {
        self.inner.native()
    }
}

/// What came of the items of a delete of many.
enum Answer {
    Each(std::vec::IntoIter<DeleteOutcome>),
    /// The layer made the whole call fail: every item gets that error.
    Failed(Arc<Error>),
}

impl Answer {
    fn next(&mut self, key: &Key) -> Result<DeleteResult> {
        match self {
            Self::Each(outcomes) => outcomes.next().map_or_else(
                || {
                    let missing = Error::new(ErrorKind::InvalidResponse).with_target(key);
                    Err(missing.with_message("there are fewer outcomes than items"))
                },
                |outcome| outcome.result,
            ),
            Self::Failed(error) => Err(share(error, key)),
        }
    }
}

impl From<Result<Vec<DeleteOutcome>>> for Answer {
    fn from(answer: Result<Vec<DeleteOutcome>>) -> Self {
        match answer {
            Ok(outcomes) => Self::Each(outcomes.into_iter()),
            Err(error) => Self::Failed(Arc::new(error)),
        }
    }
}

/// The error of a whole call as the error of one of its items.
fn share(whole: &Arc<Error>, key: &Key) -> Error {
    let mut error = Error::new(whole.kind())
        .with_outcome(whole.outcome())
        .with_retry(whole.retry())
        .with_radius(whole.radius())
        .with_message(whole.message().to_owned())
        .with_provider(whole.provider().to_owned())
        .with_operation(whole.operation())
        .with_target(key);
    if let Some(after) = whole.retry_after() {
        error = error.with_retry_after(after);
    }
    error.with_source(Arc::clone(whole))
}
