//! What is protected: the URI that tokens are issued for, and the origins whose pages may use a session.

use http::Uri;

/// A protected resource (RFC 9728): an MCP server, by the URL of its endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Scheme and authority in lower case, without the scheme's own port.
    origin: String,
    /// Begins with a slash, and ends with none unless it is one.
    path: String,
    /// Other origins whose pages may use a session.
    origins: Vec<String>,
}

impl Resource {
    /// The resource at this URL: `https://mcp.example.com/mcp`. `None` where it is no `http` or `https` URL, or has a user, a
    /// query or a fragment (RFC 8707 section 2).
    #[must_use]
    pub fn new(url: &str) -> Option<Self> {
        if url.contains(['#', '?', '@']) {
            return None;
        }
        let uri: Uri = url.parse().ok()?;
        let origin = origin_of(uri.scheme_str()?, uri.authority()?.as_str())?;
        let path = uri.path();
        let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { "/" };
        Some(Self { origin, path: path.to_owned(), origins: Vec::new() })
    }

    /// With further origins whose pages may use a session: `https://www.example.com`.
    #[must_use]
    pub fn origins<S: AsRef<str>>(mut self, origins: impl IntoIterator<Item = S>) -> Self {
        self.origins.extend(origins.into_iter().filter_map(|origin| plain_origin(origin.as_ref())));
        self
    }

    /// Its canonical URI (MCP 2026-07-28, "Authorization", "Canonical Server URI"): no slash at the end.
    #[must_use]
    pub fn uri(&self) -> String {
        if self.path == "/" { self.origin.clone() } else { format!("{}{}", self.origin, self.path) }
    }

    /// Scheme, host and port of its URL.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Does this audience of a token name it? Compared as URIs: the case of scheme and host, the scheme's own port and a slash
    /// at the end make no difference; everything else does.
    #[must_use]
    pub fn is_named_by(&self, audience: &str) -> bool {
        Self::new(audience).is_some_and(|named| named.origin == self.origin && named.path == self.path)
    }

    /// Does this audience name it, or what it is a part of by its path? Dot segments are resolved and the query does not count, as
    /// Django OAuth Toolkit has it; a user or a fragment never matches.
    #[must_use]
    pub fn is_within(&self, audience: &str) -> bool {
        if audience.contains('#') {
            return false;
        }
        let audience = audience.split('?').next().unwrap_or_default();
        let Some((scheme, rest)) = audience.split_once("://") else { return false };
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let Some(named) = Self::new(&format!("{scheme}://{authority}{}", without_dots(path))) else { return false };
        if named.origin != self.origin || !is_plain_path(&named.path) {
            return named.origin == self.origin && named.path == self.path;
        }
        named.path == "/" || self.path.strip_prefix(&named.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// May pages of this origin use a session?
    #[must_use]
    pub fn allows_origin(&self, origin: &str) -> bool {
        plain_origin(origin).is_some_and(|origin| origin == self.origin || self.origins.contains(&origin))
    }

    /// Where its metadata is, on its origin: the well-known path goes before its own (RFC 9728 section 3.1).
    #[must_use]
    pub fn metadata_path(&self) -> String {
        let own = if self.path == "/" { "" } else { &self.path };
        format!("{METADATA}{own}")
    }

    /// The URL of its metadata.
    #[must_use]
    pub fn metadata_url(&self) -> String {
        format!("{}{}", self.origin, self.metadata_path())
    }
}

/// What to do where there must be one and is none.
pub(crate) const SET_IT: &str =
    "set the public URL with `Server::public_url`, or in mcp-auth alone with `Auth::protecting(Resource::new(..))`";

/// Where the metadata of an origin's only resource is looked for as well.
pub(crate) const METADATA: &str = "/.well-known/oauth-protected-resource";

/// A path that names one place only: what is escaped could lead out of it.
fn is_plain_path(path: &str) -> bool {
    !path.contains("//") && !path.contains('%')
}

/// Resolves dot segments (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_dots = matches!(segment, "." | "..");
        if segment == ".." {
            kept.pop();
        }
        if !is_dots {
            kept.push(segment);
        } else if segments.peek().is_none() {
            // What dots end is a folder.
            kept.push("");
        }
    }
    kept.iter().flat_map(|segment| ["/", segment]).collect()
}

fn plain_origin(origin: &str) -> Option<String> {
    let (scheme, authority) = origin.split_once("://")?;
    origin_of(scheme, authority)
}

pub(crate) fn origin_of(scheme: &str, authority: &str) -> Option<String> {
    let scheme = scheme.to_ascii_lowercase();
    let own_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let authority: http::uri::Authority = authority.parse().ok()?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return None;
    }
    let authority = authority.as_str().to_ascii_lowercase();
    let authority = authority.strip_suffix(own_port).unwrap_or(&authority);
    Some(format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(url: &str) -> Resource {
        Resource::new(url).expect("a URL")
    }

    #[test]
    fn audiences_are_compared_as_uris() {
        let ours = resource("https://mcp.example.com/mcp");
        for same in ["https://mcp.example.com/mcp", "HTTPS://MCP.example.com:443/mcp/", "https://mcp.example.com/mcp/"] {
            assert!(ours.is_named_by(same), "{same}");
        }
        for other in [
            "",
            "mcp",
            "urn:mcp",
            "https://mcp.example.com",
            "https://mcp.example.com/MCP",
            "https://mcp.example.com/mcp/x",
            "https://mcp.example.com/mcp?x",
            "https://mcp.example.com/mcp#x",
            "https://u@mcp.example.com/mcp",
            "http://mcp.example.com/mcp",
            "https://mcp.example.com:8443/mcp",
            "https://mcp.example.com.evil.example/mcp",
        ] {
            assert!(!ours.is_named_by(other), "{other}");
        }
        assert_eq!(resource("https://MCP.example.com:443/").uri(), "https://mcp.example.com");
    }

    #[test]
    fn a_part_is_within_the_whole() {
        let ours = resource("https://a.example/mcp/v2");
        for audience in [
            "https://a.example/mcp/v2",
            "HTTPS://A.example:443/mcp/v2/",
            "https://a.example/mcp",
            "https://a.example",
            "https://a.example/",
            "https://a.example?x=1",
            "https://a.example/mcp?x=/../y",
            "https://a.example/x/../mcp/./v2",
            "https://a.example/../mcp",
            "https://a.example/mcp/x/..",
        ] {
            assert!(ours.is_within(audience), "{audience}");
        }
        for audience in [
            "",
            "urn:mcp",
            "a.example/mcp",
            "http://a.example/mcp",
            "https://a.example:8443/mcp",
            "https://a.example/MCP",
            "https://a.example/mc",
            "https://a.example/mcp/v",
            "https://a.example/mcp/v2/x",
            "https://a.example/mcp/../x",
            "https://a.example/mcp/%2e%2e/mcp",
            "https://a.example//mcp",
            "https://a.example/mcp#x",
            "https://a.example/mcp?x#y",
            "https://u@a.example/mcp",
            "https://a.example@b.example/mcp",
            "https://b.example/mcp",
            "https:///mcp",
            "https://a.example\\mcp",
        ] {
            assert!(!ours.is_within(audience), "{audience}");
        }
    }

    #[test]
    fn the_well_known_path_goes_before_its_own() {
        assert_eq!(
            resource("https://a.example/public/mcp/").metadata_url(),
            "https://a.example/.well-known/oauth-protected-resource/public/mcp"
        );
        assert_eq!(resource("https://a.example").metadata_path(), "/.well-known/oauth-protected-resource");
    }

    #[test]
    fn origins_are_exact() {
        let ours = resource("https://a.example/mcp").origins(["https://www.example:443"]);
        assert!(ours.allows_origin("https://A.example") && ours.allows_origin("https://www.example"));
        for other in ["null", "", "http://a.example", "https://a.example:8443", "https://x.a.example", "https://a.example/"] {
            assert!(!ours.allows_origin(other), "{other}");
        }
    }
}
