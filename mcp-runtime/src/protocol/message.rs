//! What a client says, whatever its revision: read by `modern` or `legacy`, carried out by the endpoint.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::envelope::{Envelope, Meta, Object, Params, Rare, Reference, Text, is_id};
use super::{Code, Era, Refusal};
use crate::call::{Capabilities, LogLevel, MoreMeta, RequestMeta};
use crate::extension::Extensions;

/// What the server offers: methods of anything else it does not know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offer {
    pub(crate) tools: bool,
    pub(crate) prompts: bool,
    pub(crate) resources: bool,
    pub(crate) completions: bool,
    pub(crate) logging: bool,
    /// Are clients told when a list changes?
    pub(crate) list_changes: bool,
    /// Are clients told when a resource changes that they asked for?
    pub(crate) resource_updates: bool,
    pub(crate) tasks: bool,
    pub(crate) extensions: Extensions,
}

impl Offer {
    /// Is there anything to subscribe to?
    pub(crate) fn subscriptions(&self) -> bool {
        self.list_changes || self.resource_updates || self.tasks
    }
}

/// A message that may be carried out.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    Request {
        id: &'a str,
        method: Method<'a>,
        meta: RequestMeta,
    },
    /// The client no longer waits for this request.
    Cancelled {
        /// Its id as JSON text.
        request: &'a str,
        reason: Option<Cow<'a, str>>,
    },
    /// What the client answers to a question of ours.
    Answered {
        /// The question's id as JSON text.
        id: &'a str,
        outcome: Outcome<'a>,
    },
    /// A legacy client is ready to hear.
    Initialized,
    /// A notification that changes nothing here, or an answer that nobody waits for.
    Ignored,
}

/// How a request ended, as JSON text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome<'a> {
    Result(&'a str),
    Error(&'a str),
}

#[derive(Debug)]
pub(crate) enum Method<'a> {
    Discover,
    Initialize {
        era: Era,
        capabilities: Capabilities,
    },
    Ping,
    List {
        kind: Kind,
        cursor: Option<Cow<'a, str>>,
    },
    /// Of the client's session, from now on.
    SetLogLevel(LogLevel),
    Call {
        target: Target<'a>,
        /// Where the client asks again, with what was asked of it.
        retry: Option<Box<Retry<'a>>>,
    },
    Complete(Box<Completing<'a>>),
    Subscribe {
        uri: Cow<'a, str>,
    },
    Unsubscribe {
        uri: Cow<'a, str>,
    },
    Listen(Box<Filter>),
    GetTask {
        id: Cow<'a, str>,
    },
    UpdateTask {
        id: Cow<'a, str>,
        /// JSON text.
        responses: Option<&'a str>,
    },
    CancelTask {
        id: Cow<'a, str>,
    },
    /// A method that an extension added.
    Extension {
        method: Cow<'a, str>,
        /// JSON text of an object.
        params: &'a str,
    },
}

/// What the server has lists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Tools,
    Prompts,
    Resources,
    Templates,
}

impl Kind {
    /// The list's name in a result.
    pub(crate) fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// What a cursor of its list is sealed with.
    pub(crate) fn tag(self) -> u8 {
        match self {
            Self::Tools => 0,
            Self::Prompts => 1,
            Self::Resources => 2,
            Self::Templates => 3,
        }
    }
}

/// What is run.
#[derive(Clone, Debug)]
pub(crate) enum Target<'a> {
    Tool {
        name: Cow<'a, str>,
        /// JSON text.
        arguments: Option<&'a str>,
    },
    Prompt {
        name: Cow<'a, str>,
        arguments: Option<&'a str>,
    },
    Resource {
        uri: Cow<'a, str>,
    },
}

impl Target<'_> {
    pub(crate) fn method(&self) -> &'static str {
        match self {
            Self::Tool { .. } => "tools/call",
            Self::Prompt { .. } => "prompts/get",
            Self::Resource { .. } => "resources/read",
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Tool { name, .. } | Self::Prompt { name, .. } => name,
            Self::Resource { uri } => uri,
        }
    }

    pub(crate) fn arguments(&self) -> Option<&str> {
        match self {
            Self::Tool { arguments, .. } | Self::Prompt { arguments, .. } => *arguments,
            Self::Resource { .. } => None,
        }
    }
}

/// A further round of a call (MCP 2026-07-28, "Multi Round-Trip Requests").
#[derive(Debug)]
pub(crate) struct Retry<'a> {
    /// JSON text: answers by the keys of their questions.
    pub(crate) responses: Option<&'a str>,
    pub(crate) state: Option<Text<'a>>,
}

/// `completion/complete`.
#[derive(Debug)]
pub(crate) struct Completing<'a> {
    pub(crate) of: Completed<'a>,
    pub(crate) argument: Cow<'a, str>,
    pub(crate) value: Cow<'a, str>,
    /// JSON text: what is filled in already.
    pub(crate) context: Option<&'a str>,
}

#[derive(Debug)]
pub(crate) enum Completed<'a> {
    Prompt(Cow<'a, str>),
    /// By the text of its template.
    Resource(Cow<'a, str>),
}

/// What a listener wants to hear of (MCP 2026-07-28, `SubscriptionFilter`). What is not known here is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Filter {
    pub(crate) tools_list_changed: bool,
    pub(crate) prompts_list_changed: bool,
    pub(crate) resources_list_changed: bool,
    pub(crate) resource_subscriptions: Vec<String>,
    pub(crate) task_ids: Vec<String>,
}

/// A message in JSON-RPC's terms.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "requests are the rule, and answers few")]
pub(crate) enum Incoming<'a> {
    Asked {
        /// As JSON text; without it the message is a notification.
        id: Option<&'a str>,
        method: Cow<'a, str>,
        params: Params<'a>,
        /// The whole message.
        text: &'a str,
    },
    Response {
        id: Option<&'a str>,
        outcome: Outcome<'a>,
    },
}

impl<'a> Incoming<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Refusal> {
        let envelope = Envelope::parse(text).map_err(|error| diagnose(text, &error))?;
        let id = envelope.id.filter(|id| is_id(id)).map(RawValue::get);
        let refused = |what| Err(invalid(what).with_id(id));
        let outcome = match (envelope.result, envelope.error) {
            (Some(_), Some(_)) => return refused("it is a result and an error at once"),
            (Some(result), None) => Some(Outcome::Result(result.get())),
            (None, Some(error)) => Some(Outcome::Error(error.get())),
            (None, None) => None,
        };
        if let Some(outcome) = outcome {
            return if envelope.method.is_none() {
                Ok(Self::Response { id, outcome })
            } else {
                refused("it is a request and a response at once")
            };
        }
        let method = match (envelope.jsonrpc.as_ref().and_then(Text::as_str), envelope.method) {
            (Some("2.0"), Some(Text::Is(method))) => method,
            (Some("2.0"), _) => return refused("`method` must be a string"),
            _ => return refused("`jsonrpc` must be \"2.0\""),
        };
        if id.is_none() && envelope.id.is_some() {
            return refused("`id` must be a string or an integer, of at most 1024 bytes");
        }
        let params = match envelope.params {
            Some(Object::Is(params)) => params,
            Some(Object::Other) | None => Params::default(),
        };
        Ok(Self::Asked { id, method, params, text })
    }

    /// Does its `_meta` name a protocol version? Only the per-request era does that, also where it does it wrongly.
    pub(crate) fn claims_a_version(&self) -> bool {
        match self {
            Self::Asked { params, .. } => params.meta().is_some_and(|meta| meta.protocol_version.is_some()),
            Self::Response { .. } => false,
        }
    }

    /// The id of what may be answered.
    pub(crate) fn id(&self) -> Option<&'a str> {
        match self {
            Self::Asked { id, .. } => *id,
            Self::Response { .. } => None,
        }
    }
}

impl<'a> Params<'a> {
    pub(crate) fn meta(&self) -> Option<&Meta<'a>> {
        match &self.meta {
            Some(Object::Is(meta)) => Some(meta),
            Some(Object::Other) | None => None,
        }
    }

    /// A notification of the same meaning in every revision. A malformed cancellation is ignored, as the specification has it.
    pub(super) fn notification(self, method: &str) -> Message<'a> {
        match method {
            "notifications/cancelled" => {}
            "notifications/initialized" => return Message::Initialized,
            _ => return Message::Ignored,
        }
        let Some(params) = self.rare else { return Message::Ignored };
        let reason = match params.reason {
            Some(Text::Is(reason)) => Some(reason),
            Some(Text::Other) | None => None,
        };
        match params.request_id.filter(|id| is_id(id)) {
            Some(request) => Message::Cancelled { request: request.get(), reason },
            None => Message::Ignored,
        }
    }

    pub(super) fn list(self, kind: Kind) -> Result<Method<'a>, Refusal> {
        match self.cursor {
            None => Ok(Method::List { kind, cursor: None }),
            Some(Text::Is(cursor)) => Ok(Method::List { kind, cursor: Some(cursor) }),
            Some(Text::Other) => Err(Refusal::params("params.cursor must be a string: the nextCursor of a page")),
        }
    }

    pub(super) fn set_log_level(self) -> Result<Method<'a>, Refusal> {
        let level = self.rare.as_ref().and_then(|params| params.level.as_ref()?.as_str()).and_then(LogLevel::of);
        match level {
            Some(level) => Ok(Method::SetLogLevel(level)),
            None => Err(Refusal::params(format!("params.level must be {}", one_of_the_levels()))),
        }
    }

    pub(super) fn call_tool(self) -> Result<Method<'a>, Refusal> {
        match self.name {
            Some(Text::Is(name)) => {
                let target = Target::Tool { name, arguments: self.arguments.map(RawValue::get) };
                Ok(Method::Call { target, retry: retry(self.rare) })
            }
            _ => Err(Refusal::params("params.name must be a string: the name of a tool")),
        }
    }

    pub(super) fn get_prompt(self) -> Result<Method<'a>, Refusal> {
        match self.name {
            Some(Text::Is(name)) => {
                let target = Target::Prompt { name, arguments: self.arguments.map(RawValue::get) };
                Ok(Method::Call { target, retry: retry(self.rare) })
            }
            _ => Err(Refusal::params("params.name must be a string: the name of a prompt")),
        }
    }

    pub(super) fn read_resource(mut self) -> Result<Method<'a>, Refusal> {
        let uri = self.uri()?;
        Ok(Method::Call { target: Target::Resource { uri }, retry: retry(self.rare) })
    }

    pub(super) fn uri(&mut self) -> Result<Cow<'a, str>, Refusal> {
        match self.rare.as_mut().and_then(|rare| rare.uri.take()) {
            Some(Text::Is(uri)) => Ok(uri),
            _ => Err(Refusal::params("params.uri must be a string: the URI of a resource")),
        }
    }

    pub(super) fn task(&mut self) -> Result<Cow<'a, str>, Refusal> {
        match self.rare.as_mut().and_then(|rare| rare.task_id.take()) {
            Some(Text::Is(id)) => Ok(id),
            _ => Err(Refusal::params("params.taskId must be a string: the id of a task")),
        }
    }

    pub(super) fn task_responses(&self) -> Option<&'a str> {
        self.rare.as_ref()?.input_responses.map(RawValue::get)
    }

    pub(super) fn complete(self) -> Result<Method<'a>, Refusal> {
        let fault = |what: &str| Err(Refusal::params(format!("completion/complete: {what}")));
        let rare = self.rare.map(|rare| *rare).unwrap_or_default();
        let of = match rare.reference {
            Some(Object::Is(Reference { kind: Some(Text::Is(kind)), name, uri })) => match (&*kind, name, uri) {
                ("ref/prompt", Some(Text::Is(name)), _) => Completed::Prompt(name),
                ("ref/resource", _, Some(Text::Is(uri))) => Completed::Resource(uri),
                ("ref/prompt" | "ref/resource", ..) => return fault("ref/prompt needs a name, and ref/resource a uri"),
                _ => return fault("params.ref.type must be ref/prompt or ref/resource"),
            },
            _ => return fault("params.ref must be an object with a type"),
        };
        let Some(Object::Is(argument)) = rare.argument else { return fault("params.argument must be an object") };
        let (Some(Text::Is(name)), Some(Text::Is(value))) = (argument.name, argument.value) else {
            return fault("params.argument needs the strings name and value");
        };
        let context = match rare.context {
            Some(Object::Is(context)) => context.arguments.map(RawValue::get),
            _ => None,
        };
        Ok(Method::Complete(Box::new(Completing { of, argument: name, value, context })))
    }

    pub(super) fn listen(self) -> Result<Method<'a>, Refusal> {
        const RULE: &str = "params.notifications must be an object: toolsListChanged, promptsListChanged and resourcesListChanged are booleans, resourceSubscriptions and taskIds lists of strings";
        let asked = self.rare.as_ref().and_then(|rare| rare.notifications).map(RawValue::get);
        let filter = asked.filter(|asked| asked.starts_with('{')).and_then(|asked| serde_json::from_str(asked).ok());
        match filter {
            Some(filter) => Ok(Method::Listen(Box::new(filter))),
            None => Err(Refusal::params(RULE)),
        }
    }
}

/// What `text`, a whole message, has as parameters.
pub(super) fn raw_params(text: &str) -> &str {
    #[derive(serde::Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        params: Option<&'a RawValue>,
    }
    let params = serde_json::from_str::<Whole<'_>>(text).ok().and_then(|whole| whole.params).map(RawValue::get);
    params.filter(|params| params.starts_with('{')).unwrap_or("{}")
}

fn retry(rare: Option<Box<Rare<'_>>>) -> Option<Box<Retry<'_>>> {
    let Rare { input_responses, request_state, .. } = *rare?;
    let retry = Retry { responses: input_responses.map(RawValue::get), state: request_state };
    (retry.responses.is_some() || retry.state.is_some()).then(|| Box::new(retry))
}

pub(super) fn progress_token(meta: &Meta<'_>) -> Result<Option<Box<RawValue>>, Refusal> {
    match meta.progress_token {
        Some(token) if !is_id(token) => Err(malformed("progressToken", "a string or an integer, of at most 1024 bytes")),
        token => Ok(token.map(ToOwned::to_owned)),
    }
}

/// What few requests say, kept for those who know it.
pub(super) fn more(extensions: Option<&RawValue>, meta: Option<&Meta<'_>>) -> Option<Box<MoreMeta>> {
    let others = meta.map_or(&[][..], |meta| &meta.others);
    (extensions.is_some() || !others.is_empty()).then(|| {
        let others = others.iter().map(|(key, value)| (Box::from(&**key), (*value).to_owned())).collect();
        Box::new(MoreMeta { extensions: extensions.map(ToOwned::to_owned), others })
    })
}

pub(super) fn one_of_the_levels() -> String {
    format!("one of {}", LogLevel::ALL.map(LogLevel::name).join(", "))
}

pub(super) fn malformed(key: &str, rule: &str) -> Refusal {
    Refusal::bad(Code::InvalidParams, format!("params._meta: {key} must be {rule}"))
}

pub(crate) fn invalid(what: &str) -> Refusal {
    Refusal::bad(Code::InvalidRequest, format!("Not a JSON-RPC request: {what}"))
}

pub(crate) fn not_json() -> Refusal {
    Refusal::bad(Code::ParseError, "The message is not valid JSON")
}

/// What is wrong with a text that is no envelope.
fn diagnose(text: &str, error: &serde_json::Error) -> Refusal {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return not_json();
    }
    invalid(match text.trim_start().as_bytes() {
        [b'{', ..] if error.to_string().starts_with("a member is given twice") => "a member is given twice",
        [b'{', ..] => "the message can not be read",
        _ => "the message must be one JSON object",
    })
}
