//! `tools/list`, serialised once for each distinct set of visible tools and each form that a revision gives it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mcp_auth::Principal;
use serde_json::{Map, Value, json};

use super::{Entry, ToolDefinition};
use crate::protocol::Era;

/// JSON text of an array of tools.
pub(crate) type List = Arc<str>;

/// So many distinct views are kept. Callers differ in scopes, not in names, so real servers have a handful.
const MAX_VIEWS: usize = 64;

#[derive(Debug)]
pub(crate) struct Lists {
    /// The distinct forms that the revisions give a list.
    forms: Vec<Form>,
    /// Which of them is whose, in the order of [`Era::ALL`].
    form_of: [usize; Era::ALL.len()],
    /// Indices of the tools that are hidden from some.
    hidden: Vec<usize>,
    /// By form, and by which of the hidden tools are visible.
    views: Mutex<HashMap<(usize, Vec<bool>), List>>,
}

#[derive(Debug)]
struct Form {
    /// Each tool's JSON text, in the order of the catalogue.
    tools: Vec<String>,
    /// Everything, or where tools are hidden: what is not.
    public: List,
}

impl Lists {
    pub(super) fn new(entries: &[Entry], tools: &[Value]) -> Self {
        let hidden: Vec<usize> = (0..entries.len()).filter(|&index| entries[index].definition.hidden).collect();
        let mut forms: Vec<Form> = Vec::new();
        let form_of = Era::ALL.map(|era| {
            let tools: Vec<String> = tools.iter().map(|tool| in_era(era, tool.clone()).to_string()).collect();
            forms.iter().position(|form| form.tools == tools).unwrap_or_else(|| {
                let public = array(&tools, |index| !hidden.contains(&index));
                forms.push(Form { tools, public });
                forms.len() - 1
            })
        });
        Self { forms, form_of, hidden, views: Mutex::default() }
    }

    pub(super) fn for_caller(&self, era: Era, entries: &[Entry], principal: Option<&Principal>) -> List {
        let index = self.form_of[era as usize];
        let form = &self.forms[index];
        if self.hidden.is_empty() {
            return Arc::clone(&form.public);
        }
        let view: Vec<bool> = self.hidden.iter().map(|&index| entries[index].visible_to(principal)).collect();
        if !view.contains(&true) {
            return Arc::clone(&form.public);
        }
        let key = (index, view);
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = views.get(&key) {
            return Arc::clone(list);
        }
        let list =
            array(&form.tools, |index| self.hidden.iter().position(|&hidden| hidden == index).is_none_or(|place| key.1[place]));
        if views.len() < MAX_VIEWS {
            views.insert(key, Arc::clone(&list));
        }
        list
    }

    /// The tools with these indices.
    pub(super) fn of(&self, era: Era, indices: &[usize]) -> List {
        let tools = &self.forms[self.form_of[era as usize]].tools;
        array(tools, |index| indices.binary_search(&index).is_ok())
    }
}

fn array(tools: &[String], visible: impl Fn(usize) -> bool) -> List {
    let shown: Vec<&str> = tools.iter().enumerate().filter(|(index, _)| visible(*index)).map(|(_, json)| json.as_str()).collect();
    format!("[{}]", shown.join(",")).into()
}

/// A tool as clients of a revision know one.
fn in_era(era: Era, mut tool: Value) -> Value {
    let Some(members) = tool.as_object_mut() else { return tool };
    let mut drop = |member: &str| members.remove(member);
    if era < Era::V2025_11_25 {
        drop("icons");
    }
    if era < Era::V2025_06_18 {
        drop("_meta");
        drop("outputSchema");
        // Titles came later, but hints could have one from the start.
        if let Some(title) = drop("title") {
            members.entry("annotations").or_insert_with(|| json!({}))["title"] = title;
        }
    } else if era.is_legacy() && members.get("outputSchema").is_some_and(|schema| schema["type"] != "object") {
        members.remove("outputSchema");
    }
    tool
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
