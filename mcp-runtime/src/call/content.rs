//! Content blocks of a result (MCP 2026-07-28, `ContentBlock`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value};

use super::annotations::Notes;
use super::{ContentAnnotations, ReadTarget};

/// One block of a tool's answer, or of a prompt's message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// Text.
    #[non_exhaustive]
    Text {
        /// The text.
        text: String,
        #[doc(hidden)]
        #[serde(flatten)]
        notes: Notes,
    },
    /// A picture.
    Image(Image),
    /// A sound.
    Audio(Audio),
    /// A resource the client can read by its URI.
    ResourceLink(ResourceLink),
    /// A resource with its contents.
    Resource(EmbeddedResource),
}

impl Content {
    /// A text block.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), notes: Notes::default() }
    }

    /// The text, if this is a block of text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text),
            Self::Image(_) | Self::Audio(_) | Self::ResourceLink(_) | Self::Resource(_) => None,
        }
    }

    /// With hints for the client: for whom the block is, and how much it matters.
    #[must_use]
    pub fn annotations(mut self, annotations: ContentAnnotations) -> Self {
        self.notes().annotations = Some(Box::new(annotations));
        self
    }

    /// With an entry of the block's `_meta`. Clients before 2025-06-18 are not told.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.notes().insert_meta(key.into(), value.into());
        self
    }

    /// The block as clients before 2025-06-18 know it.
    pub(crate) fn make_old(&mut self) {
        self.notes().make_old();
        if let Self::Resource(embedded) = self {
            embedded.resource.meta = None;
        }
    }

    fn notes(&mut self) -> &mut Notes {
        match self {
            Self::Text { notes, .. } => notes,
            Self::Image(image) => &mut image.notes,
            Self::Audio(audio) => &mut audio.notes,
            Self::ResourceLink(link) => &mut link.notes,
            Self::Resource(embedded) => &mut embedded.notes,
        }
    }
}

/// A picture, in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    data: String,
    mime_type: String,
    #[serde(flatten)]
    notes: Notes,
}

impl Image {
    /// From the bytes of an image file and its media type, for example `image/png`.
    pub fn new(bytes: impl AsRef<[u8]>, mime_type: impl Into<String>) -> Self {
        Self { data: STANDARD.encode(bytes), mime_type: mime_type.into(), notes: Notes::default() }
    }

    /// A PNG picture.
    pub fn png(bytes: impl AsRef<[u8]>) -> Self {
        Self::new(bytes, "image/png")
    }

    /// The file's bytes, in base64.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.data
    }

    /// The media type.
    #[must_use]
    pub fn mime_type(&self) -> &str {
        &self.mime_type
    }
}

/// A sound, in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audio {
    data: String,
    mime_type: String,
    #[serde(flatten)]
    notes: Notes,
}

impl Audio {
    /// From the bytes of a sound file and its media type, for example `audio/wav`.
    pub fn new(bytes: impl AsRef<[u8]>, mime_type: impl Into<String>) -> Self {
        Self { data: STANDARD.encode(bytes), mime_type: mime_type.into(), notes: Notes::default() }
    }

    /// The file's bytes, in base64.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.data
    }

    /// The media type.
    #[must_use]
    pub fn mime_type(&self) -> &str {
        &self.mime_type
    }
}

/// A pointer to a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceLink {
    uri: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<String>,
    #[serde(flatten)]
    notes: Notes,
}

impl ResourceLink {
    /// A link by URI, with the resource's name.
    pub fn new(uri: impl Into<String>, name: impl Into<String>) -> Self {
        Self { uri: uri.into(), name: name.into(), title: None, description: None, mime_type: None, notes: Notes::default() }
    }

    /// With a title for people.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// With a description.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// With the media type of the resource.
    #[must_use]
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// The URI.
    #[must_use]
    pub fn get_uri(&self) -> &str {
        &self.uri
    }

    /// The resource's name.
    #[must_use]
    pub fn get_name(&self) -> &str {
        &self.name
    }

    /// The title, if there is one.
    #[must_use]
    pub fn get_title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The description, if there is one.
    #[must_use]
    pub fn get_description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The media type, if it was said.
    #[must_use]
    pub fn get_mime_type(&self) -> Option<&str> {
        self.mime_type.as_deref()
    }
}

/// A resource, contents included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EmbeddedResource {
    resource: ResourceContents,
    #[serde(flatten)]
    notes: Notes,
}

/// The contents of a resource: text, or bytes in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceContents {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<String>,
    #[serde(flatten)]
    body: Body,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<Map<String, Value>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Body {
    Text(String),
    Blob(String),
}

impl EmbeddedResource {
    /// A resource of text.
    pub fn text(uri: impl Into<String>, text: impl Into<String>) -> Self {
        ResourceContents::text(uri, text).into()
    }

    /// A resource of bytes.
    pub fn bytes(uri: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        ResourceContents::bytes(uri, bytes).into()
    }

    /// With the media type of the contents.
    #[must_use]
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.resource = self.resource.mime_type(mime_type);
        self
    }

    /// What is in it.
    #[must_use]
    pub fn contents(&self) -> &ResourceContents {
        &self.resource
    }
}

impl From<ResourceContents> for EmbeddedResource {
    fn from(resource: ResourceContents) -> Self {
        Self { resource, notes: Notes::default() }
    }
}

impl ResourceContents {
    /// Text, of the resource with this URI.
    pub fn text(uri: impl Into<String>, text: impl Into<String>) -> Self {
        Self { uri: uri.into(), mime_type: None, body: Body::Text(text.into()), meta: None }
    }

    /// Bytes, of the resource with this URI.
    pub fn bytes(uri: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        Self { uri: uri.into(), mime_type: None, body: Body::Blob(STANDARD.encode(bytes)), meta: None }
    }

    /// With their media type.
    #[must_use]
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// With an entry of their `_meta`. Clients before 2025-06-18 are not told.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.meta.get_or_insert_default().insert(key.into(), value.into());
        self
    }

    /// As clients before 2025-06-18 know them.
    pub(crate) fn make_old(&mut self) {
        self.meta = None;
    }

    /// An entry of the `_meta`, unless it is there.
    pub(super) fn add_meta(&mut self, key: &str, value: &Value) {
        self.meta.get_or_insert_default().entry(key).or_insert_with(|| value.clone());
    }

    /// States the media type that is known of what was read, where nothing else was said.
    pub(super) fn complete(&mut self, target: &ReadTarget) {
        if self.mime_type.is_none() && self.uri == target.uri {
            self.mime_type = target.mime_type.map(str::to_owned);
        }
    }

    /// The URI.
    #[must_use]
    pub fn get_uri(&self) -> &str {
        &self.uri
    }

    /// The media type, if it was said.
    #[must_use]
    pub fn get_mime_type(&self) -> Option<&str> {
        self.mime_type.as_deref()
    }

    /// The text, if it is a resource of text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.body {
            Body::Text(text) => Some(text),
            Body::Blob(_) => None,
        }
    }

    /// The bytes in base64, if it is a resource of bytes.
    #[must_use]
    pub fn as_blob(&self) -> Option<&str> {
        match &self.body {
            Body::Blob(base64) => Some(base64),
            Body::Text(_) => None,
        }
    }
}

macro_rules! into_content {
    ($($from:ident => $variant:ident),*) => { $(
        impl From<$from> for Content {
            fn from(value: $from) -> Self {
                Self::$variant(value)
            }
        }
    )* };
}
into_content!(Image => Image, Audio => Audio, ResourceLink => ResourceLink, EmbeddedResource => Resource);

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_can_be_looked_at() {
        let picture = Image::png([0, 255]);
        assert_eq!((picture.data(), picture.mime_type()), ("AP8=", "image/png"));
        assert_eq!(Content::from(picture.clone()), Content::Image(picture.clone()));
        assert_ne!(picture, Image::new([0, 255], "image/gif"));
        let sound = Audio::new([0, 255], "audio/wav");
        assert_eq!((sound.data(), sound.mime_type()), ("AP8=", "audio/wav"));
        assert_eq!((Content::text("a").as_text(), Content::Image(picture).as_text()), (Some("a"), None));
        let link = ResourceLink::new("file:///a", "a").title("A").mime_type("text/plain");
        assert_eq!((link.get_uri(), link.get_name()), ("file:///a", "a"));
        assert_eq!((link.get_title(), link.get_description(), link.get_mime_type()), (Some("A"), None, Some("text/plain")));
        let text = EmbeddedResource::text("file:///a", "A").mime_type("text/plain");
        let contents = text.contents();
        assert_eq!((contents.get_uri(), contents.get_mime_type()), ("file:///a", Some("text/plain")));
        assert_eq!((contents.as_text(), contents.as_blob()), (Some("A"), None));
        let bytes = EmbeddedResource::bytes("file:///b", [0, 255]);
        assert_eq!((bytes.contents().as_text(), bytes.contents().as_blob()), (None, Some("AP8=")));
    }
}
