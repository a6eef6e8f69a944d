//! Arguments that come as texts: those of prompts, and the variables of resource templates.
//!
//! Each text is read into what the field's type asks for. What is no single word, number or choice can not be written so.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::{self, Display};
use std::str::FromStr;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use super::argument::{MAX_REPORTED, report};
use super::{PromptOutcome, ReadOutcome, ResourceError, ToolError};
use crate::excerpt::excerpt;

/// The values of one request, by name, unparsed.
#[derive(Debug)]
pub struct RawStrings<'a> {
    item: &'static str,
    given: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> RawStrings<'a> {
    /// What was given for the prompt or resource named `item`: names and values.
    pub(crate) fn new(item: &'static str, given: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Self {
        Self { item, given }
    }

    /// Reads the values into `T`.
    ///
    /// # Errors
    /// They do not fit; a sentence for each problem that was found, at most 20.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Vec<String>> {
        let given: Vec<Entry<'_>> = self.given.iter().map(|(name, value)| (&**name, Text::Given(value))).collect();
        T::deserialize(Fields { entries: &given, reading: &Cell::default() }).map_err(|error| problems::<T>(&given, &error))
    }

    /// The same, for a prompt.
    ///
    /// # Errors
    /// The outcome is an error that lists every problem.
    pub fn for_prompt<T: DeserializeOwned>(self) -> Result<T, PromptOutcome> {
        self.parse().map_err(|problems| {
            tracing::debug!(target: "mcp_runtime::prompt", prompt = self.item, problems = problems.len(), "arguments do not fit");
            Err(ToolError::user(report(self.item, &problems)))
        })
    }

    /// The same, for a resource.
    ///
    /// # Errors
    /// There is no resource with such values.
    pub fn for_resource<T: DeserializeOwned>(self) -> Result<T, ReadOutcome> {
        self.parse().map_err(|problems| {
            let problem = problems.first().map_or("", String::as_str);
            tracing::debug!(target: "mcp_runtime::resource", resource = self.item, problem, "the URI's variables do not fit");
            Err(ResourceError::NotFound)
        })
    }
}

/// Everything that is wrong, found by reading parts: serde ends at the first mistake.
fn problems<T: DeserializeOwned>(given: &[Entry<'_>], first: &Misfit) -> Vec<String> {
    let mut problems = Vec::new();
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut stand_ins: Vec<&str> = Vec::new();
    // Whether a value can be read says nothing about the others.
    for entry in given {
        let reading = Cell::default();
        match T::deserialize(Fields { entries: std::slice::from_ref(entry), reading: &reading }) {
            Err(error) if reading.get() => {
                problems.push(format!("{}: {error}", excerpt(entry.0, MOST_SHOWN)));
                if !matches!(error, Misfit::Unknown(_)) {
                    stand_ins.push(entry.0);
                }
            }
            _ => entries.push(*entry),
        }
        if problems.len() == MAX_REPORTED {
            return problems;
        }
    }
    // What is missing is told one name at a time; a value that fits its type takes each one's place.
    entries.extend(stand_ins.iter().map(|name| (*name, Text::StandIn)));
    while problems.len() < MAX_REPORTED {
        let Err(Misfit::Missing(name)) = T::deserialize(Fields { entries: &entries, reading: &Cell::default() }) else { break };
        problems.push(format!("{name}: {}", Misfit::Missing(name)));
        entries.push((name, Text::StandIn));
    }
    if problems.is_empty() {
        problems.push(first.to_string());
    }
    problems
}

/// So many characters of what a client sent are said back.
const MOST_SHOWN: usize = 60;

/// Why texts can not be read.
#[derive(Debug)]
enum Misfit {
    Missing(&'static str),
    Unknown(String),
    Other(String),
}

impl Misfit {
    fn expected(what: impl Display, got: &str) -> Self {
        Self::Other(format!("expected {what}, got \"{}\"", excerpt(got, MOST_SHOWN).escape_debug()))
    }
}

impl Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(_) => f.write_str("required, but missing"),
            Self::Unknown(text) | Self::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Misfit {}

fn listed(names: &[&str]) -> String {
    const MOST: usize = 12;
    let shown: Vec<_> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > MOST { format!(" or {} more", names.len() - MOST) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

impl de::Error for Misfit {
    fn custom<T: Display>(text: T) -> Self {
        // What a type's own `Deserialize` says is meant to be read, but may quote what came.
        Self::Other(excerpt(&text.to_string(), 200))
    }

    // serde's own sentences name Rust types.
    fn invalid_type(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self::Other("the value is not acceptable here".to_owned())
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::expected(format!("one of {}", listed(expected)), variant)
    }

    fn unknown_field(name: &str, expected: &'static [&'static str]) -> Self {
        Self::Unknown(match crate::schema::closest(name, expected.iter().copied()) {
            _ if expected.is_empty() => "unknown name; there are none".to_owned(),
            Some(meant) => format!("unknown name; did you mean `{meant}`?"),
            None => format!("unknown name; known are {}", listed(expected)),
        })
    }

    fn missing_field(name: &'static str) -> Self {
        Self::Missing(name)
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::Other(format!("{name}: given twice"))
    }
}

type Entry<'t> = (&'t str, Text<'t>);

/// The struct of all values.
struct Fields<'t> {
    entries: &'t [Entry<'t>],
    /// Is a name or a value being read? Where reading failed, it stays so.
    reading: &'t Cell<bool>,
}

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_map(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((name, _)) = self.entries.first() else { return Ok(None) };
        self.reading.set(true);
        seed.deserialize(Text::Given(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let Some(((_, value), rest)) = self.entries.split_first() else { return Err(de::Error::custom("no value")) };
        self.entries = rest;
        let read = seed.deserialize(*value)?;
        self.reading.set(false);
        Ok(read)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// One value.
#[derive(Clone, Copy)]
enum Text<'t> {
    Given(&'t str),
    /// Whatever the type asks for: only the fields beside it matter.
    StandIn,
}

impl Text<'_> {
    fn number<N: FromStr + Default>(self, what: impl Display) -> Result<N, Misfit> {
        let Self::Given(text) = self else { return Ok(N::default()) };
        // Rust would also read `+1`, `inf` and `nan`, which no JSON has.
        let plain = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        text.parse().ok().filter(|_| plain).ok_or_else(|| Misfit::expected(what, text))
    }

    fn text(self) -> String {
        match self {
            Self::Given(text) => text.to_owned(),
            Self::StandIn => String::new(),
        }
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            let what = match $type::BITS {
                ..=32 => format!("a whole number from {} to {}", $type::MIN, $type::MAX),
                _ if $type::MIN == 0 => "a whole number from 0".to_owned(),
                _ => "a whole number".to_owned(),
            };
            visitor.$visit(self.number::<$type>(what)?)
        }
    )* };
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = Misfit;

    whole_numbers! {
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
        deserialize_u128 visit_u128 u128
        deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_i128 visit_i128 i128
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_string(self.text())
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let number: f32 = self.number("a number")?;
        if number.is_finite() { visitor.visit_f32(number) } else { Err(Misfit::expected("a smaller number", &self.text())) }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let number: f64 = self.number("a number")?;
        if number.is_finite() { visitor.visit_f64(number) } else { Err(Misfit::expected("a smaller number", &self.text())) }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Given("true") => visitor.visit_bool(true),
            Self::Given("false") | Self::StandIn => visitor.visit_bool(false),
            Self::Given(other) => Err(Misfit::expected("`true` or `false`", other)),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let Self::Given(text) = self else { return visitor.visit_char(' ') };
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => visitor.visit_char(char),
            _ => Err(Misfit::expected("one character", text)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let variant = match self {
            Self::Given(text) => text,
            Self::StandIn => variants.first().copied().unwrap_or_default(),
        };
        let variant: StrDeserializer<'_, Misfit> = variant.into_deserializer();
        visitor.visit_enum(variant)
    }

    forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn parse<T: DeserializeOwned>(given: &[(&'static str, &'static str)]) -> Result<T, Vec<String>> {
        let given = given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        RawStrings::new("item", given).parse()
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Units {
        Metric,
        Imperial,
        Named(String),
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Id(u64);

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct All {
        text: String,
        letter: char,
        byte: u8,
        id: Id,
        signed: i32,
        float: f64,
        #[serde(default)]
        flag: bool,
        units: Option<Units>,
    }

    const GOOD: [(&str, &str); 6] =
        [("text", ""), ("letter", "ß"), ("byte", "255"), ("id", "7"), ("signed", "-7"), ("float", "1.5e3")];

    #[test]
    fn texts_become_what_the_types_ask_for() {
        let all: All = parse(&GOOD).expect("read");
        let expected =
            All { text: "".into(), letter: 'ß', byte: 255, id: Id(7), signed: -7, float: 1500.0, flag: false, units: None };
        assert_eq!(all, expected);
        let all: All = parse(&[&GOOD[..], &[("flag", "true"), ("units", "imperial")]].concat()).expect("read");
        assert_eq!((all.flag, all.units), (true, Some(Units::Imperial)));
    }

    #[test]
    fn all_problems_are_found() {
        let problems = parse::<All>(&[
            ("letter", "ab"),
            ("byte", "256"),
            ("signed", "+1"),
            ("flag", "yes"),
            ("units", "kelvin"),
            ("txet", "a"),
            ("zebra", "b"),
        ]);
        assert_eq!(
            problems.expect_err("refused"),
            [
                "letter: expected one character, got \"ab\"",
                "byte: expected a whole number from 0 to 255, got \"256\"",
                "signed: expected a whole number from -2147483648 to 2147483647, got \"+1\"",
                "flag: expected `true` or `false`, got \"yes\"",
                "units: expected one of `metric`, `imperial`, `named`, got \"kelvin\"",
                "txet: unknown name; did you mean `text`?",
                "zebra: unknown name; known are `text`, `letter`, `byte`, `id`, `signed`, `float`, `flag`, `units`",
                "text: required, but missing",
                "id: required, but missing",
                "float: required, but missing",
            ]
        );
    }

    #[test]
    fn numbers_are_those_of_json() {
        for wrong in ["", "+1", "inf", "-inf", "nan", "NaN", "1e999", ".5", "0x1", " 1", "1 "] {
            assert!(parse::<All>(&[&GOOD[..5], &[("float", wrong)]].concat()).is_err(), "{wrong}");
        }
        assert!(parse::<All>(&[&GOOD[..5], &[("float", "-0.5")]].concat()).is_ok());
    }

    #[test]
    fn what_no_text_can_hold_is_refused() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "never read")]
        struct Lists {
            list: Vec<String>,
        }
        assert_eq!(parse::<Lists>(&[("list", "a")]).expect_err("refused"), ["list: the value is not acceptable here"]);
        let named = parse::<All>(&[&GOOD[..], &[("units", "named")]].concat());
        assert_eq!(named.expect_err("refused"), ["units: the value is not acceptable here"]);
        let twice = parse::<All>(&[&GOOD[..], &[("text", "a")]].concat());
        assert_eq!(twice.expect_err("refused"), ["text: given twice"]);
    }

    #[test]
    fn what_was_sent_is_said_back_short_and_visible() {
        let long: &'static str = "1\u{202e}\"".repeat(100).leak();
        let problems = parse::<All>(&[&GOOD[..5], &[("float", long)]].concat()).expect_err("refused");
        assert!(problems[0].starts_with("float: expected a number, got \"1\u{fffd}\\\"1"), "{problems:?}");
        assert!(problems[0].len() < 300, "{problems:?}");
        let many: Vec<(&str, &str)> = vec![("nobody", "x"); 1000];
        assert_eq!(parse::<All>(&many).expect_err("refused").len(), 20);
    }
}
