//! The cases of a file of test vectors, named by `MCP_AUTH_VECTORS`, about what has no public name.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use super::keys::SiteKeys;
use super::payload::Session;
use super::user::checksum;
use super::{cache, csrf};
use crate::digest::hex;
use crate::signing::{self, Signer, derived_key, mac};

/// `None` where no file is named.
fn vectors() -> Option<Value> {
    let Ok(path) = std::env::var("MCP_AUTH_VECTORS") else {
        eprintln!("skipped: MCP_AUTH_VECTORS names no file of test vectors");
        return None;
    };
    Some(serde_json::from_slice(&std::fs::read(&path).expect(&path)).expect("JSON"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn primitives() {
    let Some(vectors) = vectors() else { return };
    let primitives = &vectors["primitives"];
    for case in list(&primitives["base62"]) {
        let number = case["n"].as_u64().expect("a number");
        assert_eq!(signing::to_base62(number), text(&case["b62"]));
        assert_eq!(signing::base62(text(&case["b62"])), Some(number));
    }
    for case in list(&primitives["salted_hmac_sha256"]) {
        let key = derived_key(text(&case["key_salt"]), text(&case["secret"]));
        assert_eq!(hex(&key), text(&case["derived_key_hex"]));
        assert_eq!(hex(&mac(&key, text(&case["value"]).as_bytes())), text(&case["mac_hex"]));
    }
    for case in list(&primitives["signing_dumps"]) {
        let (name, text_of) = (text(&case["name"]), text(&case["signed"]));
        let signer = Signer::new(text(&case["salt"]), [text(&case["secret"])]);
        let signed = signer.unsign(text_of).expect(name);
        assert_eq!(Some(signed.timestamp), case["timestamp"].as_u64(), "{name}");
        let json = signing::json(signed.payload, signing::MAX_TEXT).expect(name);
        assert_eq!(serde_json::from_slice::<Value>(&json).expect(name), case["obj"], "{name}");
        assert_eq!(signer.sign(signed.payload, signed.timestamp).as_deref(), Some(text_of), "{name}");
    }
    for case in list(&primitives["session_auth_hash"]) {
        let keys = SiteKeys::new("", text(&case["secret"]));
        assert!(keys.hash_holds(text(&case["password"]), text(&case["hash"])), "{case}");
    }
    for case in list(&primitives["token_checksum"]) {
        assert_eq!(checksum(text(&case["token"])), text(&case["sha256_hex"]));
    }
    let cookie = format!("csrftoken={}", text(&primitives["csrf"]["cookie_secret"]));
    for case in list(&primitives["csrf"]["cases"]) {
        let request = http::Request::post("/").header("cookie", &cookie).header("x-csrftoken", text(&case["header"]));
        let head = request.body(()).expect("a request").into_parts().0;
        assert_eq!(csrf::check(&head).is_ok(), case["ok"] == true, "{case}");
    }
}

/// Those in JSON are read; pickles are refused, whatever they hold.
#[test]
fn cached_sessions() {
    let Some(vectors) = vectors() else { return };
    for case in list(&vectors["sessions_redis"]["cases"]) {
        let label = text(&case["label"]);
        let value = BASE64_STANDARD.decode(text(&case["value_b64"])).expect(label);
        match cache::json(&value) {
            Ok(json) => {
                let facts: Map<String, Value> = serde_json::from_slice(&json).expect(label);
                assert_eq!(Some(&facts), case["session"].as_object(), "{label}");
                let session = Session::read(&json).expect(label).expect(label);
                assert_eq!(session.user_id, case["expect"]["user_id"].to_string(), "{label}");
                eprintln!("{label}: user {}", session.user_id);
            }
            Err(rejection) => {
                assert!(label.contains("ickle") || label.contains("KEY_PREFIX=site1"), "{label}: {rejection}");
                assert_eq!(rejection.reason(), "pickled_session", "{label}");
                eprintln!("{label}: pickled");
            }
        }
    }
}
