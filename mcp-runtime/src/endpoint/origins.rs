//! The names the server answers to: hosts, origins, the public URL.

use http::Uri;
use mcp_auth::Resource;

use crate::error::Problem;

/// Which `Host` and `Origin` headers are answered. Exact lists: a page that a forged name leads here is refused (DNS
/// rebinding; MCP 2026-07-28, Streamable HTTP, "Security").
#[derive(Debug, Default)]
pub(crate) struct Origins {
    /// `localhost`, `127.0.0.1` and `[::1]` count, on any port.
    loopback: bool,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Origins {
    pub(crate) fn new(loopback: bool) -> Self {
        Self { loopback, ..Self::default() }
    }

    /// Is this a name of the server? `host` as in the header.
    pub(crate) fn allows_host(&self, host: &str) -> bool {
        (self.loopback && is_loopback(without_port(host))) || self.hosts.iter().any(|known| same_host(known, host))
    }

    /// May pages of this origin call? `null` is an origin like any other, and never on the list.
    pub(crate) fn allows_origin(&self, origin: &str) -> bool {
        let local = || {
            let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            host.is_some_and(|host| is_loopback(without_port(host)))
        };
        (self.loopback && local()) || self.origins.iter().any(|known| known.eq_ignore_ascii_case(plain_origin(origin)))
    }

    pub(crate) fn add_host(&mut self, host: &str) -> Result<(), Problem> {
        let valid = host.parse::<http::uri::Authority>().is_ok_and(|parsed| parsed.as_str() == host)
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
        if !valid {
            return Err(Problem::setting(
                "allow_host",
                host,
                "a host name or address, with a port if it is not the scheme's own",
            ));
        }
        self.hosts.push(without_default_port(host).to_owned());
        Ok(())
    }

    pub(crate) fn add_origin(&mut self, origin: &str) -> Result<(), Problem> {
        let parsed = origin.parse::<Uri>().ok();
        let valid = parsed.is_some_and(|uri| {
            let scheme = uri.scheme_str().unwrap_or_default();
            uri.authority().is_some_and(|authority| origin == format!("{scheme}://{authority}") && !origin.contains('@'))
        });
        if !valid {
            return Err(Problem::setting(
                "allow_origin",
                origin,
                "an origin, `https://app.example` for example: scheme, host, port, and nothing behind",
            ));
        }
        self.origins.push(plain_origin(origin).to_owned());
        Ok(())
    }

    /// A host that was added and is no name of this machine alone.
    pub(crate) fn far_host(&self) -> Option<&str> {
        self.hosts.iter().map(String::as_str).find(|host| !is_loopback(without_port(host)))
    }

    pub(crate) fn add_public(&mut self, url: &PublicUrl) {
        let host = url.origin.split_once("://").map(|(_, authority)| authority.to_owned());
        self.hosts.extend(host);
        self.origins.push(url.origin.clone());
    }
}

/// A port is a number; the colons of an IPv6 address stand in brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok() => name,
        _ => host,
    }
}

/// An origin as browsers write it: without its scheme's own port.
fn plain_origin(origin: &str) -> &str {
    let port = if origin.starts_with("https:") { ":443" } else { ":80" };
    origin.strip_suffix(port).unwrap_or(origin)
}

fn is_loopback(host: &str) -> bool {
    host == "127.0.0.1" || host.eq_ignore_ascii_case("localhost") || host == "[::1]"
}

/// Equal, but for the ports that clients leave out.
fn same_host(known: &str, host: &str) -> bool {
    known.eq_ignore_ascii_case(without_default_port(host))
}

fn without_default_port(host: &str) -> &str {
    host.strip_suffix(":443").or_else(|| host.strip_suffix(":80")).unwrap_or(host)
}

/// The URL of the endpoint as clients reach it.
#[derive(Clone, Debug)]
pub(crate) struct PublicUrl {
    /// Scheme, host and port.
    origin: String,
    pub(crate) is_local: bool,
}

impl PublicUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, Problem> {
        let wrong = || {
            Problem::setting(
                "public_url",
                url,
                "an `https://` URL without user, query and fragment (`http://` only for localhost)",
            )
        };
        let resource = Resource::new(url).ok_or_else(wrong)?;
        let (scheme, authority) = resource.origin().split_once("://").ok_or_else(wrong)?;
        let is_local = is_loopback(without_port(authority));
        if scheme == "https" || is_local { Ok(Self { origin: resource.origin().to_owned(), is_local }) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_matched_exactly() {
        let local = Origins::new(true);
        for host in ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:80", "[::1]"] {
            assert!(local.allows_host(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "",
            "localhost:8000@evil.example",
            "::1",
        ] {
            assert!(!local.allows_host(host), "{host}");
        }
        let mut public = Origins::new(false);
        public.add_public(&PublicUrl::parse("https://MCP.example.com/mcp").expect("a URL"));
        assert!(public.allows_host("mcp.example.com") && public.allows_host("mcp.example.com:443"));
        assert!(
            !public.allows_host("mcp.example.com:8443") && !public.allows_host("localhost") && !public.allows_host("example.com")
        );
        assert!(public.allows_origin("https://mcp.example.com"));
    }

    #[test]
    fn origins_are_matched_exactly() {
        let mut origins = Origins::new(true);
        origins.add_origin("https://app.example").expect("an origin");
        for origin in ["http://localhost:6274", "https://127.0.0.1", "http://[::1]:3000", "https://app.example"] {
            assert!(origins.allows_origin(origin), "{origin}");
        }
        for origin in [
            "null",
            "",
            "https://evil.example",
            "http://app.example",
            "https://app.example:444",
            "https://app.example:80",
            "http://localhost:99999",
            "http://localhost.evil.example",
            "file://localhost",
        ] {
            assert!(!origins.allows_origin(origin), "{origin}");
        }
        for bad in ["app.example", "https://app.example/", "https://app.example/x", "https://u@app.example", "*"] {
            assert!(origins.add_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn public_urls_are_secure() {
        for good in ["https://a.example/mcp", "http://localhost:8000/mcp", "http://127.0.0.1/mcp"] {
            assert!(PublicUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example/mcp",
            "ftp://a.example",
            "/mcp",
            "https://a.example/?q",
            "https://u@a.example/",
            "https://a.example/#f",
        ] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
