//! The token service, the metadata service and uploads of forms.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers fail as tests do")]

mod common;

use std::time::Duration;

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::{Answer, Call, element, emulator, get, put, start};
use polycloud_emulator::{Credentials, Emulator, Fault, Rule, Service};
use serde_json::{Value, json};

async fn sts(emulator: &Emulator, call: &Call) -> Answer {
    let (mut ours, theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(emulator.serve_sts(theirs));
    call.send(&mut ours).await
}

fn action(form: &str) -> Call {
    let mut call = Call::new("POST", "/").body(format!("{form}&Version=2011-06-15"));
    call.service = "sts";
    call.header("content-type", "application/x-www-form-urlencoded")
}

async fn signed(emulator: &Emulator, credentials: &Credentials, form: &str) -> Answer {
    sts(emulator, &action(form).sign(credentials)).await
}

fn session(answer: &Answer) -> Credentials {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut credentials = Credentials::new(
        answer.element("AccessKeyId").unwrap(),
        answer.element("SecretAccessKey").unwrap(),
    );
    credentials.session_token = answer.element("SessionToken");
    credentials
}

async fn read(emulator: &Emulator, credentials: &Credentials) -> Answer {
    Call::new("GET", "/bucket/key").sign(credentials).to(emulator).await
}

#[tokio::test]
async fn caller_identity() {
    let emulator = emulator();
    let answer = signed(&emulator, emulator.credentials(), "Action=GetCallerIdentity").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.element("Account").as_deref(), Some("111122223333"));
    assert_eq!(answer.element("Arn").as_deref(), Some("arn:aws:iam::111122223333:user/test"));
    let recorded = emulator.journal().requests().pop().unwrap();
    assert_eq!(
        (recorded.service, recorded.operation.as_str()),
        (Service::Sts, "GetCallerIdentity")
    );
}

#[tokio::test]
async fn a_role_for_a_time() {
    let emulator = emulator();
    put(&emulator, "key", "content").await;
    let form = "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fteam%2Freader\
                &RoleSessionName=me&DurationSeconds=900";
    let answer = signed(&emulator, emulator.credentials(), form).await;
    assert_eq!(answer.element("Expiration").as_deref(), Some("2013-05-24T00:15:00Z"));
    let session = session(&answer);
    assert_eq!(read(&emulator, &session).await.text(), "content");
    let hour = Duration::from_secs(3600);
    let url = Call::new("GET", "/bucket/key").presign(&session, hour);
    assert_eq!(url.to(&emulator).await.text(), "content");
    let who = signed(&emulator, &session, "Action=GetCallerIdentity").await;
    let arn = "arn:aws:sts::111122223333:assumed-role/reader/me";
    assert_eq!(who.element("Arn").as_deref(), Some(arn));

    let mut tokenless = session.clone();
    tokenless.session_token = None;
    assert_eq!(read(&emulator, &tokenless).await.code(), "InvalidAccessKeyId");
    let mut other = session.clone();
    other.session_token = Some("other".to_owned());
    let answer = read(&emulator, &other).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "InvalidToken"));

    emulator.clock().advance(Duration::from_secs(900));
    let late = Call::new("GET", "/bucket/key").at(emulator.clock().now()).sign(&session);
    let answer = late.to(&emulator).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "ExpiredToken"));
    assert_eq!(url.to(&emulator).await.code(), "ExpiredToken");
}

#[tokio::test]
async fn session_tokens() {
    let emulator = emulator();
    let answer = signed(&emulator, emulator.credentials(), "Action=GetSessionToken").await;
    let session = session(&answer);
    assert_eq!(read(&emulator, &session).await.code(), "NoSuchKey");
    let again = signed(&emulator, &session, "Action=GetSessionToken").await;
    assert_eq!((again.status, again.code().as_str()), (403, "AccessDenied"));
    emulator.reset();
    assert_eq!(read(&emulator, &session).await.code(), "InvalidAccessKeyId");
}

#[tokio::test]
async fn web_identities() {
    let emulator = emulator();
    let form = |token: &str| {
        action(&format!(
            "Action=AssumeRoleWithWebIdentity&RoleArn=arn:aws:iam::111122223333:role/pod\
             &RoleSessionName=pod-1&WebIdentityToken={token}"
        ))
    };
    let token = |expires: u64| {
        let claims = json!({"sub": "me", "iss": "https://issuer", "exp": expires});
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    };
    let answer = sts(&emulator, &form(&token(1_369_353_601))).await;
    assert_eq!(answer.element("SubjectFromWebIdentityToken").as_deref(), Some("me"));
    assert_eq!(read(&emulator, &session(&answer)).await.code(), "NoSuchKey");
    let answer = sts(&emulator, &form(&token(1_369_353_600))).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "ExpiredTokenException"));
    assert_eq!(sts(&emulator, &form("opaque")).await.status, 200);
    assert_eq!(sts(&emulator, &form("")).await.code(), "ValidationError");
}

#[tokio::test]
async fn what_the_token_service_refuses() {
    let emulator = emulator();
    let known = emulator.credentials();
    let role = "RoleArn=arn:aws:iam::1:role/r&RoleSessionName=me";
    for (form, code) in [
        ("Action=Dance".to_owned(), "InvalidAction"),
        ("Action=AssumeRole".to_owned(), "ValidationError"),
        ("Action=AssumeRole&RoleArn=me&RoleSessionName=me".to_owned(), "ValidationError"),
        (format!("Action=AssumeRole&{role}&DurationSeconds=899"), "ValidationError"),
        (format!("Action=AssumeRole&{role}&DurationSeconds=43201"), "ValidationError"),
        (format!("Action=AssumeRole&{role}%20"), "ValidationError"),
    ] {
        let answer = signed(&emulator, known, &form).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{form}");
    }
    let form = "Action=GetCallerIdentity";
    let stranger = Credentials::new("AKIASTRANGER", "x");
    assert_eq!(signed(&emulator, &stranger, form).await.code(), "InvalidClientTokenId");
    let wrong = Credentials::new(&known.access_key, "x");
    assert_eq!(signed(&emulator, &wrong, form).await.code(), "SignatureDoesNotMatch");
    assert_eq!(sts(&emulator, &action(form)).await.code(), "MissingAuthenticationToken");
    let late = action(form).at(start() - Duration::from_secs(3600)).sign(known);
    assert_eq!(sts(&emulator, &late).await.code(), "SignatureDoesNotMatch");
    let mut changed = action(form).sign(known);
    changed.body = b"Action=GetSessionToken".to_vec();
    assert_eq!(sts(&emulator, &changed).await.code(), "SignatureDoesNotMatch");
}

#[tokio::test]
async fn faults_of_the_token_service() {
    let emulator = emulator();
    let slow =
        Fault::Status { status: 503, code: "ServiceUnavailable".to_owned(), retry_after: None };
    emulator.faults().push(Rule::new(slow).service(Service::Sts));
    assert_eq!(read(&emulator, emulator.credentials()).await.code(), "NoSuchKey");
    let form = "Action=GetCallerIdentity";
    let answer = signed(&emulator, emulator.credentials(), form).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "ServiceUnavailable"));
    assert_eq!(answer.element("Type").as_deref(), Some("Receiver"));
    assert_eq!(signed(&emulator, emulator.credentials(), form).await.status, 200);
}

async fn imds(emulator: &Emulator, call: Call) -> Answer {
    let (mut ours, theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(emulator.serve_imds(theirs));
    call.send(&mut ours).await
}

fn token_call(ttl: &str) -> Call {
    Call::new("PUT", "/latest/api/token").header("x-aws-ec2-metadata-token-ttl-seconds", ttl)
}

async fn metadata(emulator: &Emulator, token: &str, path: &str) -> Answer {
    imds(emulator, Call::new("GET", path).header("x-aws-ec2-metadata-token", token)).await
}

#[tokio::test]
async fn metadata_needs_a_token() {
    let emulator = emulator();
    let path = "/latest/meta-data/placement/region";
    assert_eq!(imds(&emulator, Call::new("GET", path)).await.status, 401);
    assert_eq!(metadata(&emulator, "made up", path).await.status, 401);
    let token = imds(&emulator, token_call("60")).await;
    assert_eq!(token.header("x-aws-ec2-metadata-token-ttl-seconds"), Some("60"));
    assert_eq!(metadata(&emulator, token.text(), path).await.text(), "us-east-1");
    assert_eq!(metadata(&emulator, token.text(), "/latest/meta-data/none").await.status, 404);
    emulator.clock().advance(Duration::from_secs(60));
    assert_eq!(metadata(&emulator, token.text(), path).await.status, 401);

    for ttl in ["0", "21601", "soon", ""] {
        assert_eq!(imds(&emulator, token_call(ttl)).await.status, 400, "{ttl}");
    }
    let forwarded = token_call("60").header("x-forwarded-for", "10.0.0.1");
    assert_eq!(imds(&emulator, forwarded).await.status, 403);
    assert_eq!(imds(&emulator, Call::new("GET", "/latest/api/token")).await.status, 405);
    let journal = format!("{:?}", emulator.journal().requests());
    assert!(!journal.contains(token.text()), "tokens are secrets");
}

#[tokio::test]
async fn credentials_of_the_instance() {
    let emulator = emulator();
    let token = imds(&emulator, token_call("21600")).await.text().to_owned();
    let roles = "/latest/meta-data/iam/security-credentials/";
    let role = metadata(&emulator, &token, roles).await.text().to_owned();
    let read_credentials = async || {
        let answer = metadata(&emulator, &token, &format!("{roles}{role}")).await;
        serde_json::from_slice::<Value>(&answer.body).unwrap()
    };
    let document = read_credentials().await;
    assert_eq!(document["Code"], "Success");
    assert_eq!(document["Expiration"], "2013-05-24T06:00:00Z");
    let text = |name: &str| document[name].as_str().unwrap().to_owned();
    let mut credentials = Credentials::new(text("AccessKeyId"), text("SecretAccessKey"));
    credentials.session_token = Some(text("Token"));
    assert_eq!(read(&emulator, &credentials).await.code(), "NoSuchKey");
    emulator.clock().advance(Duration::from_secs(5 * 3600));
    assert_eq!(read_credentials().await["AccessKeyId"], document["AccessKeyId"]);
    // New ones are there five minutes before the old ones end.
    emulator.clock().advance(Duration::from_secs(55 * 60));
    assert_ne!(read_credentials().await["AccessKeyId"], document["AccessKeyId"]);

    let identity = "/latest/dynamic/instance-identity/document";
    let identity = metadata(&emulator, &token, identity).await;
    let identity = serde_json::from_slice::<Value>(&identity.body).unwrap();
    assert_eq!(identity["region"], "us-east-1");
    assert_eq!(identity["accountId"], "111122223333");
}

#[tokio::test]
async fn credentials_of_containers() {
    let emulator = emulator();
    let path = |url: &str| format!("/{}", url.splitn(4, '/').nth(3).unwrap());
    let container = Call::new("GET", path(&emulator.container_credentials_url()));
    let answer = imds(&emulator, container).await;
    let document = serde_json::from_slice::<Value>(&answer.body).unwrap();
    let text = |name: &str| document[name].as_str().unwrap().to_owned();
    let mut credentials = Credentials::new(text("AccessKeyId"), text("SecretAccessKey"));
    credentials.session_token = Some(text("Token"));
    assert_eq!(read(&emulator, &credentials).await.code(), "NoSuchKey");

    let (url, token) = emulator.pod_credentials();
    let pod = Call::new("GET", path(&url));
    assert_eq!(imds(&emulator, pod.clone()).await.status, 401);
    assert_eq!(imds(&emulator, pod.clone().header("authorization", "other")).await.status, 401);
    assert_eq!(imds(&emulator, pod.header("authorization", token)).await.status, 200);
}

/// A form with a policy that lets pictures be uploaded below `user/`.
struct Form {
    fields: Vec<(&'static str, String)>,
    file: String,
}

impl Form {
    fn new(emulator: &Emulator, expiration: &str) -> Self {
        let credentials = emulator.credentials();
        let credential = format!("{}/20130524/us-east-1/s3/aws4_request", credentials.access_key);
        let policy = json!({
            "expiration": expiration,
            "conditions": [
                {"bucket": "bucket"},
                ["starts-with", "$key", "user/"],
                ["eq", "$Content-Type", "image/png"],
                ["content-length-range", 2, "10"],
                {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
                {"x-amz-credential": credential},
                {"x-amz-date": "20130524T000000Z"},
            ],
        });
        let policy = STANDARD.encode(policy.to_string());
        let key = generate_signing_key(&credentials.secret_key, start(), "us-east-1", "s3");
        let signature = calculate_signature(key, policy.as_bytes());
        let fields = vec![
            ("key", "user/${filename}".to_owned()),
            ("Content-Type", "image/png".to_owned()),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", credential),
            ("x-amz-date", "20130524T000000Z".to_owned()),
            ("policy", policy),
            ("x-amz-signature", signature),
        ];
        Self { fields, file: "content".to_owned() }
    }

    fn set(mut self, name: &'static str, value: &str) -> Self {
        self.fields.retain(|(known, _)| *known != name);
        self.fields.push((name, value.to_owned()));
        self
    }

    async fn send(&self, emulator: &Emulator) -> Answer {
        let mut body = String::new();
        for (name, value) in &self.fields {
            body.push_str(&format!(
                "--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        body.push_str(
            "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n",
        );
        body.push_str(&format!("Content-Type: image/png\r\n\r\n{}\r\n--XX--\r\n", self.file));
        let call = Call::new("POST", "/bucket").body(body);
        call.header("content-type", "multipart/form-data; boundary=XX").to(emulator).await
    }
}

#[tokio::test]
async fn forms_within_their_policy() {
    let emulator = emulator();
    let form = Form::new(&emulator, "2013-05-25T00:00:00.000Z");
    assert_eq!(form.send(&emulator).await.status, 204);
    let answer = get(&emulator, "user/a.png").await;
    assert_eq!((answer.text(), answer.header("content-type")), ("content", Some("image/png")));
    let signed_by = emulator.journal().requests()[0].signed_by.clone();
    assert_eq!(signed_by.as_deref(), Some(emulator.credentials().access_key.as_str()));
    assert_eq!(form.set("x-ignore-this", "1").send(&emulator).await.status, 204);
}

#[tokio::test]
async fn forms_outside_their_policy() {
    let emulator = emulator();
    let form = || Form::new(&emulator, "2013-05-25T00:00:00.000Z");
    let file = |file: &str| Form { file: file.to_owned(), ..form() };
    for (form, code) in [
        (form().set("key", "other/key"), "AccessDenied"),
        (form().set("Content-Type", "image/gif"), "AccessDenied"),
        (form().set("x-amz-storage-class", "GLACIER"), "AccessDenied"),
        (Form::new(&emulator, "2013-05-24T00:00:00.000Z"), "AccessDenied"),
        (file("c"), "EntityTooSmall"),
        (file("more than ten"), "EntityTooLarge"),
        (form().set("policy", "e30="), "SignatureDoesNotMatch"),
        (form().set("x-amz-signature", "00"), "SignatureDoesNotMatch"),
    ] {
        let answer = form.send(&emulator).await;
        assert_eq!(answer.code(), code, "{}", answer.text());
    }
    let mut unsigned = form();
    unsigned.fields.truncate(2);
    assert_eq!(unsigned.send(&emulator).await.code(), "AccessDenied");
    let listed = Call::new("GET", "/bucket?list-type=2").sign(emulator.credentials());
    let listed = listed.to(&emulator).await;
    assert_eq!(element(listed.text(), "KeyCount").as_deref(), Some("0"));
}
