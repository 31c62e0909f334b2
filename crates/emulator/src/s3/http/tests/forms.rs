use bytes::Bytes;

use super::{Answer, S3, is};
use crate::s3::post_object;

fn upload(s3: &mut S3, fields: &[(&str, &str)]) -> Answer {
    let request = s3.post("/bkt").into_request();
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let fields = fields.collect::<Vec<_>>();
    Answer(post_object(&mut s3.state, &request, &fields, Bytes::from_static(b"file")))
}

#[test]
fn a_form_stores_a_file() {
    let mut s3 = S3::new();
    let fields = [
        ("key", "up/${filename}"),
        ("filename", "a b.txt"),
        ("Content-Type", "text/x"),
        ("x-amz-meta-Name", "1"),
        ("tagging", "<Tagging><TagSet><Tag><Key>t</Key><Value>1</Value></Tag></TagSet></Tagging>"),
        ("acl", "private"),
        ("policy", "verified by others"),
    ];
    let answer = upload(&mut s3, &fields);
    assert_eq!((answer.status(), answer.body().as_str()), (204, ""));
    assert_eq!(answer.header("location"), Some("http://bkt.s3.amazonaws.com/up/a%20b.txt"));
    let object = s3.get("/bkt/up/a%20b.txt").send();
    assert_eq!((object.body().as_str(), object.etag()), ("file", answer.etag()));
    assert_eq!(object.header("content-type"), Some("text/x"));
    assert_eq!(object.header("x-amz-meta-name"), Some("1"));
    assert_eq!(object.header("x-amz-tagging-count"), Some("1"));
}

#[test]
fn answers_as_the_form_wants_them() {
    let mut s3 = S3::new();
    let with = |s3: &mut S3, name, value| upload(s3, &[("key", "k"), (name, value)]);
    assert_eq!(with(&mut s3, "success_action_status", "200").status(), 200);
    assert_eq!(with(&mut s3, "success_action_status", "999").status(), 204);
    let created = with(&mut s3, "success_action_status", "201");
    assert_eq!((created.status(), created.text("Key").unwrap()), (201, "k".to_owned()));
    let moved = with(&mut s3, "success_action_redirect", "http://example.com/done?x=1");
    assert_eq!(moved.status(), 303);
    let target = moved.header("location").unwrap();
    assert!(
        target.starts_with("http://example.com/done?x=1&bucket=bkt&key=k&etag=%22"),
        "{target}"
    );
}

#[test]
fn bad_forms() {
    let mut s3 = S3::new();
    assert_eq!(upload(&mut s3, &[]).error(), is(400, "InvalidArgument"));
    let sum = upload(&mut s3, &[("key", "k"), ("x-amz-checksum-crc32", "AAAAAA==")]);
    assert_eq!(sum.error(), is(400, "BadDigest"));
    let request = s3.post("/bkt").anonymous().into_request();
    let fields = [("key".to_owned(), "k".to_owned())];
    let answer = Answer(post_object(&mut s3.state, &request, &fields, Bytes::new()));
    assert_eq!(answer.error(), is(403, "AccessDenied"));
    s3.state.limits.put_bytes = 3;
    assert_eq!(upload(&mut s3, &[("key", "k")]).error(), is(400, "EntityTooLarge"));
}
