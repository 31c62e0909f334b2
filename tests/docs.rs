//! The documentation says what is so.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use polycloud::ErrorKind;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below a directory whose names end in `.ext`, without build results and hidden ones.
fn files(directory: &Path, ext: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            files(&path, ext, found);
        } else if path.extension().is_some_and(|e| e == ext) {
            found.push(path);
        }
    }
}

fn all(ext: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&root(), ext, &mut found);
    found.sort();
    found
}

/// The lines of a document that are not in fenced blocks.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands in backticks.
fn code_spans(text: &str) -> Vec<String> {
    prose(text).split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

/// Whether a word is written like one of our types: `CamelCase`, of letters and digits.
fn is_type_name(word: &str) -> bool {
    let humps = word.chars().filter(char::is_ascii_uppercase).count();
    let lower = word.chars().filter(char::is_ascii_lowercase).count();
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_alphanumeric())
        && humps >= 1
        && lower >= 2
}

#[test]
fn names_of_types_in_the_documents_exist() {
    // Headers and words of other projects that are written like types.
    const OTHERS: [&str; 6] = [
        "Retry",
        "After",
        "Service",
        "Decrypt",
        "GenerateDataKey",
        "GetBucketLifecycleConfiguration",
    ];
    let sources: Vec<String> =
        all("rs").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let known: BTreeSet<&str> = sources.iter().flat_map(|source| words(source)).collect();
    assert!(known.contains("LocalStore") && !known.contains("LokalStore".to_lowercase().as_str()));
    let mut unknown = Vec::new();
    for document in all("md") {
        for span in code_spans(&fs::read_to_string(&document).unwrap()) {
            let plain =
                span.chars().all(|c| c.is_ascii_alphanumeric() || "_:<>()[]&?., ".contains(c));
            for word in words(&span).filter(|word| plain && is_type_name(word)) {
                if !known.contains(word) && !OTHERS.contains(&word) {
                    unknown.push(format!("{}: `{span}`", document.display()));
                }
            }
        }
    }
    assert_eq!(unknown, [""; 0], "these names are nowhere in the sources");
}

#[test]
fn paths_in_the_documents_exist() {
    let begins = ["crates/", "docs/", "examples/", "tests/", ".ci/"];
    for document in all("md") {
        let text = fs::read_to_string(&document).unwrap();
        for span in code_spans(&text) {
            // Paths that stand for others have capitals or braces in them.
            let concrete = !span.contains(|c: char| c.is_ascii_uppercase() || "{…* ".contains(c));
            if begins.iter().any(|begin| span.starts_with(begin)) && concrete {
                assert!(root().join(&span).exists(), "{}: `{span}`", document.display());
            }
        }
        for link in prose(&text).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            if !path.contains("://") && !path.is_empty() {
                let target = document.parent().unwrap().join(path);
                assert!(target.exists(), "{}: ({link})", document.display());
            }
        }
    }
}

#[test]
fn the_program_in_the_readme_is_the_quickstart() {
    let readme = read("README.md");
    let (_, rest) = readme.split_once("```rust,no_run\n").unwrap();
    let (program, _) = rest.split_once("```").unwrap();
    let quickstart = read("examples/quickstart.rs");
    // The example begins with a comment and its lints.
    assert!(quickstart.ends_with(program), "README.md has another program than quickstart.rs");
    assert!(program.lines().count() <= 25, "the program has grown");
}

#[test]
fn the_commands_in_the_readme_are_the_main_job_and_the_tests() {
    let readme = read("README.md");
    let commands: Vec<&str> = readme.lines().filter(|line| line.starts_with("cargo ")).collect();
    // They come first, before what is for the curious.
    assert!(commands[0].starts_with("cargo run ") && commands[0].ends_with("--example mapreduce"));
    assert_eq!(commands[1], "cargo test");
    for other in &commands[2..] {
        let (_, example) = other.split_once("--example ").unwrap_or((other, ""));
        let name = example.split(' ').next().unwrap();
        let manifest = read("examples/Cargo.toml");
        let known = manifest.contains(&format!("name = \"{name}\"\n"));
        assert!(known || other.contains("-p polycloud-emulator"), "{other}");
    }
    assert!(read(".ci/run").contains("README.md"), "CI runs the README's command");
}

/// The options of a URL, as the error for an unknown one lists them.
fn options(message: &str) -> Vec<String> {
    let (_, known) = message.split_once("its options are ").unwrap();
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_option_of_a_url_is_documented() {
    let rows = [
        ("local", "`memory:`", "memory:"),
        ("local", "`file:`", "file:///x"),
        ("local", "`local:`", "local:///x"),
        ("aws", "`s3:`", "s3://bucket"),
        ("aws", "`ec2:`", "ec2://eu-west-1"),
    ];
    let mut stores = 0;
    for (document, heading, url) in rows {
        let document = read(&format!("docs/providers/{document}.md"));
        let unknown = format!("{url}?no-such-option=1");
        let error = match heading {
            "`local:`" | "`ec2:`" => polycloud::open_compute(&unknown).await.unwrap_err(),
            _ => polycloud::open_store(&unknown).await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Config);
        let (_, section) = document.split_once(&format!("\n## {heading}")).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let mut options = options(error.message());
        if !matches!(heading, "`local:`" | "`ec2:`") {
            options.push("prefix".into());
            stores += 1;
        }
        assert!(options.len() >= 3, "{options:?}");
        for option in options {
            assert!(
                section.contains(&format!("\n| `{option}` |")),
                "{heading} has no row for {option}"
            );
        }
    }
    assert_eq!(stores, 3);
}
