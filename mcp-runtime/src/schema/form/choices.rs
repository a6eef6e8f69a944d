//! What may be chosen: the variants of an enum without data.

use serde_json::{Map, Value, json};

/// At least one.
#[derive(Debug)]
pub(super) struct Choices {
    values: Vec<String>,
    shown: Shown,
}

/// What a person reads.
#[derive(Debug)]
enum Shown {
    Values,
    /// Told with `oneOf`, or `anyOf` where several are chosen.
    Titles(Vec<String>),
    /// Told with `enumNames`, which is how 2025-06-18 did it, because the author said so.
    Names(Vec<String>),
}

impl Choices {
    /// Takes the keywords of a choice out of a schema; `None` if it is none.
    ///
    /// # Errors
    /// What is said of a field that is a choice of something else.
    pub(super) fn take(schema: &mut Map<String, Value>) -> Result<Option<Self>, String> {
        let mut values = Vec::new();
        let mut titles = Vec::new();
        if let Some(keyword) = ["oneOf", "anyOf"].into_iter().find(|keyword| schema.contains_key(*keyword)) {
            // Variants with a doc comment stand alone, the others together.
            for form in schema.remove(keyword).as_ref().and_then(Value::as_array).into_iter().flatten() {
                let form = form.as_object().ok_or_else(with_data)?;
                let texts = texts(form).ok_or_else(with_data)?;
                let title = if texts.len() == 1 { title(form) } else { None };
                titles.extend(texts.iter().map(|_| title.clone()));
                values.extend(texts);
            }
        } else if schema.contains_key("enum") || (schema.get("const").is_some_and(Value::is_string)) {
            values =
                texts(schema).ok_or("is a choice among values that are no strings; use an enum that serde writes as text")?;
            schema.remove("enum");
            schema.remove("const");
        } else {
            return Ok(None);
        }
        if values.is_empty() {
            return Err("has nothing to choose from; give its enum variants".to_owned());
        }
        schema.remove("type");
        let shown = if titles.iter().any(Option::is_some) {
            Shown::Titles(titles.into_iter().zip(&values).map(|(title, value)| title.unwrap_or_else(|| value.clone())).collect())
        } else if let Some(names) = schema.remove("enumNames") {
            Shown::Names(names_for(&values, &names)?)
        } else {
            Shown::Values
        };
        Ok(Some(Self { values, shown }))
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The values alone.
    pub(super) fn plain(&self) -> Map<String, Value> {
        Map::from_iter([("type".to_owned(), "string".into()), ("enum".to_owned(), self.values.clone().into())])
    }

    /// As a field of which one is chosen.
    pub(super) fn published(&self) -> Map<String, Value> {
        match &self.shown {
            Shown::Titles(titles) => {
                Map::from_iter([("type".to_owned(), "string".into()), ("oneOf".to_owned(), self.titled(titles))])
            }
            Shown::Values | Shown::Names(_) => self.published_2025_06_18(),
        }
    }

    /// As `items` of a field of which several are chosen.
    pub(super) fn published_as_items(&self) -> Map<String, Value> {
        match &self.shown {
            Shown::Titles(titles) | Shown::Names(titles) => Map::from_iter([("anyOf".to_owned(), self.titled(titles))]),
            Shown::Values => self.plain(),
        }
    }

    pub(super) fn published_2025_06_18(&self) -> Map<String, Value> {
        let mut schema = self.plain();
        if let Shown::Titles(names) | Shown::Names(names) = &self.shown {
            schema.insert("enumNames".to_owned(), names.clone().into());
        }
        schema
    }

    fn titled(&self, titles: &[String]) -> Value {
        self.values.iter().zip(titles).map(|(value, title)| json!({"const": value, "title": title})).collect()
    }
}

fn with_data() -> String {
    "is one of several shapes; use an enum without data, and ask for the data in fields of their own".to_owned()
}

/// The texts that `enum` or `const` allow, if these are texts.
fn texts(schema: &Map<String, Value>) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match (schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(values)), None) => values.iter().map(text).collect(),
        (None, Some(value)) => Some(vec![text(value)?]),
        _ => None,
    }
}

/// A variant's title, or else the first paragraph of its description, on one line.
fn title(form: &Map<String, Value>) -> Option<String> {
    let text = |keyword: &str| form.get(keyword).and_then(Value::as_str);
    let title = text("title").or_else(|| text("description")?.split("\n\n").next())?;
    Some(title.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|title| !title.is_empty())
}

fn names_for(values: &[String], names: &Value) -> Result<Vec<String>, String> {
    let texts: Option<Vec<String>> =
        names.as_array().and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    match texts {
        Some(texts) if texts.len() == values.len() => Ok(texts),
        Some(texts) => Err(format!("has {} `enumNames` for {} choices; name each of them", texts.len(), values.len())),
        None => Err("has `enumNames` that are no list of strings; give the names of its choices".to_owned()),
    }
}
