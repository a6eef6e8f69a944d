//! Which audiences of a token cover a resource, by the rule of Django OAuth Toolkit.

use crate::Resource;

/// Does this audience name the resource, or what it is a part of? Dot segments are resolved and the query does not count, as
/// Django OAuth Toolkit has it; a user or a fragment never matches.
pub(super) fn covers(resource: &Resource, audience: &str) -> bool {
    if audience.contains('#') {
        return false;
    }
    let audience = audience.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = audience.split_once("://") else { return false };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let audience = format!("{scheme}://{authority}{}", without_dots(path));
    resource.is_named_by(&audience) || resource.is_within(&audience)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_covered_by_what_it_is_a_part_of() {
        let ours = Resource::new("https://a.example/mcp/v2").expect("a URL");
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
            assert!(covers(&ours, audience), "{audience}");
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
            assert!(!covers(&ours, audience), "{audience}");
        }
    }
}
