use std::collections::BTreeSet;

use super::*;
use crate::capability::Feature;
use crate::object::{Attributes, Tags};
use crate::testing::FakeStore;

fn key(name: &str) -> Key {
    Key::new(name.to_owned()).unwrap()
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// That it compiles is the test: tasks need futures that are `Send`, and layers need `dyn`.
#[tokio::test]
async fn works_on_shared_stores_in_tasks() {
    let store = FakeStore::new().shared();
    let task = tokio::spawn(async move {
        store.put_bytes(&key("k"), "text").await?;
        store.get_ranges(&key("k"), &[0..1, 2..4]).await?;
        store.copy_to(&key("k"), &*store, &key("l"), &TransferOptions::default()).await?;
        let chunks = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from("x"))]);
        store.upload_stream(&key("s"), chunks, &TransferOptions::default()).await?;
        let listed = store.list("").try_collect::<Vec<_>>().await?.len();
        let deleted = store.delete_prefix("").await?.deleted;
        Ok::<_, crate::Error>((listed, deleted))
    });
    assert_eq!(task.await.unwrap().unwrap(), (3, 3));
}

#[tokio::test]
async fn bytes_go_in_and_out() {
    let store = FakeStore::new();
    store.put_bytes(&key("k"), vec![b'x'; 2_500]).await.unwrap();
    assert_eq!(store.get_bytes(&key("k")).await.unwrap(), vec![b'x'; 2_500]);
    assert_eq!(store.get_range(&key("k"), Range::suffix(3)).await.unwrap(), "xxx");
    assert_eq!(kind(store.get_bytes(&key("l")).await), Some(ErrorKind::NotFound));
    let empty = Range::bounded(9, 9).unwrap();
    let requests = store.seen("get").len();
    assert_eq!(store.get_range(&key("l"), empty).await.unwrap(), "");
    assert_eq!(store.seen("get").len(), requests);
}

#[tokio::test]
async fn only_a_missing_object_does_not_exist() {
    let store = FakeStore::new();
    assert!(!store.exists(&key("k")).await.unwrap());
    store.write("k", "");
    assert!(store.exists(&key("k")).await.unwrap());
    store.fail("head", ErrorKind::BucketNotFound);
    assert_eq!(kind(store.exists(&key("k")).await), Some(ErrorKind::BucketNotFound));
}

#[tokio::test]
async fn creates_and_swaps_are_conditional() {
    let store = FakeStore::new();
    let first = store.put_if_absent(&key("k"), "1").await.unwrap();
    assert_eq!(kind(store.put_if_absent(&key("k"), "2").await), Some(ErrorKind::AlreadyExists));
    store.compare_and_swap(&key("k"), first.revision.clone(), "2").await.unwrap();
    let stale = store.compare_and_swap(&key("k"), first.revision, "3").await;
    assert_eq!(kind(stale), Some(ErrorKind::PreconditionFailed));
    assert_eq!(store.read("k").unwrap(), "2");
}

#[tokio::test]
async fn rename_moves_everything() {
    let store = FakeStore::new();
    let attributes = Attributes::new().with_metadata("a", "b").unwrap();
    let tags = Tags::new().with("c", "d").unwrap();
    let options = PutOptions::default().with_attributes(attributes).with_tags(tags.clone());
    store.put(&key("a"), "text".into(), &options).await.unwrap();
    let put = store.rename(&key("a"), &key("b")).await.unwrap();
    assert_eq!((store.read("a"), store.read("b").unwrap()), (None, "text".into()));
    let meta = store.meta("b");
    assert_eq!((meta.revision, meta.size, meta.tags), (put.revision, put.size, Some(tags)));
    assert_eq!(meta.attributes.unwrap().metadata().get("a"), Some("b"));
    assert_eq!(kind(store.rename(&key("a"), &key("c")).await), Some(ErrorKind::NotFound));
}

#[tokio::test]
async fn rename_to_itself_keeps_the_object() {
    let store = FakeStore::new();
    let meta = store.write("a", "text");
    let put = store.rename(&key("a"), &key("a")).await.unwrap();
    assert_eq!((put.revision, put.size), (meta.revision, 4));
    assert_eq!(store.read("a").unwrap(), "text");
}

#[tokio::test]
async fn rename_loses_no_write_in_between() {
    for operation in ["copy", "delete"] {
        let store = FakeStore::new();
        store.write("a", "old");
        store.before(move |store, seen| {
            if seen.operation == operation {
                store.write("a", "new");
            }
            Ok(())
        });
        let error = store.rename(&key("a"), &key("b")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
        assert_eq!(store.read("a").unwrap(), "new");
        let copied = error.outcome() == Outcome::Applied;
        assert_eq!((copied, store.read("b").is_some()), (operation == "delete", copied));
    }
    let store = FakeStore::new().without(&[Feature::CopySourceCondition, Feature::DeleteIfMatch]);
    store.write("a", "old");
    store.rename(&key("a"), &key("b")).await.unwrap();
    assert_eq!((store.read("a"), store.read("b").unwrap()), (None, "old".into()));
}

#[tokio::test]
async fn lists_join_pages() {
    let store = FakeStore::new();
    let names: Vec<String> = (0..10).map(|n| format!("dir/{n}")).collect();
    for name in &names {
        store.write(name, "x");
    }
    store.write("e", "x");
    let listed: Vec<ObjectMeta> = store.list("dir/").try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|meta| meta.key.as_str()).collect::<Vec<_>>(), names);
    assert_eq!(store.seen("list_page").len(), 4);
    let options = ListOptions::default().with_delimiter("/").with_page_size(1_u32);
    let entries: Vec<ListEntry> = store.list_with(options.clone()).try_collect().await.unwrap();
    assert_eq!(entries.iter().map(ListEntry::name).collect::<Vec<_>>(), ["dir/", "e"]);
    store.fail("list_page", ErrorKind::Timeout);
    let failed: Vec<_> = store.list_with(options).collect().await;
    assert_eq!(failed.len(), 1);
}

#[tokio::test]
async fn a_prefix_is_deleted_in_batches() {
    let store = FakeStore::new();
    for n in 0..22 {
        store.write(&format!("a/{n:02}"), "x");
    }
    store.write("b", "x");
    let summary = store.delete_prefix("a/").await.unwrap();
    assert_eq!((summary.deleted, summary.failed.len()), (22, 0));
    let batches: Vec<String> = store.seen("delete_many").into_iter().map(|seen| seen.key).collect();
    assert_eq!(batches, ["4", "4", "4", "4", "4", "2"]);
    assert!(store.read("b").is_some());
    assert_eq!(store.delete_prefix("a/").await.unwrap().deleted, 0);
    assert_eq!(store.delete_prefix("").await.unwrap().deleted, 1);
}

#[tokio::test]
async fn batches_are_deleted_side_by_side_and_not_all_at_once() {
    let store = FakeStore::new();
    for n in 0..100 {
        store.write(&format!("{n:02}"), "x");
    }
    let gate = store.gate("delete_many");
    let mut delete = std::pin::pin!(store.delete_prefix(""));
    for _ in 0..100 {
        assert!(futures::poll!(&mut delete).is_pending());
    }
    assert_eq!(store.waiting("delete_many"), 4);
    gate.add_permits(100);
    assert_eq!(delete.await.unwrap().deleted, 100);
}

#[tokio::test]
async fn what_cannot_be_deleted_is_reported_and_the_rest_goes() {
    let store = FakeStore::new();
    for n in 0..10 {
        store.write(&n.to_string(), "x");
    }
    store.before(|_, seen| match (seen.operation, seen.key.as_str()) {
        ("delete", "3" | "7") => Err(ErrorKind::Locked.into()),
        _ => Ok(()),
    });
    let summary = store.delete_prefix("").await.unwrap();
    assert_eq!(summary.deleted, 8);
    let failed: BTreeSet<&str> =
        summary.failed.iter().map(|outcome| outcome.item.key.as_str()).collect();
    assert_eq!(failed, BTreeSet::from(["3", "7"]));

    store.fail("list_page", ErrorKind::Unavailable);
    assert_eq!(kind(store.delete_prefix("").await), Some(ErrorKind::Unavailable));
}
