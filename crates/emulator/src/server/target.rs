//! Which bucket and which key a request is about.

use std::net::Ipv4Addr;

use percent_encoding::percent_decode_str;

/// Domains under which names of buckets are looked for, whatever else is configured.
pub(crate) const DOMAINS: [&str; 2] = ["s3.localhost", "localhost"];

/// Services of names that stand for the address within the name.
const ADDRESS_DOMAINS: [&str; 2] = [".nip.io", ".sslip.io"];

/// The path or the query is no percent-encoded UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadEncoding;

/// A bucket and a key, as far as a request names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) bucket: Option<String>,
    pub(crate) key: Option<String>,
}

impl Target {
    /// From the host and the path as it was sent.
    pub(crate) fn parse(host: &str, path: &str, domains: &[String]) -> Result<Self, BadEncoding> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let (bucket, key) = match bucket_of_host(host, domains) {
            Some(bucket) => (Some(bucket), path),
            None if path.is_empty() => (None, ""),
            None => {
                let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
                (Some(decode(bucket)?), key)
            }
        };
        let key = if key.is_empty() { None } else { Some(decode(key)?) };
        Ok(Self { bucket, key })
    }
}

fn decode(text: &str) -> Result<String, BadEncoding> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| BadEncoding)?;
    Ok(decoded.into_owned())
}

/// The parameters of a query in order, decoded.
pub(crate) fn query(raw: &str) -> Result<Vec<(String, String)>, BadEncoding> {
    let text = |raw: &str| {
        if raw.contains('+') { decode(&raw.replace('+', " ")) } else { decode(raw) }
    };
    let parameters = raw.split('&').filter(|parameter| !parameter.is_empty());
    let split = parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")));
    split.map(|(name, value)| Ok((text(name)?, text(value)?))).collect()
}

/// The bucket before a known domain in the name of a host.
fn bucket_of_host(host: &str, domains: &[String]) -> Option<String> {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    });
    if name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok() {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let before = |domain: &str| {
        let bucket = name.strip_suffix(domain)?.strip_suffix('.')?;
        (!bucket.is_empty()).then(|| bucket.to_owned())
    };
    let configured = domains.iter().map(String::as_str).chain(DOMAINS);
    let mut known = configured.filter(|domain| name.ends_with(domain)).collect::<Vec<_>>();
    known.sort_by_key(|domain| std::cmp::Reverse(domain.len()));
    match known.first() {
        Some(domain) => before(domain),
        None => bucket_of_aws(&name).or_else(|| bucket_of_address(&name)),
    }
}

/// `BUCKET.s3[.dualstack].REGION.amazonaws.com` and its older forms.
fn bucket_of_aws(name: &str) -> Option<String> {
    let name = name.strip_suffix(".cn").unwrap_or(name).strip_suffix(".amazonaws.com")?;
    let labels = name.split('.').collect::<Vec<_>>();
    let service = labels.iter().rposition(|label| *label == "s3" || label.starts_with("s3-"))?;
    let bucket = labels.get(..service)?.join(".");
    (!bucket.is_empty()).then_some(bucket)
}

/// `BUCKET.127.0.0.1.nip.io`.
fn bucket_of_address(name: &str) -> Option<String> {
    let name = ADDRESS_DOMAINS.iter().find_map(|domain| name.strip_suffix(domain))?;
    let labels = name.split('.').collect::<Vec<_>>();
    let (bucket, address) = labels.split_at_checked(labels.len().checked_sub(4)?)?;
    address.join(".").parse::<Ipv4Addr>().ok()?;
    (!bucket.is_empty()).then(|| bucket.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, path: &str) -> (Option<String>, Option<String>) {
        let target = Target::parse(host, path, &["s3.test".to_owned()]).unwrap();
        (target.bucket, target.key)
    }

    #[test]
    fn buckets_in_hosts() {
        for (host, bucket) in [
            ("127.0.0.1:9000", None),
            ("[::1]:9000", None),
            ("localhost:9000", None),
            ("s3.localhost", None),
            ("emulator:9000", None),
            ("s3.amazonaws.com", None),
            ("s3.eu-west-1.amazonaws.com", None),
            ("s3.test", None),
            ("127.0.0.1.nip.io:9000", None),
            ("b.localhost:9000", Some("b")),
            ("b.s3.localhost", Some("b")),
            ("My.Bucket.s3.test:80", Some("my.bucket")),
            ("b.s3.amazonaws.com", Some("b")),
            ("my.bucket.s3.eu-west-1.amazonaws.com", Some("my.bucket")),
            ("b.s3.dualstack.us-east-1.amazonaws.com", Some("b")),
            ("b.s3-us-west-2.amazonaws.com", Some("b")),
            ("b.s3.cn-north-1.amazonaws.com.cn", Some("b")),
            ("b.127.0.0.1.nip.io:9000", Some("b")),
        ] {
            assert_eq!(bucket_of_host(host, &["s3.test".to_owned()]).as_deref(), bucket, "{host}");
        }
    }

    #[test]
    fn paths_are_kept_as_they_are() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(target("127.0.0.1", "/"), (None, None));
        assert_eq!(target("127.0.0.1", "/b"), (some("b"), None));
        assert_eq!(target("127.0.0.1", "/b/"), (some("b"), None));
        assert_eq!(target("127.0.0.1", "/b//k"), (some("b"), some("/k")));
        assert_eq!(target("127.0.0.1", "/b/a/../k/./"), (some("b"), some("a/../k/./")));
        assert_eq!(target("127.0.0.1", "/b/%2525+%2B%20%2F"), (some("b"), some("%25++ /")));
        assert_eq!(target("b.localhost", "/"), (some("b"), None));
        assert_eq!(target("b.localhost", "//k"), (some("b"), some("/k")));
        assert_eq!(Target::parse("h", "/b/%ff", &[]), Err(BadEncoding));
    }

    #[test]
    fn parameters() {
        let parameters = query("acl&a=1%202+3&=x&b==&&a=").unwrap();
        let parameters = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let expected = [("acl", ""), ("a", "1 2 3"), ("", "x"), ("b", "="), ("a", "")];
        assert_eq!(parameters.collect::<Vec<_>>(), expected);
        assert_eq!(query("a=%ff"), Err(BadEncoding));
    }
}
