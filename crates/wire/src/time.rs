//! The forms in which providers write times.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use polycloud_core::{Error, ErrorKind, Result};

/// Seconds of 0000-01-01T00:00:00Z and of 9999-12-31T23:59:59Z since 1970.
const FIRST: i64 = -62_167_219_200;
const LAST: i64 = 253_402_300_799;

const DAY: i64 = 86_400;

/// A point in time by the calendar, in UTC, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilTime {
    /// 0 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

impl CivilTime {
    /// Such as `20130524T000000Z`, whose first eight characters are the date.
    #[must_use]
    pub fn compact(self) -> String {
        let Self { year, month, day, hour, minute, second } = self;
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }

    fn seconds(self) -> i64 {
        let clock = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60;
        self.days() * DAY + clock + i64::from(self.second)
    }

    /// Days since 1970-01-01. Years are counted from March, so that the leap day is the last one.
    fn days(self) -> i64 {
        let (month, early) = (i64::from(self.month), i64::from(self.month <= 2));
        let year = i64::from(self.year) - early;
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * (month + 12 * early - 3) + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    fn from_seconds(seconds: i64) -> Self {
        let (days, clock) = (seconds.div_euclid(DAY) + 719_468, seconds.rem_euclid(DAY));
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let early = i64::from(month >= 10);
        Self {
            year: u16::try_from(era * 400 + year + early).unwrap_or_default(),
            month: small(month + 3 - 12 * early),
            day: small(of_year - (153 * month + 2) / 5 + 1),
            hour: small(clock / 3600),
            minute: small(clock / 60 % 60),
            second: small(clock % 60),
        }
    }

    fn is_valid(self) -> bool {
        let leap = self.year.is_multiple_of(4)
            && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        // A leap second counts as the first one of the next minute.
        (1..=days).contains(&self.day) && self.hour < 24 && self.minute < 60 && self.second <= 60
    }
}

fn small(number: i64) -> u8 {
    u8::try_from(number).unwrap_or_default()
}

/// Times before the year 0 count as its start, times after the year 9999 as its end.
impl From<SystemTime> for CivilTime {
    fn from(time: SystemTime) -> Self {
        Self::from_seconds(split(time).0)
    }
}

/// Whole seconds since 1970 within the years 0 to 9999, and nanoseconds.
fn split(time: SystemTime) -> (i64, u32) {
    let (seconds, nanos) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos()),
        Err(error) => {
            let before = error.duration();
            let seconds = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            match before.subsec_nanos() {
                0 => (-seconds, 0),
                nanos => (-seconds - 1, 1_000_000_000 - nanos),
            }
        }
    };
    match seconds {
        ..FIRST => (FIRST, 0),
        FIRST..=LAST => (seconds, nanos),
        _ => (LAST, 999_999_999),
    }
}

fn join(seconds: i64, nanos: u32) -> Option<SystemTime> {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    time?.checked_add(Duration::from_nanos(u64::from(nanos)))
}

/// Reads a time such as `2026-01-01T00:00:00.123Z` or `2026-01-01T02:00:00+02:00`.
///
/// Digits behind the ninth of a fraction are ignored.
///
/// # Errors
/// [`InvalidResponse`](ErrorKind::InvalidResponse) for anything else.
pub fn parse_rfc3339(text: &str) -> Result<SystemTime> {
    rfc3339(text.as_bytes()).ok_or_else(|| malformed(text))
}

#[rustfmt::skip]
fn rfc3339(text: &[u8]) -> Option<SystemTime> {
    let [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T' | b't' | b' ',
         h1, h2, b':', mi1, mi2, b':', s1, s2, rest @ ..] = text else { return None };
    let time = civil([*y1, *y2, *y3, *y4], [*mo1, *mo2, *d1, *d2, *h1, *h2, *mi1, *mi2, *s1, *s2])?;
    let (nanos, zone) = match rest {
        [b'.', rest @ ..] => fraction(rest)?,
        _ => (0, rest),
    };
    join(time.seconds() - offset(zone)?, nanos)
}

/// Reads a time such as `20130524T000000Z`.
///
/// # Errors
/// [`InvalidResponse`](ErrorKind::InvalidResponse) for anything else.
pub fn parse_compact(text: &str) -> Result<SystemTime> {
    compact(text.as_bytes()).ok_or_else(|| malformed(text))
}

#[rustfmt::skip]
fn compact(text: &[u8]) -> Option<SystemTime> {
    let [y1, y2, y3, y4, mo1, mo2, d1, d2, b'T', h1, h2, mi1, mi2, s1, s2, b'Z'] = text else {
        return None;
    };
    let time = civil([*y1, *y2, *y3, *y4], [*mo1, *mo2, *d1, *d2, *h1, *h2, *mi1, *mi2, *s1, *s2])?;
    join(time.seconds(), 0)
}

fn civil(year: [u8; 4], rest: [u8; 10]) -> Option<CivilTime> {
    let [y1, y2, y3, y4] = year;
    let [mo1, mo2, d1, d2, h1, h2, mi1, mi2, s1, s2] = rest;
    let time = CivilTime {
        year: u16::from(two(y1, y2)?) * 100 + u16::from(two(y3, y4)?),
        month: two(mo1, mo2)?,
        day: two(d1, d2)?,
        hour: two(h1, h2)?,
        minute: two(mi1, mi2)?,
        second: two(s1, s2)?,
    };
    time.is_valid().then_some(time)
}

fn two(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| tens * 10 + ones)
}

/// Nanoseconds, and what follows the digits.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    let nanos = padded.fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'));
    (count > 0).then_some((nanos, rest))
}

/// Seconds that local time is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(*h1, *h2)?, two(*m1, *m2)?);
            let ahead = i64::from(hours) * 3600 + i64::from(minutes) * 60;
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -ahead } else { ahead })
        }
        _ => None,
    }
}

/// Writes a time such as `2026-01-01T00:00:00Z`, with as many digits of a fraction as it takes.
///
/// Times before the year 0 count as its start, times after the year 9999 as its end.
#[must_use]
pub fn format_rfc3339(time: SystemTime) -> String {
    let (seconds, nanos) = split(time);
    let CivilTime { year, month, day, hour, minute, second } = CivilTime::from_seconds(seconds);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    // Writing to a string does not fail.
    let _ = match nanos {
        0 => Ok(()),
        _ if nanos % 1_000_000 == 0 => write!(text, ".{:03}", nanos / 1_000_000),
        _ if nanos % 1_000 == 0 => write!(text, ".{:06}", nanos / 1_000),
        _ => write!(text, ".{nanos:09}"),
    };
    text.push('Z');
    text
}

/// Reads a time in any of the three forms that HTTP has, such as `Thu, 01 Jan 2026 00:00:00 GMT`.
///
/// # Errors
/// [`InvalidResponse`](ErrorKind::InvalidResponse) for anything else.
pub fn parse_http_date(text: &str) -> Result<SystemTime> {
    httpdate::parse_http_date(text).map_err(|_| malformed(text))
}

/// Writes a time such as `Thu, 01 Jan 2026 00:00:00 GMT`.
///
/// Times before 1970 count as its start, times after the year 9999 as its end.
#[must_use]
pub fn format_http_date(time: SystemTime) -> String {
    let seconds = u64::try_from(split(time).0).unwrap_or_default();
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

fn malformed(text: &str) -> Error {
    let shown: String = text.chars().take(40).collect();
    Error::new(ErrorKind::InvalidResponse).with_message(format!("not a time: {shown:?}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64, nanos: u32) -> SystemTime {
        join(seconds, nanos).unwrap()
    }

    #[test]
    fn known_times_are_read() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("2013-05-24T00:00:00Z", 1_369_353_600, 0),
            ("2026-01-01T00:00:00.123Z", 1_767_225_600, 123_000_000),
            ("2026-01-01t00:00:00.1234567891z", 1_767_225_600, 123_456_789),
            ("2026-01-01 02:30:00+02:30", 1_767_225_600, 0),
            ("2025-12-31T20:00:00-04:00", 1_767_225_600, 0),
            ("2000-02-29T12:00:00Z", 951_825_600, 0),
            ("1969-12-31T23:59:59.5Z", -1, 500_000_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800, 0),
            ("0000-01-01T00:00:00Z", FIRST, 0),
            ("9999-12-31T23:59:59Z", LAST, 0),
        ] {
            assert_eq!(parse_rfc3339(text).unwrap(), at(seconds, nanos), "{text}");
        }
        assert_eq!(parse_compact("20130524T000000Z").unwrap(), at(1_369_353_600, 0));
        for text in [
            "Thu, 01 Jan 2026 00:00:00 GMT",
            "Thursday, 01-Jan-26 00:00:00 GMT",
            "Thu Jan  1 00:00:00 2026",
        ] {
            assert_eq!(parse_http_date(text).unwrap(), at(1_767_225_600, 0), "{text}");
        }
    }

    #[test]
    fn known_times_are_written() {
        assert_eq!(CivilTime::from(at(1_369_353_600, 5)).compact(), "20130524T000000Z");
        assert_eq!(format_rfc3339(at(-1, 500_000_000)), "1969-12-31T23:59:59.500Z");
        assert_eq!(format_rfc3339(at(0, 1_000)), "1970-01-01T00:00:00.000001Z");
        assert_eq!(format_rfc3339(at(951_825_600, 1)), "2000-02-29T12:00:00.000000001Z");
        assert_eq!(format_http_date(at(1_767_225_600, 9)), "Thu, 01 Jan 2026 00:00:00 GMT");
        assert_eq!(format_http_date(at(-5, 0)), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-1-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00Zx",
            "2026-01-01T00:00:00+0000",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+00:60",
            "+026-01-01T00:00:00Z",
            "２026-01-01T00:00:00Z",
        ] {
            let error = parse_rfc3339(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{text}");
        }
        assert!(parse_compact("20130524T000000").is_err());
        assert!(parse_compact("20131324T000000Z").is_err());
        assert!(parse_http_date("tomorrow").is_err());
        assert!(parse_rfc3339(&"9".repeat(1 << 16)).unwrap_err().message().len() < 80);
    }

    #[test]
    fn the_ends_of_time_are_written_without_panic() {
        let mut ends = vec![SystemTime::UNIX_EPOCH];
        for exponent in 0..64 {
            let span = Duration::from_secs(1 << exponent);
            ends.extend(SystemTime::UNIX_EPOCH.checked_add(span));
            ends.extend(SystemTime::UNIX_EPOCH.checked_sub(span));
        }
        for end in ends {
            assert!(CivilTime::from(end).is_valid());
            assert!(parse_rfc3339(&format_rfc3339(end)).is_ok());
            assert!(parse_http_date(&format_http_date(end)).is_ok());
        }
    }

    proptest! {
        #[test]
        fn times_come_back(seconds in FIRST..=LAST, nanos in 0u32..1_000_000_000) {
            let time = at(seconds, nanos);
            prop_assert_eq!(parse_rfc3339(&format_rfc3339(time)).unwrap(), time);
            let civil = CivilTime::from(time);
            prop_assert!(civil.is_valid());
            prop_assert_eq!(parse_compact(&civil.compact()).unwrap(), at(seconds, 0));
        }

        #[test]
        fn http_dates_come_back(seconds in 0..=LAST) {
            prop_assert_eq!(parse_http_date(&format_http_date(at(seconds, 0))).unwrap(), at(seconds, 0));
        }

        #[test]
        fn the_calendar_goes_on_day_by_day(day in FIRST / DAY..LAST / DAY) {
            let (today, next) = (CivilTime::from_seconds(day * DAY), CivilTime::from_seconds((day + 1) * DAY));
            prop_assert!(today < next);
            prop_assert!(next.day == today.day + 1 || next.day == 1);
        }

        #[test]
        fn any_text_ends(text in any::<String>(), like in "[0-9TZ:. +-]{0,40}") {
            let _ = (parse_rfc3339(&text), parse_compact(&text), parse_http_date(&text));
            let _ = (parse_rfc3339(&like), parse_compact(&like), parse_http_date(&like));
        }
    }
}
