//! Tokens known beforehand: for machines, tests, and servers with a handful of callers.

use std::fmt;

use subtle::ConstantTimeEq;

use super::is_token;
use crate::{Authenticate, AuthenticateFuture, Look, Place, Presented, Principal, Resource, Scheme, Verdict};

/// The least length of a token, in bytes. Shorter ones can be guessed over the network.
const MIN_LENGTH: usize = 16;

/// A fixed list of bearer tokens and whom each stands for.
///
/// Tokens are compared in constant time, and every one is compared each time, so that the time an answer takes tells
/// nothing about which token was close.
#[derive(Clone, Default)]
pub struct StaticTokens {
    tokens: Vec<(Box<str>, Principal)>,
}

impl StaticTokens {
    /// No token yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a token of at least 16 of the characters `A-Z a-z 0-9 - . _ ~ + /`, and the caller it stands for.
    #[must_use]
    pub fn token(mut self, token: impl Into<Box<str>>, principal: Principal) -> Self {
        self.tokens.push((token.into(), principal.authenticated_by(Scheme::Bearer)));
        self
    }

    fn find(&self, presented: &str) -> Option<&Principal> {
        let mut found = None;
        for (token, principal) in &self.tokens {
            if bool::from(token.as_bytes().ct_eq(presented.as_bytes())) {
                found = Some(principal);
            }
        }
        found
    }
}

impl Authenticate for StaticTokens {
    fn places(&self) -> Vec<Place> {
        vec![Place::Bearer]
    }

    fn owns(&self, token: Presented<'_>) -> bool {
        self.find(token.credential()).is_some()
    }

    fn looks(&self) -> Vec<Look> {
        let look = |(token, of): &(Box<str>, Principal)| Look::Token { token: token.clone(), of: of.subject().into() };
        self.tokens.iter().map(look).collect()
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        let verdict = match self.find(presented.credential()) {
            Some(principal) => Verdict::Accepted(principal.clone()),
            None => Verdict::NotMine,
        };
        Box::pin(std::future::ready(verdict))
    }

    fn problems(&self, _: Option<&Resource>) -> Vec<String> {
        let mut problems = Vec::new();
        if self.tokens.is_empty() {
            problems.push("StaticTokens has no token: add one with `.token(..)`".to_owned());
        }
        for (index, (token, principal)) in self.tokens.iter().enumerate() {
            // The token is a secret: it is named by its owner.
            let of = principal.subject();
            if token.len() < MIN_LENGTH {
                problems.push(format!("the static token of `{of}` has {} bytes: at least {MIN_LENGTH} are needed", token.len()));
            }
            if !is_token(token) {
                problems.push(format!("the static token of `{of}` can not be sent: only A-Z a-z 0-9 - . _ ~ + / are allowed"));
            }
            if self.tokens[..index].iter().any(|(other, _)| other == token) {
                problems.push(format!("the static token of `{of}` is given twice"));
            }
        }
        problems
    }
}

impl fmt::Debug for StaticTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticTokens").field("tokens", &self.tokens.len()).finish_non_exhaustive()
    }
}
