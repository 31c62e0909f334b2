//! Names of the operations of S3, for the journal and for the rules of faults.

use http::{HeaderMap, Method};

/// Parameters that name a configuration of a bucket, and the name of the configuration.
const OF_BUCKETS: [(&str, &str); 21] = [
    ("location", "BucketLocation"),
    ("versioning", "BucketVersioning"),
    ("lifecycle", "BucketLifecycleConfiguration"),
    ("tagging", "BucketTagging"),
    ("policy", "BucketPolicy"),
    ("policyStatus", "BucketPolicyStatus"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("acl", "BucketAcl"),
    ("cors", "BucketCors"),
    ("website", "BucketWebsite"),
    ("replication", "BucketReplication"),
    ("object-lock", "ObjectLockConfiguration"),
    ("encryption", "BucketEncryption"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("requestPayment", "BucketRequestPayment"),
    ("logging", "BucketLogging"),
    ("notification", "BucketNotificationConfiguration"),
    ("accelerate", "BucketAccelerateConfiguration"),
    ("inventory", "BucketInventoryConfiguration"),
    ("metrics", "BucketMetricsConfiguration"),
    ("analytics", "BucketAnalyticsConfiguration"),
];

const OF_OBJECTS: [(&str, &str); 6] = [
    ("tagging", "ObjectTagging"),
    ("acl", "ObjectAcl"),
    ("attributes", "ObjectAttributes"),
    ("retention", "ObjectRetention"),
    ("legal-hold", "ObjectLegalHold"),
    ("torrent", "ObjectTorrent"),
];

/// The operation that a request means; `Unknown` if none.
pub(crate) fn name(
    method: &Method,
    bucket: Option<&str>,
    key: Option<&str>,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> String {
    let has = |wanted: &str| query.iter().any(|(name, _)| name == wanted);
    let configuration = |all: &[(&str, &'static str)]| {
        all.iter().find(|(parameter, _)| has(parameter)).map(|(_, name)| *name)
    };
    let simple = match (bucket, key) {
        (None, _) => (*method == Method::GET).then_some("ListBuckets"),
        (Some(_), None) => match configuration(&OF_BUCKETS) {
            Some(name) => return with_verb(method, name),
            None => of_bucket(method, query),
        },
        (Some(_), Some(_)) => match configuration(&OF_OBJECTS) {
            Some(name) => return with_verb(method, name),
            None => of_object(method, has, headers.contains_key("x-amz-copy-source")),
        },
    };
    simple.unwrap_or("Unknown").to_owned()
}

fn with_verb(method: &Method, name: &str) -> String {
    let verb = match *method {
        Method::GET => "Get",
        Method::PUT => "Put",
        Method::DELETE => "Delete",
        _ => return "Unknown".to_owned(),
    };
    let name = if verb == "Delete" && name == "BucketLifecycleConfiguration" {
        "BucketLifecycle"
    } else {
        name
    };
    format!("{verb}{name}")
}

fn of_bucket(method: &Method, query: &[(String, String)]) -> Option<&'static str> {
    let has = |wanted: &str| query.iter().any(|(name, _)| name == wanted);
    let v2 = query.iter().any(|(name, value)| name == "list-type" && value == "2");
    Some(match *method {
        Method::GET if has("versions") => "ListObjectVersions",
        Method::GET if has("uploads") => "ListMultipartUploads",
        Method::GET if v2 => "ListObjectsV2",
        Method::GET => "ListObjects",
        Method::HEAD => "HeadBucket",
        Method::PUT => "CreateBucket",
        Method::DELETE => "DeleteBucket",
        Method::POST if has("delete") => "DeleteObjects",
        Method::POST => "PostObject",
        _ => return None,
    })
}

fn of_object(method: &Method, has: impl Fn(&str) -> bool, copies: bool) -> Option<&'static str> {
    let upload = has("uploadId");
    Some(match *method {
        Method::GET if upload => "ListParts",
        Method::GET => "GetObject",
        Method::HEAD => "HeadObject",
        Method::PUT if upload && copies => "UploadPartCopy",
        Method::PUT if upload => "UploadPart",
        Method::PUT if copies => "CopyObject",
        Method::PUT => "PutObject",
        Method::POST if has("uploads") => "CreateMultipartUpload",
        Method::POST if upload => "CompleteMultipartUpload",
        Method::POST if has("restore") => "RestoreObject",
        Method::POST if has("select") => "SelectObjectContent",
        Method::DELETE if upload => "AbortMultipartUpload",
        Method::DELETE => "DeleteObject",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (method, target, expected) in [
            (Method::GET, "/", "ListBuckets"),
            (Method::GET, "/b?list-type=2", "ListObjectsV2"),
            (Method::GET, "/b?versions", "ListObjectVersions"),
            (Method::GET, "/b?versioning", "GetBucketVersioning"),
            (Method::PUT, "/b?lifecycle", "PutBucketLifecycleConfiguration"),
            (Method::DELETE, "/b?lifecycle", "DeleteBucketLifecycle"),
            (Method::POST, "/b?delete", "DeleteObjects"),
            (Method::POST, "/b", "PostObject"),
            (Method::HEAD, "/b", "HeadBucket"),
            (Method::GET, "/b/k", "GetObject"),
            (Method::PUT, "/b/k?uploadId=1&partNumber=1", "UploadPart"),
            (Method::POST, "/b/k?uploads", "CreateMultipartUpload"),
            (Method::DELETE, "/b/k?tagging", "DeleteObjectTagging"),
            (Method::PATCH, "/b/k", "Unknown"),
        ] {
            let (path, raw) = target.split_once('?').unwrap_or((target, ""));
            let query = crate::server::target::query(raw).unwrap();
            let mut parts = path.split('/').skip(1).filter(|part| !part.is_empty());
            let (bucket, key) = (parts.next(), parts.next());
            let found = name(&method, bucket, key, &query, &HeaderMap::new());
            assert_eq!(found, expected, "{method} {target}");
        }
        let copy = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-amz-copy-source"),
            http::HeaderValue::from_static("b/k"),
        )]);
        assert_eq!(name(&Method::PUT, Some("b"), Some("k"), &[], &copy), "CopyObject");
    }
}
