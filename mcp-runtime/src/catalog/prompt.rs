//! One prompt, as `#[prompt]` describes it.

use std::fmt;
use std::time::Duration;

use schemars::{Schema, SchemaGenerator};

use super::{Injected, Location};
use crate::call::{Capability, CompletionFuture, CompletionRequest, Context, PromptFuture, RawStrings};

/// A prompt that can be served: what [`#[prompt]`](macro@crate::prompt) makes of a function, in hand for
/// [`Server::only_prompts`](crate::Server::only_prompts).
#[derive(Clone, Copy)]
pub struct Prompt(&'static PromptDefinition);

inventory::collect!(Prompt);

impl Prompt {
    #[doc(hidden)]
    #[must_use]
    pub const fn from_definition(definition: &'static PromptDefinition) -> Self {
        Self(definition)
    }

    /// The name clients get it by.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Its tags.
    #[must_use]
    pub fn tags(self) -> &'static [&'static str] {
        self.0.tags
    }

    #[doc(hidden)]
    #[must_use]
    pub fn definition(self) -> &'static PromptDefinition {
        self.0
    }
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prompt({} at {})", self.0.name, self.0.location)
    }
}

/// Everything the macro knows about a prompt. Hidden: only generated code makes one.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "hidden; the words of `#[prompt]`")]
pub struct PromptDefinition {
    pub name: &'static str,
    pub title: Option<&'static str>,
    pub description: Option<&'static str>,
    pub tags: &'static [&'static str],
    pub scopes: &'static [&'static str],
    pub hidden: bool,
    pub requires: &'static [Capability],
    pub timeout: Option<Duration>,
    pub icons: &'static [&'static str],
    /// Key, and the value as JSON text.
    pub meta: &'static [(&'static str, &'static str)],
    /// The schema of an object: its properties are the arguments.
    pub arguments: fn(&mut SchemaGenerator) -> Schema,
    /// The names of the arguments as they were written, where they are known.
    pub order: fn() -> &'static [&'static str],
    pub completions: &'static [CompletionDefinition],
    pub injected: &'static [Injected],
    /// May it ask the user while it is made?
    pub asks: bool,
    pub get: fn(Context, RawStrings<'_>) -> PromptFuture,
    pub location: Location,
}

/// What suggests values for one argument.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "hidden; made of `#[complete]`")]
pub struct CompletionDefinition {
    pub argument: &'static str,
    pub complete: fn(CompletionRequest) -> CompletionFuture,
}
