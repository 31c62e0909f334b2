//! A process that writes, overwrites and deletes is killed at any moment. What it had been told to be
//! done is whole and current, what it was doing happened or did not, and nothing is left over.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use polycloud_core::clock::{Clock, Random, SeededRandom, SystemClock};
use polycloud_core::object::{
    DeleteOptions, GetOptions, Key, ListOptions, ObjectStore, Payload, PutOptions, UploadOptions,
};
use polycloud_local::{Durability, LocalStore};

const WRITERS: u64 = 3;
const KEYS: [&str; 5] = ["plain.txt", "deep/er/file", "not//plain", "deep", "a/../b"];

/// Content that shows whether it is whole: its own number, repeated to a length that follows from it.
fn content(number: u64) -> Vec<u8> {
    let len = [0, 9, 5_000, 300_000][usize::try_from(number % 4).unwrap()];
    number.to_le_bytes().into_iter().cycle().take(len + 8).collect()
}

fn number_of(content: &[u8]) -> u64 {
    let number = u64::from_le_bytes(content[..8].try_into().unwrap());
    assert!(content == self::content(number), "a torn object of {} bytes", content.len());
    number
}

fn open(root: &str, round: usize) -> LocalStore {
    let durability = if round.is_multiple_of(4) { Durability::Full } else { Durability::Fast };
    LocalStore::builder(root).durability(durability).open().unwrap()
}

/// Writes until it is killed. Says on standard output what it begins (`<`) and what is done (`>`), each
/// with the key and the number of the content, or 0 for a delete.
#[test]
#[ignore = "the process that the test below kills"]
fn writer() {
    let Some(args) = support::args() else { return };
    let [root, round] = &args[..] else { panic!("two arguments") };
    let round: usize = round.parse().unwrap();
    let store = open(root, round);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        runtime.spawn(async move {
            let random = SeededRandom::new(round as u64 * 10 + writer);
            for step in 1.. {
                let key = KEYS[usize::try_from(random.next_u64() % 5).unwrap()];
                let name = format!("w{writer}-{key}");
                // Only the top level of a key tells the writers apart, so that their trees stay apart.
                let number = (round as u64) << 32 | writer << 24 | step;
                write_once(&store, &name, number, random.next_u64()).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    runtime.block_on(futures::future::join_all(writers));
}

async fn write_once(store: &LocalStore, name: &str, number: u64, choice: u64) {
    let key = Key::new(name).unwrap();
    let say = |line: String| println!("{line}");
    if choice.is_multiple_of(4) {
        say(format!("< {name} 0"));
        store.delete(&key, &DeleteOptions::default()).await.unwrap();
        say(format!("> {name} 0"));
        return;
    }
    say(format!("< {name} {number}"));
    if choice.is_multiple_of(5) {
        let mut upload = store.upload(&key, &UploadOptions::default()).await.unwrap();
        for piece in content(number).chunks(100_000) {
            upload.write(bytes::Bytes::copy_from_slice(piece)).await.unwrap();
        }
        upload.complete().await.unwrap();
    } else {
        store.put(&key, Payload::from(content(number)), &PutOptions::default()).await.unwrap();
    }
    say(format!("> {name} {number}"));
}

/// What a key may hold: what was last done, or what was begun after that.
#[derive(Default)]
struct Expected {
    done: u64,
    begun: Option<u64>,
}

#[tokio::test]
async fn acknowledged_writes_survive_and_nothing_is_left_over() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let random = SeededRandom::new(1);
    let random: &dyn Random = &random;
    let clock = SystemClock::new();
    let mut expected = BTreeMap::<String, Expected>::new();
    let (mut acknowledged, mut caught) = (0, 0);
    for round in 1..=support::rounds("POLYCLOUD_KILL_ROUNDS", 500) {
        let mut child = support::spawn("writer", &[root, &round.to_string()]);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // The first line shows that it is at work.
        let first = lines.find(|line| line.starts_with('<'));
        clock.sleep(Duration::from_micros(random.below(12_000))).await;
        child.kill().unwrap();
        child.wait().unwrap();
        for line in first.into_iter().chain(lines) {
            let words: Vec<_> = line.split(' ').collect();
            // The last line may be cut off, and then it is one that was begun before.
            let [what, name, number] = words[..] else { continue };
            let Ok(number) = number.parse() else { continue };
            let entry = expected.entry(name.to_owned()).or_default();
            match what {
                "<" => entry.begun = Some(number),
                ">" if entry.begun == Some(number) => {
                    (entry.done, entry.begun) = (number, None);
                    acknowledged += 1;
                }
                _ => {}
            }
        }
        caught += verify(&open(root, round), &mut expected).await;
        assert_no_strays(folder.path(), &expected);
    }
    assert!(acknowledged > 100, "the writers got hardly anything done: {acknowledged}");
    println!("{acknowledged} acknowledged writes, {caught} writes caught in the act");
}

/// Compares every key with what it may hold, and takes over what it does.
async fn verify(store: &LocalStore, expected: &mut BTreeMap<String, Expected>) -> usize {
    let mut caught = 0;
    let mut listed: Vec<String> = Vec::new();
    for (name, entry) in expected.iter_mut() {
        let key = Key::new(name.as_str()).unwrap();
        let found = match store.get(&key, &GetOptions::default()).await {
            Ok(result) => number_of(&result.bytes().await.unwrap()),
            Err(error) if error.kind() == polycloud_core::ErrorKind::NotFound => 0,
            Err(error) => panic!("{error:?}"),
        };
        assert!(found == entry.done || Some(found) == entry.begun, "{name}: {found}");
        caught += usize::from(entry.begun.is_some());
        (entry.done, entry.begun) = (found, None);
        if found != 0 {
            listed.push(name.clone());
        }
    }
    let page = store.list_page(&ListOptions::default(), None).await.unwrap();
    let names: Vec<_> = page.entries.iter().map(|entry| entry.name().to_owned()).collect();
    assert_eq!(names, listed);
    caught
}

/// Every file in the tree is an object or belongs to the store, and every directory has something in it.
fn assert_no_strays(root: &Path, expected: &BTreeMap<String, Expected>) {
    fn files(folder: &Path, found: &mut Vec<String>, root: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found, root);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    files(root, &mut found, root);
    let objects = expected.values().filter(|entry| entry.done != 0).count();
    let is_own = |path: &&String| {
        [".polycloud/locks/", ".polycloud/layout"].iter().any(|own| path.starts_with(own))
    };
    let strays = found.len() - found.iter().filter(is_own).count() - objects;
    assert_eq!(strays, 0, "{found:#?}");
}
