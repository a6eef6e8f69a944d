//! Scopes that depend on what is asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use mcp_auth::{Principal, is_scope_token};
use serde_json::{Map, Value};

use crate::catalog::Catalog;
use crate::error::Problem;

/// What a caller wants to do, as its arguments say.
#[derive(Clone, Copy, Debug)]
pub struct Requested<'a> {
    arguments: &'a Map<String, Value>,
    caller: Option<&'a Principal>,
}

impl<'a> Requested<'a> {
    /// The arguments of a tool or a prompt, or the variables of a resource, as the client sent them: not yet checked by their
    /// schema, and without defaults.
    #[must_use]
    pub fn arguments(&self) -> &'a Map<String, Value> {
        self.arguments
    }

    /// One of them, `null` where it is missing.
    #[must_use]
    pub fn argument(&self, name: &str) -> &'a Value {
        self.arguments.get(name).unwrap_or(&Value::Null)
    }

    /// Who asks, where that is known.
    #[must_use]
    pub fn caller(&self) -> Option<&'a Principal> {
        self.caller
    }
}

type Check = Arc<dyn Fn(&Requested<'_>) -> Vec<String> + Send + Sync>;

/// What is needed beside the scopes that an item has in any case, by the item's name.
#[derive(Clone, Default)]
pub(crate) struct Permits(BTreeMap<Box<str>, Check>);

impl Permits {
    pub(crate) fn add<S: Into<String>, I: IntoIterator<Item = S>>(
        &mut self,
        name: &str,
        needed: impl Fn(&Requested<'_>) -> I + Send + Sync + 'static,
    ) {
        self.0.insert(name.into(), Arc::new(move |asked| needed(asked).into_iter().map(Into::into).collect()));
    }

    /// A check of something that is not there would never be made.
    pub(crate) fn check(&self, catalog: &Catalog, may_change: bool, problems: &mut Vec<Problem>) {
        let unknown = |name: &&str| !catalog.names().any(|known| known == *name);
        let names = self.0.keys().map(|name| &**name);
        problems.extend(
            names
                .filter(unknown)
                .filter(|_| !may_change)
                .map(|name| Problem::setting("scopes_by", name, "the name of a tool, a prompt or a resource of this server")),
        );
    }

    /// Does anything depend on this item's arguments?
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The scopes that this needs and the caller lacks; all that it needs, if it lacks one.
    pub(super) fn lacking(&self, name: &str, caller: Option<&Principal>, arguments: &Map<String, Value>) -> Option<Vec<String>> {
        let needed = self.needed(name, caller, arguments);
        let granted = |scope: &String| caller.is_some_and(|caller| caller.granted().grants(scope));
        (!needed.iter().all(granted)).then_some(needed)
    }

    /// The scopes that this needs.
    pub(super) fn needed(&self, name: &str, caller: Option<&Principal>, arguments: &Map<String, Value>) -> Vec<String> {
        let needed = self.0.get(name).map(|needed| needed(&Requested { arguments, caller })).unwrap_or_default();
        if let Some(scope) = needed.iter().find(|scope| !is_scope_token(scope)) {
            tracing::error!(target: "mcp_runtime::auth", item = name, scope, "no client can ask for this scope: it is none");
        }
        needed
    }
}

impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
