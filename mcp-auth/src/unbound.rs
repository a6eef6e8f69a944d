//! Tokens that say not whom they are for.

/// What becomes of tokens that name no audience.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unbound {
    /// They are refused, as MCP demands (2026-07-28, "Authorization", "Token Audience Binding and Validation").
    #[default]
    Deny,
    /// They count where one of these OAuth clients asked for them, which are known to use them here only.
    AllowClients(Vec<Box<str>>),
    /// They count: for an authorization server that issues tokens for this one server only.
    Allow,
}

impl Unbound {
    /// Those of these clients, by `client_id`.
    #[must_use]
    pub fn allow_clients<S: Into<Box<str>>>(clients: impl IntoIterator<Item = S>) -> Self {
        Self::AllowClients(clients.into_iter().map(Into::into).collect())
    }

    /// Does an unbound token of this client count?
    pub(crate) fn allows(&self, client: Option<&str>) -> bool {
        match self {
            Self::Deny => false,
            Self::AllowClients(known) => client.is_some_and(|client| known.iter().any(|known| **known == *client)),
            Self::Allow => true,
        }
    }
}
