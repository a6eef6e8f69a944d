//! One tool, as `#[tool]` describes it.

use std::fmt;
use std::time::Duration;

use schemars::{Schema, SchemaGenerator};

use crate::call::{CallFuture, Capability, Context, RawArguments, Requirement};

/// A tool that can be served: what `#[tool]` makes of a function, in hand for [`Server::only`](crate::Server::only).
#[derive(Clone, Copy)]
pub struct Tool(&'static ToolDefinition);

inventory::collect!(Tool);

impl Tool {
    #[doc(hidden)]
    #[must_use]
    pub const fn from_definition(definition: &'static ToolDefinition) -> Self {
        Self(definition)
    }

    /// The name clients call it by.
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
    pub fn definition(self) -> &'static ToolDefinition {
        self.0
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tool({} at {})", self.0.name, self.0.location)
    }
}

/// Everything the macro knows about a tool. Hidden: only generated code makes one.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "hidden; the words of `#[tool]`")]
pub struct ToolDefinition {
    pub name: &'static str,
    pub title: Option<&'static str>,
    pub description: Option<&'static str>,
    pub annotations: Annotations,
    pub tags: &'static [&'static str],
    pub scopes: &'static [&'static str],
    pub hidden: bool,
    pub requires: &'static [Capability],
    pub timeout: Option<Duration>,
    pub max_result_bytes: Option<usize>,
    pub icons: &'static [&'static str],
    /// Key, and the value as JSON text.
    pub meta: &'static [(&'static str, &'static str)],
    pub input_schema: fn(&mut SchemaGenerator) -> Schema,
    /// Do the arguments' types enforce by themselves all that their schema asserts?
    pub plain: bool,
    pub output_schema: fn(&mut SchemaGenerator) -> Option<Schema>,
    pub injected: &'static [Injected],
    /// May it ask the user while it runs?
    pub asks: bool,
    pub task: TaskMode,
    /// The `ui://` resource that shows its results.
    pub ui: Option<&'static str>,
    pub call: fn(Context, RawArguments<'_>) -> CallFuture,
    pub location: Location,
}

/// When a call of a tool becomes a task (MCP extension `io.modelcontextprotocol/tasks`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "hidden; the words of `#[tool(task)]`")]
pub enum TaskMode {
    #[default]
    Never,
    /// At once, when the client can.
    Optional,
    /// At once; clients that can not are refused.
    Required,
    /// Where the function says so.
    Deferred,
}

/// Hints for clients (MCP 2026-07-28, `ToolAnnotations`); `None` leaves the protocol's default.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "hidden; the words of `#[tool]`")]
pub struct Annotations {
    pub read_only: Option<bool>,
    pub destructive: Option<bool>,
    pub idempotent: Option<bool>,
    pub open_world: Option<bool>,
}

/// A parameter that the server fills in.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "hidden; made by the macros")]
pub struct Injected {
    pub parameter: &'static str,
    pub requirement: fn() -> Requirement,
}

/// Where a tool, prompt or resource stands in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file, as the compiler was given it.
    pub file: &'static str,
    /// The line of the function, from 1.
    pub line: u32,
    /// The module's path.
    pub module: &'static str,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({})", self.file, self.line, self.module)
    }
}
