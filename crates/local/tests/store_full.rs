//! A file system of 1 MiB fills up. What does not fit is refused, what was there stays whole.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod support;

use std::process::{Command, Stdio};

use polycloud_core::object::{
    Attributes, DeleteOptions, GetOptions, HeadOptions, Key, ListOptions, ObjectStore,
    ObjectUpdate, Payload, PutOptions, UploadOptions,
};
use polycloud_core::{ErrorKind, Outcome};
use polycloud_local::{Durability, LocalStore};

/// Runs on the small file system, which is mounted where the argument says.
#[test]
#[ignore = "the process that the test below starts in a name space of its own"]
fn on_a_small_disk() {
    let Some(args) = support::args() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for durability in [Durability::Full, Durability::Fast] {
        runtime.block_on(fill(&format!("{}/{durability:?}", args[0]), durability));
    }
    println!("the disk was full");
}

async fn fill(root: &str, durability: Durability) {
    let store = LocalStore::builder(root).durability(durability).open().unwrap();
    let precious = Key::new("deep/precious").unwrap();
    let attributes = Attributes::new().with_content_type("text/plain").unwrap();
    let options = PutOptions::default().with_attributes(attributes.clone());
    let content = vec![7; 100_000];
    let before = store.put(&precious, Payload::from(content.clone()), &options).await.unwrap();

    // An overwrite that does not fit, in one piece and piece by piece.
    let huge = Payload::from(vec![8; 2 << 20]);
    let error = store.put(&precious, huge, &PutOptions::default()).await.unwrap_err();
    assert_full(&error);
    let mut upload = store.upload(&precious, &UploadOptions::default()).await.unwrap();
    let error = loop {
        if let Err(error) = upload.write(vec![9; 100_000].into()).await {
            break error;
        }
    };
    assert_full(&error);
    drop(upload);

    // Small objects until nothing fits any more, not even a name.
    let mut stored = 0;
    let error = loop {
        let key = Key::new(format!("filler/{stored}")).unwrap();
        match store.put(&key, Payload::from(vec![1; 4_000]), &PutOptions::default()).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_full(&error);
    assert!(stored > 50, "{stored} objects fitted");
    let update = ObjectUpdate::default().with_attributes(Attributes::new());
    let updated = store.update(&precious, &update).await;
    let expected = if updated.is_ok() { Attributes::new() } else { attributes };

    let result = store.get(&precious, &GetOptions::default()).await.unwrap();
    assert_eq!(result.bytes().await.unwrap(), content);
    let meta = store.head(&precious, &HeadOptions::default()).await.unwrap();
    assert_eq!(meta.attributes.as_ref(), Some(&expected));
    if updated.is_err() {
        assert_eq!(meta.revision, before.revision);
    }
    let page = store.list_page(&ListOptions::prefix("filler/"), None).await.unwrap();
    assert_eq!(page.entries.len(), stored);

    // Nothing of what failed holds on to the space.
    drop(store);
    let store = LocalStore::builder(root).durability(durability).open().unwrap();
    for entry in page.entries {
        let key = Key::new(entry.name()).unwrap();
        store.delete(&key, &DeleteOptions::default()).await.unwrap();
    }
    store.put(&precious, Payload::from(vec![2; 400_000]), &PutOptions::default()).await.unwrap();
    store.delete(&precious, &DeleteOptions::default()).await.unwrap();
}

fn assert_full(error: &polycloud_core::Error) {
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotApplied);
}

/// Mounting needs privileges, which a user has in a name space of their own, where the system allows
/// them to make one.
#[test]
fn a_full_disk_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mount = folder.path().to_str().unwrap();
    let small = format!("mount -t tmpfs -o size=1m,nr_inodes=400 small {mount}");
    let probe = |flags: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args([flags, "sh", "-c", &small]).stderr(Stdio::null());
        unshare.status().is_ok_and(|status| status.success())
    };
    let Some(flags) = ["-m", "-rm"].into_iter().find(|flags| probe(flags)) else {
        println!("not run: this system does not let the test mount a small file system");
        return;
    };
    let entry = "on_a_small_disk";
    let program = std::env::current_exe().unwrap();
    let script = format!("{small} && exec \"$0\" \"$@\"");
    let inner = support::command(&program, entry, &[mount]);
    let mut command = Command::new("unshare");
    command.args([flags, "sh", "-c", &script]).arg(&program).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("the disk was full"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
