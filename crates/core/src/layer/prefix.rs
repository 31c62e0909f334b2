use super::Around;
use crate::error::Result;
use crate::object::Key;

/// Makes the keys of a store that begin with a prefix look like a bucket of their own. On a compute
/// it does nothing: instances have no keys.
///
/// - **Exact text.** The prefix is put in front of keys byte for byte: with `logs`, the key `logs2/x`
///   is `2/x`. End it with a `/` to mean a folder. The object called like the prefix itself is not in
///   the view, since it would have no name.
/// - **What is outside** cannot be reached, but for two ways that name it: the source of a copy in a
///   [named bucket](crate::object::CopySource::bucket) is a key of that bucket, and `native` is the
///   backend itself. Errors name the full key.
/// - **Errors.** A key that is too long with its prefix is
///   [`InvalidArgument`](crate::ErrorKind::InvalidArgument). A listing that holds something else than
///   what begins with the prefix is [`InvalidResponse`](crate::ErrorKind::InvalidResponse).
/// - **Order.** Layers inside of it see the keys of the bucket, those outside the caller's.
/// - **Cancellation and cost.** As without it; one allocation for each key.
#[derive(Debug, Clone)]
pub struct Prefix(String);

impl Prefix {
    /// What begins with this text. An empty one shows everything.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if it leaves no room for a key.
    pub fn new(prefix: impl Into<String>) -> Result<Self> {
        let prefix = prefix.into();
        Key::new(format!("{prefix}x"))?;
        Ok(Self(prefix))
    }
}

impl Around for Prefix {
    fn prefix(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{FakeStore, key};
    use super::*;
    use crate::error::ErrorKind;
    use crate::object::{
        CopyOptions, DeleteItem, HeadOptions, ListEntry, ListOptions, ObjectStore, ObjectStoreExt,
        ObjectUpdate, PutOptions, SignOptions, UploadOptions,
    };
    use std::sync::Arc;

    fn view(fake: &FakeStore) -> Arc<dyn ObjectStore> {
        super::super::store(Arc::new(fake.clone()), Prefix::new("a/").unwrap())
    }

    #[tokio::test]
    async fn every_method_moves_keys_below_the_prefix_and_back() {
        let fake = FakeStore::default();
        let store = view(&fake);
        fake.insert("b", &["outside"]);
        fake.insert("a/", &["folder"]);
        store.put_bytes(&key("put"), "1").await.unwrap();
        let mut upload = store.upload(&key("up"), &UploadOptions::default()).await.unwrap();
        upload.write("2".into()).await.unwrap();
        upload.complete().await.unwrap();
        let from = key("put").into();
        store.copy(&from, &key("copy"), &CopyOptions::default()).await.unwrap();
        assert_eq!(fake.keys(), ["a/", "a/copy", "a/put", "a/up", "b"]);

        assert_eq!(store.head(&key("up"), &HeadOptions::default()).await.unwrap().key, key("up"));
        let update = ObjectUpdate::default();
        assert_eq!(store.update(&key("up"), &update).await.unwrap().key, key("up"));
        let got = store.get(&key("put"), &Default::default()).await.unwrap();
        assert_eq!((got.meta.key.clone(), got.bytes().await.unwrap()), (key("put"), "1".into()));
        assert!(!store.exists(&key("b")).await.unwrap());
        let page = store.list_page(&ListOptions::default(), None).await.unwrap();
        let names: Vec<&str> = page.entries.iter().map(ListEntry::name).collect();
        assert_eq!(names, ["copy", "put", "up"]);
        let options = ListOptions::prefix("p").with_start_after("p");
        assert_eq!(store.list_page(&options, None).await.unwrap().entries.len(), 1);

        store.delete(&key("up"), &Default::default()).await.unwrap();
        let items = ["put", "b"].map(|name| DeleteItem::from(key(name)));
        let outcomes = store.delete_many(items.to_vec()).await;
        assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
        assert_eq!(outcomes.into_iter().map(|o| o.item).collect::<Vec<_>>(), items);
        assert_eq!(fake.keys(), ["a/", "a/copy", "b"]);
    }

    #[tokio::test]
    async fn facets_move_keys_too() {
        let fake = FakeStore::default();
        let store = view(&fake);
        let (signer, multipart) = (store.signer().unwrap(), store.multipart().unwrap());
        let options = SignOptions::new(http::Method::GET, std::time::Duration::from_secs(1));
        let signed = signer.sign(&key("x"), &options).await.unwrap();
        assert_eq!(signed.expose(), "fake:a/x");
        let id = multipart.create(&key("x"), &PutOptions::default()).await.unwrap();
        assert_eq!(id.as_str(), "a/x");
        let listed = multipart.uploads("x", None).await.unwrap().uploads;
        assert_eq!(listed.iter().map(|upload| &*upload.key).collect::<Vec<_>>(), ["x"]);
    }

    #[tokio::test]
    async fn keys_that_get_too_long_are_refused_one_by_one() {
        let fake = FakeStore::default();
        let store = view(&fake);
        let long = key(&"x".repeat(Key::MAX_BYTES - 1));
        let error = store.put_bytes(&long, "1").await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidArgument, "put"));
        fake.insert("a/1", &["1"]);
        fake.insert("a/2", &["2"]);
        let items = [key("1"), long, key("2")].map(DeleteItem::from);
        let outcomes = store.delete_many(items.to_vec()).await;
        let [first, second, third] = outcomes.try_into().unwrap();
        assert!(first.result.is_ok() && third.result.is_ok());
        let error = second.result.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidArgument, "delete_many"));
        assert_eq!(error.target(), items[1].key.as_str());
        assert_eq!(fake.keys(), [""; 0]);
        assert!(Prefix::new("x".repeat(Key::MAX_BYTES)).is_err());
    }
}
