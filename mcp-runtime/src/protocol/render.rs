//! Writes answers: one renderer, which knows what each revision has and lacks.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::json::write_string;
use super::{Era, key};
use crate::call::{
    Asked, Completion, Content, Contents, LogMessage, Message, Progress, PromptResult, ResourceContents, ResourceResult,
    ToolResult,
};
use crate::catalog::Page;
use crate::notify::Heard;

/// Who the server says it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Implementation<'s> {
    pub(crate) name: &'s str,
    pub(crate) version: &'s str,
    pub(crate) title: Option<&'s str>,
    pub(crate) description: Option<&'s str>,
    pub(crate) website: Option<&'s str>,
    pub(crate) icons: &'s [String],
}

/// What is the same in every answer, serialised once.
#[derive(Debug)]
pub(crate) struct Renderer {
    /// `"io.modelcontextprotocol/serverInfo":{…}`
    server_info: String,
    /// The result of `server/discover`.
    discover: String,
    /// The result of `initialize`, for each of [`Era::LEGACY`].
    initialize: [String; 3],
    /// `"ttlMs":…,"cacheScope":…` of lists.
    cache_hint: String,
}

/// How long what the server offers may be kept by clients, and whether caches may share it (MCP 2026-07-28, "Caching").
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheHint {
    pub(crate) ttl: Duration,
    /// Is it the same for everybody?
    pub(crate) is_public: bool,
}

impl CacheHint {
    fn json(self) -> String {
        let scope = if self.is_public { "public" } else { "private" };
        format!(r#""ttlMs":{},"cacheScope":"{scope}""#, u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Renderer {
    /// `capabilities` says what is declared to clients of an era.
    pub(crate) fn new(
        server: Implementation<'_>,
        capabilities: impl Fn(Era) -> Value,
        instructions: Option<&str>,
        hint: CacheHint,
    ) -> Self {
        let cache_hint = hint.json();
        let server_info = format!("\"{}\":{}", key::SERVER_INFO, server.json(Era::V2026_07_28));
        let instructions = instructions.map(|text| format!(r#","instructions":{}"#, Value::from(text))).unwrap_or_default();
        let discover = format!(
            r#""resultType":"complete","supportedVersions":{},"capabilities":{}{instructions},{cache_hint},"_meta":{{{server_info}}}"#,
            json!([Era::V2026_07_28.version()]),
            capabilities(Era::V2026_07_28)
        );
        let initialize = Era::LEGACY.map(|era| {
            let (version, server, capabilities) = (era.version(), server.json(era), capabilities(era));
            format!(r#""protocolVersion":"{version}","capabilities":{capabilities},"serverInfo":{server}{instructions}"#)
        });
        Self { server_info, discover, initialize, cache_hint }
    }

    pub(crate) fn discover(&self, id: &str) -> Vec<u8> {
        whole(id, &self.discover)
    }

    /// The answer to `initialize`, once `era` is agreed on.
    pub(crate) fn initialize(&self, id: &str, era: Era) -> Vec<u8> {
        let place = Era::LEGACY.iter().position(|legacy| *legacy == era).unwrap_or(Era::LEGACY.len() - 1);
        whole(id, &self.initialize[place])
    }

    /// The answer to what has nothing to say, as `ping`.
    pub(crate) fn empty(id: &str) -> Vec<u8> {
        whole(id, "")
    }

    /// `page` has the items in the form of `era`.
    pub(crate) fn list(&self, id: &str, era: Era, page: &Page) -> Vec<u8> {
        envelope(id, page.list.len() + 512, |out| {
            self.begin(out, era);
            out.extend_from_slice(format!("\"{}\":", page.kind.member()).as_bytes());
            out.extend_from_slice(page.list.as_bytes());
            if let Some(next) = &page.next {
                out.extend_from_slice(br#","nextCursor":"#);
                write_string(out, next);
            }
            if !era.is_legacy() {
                out.push(b',');
                out.extend_from_slice(self.cache_hint.as_bytes());
            }
            self.meta(out, era, None);
        })
    }

    /// The contents of a resource, and for how long they may be kept.
    pub(crate) fn resource(&self, id: &str, era: Era, result: &ResourceResult, hint: CacheHint) -> Vec<u8> {
        envelope(id, result.size() + result.size() / 8 + 512, |out| {
            self.begin(out, era);
            out.extend_from_slice(br#""contents":"#);
            if era == Era::V2025_03_26 {
                let mut contents = result.contents.clone();
                contents.iter_mut().for_each(ResourceContents::make_old);
                json_list(out, &contents);
            } else {
                json_list(out, &result.contents);
            }
            if !era.is_legacy() {
                out.push(b',');
                out.extend_from_slice(hint.json().as_bytes());
            }
            self.meta(out, era, result.meta.as_ref());
        })
    }

    pub(crate) fn prompt(&self, id: &str, era: Era, result: &PromptResult) -> Vec<u8> {
        envelope(id, 1024, |out| {
            self.begin(out, era);
            if let Some(description) = &result.description {
                out.extend_from_slice(br#""description":"#);
                write_string(out, description);
                out.push(b',');
            }
            out.extend_from_slice(br#""messages":"#);
            if era == Era::V2025_03_26 {
                let old: Vec<Message> =
                    result.messages.iter().map(|message| message.with_content(as_before_links(message.content()))).collect();
                json_list(out, &old);
            } else {
                json_list(out, &result.messages);
            }
            self.meta(out, era, result.meta.as_ref());
        })
    }

    pub(crate) fn completion(&self, id: &str, era: Era, completion: &Completion) -> Vec<u8> {
        // Strings and numbers can not fail to serialise.
        let completion = serde_json::to_string(completion).unwrap_or_default();
        envelope(id, completion.len() + 512, |out| {
            self.begin(out, era);
            out.extend_from_slice(br#""completion":"#);
            out.extend_from_slice(completion.as_bytes());
            self.meta(out, era, None);
        })
    }

    /// Questions as an answer, and what the client sends back with their answers (MCP 2026-07-28, `InputRequiredResult`).
    pub(crate) fn round(&self, id: &str, asked: &[Asked], state: &str) -> Vec<u8> {
        envelope(id, 1024 + state.len(), |out| {
            out.extend_from_slice(br#""resultType":"input_required","inputRequests":"#);
            out.extend_from_slice(questions(asked).as_bytes());
            out.extend_from_slice(br#","requestState":"#);
            write_string(out, state);
            self.meta(out, Era::V2026_07_28, None);
        })
    }

    /// A result of these members, JSON text that ends without a comma; none for a mere acknowledgement.
    pub(crate) fn members(&self, id: &str, era: Era, members: &str) -> Vec<u8> {
        envelope(id, members.len() + 256, |out| {
            if era.is_legacy() {
                return out.extend_from_slice(members.as_bytes());
            }
            out.extend_from_slice(br#""resultType":"complete""#);
            if !members.is_empty() {
                out.push(b',');
                out.extend_from_slice(members.as_bytes());
            }
            self.meta(out, era, None);
        })
    }

    /// A task in place of a result (MCP extension `io.modelcontextprotocol/tasks`, `CreateTaskResult`).
    pub(crate) fn task(&self, id: &str, members: &str) -> Vec<u8> {
        envelope(id, members.len() + 256, |out| {
            out.extend_from_slice(br#""resultType":"task","#);
            out.extend_from_slice(members.as_bytes());
            self.meta(out, Era::V2026_07_28, None);
        })
    }

    /// What a method of an extension answers. Its own `resultType` stands.
    pub(crate) fn extension(&self, id: &str, era: Era, result: &Value) -> Vec<u8> {
        let mut members = result.as_object().cloned().unwrap_or_default();
        let own = match members.remove("_meta") {
            Some(Value::Object(own)) => Some(own),
            _ => None,
        };
        if !era.is_legacy() {
            members.entry("resultType").or_insert_with(|| "complete".into());
        }
        let text = Value::Object(members).to_string();
        envelope(id, text.len() + 256, |out| {
            out.extend_from_slice(&text.as_bytes()[1..text.len() - 1]);
            let before = out.len();
            self.meta(out, era, own.as_ref());
            // The first member needs no comma.
            if text == "{}" && out.len() > before {
                out.remove(before);
            }
        })
    }

    /// The result that a tool's call would have had, by itself: for tasks, which keep it.
    pub(crate) fn tool_result_alone(&self, era: Era, result: &ToolResult) -> String {
        let whole = self.tool_result("0", era, result);
        let inner = &whole[envelope_start("0").len() - 1..whole.len() - 1];
        String::from_utf8_lossy(inner).into_owned()
    }

    pub(crate) fn tool_result(&self, id: &str, era: Era, result: &ToolResult) -> Vec<u8> {
        envelope(id, size_hint(result) + self.server_info.len() + 128, |out| {
            self.begin(out, era);
            out.extend_from_slice(br#""content":"#);
            content(out, era, result);
            if let Some(json) = result.structured.as_deref().filter(|json| takes_structured(era, json)) {
                out.extend_from_slice(br#","structuredContent":"#);
                out.extend_from_slice(json.as_bytes());
            }
            if result.is_error {
                out.extend_from_slice(br#","isError":true"#);
            }
            self.meta(out, era, result.meta.as_ref());
        })
    }

    fn begin(&self, out: &mut Vec<u8>, era: Era) {
        if !era.is_legacy() {
            out.extend_from_slice(br#""resultType":"complete","#);
        }
    }

    /// The legacy eras say once who the server is, when it is opened.
    fn meta(&self, out: &mut Vec<u8>, era: Era, own: Option<&Map<String, Value>>) {
        let own = own.into_iter().flatten().filter(|(name, _)| *name != key::SERVER_INFO);
        let mut first = true;
        if !era.is_legacy() {
            out.extend_from_slice(br#","_meta":{"#);
            out.extend_from_slice(self.server_info.as_bytes());
            first = false;
        }
        for (name, value) in own {
            out.extend_from_slice(if first { br#","_meta":{"# } else { b"," });
            first = false;
            write_string(out, name);
            out.push(b':');
            out.extend_from_slice(value.to_string().as_bytes());
        }
        if !first {
            out.push(b'}');
        }
    }
}

impl Implementation<'_> {
    fn json(self, era: Era) -> Value {
        let mut info = json!({ "name": self.name, "version": self.version });
        if let Some(title) = self.title
            && era >= Era::V2025_06_18
        {
            info["title"] = title.into();
        }
        if era >= Era::V2025_11_25 {
            let mut tell = |name: &str, value: Value| {
                if !value.is_null() {
                    info[name] = value;
                }
            };
            tell("description", self.description.into());
            tell("websiteUrl", self.website.into());
            let icons: Value = self.icons.iter().map(|src| json!({ "src": src })).collect();
            tell("icons", if self.icons.is_empty() { Value::Null } else { icons });
        }
        info
    }
}

/// Before 2025-06-18 there is no structured content, and before 2026-07-28 it is an object.
fn takes_structured(era: Era, json: &str) -> bool {
    match era {
        Era::V2025_03_26 => false,
        Era::V2025_06_18 | Era::V2025_11_25 => json.starts_with('{'),
        Era::V2026_07_28 => true,
    }
}

fn whole(id: &str, fields: &str) -> Vec<u8> {
    envelope(id, fields.len(), |out| out.extend_from_slice(fields.as_bytes()))
}

fn envelope_start(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"#)
}

fn envelope(id: &str, size: usize, fields: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(size + id.len() + 48);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(br#","result":{"#);
    fields(&mut out);
    out.extend_from_slice(b"}}");
    out
}

fn content(out: &mut Vec<u8>, era: Era, result: &ToolResult) {
    match (&result.content, &result.structured) {
        // Clients that read only text get the structured value as JSON text.
        (Contents::None, Some(json)) => text_block(out, json),
        (Contents::None, None) => out.extend_from_slice(b"[]"),
        (Contents::Text(text), _) => text_block(out, text),
        (Contents::Many(blocks), _) if era == Era::V2025_03_26 => {
            let blocks: Vec<Content> = blocks.iter().map(as_before_links).collect();
            json_list(out, &blocks);
        }
        (Contents::Many(blocks), _) => json_list(out, blocks),
    }
}

fn json_list(out: &mut Vec<u8>, items: &[impl Serialize]) {
    // Strings in a list can not fail to serialise.
    out.extend_from_slice(&serde_json::to_vec(items).unwrap_or_else(|_| b"[]".to_vec()));
}

/// A block as 2025-03-26 knows it. Links to resources came with 2025-06-18; before, they are told in words.
fn as_before_links(block: &Content) -> Content {
    let Content::ResourceLink(link) = block else {
        let mut block = block.clone();
        block.make_old();
        return block;
    };
    let name = link.get_title().unwrap_or_else(|| link.get_name());
    let description = link.get_description().map(|text| format!(": {text}")).unwrap_or_default();
    Content::text(format!("Resource {name} <{}>{description}", link.get_uri()))
}

/// `inputRequests`, as JSON text: the questions by their keys.
pub(crate) fn questions(asked: &[Asked]) -> String {
    let questions = asked.iter().map(|asked| format!("{}:{{{}}}", Value::from(asked.key.as_str()), request(asked)));
    format!("{{{}}}", questions.collect::<Vec<_>>().join(","))
}

/// A question as a request of the server (MCP 2025-11-25, "Client Features").
pub(crate) fn question(id: &str, asked: &Asked) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{},{}}}"#, Value::from(id), request(asked)).into_bytes()
}

/// The members that say what is asked.
fn request(Asked { method, params, .. }: &Asked) -> String {
    let params = if params == "{}" { String::new() } else { format!(r#","params":{params}"#) };
    format!(r#""method":"{method}"{params}"#)
}

/// What a listener hears, as a notification; of a subscription by the id of its request, as JSON text.
pub(crate) fn heard(heard: &Heard, subscription: Option<&str>) -> Vec<u8> {
    let (method, params) = match heard {
        Heard::ToolsChanged => ("notifications/tools/list_changed", String::new()),
        Heard::PromptsChanged => ("notifications/prompts/list_changed", String::new()),
        Heard::ResourcesChanged => ("notifications/resources/list_changed", String::new()),
        Heard::ResourceUpdated(uri) => ("notifications/resources/updated", format!(r#""uri":{}"#, Value::from(uri.as_str()))),
        Heard::TaskChanged(members) => ("notifications/tasks", members.to_string()),
        Heard::Lost => return Vec::new(),
    };
    let meta = subscription.map(|id| format!(r#""_meta":{{"{}":{id}}}"#, key::SUBSCRIPTION_ID));
    let params = [Some(params).filter(|params| !params.is_empty()), meta];
    let params: Vec<String> = params.into_iter().flatten().collect();
    let params = if params.is_empty() { String::new() } else { format!(r#","params":{{{}}}"#, params.join(",")) };
    format!(r#"{{"jsonrpc":"2.0","method":"{method}"{params}}}"#).into_bytes()
}

/// What a subscription begins with: what of it is honoured.
pub(crate) fn acknowledged(id: &str, honoured: &Value) -> Vec<u8> {
    let meta = format!(r#"{{"{}":{id}}}"#, key::SUBSCRIPTION_ID);
    let params = format!(r#"{{"notifications":{honoured},"_meta":{meta}}}"#);
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{params}}}"#).into_bytes()
}

/// What a subscription ends with, where the server ends it.
pub(crate) fn unsubscribed(id: &str) -> Vec<u8> {
    whole(id, &format!(r#""resultType":"complete","_meta":{{"{}":{id}}}"#, key::SUBSCRIPTION_ID))
}

/// Over a pipe, a subscription that the server ends is also said to be cancelled (MCP 2026-07-28, "Cancellation").
pub(crate) fn cancelled(id: &str, reason: &str) -> Vec<u8> {
    let params = format!(r#"{{"requestId":{id},"reason":{}}}"#, Value::from(reason));
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{params}}}"#).into_bytes()
}

fn text_block(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(br#"[{"type":"text","text":"#);
    write_string(out, text);
    out.extend_from_slice(b"}]");
}

fn size_hint(result: &ToolResult) -> usize {
    let text = match &result.content {
        Contents::Text(text) => text.len() + text.len() / 16,
        Contents::None | Contents::Many(_) => 0,
    };
    // The structured value is written twice, and every quote of its text is escaped.
    text + result.structured.as_ref().map_or(0, |json| json.len() * 2 + json.len() / 8)
}

/// A progress notification for the request that gave `token`; the same in every revision.
pub(crate) fn progress(token: &RawValue, progress: &Progress) -> Vec<u8> {
    let mut out = br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"#.to_vec();
    out.extend_from_slice(token.get().as_bytes());
    out.extend_from_slice(format!(r#","progress":{}"#, Value::from(progress.done)).as_bytes());
    if let Some(total) = progress.total {
        out.extend_from_slice(format!(r#","total":{}"#, Value::from(total)).as_bytes());
    }
    if !progress.message.is_empty() {
        out.extend_from_slice(br#","message":"#);
        write_string(&mut out, &progress.message);
    }
    out.extend_from_slice(b"}}");
    out
}

/// A log message of a tool; the same in every revision.
pub(crate) fn log_message(tool: &str, message: &LogMessage) -> Vec<u8> {
    let params = json!({ "level": message.level.name(), "logger": tool, "data": message.data });
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{params}}}"#).into_bytes()
}
