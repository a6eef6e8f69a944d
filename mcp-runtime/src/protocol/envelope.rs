//! One JSON-RPC message, parsed once and borrowed from the body.
//!
//! Members of the wrong type are noted, not refused: which of several faults is answered is decided by the ladder, not by
//! their order in the text. Only what makes the text no single JSON object, or names a member twice, fails the parse.

mod reading;

use std::borrow::Cow;

use serde::de::{Deserialize, Error as _, IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use crate::call::{Capabilities, Capability};
use reading::{Slot, whole};

/// A member that should be text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    Is(Cow<'a, str>),
    Other,
}

impl Text<'_> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Is(text) => Some(text),
            Self::Other => None,
        }
    }
}

/// A member that should be an object.
#[derive(Debug)]
pub(crate) enum Object<T> {
    Is(T),
    Other,
}

#[derive(Debug, Default)]
pub(crate) struct Envelope<'a> {
    pub(crate) jsonrpc: Option<Text<'a>>,
    pub(crate) id: Option<&'a RawValue>,
    pub(crate) method: Option<Text<'a>>,
    pub(crate) params: Option<Object<Params<'a>>>,
    /// With one of these it is somebody's answer.
    pub(crate) result: Option<&'a RawValue>,
    pub(crate) error: Option<&'a RawValue>,
}

/// The members of `params` that any method of this server reads.
#[derive(Debug, Default)]
pub(crate) struct Params<'a> {
    pub(crate) meta: Option<Object<Meta<'a>>>,
    pub(crate) name: Option<Text<'a>>,
    pub(crate) arguments: Option<&'a RawValue>,
    pub(crate) cursor: Option<Text<'a>>,
    /// Apart, since other messages should not carry the room for it.
    pub(crate) rare: Option<Box<Rare<'a>>>,
}

/// What few messages have among their parameters.
#[derive(Debug, Default)]
pub(crate) struct Rare<'a> {
    pub(crate) uri: Option<Text<'a>>,
    pub(crate) task_id: Option<Text<'a>>,
    pub(crate) input_responses: Option<&'a RawValue>,
    pub(crate) request_state: Option<Text<'a>>,
    /// What `completion/complete` is about.
    pub(crate) reference: Option<Object<Reference<'a>>>,
    pub(crate) argument: Option<Object<CompletedArgument<'a>>>,
    pub(crate) context: Option<Object<CompletionContext<'a>>>,
    /// What `subscriptions/listen` asks for.
    pub(crate) notifications: Option<&'a RawValue>,
    // Of `initialize`, `notifications/cancelled` and `logging/setLevel`.
    pub(crate) protocol_version: Option<Text<'a>>,
    pub(crate) capabilities: Option<Object<DeclaredCapabilities<'a>>>,
    pub(crate) client_info: Option<Object<Implementation<'a>>>,
    pub(crate) request_id: Option<&'a RawValue>,
    pub(crate) reason: Option<Text<'a>>,
    pub(crate) level: Option<Text<'a>>,
}

/// `ref/prompt` with a name, or `ref/resource` with a URI.
#[derive(Debug, Default)]
pub(crate) struct Reference<'a> {
    pub(crate) kind: Option<Text<'a>>,
    pub(crate) name: Option<Text<'a>>,
    pub(crate) uri: Option<Text<'a>>,
}

#[derive(Debug, Default)]
pub(crate) struct CompletedArgument<'a> {
    pub(crate) name: Option<Text<'a>>,
    pub(crate) value: Option<Text<'a>>,
}

#[derive(Debug, Default)]
pub(crate) struct CompletionContext<'a> {
    pub(crate) arguments: Option<&'a RawValue>,
}

#[derive(Debug, Default)]
pub(crate) struct Implementation<'a> {
    pub(crate) name: Option<Text<'a>>,
    pub(crate) version: Option<Text<'a>>,
}

#[derive(Debug, Default)]
pub(crate) struct Meta<'a> {
    pub(crate) protocol_version: Option<Text<'a>>,
    pub(crate) capabilities: Option<Object<DeclaredCapabilities<'a>>>,
    pub(crate) client_info: Option<Object<Unread>>,
    pub(crate) log_level: Option<Text<'a>>,
    pub(crate) progress_token: Option<&'a RawValue>,
    /// What is not the protocol's own. The keys are as they came; no key is there twice.
    pub(crate) others: Vec<(Cow<'a, str>, &'a RawValue)>,
}

#[derive(Debug, Default)]
pub(crate) struct DeclaredCapabilities<'a> {
    pub(crate) set: Capabilities,
    /// The settings of extensions, as an object.
    pub(crate) extensions: Option<&'a RawValue>,
}

#[derive(Debug, Default)]
struct Extensions(Capabilities);

#[derive(Debug, Default)]
struct Elicitation {
    form: bool,
    url: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Unread;

/// An object that takes its members one by one.
trait Members<'a>: Default {
    fn member<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// So many members of a `_meta` that are not the protocol's are kept.
const MOST_OTHERS: usize = 32;

const TWICE: &str = "a member is given twice";

/// Readers of one copy and of the other would disagree about the message.
fn once<'a, A: MapAccess<'a>, T: Deserialize<'a>>(slot: &mut Option<T>, map: &mut A) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::custom(TWICE));
    }
    *slot = Some(map.next_value()?);
    Ok(())
}

/// As [`once`], for objects, which are large: each is read into where it stays.
fn object<'a, A: MapAccess<'a>, T: Members<'a>>(slot: &mut Option<Object<T>>, map: &mut A) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::custom(TWICE));
    }
    map.next_value_seed(Slot(slot))
}

/// Is it an object? What is in it nobody reads.
fn is_object<'a, A: MapAccess<'a>>(map: &mut A) -> Result<bool, A::Error> {
    let mut value = None;
    map.next_value_seed(Slot::<Unread>(&mut value))?;
    Ok(matches!(value, Some(Object::Is(Unread))))
}

fn skip<'a, A: MapAccess<'a>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

impl<'a> Members<'a> for Envelope<'a> {
    fn member<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "jsonrpc" => once(&mut self.jsonrpc, map),
            "id" => once(&mut self.id, map),
            "method" => once(&mut self.method, map),
            "params" => object(&mut self.params, map),
            "result" => once(&mut self.result, map),
            "error" => once(&mut self.error, map),
            _ => skip(map),
        }
    }
}

impl<'a> Members<'a> for Params<'a> {
    fn member<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "_meta" => object(&mut self.meta, map),
            "name" => once(&mut self.name, map),
            "arguments" => once(&mut self.arguments, map),
            "cursor" => once(&mut self.cursor, map),
            _ if Rare::KEYS.contains(&key) => self.rare.get_or_insert_default().member(key, map),
            _ => skip(map),
        }
    }
}

impl Rare<'_> {
    const KEYS: [&'static str; 14] = [
        "uri",
        "taskId",
        "inputResponses",
        "requestState",
        "ref",
        "argument",
        "context",
        "notifications",
        "protocolVersion",
        "capabilities",
        "clientInfo",
        "requestId",
        "reason",
        "level",
    ];
}

impl<'a> Members<'a> for Rare<'a> {
    fn member<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "uri" => once(&mut self.uri, map),
            "taskId" => once(&mut self.task_id, map),
            "inputResponses" => once(&mut self.input_responses, map),
            "requestState" => once(&mut self.request_state, map),
            "ref" => object(&mut self.reference, map),
            "argument" => object(&mut self.argument, map),
            "context" => object(&mut self.context, map),
            "notifications" => once(&mut self.notifications, map),
            "protocolVersion" => once(&mut self.protocol_version, map),
            "capabilities" => object(&mut self.capabilities, map),
            "clientInfo" => object(&mut self.client_info, map),
            "requestId" => once(&mut self.request_id, map),
            "reason" => once(&mut self.reason, map),
            "level" => once(&mut self.level, map),
            _ => skip(map),
        }
    }
}

impl<'a> Members<'a> for Reference<'a> {
    fn member<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "type" => once(&mut self.kind, map),
            "name" => once(&mut self.name, map),
            "uri" => once(&mut self.uri, map),
            _ => skip(map),
        }
    }
}

impl<'a> Members<'a> for CompletedArgument<'a> {
    fn member<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "name" => once(&mut self.name, map),
            "value" => once(&mut self.value, map),
            _ => skip(map),
        }
    }
}

impl<'a> Members<'a> for CompletionContext<'a> {
    fn member<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == "arguments" { once(&mut self.arguments, map) } else { skip(map) }
    }
}

impl<'a> Members<'a> for Implementation<'a> {
    fn member<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "name" => once(&mut self.name, map),
            "version" => once(&mut self.version, map),
            _ => skip(map),
        }
    }
}

impl<'a> Members<'a> for Meta<'a> {
    fn member<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            super::key::PROTOCOL_VERSION => once(&mut self.protocol_version, map),
            super::key::CLIENT_CAPABILITIES => object(&mut self.capabilities, map),
            super::key::CLIENT_INFO => object(&mut self.client_info, map),
            super::key::LOG_LEVEL => once(&mut self.log_level, map),
            "progressToken" => once(&mut self.progress_token, map),
            // Beyond a number that no client comes near, the time to compare them would grow.
            _ if self.others.len() >= MOST_OTHERS => skip(map),
            other => {
                if self.others.iter().any(|(known, _)| known == other) {
                    return Err(A::Error::custom(TWICE));
                }
                self.others.push((Cow::Owned(other.to_owned()), map.next_value()?));
                Ok(())
            }
        }
    }
}

impl<'a> Members<'a> for DeclaredCapabilities<'a> {
    fn member<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "elicitation" => {
                let mut modes = None;
                map.next_value_seed(Slot::<Elicitation>(&mut modes))?;
                if let Some(Object::Is(modes)) = modes {
                    // `{}` is how clients said "by form" before there were two modes.
                    if modes.form || !modes.url {
                        self.set.insert(Capability::Elicitation);
                    }
                    if modes.url {
                        self.set.insert(Capability::ElicitationUrl);
                    }
                }
                Ok(())
            }
            "sampling" => self.declared(Capability::Sampling, map),
            "roots" => self.declared(Capability::Roots, map),
            "extensions" => {
                let settings = map.next_value::<&'a RawValue>()?;
                if let Ok(Extensions(known)) = whole(settings.get()) {
                    self.set.insert_all(known);
                    self.extensions = Some(settings);
                }
                Ok(())
            }
            _ => skip(map),
        }
    }
}

impl<'a> DeclaredCapabilities<'a> {
    fn declared<A: MapAccess<'a>>(&mut self, capability: Capability, map: &mut A) -> Result<(), A::Error> {
        if is_object(map)? {
            self.set.insert(capability);
        }
        Ok(())
    }
}

impl<'a> Members<'a> for Extensions {
    fn member<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let known = match key {
            super::key::TASKS => Capability::Tasks,
            super::key::UI => Capability::Ui,
            _ => return skip(map),
        };
        if is_object(map)? {
            self.0.insert(known);
        }
        Ok(())
    }
}

impl<'a> Members<'a> for Elicitation {
    fn member<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "form" => self.form = is_object(map)?,
            "url" => self.url = is_object(map)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'a> Members<'a> for Unread {
    fn member<A: MapAccess<'a>>(&mut self, _: &str, map: &mut A) -> Result<(), A::Error> {
        skip(map)
    }
}

impl<'a> Envelope<'a> {
    pub(crate) fn parse(text: &'a str) -> serde_json::Result<Self> {
        whole(text)
    }
}

/// A request id or progress token: a string or an integer of at most 1024 bytes. Kept as text, so that it is echoed as it came.
pub(crate) fn is_id(raw: &RawValue) -> bool {
    /// It is echoed, in every event of a stream as well.
    const LONGEST: usize = 1024;
    let text = raw.get().as_bytes();
    match text {
        _ if text.len() > LONGEST => false,
        // The scan does not look into escapes, and half a surrogate pair could not be echoed.
        [b'"', ..] => !text.contains(&b'\\') || serde_json::from_str::<String>(raw.get()).is_ok(),
        [b'-', digits @ ..] | digits => digits.iter().all(u8::is_ascii_digit),
    }
}

#[cfg(test)]
mod tests;
