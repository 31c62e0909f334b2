use super::{S3, is};

#[test]
fn buckets_are_made_listed_and_deleted() {
    let mut s3 = S3::new();
    assert_eq!(s3.put("/bkt").send().status(), 200, "in the first region");
    let there = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>\
                 </CreateBucketConfiguration>";
    assert_eq!(s3.put("/bkt").body(there).send().error(), is(409, "BucketAlreadyOwnedByYou"));
    assert_eq!(
        s3.put("/bkt").account("444455556666").send().error(),
        is(409, "BucketAlreadyExists")
    );
    assert_eq!(s3.put("/other").account("444455556666").send().header("location"), Some("/other"));
    for name in ["ab", "Ab1", "a_b", "a..b", "-ab", "ab-", "192.168.1.1", "xn--abc", "a-s3alias"] {
        assert_eq!(
            s3.put(&format!("/{name}")).send().error(),
            is(400, "InvalidBucketName"),
            "{name}"
        );
    }
    s3.put("/a.b-1").send();
    let answer = s3.get("/").send();
    assert_eq!(answer.all("Name"), ["a.b-1", "bkt"]);
    assert_eq!(answer.text("CreationDate").unwrap(), "2027-01-15T08:00:00.000Z");
    let answer = s3.get("/?max-buckets=1").send();
    assert_eq!(answer.all("Name"), ["a.b-1"]);
    let token = answer.text("ContinuationToken").unwrap();
    let answer = s3.get(&format!("/?max-buckets=1&continuation-token={token}")).send();
    assert_eq!(answer.all("Name"), ["bkt"]);
    assert_eq!(answer.text("ContinuationToken"), None);
    assert_eq!(s3.get("/?prefix=b").send().all("Name"), ["bkt"]);
    assert_eq!(s3.get("/?max-buckets=0").send().error(), is(400, "InvalidArgument"));
    assert_eq!(s3.get("/?continuation-token=x").send().error(), is(400, "InvalidArgument"));
    assert_eq!(s3.get("/").anonymous().send().error(), is(403, "AccessDenied"));
    assert_eq!(s3.post("/").send().error(), is(405, "MethodNotAllowed"));

    assert_eq!(s3.delete("/a.b-1").send().status(), 204);
    assert_eq!(s3.delete("/a.b-1").send().error(), is(404, "NoSuchBucket"));
    s3.store("/bkt/k", "x");
    assert_eq!(s3.delete("/bkt").send().error(), is(409, "BucketNotEmpty"));
}

#[test]
fn a_bucket_with_markers_only_is_not_empty() {
    let mut s3 = S3::versioned();
    let marker = s3.delete("/bkt/k").send().header("x-amz-version-id").unwrap().to_owned();
    assert_eq!(s3.delete("/bkt").send().error(), is(409, "BucketNotEmpty"));
    assert_eq!(s3.delete(&format!("/bkt/k?versionId={marker}")).send().status(), 204);
    assert_eq!(s3.delete("/bkt").send().status(), 204);
}

#[test]
fn regions() {
    let mut s3 = S3::new();
    let body = |region: &str| {
        format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        )
    };
    assert_eq!(s3.put("/frankfurt").body(body("eu-central-1")).send().status(), 200);
    assert_eq!(s3.head("/frankfurt").send().header("x-amz-bucket-region"), Some("eu-central-1"));
    assert_eq!(s3.state.bucket_region("frankfurt"), Some("eu-central-1"));
    assert!(s3.get("/frankfurt?location").send().body().contains(">eu-central-1</LocationC"));
    assert!(s3.get("/bkt?location").send().body().contains("2006-03-01/\"></LocationC"));
    for region in ["us-east-1", "moon", "eu_central_1"] {
        let answer = s3.put("/x-y").body(body(region)).send();
        assert_eq!(answer.error(), is(400, "InvalidLocationConstraint"), "{region}");
    }
    assert_eq!(s3.put("/x-y").body("<x").send().error(), is(400, "MalformedXML"));
    assert_eq!(s3.get("/none?location").send().error(), is(404, "NoSuchBucket"));
    let answer = s3.head("/none").send();
    assert_eq!((answer.status(), answer.body().as_str()), (404, ""));
}

#[test]
fn versioning() {
    let mut s3 = S3::new();
    assert_eq!(s3.get("/bkt?versioning").send().text("Status"), None);
    s3.set_versioning("Enabled");
    assert_eq!(s3.get("/bkt?versioning").send().text("Status").unwrap(), "Enabled");
    s3.set_versioning("Suspended");
    assert_eq!(s3.get("/bkt?versioning").send().text("Status").unwrap(), "Suspended");
    let body = "<VersioningConfiguration><Status>Off</Status></VersioningConfiguration>";
    assert_eq!(s3.put("/bkt?versioning").body(body).send().error(), is(400, "MalformedXML"));
    let body = "<VersioningConfiguration/>";
    let code = "IllegalVersioningConfigurationException";
    assert_eq!(s3.put("/bkt?versioning").body(body).send().error(), is(400, code));
    assert_eq!(s3.post("/bkt?versioning").send().error(), is(405, "MethodNotAllowed"));
}

#[test]
fn tags_of_buckets() {
    let mut s3 = S3::new();
    assert_eq!(s3.get("/bkt?tagging").send().error(), is(404, "NoSuchTagSet"));
    let body =
        "<Tagging><TagSet><Tag><Key>a</Key><Value>x &#x2b; 1</Value></Tag></TagSet></Tagging>";
    assert_eq!(s3.put("/bkt?tagging").body(body).send().error(), is(400, "InvalidRequest"));
    assert_eq!(s3.put("/bkt?tagging").body(body).md5().send().status(), 204);
    let answer = s3.get("/bkt?tagging").send();
    assert_eq!((answer.all("Key"), answer.all("Value")), (vec!["a".into()], vec!["x + 1".into()]));
    assert_eq!(s3.delete("/bkt?tagging").send().status(), 204);
    assert_eq!(s3.get("/bkt?tagging").send().error(), is(404, "NoSuchTagSet"));
}

#[test]
fn lifecycles_come_back_as_they_were_put() {
    let mut s3 = S3::new();
    let none = is(404, "NoSuchLifecycleConfiguration");
    assert_eq!(s3.get("/bkt?lifecycle").send().error(), none);
    let rules = "<Rule><ID>one</ID><Filter><And><Prefix>logs/</Prefix><Tag><Key>k</Key><Value>v</Value>\
         </Tag></And></Filter><Status>Enabled</Status><Expiration><Days>365</Days></Expiration>\
         <NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>2\
         </NewerNoncurrentVersions></NoncurrentVersionExpiration><Transition><Days>30</Days><StorageClass>\
         GLACIER</StorageClass></Transition></Rule><Rule><ID>two</ID><Filter></Filter><Status>Disabled\
         </Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>\
         </AbortIncompleteMultipartUpload></Rule><Rule><ID>three</ID><Prefix>x</Prefix><Status>Enabled\
         </Status><Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration></Rule>";
    let body = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
    assert_eq!(
        s3.put("/bkt?lifecycle").body(body.clone()).send().error(),
        is(400, "InvalidRequest")
    );
    let answer = s3.put("/bkt?lifecycle").body(body).md5().send();
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(s3.get("/bkt?lifecycle").send().body().contains(rules));
    assert_eq!(s3.delete("/bkt?lifecycle").send().status(), 204);
    assert_eq!(s3.get("/bkt?lifecycle").send().error(), none);
}

#[test]
fn bad_lifecycles_are_refused() {
    let mut s3 = S3::new();
    let expire = "<Expiration><Days>1</Days></Expiration>";
    let on = "<Filter/><Status>Enabled</Status>";
    for (rules, code) in [
        (String::new(), "MalformedXML"),
        (format!("<Rule>{on}</Rule>"), "InvalidRequest"),
        (format!("<Rule><Filter/>{expire}</Rule>"), "MalformedXML"),
        (format!("<Rule><Filter/><Status>On</Status>{expire}</Rule>"), "MalformedXML"),
        (format!("<Rule><Status>Enabled</Status>{expire}</Rule>"), "MalformedXML"),
        (format!("<Rule>{on}<Expiration><Days>0</Days></Expiration></Rule>"), "InvalidArgument"),
        (format!("<Rule>{on}<Expiration><Days>x</Days></Expiration></Rule>"), "MalformedXML"),
        (format!("<Rule>{on}{expire}<Surprise/></Rule>"), "MalformedXML"),
        (
            format!("<Rule>{on}<Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration></Rule>"),
            "InvalidArgument",
        ),
        (
            format!("<Rule>{on}<Transition><Days>1</Days><StorageClass>STANDARD_IA</StorageClass></Transition></Rule>"),
            "InvalidArgument",
        ),
        (
            format!("<Rule>{on}<Transition><Days>1</Days><StorageClass>ICE</StorageClass></Transition></Rule>"),
            "MalformedXML",
        ),
        (
            format!("<Rule><ID>a</ID>{on}{expire}</Rule><Rule><ID>a</ID>{on}{expire}</Rule>"),
            "InvalidArgument",
        ),
        (format!("<Rule><ID>{}</ID>{on}{expire}</Rule>", "i".repeat(256)), "InvalidArgument"),
        (
            "<Rule><Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter><Status>Enabled</Status>\
             <AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>\
             </AbortIncompleteMultipartUpload></Rule>"
                .to_owned(),
            "InvalidRequest",
        ),
    ] {
        let body = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
        let answer = s3.put("/bkt?lifecycle").body(body).md5().send();
        assert_eq!(answer.error(), is(400, code), "{rules}");
    }
}

#[test]
fn questions_that_clients_ask_at_the_start() {
    let mut s3 = S3::new();
    for (query, text) in [
        ("acl", "FULL_CONTROL"),
        ("encryption", "AES256"),
        ("ownershipControls", "BucketOwnerEnforced"),
        ("requestPayment", "BucketOwner"),
        ("logging", "BucketLoggingStatus"),
        ("notification", "NotificationConfiguration"),
        ("accelerate", "AccelerateConfiguration"),
        ("publicAccessBlock", "<BlockPublicPolicy>true"),
    ] {
        let answer = s3.get(&format!("/bkt?{query}")).send();
        assert_eq!(answer.status(), 200);
        assert!(answer.body().contains(text), "{query}");
    }
    for (query, code) in [
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
        ("policy", "NoSuchBucketPolicy"),
        ("policyStatus", "NoSuchBucketPolicy"),
        ("cors", "NoSuchCORSConfiguration"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
    ] {
        assert_eq!(s3.get(&format!("/bkt?{query}")).send().error(), is(404, code));
    }
    assert_eq!(s3.put("/bkt?cors").send().error(), is(501, "NotImplemented"));
    assert_eq!(s3.put("/bkt?acl").header("x-amz-acl", "private").send().status(), 200);
    let answer = s3.put("/bkt?acl").header("x-amz-acl", "public-read").send();
    assert_eq!(answer.error(), is(400, "AccessControlListNotSupported"));
    assert_eq!(s3.get("/bkt?list-type=3").send().error(), is(400, "InvalidArgument"));
}
