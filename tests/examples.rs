//! The examples run, and the main job counts right, also when a worker is lost half-way.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// The directory with the examples' executables, which are built first if they are not.
fn executables() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // This executable is TARGET/PROFILE/deps/examples-HASH.
        let this = std::env::current_exe().unwrap();
        let profile = this.ancestors().nth(2).unwrap();
        let name = profile.file_name().unwrap().to_str().unwrap();
        // With the same packages and targets as `cargo test`, everything is there already.
        let output = Command::new(env!("CARGO"))
            .args(["build", "--offline", "--examples"])
            .args(["--profile", if name == "debug" { "dev" } else { name }])
            .arg("--target-dir")
            .arg(profile.parent().unwrap())
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        profile.join("examples")
    })
}

/// Runs an example in a world of its own: its temporary files and its instances' state go into `home`.
fn example(name: &str, home: &Path, arguments: &[&str]) -> Output {
    example_with(name, home, arguments, &[])
}

fn example_with(
    name: &str,
    home: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Output {
    Command::new(executables().join(name))
        .args(arguments)
        .envs(environment.iter().copied())
        .env("TMPDIR", home)
        .env("XDG_STATE_HOME", home.join("state"))
        .output()
        .unwrap()
}

fn succeed(name: &str, home: &Path, arguments: &[&str]) -> String {
    let output = example(name, home, arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn quickstart() {
    let home = TempDir::new().unwrap();
    let output = succeed("quickstart", home.path(), &[]);
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "notes/hello.txt says b\"hello, world\"");
    assert_eq!(lines[1], "notes/hello.txt has 12 bytes");
    assert!(lines[2].contains(" is running at Some(127."), "{}", lines[2]);
}

#[test]
fn sum_sizes() {
    let home = TempDir::new().unwrap();
    let bucket = home.path().join("bucket");
    fs::create_dir_all(bucket.join("logs")).unwrap();
    for (name, size) in [("logs/a", 3), ("logs/b", 5), ("logsx", 7), ("other", 11)] {
        fs::write(bucket.join(name), vec![b'x'; size]).unwrap();
    }
    let url = format!("file://{}", bucket.display());
    let sum = |prefix: &[&str]| succeed("sum_sizes", home.path(), &[&[&*url], prefix].concat());
    assert_eq!(sum(&[]), "26 bytes in 4 objects\n");
    assert_eq!(sum(&["logs"]), "15 bytes in 3 objects\n");
    assert_eq!(sum(&["logs/"]), "8 bytes in 2 objects\n");
    let wrong = example("sum_sizes", home.path(), &["gs://bucket"]);
    assert!(!wrong.status.success());
}

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
    let words = result["words"].as_object().unwrap().iter();
    let counted = Count {
        objects: result["objects"].as_u64().unwrap(),
        bytes: result["bytes"].as_u64().unwrap(),
        words: words.map(|(word, n)| (word.clone(), n.as_u64().unwrap())).collect(),
    };
    assert_eq!(counted, count(&[input]));
    nothing_is_left(home.path());
    result["repeated"].as_u64().unwrap()
}

/// The job has removed its directory, and no process works in it.
fn nothing_is_left(home: &Path) {
    let names = fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> =
        names.filter(|name| name.to_string_lossy().starts_with("mapreduce-")).collect();
    assert!(left.is_empty(), "{left:?}");
    for process in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        // A process that ends meanwhile has no command line any more.
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).into_owned();
        assert!(!command.contains(home.to_str().unwrap()), "{command}");
    }
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

/// An emulator of S3 with a bucket, and what programs need to reach it.
struct S3 {
    _runtime: tokio::runtime::Runtime,
    emulator: polycloud_emulator::Emulator,
    home: TempDir,
}

impl S3 {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let emulator = runtime.block_on(polycloud_emulator::Emulator::start()).unwrap();
        emulator.create_bucket("bucket").unwrap();
        Self { _runtime: runtime, emulator, home: TempDir::new().unwrap() }
    }

    fn url(&self, bucket: &str) -> String {
        let bucket = if bucket.is_empty() { String::new() } else { format!("//{bucket}") };
        format!("s3:{bucket}?endpoint={}&region=us-east-1&preset=aws", self.emulator.s3_url())
    }

    fn run(&self, name: &str, arguments: &[&str]) -> String {
        let account = self.emulator.credentials();
        let environment = [
            ("AWS_ACCESS_KEY_ID", &*account.access_key),
            ("AWS_SECRET_ACCESS_KEY", &*account.secret_key),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        let output = example_with(name, self.home.path(), arguments, &environment);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn small_programs_on_s3() {
    let s3 = S3::start();
    let (url, home) = (s3.url("bucket"), s3.home.path());
    let output = s3.run("quickstart", &[&url]);
    assert!(output.starts_with("notes/hello.txt says b\"hello, world\"\n"), "{output}");
    assert_eq!(s3.run("sum_sizes", &[&url, "notes/"]), "12 bytes in 1 objects\n");
    let buckets = s3.run("list_buckets", &[&s3.url("")]);
    assert!(buckets.ends_with(" bucket\n") && buckets.lines().count() == 1, "{buckets}");

    let content: Vec<u8> = (0..=250).cycle().take(20_000_000).collect();
    fs::write(home.join("large.bin"), &content).unwrap();
    let file = home.join("large.bin").display().to_string();
    let output = s3.run("upload_download", &[&url, &file]);
    assert!(output.contains("large.bin: 20000000 bytes sent\n"), "{output}");
    assert!(output.contains("the store holds crc64nvme:"), "{output}");
    assert!(fs::read(home.join("large.copy")).unwrap() == content);
    assert!(s3.emulator.journal().count("UploadPart") > 1);
}

#[test]
fn mapreduce_on_s3() {
    let s3 = S3::start();
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
fn newcomers_to_s3_are_told_what_to_do() {
    let s3 = S3::start();
    let fails = |url: &str, environment: &[(&str, &str)]| {
        let output = example_with("sum_sizes", s3.home.path(), &[url], environment);
        assert!(!output.status.success(), "{url}");
        String::from_utf8(output.stderr).unwrap()
    };
    let nobody = [
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("HOME", s3.home.path().to_str().unwrap()),
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
    ];
    let account = s3.emulator.credentials();
    let somebody = [
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ACCESS_KEY_ID", &*account.access_key),
        ("AWS_SECRET_ACCESS_KEY", &*account.secret_key),
    ];
    for (message, expected) in [
        (fails(&s3.url("bucket"), &nobody), "AWS_ACCESS_KEY_ID"),
        (fails("s3://bucket", &nobody), "region"),
        (fails(&s3.url("nowhere"), &somebody), "bucket not found"),
        (fails(&s3.url("bucket").replace("us-east-1", "eu-west-1"), &somebody), "region=us-east-1"),
        (fails("s3://bucket?endpoint=http://s3.example.com", &somebody), "allow_http"),
    ] {
        assert!(message.contains(expected), "{message}");
    }
}
