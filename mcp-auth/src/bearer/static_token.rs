//! Tokens known beforehand: for machines, tests, and servers with a handful of callers.

use std::fmt;

use subtle::ConstantTimeEq;

use super::is_token;
use crate::{Authenticate, AuthenticateFuture, Look, Place, Presented, Principal, Resource, Scheme, Verdict, is_scope_token};

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
            if says_bearer(token) {
                problems.push(format!("the static token of `{of}` is given with its scheme: leave out `Bearer `"));
            } else {
                if token.len() < MIN_LENGTH {
                    let length = token.len();
                    problems.push(format!("the static token of `{of}` has {length} bytes: at least {MIN_LENGTH} are needed"));
                }
                if !token.is_empty() && !is_token(token) {
                    problems
                        .push(format!("the static token of `{of}` can not be sent: only A-Z a-z 0-9 - . _ ~ + / are allowed"));
                }
            }
            if self.tokens[..index].iter().any(|(other, _)| other == token) {
                problems.push(format!("the static token of `{of}` is given twice"));
            }
            let wrong = principal.granted().iter().filter(|scope| !is_scope_token(scope));
            problems.extend(wrong.map(|scope| {
                format!("`{scope}`, of the static token of `{of}`, is no scope: one word, without quotes and backslashes")
            }));
        }
        problems
    }
}

/// Does the scheme stand before it, as in the header that it is sent in?
fn says_bearer(token: &str) -> bool {
    token.split_once(' ').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
}

impl fmt::Debug for StaticTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticTokens").field("tokens", &self.tokens.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_said_once_and_without_the_token() {
        let told = |token: &str, scopes: &[&str]| {
            let ci = Principal::user("ci").scopes(scopes.iter().copied());
            StaticTokens::new().token(token, ci).problems(None)
        };
        const TOKEN: &str = "9f2c61d8a7e04b3f8d15";
        assert!(told(TOKEN, &["a:read", "a:write"]).is_empty());
        assert_eq!(
            told(TOKEN, &["a:read, a:write"]),
            ["`a:read, a:write`, of the static token of `ci`, is no scope: one word, without quotes and backslashes"]
        );
        for given in ["Bearer 9f2c61d8a7e04b3f8d15", "bearer x"] {
            assert_eq!(told(given, &[]), ["the static token of `ci` is given with its scheme: leave out `Bearer `"]);
        }
        assert_eq!(told("", &[]), ["the static token of `ci` has 0 bytes: at least 16 are needed"]);
        assert_eq!(
            told("nine and a half words", &[]),
            ["the static token of `ci` can not be sent: only A-Z a-z 0-9 - . _ ~ + / are allowed"]
        );
    }
}
