//! Times as signatures and the services write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

/// Whole seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// As in `Date`.
pub(crate) fn http_date(time: SystemTime) -> String {
    // Later than this httpdate refuses to write.
    const LAST: u64 = 253_402_300_799;
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds(time).min(LAST)))
}

/// As in `x-amz-date`: `20130524T000000Z`.
pub(crate) fn basic(time: SystemTime) -> String {
    let [year, month, day, hour, minute, second] = fields(seconds(time));
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// As in documents: `2013-05-24T00:00:00Z`.
pub(crate) fn extended(time: SystemTime) -> String {
    let [year, month, day, hour, minute, second] = fields(seconds(time));
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Parses `20130524T000000Z`.
pub(crate) fn parse_basic(text: &str) -> Option<SystemTime> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes.get(8) != Some(&b'T') || bytes.get(15) != Some(&b'Z') {
        return None;
    }
    let number = |from, to| digits(bytes.get(from..to)?);
    from_fields([
        number(0, 4)?,
        number(4, 6)?,
        number(6, 8)?,
        number(9, 11)?,
        number(11, 13)?,
        number(13, 15)?,
    ])
}

/// Parses `2013-05-24T00:00:00Z`, with or without a fraction of a second.
pub(crate) fn parse_extended(text: &str) -> Option<SystemTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let time = time.split_once('.').map_or(time, |(whole, _)| whole);
    let three = |text: &str, separator| {
        let mut parts = text.split(separator).map(|part| digits(part.as_bytes()));
        let three = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(three)
    };
    let ([year, month, day], [hour, minute, second]) = (three(date, '-')?, three(time, ':')?);
    from_fields([year, month, day, hour, minute, second])
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 4 {
        return None;
    }
    text.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    })
}

fn from_fields([year, month, day, hour, minute, second]: [u64; 6]) -> Option<SystemTime> {
    let in_range = year >= 1970
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    if !in_range {
        return None;
    }
    // The year begins in March, so that the leap day is its last one.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let seconds = days.checked_sub(719_468)? * DAY + hour * 3600 + minute * 60 + second;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

const fn fields(seconds: u64) -> [u64; 6] {
    let (days, of_day) = (seconds / DAY + 719_468, seconds % DAY);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    [year, month, day, of_day / 3600, of_day / 60 % 60, of_day % 60]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_369_353_600, "20130524T000000Z"),
            (1_795_238_435, "20261121T052035Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(basic(time), text);
            assert_eq!(parse_basic(text), Some(time));
            assert_eq!(parse_extended(&extended(time)), Some(time));
        }
        assert_eq!(parse_extended("2013-05-24T00:00:00.250Z"), parse_basic("20130524T000000Z"));
    }

    #[test]
    fn what_is_no_time() {
        for text in ["", "20130524", "20131324T000000Z", "20130524T250000Z", "2013052éT000000Z"] {
            assert_eq!(parse_basic(text), None, "{text}");
        }
        for text in ["", "2013-05-24", "2013-05-24T00:00:00", "2013-05-24-01T00:00:00Z"] {
            assert_eq!(parse_extended(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_a_century_comes_back() {
        for day in 0..36_525 {
            let time = UNIX_EPOCH + Duration::from_secs(day * DAY);
            assert_eq!(parse_basic(&basic(time)), Some(time));
        }
    }
}
