//! One thing that is wrong with the arguments, said so that a model can mend it.

use std::fmt;

use serde_json::Value;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// JSON path without the leading `$.`; empty for the arguments as a whole.
    path: String,
    text: String,
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// From arguments that are no readable JSON value, although the envelope's scan passed them.
    pub(crate) fn unreadable(error: &serde_json::Error) -> Self {
        let said = error.to_string();
        let text = match said.find(GIVEN_TWICE) {
            Some(at) => &said[..at + GIVEN_TWICE.len()],
            None => "nested too deeply, or a number or text is out of range",
        };
        Self::new("", text)
    }

    /// From a typed parse that failed although the schema is satisfied.
    ///
    /// serde's own sentences name Rust types and are put into general words; what a custom `Deserialize` says is meant to
    /// be read and is kept.
    pub(crate) fn from_serde(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        let said = error.inner().to_string();
        let quoted = |text: &str| text.split('`').nth(1).map(|name| format!("`{}`", shortened(name))).unwrap_or_default();
        let text = if said.starts_with("duplicate field") {
            format!("{}{GIVEN_TWICE}", quoted(&said))
        } else if said.starts_with("missing field") {
            format!("{} is missing", quoted(&said))
        } else if said.starts_with("unknown field") || said.starts_with("unknown variant") {
            format!("{} is unknown", quoted(&said))
        } else if said.starts_with("invalid ") || said.starts_with("data did not match") || said.starts_with("expected ") {
            "the value is not acceptable here".to_owned()
        } else {
            shortened(&said)
        };
        Self { path, text }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.text) } else { write!(f, "{}: {}", self.path, self.text) }
    }
}

/// A JSON path, grown while walking. Its parts stay where they are; only a problem makes it text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'p> {
    Root,
    Name(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    pub(crate) fn problem(&self, text: impl Into<String>) -> Problem {
        Problem::new(self.to_string(), text)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Index(above, index) => write!(f, "{above}[{index}]"),
            Self::Name(above, name) => {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
                if name.is_empty() || name.len() > MOST_SHOWN || !name.bytes().all(plain) {
                    write!(f, "{above}[{}]", Value::from(shortened(name)))
                } else if matches!(above, Self::Root) {
                    f.write_str(name)
                } else {
                    write!(f, "{above}.{name}")
                }
            }
        }
    }
}

/// The value as the model sent it, short enough to read.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => Value::from(shortened(text)).to_string(),
        Value::Array(items) if items.is_empty() => "an empty array".to_owned(),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// What [`super::WholeNumbers`] says of a repeated name.
pub(super) const GIVEN_TWICE: &str = " is given twice";

/// So many characters of what a client sent are said back.
const MOST_SHOWN: usize = 60;

pub(crate) fn shortened(text: &str) -> String {
    crate::excerpt::excerpt(text, MOST_SHOWN)
}

/// The known name that is closest to an unknown one, if it is close enough to be meant.
pub(crate) fn closest<'k>(unknown: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // Names are short; a long unknown one is no typing mistake.
    if unknown.len() > 64 {
        return None;
    }
    known
        .map(|name| (distance(unknown, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map(|(_, name)| name)
}

/// How many characters to insert, remove, change or swap with their neighbour, ignoring case.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_meant_or_none() {
        let known = || ["city", "days", "units"].into_iter();
        assert_eq!(closest("ctiy", known()), Some("city"));
        assert_eq!(closest("Unit", known()), Some("units"));
        assert_eq!(closest("password", known()), None);
    }

    #[test]
    fn what_a_custom_type_says_is_kept_whole() {
        #[derive(Debug)]
        struct Script;

        impl<'de> serde::Deserialize<'de> for Script {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?;
                Err(serde::de::Error::custom("a bracket is open at line 3"))
            }
        }

        let error = serde_path_to_error::deserialize::<_, Script>(Value::from("(")).expect_err("refused");
        assert_eq!(Problem::from_serde(&error).to_string(), "a bracket is open at line 3");
    }

    #[test]
    fn paths_read_as_json_paths() {
        let list = Path::Name(&Path::Root, "a");
        let item = Path::Index(&list, 2);
        assert_eq!(Path::Name(&item, "b c").problem("x").to_string(), "a[2][\"b c\"]: x");
        assert_eq!(Path::Name(&item, "b").problem("x").to_string(), "a[2].b: x");
    }
}
