//! The lists, each serialised once for each distinct set of what is visible and each form that a revision gives it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::{PromptDefinition, ResourceDefinition, ToolDefinition};
use crate::protocol::{Era, Kind};

/// JSON text of an array.
pub(crate) type List = Arc<str>;

/// So many distinct views are kept. Callers differ in scopes, not in names, so real servers have a handful.
const MAX_VIEWS: usize = 64;

#[derive(Debug)]
pub(crate) struct Lists {
    /// The distinct forms that the revisions give a list.
    forms: Vec<Form>,
    /// Which of them is whose, in the order of [`Era::ALL`].
    form_of: [usize; Era::ALL.len()],
    /// Of those that are hidden from some, one of each group that needs the same of a caller.
    groups: Vec<usize>,
    /// The group of each that is hidden from some.
    group_of: Vec<Option<usize>>,
    /// By form, and by which groups are visible.
    views: Mutex<HashMap<(usize, Vec<bool>), List>>,
}

#[derive(Debug)]
struct Form {
    /// Each one's JSON text, in the order of the shelf.
    items: Vec<String>,
    /// Everything, or where tools are hidden: what is not.
    public: List,
}

impl Lists {
    /// `hidden` says of each, in order, what a caller needs to see it, if it is hidden from some.
    pub(super) fn new<N: PartialEq>(kind: Kind, hidden: impl Iterator<Item = Option<N>>, items: &[Value]) -> Self {
        let (mut groups, mut needs) = (Vec::new(), Vec::new());
        let grouped = hidden.enumerate().map(|(index, hidden)| {
            let needed = hidden?;
            Some(needs.iter().position(|known| *known == needed).unwrap_or_else(|| {
                groups.push(index);
                needs.push(needed);
                needs.len() - 1
            }))
        });
        let group_of: Vec<Option<usize>> = grouped.collect();
        let mut forms: Vec<Form> = Vec::new();
        let form_of = Era::ALL.map(|era| {
            let items: Vec<String> = items.iter().map(|item| in_era(kind, era, item.clone()).to_string()).collect();
            forms.iter().position(|form| form.items == items).unwrap_or_else(|| {
                let public = array(&items, |index| group_of[index].is_none());
                forms.push(Form { items, public });
                forms.len() - 1
            })
        });
        Self { forms, form_of, groups, group_of, views: Mutex::default() }
    }

    pub(super) fn for_caller(&self, era: Era, visible: impl Fn(usize) -> bool) -> List {
        let index = self.form_of[era as usize];
        let form = &self.forms[index];
        if self.groups.is_empty() {
            return Arc::clone(&form.public);
        }
        let view: Vec<bool> = self.groups.iter().map(|&index| visible(index)).collect();
        if !view.contains(&true) {
            return Arc::clone(&form.public);
        }
        let key = (index, view);
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = views.get(&key) {
            return Arc::clone(list);
        }
        let list = array(&form.items, |index| self.group_of[index].is_none_or(|group| key.1[group]));
        if views.len() < MAX_VIEWS {
            views.insert(key, Arc::clone(&list));
        }
        list
    }

    /// Those with these indices.
    pub(super) fn of(&self, era: Era, indices: &[usize]) -> List {
        let items = &self.forms[self.form_of[era as usize]].items;
        array(items, |index| indices.binary_search(&index).is_ok())
    }
}

fn array(items: &[String], visible: impl Fn(usize) -> bool) -> List {
    let shown: Vec<&str> = items.iter().enumerate().filter(|(index, _)| visible(*index)).map(|(_, json)| json.as_str()).collect();
    format!("[{}]", shown.join(",")).into()
}

/// An item as clients of a revision know one.
fn in_era(kind: Kind, era: Era, mut item: Value) -> Value {
    let Some(members) = item.as_object_mut() else { return item };
    let mut drop = |member: &str| members.remove(member);
    if era < Era::V2025_11_25 {
        drop("icons");
    }
    if era < Era::V2025_06_18 {
        drop("_meta");
        drop("outputSchema");
        let title = drop("title");
        match kind {
            // Titles came later, but hints could have one from the start.
            Kind::Tools => {
                if let Some(title) = title {
                    members.entry("annotations").or_insert_with(|| json!({}))["title"] = title;
                }
            }
            Kind::Prompts => {
                for argument in members.get_mut("arguments").and_then(Value::as_array_mut).into_iter().flatten() {
                    argument.as_object_mut().map(|argument| argument.remove("title"));
                }
            }
            Kind::Resources | Kind::Templates => {
                if let Some(annotations) = members.get_mut("annotations").and_then(Value::as_object_mut) {
                    annotations.remove("lastModified");
                }
            }
        }
    } else if era.is_legacy() && members.get("outputSchema").is_some_and(|schema| schema["type"] != "object") {
        members.remove("outputSchema");
    }
    item
}

/// The members that every item may have.
fn begin(
    title: Option<&str>,
    description: Option<&str>,
    icons: &[&str],
    meta: &[(&'static str, &'static str)],
) -> Map<String, Value> {
    let mut members = Map::new();
    set(&mut members, "title", title.into());
    set(&mut members, "description", description.into());
    if !icons.is_empty() {
        set(&mut members, "icons", icons.iter().map(|src| json!({ "src": src })).collect());
    }
    if !meta.is_empty() {
        // The macro wrote these texts; what it could not write, it refused.
        let meta: Map<_, _> = meta.iter().map(|(key, json)| ((*key).to_owned(), json.parse().unwrap_or_default())).collect();
        set(&mut members, "_meta", meta.into());
    }
    members
}

fn set(members: &mut Map<String, Value>, key: &str, value: Value) {
    if !value.is_null() {
        members.insert(key.to_owned(), value);
    }
}

/// A tool as clients read it (MCP 2026-07-28, `Tool`).
pub(super) fn tool_json(definition: &ToolDefinition, input: &Value, output: Option<&Value>) -> Value {
    let ToolDefinition { title, description, icons, meta, .. } = definition;
    let mut tool = begin(*title, *description, icons, meta);
    set(&mut tool, "name", definition.name.into());
    set(&mut tool, "inputSchema", input.clone());
    set(&mut tool, "outputSchema", output.cloned().unwrap_or_default());
    set(&mut tool, "annotations", annotations(definition));
    tool.into()
}

/// A prompt as clients read it (MCP 2026-07-28, `Prompt`), and the names of its arguments.
pub(super) fn prompt_json(definition: &PromptDefinition, schema: &Value) -> (Value, Vec<String>) {
    let PromptDefinition { title, description, icons, meta, .. } = definition;
    let mut prompt = begin(*title, *description, icons, meta);
    set(&mut prompt, "name", definition.name.into());
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut names = Vec::new();
    let mut described: Vec<_> = schema["properties"].as_object().into_iter().flatten().collect();
    let order = (definition.order)();
    described.sort_by_key(|(name, _)| order.iter().position(|known| known == name).unwrap_or(order.len()));
    let arguments = described.into_iter().map(|(name, described)| {
        names.push(name.clone());
        let mut argument = Map::new();
        set(&mut argument, "name", name.as_str().into());
        set(&mut argument, "title", described["title"].clone());
        set(&mut argument, "description", described["description"].clone());
        if required.contains(&name.as_str()) {
            set(&mut argument, "required", true.into());
        }
        Value::from(argument)
    });
    let arguments: Vec<Value> = arguments.collect();
    if !arguments.is_empty() {
        set(&mut prompt, "arguments", arguments.into());
    }
    (prompt.into(), names)
}

/// A resource, or a template of resources, as clients read it (MCP 2026-07-28, `Resource`, `ResourceTemplate`).
pub(super) fn resource_json(definition: &ResourceDefinition, is_fixed: bool) -> Value {
    let ResourceDefinition { title, description, icons, meta, annotations, .. } = definition;
    let mut resource = begin(*title, *description, icons, meta);
    set(&mut resource, if is_fixed { "uri" } else { "uriTemplate" }, definition.uri.into());
    set(&mut resource, "name", definition.name.into());
    set(&mut resource, "mimeType", definition.mime_type.into());
    let mut hints = Map::new();
    if !annotations.audience.is_empty() {
        set(&mut hints, "audience", json!(annotations.audience));
    }
    set(&mut hints, "priority", annotations.priority.into());
    set(&mut hints, "lastModified", annotations.last_modified.into());
    if !hints.is_empty() {
        set(&mut resource, "annotations", hints.into());
    }
    resource.into()
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
