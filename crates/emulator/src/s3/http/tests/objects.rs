use super::{S3, is};

#[test]
fn what_is_put_is_read() {
    let mut s3 = S3::new();
    let put = s3
        .put("/bkt/a%2Fb%20c")
        .header("content-type", "text/plain")
        .header("cache-control", "no-cache")
        .header("content-encoding", "aws-chunked,gzip")
        .header("content-disposition", "attachment")
        .header("content-language", "de")
        .header("expires", "never")
        .header("x-amz-meta-Name", "value")
        .body("hello")
        .send();
    assert_eq!(put.etag(), "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(put.header("x-amz-version-id"), None);
    assert_eq!(put.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    for method in [http::Method::GET, http::Method::HEAD] {
        let head = method == http::Method::HEAD;
        let answer = s3.call(method, "/bkt/a/b%20c").send();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.body(), if head { "" } else { "hello" });
        for (name, value) in [
            ("content-length", "5"),
            ("content-type", "text/plain"),
            ("cache-control", "no-cache"),
            ("content-encoding", "gzip"),
            ("content-disposition", "attachment"),
            ("content-language", "de"),
            ("expires", "never"),
            ("x-amz-meta-name", "value"),
            ("accept-ranges", "bytes"),
            ("last-modified", "Fri, 15 Jan 2027 08:00:00 GMT"),
            ("x-amz-server-side-encryption", "AES256"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        for name in ["x-amz-storage-class", "x-amz-version-id", "x-amz-tagging-count"] {
            assert_eq!(answer.header(name), None);
        }
        assert_eq!(answer.header("x-amz-checksum-crc64nvme"), None);
    }
    s3.store("/bkt/plain", "");
    let answer = s3.head("/bkt/plain").send();
    assert_eq!(answer.header("content-type"), Some("binary/octet-stream"));
    assert_eq!(answer.header("content-length"), Some("0"));
}

#[test]
fn missing_things() {
    let mut s3 = S3::new();
    let answer = s3.get("/bkt/none").send();
    assert_eq!(answer.error(), is(404, "NoSuchKey"));
    assert_eq!(answer.text("Key").unwrap(), "none");
    assert_eq!(answer.text("Resource").unwrap(), "/bkt/none");
    assert_eq!(answer.text("RequestId").unwrap(), "ID1");
    let answer = s3.head("/bkt/none").send();
    assert_eq!((answer.status(), answer.body().as_str()), (404, ""));
    assert_eq!(s3.get("/none/none").send().error(), is(404, "NoSuchBucket"));
    assert_eq!(s3.put("/none/none").send().error(), is(404, "NoSuchBucket"));
    assert_eq!(s3.call(http::Method::PATCH, "/bkt/k").send().error(), is(405, "MethodNotAllowed"));
    assert_eq!(s3.call(http::Method::OPTIONS, "/bkt/k").send().error(), is(403, "AccessForbidden"));
}

#[test]
fn keys_of_every_kind() {
    let mut s3 = S3::new();
    let longest = "k".repeat(1024);
    for key in [
        longest.as_str(),
        "%2Fa%2F%2Fb%2F",
        "..%2F.",
        "%00%01%7F",
        "%C3%BC%F0%9F%98%80",
        "%20",
        "a%2Bb%26c",
    ] {
        s3.store(&format!("/bkt/{key}"), "x");
        assert_eq!(s3.read(&format!("/bkt/{key}")), "x");
    }
    let long = format!("/bkt/{longest}k");
    assert_eq!(s3.put(&long).send().error(), is(400, "KeyTooLongError"));
    assert_eq!(s3.get(&long).send().error(), is(400, "KeyTooLongError"));
}

#[test]
fn limits_of_an_upload() {
    let mut s3 = S3::new();
    let meta = |length: usize| "v".repeat(length);
    assert_eq!(s3.put("/bkt/k").header("x-amz-meta-k", &meta(2047)).send().status(), 200);
    let answer = s3.put("/bkt/k").header("x-amz-meta-k", &meta(2048)).send();
    assert_eq!(answer.error(), is(400, "MetadataTooLarge"));
    s3.state.limits.put_bytes = 3;
    assert_eq!(s3.put("/bkt/k").body("abc").send().status(), 200);
    assert_eq!(s3.put("/bkt/k").body("abcd").send().error(), is(400, "EntityTooLarge"));
}

#[test]
fn metadata_beyond_ascii_comes_back_encoded() {
    let mut s3 = S3::new();
    s3.put("/bkt/k")
        .header("x-amz-meta-a", "日本")
        .header("x-amz-meta-b", "=?UTF-8?B?5pel?=")
        .send();
    let answer = s3.head("/bkt/k").send();
    assert_eq!(answer.header("x-amz-meta-a"), Some("=?UTF-8?B?5pel5pys?="));
    assert_eq!(answer.header("x-amz-meta-b"), Some("=?UTF-8?B?5pel?="));
}

#[test]
fn ranges() {
    let mut s3 = S3::new();
    s3.store("/bkt/k", "0123456789");
    for (range, body, shown) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=8-", "89", "bytes 8-9/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-100", "0123456789", "bytes 0-9/10"),
    ] {
        let answer = s3.get("/bkt/k").header("range", range).send();
        assert_eq!((answer.status(), answer.body().as_str()), (206, body), "{range}");
        assert_eq!(answer.header("content-range"), Some(shown));
        assert_eq!(answer.header("content-length"), Some(body.len().to_string().as_str()));
        let answer = s3.head("/bkt/k").header("range", range).send();
        assert_eq!((answer.status(), answer.header("content-range")), (206, Some(shown)));
    }
    for range in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
        let answer = s3.get("/bkt/k").header("range", range).send();
        assert_eq!(answer.error(), is(416, "InvalidRange"), "{range}");
        assert_eq!(answer.header("content-range"), Some("bytes */10"));
        assert_eq!(answer.text("ActualObjectSize").unwrap(), "10");
    }
    for range in ["bytes=4-2", "bytes=a-b", "bytes=0-1,3-4", "items=0-1"] {
        let answer = s3.get("/bkt/k").header("range", range).send();
        assert_eq!((answer.status(), answer.body().len()), (200, 10), "{range}");
    }
    s3.store("/bkt/empty", "");
    for range in ["bytes=0-", "bytes=-1", "bytes=0-0"] {
        let answer = s3.get("/bkt/empty").header("range", range).send();
        assert_eq!(answer.error(), is(416, "InvalidRange"), "{range}");
        assert_eq!(answer.header("content-range"), Some("bytes */0"));
    }
}

#[test]
fn conditions_of_reads() {
    let mut s3 = S3::new();
    let etag = s3.store("/bkt/k", "x").etag().to_owned();
    let (before, at) = ("Fri, 15 Jan 2027 07:59:59 GMT", "Fri, 15 Jan 2027 08:00:00 GMT");
    for (headers, status) in [
        (vec![("if-match", etag.as_str())], 200),
        (vec![("if-match", "\"other\"")], 412),
        (vec![("if-match", "*")], 200),
        (vec![("if-none-match", etag.as_str())], 304),
        (vec![("if-none-match", "\"other\"")], 200),
        (vec![("if-modified-since", at)], 304),
        (vec![("if-modified-since", before)], 200),
        (vec![("if-modified-since", "nonsense")], 200),
        (vec![("if-unmodified-since", at)], 200),
        (vec![("if-unmodified-since", before)], 412),
        (vec![("if-match", etag.as_str()), ("if-unmodified-since", before)], 200),
        (vec![("if-none-match", etag.as_str()), ("if-modified-since", before)], 304),
        (vec![("if-none-match", "\"other\""), ("if-modified-since", at)], 200),
        (vec![("if-match", "\"other\""), ("range", "bytes=5-")], 412),
    ] {
        for method in [http::Method::GET, http::Method::HEAD] {
            let mut call = s3.call(method.clone(), "/bkt/k");
            for (name, value) in &headers {
                call = call.header(name, value);
            }
            let answer = call.send();
            assert_eq!(answer.status(), status, "{method} {headers:?}");
            if status == 304 {
                assert_eq!((answer.etag(), answer.body().as_str()), (etag.as_str(), ""));
            }
            if status == 412 && method == http::Method::GET {
                assert_eq!(answer.error(), is(412, "PreconditionFailed"));
            }
        }
    }
}

#[test]
fn conditions_of_writes() {
    let mut s3 = S3::new();
    let missing = s3.put("/bkt/k").header("if-match", "\"x\"").body("1").send();
    assert_eq!(missing.error(), is(404, "NoSuchKey"));
    assert_eq!(s3.put("/bkt/k").header("if-none-match", "*").body("1").send().status(), 200);
    let again = s3.put("/bkt/k").header("if-none-match", "*").body("2").send();
    assert_eq!(again.error(), is(412, "PreconditionFailed"));
    assert_eq!(again.text("Condition").unwrap(), "If-None-Match");
    let etag = s3.head("/bkt/k").send().etag().to_owned();
    let wrong = s3.put("/bkt/k").header("if-match", "\"x\"").body("3").send();
    assert_eq!(wrong.error(), is(412, "PreconditionFailed"));
    assert_eq!(s3.read("/bkt/k"), "1");
    assert_eq!(s3.put("/bkt/k").header("if-match", &etag).body("4").send().status(), 200);
    assert_eq!(s3.put("/bkt/k").header("if-match", &etag).body("5").send().status(), 412);
    assert_eq!(s3.read("/bkt/k"), "4");
    for (name, value) in [("if-none-match", "\"x\""), ("if-match", "*")] {
        assert_eq!(s3.put("/bkt/k").header(name, value).send().error(), is(501, "NotImplemented"));
    }
    let both = s3.put("/bkt/k").header("if-match", "\"x\"").header("if-none-match", "*").send();
    assert_eq!(both.error(), is(501, "NotImplemented"));
}

#[test]
fn a_delete_marker_is_no_object_for_conditions() {
    let mut s3 = S3::versioned();
    let etag = s3.store("/bkt/k", "x").etag().to_owned();
    s3.delete("/bkt/k").send();
    assert_eq!(s3.put("/bkt/k").header("if-match", &etag).send().error(), is(404, "NoSuchKey"));
    assert_eq!(s3.put("/bkt/k").header("if-none-match", "*").body("y").send().status(), 200);
}

#[test]
fn answers_that_the_request_replaces() {
    let mut s3 = S3::new();
    s3.store("/bkt/k", "x");
    let path = "/bkt/k?response-content-type=text%2Fx&response-cache-control=c&response-expires=e\
                &response-content-language=l&response-content-disposition=d&response-content-encoding=n";
    let answer = s3.get(path).send();
    for (name, value) in [
        ("content-type", "text/x"),
        ("cache-control", "c"),
        ("expires", "e"),
        ("content-language", "l"),
        ("content-disposition", "d"),
        ("content-encoding", "n"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    let answer = s3.get("/bkt/k?response-content-type=a%0Ab").send();
    assert_eq!(answer.error(), is(400, "InvalidArgument"));
}

#[test]
fn tags_of_objects() {
    let mut s3 = S3::new();
    assert_eq!(s3.put("/bkt/k").header("x-amz-tagging", "a=1&b=x%20y+z").send().status(), 200);
    assert_eq!(s3.head("/bkt/k").send().header("x-amz-tagging-count"), Some("2"));
    let answer = s3.get("/bkt/k?tagging").send();
    assert_eq!(
        (answer.all("Key"), answer.all("Value")),
        (vec!["a".into(), "b".into()], vec!["1".into(), "x y z".into()])
    );
    for (tags, code) in
        [("a=1&a=2", "InvalidArgument"), ("=1", "InvalidTag"), ("a=%3F", "InvalidTag")]
    {
        assert_eq!(
            s3.put("/bkt/k").header("x-amz-tagging", tags).send().error(),
            is(400, code),
            "{tags}"
        );
    }
    let eleven = (0..11).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join("&");
    assert_eq!(
        s3.put("/bkt/k").header("x-amz-tagging", &eleven).send().error(),
        is(400, "BadRequest")
    );

    let body = |tags: &str| format!("<Tagging><TagSet>{tags}</TagSet></Tagging>");
    let tag = "<Tag><Key>c</Key><Value/></Tag>";
    assert_eq!(s3.put("/bkt/k?tagging").body(body(tag)).send().status(), 200);
    assert_eq!(s3.get("/bkt/k?tagging").send().all("Key"), ["c"]);
    let twice = s3.put("/bkt/k?tagging").body(body(&tag.repeat(2))).send();
    assert_eq!(twice.error(), is(400, "InvalidTag"));
    assert_eq!(s3.put("/bkt/k?tagging").body("<Tagging/>").send().error(), is(400, "MalformedXML"));
    assert_eq!(s3.put("/bkt/none?tagging").body(body(tag)).send().error(), is(404, "NoSuchKey"));
    assert_eq!(s3.delete("/bkt/k?tagging").send().status(), 204);
    assert_eq!(s3.get("/bkt/k?tagging").send().all("Key"), Vec::<String>::new());
    assert_eq!(s3.head("/bkt/k").send().header("x-amz-tagging-count"), None);
    assert_eq!(s3.get("/bkt/none?tagging").send().error(), is(404, "NoSuchKey"));
}

#[test]
fn storage_classes_and_archives() {
    let mut s3 = S3::new();
    let bad = s3.put("/bkt/k").header("x-amz-storage-class", "ICE").send();
    assert_eq!(bad.error(), is(400, "InvalidStorageClass"));
    s3.put("/bkt/k").header("x-amz-storage-class", "STANDARD_IA").send();
    assert_eq!(s3.get("/bkt/k").send().header("x-amz-storage-class"), Some("STANDARD_IA"));
    s3.put("/bkt/ice").header("x-amz-storage-class", "GLACIER").body("x").send();
    assert_eq!(s3.head("/bkt/ice").send().status(), 200);
    assert_eq!(s3.get("/bkt/ice").send().error(), is(403, "InvalidObjectState"));
    let body = "<RestoreRequest><Days>1</Days></RestoreRequest>";
    assert_eq!(s3.post("/bkt/k?restore").body(body).send().error(), is(403, "InvalidObjectState"));
    assert_eq!(s3.post("/bkt/ice?restore").body(body).send().status(), 202);
    assert_eq!(s3.post("/bkt/ice?restore").body(body).send().status(), 200);
    assert_eq!(s3.read("/bkt/ice"), "x");
    assert!(
        s3.head("/bkt/ice")
            .send()
            .header("x-amz-restore")
            .unwrap()
            .contains("ongoing-request=\"false\"")
    );
    s3.now += 86_400;
    assert_eq!(s3.get("/bkt/ice").send().error(), is(403, "InvalidObjectState"));
}

#[test]
fn what_is_not_done_is_said() {
    let mut s3 = S3::new();
    for (name, value) in [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-write-offset-bytes", "1"),
    ] {
        assert_eq!(s3.put("/bkt/k").header(name, value).send().error(), is(501, "NotImplemented"));
    }
    assert_eq!(
        s3.put("/bkt/k").header("x-amz-server-side-encryption", "AES256").send().status(),
        200
    );
    let locked = s3.put("/bkt/k").header("x-amz-object-lock-mode", "GOVERNANCE").send();
    assert_eq!(locked.error(), is(400, "InvalidRequest"));
    let public = s3.put("/bkt/k").header("x-amz-acl", "public-read").send();
    assert_eq!(public.error(), is(400, "AccessControlListNotSupported"));
    let grant = s3.put("/bkt/k").header("x-amz-grant-read", "id=1").send();
    assert_eq!(grant.error(), is(400, "AccessControlListNotSupported"));
    assert_eq!(s3.get("/bkt/k?retention").send().error(), is(400, "InvalidRequest"));
    assert_eq!(s3.get("/bkt/k?torrent").send().error(), is(501, "NotImplemented"));
    assert_eq!(s3.delete("/bkt/k?acl").send().error(), is(501, "NotImplemented"));
    assert_eq!(s3.put("/bkt/k?renameObject").send().error(), is(501, "NotImplemented"));
    assert_eq!(s3.delete("/bkt?inventory&id=1").send().error(), is(501, "NotImplemented"));
    assert_eq!(s3.head("/bkt/k").send().status(), 200);
    assert!(s3.get("/bkt/k?acl").send().body().contains("FULL_CONTROL"));
}

#[test]
fn attributes() {
    let mut s3 = S3::new();
    let etag = s3.store("/bkt/k", "hello").etag().trim_matches('"').to_owned();
    let all = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize";
    let answer = s3.get("/bkt/k?attributes").header("x-amz-object-attributes", all).send();
    assert_eq!(answer.text("ETag").unwrap(), etag);
    assert_eq!(answer.text("ObjectSize").unwrap(), "5");
    assert_eq!(answer.text("StorageClass").unwrap(), "STANDARD");
    assert_eq!(answer.text("ChecksumType").unwrap(), "FULL_OBJECT");
    assert_eq!(answer.text("ObjectParts"), None);
    let answer = s3.get("/bkt/k?attributes").header("x-amz-object-attributes", "Size").send();
    assert_eq!(answer.error(), is(400, "InvalidArgument"));
}
