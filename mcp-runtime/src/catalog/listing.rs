//! `tools/list`, serialised once for each distinct set of visible tools.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mcp_auth::Principal;
use serde_json::{Map, Value, json};

use super::{Entry, ToolDefinition};

/// JSON text of an array of tools.
pub(crate) type List = Arc<str>;

/// So many distinct views are kept. Callers differ in scopes, not in names, so real servers have a handful.
const MAX_VIEWS: usize = 64;

#[derive(Debug)]
pub(crate) struct Lists {
    /// Each tool's JSON text, in the order of the catalogue.
    tools: Vec<String>,
    /// Everything, or where tools are hidden: what is not.
    public: List,
    /// Indices of the tools that are hidden from some.
    hidden: Vec<usize>,
    /// By which of the hidden tools are visible.
    views: Mutex<HashMap<Vec<bool>, List>>,
}

impl Lists {
    pub(super) fn new(entries: &[Entry], tools: &[Value]) -> Self {
        let tools: Vec<String> = tools.iter().map(Value::to_string).collect();
        let hidden: Vec<usize> = (0..entries.len()).filter(|&index| entries[index].definition.hidden).collect();
        let public = array(&tools, |index| !hidden.contains(&index));
        Self { tools, public, hidden, views: Mutex::default() }
    }

    pub(super) fn for_caller(&self, entries: &[Entry], principal: Option<&Principal>) -> List {
        if self.hidden.is_empty() {
            return Arc::clone(&self.public);
        }
        let view: Vec<bool> = self.hidden.iter().map(|&index| entries[index].visible_to(principal)).collect();
        if !view.contains(&true) {
            return Arc::clone(&self.public);
        }
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = views.get(&view) {
            return Arc::clone(list);
        }
        let list =
            array(&self.tools, |index| self.hidden.iter().position(|&hidden| hidden == index).is_none_or(|place| view[place]));
        if views.len() < MAX_VIEWS {
            views.insert(view, Arc::clone(&list));
        }
        list
    }
}

fn array(tools: &[String], visible: impl Fn(usize) -> bool) -> List {
    let shown: Vec<&str> = tools.iter().enumerate().filter(|(index, _)| visible(*index)).map(|(_, json)| json.as_str()).collect();
    format!("[{}]", shown.join(",")).into()
}

/// A tool as clients read it (MCP 2026-07-28, `Tool`).
pub(super) fn tool_json(definition: &ToolDefinition, input: &Value, output: Option<&Value>) -> Value {
    let mut tool = Map::new();
    let mut set = |key: &str, value: Value| {
        if !value.is_null() {
            tool.insert(key.to_owned(), value);
        }
    };
    set("name", definition.name.into());
    set("title", definition.title.into());
    set("description", definition.description.into());
    set("inputSchema", input.clone());
    set("outputSchema", output.cloned().unwrap_or_default());
    set("annotations", annotations(definition));
    if !definition.icons.is_empty() {
        set("icons", definition.icons.iter().map(|src| json!({ "src": src })).collect());
    }
    if !definition.meta.is_empty() {
        // The macro wrote these texts; what it could not write, it refused.
        let meta: Map<_, _> =
            definition.meta.iter().map(|(key, json)| ((*key).to_owned(), json.parse().unwrap_or_default())).collect();
        set("_meta", meta.into());
    }
    tool.into()
}

fn annotations(definition: &ToolDefinition) -> Value {
    let hints = definition.annotations;
    let said = [
        ("readOnlyHint", hints.read_only),
        ("destructiveHint", hints.destructive),
        ("idempotentHint", hints.idempotent),
        ("openWorldHint", hints.open_world),
    ];
    let said: Map<_, _> = said.into_iter().filter_map(|(key, hint)| Some((key.to_owned(), hint?.into()))).collect();
    if said.is_empty() { Value::Null } else { said.into() }
}
