//! The model notices stores that break one rule, and says in a few steps which.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::any::Any;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use polycloud_conformance::model::{Counterexample, check};
use polycloud_core::Result;
use polycloud_core::capability::Capabilities;
use polycloud_core::object::{
    CopyOptions, CopySource, DeleteItem, DeleteOptions, DeleteOutcome, DeleteResult, GetOptions,
    GetResult, HeadOptions, Key, ListEntry, ListOptions, ListPage, MultipartStore, ObjectMeta,
    ObjectStore, ObjectUpdate, Payload, Precondition, PutOptions, PutResult, Range, Signer,
    StoreInfo, Tags, Upload, UploadOptions,
};
use polycloud_core::page::PageToken;
use polycloud_local::MemoryStore;

use self::harness::Stores;

mod harness;

/// How a store can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    IgnoresIfAbsent,
    IgnoresConditionsOfUploads,
    RangesEndLate,
    ListsDeleted,
    LosesKeyBetweenPages,
    ListsGroupTwice,
    TakesSlashesTogether,
    ForgetsTagsOfCopies,
    DeletesDespiteCondition,
    RemovesCurrentInsteadOfVersion,
    UpdateKeepsRevisionOfAnother,
}

/// A store that breaks one rule.
#[derive(Debug)]
struct Broken {
    store: MemoryStore,
    fault: Fault,
    deleted: Mutex<Vec<ObjectMeta>>,
}

impl Broken {
    fn key(&self, key: &Key) -> Key {
        match self.fault {
            Fault::TakesSlashesTogether => Key::new(key.replace("//", "/")).unwrap(),
            _ => key.clone(),
        }
    }
}

#[async_trait]
impl ObjectStore for Broken {
    fn info(&self) -> &StoreInfo {
        self.store.info()
    }

    fn capabilities(&self) -> &Capabilities {
        self.store.capabilities()
    }

    async fn get(&self, key: &Key, options: &GetOptions) -> Result<GetResult> {
        let mut options = options.clone();
        if self.fault == Fault::RangesEndLate
            && let Some(range) = options.range
            && !range.is_empty()
            && let Ok(bytes) = range.resolve(1 << 40)
            && bytes.end < 1 << 40
        {
            options.range = Some(Range::bounded(bytes.start, bytes.end + 1)?);
        }
        let mut result = self.store.get(&self.key(key), &options).await?;
        result.meta.key = key.clone();
        Ok(result)
    }

    async fn head(&self, key: &Key, options: &HeadOptions) -> Result<ObjectMeta> {
        let mut meta = self.store.head(&self.key(key), options).await?;
        meta.key = key.clone();
        Ok(meta)
    }

    async fn put(&self, key: &Key, payload: Payload, options: &PutOptions) -> Result<PutResult> {
        let mut options = options.clone();
        if self.fault == Fault::IgnoresIfAbsent {
            options.precondition.take_if(|it| *it == Precondition::IfAbsent);
        }
        self.store.put(&self.key(key), payload, &options).await
    }

    async fn upload(&self, key: &Key, options: &UploadOptions) -> Result<Box<dyn Upload>> {
        let mut options = options.clone();
        if self.fault == Fault::IgnoresConditionsOfUploads {
            options.put.precondition = None;
        }
        self.store.upload(&self.key(key), &options).await
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<DeleteResult> {
        let mut options = options.clone();
        match self.fault {
            Fault::DeletesDespiteCondition => options.precondition = None,
            Fault::RemovesCurrentInsteadOfVersion if options.version.is_some() => {
                let current = self.store.head(key, &HeadOptions::default()).await;
                options.version = current.ok().and_then(|meta| meta.revision.version);
            }
            Fault::ListsDeleted => {
                let current = self.store.head(key, &HeadOptions::default()).await;
                self.deleted.lock().unwrap().extend(current.ok());
            }
            _ => {}
        }
        self.store.delete(&self.key(key), &options).await
    }

    async fn delete_many(&self, items: Vec<DeleteItem>) -> Vec<DeleteOutcome> {
        self.store.delete_many(items).await
    }

    async fn list_page(
        &self,
        options: &ListOptions,
        token: Option<&PageToken>,
    ) -> Result<ListPage> {
        let mut page = self.store.list_page(options, token).await?;
        match self.fault {
            Fault::LosesKeyBetweenPages if token.is_some() => drop(page.entries.drain(..1)),
            Fault::ListsGroupTwice => {
                let group = page.entries.last().filter(|it| matches!(it, ListEntry::Prefix(_)));
                page.entries.extend(group.filter(|_| page.next.is_some()).cloned());
            }
            Fault::ListsDeleted if token.is_none() && options.delimiter.is_none() => {
                let deleted = self.deleted.lock().unwrap().clone();
                let deleted = deleted.into_iter().filter(|it| it.key.starts_with(&options.prefix));
                for mut meta in deleted {
                    meta.attributes = None;
                    page.entries.push(ListEntry::Object(meta));
                }
                page.entries.sort_by(|a, b| a.name().cmp(b.name()));
            }
            _ => {}
        }
        Ok(page)
    }

    async fn copy(&self, from: &CopySource, to: &Key, options: &CopyOptions) -> Result<PutResult> {
        let (mut from, mut options) = (from.clone(), options.clone());
        from.key = self.key(&from.key);
        if self.fault == Fault::ForgetsTagsOfCopies {
            options.tags.get_or_insert_with(Tags::new);
        }
        self.store.copy(&from, &self.key(to), &options).await
    }

    async fn update(&self, key: &Key, update: &ObjectUpdate) -> Result<ObjectMeta> {
        let before = self.store.head(&self.key(key), &HeadOptions::default()).await;
        let mut meta = self.store.update(&self.key(key), update).await?;
        meta.key = key.clone();
        if self.fault == Fault::UpdateKeepsRevisionOfAnother {
            meta.revision = before?.revision;
        }
        Ok(meta)
    }

    fn signer(&self) -> Option<&dyn Signer> {
        None
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        self.store.multipart()
    }

    fn native(&self) -> &dyn Any {
        self
    }
}

/// What the model says of a store with this fault.
async fn found(fault: Fault, versioned: bool) -> Counterexample {
    let harness =
        Stores::broken(move |store| Arc::new(Broken { store, fault, deleted: Mutex::default() }));
    let found = check(&harness, versioned, 0..100, 60).await;
    let found = found.err().unwrap_or_else(|| panic!("{fault:?} was not noticed"));
    assert!(found.steps.len() <= 6, "{fault:?} took too many steps: {found}");
    let again = check(&harness, versioned, found.seed..found.seed + 1, found.length).await;
    assert_eq!(again.unwrap_err().steps, found.steps, "{fault:?} is not repeatable");
    found
}

macro_rules! mutants {
    ($($name:ident: $fault:ident, $versioned:literal, $steps:literal;)+) => {$(
        #[tokio::test]
        async fn $name() {
            let found = found(Fault::$fault, $versioned).await;
            assert!(found.steps.len() <= $steps, "{found}");
        }
    )+};
}

mutants! {
    if_absent_is_ignored: IgnoresIfAbsent, false, 2;
    if_absent_is_ignored_with_versions: IgnoresIfAbsent, true, 2;
    conditions_of_uploads_are_ignored: IgnoresConditionsOfUploads, false, 2;
    a_range_is_off_by_one: RangesEndLate, false, 3;
    deleted_keys_are_listed: ListsDeleted, false, 3;
    deleted_keys_are_listed_with_versions: ListsDeleted, true, 3;
    a_key_is_lost_between_pages: LosesKeyBetweenPages, false, 3;
    a_group_is_listed_twice: ListsGroupTwice, false, 4;
    slashes_are_taken_together: TakesSlashesTogether, false, 3;
    tags_of_copies_are_forgotten: ForgetsTagsOfCopies, false, 3;
    a_delete_ignores_its_condition: DeletesDespiteCondition, false, 4;
    a_delete_removes_another_version: RemovesCurrentInsteadOfVersion, true, 5;
    an_update_returns_an_old_revision: UpdateKeepsRevisionOfAnother, false, 3;
}
