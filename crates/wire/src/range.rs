use std::ops;

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use polycloud_core::{Error, ErrorKind, Result};

/// Which bytes of what an answer carries (RFC 9110, section 14.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentRange {
    /// The bytes that follow; `None` if the range is refused: `bytes */10`.
    pub range: Option<ops::Range<u64>>,
    /// The size of all; `None` if it is not known.
    pub size: Option<u64>,
}

impl ContentRange {
    /// Reads the header of an answer, if it has one.
    ///
    /// # Errors
    /// `InvalidResponse` if the header says nothing that could be true.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>> {
        let Some(value) = headers.get(CONTENT_RANGE) else { return Ok(None) };
        let parsed = value.to_str().ok().and_then(Self::parse);
        parsed.map(Some).ok_or_else(|| {
            Error::new(ErrorKind::InvalidResponse).with_message("the Content-Range is malformed")
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let (range, size) = text.strip_prefix("bytes ")?.trim().split_once('/')?;
        let size = match size {
            "*" => None,
            size => Some(number(size)?),
        };
        if range == "*" {
            return Some(Self { range: None, size });
        }
        let (first, last) = range.split_once('-')?;
        let (first, end) = (number(first)?, number(last)?.checked_add(1)?);
        let sound = first < end && size.is_none_or(|size| end <= size);
        sound.then_some(Self { range: Some(first..end), size })
    }
}

/// The length that an answer announces for its body.
///
/// # Errors
/// `InvalidResponse` if it is not a number.
pub(crate) fn content_length(headers: &HeaderMap) -> Result<Option<u64>> {
    let Some(value) = headers.get(CONTENT_LENGTH) else { return Ok(None) };
    value.to_str().ok().and_then(number).map(Some).ok_or_else(|| {
        Error::new(ErrorKind::InvalidResponse).with_message("the Content-Length is malformed")
    })
}

/// Digits only: `parse` alone would take a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn parse(text: &str) -> Option<(Option<ops::Range<u64>>, Option<u64>)> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_RANGE, HeaderValue::from_str(text).unwrap());
        let parsed = ContentRange::of(&headers).ok().flatten()?;
        Some((parsed.range, parsed.size))
    }

    #[test]
    fn what_can_be_true_is_read_and_the_rest_refused() {
        assert_eq!(parse("bytes 0-4/10"), Some((Some(0..5), Some(10))));
        assert_eq!(parse("bytes 9-9/*"), Some((Some(9..10), None)));
        assert_eq!(parse("bytes */10"), Some((None, Some(10))));
        let largest = format!("bytes 0-{}/*", u64::MAX);
        for bad in [
            "bytes 4-0/10",
            "bytes 0-10/10",
            "bytes +0-4/10",
            "bytes 0-4",
            "bytes -4/10",
            "items 0-4/10",
            "bytes 0-4/-1",
            "bytes",
            &largest,
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
