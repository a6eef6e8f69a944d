//! The tokens of Django OAuth Toolkit, in its own tables.

use std::fmt;
use std::time::SystemTime;

use super::database::{Database, Key};
use super::table::{Name, UserTable};
use super::user::checksum;
use crate::bearer::foreign_audience;
use crate::resource::SET_IT;
use crate::{Authenticate, AuthenticateFuture, Place, Presented, Principal, Rejection, Resource, Scheme, Scopes, Unbound};

/// The longest list of scopes or resources that is read, in bytes.
const MAX_LIST: usize = 64 * 1024;

/// The token by which a client changes its own registration (RFC 7592) is among the access tokens, and never ends.
const REGISTRATION: &str = "oauth2_provider:registration";
/// The token of a resource server, by which it asks about others'.
const INTROSPECTION: &str = "introspection";

/// Bearer tokens of Django OAuth Toolkit 3.4 or later, looked up in its database by their checksums.
///
/// One query to an indexed column for each request, and nothing is remembered: a token that is revoked or refreshed, and a
/// user who may no longer log in, are refused at once. Tokens may be stored as checksums alone (its
/// `COMPLIANT_BCP_RFC9700_TOKEN_STORAGE`). What the toolkit itself does not look at is looked at here: whether the user may log in.
///
/// ```
/// use mcp_auth::{Auth, DjangoOAuth};
///
/// let auth = Auth::chain()
///     .require_scopes(["notes:read"])
///     .with(DjangoOAuth::connect("postgres://mcp_reader@localhost/site").issuer("https://www.example.com/o"));
/// ```
///
/// The principal's subject is the user's primary key; its client is the application's `client_id`; its claim is `username`.
/// All tokens count that no other authenticator owns, so it stands last among those that read bearer tokens.
///
/// A token must name this server in its `resource` (RFC 8707): what was issued for another server is not taken here.
/// Introspection tokens and those that change a client's registration are refused.
///
/// The database is read, and never written. Give this server a role of its own, which these grants make unable to read tokens,
/// secrets of clients and passwords:
///
/// ```sql
/// GRANT SELECT (id, username, is_active) ON auth_user TO mcp_reader;
/// GRANT SELECT (id, client_id) ON oauth2_provider_application TO mcp_reader;
/// GRANT SELECT (token_checksum, expires, scope, resource, user_id, application_id)
///     ON oauth2_provider_accesstoken TO mcp_reader;
/// ```
///
/// SQLite is opened for reading alone. Its dates have no zone: the site must have `USE_TZ = True`, which is Django's default.
pub struct DjangoOAuth {
    database: Database,
    issuer: Option<Box<str>>,
    tokens: Name,
    applications: Name,
    users: UserTable,
    unbound: Unbound,
    by_prefix: bool,
    client_tokens: bool,
}

impl DjangoOAuth {
    /// In the database of this URL: `sqlite:///srv/site/db.sqlite3` or `postgres://reader:password@db.example.com/site`. It is
    /// connected to by the first request, over at most 5 connections; a query has 2 seconds.
    #[must_use]
    pub fn connect(database: &str) -> Self {
        Self {
            database: Database::new(database),
            issuer: None,
            tokens: Name::new("oauth2_provider_accesstoken"),
            applications: Name::new("oauth2_provider_application"),
            users: UserTable::default(),
            unbound: Unbound::Deny,
            by_prefix: false,
            client_tokens: false,
        }
    }

    /// The authorization server, by its issuer identifier: `https://www.example.com/o`. Clients are sent there.
    #[must_use]
    pub fn issuer(self, issuer: impl Into<Box<str>>) -> Self {
        Self { issuer: Some(issuer.into()), ..self }
    }

    /// With another table of access tokens, where `OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL` names one.
    #[must_use]
    pub fn token_table(self, table: &str) -> Self {
        Self { tokens: Name::new(table), ..self }
    }

    /// With another table of clients, where `OAUTH2_PROVIDER_APPLICATION_MODEL` names one.
    #[must_use]
    pub fn application_table(self, table: &str) -> Self {
        Self { applications: Name::new(table), ..self }
    }

    /// With another table of users, where `AUTH_USER_MODEL` names one.
    #[must_use]
    pub fn user_table(self, users: impl Into<UserTable>) -> Self {
        Self { users: users.into(), ..self }
    }

    /// Which tokens count that name no resource. None otherwise.
    #[must_use]
    pub fn unbound_tokens(self, unbound: Unbound) -> Self {
        Self { unbound, ..self }
    }

    /// A token counts as well when it names what this server is a part of by its path, as the toolkit itself has it:
    /// `https://example.com/` names all servers there. By the exact URL alone otherwise.
    #[must_use]
    pub fn audience_by_prefix(self) -> Self {
        Self { by_prefix: true, ..self }
    }

    /// Tokens count that clients got for themselves, without a user (`client_credentials`). The subject is then `client:` and
    /// the `client_id`. Refused otherwise.
    #[must_use]
    pub fn client_tokens(self) -> Self {
        Self { client_tokens: true, ..self }
    }

    async fn judge(&self, token: &str, resource: Option<&Resource>, now: SystemTime) -> Result<Principal, Rejection> {
        let Self { tokens, applications, users, .. } = self;
        let (users, key, username, active) = (&users.table, &users.key, &users.username, users.active());
        let expires = self.database.select_moment("t.expires");
        let sql = format!(
            "SELECT CAST(t.user_id AS TEXT), {expires}, t.scope, CAST(t.resource AS TEXT), a.client_id, \
             CAST(u.{key} AS TEXT), {active}, CAST(u.{username} AS TEXT) FROM {tokens} t \
             LEFT JOIN {users} u ON u.{key} = t.user_id LEFT JOIN {applications} a ON a.id = t.application_id \
             WHERE t.token_checksum = $1"
        );
        let row = self.database.row(sql, Key::Text(&checksum(token))).await?;
        let row = row.ok_or_else(|| Rejection::invalid_token("unknown_token"))?;
        let [user_id, expires, scope, audience, client, found, active, username] =
            <[_; 8]>::try_from(row).map_err(|_| Rejection::invalid_token("unknown_token"))?;

        let expires = self.database.moment(expires.as_deref())?;
        if expires <= now {
            return Err(Rejection::invalid_token("expired"));
        }
        let scope = scope.unwrap_or_default();
        if scope.len() > MAX_LIST {
            return Err(Rejection::invalid_token("scope_too_long"));
        }
        let scopes = Scopes::parse(&scope);
        if scopes.iter().any(|scope| scope == REGISTRATION) {
            return Err(Rejection::insufficient_scope().detail("a token that changes a client's registration"));
        }
        if scopes.iter().eq([INTROSPECTION]) {
            return Err(Rejection::insufficient_scope().detail("a token that asks about others"));
        }
        self.is_for(resource, audience.as_deref(), client.as_deref())?;
        let mut principal = match user_id {
            Some(user_id) => {
                if found.is_none() {
                    return Err(Rejection::invalid_token("user_not_found"));
                }
                if active.as_deref() != Some("1") {
                    return Err(Rejection::invalid_token("user_inactive").detail(user_id));
                }
                // Django makes no key with a colon, but a key that is a text may be any: a user with such a one would be a client.
                let id = self.users.id(&user_id).filter(|id| !self.client_tokens || !id.starts_with("client:"));
                Principal::user(id.ok_or_else(|| Rejection::invalid_token("malformed_user_id"))?)
            }
            None if !self.client_tokens => return Err(Rejection::invalid_token("token_without_user")),
            None => match &client {
                Some(client) => Principal::user(format!("client:{client}")),
                None => return Err(Rejection::invalid_token("token_without_user_and_client")),
            },
        };
        if let Some(issuer) = &self.issuer {
            principal = principal.issued_by(issuer.clone());
        }
        if let Some(client) = client {
            principal = principal.via_client(client);
        }
        if let Some(username) = username {
            principal = principal.claim("username", username);
        }
        Ok(principal.scopes(scopes.iter()).authenticated_by(Scheme::Bearer).valid_until(expires))
    }

    /// Was a token issued for this server? `audience` is a list in JSON.
    fn is_for(&self, resource: Option<&Resource>, audience: Option<&str>, client: Option<&str>) -> Result<(), Rejection> {
        let malformed = || Rejection::invalid_token("malformed_audience");
        let audience = audience.filter(|audience| audience.len() <= MAX_LIST).ok_or_else(malformed)?;
        let audience: Vec<String> = serde_json::from_str(audience).map_err(|_| malformed())?;
        if audience.is_empty() {
            return if self.unbound.allows(client) { Ok(()) } else { Err(Rejection::invalid_token("no_audience")) };
        }
        let resource = resource.ok_or_else(|| Rejection::invalid_token("audience_unknown"))?;
        let names =
            |audience: &String| if self.by_prefix { resource.is_within(audience) } else { resource.is_named_by(audience) };
        if audience.iter().any(names) {
            return Ok(());
        }
        Err(foreign_audience(&mut audience.iter().map(AsRef::as_ref), &[], Some(resource)))
    }
}

impl Authenticate for DjangoOAuth {
    fn places(&self) -> Vec<Place> {
        vec![Place::AnyBearer]
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        Box::pin(async move { self.judge(presented.credential(), presented.resource(), presented.now()).await.into() })
    }

    fn problems(&self, resource: Option<&Resource>) -> Vec<String> {
        let mut problems: Vec<_> = self.users.problems().collect();
        problems.extend(self.database.problem());
        problems.extend([&self.tokens, &self.applications].into_iter().filter_map(|table| table.problem("table")));
        if self.issuer.as_deref().is_none_or(str::is_empty) {
            problems.push(
                "who issues the tokens is not said: give the site's issuer with `.issuer(\"https://www.example.com/o\")`"
                    .to_owned(),
            );
        }
        if resource.is_none() && self.unbound != Unbound::Allow {
            problems.push(format!("tokens must name this server, whose URL is not known: {SET_IT}"));
        }
        problems
    }

    fn issuers(&self) -> Vec<String> {
        self.issuer.iter().map(ToString::to_string).collect()
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for DjangoOAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DjangoOAuth")
            .field("issuer", &self.issuer)
            .field("tokens", &self.tokens)
            .field("unbound", &self.unbound)
            .field("by_prefix", &self.by_prefix)
            .field("client_tokens", &self.client_tokens)
            .finish_non_exhaustive()
    }
}
