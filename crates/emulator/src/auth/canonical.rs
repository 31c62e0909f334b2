//! The canonical request: what both sides sign.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::HeaderMap;
use percent_encoding::percent_decode_str;

/// Whether a byte stands for itself.
const fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn push_encoded(out: &mut String, byte: u8) {
    // Writing to a string does not fail.
    let _ = write!(out, "%{byte:02X}");
}

/// The path with every byte but `A-Za-z0-9-._~/` encoded once, whatever the client encoded.
pub(crate) fn path(raw: &str, out: &mut String) {
    for byte in percent_decode_str(raw) {
        if unreserved(byte) || byte == b'/' {
            out.push(char::from(byte));
        } else {
            push_encoded(out, byte);
        }
    }
}

fn encode(text: &str) -> Cow<'_, str> {
    if text.bytes().all(unreserved) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if unreserved(byte) {
            out.push(char::from(byte));
        } else {
            push_encoded(&mut out, byte);
        }
    }
    Cow::Owned(out)
}

/// The parameters, encoded and then sorted, without the signature itself.
pub(crate) fn query(parameters: &[(String, String)], out: &mut String) {
    let mut encoded = parameters
        .iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (encode(name), encode(value)))
        .collect::<Vec<_>>();
    encoded.sort_unstable();
    for (index, (name, value)) in encoded.iter().enumerate() {
        if index > 0 {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
}

/// The signed headers, one per line, in the order in which the client names them.
pub(crate) fn headers(all: &HeaderMap, signed: &str, out: &mut String) {
    for name in signed.split(';') {
        out.push_str(name);
        out.push(':');
        for (index, value) in all.get_all(name).iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            push_trimmed(out, &String::from_utf8_lossy(value.as_bytes()));
        }
        out.push('\n');
    }
}

/// Without blanks at the ends, and with one blank for several within.
fn push_trimmed(out: &mut String, value: &str) {
    let value = value.trim_matches([' ', '\t']);
    let mut blank = false;
    for char in value.chars() {
        if char != ' ' || !blank {
            out.push(char);
        }
        blank = char == ' ';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(raw: &str) -> String {
        let mut out = String::new();
        path(raw, &mut out);
        out
    }

    #[test]
    fn paths_are_encoded_once() {
        assert_eq!(path_of("/a/b"), "/a/b");
        assert_eq!(path_of("/a+b%20c%2fd~"), "/a%2Bb%20c/d~");
        assert_eq!(path_of("/%C3%A9/é"), "/%C3%A9/%C3%A9");
        assert_eq!(path_of("//a/../b/."), "//a/../b/.");
        assert_eq!(path_of("/100%"), "/100%25");
    }

    #[test]
    fn parameters_are_sorted_after_encoding() {
        let parameters =
            [("b", "2"), ("a", "x y"), ("acl", ""), ("a", "+"), ("X-Amz-Signature", "z")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut out = String::new();
        query(&parameters, &mut out);
        assert_eq!(out, "a=%2B&a=x%20y&acl=&b=2");
    }

    #[test]
    fn values_are_trimmed() {
        let mut all = HeaderMap::new();
        all.append("x-amz-meta-a", "  one   two ".parse().unwrap());
        all.append("x-amz-meta-a", "three".parse().unwrap());
        let mut out = String::new();
        headers(&all, "x-amz-meta-a;x-none", &mut out);
        assert_eq!(out, "x-amz-meta-a:one two,three\nx-none:\n");
    }
}
