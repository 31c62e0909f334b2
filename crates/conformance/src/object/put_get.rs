//! Writing and reading whole objects.

use polycloud_core::object::{GetOptions, Key, Payload, PutOptions};

use crate::case::{cases, ensure_eq};

cases! {
    Store, "put_get";

    /// What was put is what is read.
    async fn round_trip(context: Context) -> CaseResult {
        let (store, key) = (context.store().await?, Key::new("a/b.txt")?);
        let put = store.put(&key, Payload::from("hello"), &PutOptions::default()).await?;
        ensure_eq!(put.size, 5);
        let got = store.get(&key, &GetOptions::default()).await?;
        ensure_eq!(got.range, 0..5);
        ensure_eq!(got.bytes().await?, "hello");
        Ok(())
    }
}
