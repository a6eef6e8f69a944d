//! What may be said about a content block beside what is in it.

use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::Role;

/// For whom a block is, and how much it matters (MCP 2026-07-28, `Annotations`). Hints: a client may ignore them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentAnnotations {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    audience: Vec<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
}

impl ContentAnnotations {
    /// Nothing said yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For whom the block is: the person, the model, or both.
    #[must_use]
    pub fn audience(mut self, roles: impl IntoIterator<Item = Role>) -> Self {
        self.audience = roles.into_iter().collect();
        self
    }

    /// How much it matters, from 0 (may be left out) to 1 (needed). What lies outside becomes the nearer end.
    #[must_use]
    pub fn priority(mut self, priority: f64) -> Self {
        self.priority = Number::from_f64(priority.clamp(0.0, 1.0));
        self
    }

    /// When it last changed, in ISO 8601: `2026-01-01T00:00:00Z`. Clients before 2025-06-18 are not told.
    #[must_use]
    pub fn last_modified(mut self, time: impl Into<String>) -> Self {
        self.last_modified = Some(time.into());
        self
    }
}

/// The members that every kind of block may have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Notes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) annotations: Option<Box<ContentAnnotations>>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub(super) meta: Option<Map<String, Value>>,
}

impl Notes {
    pub(super) fn insert_meta(&mut self, key: String, value: Value) {
        self.meta.get_or_insert_default().insert(key, value);
    }

    /// As clients before 2025-06-18 know them.
    pub(super) fn make_old(&mut self) {
        self.meta = None;
        if let Some(annotations) = &mut self.annotations {
            annotations.last_modified = None;
            if **annotations == ContentAnnotations::default() {
                self.annotations = None;
            }
        }
    }
}
