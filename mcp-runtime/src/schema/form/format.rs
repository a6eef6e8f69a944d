//! The formats of texts that a form knows. Checked by syntax alone: whether an address exists, nobody can tell here.

/// A text's `format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Email,
    Uri,
    Date,
    DateTime,
}

impl Format {
    pub(super) fn of(name: &str) -> Option<Self> {
        [Self::Email, Self::Uri, Self::Date, Self::DateTime].into_iter().find(|format| format.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Date => "date",
            Self::DateTime => "date-time",
        }
    }

    /// In words, for who got it wrong.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Email => "an email address",
            Self::Uri => "a URI such as https://example.com/",
            Self::Date => "a date such as 2026-07-28",
            Self::DateTime => "a date and time such as 2026-07-28T12:00:00Z",
        }
    }

    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            Self::Email => is_email(text),
            Self::Uri => is_uri(text),
            Self::Date => is_date(text.as_bytes()),
            Self::DateTime => is_date_time(text.as_bytes()),
        }
    }
}

/// RFC 5321, without quoted names and address literals; letters beyond ASCII as RFC 6531 has them.
fn is_email(text: &str) -> bool {
    const MOST: usize = 254;
    let atom =
        |c: char| if c.is_ascii() { c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c) } else { c.is_alphanumeric() };
    let label = |label: &str| {
        let inside = label.chars().all(|c| c == '-' || c.is_alphanumeric());
        !label.is_empty() && label.len() <= 63 && inside && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= MOST
        && text.split_once('@').is_some_and(|(name, domain)| {
            let name_fits = name.len() <= 64 && name.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
            name_fits && domain.split('.').all(label)
        })
}

/// RFC 3986: a scheme, then only characters that a URI may have.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let mut bytes = rest.bytes();
    let mut rest_fits = !rest.is_empty();
    while let Some(b) = bytes.next() {
        rest_fits &= match b {
            b'%' => [bytes.next(), bytes.next()].iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit())),
            b => b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&b),
        };
    }
    scheme_fits && rest_fits
}

/// RFC 3339, `full-date`.
fn is_date(text: &[u8]) -> bool {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return false };
    let (Some(year), Some(month), Some(day)) = (number(&[y1, y2, y3, y4]), number(&[m1, m2]), number(&[d1, d2])) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// RFC 3339, `date-time`. A leap second may stand anywhere.
fn is_date_time(text: &[u8]) -> bool {
    let Some((date, [b'T' | b't', time @ ..])) = text.split_at_checked(10) else { return false };
    let &[h1, h2, b':', m1, m2, b':', s1, s2, ref rest @ ..] = time else { return false };
    let most = |digits: &[u8], most: u32| number(digits).is_some_and(|number| number <= most);
    let zone = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            &fraction[digits..]
        }
        rest => rest,
    };
    let zone_fits = match *zone {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => most(&[h1, h2], 23) && most(&[m1, m2], 59),
        _ => false,
    };
    is_date(date) && most(&[h1, h2], 23) && most(&[m1, m2], 59) && most(&[s1, s2], 60) && zone_fits
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, b| b.is_ascii_digit().then(|| number * 10 + u32::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_syntax() {
        let long = format!("{}@example.com", "a".repeat(65));
        let table: [(Format, &[&str], &[&str]); 4] = [
            (
                Format::Email,
                &["a@b.c", "first.last+tag@mail.example.com", "root@localhost", "jürgen@müller.example"],
                &["", "a", "@b.c", "a@", "a@@b", "a b@c.d", ".a@b.c", "a@b..c", "a@-b.c", "a@b.c\n", "<a@b.c>", "a@b,c", &long],
            ),
            (
                Format::Uri,
                &[
                    "https://example.com/",
                    "https://example.com/a%20b?c=d#e",
                    "mailto:a@b.c",
                    "urn:isbn:0451450523",
                    "http://[::1]/",
                ],
                &[
                    "",
                    "example.com",
                    ":x",
                    "1a:x",
                    "https:",
                    "https://a b",
                    "https://é.fr/",
                    "https://a/%2",
                    "https://a/%zz",
                    "a\u{202e}:b",
                ],
            ),
            (
                Format::Date,
                &["2026-07-28", "2024-02-29", "2000-02-29", "0001-12-31"],
                &[
                    "",
                    "2026-7-28",
                    "2025-02-29",
                    "1900-02-29",
                    "2026-13-01",
                    "2026-00-10",
                    "2026-04-31",
                    "2026-07-00",
                    "+026-07-28",
                ],
            ),
            (
                Format::DateTime,
                &[
                    "2026-07-28T12:00:00Z",
                    "2026-07-28t23:59:60.123456789z",
                    "2026-07-28T12:00:00.5+05:30",
                    "2026-07-28T12:00:00-08:00",
                ],
                &[
                    "",
                    "2026-07-28",
                    "2026-07-28T12:00:00",
                    "2026-07-28 12:00:00Z",
                    "2026-07-28T24:00:00Z",
                    "2026-07-28T12:60:00Z",
                    "2026-07-28T12:00:61Z",
                    "2026-07-28T12:00:00.Z",
                    "2026-07-28T12:00:00+24:00",
                    "2026-07-28T12:00:00+0530",
                    "2026-02-30T12:00:00Z",
                    "2026-07-2€T12:00:00Z",
                ],
            ),
        ];
        for (format, fitting, unfit) in table {
            for text in fitting {
                assert!(format.fits(text), "{format:?} {text}");
            }
            for text in unfit {
                assert!(!format.fits(text), "{format:?} {text}");
            }
        }
    }
}
