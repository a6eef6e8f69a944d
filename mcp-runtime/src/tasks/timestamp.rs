//! Times as stores and clients are told them: in whole milliseconds from the start of 1970 to the end of 9999.
//!
//! Whatever is outside, of a clock that is badly wrong or of a time to live without end, becomes the nearest time inside.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 9999-12-31T23:59:59.999Z, the last time with a year of four digits.
const LAST: i64 = 253_402_300_799_999;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

/// Of a year that begins in March: the day that leap years add is its last.
const MONTHS: [i64; 12] = [31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29];

/// Milliseconds since 1970, rounded down.
pub(crate) fn millis(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, duration_millis)
}

/// The other way round.
pub(crate) fn from_millis(millis: i64) -> SystemTime {
    UNIX_EPOCH + duration(millis)
}

/// Whole milliseconds, at most as many as there are times.
pub(crate) fn duration_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(LAST).min(LAST)
}

pub(crate) fn duration(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis.min(LAST)).unwrap_or(0))
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ` (RFC 3339), always 24 characters.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let millis = millis(time);
    let (year, month, day) = date(millis / MILLIS_PER_DAY);
    let of_day = millis % MILLIS_PER_DAY;
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", of_day % 1000)
}

/// Year, month and day of the month in the Gregorian calendar, of a day counted from 1970-01-01.
///
/// It takes away whole cycles of 400, 100, 4 and 1 years. With years that begin in March, the leap day ends the cycle that it
/// belongs to; so each cycle is as long as its parts, save that the last part may have one day more.
fn date(days: i64) -> (i64, i64, i64) {
    let (cycles, rest) = ((days + DAYS_TO_1970) / 146_097, (days + DAYS_TO_1970) % 146_097);
    let centuries = (rest / 36_524).min(3);
    let rest = rest - centuries * 36_524;
    let (fours, rest) = (rest / 1461, rest % 1461);
    let years = (rest / 365).min(3);
    let mut day = rest - years * 365;
    let mut month = 3;
    for length in MONTHS {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let year = cycles * 400 + centuries * 100 + fours * 4 + years;
    if month > 12 { (year + 1, month - 12, day + 1) } else { (year, month, day + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts were made with `date --utc --date=@SECONDS`.
    #[test]
    fn times_read_as_rfc_3339_says() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_007, "2000-03-01T00:00:00.007Z"),
            (1_735_689_599_010, "2024-12-31T23:59:59.010Z"),
            (1_785_240_123_450, "2026-07-28T12:02:03.450Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (13_574_563_200_000, "2400-02-29T00:00:00.000Z"),
            (LAST, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(from_millis(millis)), text);
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..=LAST / MILLIS_PER_DAY {
            assert_eq!(date(days), (year, month, day), "day {days}");
            let length = match month {
                2 => 28 + i64::from(is_leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!((year, month, day), (10_000, 1, 1));
    }

    #[test]
    fn times_are_cut_to_milliseconds_and_to_the_calendar() {
        let time = UNIX_EPOCH + Duration::from_nanos(1_999_999);
        assert_eq!(millis(time), 1);
        assert_eq!(millis(UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(from_millis(-1), UNIX_EPOCH);
        assert_eq!(millis(from_millis(i64::MAX)), LAST);
        assert_eq!(duration_millis(Duration::MAX), LAST);
    }
}
