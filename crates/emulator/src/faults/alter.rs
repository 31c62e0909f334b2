//! Faults in answers.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_RANGE, HeaderValue};

use super::Fault;
use crate::http::{Request, Response};

/// The parameters that continue a listing, and the elements that tell the next ones.
const TOKENS: [(&str, &str); 6] = [
    ("continuation-token", "NextContinuationToken"),
    ("marker", "NextMarker"),
    ("key-marker", "NextKeyMarker"),
    ("version-id-marker", "NextVersionIdMarker"),
    ("upload-id-marker", "NextUploadIdMarker"),
    ("part-number-marker", "NextPartNumberMarker"),
];

/// Whether a query continues a listing.
pub(crate) fn has_token(query: &[(String, String)]) -> bool {
    let is_token = |name: &str| TOKENS.iter().any(|(token, _)| *token == name);
    query.iter().any(|(name, value)| is_token(name) && !value.is_empty())
}

/// Alters an answer after the effect.
pub(crate) fn alter(fault: &Fault, request: &Request, response: &mut Response) {
    if !response.status.is_success() {
        return;
    }
    match fault {
        Fault::RepeatedToken => response.body = repeat_token(&response.body, &request.query),
        Fault::PageCut => response.body.truncate(response.body.len() / 2),
        Fault::WrongChecksum => response.body = flip_bit(&response.body),
        Fault::WrongContentRange => {
            let range = response.headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
            if let Some(value) = range.and_then(shift_range) {
                response.headers.insert(CONTENT_RANGE, value);
            }
        }
        _ => {}
    }
    let announced = response.headers.contains_key(http::header::CONTENT_LENGTH);
    if announced && request.method != http::Method::HEAD {
        let length = HeaderValue::from(response.body.len());
        response.headers.insert(http::header::CONTENT_LENGTH, length);
    }
}

fn flip_bit(body: &Bytes) -> Bytes {
    let mut body = body.to_vec();
    let middle = body.len() / 2;
    if let Some(byte) = body.get_mut(middle) {
        *byte ^= 1;
    }
    body.into()
}

/// `bytes 0-9/100` becomes `bytes 1-10/100`.
fn shift_range(text: &str) -> Option<HeaderValue> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
    HeaderValue::from_str(&format!("bytes {}-{}/{total}", first + 1, last + 1)).ok()
}

fn repeat_token(body: &Bytes, query: &[(String, String)]) -> Bytes {
    let mut text = String::from_utf8_lossy(body).into_owned();
    let encoded = text.contains("<EncodingType>url</EncodingType>");
    for (parameter, element) in TOKENS {
        let Some((_, value)) = query.iter().find(|(name, _)| name == parameter) else { continue };
        let value = if encoded && matches!(parameter, "marker" | "key-marker") {
            let all = percent_encoding::NON_ALPHANUMERIC;
            Cow::Owned(percent_encoding::utf8_percent_encode(value, all).to_string())
        } else {
            Cow::Borrowed(value.as_str())
        };
        set_element(&mut text, element, &escape(&value));
    }
    set_element(&mut text, "IsTruncated", "true");
    text.into()
}

/// Replaces the text of the first element of this name, or adds one as the last of the document.
fn set_element(text: &mut String, name: &str, value: &str) {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let found = text.find(&open).map(|at| at + open.len());
    let end = found.and_then(|start| Some((start, start + text.get(start..)?.find(&close)?)));
    if let Some((start, end)) = end {
        text.replace_range(start..end, value);
    } else if let Some(at) = text.rfind("</") {
        text.insert_str(at, &format!("{open}{value}{close}"));
    }
}

/// Text as XML.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    quick_xml::escape::escape(text)
}

/// The error document of S3 with any code.
pub(crate) fn error_document(code: &str, message: &str, resource: &str, id: &str) -> Bytes {
    let [code, message, resource] = [code, message, resource].map(escape);
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}\
         </Message><Resource>{resource}</Resource><RequestId>{id}</RequestId></Error>"
    );
    document.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_move() {
        assert_eq!(shift_range("bytes 0-9/100").unwrap(), "bytes 1-10/100");
        assert_eq!(shift_range("bytes */100"), None);
    }

    #[test]
    fn tokens_repeat() {
        let query = [("continuation-token".to_owned(), "a&b".to_owned())];
        let page = "<R><IsTruncated>false</IsTruncated></R>";
        assert_eq!(
            repeat_token(&Bytes::from(page), &query),
            "<R><IsTruncated>true</IsTruncated>\
             <NextContinuationToken>a&amp;b</NextContinuationToken></R>"
        );
        let page = "<R><NextContinuationToken>x</NextContinuationToken></R>";
        assert_eq!(
            repeat_token(&Bytes::from(page), &query),
            "<R><NextContinuationToken>a&amp;b</NextContinuationToken>\
             <IsTruncated>true</IsTruncated></R>"
        );
    }

    #[test]
    fn one_bit_is_flipped() {
        assert_eq!(flip_bit(&Bytes::from_static(b"aaa")), Bytes::from_static(b"a`a"));
        assert_eq!(flip_bit(&Bytes::new()), Bytes::new());
    }
}
