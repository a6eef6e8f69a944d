//! What a tool may return.

use std::borrow::Cow;
use std::fmt::Display;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Audio, Content, EmbeddedResource, Image, Outcome, ResourceLink, ToolError};

/// A tool's answer, before it is written for a client.
///
/// Tools rarely build one: they return a string, a number, [`Json`], an [`Image`], a list of [`Content`]. It is the type for
/// answers that mix these, or that report an error together with contents.
#[derive(Clone, Debug, Default)]
pub struct ToolResult {
    pub(crate) content: Contents,
    /// JSON text.
    pub(crate) structured: Option<String>,
    pub(crate) is_error: bool,
    pub(crate) meta: Option<Map<String, Value>>,
}

/// A list whose most common form, one text, costs no list.
#[derive(Clone, Debug, Default)]
pub(crate) enum Contents {
    #[default]
    None,
    Text(String),
    Many(Vec<Content>),
}

impl ToolResult {
    /// An answer without any content.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// One block of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: Contents::Text(text.into()), ..Self::default() }
    }

    /// An answer that tells the model that the call went wrong, and why.
    pub fn error(text: impl Into<String>) -> Self {
        Self { is_error: true, ..Self::text(text) }
    }

    /// With a further block.
    #[must_use]
    pub fn with(mut self, content: impl Into<Content>) -> Self {
        let mut list = match self.content {
            Contents::None => Vec::new(),
            Contents::Text(text) => vec![Content::text(text)],
            Contents::Many(list) => list,
        };
        list.push(content.into());
        self.content = Contents::Many(list);
        self
    }

    /// With an entry of the result's `_meta`. The keys of the protocol itself are not replaced.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.meta.get_or_insert_default().insert(key.into(), value.into());
        self
    }

    /// With structured content, and what else it holds as it is: for answers that add pictures or metadata to a value.
    ///
    /// # Errors
    /// The value can not be written as JSON.
    pub fn structured<T: Serialize>(mut self, value: &T) -> Result<Self, ToolError> {
        self.structured = Some(one_line(serde_json::to_string(value)?));
        Ok(self)
    }

    /// Does it tell the model that the call went wrong?
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// The blocks, in order.
    #[must_use]
    pub fn content(&self) -> Vec<Content> {
        match &self.content {
            Contents::None => Vec::new(),
            Contents::Text(text) => vec![Content::text(text)],
            Contents::Many(list) => list.clone(),
        }
    }

    /// Cuts what is longer than `limit` bytes, with a message that says so.
    pub(crate) fn limited(mut self, limit: usize) -> Self {
        if let Some(json) = &self.structured {
            if json.len() > limit {
                // Half a document is no document: the model gets its beginning as text, marked as an error.
                return Self::error(cut(json, limit));
            }
            return self;
        }
        match &mut self.content {
            Contents::None => {}
            Contents::Text(text) => {
                if text.len() > limit {
                    *text = cut(text, limit);
                }
            }
            Contents::Many(list) => limit_blocks(list, limit),
        }
        self
    }
}

fn limit_blocks(list: &mut Vec<Content>, limit: usize) {
    let mut left = limit;
    for index in 0..list.len() {
        let size = block_size(&list[index]);
        if size <= left {
            left -= size;
            continue;
        }
        let dropped = list.len() - index - 1;
        list.truncate(index + 1);
        let notice = match &list[index] {
            Content::Text { text, .. } => cut(text, left),
            _ => format!("[Cut: a block of {size} bytes does not fit into the limit of {limit} bytes for a result.]"),
        };
        list[index] = Content::text(notice);
        if dropped > 0 {
            list.push(Content::text(format!("[{dropped} more blocks were left out.]")));
        }
        return;
    }
}

pub(super) fn block_size(block: &Content) -> usize {
    match block {
        Content::Text { text, .. } => text.len(),
        other => serde_json::to_string(other).map_or(0, |json| json.len()),
    }
}

fn cut(text: &str, limit: usize) -> String {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!(
        "{}\n[Cut: the result has {} bytes and {} are shown, the limit. Ask for less, or for a part.]",
        &text[..end],
        text.len(),
        end
    )
}

/// A value as JSON: `structuredContent`, described by the tool's `outputSchema`, and the same JSON as text for clients that
/// read only text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// What a tool may return.
///
/// Strings, numbers, `bool` and `char` become text; `()` becomes an empty answer; [`Json`] becomes structured content;
/// [`Image`], [`Audio`], [`ResourceLink`], [`EmbeddedResource`] and lists of [`Content`] become themselves; in
/// `Result<T, E>`, `E` is anything that converts into [`ToolError`].
#[diagnostic::on_unimplemented(
    message = "a tool can not return `{Self}`",
    label = "not a tool result",
    note = "return text (`String`, numbers, `bool`), `()`, `Json<T>`, `Image`, `Audio`, `ResourceLink`, `EmbeddedResource`, `Content`, `Vec<Content>`, `ToolResult`, or a `Result` of one of these",
    note = "for a struct, list, map or `Option`: return it in `Json`; a type of your own needs `#[data]`",
    note = "the error of a `Result` is `ToolError`, or what converts into `Box<dyn Error + Send + Sync>`"
)]
pub trait IntoToolResult {
    /// The schema of the structured content, where there is one.
    fn output_schema(generator: &mut SchemaGenerator) -> Option<Schema>
    where
        Self: Sized,
    {
        let _ = generator;
        None
    }

    /// Turns the value into the answer.
    fn into_tool_result(self) -> Result<ToolResult, ToolError>;
}

impl IntoToolResult for ToolResult {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        Ok(self)
    }
}

impl IntoToolResult for () {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        ToolResult::empty().into_tool_result()
    }
}

impl IntoToolResult for String {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        ToolResult::text(self).into_tool_result()
    }
}

impl IntoToolResult for &str {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        ToolResult::text(self).into_tool_result()
    }
}

impl IntoToolResult for Cow<'_, str> {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        ToolResult::text(self).into_tool_result()
    }
}

impl IntoToolResult for Box<str> {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        ToolResult::text(self).into_tool_result()
    }
}

fn displayed(value: impl Display) -> Outcome {
    ToolResult::text(value.to_string()).into_tool_result()
}

macro_rules! displayed {
    ($($type:ty)*) => { $(
        impl IntoToolResult for $type {
            fn into_tool_result(self) -> Result<ToolResult, ToolError> {
                displayed(self)
            }
        }
    )* };
}
displayed!(bool char u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64);

macro_rules! one_block {
    ($($type:ty)*) => { $(
        impl IntoToolResult for $type {
            fn into_tool_result(self) -> Result<ToolResult, ToolError> {
                ToolResult::empty().with(self).into_tool_result()
            }
        }
    )* };
}
one_block!(Content Image Audio ResourceLink EmbeddedResource);

// A wrong type in here is no reason to recommend `Into<Content>`.
#[diagnostic::do_not_recommend]
impl<C: Into<Content>> IntoToolResult for Vec<C> {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        let content = Contents::Many(self.into_iter().map(Into::into).collect());
        ToolResult { content, ..ToolResult::default() }.into_tool_result()
    }
}

/// Messages are lines, and events have one. A value that was JSON text before may have line breaks between its tokens; strings have
/// theirs escaped.
fn one_line(json: String) -> String {
    fn breaks(piece: &[u8]) -> bool {
        piece.iter().fold(false, |found, byte| found | (*byte == b'\n') | (*byte == b'\r'))
    }
    // All bytes of a piece together, whose length is known: so the compiler uses vector instructions.
    let (pieces, rest) = json.as_bytes().as_chunks::<32>();
    if pieces.iter().any(|piece| breaks(piece)) || breaks(rest) { json.replace(['\n', '\r'], " ") } else { json }
}

impl<T: Serialize + JsonSchema> IntoToolResult for Json<T> {
    fn output_schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Some(T::json_schema(generator))
    }

    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        match serde_json::to_string(&self.0) {
            Ok(json) => ToolResult { structured: Some(one_line(json)), ..ToolResult::default() }.into_tool_result(),
            Err(error) => Err(ToolError::from(error)),
        }
    }
}

#[diagnostic::do_not_recommend]
impl<T: IntoToolResult, E: Into<ToolError>> IntoToolResult for Result<T, E> {
    fn output_schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        T::output_schema(generator)
    }

    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        match self {
            Ok(value) => value.into_tool_result(),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(result: &ToolResult) -> &str {
        match &result.content {
            Contents::Text(text) => text,
            other => panic!("no text: {other:?}"),
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_and_says_so() {
        let result = ToolResult::text("ab\u{e9}\u{e9}").limited(3);
        assert!(text(&result).starts_with("ab\n[Cut: the result has 6 bytes and 2 are shown"), "{result:?}");
        assert_eq!(text(&ToolResult::text("abc").limited(3)), "abc");
    }

    #[test]
    fn blocks_beyond_the_limit_are_named() {
        let result = ToolResult::text("12345").with("67890").with("x").limited(7);
        let Contents::Many(list) = &result.content else { panic!("{result:?}") };
        let json = serde_json::to_string(list).expect("json");
        assert!(json.contains("67\\n[Cut") && json.contains("1 more blocks"), "{json}");
    }

    /// A line of its own would be another message on a pipe.
    #[test]
    fn structured_content_is_one_line() {
        let raw = serde_json::value::RawValue::from_string("[\r\n{\"jsonrpc\":\"2.0\"}\n,\"a\\nb\"]".into()).expect("JSON");
        let result = ToolResult::default().structured(&raw).expect("a result");
        assert_eq!(result.structured.as_deref(), Some("[  {\"jsonrpc\":\"2.0\"} ,\"a\\nb\"]"));
    }

    #[test]
    fn structured_content_over_the_limit_is_an_error() {
        let result = ToolResult { structured: Some("[1,2,3,4]".into()), ..ToolResult::default() }.limited(4);
        assert!(result.is_error && result.structured.is_none());
        assert!(text(&result).starts_with("[1,2\n[Cut"));
    }
}
