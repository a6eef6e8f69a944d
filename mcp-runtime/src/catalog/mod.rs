//! What the server offers: collected once, sorted, checked, and serialised before the first request.

mod listing;
mod paging;
mod tool;
#[allow(dead_code, reason = "no resource is in the catalogue yet")]
mod uri_template;

use std::any::TypeId;

pub(crate) use paging::{BadCursor, Paging};
pub use tool::{Annotations, Injected, Location, Tool, ToolDefinition};

use crate::call::{Limits, Requirement};
use crate::error::Problem;
use crate::protocol::Era;
use crate::schema::{self, Enforced, HeaderParameter};
use listing::Lists;
use mcp_auth::Principal;

/// One tool, ready to be called.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) definition: &'static ToolDefinition,
    pub(crate) enforced: Enforced,
    pub(crate) headers: Vec<HeaderParameter>,
    pub(crate) limits: Limits,
    /// A parameter of the function is the caller.
    pub(crate) needs_principal: bool,
}

impl Entry {
    /// Those scopes of the tool that the caller was not granted.
    pub(crate) fn lacks_scopes(&self, principal: Option<&Principal>) -> bool {
        let scopes = self.definition.scopes;
        match principal {
            Some(principal) => principal.granted().missing(scopes).next().is_some(),
            None => !scopes.is_empty(),
        }
    }

    fn visible_to(&self, principal: Option<&Principal>) -> bool {
        !self.definition.hidden || !self.lacks_scopes(principal)
    }
}

/// All tools of a server, sorted by name.
#[derive(Debug)]
pub(crate) struct Catalog {
    tools: Vec<Entry>,
    lists: Lists,
    /// `None` for one page with everything.
    paging: Option<Paging>,
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    /// JSON text of an array.
    pub(crate) list: listing::List,
    /// Where the list goes on.
    pub(crate) next: Option<String>,
}

/// What the builder knows and a tool may need.
pub(crate) struct Surroundings<'s> {
    pub(crate) limits: Limits,
    pub(crate) has_state: &'s dyn Fn(TypeId) -> bool,
    /// Why no caller can be known at all, if so.
    pub(crate) nobody_known: Option<&'static str>,
}

impl Catalog {
    /// Checks and prepares the tools.
    pub(crate) fn build(mut tools: Vec<Tool>, around: &Surroundings<'_>, problems: &mut Vec<Problem>) -> Self {
        // `inventory` gives them in the order of linking.
        tools.sort_by_key(|tool| (tool.name(), tool.definition().location.file, tool.definition().location.line));
        // The same tool chosen twice is no conflict.
        tools.dedup_by_key(|tool| std::ptr::from_ref(tool.definition()));
        for pair in tools.windows(2) {
            let (first, second) = (pair[0].definition(), pair[1].definition());
            if first.name == second.name {
                problems.push(Problem::DuplicateTool { name: first.name, first: first.location, second: second.location });
            }
        }
        let mut listed = Vec::with_capacity(tools.len());
        let mut entries = Vec::with_capacity(tools.len());
        for tool in tools {
            let definition = tool.definition();
            let needs_principal = requirements(definition, around, problems);
            match schema::input(definition.input_schema, definition.plain) {
                Ok(input) => {
                    let output = schema::output(definition.output_schema);
                    listed.push(listing::tool_json(definition, &input.published, output.as_ref()));
                    let limits = Limits {
                        heartbeat: around.limits.heartbeat,
                        timeout: definition.timeout.unwrap_or(around.limits.timeout),
                        max_result_bytes: definition.max_result_bytes.unwrap_or(around.limits.max_result_bytes),
                    };
                    entries.push(Entry { definition, enforced: input.enforced, headers: input.headers, limits, needs_principal });
                }
                Err(texts) => problems.extend(texts.into_iter().map(|text| Problem::Schema {
                    tool: definition.name,
                    location: definition.location,
                    text,
                })),
            }
        }
        let lists = Lists::new(&entries, &listed);
        Self { tools: entries, lists, paging: None }
    }

    /// Do some callers see what others do not?
    pub(crate) fn depends_on_caller(&self) -> bool {
        self.tools.iter().any(|entry| entry.definition.hidden)
    }

    pub(crate) fn paged(self, paging: Paging) -> Self {
        Self { paging: Some(paging), ..self }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.tools.iter().map(|entry| entry.definition.name)
    }

    /// A tool by name, unless it is hidden from this caller.
    pub(crate) fn find(&self, name: &str, principal: Option<&Principal>) -> Option<&Entry> {
        let index = self.tools.binary_search_by(|entry| entry.definition.name.cmp(name)).ok()?;
        Some(&self.tools[index]).filter(|entry| entry.visible_to(principal))
    }

    /// The names that come nearest to an unknown one, among those the caller may know.
    pub(crate) fn closest(&self, name: &str, principal: Option<&Principal>) -> Option<&'static str> {
        let visible = self.tools.iter().filter(|entry| entry.visible_to(principal));
        schema::closest(name, visible.map(|entry| entry.definition.name))
    }

    /// The tools that this caller may see, as the revision writes them: the first page, or the one that a cursor stands for.
    pub(crate) fn list(&self, era: Era, principal: Option<&Principal>, cursor: Option<&str>) -> Result<Page, BadCursor> {
        let Some(paging) = &self.paging else {
            return match cursor {
                Some(_) => Err(BadCursor),
                None => Ok(Page { list: self.lists.for_caller(era, &self.tools, principal), next: None }),
            };
        };
        let after = cursor.map(|cursor| paging.after(principal, cursor)).transpose()?;
        let start = after.map_or(0, |after| self.tools.partition_point(|entry| *entry.definition.name <= *after));
        let visible: Vec<usize> = (start..self.tools.len()).filter(|&index| self.tools[index].visible_to(principal)).collect();
        let Some((shown, [_, ..])) = visible.split_at_checked(paging.size()) else {
            return Ok(Page { list: self.lists.of(era, &visible), next: None });
        };
        let last = shown.last().map_or("", |&last| self.tools[last].definition.name);
        match paging.cursor(principal, last) {
            Ok(next) => Ok(Page { list: self.lists.of(era, shown), next: Some(next) }),
            Err(error) => {
                // Too long a page is better than half a list.
                tracing::error!(target: "mcp_runtime::server", %error, "cannot make a cursor");
                Ok(Page { list: self.lists.of(era, &visible), next: None })
            }
        }
    }
}

/// Checks what the tool's injected parameters need; true if one is the caller.
fn requirements(definition: &'static ToolDefinition, around: &Surroundings<'_>, problems: &mut Vec<Problem>) -> bool {
    let mut needs_principal = false;
    for injected in definition.injected {
        match (injected.requirement)() {
            Requirement::Nothing => {}
            Requirement::Principal => needs_principal = true,
            Requirement::State { id, name } => {
                if !(around.has_state)(id) {
                    problems.push(Problem::MissingState {
                        tool: definition.name,
                        parameter: injected.parameter,
                        state: name,
                        location: definition.location,
                    });
                }
            }
        }
    }
    if let Some(because) = around.nobody_known
        && (needs_principal || !definition.scopes.is_empty())
    {
        problems.push(Problem::CallerNeverKnown { tool: definition.name, because, location: definition.location });
    }
    needs_principal
}
