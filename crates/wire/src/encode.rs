//! Percent-encoding, hexadecimal and Base64.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use polycloud_core::{Error, ErrorKind, Result};

/// All but the unreserved characters of RFC 3986.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &COMPONENT.remove(b'/');

/// Appends text as a path: all but `/` and the unreserved characters of RFC 3986 is encoded.
///
/// Every byte of the text arrives as it is; nothing is normalised.
pub fn path(text: &str, out: &mut String) {
    out.extend(utf8_percent_encode(text, PATH));
}

/// Appends text as one part of a path or of a query: all but the unreserved characters of RFC 3986 is
/// encoded, `/` too.
pub fn component(text: &str, out: &mut String) {
    out.extend(utf8_percent_encode(text, COMPONENT));
}

/// Appends `name=value&name=value`, encoded, in this order.
///
/// ```
/// let mut query = String::new();
/// polycloud_wire::encode::query(&[("list-type", "2"), ("prefix", "a/b c")], &mut query);
/// assert_eq!(query, "list-type=2&prefix=a%2Fb%20c");
/// ```
pub fn query(pairs: &[(&str, &str)], out: &mut String) {
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push('&');
        }
        component(name, out);
        out.push('=');
        component(value, out);
    }
}

/// Undoes percent-encoding. A `+` stays one.
///
/// # Errors
/// [`InvalidResponse`](ErrorKind::InvalidResponse) for a `%` without two digits behind it and for what is
/// not UTF-8.
pub fn decode(text: &str) -> Result<Cow<'_, str>> {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('%') {
        match behind.as_bytes() {
            [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest = behind,
            _ => return Err(malformed("a percent sign without two digits")),
        }
    }
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|error| malformed("percent-encoded text that is not UTF-8").with_source(error))
}

/// Appends bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8], out: &mut String) {
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
}

fn digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

/// Reads hexadecimal digits of either case.
///
/// # Errors
/// [`InvalidResponse`](ErrorKind::InvalidResponse) for anything else.
pub fn hex_decode(text: &str) -> Result<Vec<u8>> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?));
    match bytes.collect() {
        Some(bytes) if odd.is_empty() => Ok(bytes),
        _ => Err(malformed("text that is not hexadecimal")),
    }
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Appends bytes in the standard alphabet of Base64, padded.
pub fn base64(bytes: &[u8], out: &mut String) {
    STANDARD.encode_string(bytes, out);
}

/// Reads padded Base64 in the standard alphabet.
///
/// # Errors
/// [`InvalidResponse`](ErrorKind::InvalidResponse) for anything else.
pub fn base64_decode(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|error| malformed("text that is not Base64").with_source(error))
}

fn malformed(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidResponse).with_message(what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(encode: impl Fn(&str, &mut String), text: &str) -> String {
        let mut out = String::new();
        encode(text, &mut out);
        out
    }

    #[test]
    fn only_unreserved_characters_stay() {
        let stays = "AZaz09-._~";
        assert_eq!(encoded(component, stays), stays);
        assert_eq!(encoded(path, "/a/../b//"), "/a/../b//");
        assert_eq!(encoded(component, "a/b"), "a%2Fb");
        assert_eq!(encoded(path, "ü +%\n"), "%C3%BC%20%2B%25%0A");
        for byte in (0..128u8).map(char::from).filter(|char| !stays.contains(*char)) {
            let kept = byte.is_ascii_alphanumeric();
            let out = encoded(component, &byte.to_string());
            assert_eq!(out.starts_with('%'), !kept, "{byte:?} became {out}");
        }
    }

    #[test]
    fn known_answers() {
        assert_eq!(encoded(|text, out| hex(text.as_bytes(), out), "\0\u{7f}Az"), "007f417a");
        assert_eq!(encoded(|text, out| base64(text.as_bytes(), out), "any?>"), "YW55Pz4=");
        assert_eq!(hex_decode("00fFA0").unwrap(), [0, 255, 160]);
        assert_eq!(decode("a+b%2b").unwrap(), "a+b+");
        assert!(matches!(decode("plain").unwrap(), Cow::Borrowed("plain")));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for text in ["%", "a%", "%2", "%2g", "%g2", "%%41", "%+1", "%ff", "%C3%28", "%ü"] {
            let error = decode(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{text}");
        }
        for text in ["0", "000", "0g", "+1", "é"] {
            assert!(hex_decode(text).is_err(), "{text}");
        }
        for text in ["a", "YW55Pz4", "YW55Pz4=\n", "YW5_Pz4="] {
            assert!(base64_decode(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_comes_back(text in any::<String>()) {
            for out in [encoded(path, &text), encoded(component, &text)] {
                prop_assert_eq!(decode(&out).unwrap(), text.as_str());
            }
        }

        #[test]
        fn bytes_come_back(bytes in any::<Vec<u8>>()) {
            let mut out = String::new();
            hex(&bytes, &mut out);
            prop_assert_eq!(hex_decode(&out).unwrap(), bytes.as_slice());
            out.clear();
            base64(&bytes, &mut out);
            prop_assert_eq!(base64_decode(&out).unwrap(), bytes);
        }

        #[test]
        fn pairs_come_back(pairs in proptest::collection::vec(any::<(String, String)>(), 0..5)) {
            let borrowed: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let mut out = String::new();
            query(&borrowed, &mut out);
            let parts = out.split('&').filter(|part| !part.is_empty()).map(|part| {
                let (name, value) = part.split_once('=').unwrap();
                (decode(name).unwrap().into_owned(), decode(value).unwrap().into_owned())
            });
            prop_assert_eq!(parts.collect::<Vec<_>>(), pairs);
        }
    }
}
