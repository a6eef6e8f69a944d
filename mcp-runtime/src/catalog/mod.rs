//! What the server offers: collected, sorted, checked, and serialised before a request asks for it.

mod entries;
mod listing;
mod live;
mod paging;
mod prompt;
mod resource;
mod shelf;
mod tool;
mod uri_template;

use std::any::TypeId;

pub(crate) use entries::{Found, NoSuchArgument, PromptEntry, ResourceEntry, Resources, ToolEntry};
pub(crate) use live::{Live, Offered};
pub(crate) use paging::{BadCursor, Paging};
pub use prompt::{CompletionDefinition, Prompt, PromptDefinition};
pub use resource::{Cache, Resource, ResourceAnnotations, ResourceDefinition};
pub(crate) use shelf::{Common, Entry, Page, Shelf};
pub use tool::{Annotations, Injected, Location, TaskMode, Tool, ToolDefinition};
use uri_template::UriTemplate;

use mcp_auth::Principal;

use crate::call::{Limits, Requirement};
use crate::error::Problem;
use crate::protocol::{Era, Kind};
use crate::schema;

/// Everything a server offers.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) tools: Shelf<ToolEntry>,
    pub(crate) prompts: Shelf<PromptEntry>,
    pub(crate) resources: Resources,
}

/// What the builder knows and an entry may need.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) limits: Limits,
    /// The types of the states.
    pub(crate) states: Vec<TypeId>,
    /// Why no caller can be known at all, if so.
    pub(crate) nobody_known: Option<&'static str>,
}

impl Catalog {
    /// Checks and prepares what is offered.
    pub(crate) fn build(offered: &Offered, around: &Surroundings, problems: &mut Vec<Problem>) -> Self {
        let tools = tools(&offered.tools, around, problems);
        let prompts = prompts(&offered.prompts, around, problems);
        let resources = resources(&offered.resources, around, problems);
        for tool in tools.entries() {
            if let Some(uri) = tool.definition.ui
                && !resources.entries().any(|resource| resource.template.matches(uri).is_some())
            {
                problems.push(Problem::MissingUi { tool: tool.common.name, uri, location: tool.common.location });
            }
        }
        Self { tools, prompts, resources }
    }

    fn commons(&self) -> impl Iterator<Item = &Common> {
        let tools = self.tools.entries().iter().map(Entry::common);
        let prompts = self.prompts.entries().iter().map(Entry::common);
        tools.chain(prompts).chain(self.resources.entries().map(Entry::common))
    }

    /// The names of everything that is offered.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.commons().map(|common| common.name)
    }

    /// Do some callers see what others do not?
    pub(crate) fn depends_on_caller(&self) -> bool {
        self.commons().any(|common| common.hidden)
    }

    /// May a function ask its client?
    pub(crate) fn asks(&self) -> bool {
        self.commons().any(|common| common.asks)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tools.is_empty() && self.prompts.is_empty() && self.resources.is_empty()
    }

    /// Is there an argument or a variable that is completed?
    pub(crate) fn completes(&self) -> bool {
        self.prompts.entries().iter().any(|entry| !entry.definition.completions.is_empty())
            || self.resources.entries().any(|entry| !entry.definition.completions.is_empty())
    }

    /// Is there a tool that can become a task?
    pub(crate) fn has_tasks(&self) -> bool {
        self.tools.entries().iter().any(|entry| entry.definition.task != TaskMode::Never)
    }

    /// Is there a user interface?
    pub(crate) fn has_ui(&self) -> bool {
        self.tools.entries().iter().any(|entry| entry.definition.ui.is_some())
            || self.resources.entries().any(|entry| entry.common.key.starts_with("ui://"))
    }

    /// A page of one of the lists.
    pub(crate) fn list(
        &self,
        kind: Kind,
        paging: Option<&Paging>,
        era: Era,
        principal: Option<&Principal>,
        cursor: Option<&str>,
    ) -> Result<Page, BadCursor> {
        match kind {
            Kind::Tools => self.tools.page(paging, era, principal, cursor),
            Kind::Prompts => self.prompts.page(paging, era, principal, cursor),
            Kind::Resources => self.resources.fixed.page(paging, era, principal, cursor),
            Kind::Templates => self.resources.templates.page(paging, era, principal, cursor),
        }
    }
}

/// Sorts by key, and reports keys that are there twice. `inventory` gives them in the order of linking.
fn sorted<T: Copy>(items: &[T], facts: fn(T) -> (&'static str, Location), twice: impl FnMut(T, T)) -> Vec<T> {
    let mut twice = twice;
    let mut items = items.to_vec();
    items.sort_by_key(|item| {
        let (key, location) = facts(*item);
        (key, location.file, location.line)
    });
    // The same one chosen twice is no conflict.
    items.dedup_by_key(|item| facts(*item));
    for pair in items.windows(2) {
        if facts(pair[0]).0 == facts(pair[1]).0 {
            twice(pair[0], pair[1]);
        }
    }
    items
}

/// What every entry has. The three definitions name these fields alike, but are of three types.
macro_rules! common {
    ($item:ident, $definition:ident, $needs_principal:ident, $limits:ident) => {
        Common {
            noun: $item.noun,
            key: $item.key,
            name: $item.name,
            scopes: $definition.scopes,
            hidden: $definition.hidden,
            requires: $definition.requires,
            needs_principal: $needs_principal,
            asks: $definition.asks,
            limits: $limits,
            location: $item.location,
        }
    };
}

fn tools(offered: &[Tool], around: &Surroundings, problems: &mut Vec<Problem>) -> Shelf<ToolEntry> {
    let facts = |tool: Tool| (tool.name(), tool.definition().location);
    let tools = sorted(offered, facts, |first, second| {
        let (name, first) = facts(first);
        problems.push(Problem::DuplicateTool { name, first, second: facts(second).1 });
    });
    let (mut entries, mut listed) = (Vec::with_capacity(tools.len()), Vec::with_capacity(tools.len()));
    for tool in tools {
        let definition = tool.definition();
        let item = Described { noun: "tool", key: definition.name, name: definition.name, location: definition.location };
        let needs_principal = requirements(item, definition.injected, definition.scopes, around, problems);
        match schema::input(definition.input_schema, definition.plain) {
            Ok(input) => {
                let output = schema::output(definition.output_schema);
                listed.push(listing::tool_json(definition, &input.published, output.as_ref()));
                let limits = around.limits.with(definition.timeout, definition.max_result_bytes);
                let common = common!(item, definition, needs_principal, limits);
                entries.push(ToolEntry { common, definition, enforced: input.enforced, headers: input.headers });
            }
            Err(texts) => problems.extend(texts.into_iter().map(|text| item.schema(text))),
        }
    }
    Shelf::new(Kind::Tools, entries, &listed)
}

fn prompts(offered: &[Prompt], around: &Surroundings, problems: &mut Vec<Problem>) -> Shelf<PromptEntry> {
    let facts = |prompt: Prompt| (prompt.name(), prompt.definition().location);
    let prompts = sorted(offered, facts, |first, second| {
        let (name, first) = facts(first);
        problems.push(Problem::DuplicatePrompt { name, first, second: facts(second).1 });
    });
    let (mut entries, mut listed) = (Vec::with_capacity(prompts.len()), Vec::with_capacity(prompts.len()));
    for prompt in prompts {
        let definition = prompt.definition();
        let item = Described { noun: "prompt", key: definition.name, name: definition.name, location: definition.location };
        let needs_principal = requirements(item, definition.injected, definition.scopes, around, problems);
        match schema::input(definition.arguments, true) {
            Ok(input) => {
                let (json, arguments) = listing::prompt_json(definition, &input.published);
                listed.push(json);
                let limits = around.limits.with(definition.timeout, None);
                let common = common!(item, definition, needs_principal, limits);
                entries.push(PromptEntry { common, definition, arguments });
            }
            Err(texts) => problems.extend(texts.into_iter().map(|text| item.schema(text))),
        }
    }
    Shelf::new(Kind::Prompts, entries, &listed)
}

fn resources(offered: &[Resource], around: &Surroundings, problems: &mut Vec<Problem>) -> Resources {
    let facts = |resource: Resource| (resource.uri(), resource.definition().location);
    let resources = sorted(offered, facts, |first, second| {
        let (uri, first) = facts(first);
        problems.push(Problem::DuplicateResource { uri, first, second: facts(second).1 });
    });
    let (mut fixed, mut templates): ((Vec<_>, Vec<_>), (Vec<_>, Vec<_>)) = Default::default();
    for resource in resources {
        let definition = resource.definition();
        let item = Described { noun: "resource", key: definition.uri, name: definition.name, location: definition.location };
        let needs_principal = requirements(item, definition.injected, definition.scopes, around, problems);
        let template = match UriTemplate::parse(definition.uri) {
            Ok(template) => template,
            Err(text) => {
                problems.push(item.schema(text));
                continue;
            }
        };
        let limits = around.limits.with(definition.timeout, definition.max_result_bytes);
        let common = common!(item, definition, needs_principal, limits);
        let json = listing::resource_json(definition, template.is_fixed());
        let (entries, listed) = if template.is_fixed() { &mut fixed } else { &mut templates };
        entries.push(ResourceEntry { common, definition, template });
        listed.push(json);
    }
    for (index, later) in templates.0.iter().enumerate() {
        let like = templates.0[..index]
            .iter()
            .find(|earlier| earlier.common.key != later.common.key && earlier.template.same_shape(&later.template));
        if let Some(earlier) = like {
            let (first, second) = (earlier.common.location, later.common.location);
            problems.push(Problem::DuplicateResource { uri: later.common.key, first, second });
        }
    }
    Resources::new(Shelf::new(Kind::Resources, fixed.0, &fixed.1), Shelf::new(Kind::Templates, templates.0, &templates.1))
}

/// What a problem is about.
#[derive(Clone, Copy)]
struct Described {
    noun: &'static str,
    key: &'static str,
    name: &'static str,
    location: Location,
}

impl Described {
    fn schema(self, text: String) -> Problem {
        Problem::Schema { noun: self.noun, name: self.key, location: self.location, text }
    }
}

/// Checks what the injected parameters need; true if one is the caller.
fn requirements(
    item: Described,
    injected: &[Injected],
    scopes: &[&str],
    around: &Surroundings,
    problems: &mut Vec<Problem>,
) -> bool {
    let Described { noun, name, location, .. } = item;
    let mut needs_principal = false;
    for injected in injected {
        match (injected.requirement)() {
            Requirement::Nothing => {}
            Requirement::Principal => needs_principal = true,
            Requirement::State { id, name: state } => {
                if !around.states.contains(&id) {
                    problems.push(Problem::MissingState { noun, name, parameter: injected.parameter, state, location });
                }
            }
        }
    }
    if let Some(because) = around.nobody_known
        && (needs_principal || !scopes.is_empty())
    {
        problems.push(Problem::CallerNeverKnown { noun, name, because, location });
    }
    needs_principal
}
