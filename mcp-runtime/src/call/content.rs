//! Content blocks of a result (MCP 2026-07-28, `ContentBlock`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// One block of a tool's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// Text.
    Text {
        /// The text.
        text: String,
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
        Self::Text { text: text.into() }
    }

    /// The text, if this is a block of text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            Self::Image(_) | Self::Audio(_) | Self::ResourceLink(_) | Self::Resource(_) => None,
        }
    }
}

/// A picture, in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    data: String,
    mime_type: String,
}

impl Image {
    /// From the bytes of an image file and its media type, for example `image/png`.
    pub fn new(bytes: impl AsRef<[u8]>, mime_type: impl Into<String>) -> Self {
        Self { data: STANDARD.encode(bytes), mime_type: mime_type.into() }
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
}

impl Audio {
    /// From the bytes of a sound file and its media type, for example `audio/wav`.
    pub fn new(bytes: impl AsRef<[u8]>, mime_type: impl Into<String>) -> Self {
        Self { data: STANDARD.encode(bytes), mime_type: mime_type.into() }
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
}

impl ResourceLink {
    /// A link by URI, with the resource's name.
    pub fn new(uri: impl Into<String>, name: impl Into<String>) -> Self {
        Self { uri: uri.into(), name: name.into(), title: None, description: None, mime_type: None }
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
        Self { resource: ResourceContents { uri: uri.into(), mime_type: None, body: Body::Text(text.into()) } }
    }

    /// A resource of bytes.
    pub fn bytes(uri: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        Self { resource: ResourceContents { uri: uri.into(), mime_type: None, body: Body::Blob(STANDARD.encode(bytes)) } }
    }

    /// With the media type of the contents.
    #[must_use]
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.resource.mime_type = Some(mime_type.into());
        self
    }

    /// What is in it.
    #[must_use]
    pub fn contents(&self) -> &ResourceContents {
        &self.resource
    }
}

impl ResourceContents {
    /// The URI.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The media type, if it was said.
    #[must_use]
    pub fn mime_type(&self) -> Option<&str> {
        self.mime_type.as_deref()
    }

    /// The text, if it is a resource of text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.body {
            Body::Text(text) => Some(text),
            Body::Blob(_) => None,
        }
    }

    /// The bytes in base64, if it is a resource of bytes.
    #[must_use]
    pub fn blob(&self) -> Option<&str> {
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
        Self::Text { text }
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
        assert_eq!((contents.uri(), contents.mime_type()), ("file:///a", Some("text/plain")));
        assert_eq!((contents.text(), contents.blob()), (Some("A"), None));
        let bytes = EmbeddedResource::bytes("file:///b", [0, 255]);
        assert_eq!((bytes.contents().text(), bytes.contents().blob()), (None, Some("AP8=")));
    }
}
