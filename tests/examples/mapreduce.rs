//! The main job counts right, also when a worker is lost half-way.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::aws::Aws;
use crate::run::{example, nothing_is_left, succeed};

/// What a single process counts: the simplest program that could be right.
#[derive(Debug, PartialEq)]
struct Count {
    objects: u64,
    bytes: u64,
    words: BTreeMap<String, u64>,
}

fn count(directories: &[PathBuf]) -> Count {
    let mut count = Count { objects: 0, bytes: 0, words: BTreeMap::new() };
    let mut rest: Vec<PathBuf> = directories.to_vec();
    while let Some(directory) = rest.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = entry.file_name().into_string().unwrap();
            if kind.is_dir() && name != "target" && !name.starts_with('.') {
                rest.push(path);
            } else if kind.is_file() && !name.starts_with('.') {
                let content = fs::read(path).unwrap();
                count.objects += 1;
                count.bytes += content.len() as u64;
                let text = String::from_utf8_lossy(&content);
                for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty())
                {
                    *count.words.entry(word.to_lowercase()).or_default() += 1;
                }
            }
        }
    }
    count
}

/// What the main job has counted.
fn counted(result: &Value) -> Count {
    let words = result["words"].as_object().unwrap().iter();
    Count {
        objects: result["objects"].as_u64().unwrap(),
        bytes: result["bytes"].as_u64().unwrap(),
        words: words.map(|(word, n)| (word.clone(), n.as_u64().unwrap())).collect(),
    }
}

/// Texts that nobody changes while they are counted.
fn texts(home: &Path) -> PathBuf {
    let directory = home.join("texts");
    for n in 0..40 {
        let folder = directory.join(format!("{}", n % 7));
        fs::create_dir_all(&folder).unwrap();
        let line = format!("Zeile {n}: Äpfel, apples & яблоки — it's no {}!\n", "very ".repeat(n));
        fs::write(folder.join(format!("{n}.txt")), line.repeat(1 + n * 50)).unwrap();
    }
    fs::write(directory.join("empty"), "").unwrap();
    fs::write(directory.join("binary"), (0..=255).cycle().take(99_999).collect::<Vec<u8>>())
        .unwrap();
    fs::write(directory.join(".hidden"), "not this").unwrap();
    directory
}

/// Runs the main job on texts and compares with a single process. Returns how many tasks were done
/// again.
fn mapreduce(arguments: &[&str]) -> u64 {
    let home = TempDir::new().unwrap();
    let input = texts(home.path());
    let input_argument = ["--json", "--input", input.to_str().unwrap()];
    let output = succeed("mapreduce", home.path(), &[&input_argument, arguments].concat());
    let result: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(counted(&result), count(&[input]));
    nothing_is_left(home.path());
    result["repeated"].as_u64().unwrap()
}

#[test]
fn mapreduce_counts_as_a_single_process_does() {
    assert_eq!(mapreduce(&[]), 0);
    assert_eq!(mapreduce(&["--workers", "1"]), 0);
}

#[test]
fn the_work_of_a_killed_worker_is_done_again() {
    assert_eq!(mapreduce(&["--kill-one"]), 1);
}

#[test]
fn the_work_of_a_silent_worker_is_done_again() {
    assert_eq!(mapreduce(&["--hang-one", "--patience", "3"]), 1);
}

#[test]
fn the_only_worker_is_replaced() {
    assert_eq!(mapreduce(&["--kill-one", "--workers", "1"]), 1);
}

#[test]
fn mapreduce_leaves_a_given_store_as_it_was() {
    let home = TempDir::new().unwrap();
    let input = texts(home.path());
    let (store, compute) = (home.path().join("my store"), home.path().join("my instances"));
    fs::create_dir(&store).unwrap();
    fs::write(store.join("mine"), "untouched").unwrap();
    let url =
        |scheme: &str, path: &Path| format!("{scheme}://{}", path.display()).replace(' ', "%20");
    let arguments = ["--store", &url("file", &store), "--compute", &url("local", &compute)];
    let input = ["--input", input.to_str().unwrap(), "--top", "1"];
    let output = succeed("mapreduce", home.path(), &[arguments, input].concat());
    assert!(output.contains("  very\n"), "{output}");
    let names = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.filter(|name| name != ".polycloud").collect();
    assert_eq!(names, ["mine"]);
    nothing_is_left(home.path());
}

#[test]
fn mapreduce_fails_with_a_reason() {
    let home = TempDir::new().unwrap();
    for (arguments, reason) in [
        (["--store", "memory:"], "in the memory of one process"),
        (["--store", "gs://bucket"], "feature `gcp`"),
        (["--env", "DOES_NOT_EXIST"], "there is no such variable"),
        (["--input", "/does/not/exist"], "cannot read /does/not/exist"),
        (["--workers", "0"], "0 is not in 1..=100"),
    ] {
        let output = example("mapreduce", home.path(), &arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains(reason), "{message}");
        nothing_is_left(home.path());
    }
}

#[test]
fn mapreduce_works_on_this_repository() {
    let home = TempDir::new().unwrap();
    let output = succeed("mapreduce", home.path(), &["--top", "3"]);
    assert_eq!(output.lines().count(), 6, "{output}");
    nothing_is_left(home.path());
}

#[test]
fn mapreduce_on_s3() {
    let s3 = Aws::start();
    let input = texts(s3.home.path());
    let store = s3.url("bucket");
    let arguments = ["--json", "--input", input.to_str().unwrap(), "--store", &store];
    let credentials = ["--env", "AWS_ACCESS_KEY_ID", "--env", "AWS_SECRET_ACCESS_KEY"];
    let output = s3.run("mapreduce", &[&arguments[..], &credentials[..]].concat());
    let result: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(result["objects"].as_u64().unwrap(), count(&[input]).objects);
    assert_eq!(s3.run("sum_sizes", &[&store]), "0 bytes in 0 objects\n");
    nothing_is_left(s3.home.path());
}

#[test]
fn mapreduce_on_ec2() {
    for (arguments, repeated) in [(&[][..], 0), (&["--kill-one"][..], 1)] {
        let aws = Aws::start();
        let input = texts(aws.home.path());
        let (store, compute) = (aws.url("bucket"), aws.ec2());
        let places = ["--store", &store, "--compute", &compute];
        // No secret is in user data: workers ask for credentials as the profile of their instance.
        let access = ["--identity", "workers", "--env", "AWS_EC2_METADATA_SERVICE_ENDPOINT"];
        let input_argument = ["--json", "--input", input.to_str().unwrap()];
        let output =
            aws.run("mapreduce", &[&places, &access, &input_argument[..], arguments].concat());
        let result: Value = serde_json::from_str(&output).unwrap();
        assert_eq!(counted(&result), count(&[input]));
        assert_eq!(result["repeated"].as_u64().unwrap(), repeated);
        assert_eq!(aws.run("sum_sizes", &[&store]), "0 bytes in 0 objects\n");
        assert!(aws.emulator.journal().count("GetCredentials") >= 3);
        aws.has_no_instances();
        nothing_is_left(aws.home.path());
    }
}
