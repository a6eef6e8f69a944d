//! Issuers whose tokens do not follow RFC 9068: what tells their access tokens from their other tokens.

use super::Jwt;
use super::policy::{ID_TOKEN, Marks, Own};

/// What stands in the header of access tokens that do not name themselves.
const UNTYPED: [&str; 3] = ["at+jwt", "JWT", ""];

impl Jwt {
    /// Access tokens of Microsoft Entra ID, by the id of the tenant (a GUID; not `common`, whose tokens have many issuers).
    ///
    /// In the registration of the application that stands for this server: under "Expose an API", set the application ID URI and
    /// add the scopes; in the manifest, set `requestedAccessTokenVersion` to 2. Tokens then have the application's id as `aud`:
    ///
    /// ```
    /// # use mcp_auth::Jwt;
    /// let jwt = Jwt::entra("9188040d-6c67-4c5b-b112-36a304b66dad").audience("6731de76-14a6-49ae-97bc-6eba6914391e");
    /// ```
    ///
    /// Scopes are those of `scp`. Daemons have `roles` instead: where only they call, `.scope_claim("roles")` reads those. ID
    /// tokens lack `azp`, by which they are told apart.
    #[must_use]
    pub fn entra(tenant: &str) -> Self {
        let mut jwt = Self::issuer(format!("https://login.microsoftonline.com/{tenant}/v2.0"))
            .types(UNTYPED)
            .marked(Marks { foreign: ID_TOKEN, own: Own::Claim(&["azp", "appid"]) });
        jwt.policy.client_claims = &["azp", "appid"];
        if !is_guid(tenant) {
            jwt.mistakes
                .push(format!("`{tenant}` is no id of an Entra tenant: give the GUID, not a name, `common` or `organizations`"));
        }
        jwt
    }

    /// Access tokens of an Okta custom authorization server, by the organization's host and the server's id.
    ///
    /// ```
    /// # use mcp_auth::Jwt;
    /// let jwt = Jwt::okta("example.okta.com", "default").audience("api://default");
    /// ```
    ///
    /// Set the authorization server's audience to the public URL of this server; then no `audience` is needed. Tokens of the
    /// organization's own server, the one without an id, are for Okta only and can not be verified by anybody else. Scopes are
    /// those of `scp`; ID tokens lack `cid`, by which they are told apart.
    #[must_use]
    pub fn okta(domain: &str, authorization_server: &str) -> Self {
        let mut jwt = Self::issuer(format!("https://{domain}/oauth2/{authorization_server}"))
            .types(UNTYPED)
            .marked(Marks { foreign: ID_TOKEN, own: Own::Claim(&["cid"]) });
        jwt.policy.client_claims = &["cid"];
        jwt.check_name("Okta domain", domain, "example.okta.com");
        jwt.check_name("Okta authorization server", authorization_server, "default");
        jwt
    }

    /// Access tokens of Auth0, by the tenant's domain.
    ///
    /// ```
    /// # use mcp_auth::Jwt;
    /// let jwt = Jwt::auth0("example.eu.auth0.com").audience("https://mcp.example.com/mcp");
    /// ```
    ///
    /// Create an API whose identifier is the public URL of this server; then no `audience` is needed. Without an audience in the
    /// client's request Auth0 issues opaque or encrypted tokens, which are refused: set the tenant's default audience, or turn on
    /// the compatibility profile for the `resource` parameter. ID tokens lack `azp` and `client_id`, or have a `nonce`.
    #[must_use]
    pub fn auth0(domain: &str) -> Self {
        let mut jwt = Self::issuer(format!("https://{domain}/"))
            .types(UNTYPED)
            .marked(Marks { foreign: ID_TOKEN, own: Own::Claim(&["azp", "client_id"]) });
        jwt.check_name("Auth0 domain", domain, "example.eu.auth0.com");
        jwt
    }

    /// Access tokens of a Keycloak realm, by Keycloak's URL and the realm's name.
    ///
    /// ```
    /// # use mcp_auth::Jwt;
    /// let jwt = Jwt::keycloak("https://sso.example.com", "staff").audience("mcp");
    /// ```
    ///
    /// Keycloak puts `account` into `aud`, or nothing. Add a client scope with a mapper of type "Audience", whose custom audience
    /// is the public URL of this server, and make it a default scope of the clients; or name the audience that your mapper adds.
    /// Every token says in its claim `typ` what it is: only `Bearer` counts.
    #[must_use]
    pub fn keycloak(base: &str, realm: &str) -> Self {
        let base = base.strip_suffix('/').unwrap_or(base);
        // Before version 25 access tokens have the nonce of their ID token.
        let marks = Marks { foreign: &["at_hash", "c_hash", "s_hash"], own: Own::Value("typ", "Bearer") };
        let mut jwt = Self::issuer(format!("{base}/realms/{realm}")).types(UNTYPED).marked(marks);
        jwt.policy.client_claims = &["azp", "client_id"];
        jwt.check_name("Keycloak realm", realm, "staff");
        jwt
    }

    /// Access tokens of an Amazon Cognito user pool, by region and pool id.
    ///
    /// ```
    /// # use mcp_auth::Jwt;
    /// let jwt = Jwt::cognito("eu-central-1", "eu-central-1_a1B2c3D4e").clients(["1example23456789"]);
    /// ```
    ///
    /// Cognito's access tokens have no `aud`, unless the client asked for a resource, so the app clients that may call this server
    /// are listed. Scopes of a resource server come with its identifier and a slash: `https://mcp.example.com/mcp/tools`. Every
    /// token says in `token_use` what it is: only `access` counts.
    #[must_use]
    pub fn cognito(region: &str, pool: &str) -> Self {
        let mut jwt = Self::issuer(format!("https://cognito-idp.{region}.amazonaws.com/{pool}"))
            .types(UNTYPED)
            .marked(Marks { foreign: ID_TOKEN, own: Own::Value("token_use", "access") });
        jwt.needs_clients = true;
        jwt.check_name("Cognito region", region, "eu-central-1");
        jwt.check_name("Cognito user pool", pool, "eu-central-1_a1B2c3D4e");
        jwt
    }

    fn marked(mut self, marks: Marks) -> Self {
        self.policy.marks = marks;
        self
    }

    /// These become parts of a URL.
    fn check_name(&mut self, what: &str, name: &str, example: &str) {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)) {
            self.mistakes.push(format!("`{name}` is no {what}: `{example}` would be one"));
        }
    }
}

fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}
