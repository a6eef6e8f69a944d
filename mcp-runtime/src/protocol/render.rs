//! Writes answers of the per-request era.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::json::write_string;
use super::{MODERN, key};
use crate::call::{Contents, Progress, ToolResult};

/// What is the same in every answer, serialised once.
#[derive(Debug)]
pub(crate) struct Renderer {
    /// `"io.modelcontextprotocol/serverInfo":{…}`
    server_info: String,
    /// The result of `server/discover`.
    discover: String,
}

/// Nothing says that answers may be kept or shared: the safe side (MCP 2026-07-28, "Caching").
const NOT_CACHED: &str = r#""ttlMs":0,"cacheScope":"private""#;

impl Renderer {
    pub(crate) fn new(server_info: &Value, capabilities: &Value, instructions: Option<&str>) -> Self {
        let server_info = format!("\"{}\":{server_info}", key::SERVER_INFO);
        let instructions = instructions.map(|text| format!(r#","instructions":{}"#, Value::from(text))).unwrap_or_default();
        let discover = format!(
            r#""resultType":"complete","supportedVersions":{},"capabilities":{capabilities}{instructions},{NOT_CACHED},"_meta":{{{server_info}}}"#,
            json!([MODERN])
        );
        Self { server_info, discover }
    }

    pub(crate) fn discover(&self, id: &str) -> Vec<u8> {
        envelope(id, self.discover.len(), |out| out.extend_from_slice(self.discover.as_bytes()))
    }

    /// `list` is the JSON array of the tools.
    pub(crate) fn tools(&self, id: &str, list: &str) -> Vec<u8> {
        envelope(id, list.len() + 256, |out| {
            out.extend_from_slice(br#""resultType":"complete","tools":"#);
            out.extend_from_slice(list.as_bytes());
            out.push(b',');
            out.extend_from_slice(NOT_CACHED.as_bytes());
            self.meta(out, None);
        })
    }

    pub(crate) fn tool_result(&self, id: &str, result: &ToolResult) -> Vec<u8> {
        envelope(id, size_hint(result) + self.server_info.len() + 128, |out| {
            out.extend_from_slice(br#""resultType":"complete","content":"#);
            content(out, result);
            if let Some(json) = &result.structured {
                out.extend_from_slice(br#","structuredContent":"#);
                out.extend_from_slice(json.as_bytes());
            }
            if result.is_error {
                out.extend_from_slice(br#","isError":true"#);
            }
            self.meta(out, result.meta.as_ref());
        })
    }

    fn meta(&self, out: &mut Vec<u8>, own: Option<&Map<String, Value>>) {
        out.extend_from_slice(br#","_meta":{"#);
        out.extend_from_slice(self.server_info.as_bytes());
        for (name, value) in own.into_iter().flatten().filter(|(name, _)| *name != key::SERVER_INFO) {
            out.push(b',');
            write_string(out, name);
            out.push(b':');
            out.extend_from_slice(value.to_string().as_bytes());
        }
        out.push(b'}');
    }
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

fn content(out: &mut Vec<u8>, result: &ToolResult) {
    match (&result.content, &result.structured) {
        // Clients that read only text get the structured value as JSON text.
        (Contents::None, Some(json)) => text_block(out, json),
        (Contents::None, None) => out.extend_from_slice(b"[]"),
        (Contents::Text(text), _) => text_block(out, text),
        (Contents::Many(blocks), _) => {
            // Strings in a list can not fail to serialise.
            out.extend_from_slice(&serde_json::to_vec(blocks).unwrap_or_else(|_| b"[]".to_vec()));
        }
    }
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

/// A progress notification for the request that gave `token`.
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
