//! Dates as Django and its databases write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A date as it is written, `2026-06-15T12:00:00.000001+02:00`: a space may stand for the `T`, the fraction has up to six digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Its microseconds since 1970, read as if it were in UTC.
    micros: i64,
    /// How far its zone is ahead of UTC, in seconds, where it names one.
    offset: Option<i64>,
}

impl Written {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let rest = rest.strip_prefix(['T', ' '])?;
        let (time, rest) = rest.split_at_checked(8)?;
        let (fraction, zone) = match rest.strip_prefix('.') {
            None => (0, rest),
            Some(rest) => {
                let length = rest.bytes().take_while(u8::is_ascii_digit).count();
                if !(1..=6).contains(&length) {
                    return None;
                }
                let (digits, zone) = rest.split_at(length);
                (number(digits)? * 10_i64.pow(6 - digits.len() as u32), zone)
            }
        };
        let [year, month, day] = numbers(date, b'-', [4, 2, 2])?;
        let [hour, minute, second] = numbers(time, b':', [2, 2, 2])?;
        let days_in_month = match month {
            4 | 6 | 9 | 11 => 30,
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            _ => 31,
        };
        if !(1..=12).contains(&month) || !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        Some(Self { micros: seconds * 1_000_000 + fraction, offset: offset(zone)? })
    }

    /// The moment, of a date that names no zone and is in UTC.
    pub(super) fn in_utc(self) -> Option<SystemTime> {
        if self.offset.is_some() { None } else { moment(self.micros) }
    }

    /// The moment, of a date that names its zone.
    pub(super) fn in_its_zone(self) -> Option<SystemTime> {
        moment(self.micros - self.offset? * 1_000_000)
    }
}

/// The moment so many microseconds after 1970; the beginning of 1970 stands for all before.
pub(super) fn moment(micros: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

/// The offset of a zone, `+02:00`, `-03:30` or `Z`; `Some(None)` where there is none.
fn offset(zone: &str) -> Option<Option<i64>> {
    let (sign, rest) = match zone.as_bytes() {
        [] => return Some(None),
        b"Z" => return Some(Some(0)),
        [b'+', ..] => (1, &zone[1..]),
        [b'-', ..] => (-1, &zone[1..]),
        _ => return None,
    };
    let [hours, minutes] = numbers(rest, b':', [2, 2])?;
    (hours < 24 && minutes < 60).then_some(Some(sign * (hours * 3_600 + minutes * 60)))
}

/// Numbers of these lengths, with this byte between.
fn numbers<const N: usize>(text: &str, between: u8, lengths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(char::from(between));
    let mut found = [0; N];
    for (number_of, length) in found.iter_mut().zip(lengths) {
        *number_of = number(parts.next().filter(|part| part.len() == length)?)?;
    }
    parts.next().is_none().then_some(found)
}

/// Digits alone: `parse` takes a sign as well.
fn number(digits: &str) -> Option<i64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Days of the Gregorian calendar, with years that begin in March so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before_month = (153 * month + 2) / 5;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> Option<u128> {
        let written = Written::parse(text)?;
        let at = written.in_utc().or_else(|| written.in_its_zone())?;
        Some(at.duration_since(UNIX_EPOCH).expect("after 1970").as_micros())
    }

    #[test]
    fn dates_are_read_to_the_microsecond() {
        assert_eq!(micros("1970-01-01 00:00:00"), Some(0));
        assert_eq!(micros("2000-02-29 23:59:59.5"), Some(951_868_799_500_000));
        assert_eq!(micros("2026-06-15T12:00:00.000001"), Some(1_781_524_800_000_001));
        assert_eq!(micros("2026-06-15T14:00:00+02:00"), Some(1_781_524_800_000_000));
        assert_eq!(micros("2026-06-15T08:30:00.25-03:30"), Some(1_781_524_800_250_000));
        assert_eq!(micros("2026-06-15T12:00:00Z"), Some(1_781_524_800_000_000));
        assert_eq!(micros("9999-12-31 23:59:59"), Some(253_402_300_799_000_000));
        assert_eq!(micros("1969-01-01 00:00:00"), Some(0), "long ago");
    }

    #[test]
    fn a_zone_is_never_guessed() {
        let (zoned, plain) = ("2026-06-15T14:00:00+02:00", "2026-06-15 12:00:00");
        assert_eq!(Written::parse(zoned).and_then(Written::in_utc), None);
        assert_eq!(Written::parse(plain).and_then(Written::in_its_zone), None);
    }

    #[test]
    fn other_texts_are_no_dates() {
        for other in [
            "",
            "2026-06-15",
            "2026-02-29 00:00:00",
            "2026-13-01 00:00:00",
            "2026-06-31 00:00:00",
            "2026-06-15 24:00:00",
            "2026-06-15 12:00:60",
            "2026-06-15 12:00",
            "2026-06-15 12:00:00.",
            "2026-06-15 12:00:00.1234567",
            "2026-06-15 12:00:00 UTC",
            "2026-06-15 12:00:00+2",
            "+026-06-15 12:00:00",
            "2026-06-15é12:00:00",
            "é026-06-15 12:00:00",
            "1781524800",
        ] {
            assert_eq!(Written::parse(other), None, "{other}");
        }
    }
}
