use super::{Answer, S3, is};

struct Upload {
    path: String,
}

fn begin(s3: &mut S3, path: &str, headers: &[(&str, &str)]) -> Upload {
    let uploads = format!("{path}?uploads");
    let mut call = s3.post(&uploads);
    for (name, value) in headers {
        call = call.header(name, value);
    }
    let answer = call.send();
    assert_eq!(answer.status(), 200, "{answer:?}");
    Upload { path: format!("{path}?uploadId={}", answer.text("UploadId").unwrap()) }
}

impl Upload {
    fn part(&self, number: u32) -> String {
        format!("{}&partNumber={number}", self.path)
    }

    fn send(&self, s3: &mut S3, number: u32, body: &'static str) -> String {
        let answer = s3.put(&self.part(number)).body(body).send();
        assert_eq!(answer.status(), 200, "{answer:?}");
        answer.etag().to_owned()
    }

    fn complete(&self, s3: &mut S3, parts: &[(u32, &str)], headers: &[(&str, &str)]) -> Answer {
        let part = |(number, etag): &(u32, &str)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
        };
        let parts = parts.iter().map(part).collect::<String>();
        self.complete_with(s3, &parts, headers)
    }

    fn complete_with(&self, s3: &mut S3, parts: &str, headers: &[(&str, &str)]) -> Answer {
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let mut call = s3.post(&self.path).body(body);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        call.send()
    }
}

fn small_parts() -> S3 {
    let mut s3 = S3::versioned();
    s3.state.limits.part_min_bytes = 3;
    s3
}

#[test]
fn parts_become_an_object() {
    let mut s3 = small_parts();
    let headers = [("content-type", "text/x"), ("x-amz-meta-m", "1"), ("x-amz-tagging", "t=1")];
    let upload = begin(&mut s3, "/bkt/k", &headers);
    let (second, first) = (upload.send(&mut s3, 20, "de"), upload.send(&mut s3, 3, "abc"));
    upload.send(&mut s3, 30, "unused");
    assert_eq!(s3.get("/bkt/k").send().error(), is(404, "NoSuchKey"));
    let size = [("x-amz-mp-object-size", "5")];
    let answer = upload.complete(&mut s3, &[(3, &first), (20, &second)], &size);
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(answer.text("ETag").unwrap().ends_with("-2&quot;"));
    assert_eq!(answer.text("ChecksumType").unwrap(), "FULL_OBJECT");
    assert!(answer.text("ChecksumCRC64NVME").is_some());
    let version = answer.header("x-amz-version-id").unwrap().to_owned();

    let object = s3.get("/bkt/k").header("x-amz-checksum-mode", "ENABLED").send();
    assert_eq!(object.body(), "abcde");
    assert_eq!(object.header("content-type"), Some("text/x"));
    assert_eq!(object.header("x-amz-meta-m"), Some("1"));
    assert_eq!(object.header("x-amz-tagging-count"), Some("1"));
    assert_eq!(object.header("x-amz-version-id"), Some(version.as_str()));
    assert_eq!(object.header("x-amz-mp-parts-count"), None);
    assert!(object.header("x-amz-checksum-crc64nvme").is_some());

    let again = upload.complete(&mut s3, &[(3, &first), (20, &second)], &[]);
    assert_eq!((again.status(), again.header("x-amz-version-id")), (200, Some(version.as_str())));
    assert_eq!(s3.get("/bkt?versions").send().all("VersionId").len(), 1);
    let other = upload.complete(&mut s3, &[(3, &first)], &[]);
    assert_eq!(other.error(), is(404, "NoSuchUpload"));
    assert_eq!(s3.put(&upload.part(1)).send().error(), is(404, "NoSuchUpload"));
    assert_eq!(s3.get("/bkt?uploads").send().all("Upload").len(), 0);
}

#[test]
fn one_part_of_an_object_is_read() {
    let mut s3 = small_parts();
    let upload = begin(
        &mut s3,
        "/bkt/k",
        &[("x-amz-checksum-algorithm", "CRC32"), ("x-amz-checksum-type", "FULL_OBJECT")],
    );
    let etags = [upload.send(&mut s3, 1, "abc"), upload.send(&mut s3, 2, "de")];
    upload.complete(&mut s3, &[(1, &etags[0]), (2, &etags[1])], &[]);
    for (number, body, range) in [(1, "abc", "bytes 0-2/5"), (2, "de", "bytes 3-4/5")] {
        let path = format!("/bkt/k?partNumber={number}");
        let answer = s3.get(&path).header("x-amz-checksum-mode", "ENABLED").send();
        assert_eq!((answer.status(), answer.body().as_str()), (206, body));
        assert_eq!(answer.header("content-range"), Some(range));
        assert_eq!(answer.header("x-amz-mp-parts-count"), Some("2"));
        assert!(answer.header("x-amz-checksum-crc32").is_some());
        assert_eq!(
            s3.head(&path).send().header("content-length"),
            Some(body.len().to_string().as_str())
        );
    }
    assert_eq!(s3.get("/bkt/k?partNumber=3").send().error(), is(416, "InvalidPartNumber"));
    assert_eq!(s3.get("/bkt/k?partNumber=0").send().error(), is(400, "InvalidArgument"));
    let both = s3.get("/bkt/k?partNumber=1").header("range", "bytes=0-1").send();
    assert_eq!(both.error(), is(400, "InvalidRequest"));
    s3.store("/bkt/single", "xyz");
    let answer = s3.get("/bkt/single?partNumber=1").send();
    assert_eq!((answer.status(), answer.header("content-range")), (206, Some("bytes 0-2/3")));
    assert_eq!(s3.get("/bkt/single?partNumber=2").send().error(), is(416, "InvalidPartNumber"));

    let names = [("x-amz-object-attributes", "ObjectParts,Checksum"), ("x-amz-max-parts", "1")];
    let call =
        s3.get("/bkt/k?attributes").header(names[0].0, names[0].1).header(names[1].0, names[1].1);
    let answer = call.send();
    assert_eq!(answer.text("PartsCount").unwrap(), "2");
    assert_eq!(
        (answer.all("Part").len(), answer.text("IsTruncated").unwrap()),
        (1, "true".to_owned())
    );
    assert_eq!(answer.text("NextPartNumberMarker").unwrap(), "1");
}

#[test]
fn bad_completions() {
    let mut s3 = small_parts();
    let upload = begin(&mut s3, "/bkt/k", &[]);
    let (first, second) = (upload.send(&mut s3, 1, "ab"), upload.send(&mut s3, 2, "cde"));
    let complete = |s3: &mut S3, parts: &[(u32, &str)]| upload.complete(s3, parts, &[]).error();
    assert_eq!(complete(&mut s3, &[]), is(400, "MalformedXML"));
    assert_eq!(complete(&mut s3, &[(1, &first), (2, &second)]), is(400, "EntityTooSmall"));
    assert_eq!(complete(&mut s3, &[(2, &second), (1, &first)]), is(400, "InvalidPartOrder"));
    assert_eq!(complete(&mut s3, &[(2, &second), (2, &second)]), is(400, "InvalidPartOrder"));
    assert_eq!(complete(&mut s3, &[(1, &second)]), is(400, "InvalidPart"));
    assert_eq!(complete(&mut s3, &[(3, &first)]), is(400, "InvalidPart"));
    assert_eq!(upload.complete_with(&mut s3, "<Part/>", &[]).error(), is(400, "MalformedXML"));
    let size = upload.complete(&mut s3, &[(2, &second)], &[("x-amz-mp-object-size", "2")]);
    assert_eq!(size.error(), is(400, "InvalidRequest"));
    let wrong = [("x-amz-checksum-crc64nvme", "rosUhgp5mIg=")];
    let wrong = upload.complete(&mut s3, &[(2, &second)], &wrong);
    assert_eq!(wrong.error(), is(400, "BadDigest"));
    let elsewhere = Upload { path: upload.path.replace("/bkt/k", "/bkt/other") };
    assert_eq!(elsewhere.complete(&mut s3, &[(1, &first)], &[]).error(), is(404, "NoSuchUpload"));
    let unknown = Upload { path: "/bkt/k?uploadId=x".to_owned() };
    assert_eq!(unknown.complete(&mut s3, &[(1, &first)], &[]).error(), is(404, "NoSuchUpload"));
    assert_eq!(s3.get("/bkt/k").send().status(), 404);
    assert_eq!(upload.complete(&mut s3, &[(1, &first)], &[]).status(), 200);
    assert_eq!(s3.read("/bkt/k"), "ab");
}

#[test]
fn bad_parts() {
    let mut s3 = small_parts();
    let upload = begin(&mut s3, "/bkt/k", &[]);
    for number in [0, 10_001, 70_000] {
        assert_eq!(s3.put(&upload.part(number)).send().error(), is(400, "InvalidArgument"));
    }
    let digest =
        s3.put(&upload.part(1)).header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==").body("x");
    assert_eq!(digest.send().error(), is(400, "BadDigest"));
    s3.state.limits.put_bytes = 2;
    assert_eq!(s3.put(&upload.part(1)).body("abc").send().error(), is(400, "EntityTooLarge"));
    let answer = s3.put(&upload.part(1)).header("x-amz-checksum-sha1", "x").body("a").send();
    assert_eq!(answer.error(), is(400, "InvalidRequest"));
}

#[test]
fn conditions_of_completions() {
    let mut s3 = small_parts();
    let etag = s3.store("/bkt/k", "old").etag().to_owned();
    let upload = begin(&mut s3, "/bkt/k", &[]);
    let part = upload.send(&mut s3, 1, "new");
    let parts = [(1, part.as_str())];
    let complete = |s3: &mut S3, name, value| upload.complete(s3, &parts, &[(name, value)]);
    assert_eq!(complete(&mut s3, "if-none-match", "*").error(), is(412, "PreconditionFailed"));
    assert_eq!(complete(&mut s3, "if-match", "\"no\"").error(), is(412, "PreconditionFailed"));
    assert_eq!(complete(&mut s3, "if-match", &etag).status(), 200);
    let upload = begin(&mut s3, "/bkt/new", &[]);
    let part = upload.send(&mut s3, 1, "new");
    let missing = upload.complete(&mut s3, &[(1, &part)], &[("if-match", &etag)]);
    assert_eq!(missing.error(), is(404, "NoSuchKey"));
    let made = upload.complete(&mut s3, &[(1, &part)], &[("if-none-match", "*")]);
    assert_eq!(made.status(), 200);
}

#[test]
fn composite_checksums() {
    let mut s3 = small_parts();
    let upload = begin(&mut s3, "/bkt/k", &[("x-amz-checksum-algorithm", "SHA256")]);
    let bare = s3.put(&upload.part(1)).body("abc").send();
    assert_eq!(bare.error(), is(400, "InvalidRequest"));
    let other =
        s3.put(&upload.part(1)).header("x-amz-checksum-crc32", "NSRBwg==").body("abc").send();
    assert_eq!(other.error(), is(400, "InvalidRequest"));
    let sha = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    let answer = s3.put(&upload.part(1)).header("x-amz-checksum-sha256", sha).body("abc").send();
    assert_eq!(answer.header("x-amz-checksum-sha256"), Some(sha));
    let etag = answer.etag().to_owned();
    let missing = upload.complete(&mut s3, &[(1, &etag)], &[]);
    assert_eq!(missing.error(), is(400, "InvalidRequest"));
    let part = |sha: &str| {
        format!(
            "<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag><ChecksumSHA256>{sha}</ChecksumSHA256></Part>"
        )
    };
    let wrong = upload.complete_with(&mut s3, &part("AAAA"), &[]);
    assert_eq!(wrong.error(), is(400, "InvalidPart"));
    let mode = upload.complete_with(&mut s3, &part(sha), &[("x-amz-checksum-type", "FULL_OBJECT")]);
    assert_eq!(mode.error(), is(400, "InvalidRequest"));
    let answer = upload.complete_with(&mut s3, &part(sha), &[]);
    assert_eq!(answer.text("ChecksumType").unwrap(), "COMPOSITE");
    let composite = answer.text("ChecksumSHA256").unwrap();
    assert!(composite.ends_with("-1"), "{composite}");
    let object = s3.head("/bkt/k").header("x-amz-checksum-mode", "ENABLED").send();
    assert_eq!(object.header("x-amz-checksum-sha256"), Some(composite.as_str()));
    assert_eq!(object.header("x-amz-checksum-type"), Some("COMPOSITE"));
}

#[test]
fn full_object_checksums() {
    let mut s3 = small_parts();
    let headers = [("x-amz-checksum-algorithm", "CRC32"), ("x-amz-checksum-type", "FULL_OBJECT")];
    let upload = begin(&mut s3, "/bkt/k", &headers);
    let etags = [upload.send(&mut s3, 1, "12345"), upload.send(&mut s3, 2, "6789")];
    let parts = [(1, etags[0].as_str()), (2, etags[1].as_str())];
    let wrong = upload.complete(&mut s3, &parts, &[("x-amz-checksum-crc32", "AAAAAA==")]);
    assert_eq!(wrong.error(), is(400, "BadDigest"));
    let right = upload.complete(&mut s3, &parts, &[("x-amz-checksum-crc32", "y/Q5Jg==")]);
    assert_eq!(right.text("ChecksumCRC32").unwrap(), "y/Q5Jg==");
    for (algorithm, kind) in [("SHA1", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")] {
        let call = s3.post("/bkt/k?uploads").header("x-amz-checksum-algorithm", algorithm);
        let answer = call.header("x-amz-checksum-type", kind).send();
        assert_eq!(answer.error(), is(400, "InvalidRequest"));
    }
    let alone = s3.post("/bkt/k?uploads").header("x-amz-checksum-type", "COMPOSITE").send();
    assert_eq!(alone.error(), is(400, "InvalidRequest"));
}

#[test]
fn parts_are_copied() {
    let mut s3 = small_parts();
    let source =
        s3.store("/bkt/source", "0123456789").header("x-amz-version-id").unwrap().to_owned();
    let upload = begin(&mut s3, "/bkt/k", &[]);
    let copy = |s3: &mut S3, number, range: Option<&str>| {
        let path = upload.part(number);
        let call = s3.put(&path).header("x-amz-copy-source", "bkt/source");
        match range {
            Some(range) => call.header("x-amz-copy-source-range", range).send(),
            None => call.send(),
        }
    };
    let first = copy(&mut s3, 1, Some("bytes=2-5"));
    assert_eq!(first.header("x-amz-copy-source-version-id"), Some(source.as_str()));
    let second = copy(&mut s3, 2, None);
    let etags = [first.text("ETag").unwrap(), second.text("ETag").unwrap()];
    for range in ["bytes=5-2", "bytes=0-10", "bytes=-3", "nonsense"] {
        assert_eq!(copy(&mut s3, 3, Some(range)).error(), is(400, "InvalidArgument"), "{range}");
    }
    let path = upload.part(3);
    let call = s3.put(&path).header("x-amz-copy-source", "bkt/source");
    let answer = call.header("x-amz-copy-source-if-match", "\"no\"").send();
    assert_eq!(answer.error(), is(412, "PreconditionFailed"));
    let answer = upload.complete(&mut s3, &[(1, &etags[0]), (2, &etags[1])], &[]);
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(s3.read("/bkt/k"), "23450123456789");
}

#[test]
fn uploads_are_aborted() {
    let mut s3 = small_parts();
    let upload = begin(&mut s3, "/bkt/k", &[]);
    upload.send(&mut s3, 1, "abc");
    assert_eq!(s3.delete(&upload.path).send().status(), 204);
    assert_eq!(s3.delete(&upload.path).send().error(), is(404, "NoSuchUpload"));
    assert_eq!(s3.get(&upload.path).send().error(), is(404, "NoSuchUpload"));
    assert_eq!(s3.post("/none/k?uploads").send().error(), is(404, "NoSuchBucket"));
}

#[test]
fn parts_are_listed_in_pages() {
    let mut s3 = small_parts();
    let upload = begin(&mut s3, "/bkt/k", &[("x-amz-storage-class", "STANDARD_IA")]);
    for number in [7, 1, 4] {
        upload.send(&mut s3, number, "abc");
    }
    let page = s3.get(&format!("{}&max-parts=2", upload.path)).send();
    assert_eq!(page.all("PartNumber"), ["1", "4"]);
    assert_eq!(page.text("IsTruncated").unwrap(), "true");
    assert_eq!(page.text("NextPartNumberMarker").unwrap(), "4");
    assert_eq!(page.text("StorageClass").unwrap(), "STANDARD_IA");
    assert_eq!(page.all("Size"), ["3", "3"]);
    let page = s3.get(&format!("{}&part-number-marker=4", upload.path)).send();
    assert_eq!(
        (page.all("PartNumber"), page.text("IsTruncated").unwrap()),
        (vec!["7".to_owned()], "false".to_owned())
    );
    let bad = s3.get(&format!("{}&max-parts=x", upload.path)).send();
    assert_eq!(bad.error(), is(400, "InvalidArgument"));
}

#[test]
fn uploads_are_listed_in_pages() {
    let mut s3 = small_parts();
    for key in ["a", "d/1", "d/2", "a", "e"] {
        begin(&mut s3, &format!("/bkt/{key}"), &[]);
    }
    let all = s3.get("/bkt?uploads").send();
    assert_eq!(all.all("Key"), ["a", "a", "d/1", "d/2", "e"]);
    let mut seen = Vec::new();
    let mut path = "/bkt?uploads&max-uploads=2".to_owned();
    loop {
        let page = s3.get(&path).send();
        seen.extend(page.all("UploadId"));
        if page.text("IsTruncated").unwrap() == "false" {
            break;
        }
        let (key, id) =
            (page.text("NextKeyMarker").unwrap(), page.text("NextUploadIdMarker").unwrap());
        path = format!("/bkt?uploads&max-uploads=2&key-marker={key}&upload-id-marker={id}");
    }
    assert_eq!(seen, all.all("UploadId"));
    let grouped = s3.get("/bkt?uploads&delimiter=%2F&prefix=d").send();
    assert_eq!(grouped.all("CommonPrefixes"), ["<Prefix>d/</Prefix>"]);
    assert_eq!(grouped.all("Upload").len(), 0);
    assert_eq!(s3.get("/bkt?uploads&key-marker=d%2F1").send().all("Key"), ["d/2", "e"]);
    assert_eq!(s3.get("/bkt?uploads&key-marker=d%2F&delimiter=%2F").send().all("Key"), ["e"]);
    let bad = s3.get("/bkt?uploads&key-marker=a&upload-id-marker=x").send();
    assert_eq!(bad.error(), is(400, "InvalidArgument"));
}
