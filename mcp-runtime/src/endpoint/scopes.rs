//! What a caller needs for an item, and what one is told who lacks it.

use std::borrow::Cow;

use mcp_auth::{Challenge, ChallengeError, Principal};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Endpoint, Reply};
use crate::catalog::{Common, Found};
use crate::protocol::{Code, Refusal};

impl Endpoint {
    /// Decided before the head of an answer is sent: only then can a client be asked for more rights.
    pub(super) fn forbidden(
        &self,
        common: &Common,
        principal: Option<&Principal>,
        arguments: impl FnOnce() -> Option<Map<String, Value>>,
        id: &str,
    ) -> Option<Reply> {
        if common.allows(principal) {
            return None;
        }
        // Strangers are asked to sign in, and the arguments decide nothing for them.
        let depends = principal.is_some() && self.access.permits.has(common.name);
        let arguments = depends.then(arguments).flatten();
        let further = arguments.map(|arguments| self.access.permits.needed(common.name, principal, &arguments));
        Some(self.challenge(common, &further.unwrap_or_default(), principal, id))
    }

    /// The scopes of the item that this message names, as far as strangers may know of it; of anything else none.
    pub(crate) fn scopes_of(&self, message: &[u8]) -> &'static [&'static str] {
        let Ok(Named { method, params: Parameters { name, uri } }) = serde_json::from_slice(message) else { return &[] };
        let catalog = self.catalog.current();
        let scopes = match &*method {
            "tools/call" => catalog.tools.find(&name, None).map(|entry| entry.common.scopes),
            "prompts/get" => catalog.prompts.find(&name, None).map(|entry| entry.common.scopes),
            "resources/read" => catalog.resources.find(&uri, None).map(|found| found.entry.common.scopes),
            _ => None,
        };
        scopes.unwrap_or_default()
    }

    /// As [`forbidden`](Self::forbidden), where it depends on the arguments.
    pub(super) fn forbidden_by(
        &self,
        common: &Common,
        principal: Option<&Principal>,
        arguments: impl FnOnce() -> Option<Map<String, Value>>,
        id: &str,
    ) -> Result<Option<Reply>, Refusal> {
        if !self.access.permits.has(common.name) {
            return Ok(None);
        }
        // What can not be read here, the function might read differently.
        let arguments = arguments().ok_or_else(|| {
            Refusal::params("arguments must be an object: not nested too deeply, with no number or text out of range")
        })?;
        let needed = self.access.permits.lacking(common.name, principal, &arguments);
        Ok(needed.map(|needed| self.challenge(common, &needed, principal, id)))
    }

    /// What a caller is told who may not read this resource, and so not hear of it either.
    pub(super) fn unreadable(
        &self,
        found: &Found<'_>,
        principal: Option<&Principal>,
        id: &str,
    ) -> Result<Option<Reply>, Refusal> {
        let common = &found.entry.common;
        let variables = || Some(found.arguments());
        match self.forbidden(common, principal, variables, id) {
            Some(reply) => Ok(Some(reply)),
            None => self.forbidden_by(common, principal, variables, id),
        }
    }

    /// Asks for all that the operation needs, at once.
    fn challenge(&self, common: &Common, further: &[String], principal: Option<&Principal>, id: &str) -> Reply {
        let Common { name, .. } = common;
        let mut scopes: Vec<&str> = common.scopes.to_vec();
        scopes.extend(further.iter().map(String::as_str).filter(|scope| !common.scopes.contains(scope)));
        let challenge = self.access.auth.as_ref().map_or_else(Challenge::new, |auth| auth.challenge(None));
        let challenge = challenge.scope(scopes.iter().copied());
        let (challenge, message) = if principal.is_none() {
            (challenge, format!("{name} needs a signed-in caller"))
        } else {
            let caller = principal.map(Principal::subject);
            let needed = scopes.join(" ");
            tracing::info!(target: "mcp_runtime::auth", item = name, caller, needed, "a caller lacks a scope");
            let message = format!("{name} needs the scope{} {needed}", if scopes.len() == 1 { "" } else { "s" });
            (challenge.error(ChallengeError::InsufficientScope, message.as_str()), message)
        };
        let refusal = Refusal::new(challenge.status(), Code::InvalidRequest, message).with_id(Some(id));
        Reply::Challenge { body: refusal.to_json(), challenge }
    }
}

/// What a message wants, as far as scopes depend on it.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Parameters<'a>,
}

#[derive(Default, Deserialize)]
struct Parameters<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    uri: Cow<'a, str>,
}
