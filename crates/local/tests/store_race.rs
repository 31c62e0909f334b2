//! Two processes race for the same keys. Each contest has exactly one winner.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod support;

use std::io::{BufRead, BufReader, Write};

use polycloud_core::ErrorKind;
use polycloud_core::object::{
    ETag, HeadOptions, Key, ObjectStore, Payload, Precondition, PutOptions, Revision,
};
use polycloud_local::{Durability, LocalStore};

/// Contests of each kind.
const CONTESTS: usize = 5_000;

/// Takes part in every contest and prints those that it won.
#[test]
#[ignore = "the process that the test below starts twice"]
fn racer() {
    let Some(args) = support::args() else { return };
    let [root, name] = &args[..] else { panic!("two arguments") };
    let store = LocalStore::builder(root).durability(Durability::Fast).open().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut input = std::io::stdin().lines();
        let mut output = std::io::stdout().lock();
        // The other side writes a line when both are ready, then the ETags of the winners.
        writeln!(output, "ready").unwrap();
        input.next();
        for i in 0..CONTESTS {
            let options = PutOptions::default().with_precondition(Precondition::IfAbsent);
            match store.put(&key(i), Payload::from(name.clone()), &options).await {
                Ok(result) => writeln!(output, "{i} {}", result.revision.etag.unwrap()).unwrap(),
                Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}"),
            }
        }
        writeln!(output, "done").unwrap();
        let etags: Vec<_> = input.take(CONTESTS).map(|line| ETag::new(line.unwrap())).collect();
        for (i, etag) in etags.into_iter().enumerate() {
            let unchanged = Precondition::IfUnchanged(Revision::new(etag, None));
            let options = PutOptions::default().with_precondition(unchanged);
            match store.put(&key(i), Payload::from(format!("{name} again")), &options).await {
                Ok(result) => writeln!(output, "{i} {}", result.revision.etag.unwrap()).unwrap(),
                Err(error) => assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error:?}"),
            }
        }
        writeln!(output, "done").unwrap();
    });
}

fn key(i: usize) -> Key {
    // Every third key is one that has no plain path.
    Key::new(format!("race{}{i}", ["/", "-", "//"][i % 3])).unwrap()
}

/// Reads the contests that a racer won, with the ETags of what it wrote.
fn wins(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Vec<(usize, String)> {
    let lines = lines.map(Result::unwrap).take_while(|line| line != "done");
    lines
        .map(|line| {
            let (i, etag) = line.split_once(' ').unwrap();
            (i.parse().unwrap(), etag.to_owned())
        })
        .collect()
}

/// Joins the wins of both: every contest once.
fn judge(mut wins: [Vec<(usize, String)>; 2]) -> Vec<String> {
    let counts = (wins[0].len(), wins[1].len());
    let mut all = std::mem::take(&mut wins[0]);
    all.append(&mut wins[1]);
    all.sort();
    let contests: Vec<_> = all.iter().map(|(i, _)| *i).collect();
    assert_eq!(contests, (0..CONTESTS).collect::<Vec<_>>(), "won {counts:?}");
    println!("{} to {}", counts.0, counts.1);
    all.into_iter().map(|(_, etag)| etag).collect()
}

#[tokio::test]
async fn each_contest_has_exactly_one_winner() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let mut racers = ["one", "two"].map(|name| support::spawn("racer", &[root, name]));
    let mut outputs =
        racers.each_mut().map(|racer| BufReader::new(racer.stdout.take().unwrap()).lines());
    let mut inputs = racers.each_mut().map(|racer| racer.stdin.take().unwrap());
    for output in &mut outputs {
        output.find(|line| line.as_ref().unwrap() == "ready");
    }
    inputs.iter_mut().for_each(|input| writeln!(input).unwrap());
    let etags = judge(outputs.each_mut().map(wins));
    // Both go on from the same revisions: whoever is first makes the other one's revision an old one.
    let lines = etags.join("\n");
    inputs.iter_mut().for_each(|input| writeln!(input, "{lines}").unwrap());
    let last = judge(outputs.each_mut().map(wins));
    for mut racer in racers {
        assert!(racer.wait().unwrap().success());
    }
    let store = LocalStore::open(folder.path()).unwrap();
    for (i, etag) in last.into_iter().enumerate() {
        let meta = store.head(&key(i), &HeadOptions::default()).await.unwrap();
        assert_eq!(meta.revision.etag, Some(ETag::new(etag)));
    }
}
