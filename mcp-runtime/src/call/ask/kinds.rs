//! The kinds of questions, and what their answers are.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::AskError;
use super::question::{Prepared, Question};
use crate::call::{Capability, Context, Message};
use crate::excerpt::excerpt;
use crate::names::hex;
use crate::protocol::Era;
use crate::schema::Form;

/// What the user did with a form or a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Elicited<T> {
    /// Filled it in and sent it; opened the link.
    Accepted(T),
    /// Said no.
    Declined,
    /// Closed it without a choice.
    Cancelled,
}

impl<T> Elicited<T> {
    /// What was filled in.
    ///
    /// # Errors
    /// The user declined or closed the question; passed on by `?`, the model reads which.
    pub fn accepted(self) -> Result<T, AskError> {
        match self {
            Self::Accepted(value) => Ok(value),
            Self::Declined => Err(AskError::declined()),
            Self::Cancelled => Err(AskError::cancelled()),
        }
    }
}

/// What the client's model wrote.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sampled {
    /// The model's name.
    pub model: String,
    /// Why it stopped, in the client's words: `endTurn`, `maxTokens`.
    pub stop_reason: Option<String>,
    /// The content blocks, as the client sent them.
    pub content: Vec<Value>,
}

impl Sampled {
    /// The text blocks, joined by line breaks.
    #[must_use]
    pub fn text(&self) -> String {
        self.content.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
    }
}

/// A place in the client's file system that it lets the server look at. Guidance, not a permission.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Root {
    /// A `file://` URI.
    pub uri: String,
    /// A name for people.
    pub name: Option<String>,
}

/// What the client's model is asked.
#[derive(Clone, Debug)]
#[must_use]
pub struct SamplingRequest {
    messages: Vec<Message>,
    params: Map<String, Value>,
}

impl SamplingRequest {
    /// A request with this text of the user; the model writes at most 1000 tokens unless told otherwise.
    pub fn new(text: impl Into<String>) -> Self {
        let mut params = Map::new();
        params.insert("maxTokens".to_owned(), 1000.into());
        Self { messages: vec![Message::user(text.into())], params }
    }

    /// With a further message.
    pub fn message(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// With a system prompt.
    pub fn system(self, text: impl Into<String>) -> Self {
        self.set("systemPrompt", text.into())
    }

    /// The most tokens that the model may write.
    pub fn max_tokens(self, tokens: u32) -> Self {
        self.set("maxTokens", tokens)
    }

    /// How freely the model chooses, from 0.
    pub fn temperature(self, temperature: f64) -> Self {
        self.set("temperature", temperature)
    }

    /// Texts at which the model stops.
    pub fn stop_sequences<S: Into<String>>(self, texts: impl IntoIterator<Item = S>) -> Self {
        let texts: Vec<Value> = texts.into_iter().map(|text| Value::String(text.into())).collect();
        self.set("stopSequences", texts)
    }

    /// A model's name, or a part of one, that would suit.
    pub fn model_hint(self, name: impl Into<String>) -> Self {
        self.set("modelPreferences", json!({ "hints": [{ "name": name.into() }] }))
    }

    fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }
}

impl From<&str> for SamplingRequest {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for SamplingRequest {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// # Questions to the client
///
/// Each is a future that resolves to the answer, and works for every client: one of the handshake revisions is asked while the
/// function waits. One of 2026-07-28 gets the questions as the call's answer and calls again with the answers: the
/// function then **runs again from its start**, and every question that was answered has its answer at once. So
///
/// * ask before you act; put what must not be repeated into a [`step`](Self::step);
/// * questions that do not depend on each other are asked together: `tokio::try_join!(ctx.elicit::<A>(".."), ctx.roots())?`;
/// * ask within the function itself: a task that it spawned can not ask.
///
/// `requires(..)` on the function has the server check before it runs that the client can be asked. [`Question`] has all the rules.
impl Context {
    /// Asks the user to fill in a form. `T` is a struct of texts, numbers, booleans, enums and lists of enums; `Option` and
    /// defaults make a field optional. Never ask for passwords or keys: that is for [`elicit_url`](Self::elicit_url).
    ///
    /// ```
    /// use mcp_runtime::prelude::*;
    /// use mcp_runtime::testing::{Client, Era};
    /// use serde_json::json;
    ///
    /// #[data]
    /// struct Confirm {
    ///     /// Anything to add?
    ///     note: Option<String>,
    /// }
    ///
    /// /// Cancel an order.
    /// #[tool]
    /// async fn cancel(order: String, ctx: Context) -> Result<String, ToolError> {
    ///     let answer = ctx.elicit::<Confirm>(format!("Cancel {order}?")).await?.accepted()?;
    ///     Ok(format!("Cancelled. {}", answer.note.unwrap_or_default()))
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let server = Server::new("shop", "0").only([cancel::tool()]);
    /// for era in [Era::V2025_06_18, Era::V2026_07_28] {
    ///     let client = Client::new(&server).era(era).answering(json!({ "note": "Thanks" }));
    ///     assert_eq!(client.call("cancel", json!({ "order": "o-1" })).await.text(), "Cancelled. Thanks");
    /// }
    /// # });
    /// ```
    pub fn elicit<T: DeserializeOwned + JsonSchema>(&self, message: impl Into<String>) -> Question<Elicited<T>> {
        let prepared = form::<T>(&message.into(), self.era());
        Question::new(self.clone(), prepared)
    }

    /// Asks the user to open a URL of yours: for secrets, sign-ins and payments, which must not pass through the client.
    ///
    /// Accepted means that the user agreed to open it, not that anything is done there: look that up in a store of yours, under
    /// [`call_key`](Self::call_key) for one, and ask again if it is not. The page must make sure that the user in the browser is the
    /// one who was asked, and the URL must carry no secret (MCP 2026-07-28, "Elicitation", "Safe URL Handling").
    pub fn elicit_url(&self, message: impl Into<String>, url: impl Into<String>) -> Question<Elicited<()>> {
        let prepared = link(&message.into(), &url.into(), self);
        Question::new(self.clone(), prepared)
    }

    /// Has the client's model write something.
    pub fn sample(&self, request: impl Into<SamplingRequest>) -> Question<Sampled> {
        let SamplingRequest { messages, mut params } = request.into();
        params.insert("messages".to_owned(), messages.iter().map(|message| json!(message)).collect());
        let prepared =
            Prepared::new(Capability::Sampling, "sampling/createMessage", Value::from(params).to_string(), Box::new(sampled));
        Question::new(self.clone(), Ok(prepared))
    }

    /// Asks which places in its file system the client lets the server look at.
    pub fn roots(&self) -> Question<Vec<Root>> {
        let prepared = Prepared::new(Capability::Roots, "roots/list", "{}".to_owned(), Box::new(listed));
        Question::new(self.clone(), Ok(prepared))
    }
}

fn form<T: DeserializeOwned + JsonSchema>(message: &str, era: Era) -> Result<Prepared<Elicited<T>>, AskError> {
    let invalid = |faults: Vec<String>| AskError::Invalid(format!("the form has faults: {}", faults.join("; ")));
    let form = Form::of::<T>().map_err(invalid)?;
    // A client before elicitation is refused for what it can not do, not for the form.
    let shown = if era == Era::V2025_03_26 { Ok("{}".to_owned()) } else { form.in_era(era) };
    // That its revision lacks a field is no fault of the form, and the model may know another way.
    let shown: String = shown.map_err(|unfit| AskError::unreachable(&unfit.to_string()))?;
    let mode = if era >= Era::V2025_11_25 { r#""mode":"form","# } else { "" };
    let params = format!(r#"{{{mode}"message":{},"requestedSchema":{shown}}}"#, Value::from(message));
    let read = move |answer: &RawValue| {
        let Some(content) = chosen(answer)? else { return declined(answer) };
        let content = form.accept(&content).map_err(|faults| faults.join("; "))?;
        serde_json::from_value(content).map(Elicited::Accepted).map_err(|error| excerpt(&error.to_string(), 200))
    };
    Ok(Prepared::new(Capability::Elicitation, "elicitation/create", params, Box::new(read)))
}

fn link(message: &str, url: &str, context: &Context) -> Result<Prepared<Elicited<()>>, AskError> {
    let uri: http::Uri = url.parse().map_err(|_| AskError::Invalid("the URL can not be read".to_owned()))?;
    let local = uri.host().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if local => {}
        _ => return Err(AskError::Invalid("the URL must be https, or http on this machine".to_owned())),
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(AskError::Invalid("the URL must carry no user name and no password".to_owned()));
    }
    let mut params = json!({ "mode": "url", "message": message, "url": url });
    let read = |answer: &RawValue| match action(answer)?.as_str() {
        "accept" => Ok(Elicited::Accepted(())),
        _ => declined(answer),
    };
    let prepared = Prepared::new(Capability::ElicitationUrl, "elicitation/create", params.to_string(), Box::new(read));
    if !context.era().is_legacy() {
        return Ok(prepared);
    }
    // 2025-11-25 wants a name for it; the newest revision has none (MCP 2026-07-28, changelog, minor 11).
    let named = mcp_auth::digest([context.call_key().as_bytes(), message.as_bytes(), url.as_bytes()]);
    params["elicitationId"] = hex(&named[..16]).into();
    Ok(prepared.sent_as(params.to_string()))
}

/// An answer's members. All answers are objects; serde would take a list for a struct as well.
fn members<'a, T: Deserialize<'a>>(answer: &'a RawValue, otherwise: &str) -> Result<T, String> {
    let members = Some(answer.get()).filter(|text| text.starts_with('{')).and_then(|text| serde_json::from_str(text).ok());
    members.ok_or_else(|| otherwise.to_owned())
}

fn action(answer: &RawValue) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Acted {
        action: String,
    }
    let Acted { action } = members(answer, "it has no action")?;
    match action.as_str() {
        "accept" | "decline" | "cancel" => Ok(action),
        _ => Err("its action must be accept, decline or cancel".to_owned()),
    }
}

/// What was filled in, if the form was accepted.
fn chosen(answer: &RawValue) -> Result<Option<Value>, String> {
    #[derive(Deserialize)]
    struct Filled {
        content: Option<Value>,
    }
    if action(answer)? != "accept" {
        return Ok(None);
    }
    let Filled { content } = members(answer, "its content can not be read")?;
    // A form without fields has nothing to send.
    Ok(Some(content.unwrap_or_else(|| json!({}))))
}

fn declined<T>(answer: &RawValue) -> Result<Elicited<T>, String> {
    Ok(if action(answer)? == "decline" { Elicited::Declined } else { Elicited::Cancelled })
}

fn sampled(answer: &RawValue) -> Result<Sampled, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Written {
        #[serde(default)]
        model: String,
        stop_reason: Option<String>,
        content: Value,
    }
    let written: Written = members(answer, "it has no content")?;
    let content = match written.content {
        Value::Array(blocks) => blocks,
        block @ Value::Object(_) => vec![block],
        _ => return Err("its content is no block".to_owned()),
    };
    if content.iter().any(|block| !block["type"].is_string()) {
        return Err("a block of its content has no type".to_owned());
    }
    Ok(Sampled { model: written.model, stop_reason: written.stop_reason, content })
}

fn listed(answer: &RawValue) -> Result<Vec<Root>, String> {
    #[derive(Deserialize)]
    struct Listed {
        roots: Vec<Map<String, Value>>,
    }
    let Listed { roots } = members(answer, "it is no list of roots")?;
    let root = |root: Map<String, Value>| {
        let text = |name: &str| root.get(name).and_then(Value::as_str).map(str::to_owned);
        let is_file = |uri: &String| uri.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file://"));
        Some(Root { uri: text("uri").filter(is_file)?, name: text("name") })
    };
    roots.into_iter().map(root).collect::<Option<_>>().ok_or_else(|| "a root of it is no file:// URI".to_owned())
}
