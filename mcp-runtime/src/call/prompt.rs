//! What a prompt may return: messages.

use std::borrow::Cow;
use std::pin::Pin;

use serde::Serialize;
use serde_json::{Map, Value};

use super::result::block_size;
use super::{Content, ToolError};

/// How getting a prompt ended.
pub type PromptOutcome = Result<PromptResult, ToolError>;

/// A prompt that is being made.
pub type PromptFuture = Pin<Box<dyn Future<Output = PromptOutcome> + Send + 'static>>;

/// Whose words these are, or for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// One message of a prompt: who says it, and one block of content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    role: Role,
    content: Content,
}

impl Message {
    /// What the user says.
    pub fn user(content: impl Into<Content>) -> Self {
        Self { role: Role::User, content: content.into() }
    }

    /// What the assistant says.
    pub fn assistant(content: impl Into<Content>) -> Self {
        Self { role: Role::Assistant, content: content.into() }
    }

    /// The same words of another form.
    pub(crate) fn with_content(&self, content: Content) -> Self {
        Self { role: self.role, content }
    }

    /// Who says it.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// What is said.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }
}

/// The messages of a prompt, and what is said about them.
///
/// Prompts rarely build one: they return a string or a list of [`Message`]s.
#[derive(Clone, Debug, Default)]
pub struct PromptResult {
    pub(crate) description: Option<String>,
    pub(crate) messages: Vec<Message>,
    pub(crate) meta: Option<Map<String, Value>>,
}

impl PromptResult {
    /// No messages yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a description of what these messages do. The prompt's own description stays where prompts are listed.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// With a further message.
    #[must_use]
    pub fn with(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// With an entry of the result's `_meta`. The keys of the protocol itself are not replaced.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.meta.get_or_insert_default().insert(key.into(), value.into());
        self
    }

    /// How many bytes its messages have.
    pub(super) fn size(&self) -> usize {
        self.messages.iter().map(|message| block_size(&message.content)).sum()
    }

    /// The messages, in order.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }
}

/// What a prompt may return.
///
/// A string, or any [`Content`], is one message of the user; a [`Message`] and lists of them are themselves; in `Result<T, E>`,
/// `E` is anything that converts into [`ToolError`].
#[diagnostic::on_unimplemented(
    message = "a prompt can not return `{Self}`",
    label = "not a prompt",
    note = "return `String`, `Message`, `Vec<Message>`, `Content`, `PromptResult`, or a `Result` of one of these",
    note = "the error of a `Result` is `ToolError`, or what converts into `Box<dyn Error + Send + Sync>`"
)]
pub trait IntoPrompt {
    /// Turns the value into the messages.
    fn into_prompt(self) -> Result<PromptResult, ToolError>;
}

impl IntoPrompt for PromptResult {
    fn into_prompt(self) -> Result<PromptResult, ToolError> {
        Ok(self)
    }
}

macro_rules! one_message {
    ($($type:ty)*) => { $(
        impl IntoPrompt for $type {
            fn into_prompt(self) -> Result<PromptResult, ToolError> {
                Message::user(self).into_prompt()
            }
        }
    )* };
}
one_message!(String &str Content);

impl IntoPrompt for Cow<'_, str> {
    fn into_prompt(self) -> Result<PromptResult, ToolError> {
        self.into_owned().into_prompt()
    }
}

impl IntoPrompt for Message {
    fn into_prompt(self) -> Result<PromptResult, ToolError> {
        vec![self].into_prompt()
    }
}

impl IntoPrompt for Vec<Message> {
    fn into_prompt(self) -> Result<PromptResult, ToolError> {
        Ok(PromptResult { messages: self, ..PromptResult::default() })
    }
}

impl<const N: usize> IntoPrompt for [Message; N] {
    fn into_prompt(self) -> Result<PromptResult, ToolError> {
        Vec::from(self).into_prompt()
    }
}

#[diagnostic::do_not_recommend]
impl<T: IntoPrompt, E: Into<ToolError>> IntoPrompt for Result<T, E> {
    fn into_prompt(self) -> Result<PromptResult, ToolError> {
        self.map_err(Into::into)?.into_prompt()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Image;

    fn written(prompt: impl IntoPrompt) -> Value {
        serde_json::to_value(prompt.into_prompt().expect("a prompt").messages).expect("json")
    }

    #[test]
    fn every_form_becomes_messages() {
        let hello = json!([{ "role": "user", "content": { "type": "text", "text": "hello" } }]);
        assert_eq!(written("hello"), hello);
        assert_eq!(written("hello".to_owned()), hello);
        assert_eq!(written(Content::text("hello")), hello);
        assert_eq!(written(vec![Message::user("hello")]), hello);
        assert_eq!(written(Ok::<_, ToolError>([Message::user("hello")])), hello);
        let picture = written(Message::assistant(Image::png([0])));
        assert_eq!(picture[0]["role"], "assistant");
        assert_eq!(picture[0]["content"]["mimeType"], "image/png");
        assert_eq!(Err::<String, _>("no").into_prompt().expect_err("an error").to_string(), "no");
    }
}
