//! Writes answers: one renderer, which knows what each revision has and lacks.

use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::json::write_string;
use super::{Era, key};
use crate::call::{Content, Contents, LogMessage, Progress, ToolResult};
use crate::catalog::Page;

/// Who the server says it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Implementation<'s> {
    pub(crate) name: &'s str,
    pub(crate) version: &'s str,
    pub(crate) title: Option<&'s str>,
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
    pub(crate) fn new(server: Implementation<'_>, capabilities: &Value, instructions: Option<&str>, hint: CacheHint) -> Self {
        let cache_hint = hint.json();
        let server_info = format!("\"{}\":{}", key::SERVER_INFO, server.json(Era::V2026_07_28));
        let instructions = instructions.map(|text| format!(r#","instructions":{}"#, Value::from(text))).unwrap_or_default();
        let discover = format!(
            r#""resultType":"complete","supportedVersions":{},"capabilities":{capabilities}{instructions},{cache_hint},"_meta":{{{server_info}}}"#,
            json!([Era::V2026_07_28.version()])
        );
        let initialize = Era::LEGACY.map(|era| {
            let (version, server) = (era.version(), server.json(era));
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

    /// `page` has the tools in the form of `era`.
    pub(crate) fn tools(&self, id: &str, era: Era, page: &Page) -> Vec<u8> {
        envelope(id, page.list.len() + 512, |out| {
            self.begin(out, era);
            out.extend_from_slice(br#""tools":"#);
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
        (Contents::Many(blocks), _) if era == Era::V2025_03_26 && blocks.iter().any(is_link) => {
            let blocks: Vec<Content> = blocks.iter().map(without_link).collect();
            list(out, &blocks);
        }
        (Contents::Many(blocks), _) => list(out, blocks),
    }
}

fn list(out: &mut Vec<u8>, blocks: &[Content]) {
    // Strings in a list can not fail to serialise.
    out.extend_from_slice(&serde_json::to_vec(blocks).unwrap_or_else(|_| b"[]".to_vec()));
}

fn is_link(block: &Content) -> bool {
    matches!(block, Content::ResourceLink(_))
}

/// Links to resources came with 2025-06-18; before, they are told in words.
fn without_link(block: &Content) -> Content {
    let Content::ResourceLink(link) = block else { return block.clone() };
    let name = link.get_title().unwrap_or_else(|| link.get_name());
    let description = link.get_description().map(|text| format!(": {text}")).unwrap_or_default();
    Content::text(format!("Resource {name} <{}>{description}", link.get_uri()))
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
