//! Names and files that were made to break out of the directory, or to hang whoever opens them.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::path::Path;

use polycloud_core::ErrorKind;
use polycloud_core::clock::{Random, SeededRandom};
use polycloud_core::object::{
    CopyOptions, CopySource, DeleteOptions, GetOptions, Key, ListOptions, ObjectStore, Payload,
    PutOptions,
};
use polycloud_local::{Durability, LocalStore};

/// Pieces that mean something to a shell, a URL, a path or a file system.
const PIECES: [&str; 48] = [
    "..",
    ".",
    "/",
    "//",
    "/../",
    "/./",
    "a",
    "A",
    "é",
    "e\u{301}",
    "\\",
    "..\\",
    "C:",
    "CON",
    "NUL",
    "\0",
    "\n",
    "\r",
    "\t",
    "\u{7f}",
    "\u{1b}[2J",
    " ",
    "~",
    "-rf",
    "*",
    "?",
    "%2e%2e%2f",
    "%00",
    "$(id)",
    "`id`",
    ";",
    "|",
    "'",
    "\"",
    ".polycloud",
    ".POLYCLOUD",
    "tmp",
    "keys",
    "layout",
    "locks",
    "=",
    "+",
    "+/",
    "%",
    "\u{202e}",
    "\u{feff}",
    "😀",
    "etc/passwd",
];

fn hostile_names() -> BTreeSet<String> {
    let random = SeededRandom::new(2);
    let random: &dyn Random = &random;
    let mut names: BTreeSet<String> = [
        "../canary",
        "../../canary",
        "/canary",
        "x/../../canary",
        ".polycloud/layout",
        ".polycloud/keys/x=",
        ".polycloud",
        ".polycloud/../../canary",
        "..",
        ".",
        "/",
        "//",
        "../",
        "./..",
    ]
    .map(str::to_owned)
    .into();
    names.extend([255, 256, 1_023, 1_024].map(|len| "n".repeat(len)));
    names.extend([255, 256, 1_024].map(|len| "/".repeat(len)));
    names.extend(["é".repeat(512), "../".repeat(341), "A".repeat(1_024)]);
    while names.len() < 2_000 {
        let pick = || PIECES[usize::try_from(random.below(PIECES.len() as u64)).unwrap()];
        names.insert((0..=random.below(6)).map(|_| pick()).collect());
    }
    names
}

/// Everything in a folder but the store itself.
fn outside(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap() != "store")
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    found
}

fn open(folder: &Path) -> LocalStore {
    LocalStore::builder(folder.join("store")).durability(Durability::Fast).open().unwrap()
}

async fn read(store: &LocalStore, key: &Key) -> Result<bytes::Bytes, ErrorKind> {
    match store.get(key, &GetOptions::default()).await {
        Ok(result) => result.bytes().await.map_err(|error| error.kind()),
        Err(error) => Err(error.kind()),
    }
}

async fn listed(store: &LocalStore) -> Vec<String> {
    let (mut names, mut token) = (Vec::new(), None);
    loop {
        let page = store.list_page(&ListOptions::default(), token.as_ref()).await.unwrap();
        names.extend(page.entries.iter().map(|entry| entry.name().to_owned()));
        token = page.next;
        if token.is_none() {
            return names;
        }
    }
}

#[tokio::test]
async fn two_thousand_hostile_names_stay_inside_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("canary"), "alive").unwrap();
    let store = open(folder.path());
    let names = hostile_names();
    assert!(names.len() >= 2_000);
    for name in &names {
        let key = Key::new(name.as_str()).unwrap();
        store.put(&key, Payload::from(name.clone()), &PutOptions::default()).await.unwrap();
    }
    // Another store finds the same: nothing of a name is remembered but on the disk.
    let store = open(folder.path());
    for name in &names {
        let key = Key::new(name.as_str()).unwrap();
        assert_eq!(read(&store, &key).await.unwrap(), name.as_bytes(), "{name:?}");
    }
    assert_eq!(listed(&store).await, Vec::from_iter(names.iter().cloned()));
    for name in &names {
        let key = Key::new(name.as_str()).unwrap();
        let deleted = store.delete(&key, &DeleteOptions::default()).await.unwrap();
        assert_eq!(deleted.existed, Some(true), "{name:?}");
        assert_eq!(read(&store, &key).await, Err(ErrorKind::NotFound), "{name:?}");
    }
    assert!(listed(&store).await.is_empty());
    assert_eq!(outside(folder.path()).len(), 1);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("store")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn no_symbolic_link_leads_out() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
    std::fs::write(&secret, "secret").unwrap();
    let elsewhere = folder.path().join("elsewhere");
    let store = open(folder.path());
    let root = folder.path().join("store");
    symlink(&secret, root.join("link")).unwrap();
    symlink(&elsewhere, root.join("dir")).unwrap();
    symlink("../secret", root.join("relative")).unwrap();

    for name in ["link", "dir/x", "relative"] {
        let key = Key::new(name).unwrap();
        assert_eq!(read(&store, &key).await, Err(ErrorKind::PermissionDenied), "{name}");
    }
    let through = Key::new("dir/x").unwrap();
    let error = store.put(&through, Payload::from("x"), &PutOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
    let target = Key::new("copy").unwrap();
    let from = CopySource::new(Key::new("link").unwrap());
    assert!(store.copy(&from, &target, &CopyOptions::default()).await.is_err());
    assert!(listed(&store).await.is_empty());

    // Writing over a link replaces the link itself.
    let link = Key::new("link").unwrap();
    store.put(&link, Payload::from("mine"), &PutOptions::default()).await.unwrap();
    assert_eq!(read(&store, &link).await.unwrap(), "mine");
    assert_eq!(std::fs::read(&secret).unwrap(), b"secret");
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_not_a_file_is_no_object_and_hangs_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let root = folder.path().join("store");
    let pipe = std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap();
    assert!(pipe.success());
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    std::fs::create_dir(root.join("folder")).unwrap();
    for (name, kind) in [
        ("pipe", ErrorKind::InvalidResponse),
        ("socket", ErrorKind::InvalidResponse),
        ("folder", ErrorKind::NotFound),
    ] {
        assert_eq!(read(&store, &Key::new(name).unwrap()).await, Err(kind), "{name}");
    }
    assert!(listed(&store).await.is_empty());
    // The name of a folder is free for an object all the same.
    let key = Key::new("folder").unwrap();
    store.put(&key, Payload::from("both"), &PutOptions::default()).await.unwrap();
    assert_eq!(read(&store, &key).await.unwrap(), "both");
}

#[tokio::test]
async fn files_of_other_tools_are_objects() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let root = folder.path().join("store");
    std::fs::create_dir_all(root.join("by/hand")).unwrap();
    std::fs::write(root.join("by/hand/note.txt"), "one").unwrap();
    let key = Key::new("by/hand/note.txt").unwrap();
    let first = store.get(&key, &GetOptions::default()).await.unwrap();
    let revision = first.meta.revision.clone();
    assert_eq!(first.bytes().await.unwrap(), "one");
    // An edit in place is another revision.
    std::fs::write(root.join("by/hand/note.txt"), "two!").unwrap();
    let second = store.get(&key, &GetOptions::default()).await.unwrap();
    assert_ne!(second.meta.revision, revision);
    assert_eq!(second.bytes().await.unwrap(), "two!");
    assert_eq!(listed(&store).await, ["by/hand/note.txt"]);
}

/// A directory component turns into a link and back while others write through it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipping_link_lets_nothing_out() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("x"), "secret").unwrap();
    let store = open(folder.path());
    let flip = folder.path().join("store/flip");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flipper = std::thread::spawn({
        let (stop, elsewhere) = (stop.clone(), elsewhere.clone());
        move || {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = std::fs::remove_dir_all(&flip);
                let _ = std::os::unix::fs::symlink(&elsewhere, &flip);
                let _ = std::fs::remove_file(&flip);
                let _ = std::fs::create_dir(&flip);
            }
        }
    });
    let key = Key::new("flip/x").unwrap();
    for i in 0..10_000 {
        if i % 2 == 0 {
            let _ = store.put(&key, Payload::from("mine"), &PutOptions::default()).await;
        } else if let Ok(content) = read(&store, &key).await {
            assert_eq!(content, "mine");
        }
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    flipper.join().unwrap();
    assert_eq!(std::fs::read(elsewhere.join("x")).unwrap(), b"secret");
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 1);
}
