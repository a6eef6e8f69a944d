//! What a relay session says, under its seal.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::super::RELAY;
use super::RelayError;
use crate::{Principal, Scheme, Seal, SealError};

/// Of subject, issuer and client each, in bytes.
const MAX_NAME: usize = 512;
const MAX_SCOPES: usize = 100;

/// For whom, what for, how long.
pub(super) struct Grant {
    subject: Box<str>,
    issuer: Option<Box<str>>,
    client: Option<Box<str>>,
    scopes: Vec<Box<str>>,
    pub(super) at: SystemTime,
    pub(super) until: SystemTime,
    /// What tells later whether the caller is still good.
    pub(super) kept: HeaderMap,
}

impl Grant {
    pub(super) fn new(caller: &Principal, scopes: Vec<Box<str>>, at: SystemTime, until: SystemTime, kept: HeaderMap) -> Self {
        let (issuer, client) = (caller.issuer().map(Into::into), caller.client().map(Into::into));
        Self { subject: caller.subject().into(), issuer, client, scopes, at, until, kept }
    }

    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    pub(super) fn principal(&self) -> Principal {
        let mut principal = Principal::user(self.subject.clone())
            .scopes(self.scopes.iter().cloned())
            .authenticated_by(Scheme::Proxy)
            .valid_until(self.until);
        if let Some(issuer) = &self.issuer {
            principal = principal.issued_by(issuer.clone());
        }
        if let Some(client) = &self.client {
            principal = principal.via_client(client.clone());
        }
        principal
    }

    /// The relay session.
    pub(super) fn seal(&self, seal: &Seal) -> Result<String, RelayError> {
        let names = [Some(&self.subject), self.issuer.as_ref(), self.client.as_ref()];
        if names.into_iter().flatten().any(|name| name.len() > MAX_NAME) || self.scopes.len() > MAX_SCOPES {
            return Err(RelayError::TooLong);
        }
        let mut kept = Map::new();
        for (name, value) in &self.kept {
            let value = value.to_str().map_err(|_| RelayError::Unchecked)?;
            kept.insert(name.as_str().to_owned(), value.into());
        }
        // An end between two milliseconds is the one before.
        let statement = json!({
            "sub": self.subject,
            "iss": self.issuer,
            "cli": self.client,
            "scp": self.scopes,
            "iat": milliseconds(self.at).ok_or(RelayError::Ended)?,
            "exp": milliseconds(self.until).ok_or(RelayError::Ended)?,
            "kept": kept,
        });
        match seal.seal(statement.to_string().as_bytes()) {
            Ok(sealed) => Ok(format!("{RELAY}{sealed}")),
            Err(SealError::TooLong { .. }) => Err(RelayError::TooLong),
            Err(error) => Err(error.into()),
        }
    }

    /// `None` is for a statement of another version.
    pub(super) fn read(statement: &[u8]) -> Option<Self> {
        let statement: Map<String, Value> = serde_json::from_slice(statement).ok()?;
        let name = |name| match statement.get(name)? {
            Value::Null => Some(None),
            value => value.as_str().map(|text| Some(text.into())),
        };
        let scopes =
            statement.get("scp")?.as_array()?.iter().map(|scope| scope.as_str().map(Into::into)).collect::<Option<_>>()?;
        let mut kept = HeaderMap::new();
        for (name, value) in statement.get("kept")?.as_object()? {
            let name: HeaderName = name.parse().ok()?;
            kept.insert(name, HeaderValue::from_str(value.as_str()?).ok()?);
        }
        Some(Self {
            subject: name("sub")??,
            issuer: name("iss")?,
            client: name("cli")?,
            scopes,
            at: time(statement.get("iat")?)?,
            until: time(statement.get("exp")?)?,
            kept,
        })
    }
}

fn milliseconds(time: SystemTime) -> Option<u64> {
    time.duration_since(UNIX_EPOCH).ok()?.as_millis().try_into().ok()
}

fn time(milliseconds: &Value) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds.as_u64()?))
}
