use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use polycloud_core::Retry;
use polycloud_wire::client::{HttpClient, RequestBody, ResponseBody, SendError, SendErrorKind};

use super::*;
use crate::config::Preset;

type Answer = Result<http::Response<ResponseBody>, SendError>;

/// Answers one request after the other, and keeps what was asked.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<(String, String)>>,
}

#[async_trait]
impl HttpClient for Script {
    async fn send(&self, request: http::Request<RequestBody>) -> Answer {
        let (head, body) = request.into_parts();
        assert!(head.headers.contains_key("authorization"), "{head:?}");
        let body = String::from_utf8(body.as_bytes().unwrap_or(&Bytes::new()).to_vec()).unwrap();
        // The SDK tells the operation to the server.
        let uri = head.uri.to_string();
        let uri =
            uri.split(['?', '&']).filter(|part| !part.starts_with("x-id=")).collect::<Vec<_>>();
        let line = format!("{} {}", head.method, uri.join("?"));
        self.asked.lock().unwrap().push((line, body));
        self.answers.lock().unwrap().pop_front().expect("one request more than there are answers")
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Answer {
    let mut answer = http::Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    Ok(answer.body(ResponseBody::new(Bytes::from_static(body.as_bytes()))).unwrap())
}

fn refused(status: u16, code: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>Words</Message></Error>");
    let body = ResponseBody::new(body.into());
    Ok(http::Response::builder()
        .status(status)
        .header("x-amz-request-id", "R1")
        .body(body)
        .unwrap())
}

const OK: fn() -> Answer = || answer(200, &[], "");

async fn buckets(
    config: S3Config,
    answers: impl IntoIterator<Item = Answer>,
) -> (S3Buckets, Arc<Script>) {
    let script = Arc::new(Script::default());
    script.answers.lock().unwrap().extend(answers);
    let session = Session::new()
        .with_client(Arc::clone(&script) as _)
        .with_environment(crate::config::Environment::new(&[], &[]));
    let config = config.with_credentials("AKID", "c4n4ry");
    (config.open_buckets(&session).await.unwrap(), script)
}

fn in_region(region: &str) -> S3Config {
    S3Config::default().with_region(region)
}

fn name() -> BucketName {
    BucketName::new("abc").unwrap()
}

impl Script {
    fn lines(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(line, _)| line.clone()).collect()
    }

    fn body(&self, n: usize) -> String {
        self.asked.lock().unwrap()[n].1.clone()
    }
}

#[tokio::test]
async fn a_bucket_is_created_where_it_is_asked_for() {
    let (home, script) = buckets(in_region("eu-west-1"), [OK(), OK()]).await;
    let info = home.create(&name(), &CreateBucketOptions::default()).await.unwrap();
    assert_eq!((info.location.as_deref(), info.versioning), (Some("eu-west-1"), Some(false)));
    assert!(script.body(0).contains("<LocationConstraint>eu-west-1</LocationConstraint>"));
    let options = CreateBucketOptions::default().with_location("ap-south-1");
    let info = home.create(&name(), &options).await.unwrap();
    assert_eq!(info.location.as_deref(), Some("ap-south-1"));
    assert!(script.body(1).contains("<LocationConstraint>ap-south-1</LocationConstraint>"));
    assert_eq!(
        script.lines(),
        [
            "PUT https://abc.s3.eu-west-1.amazonaws.com/",
            "PUT https://abc.s3.ap-south-1.amazonaws.com/"
        ]
    );
}

#[tokio::test]
async fn the_first_region_is_told_by_saying_nothing() {
    let classic = in_region("us-east-1");
    let (home, script) = buckets(classic.clone(), [answer(404, &[], ""), OK()]).await;
    home.create(&name(), &CreateBucketOptions::default()).await.unwrap();
    assert_eq!(script.lines()[1], "PUT https://abc.s3.us-east-1.amazonaws.com/");
    assert_eq!(script.body(1), "");
    for status in [200, 301, 403] {
        let (home, script) = buckets(classic.clone(), [answer(status, &[], "")]).await;
        let error = home.create(&name(), &CreateBucketOptions::default()).await.unwrap_err();
        assert_eq!((error.kind(), script.lines().len()), (ErrorKind::AlreadyExists, 1));
    }
}

#[tokio::test]
async fn other_services_are_told_a_location_only_if_there_is_one() {
    let own = S3Config::default().with_endpoint("https://minio.example").with_preset(Preset::Minio);
    let (home, script) = buckets(own.clone(), [OK()]).await;
    home.create(&name(), &CreateBucketOptions::default()).await.unwrap();
    assert_eq!(script.lines(), ["PUT https://minio.example/abc/"]);
    assert_eq!(script.body(0), "");
    let (home, script) = buckets(own.with_region("here"), [OK()]).await;
    let options = CreateBucketOptions::default().with_location("there");
    home.create(&name(), &options).await.unwrap();
    assert!(script.body(0).contains("<LocationConstraint>there</LocationConstraint>"));
}

#[tokio::test]
async fn a_create_that_cannot_be_completed_is_taken_back() {
    let options = CreateBucketOptions::default().with_versioning(true);
    let denied = || refused(403, "AccessDenied");
    let (home, script) = buckets(in_region("eu-west-1"), [OK(), denied(), OK()]).await;
    let error = home.create(&name(), &options).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::PermissionDenied, Outcome::NotApplied));
    assert!(error.message().contains("s3:PutBucketVersioning"), "{error}");
    assert_eq!(script.lines()[2], "DELETE https://abc.s3.eu-west-1.amazonaws.com/");
    let (home, _) = buckets(in_region("eu-west-1"), [OK(), denied(), denied()]).await;
    let error = home.create(&name(), &options).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Applied);
    assert_eq!(error.leaked(), [ResourceRef::new("bucket", "abc")]);
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_does_not_lie_about_the_first() {
    let create = async |first: Answer| {
        let answers = [first, refused(409, "BucketAlreadyOwnedByYou")];
        let (home, script) = buckets(in_region("eu-west-1"), answers).await;
        let error = home.create(&name(), &CreateBucketOptions::default()).await.unwrap_err();
        assert_eq!((error.kind(), script.lines().len()), (ErrorKind::AlreadyExists, 2));
        error.outcome()
    };
    assert_eq!(create(refused(500, "InternalError")).await, Outcome::Unknown);
    assert_eq!(create(Err(SendError::new(SendErrorKind::Closed))).await, Outcome::Unknown);
    assert_eq!(create(refused(503, "SlowDown")).await, Outcome::NotApplied);

    let delete = async |first: Answer| {
        let answers = [first, refused(404, "NoSuchBucket")];
        let (home, _) = buckets(in_region("eu-west-1"), answers).await;
        home.delete(&name(), &DeleteBucketOptions::default()).await
    };
    assert!(delete(refused(500, "InternalError")).await.is_ok());
    let error = delete(refused(503, "SlowDown")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BucketNotFound);
}

#[tokio::test]
async fn a_head_tells_what_there_is() {
    let region = [("x-amz-bucket-region", "eu-west-1")];
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let never = "<VersioningConfiguration/>";
    for (versioning, expected) in [
        (answer(200, &[], enabled), Some(true)),
        (answer(200, &[], never), Some(false)),
        (refused(403, "AccessDenied"), None),
    ] {
        let answers = [answer(200, &region, ""), versioning];
        let (home, script) = buckets(in_region("eu-west-1"), answers).await;
        let info = home.head(&name()).await.unwrap();
        assert_eq!((info.location.as_deref(), info.versioning), (Some("eu-west-1"), expected));
        assert_eq!(
            script.lines(),
            [
                "HEAD https://abc.s3.eu-west-1.amazonaws.com/",
                "GET https://abc.s3.eu-west-1.amazonaws.com/?versioning",
            ]
        );
    }
    let failed = async |answer: Answer| {
        let (home, _) = buckets(in_region("us-west-2"), [answer]).await;
        home.head(&name()).await.unwrap_err()
    };
    let missing = failed(answer(404, &[("x-amz-request-id", "R9")], "")).await;
    assert_eq!((missing.kind(), missing.request_id()), (ErrorKind::BucketNotFound, Some("R9")));
    assert_eq!((missing.code(), missing.operation()), (None, "head_bucket"));
    let elsewhere = [answer(301, &region, ""), answer(301, &region, ""), answer(200, &[], enabled)];
    let (home, script) = buckets(in_region("us-west-2"), elsewhere).await;
    assert_eq!(home.head(&name()).await.unwrap().location.as_deref(), Some("eu-west-1"));
    assert_eq!(script.lines()[2], "GET https://abc.s3.eu-west-1.amazonaws.com/?versioning");
    let denied = failed(answer(403, &[], "")).await;
    assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
    assert!(denied.message().contains("s3:ListBucket"), "{denied}");
}

#[tokio::test]
async fn buckets_are_listed_page_by_page() {
    let first = "<ListAllMyBucketsResult><Buckets>\
        <Bucket><Name>def</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>\
        <Bucket><Name>abc</Name><BucketRegion>eu-west-1</BucketRegion></Bucket>\
        <Bucket><Name>With.Dots</Name></Bucket>\
        </Buckets><ContinuationToken>T/1</ContinuationToken></ListAllMyBucketsResult>";
    let last = "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>";
    let answers = [answer(200, &[], first), answer(200, &[], last)];
    let (home, script) = buckets(in_region("eu-west-1"), answers).await;
    let page = home.list_page(None).await.unwrap();
    let names: Vec<_> = page.buckets.iter().map(|info| info.name.as_str()).collect();
    assert_eq!(names, ["abc", "def"]);
    assert_eq!(page.buckets[0].location.as_deref(), Some("eu-west-1"));
    let created = polycloud_wire::time::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
    assert_eq!(page.buckets[1].created, Some(created));
    let page = home.list_page(page.next.as_ref()).await.unwrap();
    assert!(page.buckets.is_empty() && page.next.is_none());
    assert!(script.lines()[1].contains("continuation-token=T%2F1"), "{:?}", script.lines());
}

#[tokio::test]
async fn lifecycle_rules_go_both_ways() {
    let mut versions = LifecycleRule::default();
    versions.expire_old_versions_days = Some(30);
    let mut several = LifecycleRule::default();
    several.prefix = "a/<&".into();
    (several.expire_days, several.abort_uploads_days) = (Some(1), Some(7));
    let rules = [versions, several];
    let (home, script) = buckets(in_region("eu-west-1"), [OK()]).await;
    home.set_lifecycle(&name(), &rules).await.unwrap();
    let written: &'static str = Box::leak(script.body(0).into_boxed_str());
    assert!(written.contains("<Prefix>a/&lt;&amp;</Prefix>"), "{written}");
    let (home, _) = buckets(in_region("eu-west-1"), [answer(200, &[], written)]).await;
    assert_eq!(home.lifecycle(&name()).await.unwrap(), rules);

    let none = refused(404, "NoSuchLifecycleConfiguration");
    let (home, script) = buckets(in_region("eu-west-1"), [none, OK()]).await;
    assert!(home.lifecycle(&name()).await.unwrap().is_empty());
    home.set_lifecycle(&name(), &[]).await.unwrap();
    assert_eq!(script.lines()[1], "DELETE https://abc.s3.eu-west-1.amazonaws.com/?lifecycle");
}

#[tokio::test]
async fn a_rule_that_does_nothing_is_not_sent() {
    let (home, script) = buckets(in_region("eu-west-1"), []).await;
    let mut at_once = LifecycleRule::default();
    at_once.expire_days = Some(0);
    for rule in [LifecycleRule::default(), at_once] {
        let error = home.set_lifecycle(&name(), &[rule]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    assert!(script.lines().is_empty());
}

#[tokio::test]
async fn rules_without_a_portable_form_are_not_passed_over() {
    for inside in [
        "<Status>Disabled</Status><Expiration><Days>1</Days></Expiration>",
        "<Status>Enabled</Status><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>",
        "<Status>Enabled</Status><Expiration><Date>2026-01-01T00:00:00Z</Date></Expiration>",
        "<Status>Enabled</Status><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
        "<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>",
        "<Status>Enabled</Status><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>\
         <NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
    ] {
        let body = format!(
            "<LifecycleConfiguration><Rule><ID>archive</ID>{inside}</Rule></LifecycleConfiguration>"
        );
        let answers = [answer(200, &[], Box::leak(body.into_boxed_str()))];
        let (home, _) = buckets(in_region("eu-west-1"), answers).await;
        let error = home.lifecycle(&name()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{inside}");
        assert!(error.message().contains("\"archive\""), "{error}");
    }
    let old = "<LifecycleConfiguration><Rule><Prefix>logs/</Prefix><Status>Enabled</Status>\
               <Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>";
    let (home, _) = buckets(in_region("eu-west-1"), [answer(200, &[], old)]).await;
    assert_eq!(home.lifecycle(&name()).await.unwrap()[0].prefix, "logs/");
}

#[tokio::test(start_paused = true)]
async fn errors_are_those_of_the_data_operations() {
    let failed = async |answers: Vec<Answer>| {
        let (home, _) = buckets(in_region("eu-west-1").with_max_attempts(2), answers).await;
        home.set_versioning(&name(), true).await.unwrap_err()
    };
    let no = || Err(SendError::new(SendErrorKind::Connect));
    let error = failed(vec![no(), no()]).await;
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
    assert!(error.message().contains("no connection"), "{error}");
    let error = failed(vec![Err(SendError::new(SendErrorKind::Tls))]).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    let error = failed(vec![refused(404, "NoSuchBucket")]).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::BucketNotFound, Some("NoSuchBucket")));
    assert_eq!((error.status(), error.request_id()), (Some(404), Some("R1")));
    assert_eq!(error.retry(), Retry::Never);
    let slow = || refused(503, "SlowDown");
    let error = failed(vec![slow(), slow()]).await;
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::RateLimited, Outcome::NotApplied));
    for shown in [format!("{error:?}"), format!("{error}")] {
        assert!(!shown.contains("c4n4ry"), "{shown}");
    }
}

#[tokio::test]
async fn what_a_service_cannot_do_is_not_asked() {
    let generic = S3Config::default().with_endpoint("https://s3.example");
    let (home, script) = buckets(generic, []).await;
    let error = home.set_versioning(&name(), true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let options = CreateBucketOptions::default().with_versioning(true);
    let error = home.create(&name(), &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(script.lines().is_empty());
    assert_eq!(home.open(&name()).unwrap().info().bucket, "abc");
}
