//! The examples in the documentation of Amazon S3
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html> and its siblings).

use polycloud_wire::encode;

use super::*;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const WELCOME: &str = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
const BUCKET: &str = "https://examplebucket.s3.amazonaws.com";

fn example() -> Credentials {
    credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "")
}

fn signed(method: &str, path: &str, payload: &str, headers: &[(&str, &str)]) -> String {
    // The examples sign more than S3 demands.
    let rules = Rules { all_headers: true, ..Rules::S3 };
    let signer = SigV4::new("us-east-1", "s3").with_rules(rules);
    let mut request = request(method, &format!("{BUCKET}{path}"));
    for (name, value) in headers.iter().chain(&[("x-amz-content-sha256", payload)]) {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    }
    signer.sign(&mut request, &example(), at("20130524T000000Z")).unwrap();
    request.headers()[AUTHORIZATION].to_str().unwrap().to_owned()
}

#[test]
fn get_object() {
    assert_eq!(
        signed("GET", "/test.txt", EMPTY, &[("range", "bytes=0-9")]),
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
         Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
}

#[test]
fn put_object() {
    let headers =
        [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
    assert_eq!(
        signed("PUT", "/test%24file.text", WELCOME, &headers),
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, \
         Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    );
}

#[test]
fn get_bucket_lifecycle() {
    let authorization = signed("GET", "/?lifecycle", EMPTY, &[]);
    let expected = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
    assert!(authorization.ends_with(expected), "{authorization}");
}

#[test]
fn list_objects() {
    let authorization = signed("GET", "/?max-keys=2&prefix=J", EMPTY, &[]);
    let expected = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    assert!(authorization.ends_with(expected), "{authorization}");
    assert_eq!(authorization, signed("GET", "/?prefix=J&max-keys=2", EMPTY, &[]));
}

#[test]
fn presigned_get() {
    let url = SigV4::new("us-east-1", "s3")
        .presign(
            &Method::GET,
            &format!("{BUCKET}/test.txt").parse().unwrap(),
            &HeaderMap::new(),
            Duration::from_secs(86_400),
            &example(),
            at("20130524T000000Z"),
        )
        .unwrap();
    assert_eq!(
        url,
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

/// The document of the example, in which lines end as they do on the web.
const POLICY: &str = r#"{ "expiration": "2015-12-30T12:00:00.000Z",
  "conditions": [
    {"bucket": "sigv4examplebucket"},
    ["starts-with", "$key", "user/user1/"],
    {"acl": "public-read"},
    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},
    ["starts-with", "$Content-Type", "image/"],
    {"x-amz-meta-uuid": "14365123651274"},
    {"x-amz-server-side-encryption": "AES256"},
    ["starts-with", "$x-amz-meta-tag", ""],

    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
    {"x-amz-date": "20151229T000000Z" }
  ]
}"#;

#[test]
fn post_policy() {
    let signer = SigV4::new("us-east-1", "s3");
    let policy = POLICY.replace('\n', "\r\n");
    let mut given = Vec::new();
    let fields = signer.sign_policy(
        |fields| {
            given = fields.to_vec();
            policy.clone()
        },
        &example(),
        at("20151229T000000Z"),
    );
    for (name, value) in &given {
        assert!(POLICY.contains(&format!("\"{name}\": \"{value}\"")), "{name}");
    }
    let mut encoded = String::new();
    encode::base64(policy.as_bytes(), &mut encoded);
    assert_eq!(fields[3], ("policy", encoded));
    let expected = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";
    assert_eq!(fields[4], ("x-amz-signature", expected.to_owned()));
}

#[test]
fn a_policy_of_temporary_credentials_names_their_token() {
    let signer = SigV4::new("us-east-1", "s3");
    let fields = signer.sign_policy(
        |fields| format!("{fields:?}"),
        &credentials("A", "secret", "token"),
        at("20151229T000000Z"),
    );
    assert!(fields.contains(&("x-amz-security-token", "token".to_owned())));
}
