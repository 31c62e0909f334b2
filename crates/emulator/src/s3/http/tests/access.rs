use super::{S3, is};

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
    "Action":["s3:GetObject"],"Resource":"arn:aws:s3:::bkt/open/*"}]}"#;

fn open() -> S3 {
    let mut s3 = S3::new();
    s3.store("/bkt/open/k", "x");
    s3.store("/bkt/k", "x");
    assert_eq!(s3.put("/bkt?policy").body(POLICY).send().error(), is(403, "AccessDenied"));
    assert_eq!(s3.delete("/bkt?publicAccessBlock").send().status(), 204);
    let gone = s3.get("/bkt?publicAccessBlock").send();
    assert_eq!(gone.error(), is(404, "NoSuchPublicAccessBlockConfiguration"));
    assert_eq!(s3.put("/bkt?policy").body(POLICY).send().status(), 204);
    s3
}

#[test]
fn nobody_but_the_owner_may_do_anything() {
    let mut s3 = S3::new();
    s3.store("/bkt/k", "x");
    for path in ["/bkt/k", "/bkt/none", "/bkt?list-type=2", "/bkt?location"] {
        assert_eq!(s3.get(path).anonymous().send().error(), is(403, "AccessDenied"), "{path}");
        assert_eq!(s3.get(path).account("9").send().error(), is(403, "AccessDenied"), "{path}");
    }
    assert_eq!(s3.put("/bkt/k").anonymous().send().error(), is(403, "AccessDenied"));
    assert_eq!(s3.delete("/bkt/k").anonymous().send().error(), is(403, "AccessDenied"));
    assert_eq!(s3.put("/new").anonymous().send().error(), is(403, "AccessDenied"));
    assert_eq!(s3.get("/none/k").anonymous().send().error(), is(404, "NoSuchBucket"));
    let head = s3.head("/bkt").account("9").send();
    assert_eq!((head.status(), head.header("x-amz-bucket-region")), (403, Some("us-east-1")));
    let copy = s3.put("/bkt2").account("9").send();
    assert_eq!(copy.status(), 200);
    let copy = s3.put("/bkt2/k").account("9").header("x-amz-copy-source", "bkt/k").send();
    assert_eq!(copy.error(), is(403, "AccessDenied"));
}

#[test]
fn a_policy_opens_what_it_names() {
    let mut s3 = open();
    assert_eq!(s3.get("/bkt/open/k").anonymous().send().status(), 200);
    assert_eq!(s3.head("/bkt/open/k").anonymous().send().status(), 200);
    assert_eq!(s3.get("/bkt/k").anonymous().send().error(), is(403, "AccessDenied"));
    assert_eq!(s3.get("/bkt/open/none").anonymous().send().error(), is(403, "AccessDenied"));
    assert_eq!(s3.put("/bkt/open/k").anonymous().send().error(), is(403, "AccessDenied"));
    let overridden = s3.get("/bkt/open/k?response-content-type=x").anonymous().send();
    assert_eq!(overridden.error(), is(400, "InvalidRequest"));
    assert_eq!(s3.get("/bkt?policy").send().body(), POLICY);
    assert_eq!(s3.get("/bkt?policyStatus").send().text("IsPublic").unwrap(), "true");
    let block = "<PublicAccessBlockConfiguration><RestrictPublicBuckets>true</RestrictPublicBuckets>\
                 </PublicAccessBlockConfiguration>";
    assert_eq!(s3.put("/bkt?publicAccessBlock").body(block).send().status(), 200);
    assert_eq!(s3.get("/bkt/open/k").anonymous().send().error(), is(403, "AccessDenied"));
    assert_eq!(s3.delete("/bkt?policy").send().status(), 204);
    assert_eq!(s3.get("/bkt?policy").send().error(), is(404, "NoSuchBucketPolicy"));
    assert_eq!(s3.put("/bkt?policy").body("{").send().error(), is(400, "MalformedPolicy"));
}

#[test]
fn owners_are_as_expected() {
    let mut s3 = S3::new();
    s3.store("/bkt/k", "x");
    let name = "x-amz-expected-bucket-owner";
    assert_eq!(s3.get("/bkt/k").header(name, "111122223333").send().status(), 200);
    assert_eq!(s3.get("/bkt/k").header(name, "9").send().error(), is(403, "AccessDenied"));
    let copy = s3.put("/bkt/c").header("x-amz-copy-source", "bkt/k");
    let copy = copy.header("x-amz-source-expected-bucket-owner", "9").send();
    assert_eq!(copy.error(), is(403, "AccessDenied"));
}

#[test]
fn errors_for_the_rim() {
    let answer = super::Answer(crate::s3::error_response(
        "R",
        "SignatureDoesNotMatch",
        "no <way>",
        "/bkt/k",
    ));
    assert_eq!(answer.error(), is(403, "SignatureDoesNotMatch"));
    assert_eq!(answer.text("Message").unwrap(), "no &lt;way&gt;");
    assert_eq!(
        (answer.text("RequestId").unwrap(), answer.text("Resource").unwrap()),
        ("R".to_owned(), "/bkt/k".to_owned())
    );
    for (code, status) in [
        ("RequestTimeTooSkewed", 403),
        ("ExpiredToken", 400),
        ("InvalidToken", 400),
        ("XAmzContentSHA256Mismatch", 400),
        ("AuthorizationHeaderMalformed", 400),
        ("MissingContentLength", 411),
        ("SlowDown", 503),
        ("InternalError", 500),
        ("RequestTimeout", 400),
        ("OperationAborted", 409),
    ] {
        assert_eq!(crate::s3::error_response("R", code, "", "/").status.as_u16(), status, "{code}");
    }
}
