//! From raw bytes into the tool's types.

use std::cell::Cell;
use std::fmt::Display;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{Outcome, ToolResult};
use crate::schema::{Enforced, MAX_PROBLEMS, Problem, WholeNumbers};

/// All arguments as one struct.
///
/// ```
/// use mcp_runtime::prelude::*;
///
/// #[data]
/// struct Query {
///     /// Words to look for.
///     words: String,
///     limit: Option<u32>,
/// }
///
/// /// Search the archive.
/// #[tool]
/// fn search(Args(query): Args<Query>) -> String {
///     format!("nothing found for {}", query.words)
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Args<T>(pub T);

/// What may be an argument of a tool or a prompt: everything that serde can read and schemars can describe.
///
/// The marker keeps the error short: with two ways to be an argument the compiler reports this trait, not its leaves.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be an argument of a tool or a prompt",
    label = "not an argument",
    note = "an argument needs `serde::Deserialize` and `schemars::JsonSchema`: put `#[data]` on the type, or derive both",
    note = "what the server was given with `.state(..)` is `State<T>`, not `T` or `Arc<T>`",
    note = "if the server shall fill it in by an extractor of yours, or behind a type alias: write `#[inject]` before the parameter"
)]
pub trait Argument<Marker> {}

/// What may be a variable of a resource's URI: everything that serde can read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be a variable of a resource's URI",
    label = "not a variable",
    note = "a variable needs `serde::Deserialize`: put `#[data]` on the type, or derive it",
    note = "what the server was given with `.state(..)` is `State<T>`, not `T` or `Arc<T>`",
    note = "if the server shall fill it in by an extractor of yours, or behind a type alias: write `#[inject]` before the parameter"
)]
pub trait Variable<Marker> {}

/// The way all arguments go.
#[derive(Debug)]
pub struct Described;

/// A way no type goes.
#[derive(Debug)]
pub struct Undescribed;

/// Implemented by nothing.
pub trait Never {}

impl<T: DeserializeOwned + JsonSchema> Argument<Described> for T {}
impl<T: Never> Argument<Undescribed> for T {}
impl<T: DeserializeOwned> Variable<Described> for T {}
impl<T: Never> Variable<Undescribed> for T {}

/// The arguments of one call, unparsed, and what their schema asserts.
#[derive(Debug)]
pub struct RawArguments<'a> {
    tool: &'static str,
    /// JSON text of an object; `None` where the call carries no arguments.
    text: Option<&'a str>,
    schema: &'a Enforced,
    /// Set where they do not fit.
    rejected: &'a Cell<bool>,
}

/// A report is for a model to read; beyond this it stops helping.
pub(super) const MAX_REPORTED: usize = 20;

impl<'a> RawArguments<'a> {
    pub(crate) fn new(tool: &'static str, text: Option<&'a str>, schema: &'a Enforced, rejected: &'a Cell<bool>) -> Self {
        Self { tool, text, schema, rejected }
    }

    /// Reads the arguments into `T`.
    ///
    /// # Errors
    /// They do not fit: the outcome is a result that lists every problem for the model.
    pub fn parse<T: DeserializeOwned>(self) -> Result<T, Outcome> {
        let text = self.text.unwrap_or("{}");
        // serde's structs also read arrays, by position; the schema says an object.
        let is_object = text.trim_ascii_start().starts_with('{');
        if is_object
            && !self.schema.asserts_more_than_types()
            && let Ok(arguments) = serde_json::from_str(text)
        {
            return Ok(arguments);
        }
        self.parse_checked(text)
    }

    /// Reads arguments that their type alone does not vouch for, or does not take.
    fn parse_checked<T: DeserializeOwned>(&self, text: &str) -> Result<T, Outcome> {
        let mut value = match serde_json::from_str(text) {
            Ok(WholeNumbers(value)) => value,
            Err(error) => return Err(self.reject(&[Problem::unreadable(&error)])),
        };
        self.schema.drop_nulls(&mut value);
        let problems = self.schema.problems(&value);
        if !problems.is_empty() {
            return Err(self.reject(&problems));
        }
        // The type may still be stricter than its schema: a custom `Deserialize`.
        serde_path_to_error::deserialize(value).map_err(|error| self.reject(&[Problem::from_serde(&error)]))
    }

    fn reject(&self, problems: &[Problem]) -> Outcome {
        self.rejected.set(true);
        tracing::debug!(target: "mcp_runtime::tool", tool = self.tool, problems = problems.len(), "arguments do not fit");
        let mut report = report(self.tool, problems);
        if problems.len() > MAX_REPORTED {
            let at_least = if problems.len() < MAX_PROBLEMS { "" } else { "at least " };
            report.push_str(&format!("\n- and {at_least}{} more", problems.len() - MAX_REPORTED));
        }
        Ok(ToolResult::error(report))
    }
}

/// What is wrong with the arguments of a tool or prompt, for a model to read.
pub(super) fn report(item: &str, problems: &[impl Display]) -> String {
    let mut report = format!("The arguments do not fit `{item}`:");
    for problem in problems.iter().take(MAX_REPORTED) {
        report.push_str("\n- ");
        report.push_str(&problem.to_string());
    }
    report
}
