//! What a resource may return: its contents.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Json, ResourceContents, ToolError};

/// How reading a resource ended.
pub type ReadOutcome = Result<ResourceResult, ResourceError>;

/// A resource that is being read.
pub type ReadFuture = Pin<Box<dyn Future<Output = ReadOutcome> + Send + 'static>>;

/// What is being read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadTarget {
    /// The URI that the client asked for, not the template that it matches.
    pub uri: String,
    /// The media type that `#[resource]` states.
    pub mime_type: Option<&'static str>,
}

impl ReadTarget {
    /// A target for a unit test of a type's [`IntoResource`].
    pub fn new(uri: impl Into<String>) -> Self {
        Self { uri: uri.into(), mime_type: None }
    }
}

/// Why a resource could not be read.
///
/// Everything that converts into `Box<dyn Error + Send + Sync>` becomes [`Failed`](Self::Failed) with `?`, as it becomes a
/// [`ToolError`] in a tool: the client reads a general line; the error and its chain of sources are logged.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResourceError {
    /// There is no such resource, or none that the caller may know of.
    NotFound,
    /// It is there, and something went wrong.
    Failed(ToolError),
}

impl ResourceError {
    /// A failure whose `message` the client reads.
    pub fn user(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Failed(ToolError::user(message))
    }
}

impl From<ToolError> for ResourceError {
    fn from(error: ToolError) -> Self {
        Self::Failed(error)
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for ResourceError {
    fn from(error: E) -> Self {
        Self::Failed(ToolError::from(error))
    }
}

/// For logs, with the chain of sources.
impl fmt::Display for ResourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("resource not found"),
            Self::Failed(error) => fmt::Display::fmt(error, f),
        }
    }
}

/// The contents of a resource, and what is said about them.
///
/// Resources rarely build one: they return a string, bytes, [`Json`], or a list of [`ResourceContents`].
#[derive(Clone, Debug, Default)]
pub struct ResourceResult {
    pub(crate) contents: Vec<ResourceContents>,
    pub(crate) meta: Option<Map<String, Value>>,
}

impl ResourceResult {
    /// No contents yet. A result that stays without them reads as [`ResourceError::NotFound`]: the protocol has no empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a further part.
    #[must_use]
    pub fn with(mut self, contents: ResourceContents) -> Self {
        self.contents.push(contents);
        self
    }

    /// With an entry of the result's `_meta`. The keys of the protocol itself are not replaced.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.meta.get_or_insert_default().insert(key.into(), value.into());
        self
    }

    /// How many bytes of text or Base64 it has.
    pub(crate) fn size(&self) -> usize {
        let parts = self.contents.iter();
        parts.map(|part| part.as_text().or(part.as_blob()).map_or(0, str::len)).sum()
    }

    /// With what hosts must know of a user interface before they show it (MCP Apps, "UI Resource Format").
    pub(crate) fn add_ui(&mut self, ui: &Value) {
        self.contents.iter_mut().for_each(|part| part.add_meta("ui", ui));
    }

    /// The parts, in order.
    #[must_use]
    pub fn contents(&self) -> &[ResourceContents] {
        &self.contents
    }
}

/// What a resource may return.
///
/// Strings are text; `Vec<u8>`, [`Bytes`] and byte literals are bytes; [`Json`] is text of the media type `application/json`
/// unless `#[resource(mime_type = "..")]` says another; [`ResourceContents`] and lists of them are themselves; in
/// `Result<T, E>`, `E` is anything that converts into [`ResourceError`].
#[diagnostic::on_unimplemented(
    message = "a resource can not return `{Self}`",
    label = "not the contents of a resource",
    note = "return text (`String`), bytes (`Vec<u8>`, `bytes::Bytes`), `Json<T>`, `ResourceContents`, `Vec<ResourceContents>`, `ResourceResult`, or a `Result` of one of these",
    note = "for a struct, list, map or `Option`: return it in `Json`; a type of your own needs `#[data]`",
    note = "the error of a `Result` is `ResourceError`, or what converts into `Box<dyn Error + Send + Sync>`"
)]
pub trait IntoResource {
    /// Turns the value into the contents of `target`.
    fn into_resource(self, target: &ReadTarget) -> Result<ResourceResult, ResourceError>;
}

impl IntoResource for ResourceResult {
    fn into_resource(mut self, target: &ReadTarget) -> Result<ResourceResult, ResourceError> {
        if self.contents.is_empty() {
            return Err(ResourceError::NotFound);
        }
        for contents in &mut self.contents {
            contents.complete(target);
        }
        Ok(self)
    }
}

impl IntoResource for ResourceContents {
    fn into_resource(self, target: &ReadTarget) -> Result<ResourceResult, ResourceError> {
        ResourceResult::new().with(self).into_resource(target)
    }
}

impl IntoResource for Vec<ResourceContents> {
    fn into_resource(self, target: &ReadTarget) -> Result<ResourceResult, ResourceError> {
        ResourceResult { contents: self, meta: None }.into_resource(target)
    }
}

macro_rules! text {
    ($($type:ty)*) => { $(
        impl IntoResource for $type {
            fn into_resource(self, target: &ReadTarget) -> Result<ResourceResult, ResourceError> {
                ResourceContents::text(&target.uri, self).into_resource(target)
            }
        }
    )* };
}
text!(String &str Box<str> Cow<'_, str>);

macro_rules! bytes {
    ($($type:ty)*) => { $(
        impl IntoResource for $type {
            fn into_resource(self, target: &ReadTarget) -> Result<ResourceResult, ResourceError> {
                ResourceContents::bytes(&target.uri, self).into_resource(target)
            }
        }
    )* };
}
bytes!(Vec<u8> Bytes &'static [u8]);

/// What `include_bytes!` gives.
impl<const N: usize> IntoResource for &'static [u8; N] {
    fn into_resource(self, target: &ReadTarget) -> Result<ResourceResult, ResourceError> {
        self.as_slice().into_resource(target)
    }
}

impl<T: Serialize> IntoResource for Json<T> {
    fn into_resource(self, target: &ReadTarget) -> Result<ResourceResult, ResourceError> {
        let json = serde_json::to_string(&self.0)?;
        let mime_type = target.mime_type.unwrap_or("application/json");
        ResourceContents::text(&target.uri, json).mime_type(mime_type).into_resource(target)
    }
}

#[diagnostic::do_not_recommend]
impl<T: IntoResource, E: Into<ResourceError>> IntoResource for Result<T, E> {
    fn into_resource(self, target: &ReadTarget) -> Result<ResourceResult, ResourceError> {
        self.map_err(Into::into)?.into_resource(target)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(value: impl IntoResource, mime_type: Option<&'static str>) -> Value {
        let target = ReadTarget { mime_type, ..ReadTarget::new("a:b") };
        serde_json::to_value(value.into_resource(&target).expect("contents").contents).expect("json")
    }

    #[test]
    fn every_form_becomes_contents() {
        let text = json!([{ "uri": "a:b", "text": "x" }]);
        assert_eq!(written("x", None), text);
        assert_eq!(written("x".to_owned(), None), text);
        assert_eq!(written(Cow::Borrowed("x"), None), text);
        assert_eq!(written(Ok::<_, ResourceError>("x"), None), text);
        assert_eq!(written("x", Some("text/csv")), json!([{ "uri": "a:b", "mimeType": "text/csv", "text": "x" }]));
        let blob = json!([{ "uri": "a:b", "blob": "AP8=" }]);
        assert_eq!(written(vec![0, 255], None), blob);
        assert_eq!(written(Bytes::from_static(&[0, 255]), None), blob);
        assert_eq!(written(b"\0\xff", None), blob);
        assert_eq!(written(Json([1]), None), json!([{ "uri": "a:b", "mimeType": "application/json", "text": "[1]" }]));
        assert_eq!(written(Json([1]), Some("a/b+json")), json!([{ "uri": "a:b", "mimeType": "a/b+json", "text": "[1]" }]));
    }

    #[test]
    fn parts_of_the_target_take_its_media_type() {
        let parts = vec![
            ResourceContents::text("a:b", "x"),
            ResourceContents::text("a:b/c", "y"),
            ResourceContents::text("a:b", "z").mime_type("text/html").meta("k", 1),
        ];
        let expected = json!([
            { "uri": "a:b", "mimeType": "text/csv", "text": "x" },
            { "uri": "a:b/c", "text": "y" },
            { "uri": "a:b", "mimeType": "text/html", "text": "z", "_meta": { "k": 1 } },
        ]);
        assert_eq!(written(parts, Some("text/csv")), expected);
    }

    #[test]
    fn nothing_is_not_found() {
        let nothing = Vec::<ResourceContents>::new().into_resource(&ReadTarget::new("a:b"));
        assert!(matches!(nothing, Err(ResourceError::NotFound)), "{nothing:?}");
    }

    #[test]
    fn every_error_becomes_one() {
        fn fails() -> Result<(), ResourceError> {
            Err(std::io::Error::other("disk"))?
        }
        assert_eq!(fails().expect_err("fails").to_string(), "disk");
        assert_eq!(ResourceError::from(ToolError::user("a")).to_string(), "a");
        let Err(ResourceError::Failed(error)) = Err::<String, _>("why").into_resource(&ReadTarget::new("a:b")) else {
            panic!("no failure")
        };
        assert_eq!((error.to_string().as_str(), error.user_message()), ("why", None));
    }
}
