//! The keys that JWTs are signed with.

use serde_json::{Map, Value, json};

use super::{Authority, Signer, State};

impl Authority {
    /// Signs with a new key of the same algorithm from now on. The keys before it are still published.
    pub fn rotate(&self) {
        let algorithm = self.state().signer().algorithm.clone();
        self.rotate_to(&algorithm);
    }

    /// Signs with a new key of another algorithm from now on: `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`,
    /// `ES384`, or `EdDSA`.
    ///
    /// # Panics
    /// The algorithm is none of these.
    pub fn rotate_to(&self, algorithm: &str) {
        let id = format!("key-{}", self.unique());
        let signer = Signer::new(algorithm, id).unwrap_or_else(|| panic!("no tokens are signed with `{algorithm}` here"));
        self.state().signers.push(signer);
    }

    /// Publishes no key any more but the one that signs now.
    pub fn retire(&self) {
        let mut state = self.state();
        let last = state.signers.len() - 1;
        state.signers.drain(..last);
    }

    /// Its public keys, as it publishes them (a JWK Set, RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.state().signers.iter().map(Signer::jwk).collect::<Vec<_>>() })
    }

    /// Where its keys are.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        self.url("jwks")
    }

    pub(in crate::testing) fn sign(&self, mut header: Map<String, Value>, claims: Map<String, Value>) -> String {
        let mut state = self.state();
        let signer = state.signer();
        header.entry("alg").or_insert_with(|| (*signer.algorithm).into());
        header.entry("kid").or_insert_with(|| (*signer.id).into());
        header.retain(|_, value| !value.is_null());
        let token = signer.sign(&header, &claims);
        state.issued.insert(token.as_str().into(), claims);
        token
    }
}

impl State {
    fn signer(&self) -> &Signer {
        self.signers.last().expect("an authority has a key at all times")
    }
}
