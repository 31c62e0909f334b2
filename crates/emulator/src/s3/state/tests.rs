//! Saving and loading, and listings against a plain model of them.

use std::collections::BTreeSet;
use std::fs;

use bytes::Bytes;
use proptest::prelude::*;

use super::checksum::ChecksumKind;
use super::conditions::WriteConditions;
use super::list::{Line, ListQuery, Start, successor};
use super::multipart::{Completion, NamedPart, UploadRef};
use super::object::{Headers, StorageClass};
use super::uploads::Upload;
use super::{NewObject, S3State};

fn state() -> S3State {
    let mut state = S3State::default();
    state.create_bucket("bucket", "us-east-1", "account", 1).unwrap();
    state
}

fn put(state: &mut S3State, key: &str, body: impl Into<Bytes>) {
    let new = NewObject {
        body: body.into(),
        headers: Headers::default(),
        tags: vec![("t".to_owned(), "1".to_owned())],
        storage_class: StorageClass::StandardIa,
        checksum: None,
    };
    state.put("bucket", key, new, &WriteConditions::default(), 2).unwrap();
}

fn upload_ref<'a>(key: &'a str, id: &'a str) -> UploadRef<'a> {
    UploadRef { bucket: "bucket", key, id }
}

fn begin(state: &mut S3State, key: &str) -> String {
    let upload = Upload {
        headers: Headers::default(),
        tags: Vec::new(),
        storage_class: StorageClass::Standard,
        algorithm: None,
        kind: ChecksumKind::FullObject,
        initiated: 3,
        initiator: "account".to_owned(),
        parts: std::collections::BTreeMap::new(),
    };
    state.create_upload("bucket", key, upload).unwrap()
}

#[test]
fn what_is_saved_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(S3State::load(dir.path()).unwrap().buckets_of("account").count(), 0);
    let mut state = state();
    state.bucket_mut("bucket").unwrap().versioning = Some(super::bucket::Versioning::Enabled);
    put(&mut state, "k/ü", "first");
    put(&mut state, "k/ü", "second");
    state.delete("bucket", "k/ü", None, None, 4).unwrap();
    let done = begin(&mut state, "done");
    let open = begin(&mut state, "open");
    let part = state
        .upload_part(upload_ref("done", &done), 1, Bytes::from_static(b"part"), None, 5)
        .unwrap();
    state.upload_part(upload_ref("open", &open), 1, Bytes::from_static(b"rest"), None, 5).unwrap();
    let parts = vec![NamedPart { number: 1, etag: part.etag, checksums: Vec::new() }];
    let completion = Completion { parts, ..Completion::default() };
    let stored = state.complete_upload(upload_ref("done", &done), &completion, 6).unwrap();
    state.save(dir.path()).unwrap();

    let mut loaded = S3State::load(dir.path()).unwrap();
    let show = |state: &S3State| {
        let bucket = state.bucket("bucket").unwrap();
        let page = bucket.list_versions(&ListQuery { limit: 100, ..ListQuery::default() });
        let line = |line: &Line<'_, super::list_versions::ListedVersion<'_>>| {
            let Line::Entry(key, listed) = line else { panic!("{line:?}") };
            let object = listed.version.object.as_ref();
            let object = object.map(|object| {
                (
                    object.content.bytes.clone(),
                    object.etag.clone(),
                    object.tags.clone(),
                    object.storage_class,
                )
            });
            ((*key).to_owned(), state.version_id(listed.version), listed.version.modified, object)
        };
        page.lines.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(show(&loaded), show(&state));
    assert_eq!(loaded.upload(upload_ref("open", &open)).unwrap().parts[&1].content.bytes, "rest");
    let again = loaded.complete_upload(upload_ref("done", &done), &completion, 7).unwrap();
    assert_eq!(again, stored);
    put(&mut loaded, "new", "x");
    let ids = show(&loaded).into_iter().map(|(_, id, ..)| id).collect::<BTreeSet<_>>();
    assert_eq!(ids.len(), 5);
}

#[test]
fn a_save_writes_only_what_changed() {
    let dir = tempfile::tempdir().unwrap();
    let files = |name: &str| {
        let entries = fs::read_dir(dir.path().join(name)).unwrap();
        let entry = |entry: fs::DirEntry| {
            (entry.file_name(), entry.metadata().unwrap().modified().unwrap())
        };
        entries.map(|found| entry(found.unwrap())).collect::<BTreeSet<_>>()
    };
    let mut state = state();
    put(&mut state, "a", "one");
    put(&mut state, "b", "one");
    put(&mut state, "c", "two");
    state.create_bucket("other", "us-east-1", "account", 1).unwrap();
    state.save(dir.path()).unwrap();
    let (contents, buckets) = (files("contents"), files("buckets"));
    assert_eq!((contents.len(), buckets.len()), (2, 2));

    state.delete("bucket", "c", None, None, 3).unwrap();
    put(&mut state, "d", "three");
    state.save(dir.path()).unwrap();
    assert_eq!(files("contents").intersection(&contents).count(), 1);
    assert_eq!(files("contents").len(), 2);
    assert_eq!(files("buckets").intersection(&buckets).count(), 1);
    assert_eq!(files("buckets").len(), 2);
    state.save(dir.path()).unwrap();
    let loaded = S3State::load(dir.path()).unwrap();
    assert_eq!(loaded.read("bucket", "d", None).unwrap().object.content.bytes, "three");
    assert_eq!(loaded.read("bucket", "b", None).unwrap().object.content.bytes, "one");
    assert_eq!(loaded.read("bucket", "c", None).unwrap_err().code, "NoSuchKey");
}

#[test]
fn damage_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = state();
    put(&mut state, "a", "one");
    state.save(dir.path()).unwrap();
    let content =
        fs::read_dir(dir.path().join("contents")).unwrap().next().unwrap().unwrap().path();
    fs::write(&content, "oth").unwrap();
    assert_eq!(S3State::load(dir.path()).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    fs::remove_file(&content).unwrap();
    assert_eq!(S3State::load(dir.path()).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    fs::write(dir.path().join("state.json"), "{").unwrap();
    assert!(S3State::load(dir.path()).is_err());
}

#[test]
fn a_successor_is_behind_all_with_the_prefix() {
    assert_eq!(successor("a/").as_deref(), Some("a0"));
    assert_eq!(successor("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
    assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
    assert_eq!(successor("\u{10ffff}"), None);
    assert_eq!(successor(""), None);
}

/// The names of a listing as the plain reading of the documents has them.
fn model(keys: &BTreeSet<String>, prefix: &str, delimiter: &str, after: &str) -> Vec<String> {
    let mut names = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix) && key.as_str() > after) {
        let rest = &key[prefix.len()..];
        let at = if delimiter.is_empty() { None } else { rest.find(delimiter) };
        let name = at.map_or_else(
            || key.clone(),
            |at| key[..prefix.len() + at + delimiter.len()].to_owned(),
        );
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    names
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn pages_make_the_whole_listing(
        keys in prop::collection::btree_set("[ab/\u{10ffff}]{1,5}", 0..20),
        prefix in "[ab/]{0,2}",
        delimiter in "(|/|a|ab|\u{10ffff})",
        after in "[ab/\u{10ffff}]{0,3}",
        limit in 1_usize..5,
    ) {
        let mut state = state();
        for key in &keys {
            put(&mut state, key, "");
        }
        let bucket = state.bucket("bucket").unwrap();
        let mut start = if after.is_empty() { Start::Beginning } else { Start::After(after.clone()) };
        let mut names = Vec::new();
        loop {
            let query = ListQuery { prefix: prefix.clone(), delimiter: delimiter.clone(), start, limit };
            let page = bucket.list(&query);
            let versions = bucket.list_versions(&query);
            let of_versions = versions.lines.iter().map(Line::name).collect::<Vec<_>>();
            prop_assert_eq!(page.lines.iter().map(Line::name).collect::<Vec<_>>(), of_versions);
            prop_assert!(page.lines.len() == limit || !page.truncated);
            names.extend(page.lines.iter().map(|line| line.name().to_owned()));
            if !page.truncated {
                break;
            }
            start = Start::AfterEntry(names.last().unwrap().clone());
        }
        prop_assert_eq!(names, model(&keys, &prefix, &delimiter, &after));
    }
}
