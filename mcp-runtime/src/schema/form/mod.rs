//! The form of a question to the user, made from a Rust type.
//!
//! A form is flat (MCP 2026-07-28, Elicitation, "Requested Schema"): an object of texts, numbers, yes-or-no fields, and
//! choices of one or of several. What a type says beyond that is no form and is refused when the form is made, so that
//! nothing is asked that is not checked, and nothing is checked that was not told.

mod choices;
mod field;
mod format;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use self::field::{Field, is_annotation};
use super::problem::Path;
use super::whole_numbers::whole;
use super::{Enforced, described, publish};
use crate::protocol::Era;

/// What a user is asked for.
#[derive(Debug)]
pub(crate) struct Form {
    /// In the order of the struct.
    fields: Vec<Field>,
    enforced: Enforced,
    /// Is the type one that serde reads from null, `()` or a unit struct?
    unit: bool,
}

/// Why a form can not be shown to a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormUnfit {
    #[error("MCP {} has no questions to the user", .0.version())]
    NoQuestions(Era),
    #[error("MCP {} has no field in which several are chosen, as `{}` is", .era.version(), .field)]
    SeveralChoices { era: Era, field: String },
}

impl Form {
    /// The form of a type. It takes the type anew apart at each call.
    ///
    /// A field is required if the type has no default for it, and is no `Option`. Fields stand in the order of the
    /// struct, or by name if it flattens others into itself: serde does not tell their order.
    ///
    /// # Errors
    /// Sentences that say what a form can not hold, each with the field's name and what to do.
    pub(crate) fn of<T: JsonSchema + DeserializeOwned>() -> Result<Self, Vec<String>> {
        let described = described(&SchemaSettings::draft2020_12(), |generator| Some(T::json_schema(generator)));
        Self::read(&described.unwrap_or_default(), crate::schema::fields_of::<T>())
    }

    fn read(described: &Map<String, Value>, order: &[&str]) -> Result<Self, Vec<String>> {
        let unit = match described.get("type").and_then(Value::as_str) {
            Some("null") => true,
            Some("object") => false,
            _ => {
                return Err(vec![
                    "it is no struct with named fields; ask for a lone value, or for a choice, by a field of a struct".to_owned(),
                ]);
            }
        };
        let mut problems: Vec<String> = described.iter().filter_map(|(keyword, value)| unfit_at_root(keyword, value)).collect();
        let empty = Map::new();
        let object = |keyword: &str| described.get(keyword).and_then(Value::as_object).unwrap_or(&empty);
        let definitions = object("$defs");
        let required: Vec<&str> =
            described.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let mut fields = Vec::new();
        for (name, schema) in object("properties") {
            match Field::read(name, schema, definitions, required.contains(&name.as_str())) {
                Ok(field) => fields.push(field),
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        fields.sort_by_key(|field| order.iter().position(|name| *name == field.name).unwrap_or(order.len()));
        let checked: Map<String, Value> = fields.iter().map(|field| (field.name.clone(), field.checked().into())).collect();
        let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name.as_str()).collect();
        let checked = json!({"type": "object", "properties": checked, "required": required, "additionalProperties": false});
        let form = Self { enforced: Enforced::compile(checked.as_object().unwrap_or(&empty))?, fields, unit };
        form.check()?;
        Ok(form)
    }

    /// What only the whole form tells: defaults that would be refused, and characters that nobody sees.
    fn check(&self) -> Result<(), Vec<String>> {
        let defaults = self.fields.iter().filter_map(|field| Some((field, field.default.as_ref()?)));
        let problems: Vec<String> = defaults
            .flat_map(|(field, default)| {
                let mut found = self.enforced.problems_of_property(&field.name, default);
                found.extend(field.misformatted(default).map(|text| Path::Name(&Path::Root, &field.name).problem(text)));
                found
            })
            .map(|problem| format!("the default of its field `{problem}`"))
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        publish::check_texts(&self.fields.iter().map(|field| (field.name.clone(), field.published().into())).collect())
    }

    /// `requestedSchema` for clients of a revision, as JSON text.
    ///
    /// 2025-06-18 names choices by `enumNames`, and knows defaults of yes-or-no fields only; other defaults are not told,
    /// and fill in nevertheless.
    ///
    /// # Errors
    /// The revision has nothing to show it with.
    pub(crate) fn in_era(&self, era: Era) -> Result<String, FormUnfit> {
        let properties: Vec<Map<String, Value>> = match era {
            Era::V2025_03_26 => return Err(FormUnfit::NoQuestions(era)),
            Era::V2025_06_18 => self
                .fields
                .iter()
                .map(|field| {
                    let unfit = || FormUnfit::SeveralChoices { era, field: field.name.clone() };
                    field.published_2025_06_18().ok_or_else(unfit)
                })
                .collect::<Result<_, _>>()?,
            Era::V2025_11_25 | Era::V2026_07_28 => self.fields.iter().map(Field::published).collect(),
        };
        // By hand, because serde_json's maps order their members by name.
        let properties: Vec<String> = self
            .fields
            .iter()
            .zip(properties)
            .map(|(field, schema)| format!("{}:{}", Value::from(field.name.as_str()), Value::from(schema)))
            .collect();
        let required: Vec<&str> = self.fields.iter().filter(|field| field.required).map(|field| field.name.as_str()).collect();
        let required = if required.is_empty() { String::new() } else { format!(r#","required":{}"#, json!(required)) };
        Ok(format!(r#"{{"type":"object","properties":{{{}}}{required}}}"#, properties.join(",")))
    }

    /// What a client answered, checked, and ready for serde.
    ///
    /// Whole numbers become integers, null is "not given" where that is allowed, and defaults fill in what is not given. A
    /// unit type's answer becomes null. Answers without content (`Value::Null`) are taken for an empty object.
    ///
    /// # Errors
    /// Sentences for the client, one for each thing that is wrong.
    pub(crate) fn accept(&self, content: &Value) -> Result<Value, Vec<String>> {
        let mut answer = if content.is_null() { json!({}) } else { content.clone() };
        if let Value::Object(members) = &mut answer {
            // Each is chosen once at most: a longer list is not worth the time to compare it with the choices.
            let too_long: Vec<String> =
                self.fields.iter().filter_map(|field| field.too_many(members.get(&field.name)?)).collect();
            if !too_long.is_empty() {
                return Err(too_long);
            }
            for field in self.fields.iter().filter(|field| field.is_integer()) {
                if let Some(value) = members.get_mut(&field.name)
                    && let Some(integer) = value.as_f64().filter(|_| value.is_f64()).and_then(whole)
                {
                    *value = integer.into();
                }
            }
        }
        self.enforced.drop_nulls(&mut answer);
        if let Value::Object(members) = &mut answer {
            for field in &self.fields {
                if let Some(default) = &field.default {
                    members.entry(&field.name).or_insert_with(|| default.clone());
                }
            }
        }
        let mut problems = self.enforced.problems(&answer);
        for field in &self.fields {
            if let Some(text) = answer.get(&field.name).and_then(|value| field.misformatted(value)) {
                problems.push(Path::Name(&Path::Root, &field.name).problem(text));
            }
        }
        match problems.as_slice() {
            [] if self.unit => Ok(Value::Null),
            [] => Ok(answer),
            problems => Err(problems.iter().map(ToString::to_string).collect()),
        }
    }
}

/// What the root of a form's type must not say.
fn unfit_at_root(keyword: &str, value: &Value) -> Option<String> {
    match keyword {
        "type" | "properties" | "required" | "$defs" | "title" | "description" | "default" => None,
        "additionalProperties" | "unevaluatedProperties" if value == &Value::Bool(false) => None,
        "additionalProperties" | "unevaluatedProperties" => {
            Some("it takes members of any name; a form asks by name: give it a field for each".to_owned())
        }
        "oneOf" | "anyOf" | "allOf" => Some(format!(
            "it is one of several shapes (`{keyword}`); a form has one: use a struct, and choose by a field that is an enum without data"
        )),
        keyword if is_annotation(keyword) => None,
        keyword => Some(format!("it says `{keyword}`, which a form can not hold; remove it, and check the answer in the tool")),
    }
}
