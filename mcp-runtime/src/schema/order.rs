//! The order of a struct's fields. schemars sorts them by name; people fill in a form, or the arguments of a
//! prompt, from top to bottom.

use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde::de::value::Error;
use serde::de::{Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

/// The names under which serde reads the fields of `T`; empty if it tells none, as of a struct with flattened fields.
pub(crate) fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut told: &'static [&'static str] = &[];
    // It fails as soon as the type has said what it wants to read.
    let _ = T::deserialize(Ask(&mut told));
    told
}

/// Reads nothing, and notes what was asked for.
struct Ask<'a>(&'a mut &'static [&'static str]);

fn nothing() -> Error {
    let text: &dyn Display = &"there is nothing to read";
    Error::custom(text)
}

impl<'de> Deserializer<'de> for Ask<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(nothing())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(nothing())
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}
