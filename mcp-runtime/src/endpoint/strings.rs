//! Arguments of prompts, and what is filled in beside a completion: strings by name.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::protocol::{Refusal, printable};

/// So many are read.
const MOST: usize = 64;

/// Names and values.
pub(super) type Strings<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The strings of a JSON object. What is null is left out.
pub(super) fn strings(text: Option<&str>) -> Result<Strings<'_>, Refusal> {
    let Some(text) = text.filter(|text| *text != "null") else { return Ok(Vec::new()) };
    let mut wrong = None;
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(ByName { wrong: &mut wrong })
        .map_err(|_| Refusal::params(wrong.unwrap_or_else(|| "the arguments must be an object of strings".to_owned())))
}

struct ByName<'w> {
    /// What is wrong with one of them.
    wrong: &'w mut Option<String>,
}

impl<'de> Visitor<'de> for ByName<'_> {
    type Value = Strings<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut strings: Self::Value = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let value: &RawValue = map.next_value()?;
            if value.get() == "null" {
                continue;
            }
            let wrong = match serde_json::from_str::<String>(value.get()) {
                Err(_) => format!("the argument {} must be a string", printable(&name)),
                Ok(_) if strings.iter().any(|(known, _)| *known == name) => {
                    format!("the argument {} is there twice", printable(&name))
                }
                Ok(_) if strings.len() == MOST => format!("at most {MOST} arguments are read"),
                Ok(value) => {
                    strings.push((name.into(), value.into()));
                    continue;
                }
            };
            *self.wrong = Some(wrong);
            return Err(A::Error::custom("wrong arguments"));
        }
        Ok(strings)
    }
}
