//! How objects are read into where they stay, and what is of the wrong kind is noted.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Members, Object, Text};

fn fill<'a, T: Members<'a>, A: MapAccess<'a>>(value: &mut T, mut map: A) -> Result<(), A::Error> {
    while let Some(Text::Is(key)) = map.next_key::<Text<'a>>()? {
        value.member(&key, &mut map)?;
    }
    Ok(())
}

/// A text that is an object and nothing else.
pub(super) fn whole<'a, T: Members<'a>>(text: &'a str) -> serde_json::Result<T> {
    struct Only<'s, T>(&'s mut T);

    impl<'a, T: Members<'a>> Visitor<'a> for Only<'_, T> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<(), A::Error> {
            fill(self.0, map)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut value = T::default();
    deserializer.deserialize_map(Only(&mut value))?;
    deserializer.end()?;
    Ok(value)
}

/// Answers every kind of JSON value that is not the expected one with `Other`.
macro_rules! other_kinds {
    ($($kind:ident($type:ty)),*) => { $(
        fn $kind<E: Error>(self, _: $type) -> Result<Self::Value, E> {
            Ok(self.other())
        }
    )* };
}

/// Where a member goes that should be an object.
pub(super) struct Slot<'s, T>(pub(super) &'s mut Option<Object<T>>);

impl<T> Slot<'_, T> {
    fn other(self) {
        *self.0 = Some(Object::Other);
    }
}

impl<'a, T: Members<'a>> DeserializeSeed<'a> for Slot<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a, T: Members<'a>> Visitor<'a> for Slot<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<(), A::Error> {
        match self.0.insert(Object::Is(T::default())) {
            Object::Is(value) => fill(value, map),
            Object::Other => Ok(()),
        }
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.other();
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.other();
        Ok(())
    }

    other_kinds!(visit_bool(bool), visit_u64(u64), visit_i64(i64), visit_f64(f64), visit_str(&str));
}

impl<'a> Deserialize<'a> for Text<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lenient;

        impl Lenient {
            fn other<'a>(self) -> Text<'a> {
                Text::Other
            }
        }

        impl<'a> Visitor<'a> for Lenient {
            type Value = Text<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Self::Value, E> {
                Ok(Text::Is(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text::Is(Cow::Owned(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text::Other)
            }

            fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text::Other)
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Text::Other)
            }

            other_kinds!(visit_bool(bool), visit_u64(u64), visit_i64(i64), visit_f64(f64));
        }

        deserializer.deserialize_any(Lenient)
    }
}
