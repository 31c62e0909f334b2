//! The vectors that AWS publishes.

use super::*;

const HOST_URL: &str = "https://example.amazonaws.com";
const KEY: (&str, &str) = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");

struct Vector<'a> {
    name: &'a str,
    method: &'a str,
    uri: String,
    rules: Rules,
    credentials: Credentials,
    headers: HeaderMap,
    body: &'a str,
    in_headers: &'a str,
    in_query: &'a str,
}

fn vectors() -> Vec<Vector<'static>> {
    let lines = include_str!("suite.tsv").lines().filter(|line| !line.starts_with('#'));
    lines.map(vector).collect()
}

fn vector(line: &'static str) -> Vector<'static> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [name, method, uri, normalize, token, lines, body, in_headers, in_query] = columns[..]
    else {
        panic!("{line}")
    };
    let mut headers = HeaderMap::new();
    for line in lines.split('|').filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    Vector {
        name,
        method,
        uri: format!("{HOST_URL}{uri}"),
        rules: Rules {
            encode_path_again: false,
            normalize_path: normalize == "yes",
            ..Rules::GENERAL
        },
        credentials: credentials(KEY.0, KEY.1, token),
        headers,
        body,
        in_headers,
        in_query,
    }
}

#[test]
fn signatures_in_headers() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 38);
    for vector in vectors {
        let signer = SigV4::new("us-east-1", "service").with_rules(vector.rules);
        let mut request = http::Request::builder()
            .method(vector.method)
            .uri(&vector.uri)
            .body(RequestBody::from(Bytes::from_static(vector.body.as_bytes())))
            .unwrap();
        *request.headers_mut() = vector.headers;
        if !vector.body.is_empty() {
            let hash = Hex::of(Sha256::digest(vector.body).as_ref());
            let value = HeaderValue::from_str(hash.as_str()).unwrap();
            request.headers_mut().insert(CONTENT_SHA256, value);
        }
        signer.sign(&mut request, &vector.credentials, at("20150830T123600Z")).unwrap();
        assert_eq!(signature(&request), vector.in_headers, "{}", vector.name);
    }
}

#[test]
fn signatures_in_the_query() {
    // Those that sign a body cannot be told so in a URL.
    for vector in vectors().into_iter().filter(|vector| vector.body.is_empty()) {
        let signer = SigV4::new("us-east-1", "service").with_rules(vector.rules);
        let url = signer
            .presign(
                &vector.method.parse().unwrap(),
                &vector.uri.parse().unwrap(),
                &vector.headers,
                Duration::from_secs(3600),
                &vector.credentials,
                at("20150830T123600Z"),
            )
            .unwrap();
        let (_, signature) = url.split_once("&X-Amz-Signature=").unwrap();
        assert_eq!(signature, vector.in_query, "{}: {url}", vector.name);
        assert!(url.parse::<Uri>().is_ok());
    }
}

/// Paths as services other than S3 have them signed.
#[test]
fn paths_are_encoded_again_for_other_services() {
    for (path, signed) in [
        ("/test/@connections/JBDvjfGEIAMCERw%3D", "/test/%40connections/JBDvjfGEIAMCERw%253D"),
        (
            "/functions/arn%3Aaws%3Alambda/invocations",
            "/functions/arn%253Aaws%253Alambda/invocations",
        ),
        ("/a/./b/../c//d/", "/a/c/d/"),
        ("/../..", "/"),
        ("", "/"),
    ] {
        assert_eq!(canonical::path(path, Rules::GENERAL), signed);
    }
    for path in ["/a/./b/../c//d/", "/%C3%BC%20", "//", "/.."] {
        assert_eq!(canonical::path(path, Rules::S3), path);
    }
}
