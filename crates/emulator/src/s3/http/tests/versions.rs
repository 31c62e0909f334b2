use super::{S3, is};

#[test]
fn versions_are_kept_and_read() {
    let mut s3 = S3::versioned();
    let id = |answer: &super::Answer| answer.header("x-amz-version-id").unwrap().to_owned();
    let first = id(&s3.store("/bkt/k", "1"));
    let second = id(&s3.store("/bkt/k", "2"));
    assert_ne!(first, second);
    assert_eq!(s3.read("/bkt/k"), "2");
    assert_eq!(s3.read(&format!("/bkt/k?versionId={first}")), "1");
    assert_eq!(id(&s3.head("/bkt/k").send()), second);

    let deleted = s3.delete("/bkt/k").send();
    assert_eq!(deleted.header("x-amz-delete-marker"), Some("true"));
    let marker = id(&deleted);
    let answer = s3.get("/bkt/k").send();
    assert_eq!(answer.error(), is(404, "NoSuchKey"));
    assert_eq!(answer.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(id(&answer), marker);
    let answer = s3.get(&format!("/bkt/k?versionId={marker}")).send();
    assert_eq!(answer.error(), is(405, "MethodNotAllowed"));
    assert_eq!(
        (answer.header("x-amz-delete-marker"), answer.header("allow")),
        (Some("true"), Some("DELETE"))
    );
    assert_eq!(s3.head(&format!("/bkt/k?versionId={marker}")).send().status(), 405);
    assert_eq!(s3.read(&format!("/bkt/k?versionId={second}")), "2");

    let answer = s3.delete(&format!("/bkt/k?versionId={marker}")).send();
    assert_eq!((answer.header("x-amz-delete-marker"), id(&answer)), (Some("true"), marker.clone()));
    assert_eq!(s3.read("/bkt/k"), "2");
    let answer = s3.delete(&format!("/bkt/k?versionId={second}")).send();
    assert_eq!(answer.header("x-amz-delete-marker"), None);
    assert_eq!(s3.read("/bkt/k"), "1");
    assert_eq!(
        s3.get(&format!("/bkt/k?versionId={second}")).send().error(),
        is(404, "NoSuchVersion")
    );
    assert_eq!(s3.delete(&format!("/bkt/k?versionId={second}")).send().status(), 204);
    assert_eq!(s3.get("/bkt/k?versionId=nonsense").send().error(), is(400, "InvalidArgument"));
    assert_eq!(s3.get("/bkt/k?versionId=").send().error(), is(400, "InvalidArgument"));
}

#[test]
fn suspended_versioning_writes_null_versions() {
    let mut s3 = S3::new();
    s3.store("/bkt/k", "before");
    assert_eq!(s3.read("/bkt/k?versionId=null"), "before");
    s3.set_versioning("Enabled");
    assert_eq!(s3.head("/bkt/k").send().header("x-amz-version-id"), Some("null"));
    let kept = s3.store("/bkt/k", "kept").header("x-amz-version-id").unwrap().to_owned();
    s3.set_versioning("Suspended");
    assert_eq!(s3.store("/bkt/k", "after").header("x-amz-version-id"), None);
    assert_eq!(s3.head("/bkt/k").send().header("x-amz-version-id"), Some("null"));
    assert_eq!(s3.read("/bkt/k?versionId=null"), "after");
    assert_eq!(s3.read(&format!("/bkt/k?versionId={kept}")), "kept");
    assert_eq!(s3.get("/bkt?versions").send().all("VersionId"), ["null", &kept]);

    let answer = s3.delete("/bkt/k").send();
    assert_eq!(answer.header("x-amz-version-id"), Some("null"));
    assert_eq!(answer.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(s3.get("/bkt?versions").send().all("VersionId"), ["null", &kept]);
    assert_eq!(s3.delete("/bkt/k?versionId=null").send().status(), 204);
    assert_eq!(s3.read("/bkt/k"), "kept");
}

#[test]
fn tags_belong_to_a_version() {
    let mut s3 = S3::versioned();
    let first = s3.store("/bkt/k", "1").header("x-amz-version-id").unwrap().to_owned();
    s3.store("/bkt/k", "2");
    let body = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
    let answer = s3.put(&format!("/bkt/k?tagging&versionId={first}")).body(body).send();
    assert_eq!(answer.header("x-amz-version-id"), Some(first.as_str()));
    assert_eq!(s3.get(&format!("/bkt/k?tagging&versionId={first}")).send().all("Key"), ["a"]);
    assert_eq!(s3.get("/bkt/k?tagging").send().all("Key"), Vec::<String>::new());
}

#[test]
fn versions_are_listed_newest_first_in_pages() {
    let mut s3 = S3::versioned();
    for body in ["1", "2", "3"] {
        s3.store("/bkt/a", body);
        s3.store("/bkt/d/x", body);
    }
    s3.delete("/bkt/a").send();
    s3.store("/bkt/z", "1");
    let all = s3.get("/bkt?versions").send();
    assert_eq!(all.all("VersionId").len(), 8);
    let mut seen = Vec::new();
    let mut path = "/bkt?versions&max-keys=3".to_owned();
    loop {
        let page = s3.get(&path).send();
        seen.extend(page.all("VersionId"));
        if page.text("IsTruncated").unwrap() == "false" {
            assert_eq!(page.text("NextKeyMarker"), None);
            break;
        }
        let (key, version) =
            (page.text("NextKeyMarker").unwrap(), page.text("NextVersionIdMarker").unwrap());
        // A version may be gone when the next page is asked for.
        s3.delete(&format!("/bkt/{key}?versionId={version}")).send();
        path = format!("/bkt?versions&max-keys=3&key-marker={key}&version-id-marker={version}");
    }
    assert_eq!(seen, all.all("VersionId"));
    assert_eq!(all.all("IsLatest").iter().filter(|latest| *latest == "true").count(), 3);
    let first = all.body();
    assert!(first.find("<DeleteMarker>").unwrap() < first.find("<Version>").unwrap());

    let answer = s3.get("/bkt?versions&delimiter=%2F").send();
    assert_eq!(answer.all("CommonPrefixes"), ["<Prefix>d/</Prefix>"]);
    let answer = s3.get("/bkt?versions&delimiter=%2F&key-marker=d%2F").send();
    assert_eq!((answer.all("CommonPrefixes").len(), answer.all("Key")), (0, vec!["z".to_owned()]));
    let answer = s3.get("/bkt?versions&prefix=d&key-marker=a").send();
    assert!(answer.all("Key").iter().all(|key| key == "d/x"));
    assert_eq!(
        s3.get("/bkt?versions&version-id-marker=x").send().error(),
        is(400, "InvalidArgument")
    );
    let bad = s3.get("/bkt?versions&key-marker=a&version-id-marker=x").send();
    assert_eq!(bad.error(), is(400, "InvalidArgument"));
}
