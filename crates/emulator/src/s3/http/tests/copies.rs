use super::{Answer, Call, S3, is};

fn from<'a>(s3: &'a mut S3, target: &str, source: &str) -> Call<'a> {
    s3.put(target).header("x-amz-copy-source", source)
}

#[test]
fn a_copy_has_all_of_its_source() {
    let mut s3 = S3::new();
    s3.put("/other").send();
    let etag = s3
        .put("/bkt/a%20%3F")
        .header("content-type", "text/x")
        .header("x-amz-meta-m", "1")
        .header("x-amz-tagging", "t=1")
        .header("x-amz-storage-class", "STANDARD_IA")
        .body("hello")
        .send()
        .etag()
        .to_owned();
    s3.now += 60;
    let answer =
        from(&mut s3, "/other/copy", "/bkt/a%20%3F").header("x-amz-meta-m", "ignored").send();
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(answer.text("ETag").unwrap().replace("&quot;", "\""), etag);
    assert_eq!(answer.text("LastModified").unwrap(), "2027-01-15T08:01:00.000Z");
    assert_eq!(answer.text("ChecksumType").unwrap(), "FULL_OBJECT");
    let copy = s3.get("/other/copy").send();
    assert_eq!(copy.body(), "hello");
    assert_eq!(copy.header("content-type"), Some("text/x"));
    assert_eq!(copy.header("x-amz-meta-m"), Some("1"));
    assert_eq!(copy.header("x-amz-tagging-count"), Some("1"));
    assert_eq!(copy.header("x-amz-storage-class"), None);
}

#[test]
fn directives_replace() {
    let mut s3 = S3::new();
    s3.put("/bkt/a").header("x-amz-meta-m", "1").header("x-amz-tagging", "t=1").body("x").send();
    let answer = from(&mut s3, "/bkt/c", "bkt/a")
        .header("x-amz-metadata-directive", "REPLACE")
        .header("x-amz-tagging-directive", "REPLACE")
        .header("x-amz-meta-n", "2")
        .header("x-amz-tagging", "u=1&v=2")
        .header("x-amz-checksum-algorithm", "SHA256")
        .send();
    assert!(answer.text("ChecksumSHA256").is_some());
    let copy = s3.head("/bkt/c").send();
    assert_eq!((copy.header("x-amz-meta-m"), copy.header("x-amz-meta-n")), (None, Some("2")));
    assert_eq!(copy.header("x-amz-tagging-count"), Some("2"));
    let bad = from(&mut s3, "/bkt/c", "bkt/a").header("x-amz-metadata-directive", "MIX").send();
    assert_eq!(bad.error(), is(400, "InvalidArgument"));
}

#[test]
fn onto_itself_only_with_a_change() {
    let mut s3 = S3::new();
    s3.store("/bkt/a", "x");
    assert_eq!(from(&mut s3, "/bkt/a", "bkt/a").send().error(), is(400, "InvalidRequest"));
    let tags = from(&mut s3, "/bkt/a", "bkt/a").header("x-amz-tagging-directive", "REPLACE").send();
    assert_eq!(tags.error(), is(400, "InvalidRequest"));
    for (name, value) in [
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-storage-class", "STANDARD"),
        ("x-amz-server-side-encryption", "AES256"),
    ] {
        assert_eq!(
            from(&mut s3, "/bkt/a", "bkt/a").header(name, value).send().status(),
            200,
            "{name}"
        );
    }
}

#[test]
fn sources_that_cannot_be_copied() {
    let mut s3 = S3::new();
    s3.store("/bkt/a", "1234");
    assert_eq!(from(&mut s3, "/bkt/c", "bkt/none").send().error(), is(404, "NoSuchKey"));
    assert_eq!(from(&mut s3, "/bkt/c", "none/a").send().error(), is(404, "NoSuchBucket"));
    for source in ["bkt", "/bkt/", "%ff/a", ""] {
        let answer = from(&mut s3, "/bkt/c", source).send();
        assert_eq!(answer.error(), is(400, "InvalidArgument"), "{source}");
    }
    s3.state.limits.copy_bytes = 3;
    assert_eq!(from(&mut s3, "/bkt/c", "bkt/a").send().error(), is(400, "InvalidRequest"));
    s3.put("/bkt/ice").header("x-amz-storage-class", "DEEP_ARCHIVE").send();
    assert_eq!(from(&mut s3, "/bkt/c", "bkt/ice").send().error(), is(403, "InvalidObjectState"));
}

#[test]
fn versions_are_copied() {
    let mut s3 = S3::versioned();
    let id = |answer: &Answer| answer.header("x-amz-version-id").unwrap().to_owned();
    let first = id(&s3.store("/bkt/a", "1"));
    s3.store("/bkt/a", "2");
    let answer = from(&mut s3, "/bkt/a", &format!("bkt/a?versionId={first}")).send();
    assert_eq!(answer.header("x-amz-copy-source-version-id"), Some(first.as_str()));
    assert!(answer.header("x-amz-version-id").is_some());
    assert_eq!(s3.read("/bkt/a"), "1");
    let marker = id(&s3.delete("/bkt/a").send());
    let answer = from(&mut s3, "/bkt/c", &format!("bkt/a?versionId={marker}")).send();
    assert_eq!(answer.error(), is(400, "InvalidRequest"));
    let answer = from(&mut s3, "/bkt/c", "bkt/a").send();
    assert_eq!(
        (answer.error(), answer.header("x-amz-delete-marker")),
        (is(404, "NoSuchKey"), None)
    );
    s3.delete(&format!("/bkt/a?versionId={first}")).send();
    let answer = from(&mut s3, "/bkt/c", &format!("bkt/a?versionId={first}")).send();
    assert_eq!(answer.error(), is(404, "NoSuchVersion"));
}

#[test]
fn conditions_of_copies() {
    let mut s3 = S3::new();
    let etag = s3.store("/bkt/a", "x").etag().to_owned();
    let (before, at) = ("Fri, 15 Jan 2027 07:59:59 GMT", "Fri, 15 Jan 2027 08:00:00 GMT");
    for (name, value, status) in [
        ("x-amz-copy-source-if-match", etag.as_str(), 200),
        ("x-amz-copy-source-if-match", "\"no\"", 412),
        ("x-amz-copy-source-if-none-match", etag.as_str(), 412),
        ("x-amz-copy-source-if-none-match", "\"no\"", 200),
        ("x-amz-copy-source-if-modified-since", at, 412),
        ("x-amz-copy-source-if-modified-since", before, 200),
        ("x-amz-copy-source-if-unmodified-since", before, 412),
        ("x-amz-copy-source-if-unmodified-since", at, 200),
        ("if-none-match", "*", 412),
        ("if-match", etag.as_str(), 200),
        ("if-match", "\"no\"", 412),
    ] {
        let answer = from(&mut s3, "/bkt/c", "bkt/a").header(name, value).send();
        assert_eq!(answer.status(), status, "{name}: {value}");
    }
    let missing = from(&mut s3, "/bkt/d", "bkt/a").header("if-match", &etag).send();
    assert_eq!(missing.error(), is(404, "NoSuchKey"));
    assert_eq!(from(&mut s3, "/bkt/d", "bkt/a").header("if-none-match", "*").send().status(), 200);
}
