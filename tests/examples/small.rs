//! Small programs.

use std::fs;

use tempfile::TempDir;

use crate::aws::Aws;
use crate::run::{example, example_with, succeed};

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

#[test]
fn small_programs_on_s3() {
    let s3 = Aws::start();
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
fn newcomers_to_s3_are_told_what_to_do() {
    let s3 = Aws::start();
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
