//! Suggestions for the arguments of prompts and the variables of resource templates.

use std::pin::Pin;

use serde::Serialize;

use super::{Context, ToolError};

/// Suggestions that are being made.
pub type CompletionFuture = Pin<Box<dyn Future<Output = Result<Completion, ToolError>> + Send + 'static>>;

/// What a user has typed into an argument so far.
#[derive(Clone, Debug)]
pub struct CompletionRequest {
    context: Context,
    value: String,
    arguments: Vec<(String, String)>,
}

impl CompletionRequest {
    /// A request by itself: outside of tests, the server makes it.
    pub fn new(context: Context, value: impl Into<String>) -> Self {
        Self { context, value: value.into(), arguments: Vec::new() }
    }

    /// With another argument that is filled in already.
    #[must_use]
    pub fn with_argument(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.arguments.push((name.into(), value.into()));
        self
    }

    /// The beginning that was typed; it may be empty.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The value of another argument, where the client says it. Clients before 2025-06-18 say none.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&str> {
        self.arguments.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The request's context: the caller, states, headers.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }
}

/// So many suggestions fit into an answer (MCP 2026-07-28, `CompleteResult`).
const MOST: usize = 100;

/// Suggestions, the best first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Completion {
    values: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    has_more: bool,
}

impl Completion {
    /// These values. Of more than 100 the client gets the first, how many there are, and that there are more.
    pub fn new<S: Into<String>>(values: impl IntoIterator<Item = S>) -> Self {
        let mut values: Vec<String> = values.into_iter().map(Into::into).collect();
        let has_more = values.len() > MOST;
        let total = has_more.then_some(values.len());
        values.truncate(MOST);
        Self { values, total, has_more }
    }

    /// How many values match in all, when these are only the first.
    #[must_use]
    pub fn total(mut self, total: usize) -> Self {
        self.total = Some(total);
        self.has_more |= total > self.values.len();
        self
    }

    /// There are more values, nobody counted how many.
    #[must_use]
    pub fn with_more(mut self) -> Self {
        self.has_more = true;
        self
    }

    /// The values.
    #[must_use]
    pub fn values(&self) -> &[String] {
        &self.values
    }
}

/// What a function behind `#[complete]` may return: lists of strings, a [`Completion`], or a `Result` of one of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no completion",
    label = "not a list of suggestions",
    note = "return `Vec<String>`, `Completion`, or a `Result` of one of these from an async function that takes a `CompletionRequest`"
)]
pub trait IntoCompletion {
    /// Turns the value into suggestions.
    fn into_completion(self) -> Result<Completion, ToolError>;
}

impl IntoCompletion for Completion {
    fn into_completion(self) -> Result<Completion, ToolError> {
        Ok(self)
    }
}

#[diagnostic::do_not_recommend]
impl<S: Into<String>> IntoCompletion for Vec<S> {
    fn into_completion(self) -> Result<Completion, ToolError> {
        Ok(Completion::new(self))
    }
}

#[diagnostic::do_not_recommend]
impl<S: Into<String>, const N: usize> IntoCompletion for [S; N] {
    fn into_completion(self) -> Result<Completion, ToolError> {
        Ok(Completion::new(self))
    }
}

#[diagnostic::do_not_recommend]
impl<T: IntoCompletion, E: Into<ToolError>> IntoCompletion for Result<T, E> {
    fn into_completion(self) -> Result<Completion, ToolError> {
        self.map_err(Into::into)?.into_completion()
    }
}

/// Those of a fixed list that begin with what was typed, then those that hold it elsewhere; case does not count.
pub(crate) fn matching(list: &[&str], typed: &str) -> Completion {
    let typed = typed.to_lowercase();
    let place = |value: &&&str| value.to_lowercase().find(&typed);
    let first = list.iter().filter(|value| place(value) == Some(0));
    let then = list.iter().filter(|value| place(value).is_some_and(|place| place > 0));
    Completion::new(first.chain(then).copied())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fixed_list_is_filtered_by_what_was_typed() {
        const LANGUAGES: [&str; 4] = ["JavaScript", "Rust", "TypeScript", "Scala"];
        assert_eq!(matching(&LANGUAGES, "sc").values(), ["Scala", "JavaScript", "TypeScript"]);
        assert_eq!(matching(&LANGUAGES, "").values(), LANGUAGES);
        assert!(matching(&LANGUAGES, "x").values().is_empty());
    }

    #[test]
    fn of_many_values_a_hundred_are_sent() {
        let many = (0..250).map(|n: u32| n.to_string()).collect::<Vec<_>>().into_completion().expect("values");
        assert_eq!(many.values().len(), 100);
        let json = serde_json::to_value(&many).expect("json");
        assert_eq!((&json["total"], &json["hasMore"]), (&json!(250), &json!(true)));
        let few = serde_json::to_value(["a"].into_completion().expect("values")).expect("json");
        assert_eq!(few, json!({ "values": ["a"], "hasMore": false }));
        let first = serde_json::to_value(Completion::new(["a"]).total(7)).expect("json");
        assert_eq!(first, json!({ "values": ["a"], "total": 7, "hasMore": true }));
        assert!(Err::<Vec<String>, _>("no").into_completion().is_err());
    }
}
