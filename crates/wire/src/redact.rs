//! Secrets that cannot be printed by accident, and what may be told of URLs and headers.
//!
//! All of this names what may be shown and hides the rest, because what is secret differs from provider
//! to provider.

use std::fmt;
use std::hint::black_box;

use http::HeaderMap;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

const REDACTED: &str = "<redacted>";

/// A password, key or token. It prints as `<redacted>` and is overwritten when it is dropped.
///
/// Comparing takes the same time wherever two secrets of the same length differ.
///
/// ```
/// use polycloud_wire::redact::Secret;
///
/// let secret = Secret::new("hunter2");
/// assert_eq!(format!("{secret} {secret:?}"), "<redacted> <redacted>");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps a secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// The secret itself. What is made of it must be protected as well.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self::new(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.bytes().zip(other.0.bytes());
        // Hidden from the optimiser, which could otherwise stop at the first difference.
        let difference = pairs.fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
        self.0.len() == other.0.len() && difference == 0
    }
}

impl Eq for Secret {}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The scheme, host and path of a URL and the names of its query parameters.
///
/// ```
/// use polycloud_wire::redact;
///
/// let url = "https://me:pw@example.com:8080/a/b?list-type=2&X-Sig=abc#part";
/// assert_eq!(redact::url(url), "https://example.com:8080/a/b?list-type&X-Sig");
/// ```
#[must_use]
pub fn url(url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let (front, query) = match url.split_once('?') {
        Some((front, query)) => (front, Some(query)),
        None => (url, None),
    };
    let (scheme, rest) = match front.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, front),
    };
    let end = rest.find(['/', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let mut shown = String::with_capacity(url.len());
    if let Some(scheme) = scheme {
        shown.push_str(if is_plain(scheme) { scheme } else { REDACTED });
        shown.push_str("://");
    }
    if is_host(host) {
        shown.push_str(host);
        shown.push_str(path);
    } else {
        shown.push_str(REDACTED);
    }
    for (index, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        let name = pair.split('=').next().unwrap_or_default();
        shown.push(if index == 0 { '?' } else { '&' });
        shown.push_str(if is_plain(name) { name } else { REDACTED });
    }
    shown
}

/// Whether text can be the name of a parameter: short, and without escapes that could hide a value.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.$+".contains(&byte);
    name.len() <= 32 && name.bytes().all(plain)
}

fn is_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => {
            address.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte))
        }
        None => name.bytes().all(name_byte),
    }
}

/// Headers whose values tell nothing secret.
const SHOWN: [&str; 26] = [
    "accept",
    "accept-encoding",
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "last-modified",
    "range",
    "retry-after",
    "server",
    "te",
    "transfer-encoding",
    "user-agent",
];

/// Shows headers. Only those whose values are known to be harmless are shown with them.
#[must_use]
pub fn headers(headers: &HeaderMap) -> impl fmt::Debug + '_ {
    Headers(headers)
}

struct Headers<'a>(&'a HeaderMap);

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.0 {
            let name = name.as_str();
            if SHOWN.binary_search(&name).is_ok() || name.ends_with("request-id") {
                map.entry(&name, value);
            } else {
                map.entry(&name, &format_args!("{REDACTED}"));
            }
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CANARY: &str = "c4n4ry/S3cret";

    #[test]
    fn a_secret_is_never_printed() {
        #[derive(Debug, Clone, Deserialize, PartialEq)]
        struct Credentials {
            id: String,
            key: Secret,
        }
        let json = format!("{{\"id\":\"me\",\"key\":{CANARY:?}}}");
        let credentials: Credentials = serde_json::from_str(&json).unwrap();
        let shown = format!("{credentials:?} {credentials:#?} {}", credentials.key);
        assert!(!shown.contains("c4n4ry") && shown.contains("<redacted>"), "{shown}");
        assert_eq!(credentials.key.expose(), CANARY);
        assert_eq!(credentials.clone(), credentials);
    }

    #[test]
    fn secrets_compare_by_all_bytes() {
        let secret = Secret::new("abc");
        assert_eq!(secret, Secret::from("abc".to_owned()));
        for other in ["", "ab", "abcd", "abd", "bbc"] {
            assert_ne!(secret, Secret::new(other), "{other}");
        }
        assert_eq!(Secret::new(""), Secret::new(""));
    }

    #[test]
    fn urls_keep_where_and_lose_what() {
        for (text, shown) in [
            ("http://example.com", "http://example.com"),
            ("https://[::1]:9000/a%2Fb/@c", "https://[::1]:9000/a%2Fb/@c"),
            ("https://h/p?sig=c4n4ry&SIG=c4n4ry&uploads", "https://h/p?sig&SIG&uploads"),
            ("https://h/p?sig%3Dc4n4ry", "https://h/p?<redacted>"),
            ("https://h/p?a=b=c4n4ry&=c4n4ry", "https://h/p?a&"),
            ("https://u:c4n4ry@h/p", "https://h/p"),
            ("https://u:c4n4ry@x@h/p", "https://h/p"),
            ("https://u:c4n4ry/x@h/p", "https://<redacted>"),
            ("u:c4n4ry@h/p", "h/p"),
            ("https://h/p#c4n4ry", "https://h/p"),
            ("/bucket/key?X-Signature=c4n4ry", "/bucket/key?X-Signature"),
            ("c4n4ry secret://h", "<redacted>://h"),
            ("", ""),
        ] {
            assert_eq!(url(text), shown, "{text}");
        }
    }

    #[test]
    fn headers_keep_names_and_lose_values() {
        let mut all = HeaderMap::new();
        for name in [
            "authorization",
            "proxy-authorization",
            "cookie",
            "set-cookie",
            "x-session-token",
            "location",
            "x-signature",
            "x-customer-key",
            "x-functions-key",
            "metadata-flavor",
            "www-authenticate",
        ] {
            all.insert(name, CANARY.parse().unwrap());
        }
        all.insert("content-type", "text/plain".parse().unwrap());
        all.insert("x-vendor-request-id", "123".parse().unwrap());
        let shown = format!("{:?} {:#?}", headers(&all), headers(&all));
        assert!(!shown.contains("c4n4ry"), "{shown}");
        assert!(
            shown.contains("text/plain") && shown.contains("123") && shown.contains("set-cookie")
        );
    }

    #[test]
    fn the_list_of_headers_is_in_order() {
        assert!(SHOWN.is_sorted());
    }

    proptest! {
        #[test]
        fn no_value_of_a_query_is_shown(
            front in "[a-z/:@?&=%#. ]{0,12}",
            name in "[A-Za-z-]{0,8}",
            back in "[a-z/:@?&=%#. ]{0,12}",
        ) {
            let shown = url(&format!("https://h/p?{name}={front}c4n4ry"));
            let value = format!("{front}c4n4ry");
            // A value that is not encoded can contain what looks like another parameter's name.
            if !front.contains(['&', '#']) {
                prop_assert!(!shown.contains("c4n4ry"), "{} in {}", value, shown);
            }
            let _ = url(&format!("{front}{name}{back}"));
        }
    }
}
