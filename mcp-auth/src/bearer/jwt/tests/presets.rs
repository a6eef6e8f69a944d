//! Tokens as real issuers make them, and what else these sign with the same keys.

use serde_json::{Value, json};

use super::*;

/// A token of exactly these members.
fn signed(authority: &Authority, typ: Value, claims: &Value) -> String {
    let token = authority.token().issued_at(now()).subject("x").claim("client_id", Value::Null).claim("jti", Value::Null);
    let claims = claims.as_object().expect("an object");
    claims.iter().fold(token.header("typ", typ), |token, (name, value)| token.claim(name, value.clone())).issue()
}

/// An authority that stands for another, with the keys that this one is known to use.
fn of(issuer: &str) -> Authority {
    let authority = Authority::at(issuer);
    authority.rotate_to("RS256");
    authority.retire();
    authority
}

fn with(mut claims: Value, changes: Value) -> Value {
    let members = claims.as_object_mut().expect("an object");
    let Value::Object(changes) = changes else { panic!("an object") };
    members.extend(changes);
    claims
}

#[tokio::test]
async fn entra() {
    let tenant = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let app = "6731de76-14a6-49ae-97bc-6eba6914391e";
    let authority = of(&format!("https://login.microsoftonline.com/{tenant}/v2.0"));
    let jwt = || Jwt::entra(tenant).audience(app).fetching_with(authority.clone());
    let auth = chain(jwt());
    assert_eq!(auth.problems(), [""; 0]);
    let user = json!({
        "aud": app, "azp": "0aa11111-2222-4333-8444-555566667777", "azpacr": "0", "name": "Alice", "oid": "a1", "scp": "Notes.Read Notes.Write",
        "sub": "AAAAx", "tid": tenant, "ver": "2.0", "nbf": 1_799_999_700,
    });
    let token = signed(&authority, json!("JWT"), &user);
    let alice = accepted(&auth, &token).await;
    assert_eq!((alice.subject(), alice.client()), ("AAAAx", Some("0aa11111-2222-4333-8444-555566667777")));
    assert!(alice.granted().grants("Notes.Read") && alice.granted().grants("Notes.Write"));
    // Web sign-in to the very application that stands for this server.
    let id = json!({ "aud": app, "name": "Alice", "oid": "a1", "sub": "AAAAx", "tid": tenant, "ver": "2.0", "roles": ["admin"] });
    assert_eq!(reason(&auth, &signed(&authority, json!("JWT"), &id)).await, "no_access_token");
    let id = with(user.clone(), json!({ "nonce": "n" }));
    assert_eq!(reason(&auth, &signed(&authority, json!("JWT"), &id)).await, "id_token");
    let other = with(user.clone(), json!({ "aud": "00000003-0000-0000-c000-000000000000" }));
    assert_eq!(reason(&auth, &signed(&authority, json!("JWT"), &other)).await, "foreign_audience", "Microsoft Graph's");
    let daemon = with(user, json!({ "scp": null, "roles": ["Notes.All"], "sub": "sp", "oid": "sp", "idtyp": "app" }));
    let roles = chain(jwt().scope_claim("roles"));
    assert!(accepted(&roles, &signed(&authority, json!("JWT"), &daemon)).await.granted().grants("Notes.All"));
}

#[tokio::test]
async fn okta() {
    let authority = of("https://example.okta.com/oauth2/default");
    let auth = chain(Jwt::okta("example.okta.com", "default").audience("api://default").fetching_with(authority.clone()));
    let user = json!({
        "ver": 1, "jti": "AT.x", "aud": "api://default", "cid": "0oa1", "uid": "00u1", "scp": ["openid", "notes"], "auth_time": 1_799_999_000,
        "sub": "alice@example.com",
    });
    let alice = accepted(&auth, &signed(&authority, Value::Null, &user)).await;
    assert_eq!((alice.subject(), alice.client()), ("alice@example.com", Some("0oa1")));
    assert!(alice.granted().grants("notes"));
    let id = json!({
        "ver": 1, "jti": "ID.x", "aud": "api://default", "sub": "00u1", "amr": ["pwd"], "idp": "00o", "auth_time": 1_799_999_000,
    });
    assert_eq!(reason(&auth, &signed(&authority, Value::Null, &id)).await, "no_access_token");
    for mark in ["nonce", "at_hash"] {
        let id = with(user.clone(), json!({ mark: "x" }));
        assert_eq!(reason(&auth, &signed(&authority, Value::Null, &id)).await, "id_token", "{mark}");
    }
    let id = with(user, json!({ "aud": "0oa1" }));
    assert_eq!(reason(&auth, &signed(&authority, Value::Null, &id)).await, "foreign_audience");
}

#[tokio::test]
async fn auth0() {
    let authority = of("https://example.eu.auth0.com/");
    let auth = chain(Jwt::auth0("example.eu.auth0.com").fetching_with(authority.clone()));
    let user = json!({
        "sub": "auth0|1", "aud": [RESOURCE, "https://example.eu.auth0.com/userinfo"], "azp": "c1", "scope": "openid notes",
        "permissions": ["notes:all"],
    });
    for typ in [json!("JWT"), json!("at+jwt")] {
        let alice = accepted(&auth, &signed(&authority, typ, &user)).await;
        assert_eq!((alice.subject(), alice.client()), ("auth0|1", Some("c1")));
        assert!(alice.granted().grants("notes") && !alice.granted().grants("permissions"));
    }
    let id = json!({ "sub": "auth0|1", "aud": "c1", "sid": "s", "name": "Alice" });
    assert_eq!(
        reason(&auth, &signed(&authority, json!("JWT"), &with(id.clone(), json!({ "azp": "c1" })))).await,
        "foreign_audience"
    );
    assert_eq!(reason(&auth, &signed(&authority, json!("JWT"), &with(id, json!({ "aud": RESOURCE })))).await, "no_access_token");
    let id = with(user, json!({ "nonce": "n" }));
    assert_eq!(reason(&auth, &signed(&authority, json!("JWT"), &id)).await, "id_token");
}

#[tokio::test]
async fn keycloak() {
    let authority = of("https://sso.example.com/realms/staff");
    let auth = chain(Jwt::keycloak("https://sso.example.com/", "staff").audience("mcp").fetching_with(authority.clone()));
    let user = json!({
        "typ": "Bearer", "aud": ["mcp", "account"], "azp": "spa", "sub": "f:1", "sid": "s", "acr": "1", "scope": "openid notes",
        "realm_access": { "roles": ["offline_access"] }, "nonce": "n",
    });
    let alice = accepted(&auth, &signed(&authority, json!("JWT"), &user)).await;
    assert_eq!((alice.subject(), alice.client()), ("f:1", Some("spa")));
    assert_eq!(alice.claims()["realm_access"]["roles"][0], "offline_access");
    let refused = |changes: Value| signed(&authority, json!("JWT"), &with(user.clone(), changes));
    assert_eq!(reason(&auth, &refused(json!({ "typ": "ID" }))).await, "typ_claim");
    assert_eq!(reason(&auth, &refused(json!({ "typ": "Refresh" }))).await, "typ_claim");
    assert_eq!(reason(&auth, &refused(json!({ "typ": "Offline" }))).await, "typ_claim");
    assert_eq!(reason(&auth, &refused(json!({ "typ": "Logout" }))).await, "no_access_token");
    assert_eq!(reason(&auth, &refused(json!({ "typ": null }))).await, "no_access_token");
    assert_eq!(reason(&auth, &refused(json!({ "at_hash": "x" }))).await, "id_token");
    assert_eq!(reason(&auth, &refused(json!({ "aud": "account" }))).await, "foreign_audience");
    assert_eq!(reason(&auth, &refused(json!({ "aud": null }))).await, "no_audience");
}

#[tokio::test]
async fn cognito() {
    let authority = of("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_a1B2c3D4e");
    let jwt = || Jwt::cognito("eu-central-1", "eu-central-1_a1B2c3D4e").fetching_with(authority.clone());
    let auth = chain(jwt().clients(["app"]));
    assert_eq!(auth.problems(), [""; 0]);
    let user = json!({
        "sub": "u1", "client_id": "app", "token_use": "access", "scope": "https://mcp.example.com/mcp/tools", "auth_time": 1_799_999_000,
        "username": "alice", "version": 2, "cognito:groups": ["staff"],
    });
    let alice = accepted(&auth, &signed(&authority, Value::Null, &user)).await;
    assert_eq!((alice.subject(), alice.client()), ("u1", Some("app")));
    let refused = |changes: Value| signed(&authority, Value::Null, &with(user.clone(), changes));
    assert_eq!(reason(&auth, &refused(json!({ "token_use": "id" }))).await, "token_use");
    assert_eq!(reason(&auth, &refused(json!({ "token_use": null }))).await, "no_access_token");
    assert_eq!(reason(&auth, &refused(json!({ "token_use": "id", "aud": "app", "client_id": null }))).await, "token_use");
    assert_eq!(reason(&auth, &refused(json!({ "aud": "app" }))).await, "foreign_audience");
    assert_eq!(reason(&auth, &refused(json!({ "client_id": "other" }))).await, "client");
    assert_eq!(
        reason(&chain(jwt()), &signed(&authority, Value::Null, &user)).await,
        "no_audience",
        "without a list nobody comes in"
    );
}
