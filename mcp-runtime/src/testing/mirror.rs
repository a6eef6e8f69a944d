//! Arguments that a client repeats in headers.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::exchange::parse;
use super::{Client, Era};
use crate::endpoint::{Head, Reply};
use crate::protocol::key;

/// An argument that a client repeats in a header.
#[derive(Debug)]
pub(super) struct Mirrored {
    header: String,
    /// Names from the root of the arguments.
    path: Vec<String>,
}

impl Client {
    /// Reads the list of tools, as clients do before they call: it says which arguments go into headers.
    pub(super) fn informed(mut self) -> Self {
        let mut tools = Vec::new();
        let mut cursor = json!({});
        loop {
            let meta = json!({ (key::PROTOCOL_VERSION): Era::V2026_07_28.version(), (key::CLIENT_CAPABILITIES): {} });
            cursor["_meta"] = meta;
            let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": cursor });
            let head = Head::of_pipe(Arc::default(), self.principal.clone());
            let Reply::Json { body, .. } = self.endpoint.answer(head, list.to_string().as_bytes()) else { break };
            let mut page = parse(&body)["result"].take();
            if let Some(listed) = page["tools"].as_array_mut() {
                tools.append(listed);
            }
            match page["nextCursor"].take() {
                Value::Null => break,
                next => cursor = json!({ "cursor": next }),
            }
        }
        let mirrored = tools.iter().filter_map(|tool| {
            let mut found = Vec::new();
            find_mirrored(&tool["inputSchema"], &[], &mut found);
            Some((tool["name"].as_str()?.to_owned(), found)).filter(|(_, found)| !found.is_empty())
        });
        self.mirrored = Arc::new(mirrored.collect());
        self
    }

    /// The headers that repeat arguments, but for those that the test sets itself.
    pub(super) fn mirror<'a>(&'a self, tool: &str, arguments: &'a Value) -> impl Iterator<Item = (&'a str, String)> {
        let mirrored = self.mirrored.get(tool).into_iter().flatten();
        mirrored.filter_map(move |Mirrored { header, path }| {
            let argument = path.iter().try_fold(arguments, |value, name| value.get(name)).filter(|value| !value.is_null())?;
            let overridden = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(header));
            let text = argument.as_str().map_or_else(|| argument.to_string(), str::to_owned);
            (!overridden).then(|| (header.as_str(), header_text(&text)))
        })
    }
}

/// The members of a published schema that say `x-mcp-header`; never below a list or a combination, which the build refuses.
fn find_mirrored(schema: &Value, above: &[String], found: &mut Vec<Mirrored>) {
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path: Vec<String> = above.iter().chain([name]).cloned().collect();
        match member["x-mcp-header"].as_str() {
            Some(header) => found.push(Mirrored { header: format!("Mcp-Param-{header}"), path }),
            None => find_mirrored(member, &path, found),
        }
    }
}

/// A value as a header carries it: in Base64 where it is not plain (MCP 2026-07-28, Streamable HTTP, "Value Encoding").
pub(super) fn header_text(value: &str) -> String {
    let plain = value.bytes().all(|b| matches!(b, b' '..=b'~')) && value.trim_matches(' ') == value;
    let like_a_sentinel = value.starts_with("=?base64?") && value.ends_with("?=");
    if plain && !like_a_sentinel { value.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(value)) }
}
