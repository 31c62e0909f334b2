//! How long an answer asks to wait.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use crate::time::parse_http_date;

#[derive(Debug, Clone, Copy)]
enum Unit {
    Milliseconds,
    /// Seconds or a date, as HTTP has it.
    Seconds,
}

/// The headers that are known for this, the more precise ones first.
const HEADERS: [(&str, Unit); 4] = [
    ("retry-after-ms", Unit::Milliseconds),
    ("x-ms-retry-after-ms", Unit::Milliseconds),
    ("x-amz-retry-after", Unit::Milliseconds),
    ("retry-after", Unit::Seconds),
];

/// How long the answer with these headers asks to wait, if it does in a way that can be understood.
///
/// A date in the past is no time at all. Numbers that are too large are as large as possible.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("retry-after", "1.5".parse()?);
/// let wait = polycloud_wire::retry_after::retry_after(&headers, SystemTime::UNIX_EPOCH);
/// assert_eq!(wait, Some(Duration::from_millis(1500)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    HEADERS.iter().find_map(|(name, unit)| {
        let text = headers.get(*name)?.to_str().ok()?.trim();
        match unit {
            Unit::Milliseconds => number(text).map(|time| time / 1000),
            Unit::Seconds => number(text).or_else(|| {
                let date = parse_http_date(text).ok()?;
                Some(date.duration_since(now).unwrap_or_default())
            }),
        }
    })
}

/// Digits with or without a fraction, as seconds.
fn number(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let Ok(seconds) = whole.parse() else { return Some(Duration::MAX) };
    let padded = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = padded.fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'));
    Some(Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_767_225_600);

    fn wait(pairs: &[(&'static str, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        retry_after(&headers, SystemTime::UNIX_EPOCH + NOW)
    }

    #[test]
    fn numbers_and_dates_are_understood() {
        let seconds = Duration::from_secs;
        for (text, expected) in [
            ("7", seconds(7)),
            (" 0 ", Duration::ZERO),
            ("0.25", Duration::from_millis(250)),
            ("1.0000000019", Duration::new(1, 1)),
            ("Thu, 01 Jan 2026 00:00:30 GMT", seconds(30)),
            ("Wed, 31 Dec 2025 00:00:00 GMT", Duration::ZERO),
            ("1000000000", seconds(1_000_000_000)),
            ("18446744073709551615", seconds(u64::MAX)),
            ("18446744073709551616", Duration::MAX),
        ] {
            assert_eq!(wait(&[("retry-after", text)]), Some(expected), "{text}");
        }
    }

    #[test]
    fn milliseconds_come_first() {
        for name in ["retry-after-ms", "x-ms-retry-after-ms", "x-amz-retry-after"] {
            assert_eq!(
                wait(&[("retry-after", "7"), (name, "1500")]),
                Some(Duration::from_millis(1500))
            );
            assert_eq!(wait(&[("retry-after", "7"), (name, "soon")]), Some(Duration::from_secs(7)));
        }
    }

    #[test]
    fn garbage_is_nothing() {
        assert_eq!(wait(&[]), None);
        for text in
            ["", "soon", "-1", "+1", "1e9", ".5", "5.", "1,5", "0x10", "NaN", "inf", "1 2", "ü"]
        {
            assert_eq!(wait(&[("retry-after", text)]), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_header_ends(name in 0..HEADERS.len(), text in "[ -~]{0,40}|[0-9.]{0,60}") {
            wait(&[(HEADERS[name].0, &text)]);
        }
    }
}
