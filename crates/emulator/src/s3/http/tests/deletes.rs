use super::{Answer, S3, is};

fn delete_many(s3: &mut S3, objects: &str) -> Answer {
    s3.post("/bkt?delete").body(format!("<Delete>{objects}</Delete>")).md5().send()
}

#[test]
fn deleting_what_is_not_there_succeeds() {
    let mut s3 = S3::new();
    s3.store("/bkt/k", "x");
    for _ in 0..2 {
        let answer = s3.delete("/bkt/k").send();
        assert_eq!((answer.status(), answer.header("x-amz-version-id")), (204, None));
        assert_eq!(answer.header("x-amz-delete-marker"), None);
    }
    assert_eq!(s3.get("/bkt/k").send().error(), is(404, "NoSuchKey"));
    assert_eq!(s3.delete("/none/k").send().error(), is(404, "NoSuchBucket"));
    assert_eq!(s3.delete("/bkt/k?versionId=x").send().error(), is(400, "InvalidArgument"));
    assert_eq!(s3.delete("/bkt/k?versionId=").send().error(), is(400, "InvalidArgument"));
}

#[test]
fn conditions_of_deletions() {
    let mut s3 = S3::new();
    assert_eq!(s3.delete("/bkt/k").header("if-match", "*").send().error(), is(404, "NoSuchKey"));
    let etag = s3.store("/bkt/k", "x").etag().to_owned();
    let wrong = s3.delete("/bkt/k").header("if-match", "\"y\"").send();
    assert_eq!(wrong.error(), is(412, "PreconditionFailed"));
    assert_eq!(s3.delete("/bkt/k").header("if-match", &etag).send().status(), 204);
    s3.store("/bkt/k", "x");
    assert_eq!(s3.delete("/bkt/k").header("if-match", "*").send().status(), 204);
    let size = s3.delete("/bkt/k").header("x-amz-if-match-size", "1").send();
    assert_eq!(size.error(), is(501, "NotImplemented"));

    s3.set_versioning("Enabled");
    s3.delete("/bkt/k").send();
    let marker = s3.delete("/bkt/k").header("if-match", "*").send();
    assert_eq!(marker.error(), is(412, "PreconditionFailed"));
}

#[test]
fn many_at_once() {
    let mut s3 = S3::new();
    let etag = s3.store("/bkt/a", "x").etag().to_owned();
    s3.store("/bkt/b", "x");
    s3.store("/bkt/c&d", "x");
    let answer = delete_many(
        &mut s3,
        "<Object><Key>a</Key><ETag>\"no\"</ETag></Object><Object><Key>b</Key></Object>\
         <Object><Key>none</Key></Object><Object><Key>c&amp;d</Key></Object>\
         <Object><Key>gone</Key><ETag>*</ETag></Object>",
    );
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.all("Deleted"), ["<Key>b</Key>", "<Key>none</Key>", "<Key>c&amp;d</Key>"]);
    assert_eq!(answer.all("Code"), ["PreconditionFailed", "NoSuchKey"]);
    assert_eq!(s3.get("/bkt?list-type=2").send().all("Key"), ["a"]);
    let quiet = format!("<Quiet>true</Quiet><Object><Key>a</Key><ETag>{etag}</ETag></Object>");
    let answer = delete_many(&mut s3, &quiet);
    assert_eq!((answer.all("Deleted").len(), answer.all("Error").len()), (0, 0));
    assert_eq!(s3.get("/bkt?list-type=2").send().all("Key"), Vec::<String>::new());
}

#[test]
fn versions_at_once() {
    let mut s3 = S3::versioned();
    let version = s3.store("/bkt/k", "x").header("x-amz-version-id").unwrap().to_owned();
    let answer = delete_many(&mut s3, "<Object><Key>k</Key></Object>");
    assert_eq!(answer.text("DeleteMarker").unwrap(), "true");
    let marker = answer.text("DeleteMarkerVersionId").unwrap();
    let answer = delete_many(
        &mut s3,
        &format!(
            "<Object><Key>k</Key><VersionId>{version}</VersionId></Object>\
             <Object><Key>k</Key><VersionId>{marker}</VersionId></Object>\
             <Object><Key>k</Key><VersionId>bad</VersionId></Object>"
        ),
    );
    assert_eq!(answer.all("VersionId"), [version, marker.clone(), "bad".to_owned()]);
    assert_eq!(answer.all("DeleteMarkerVersionId"), [marker]);
    assert_eq!(answer.all("Code"), ["NoSuchVersion"]);
    assert_eq!(s3.delete("/bkt").send().status(), 204);
}

#[test]
fn bad_requests_to_delete_many() {
    let mut s3 = S3::new();
    let object = "<Object><Key>k</Key></Object>";
    let bare = s3.post("/bkt?delete").body(format!("<Delete>{object}</Delete>")).send();
    assert_eq!(bare.error(), is(400, "InvalidRequest"));
    assert_eq!(delete_many(&mut s3, &object.repeat(1000)).status(), 200);
    for objects in [object.repeat(1001), String::new(), "<Object/>".to_owned(), "<X/>".to_owned()] {
        assert_eq!(delete_many(&mut s3, &objects).error(), is(400, "MalformedXML"));
    }
    let body =
        "<!DOCTYPE Delete [<!ENTITY k \"k\">]><Delete><Object><Key>&k;</Key></Object></Delete>";
    let entity = s3.post("/bkt?delete").body(body).md5().send();
    assert_eq!(entity.error(), is(400, "MalformedXML"));
    let wrong =
        s3.post("/bkt?delete").header("x-amz-checksum-crc32", "AAAAAA==").body("<Delete/>").send();
    assert_eq!(wrong.error(), is(400, "BadDigest"));
    assert_eq!(s3.post("/bkt").send().error(), is(405, "MethodNotAllowed"));
}
