//! What stands on the shelves: definitions that were checked, with what a request needs of them.

use mcp_auth::Principal;
use serde_json::{Map, Value};

use super::shelf::{Common, Entry, Shelf};
use super::uri_template::{UriTemplate, escapes};
use super::{CompletionDefinition, PromptDefinition, ResourceDefinition, ToolDefinition};
use crate::schema::{Enforced, HeaderParameter};

#[derive(Debug)]
pub(crate) struct ToolEntry {
    pub(crate) common: Common,
    pub(crate) definition: &'static ToolDefinition,
    pub(crate) enforced: Enforced,
    pub(crate) headers: Vec<HeaderParameter>,
}

#[derive(Debug)]
pub(crate) struct PromptEntry {
    pub(crate) common: Common,
    pub(crate) definition: &'static PromptDefinition,
    /// The names of its arguments.
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct ResourceEntry {
    pub(crate) common: Common,
    pub(crate) definition: &'static ResourceDefinition,
    pub(crate) template: UriTemplate,
}

impl Entry for ToolEntry {
    fn common(&self) -> &Common {
        &self.common
    }
}

impl Entry for PromptEntry {
    fn common(&self) -> &Common {
        &self.common
    }
}

impl Entry for ResourceEntry {
    fn common(&self) -> &Common {
        &self.common
    }
}

impl PromptEntry {
    pub(crate) fn completes(&self, argument: &str) -> Result<Option<&'static CompletionDefinition>, NoSuchArgument> {
        completion(self.definition.completions, argument, self.arguments.iter().any(|known| known == argument))
    }
}

impl ResourceEntry {
    pub(crate) fn completes(&self, variable: &str) -> Result<Option<&'static CompletionDefinition>, NoSuchArgument> {
        completion(self.definition.completions, variable, self.template.variables().any(|known| known == variable))
    }
}

/// A completion was asked for what is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoSuchArgument;

fn completion(
    of: &'static [CompletionDefinition],
    argument: &str,
    is_there: bool,
) -> Result<Option<&'static CompletionDefinition>, NoSuchArgument> {
    match of.iter().find(|completion| completion.argument == argument) {
        Some(completion) => Ok(Some(completion)),
        None if is_there => Ok(None),
        None => Err(NoSuchArgument),
    }
}

/// A resource that a URI names, and the values of its variables.
#[derive(Debug)]
pub(crate) struct Found<'c> {
    pub(crate) entry: &'c ResourceEntry,
    pub(crate) variables: Vec<(&'c str, String)>,
}

/// The fixed resources, and the templates, which are tried from the most specific one on.
#[derive(Debug)]
pub(crate) struct Resources {
    pub(crate) fixed: Shelf<ResourceEntry>,
    pub(crate) templates: Shelf<ResourceEntry>,
    /// Indices of the templates.
    tried: Vec<usize>,
}

impl Found<'_> {
    /// The variables as JSON, for checks that depend on them.
    pub(crate) fn arguments(&self) -> Map<String, Value> {
        self.variables.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect()
    }
}

impl Resources {
    pub(super) fn new(fixed: Shelf<ResourceEntry>, templates: Shelf<ResourceEntry>) -> Self {
        let mut tried: Vec<usize> = (0..templates.entries().len()).collect();
        tried.sort_by_key(|&index| templates.entries()[index].template.specificity());
        Self { fixed, templates, tried }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.templates.is_empty()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &ResourceEntry> {
        self.fixed.entries().iter().chain(self.templates.entries())
    }

    /// What this URI names, unless it is hidden from this caller. A value that tries to leave its place names nothing.
    pub(crate) fn find(&self, uri: &str, principal: Option<&Principal>) -> Option<Found<'_>> {
        if let Some(entry) = self.fixed.find(uri, principal) {
            return Some(Found { entry, variables: Vec::new() });
        }
        // What is hidden from the caller does not stand before others either.
        let tried = self.tried.iter().map(|&index| &self.templates.entries()[index]);
        let mut visible = tried.filter(|entry| entry.common.visible_to(principal));
        let (entry, variables) = visible.find_map(|entry| Some((entry, entry.template.matches(uri)?)))?;
        let unchecked = entry.definition.unchecked;
        if let Some((name, _)) = variables.iter().find(|(name, value)| !unchecked.contains(name) && escapes(value)) {
            tracing::info!(target: "mcp_runtime::server", resource = entry.common.name, variable = name, "a URI tries to leave its place");
            return None;
        }
        Some(Found { entry, variables })
    }

    /// What a URI names, whoever asks.
    pub(crate) fn of_uri(&self, uri: &str) -> Option<Found<'_>> {
        let fixed = self.fixed.entries();
        if let Ok(index) = fixed.binary_search_by(|entry| entry.common.key.cmp(uri)) {
            return Some(Found { entry: &fixed[index], variables: Vec::new() });
        }
        let mut templates = self.tried.iter().map(|&index| &self.templates.entries()[index]);
        let (entry, variables) = templates.find_map(|entry| Some((entry, entry.template.matches(uri)?)))?;
        Some(Found { entry, variables })
    }

    /// A template by its text.
    pub(crate) fn template(&self, text: &str, principal: Option<&Principal>) -> Option<&ResourceEntry> {
        self.templates.find(text, principal).or_else(|| self.fixed.find(text, principal))
    }
}
