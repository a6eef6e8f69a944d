//! The one client with which authorization servers are asked.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, HeaderValue};
use http::{Request, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Proxy, Url};

use super::address::is_public;
use super::{Fetch, FetchError, FetchFuture, Trust};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// The least port, beside 443, that a document may name: below are the services of a machine, which might make something of it.
const FIRST_FREE_PORT: u16 = 1024;

/// A client for HTTPS that a document's author can not turn against us.
///
/// | | |
/// |---|---|
/// | certificates | of an authority in the system's store, or in the file that `SSL_CERT_FILE` names |
/// | scheme | `https`; `http` to loopback, and to hosts that [`allow_http`](Self::allow_http) names |
/// | time | 3 seconds to connect, 5 in all |
/// | answer | at most 1 MiB, as it came: nothing is inflated, no redirect is followed, no cookie is kept |
/// | URL | no user and password |
/// | proxy | none, whatever the environment says, but by [`proxy`](Self::proxy) |
///
/// A [discovered](Trust::Discovered) URL must be `https`, name port 443 or one from 1024 on, and lead to a public address: no
/// loopback, private, shared or link-local one, none of a cloud's metadata, and none of these in another's clothes. It is the
/// address that counts to which the connection is made, so a name that resolves differently the second time gains nothing.
///
/// ```
/// use mcp_auth::HttpsClient;
///
/// let client = HttpsClient::new()
///     .allow_http("django.internal")
///     .proxy("http://proxy.example.com:3128", ["login.microsoftonline.com"]);
/// ```
#[derive(Clone, Default)]
pub struct HttpsClient {
    http: Vec<Box<str>>,
    private: Vec<Box<str>>,
    proxy: Option<Box<str>>,
    proxied: Vec<Box<str>>,
    lookup: Lookup,
    ways: OnceLock<Result<Ways, Box<str>>>,
}

/// How a host is reached.
#[derive(Clone)]
struct Ways {
    configured: reqwest::Client,
    discovered: reqwest::Client,
    /// Has the host's address looked up by the proxy.
    proxied: Option<reqwest::Client>,
}

impl HttpsClient {
    /// With nothing allowed beside the rules above.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The one that authenticators ask with where they are given no other: it keeps connections open, for all of them.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<HttpsClient>> = OnceLock::new();
        SHARED.get_or_init(Arc::default).clone()
    }

    /// Allows plain HTTP to this host, by name or address, in URLs that the operator wrote.
    #[must_use]
    pub fn allow_http(mut self, host: impl Into<Box<str>>) -> Self {
        self.http.push(host.into());
        self.changed()
    }

    /// Trusts discovered URLs of this host as if the operator had written them: an authorization server in a private network
    /// whose metadata names others there.
    #[must_use]
    pub fn allow_private(mut self, host: impl Into<Box<str>>) -> Self {
        self.private.push(host.into());
        self.changed()
    }

    /// Asks these hosts, and only these, through the proxy at this URL. The proxy looks their addresses up, so the names decide.
    #[must_use]
    pub fn proxy<S: Into<Box<str>>>(mut self, url: impl Into<Box<str>>, hosts: impl IntoIterator<Item = S>) -> Self {
        self.proxy = Some(url.into());
        self.proxied.extend(hosts.into_iter().map(Into::into));
        self.changed()
    }

    fn changed(mut self) -> Self {
        self.ways = OnceLock::new();
        self
    }

    /// Which client may send this, if any.
    fn way(&self, url: &Url, trust: Trust) -> Result<&reqwest::Client, Box<str>> {
        if let Some(wrong) = self.lists().find(|host| !is_host(host)) {
            return Err(format!("`{wrong}` is no host: give a name or an address, without scheme, port and path").into());
        }
        let ways = self.ways.get_or_init(|| Ways::new(self).map_err(Box::from)).as_ref().map_err(Clone::clone)?;
        let host = url.host_str().map(|host| host.strip_suffix('.').unwrap_or(host)).filter(|host| !host.is_empty());
        let Some(host) = host else { return Err("the URL has no host".into()) };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("the URL of `{host}` has a user or a password: give credentials by their own option").into());
        }
        let listed = |list: &[Box<str>]| list.iter().any(|entry| bare(entry).eq_ignore_ascii_case(bare(host)));
        let trust = if listed(&self.private) { Trust::Configured } else { trust };
        match (url.scheme(), trust) {
            ("https", _) => {}
            ("http", Trust::Configured) if is_loopback(host) || listed(&self.http) => {}
            ("http", Trust::Configured) => {
                let how = format!("use https, or add `.fetching_with(HttpsClient::new().allow_http(\"{host}\"))`");
                return Err(format!("`{host}` would be asked over plain HTTP: {how}").into());
            }
            _ => return Err(format!("`{host}` would not be asked over HTTPS").into()),
        }
        if let Some(proxied) = ways.proxied.as_ref().filter(|_| listed(&self.proxied)) {
            return Ok(proxied);
        }
        match trust {
            Trust::Configured => Ok(&ways.configured),
            // The names' addresses are judged when they are looked up; an address written out is never looked up.
            Trust::Discovered if address(host).is_some_and(|address| !is_public(address)) => {
                Err(format!("`{host}` is no public address").into())
            }
            Trust::Discovered => match url.port() {
                Some(port) if port < FIRST_FREE_PORT => {
                    Err(format!("`{host}` has port {port}: only 443, and ports from {FIRST_FREE_PORT} on, are used").into())
                }
                _ => Ok(&ways.discovered),
            },
        }
    }

    fn lists(&self) -> impl Iterator<Item = &Box<str>> {
        self.http.iter().chain(&self.private).chain(&self.proxied)
    }
}

impl Fetch for HttpsClient {
    fn fetch(&self, request: Request<Vec<u8>>, trust: Trust) -> FetchFuture<'_> {
        Box::pin(async move {
            let mut request = reqwest::Request::try_from(request).map_err(|_| FetchError::new("the URL can not be read"))?;
            request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            let client = self.way(request.url(), trust).map_err(FetchError::new)?;
            let host = request.url().host_str().unwrap_or_default().to_owned();
            exchange(client, request).await.map_err(|why| FetchError::new(format!("{host}: {why}")))
        })
    }

    fn problem(&self, url: &str, trust: Trust) -> Option<String> {
        let Ok(parsed) = Url::parse(url) else { return Some(format!("`{url}` is no absolute URL")) };
        self.way(&parsed, trust).err().map(String::from)
    }
}

async fn exchange(client: &reqwest::Client, request: reqwest::Request) -> Result<Response<Vec<u8>>, String> {
    let too_long = || format!("the answer is longer than {MAX_ANSWER} bytes");
    let mut answer = client.execute(request).await.map_err(why)?;
    if answer.content_length().is_some_and(|length| length > MAX_ANSWER as u64) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(why)? {
        if body.len() + piece.len() > MAX_ANSWER {
            return Err(too_long());
        }
        body.extend_from_slice(&piece);
    }
    let mut response = Response::new(body);
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

/// The last of an error's causes, which says most. The URL is left out: it may be long, and somebody else's text.
fn why(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

impl Ways {
    fn new(settings: &HttpsClient) -> Result<Self, String> {
        let build = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|error| format!("HTTPS can not be spoken here: {}", why(error)))
        };
        let proxied = match &settings.proxy {
            None => None,
            Some(url) => {
                // Not as it is: it may have a password.
                let proxy = Proxy::all(&**url).map_err(|error| format!("the URL of the proxy is wrong: {}", why(error)))?;
                Some(build(plain().proxy(proxy))?)
            }
        };
        let resolver = |public_only| Resolver { lookup: settings.lookup.clone(), public_only };
        Ok(Self {
            configured: build(plain().dns_resolver(resolver(false)))?,
            discovered: build(plain().https_only(true).dns_resolver(resolver(true)))?,
            proxied,
        })
    }
}

/// Says each rule although it is the default without some feature: the application may have the feature on.
fn plain() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_rustls()
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .user_agent(concat!("mcp-auth/", env!("CARGO_PKG_VERSION")))
}

type Addresses = Pin<Box<dyn Future<Output = std::io::Result<Vec<SocketAddr>>> + Send>>;

/// How names become addresses.
#[derive(Clone)]
struct Lookup(Arc<dyn Fn(String) -> Addresses + Send + Sync>);

impl Default for Lookup {
    fn default() -> Self {
        Self(Arc::new(|name| Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })))
    }
}

/// Hands on only the addresses that may be connected to.
struct Resolver {
    lookup: Lookup,
    public_only: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (name, public_only) = (name.as_str().to_owned(), self.public_only);
        let addresses = (self.lookup.0)(name.clone());
        Box::pin(async move {
            let mut addresses = addresses.await?;
            // The name alone has allowed plain HTTP: it must be what it says (RFC 6761 section 6.3).
            let loopback_only = is_loopback(name.strip_suffix('.').unwrap_or(&name));
            addresses
                .retain(|address| (!public_only || is_public(address.ip())) && (!loopback_only || address.ip().is_loopback()));
            if addresses.is_empty() {
                return Err(format!("`{name}` has no address that may be connected to").into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || address(host).is_some_and(|address| address.is_loopback())
}

fn address(host: &str) -> Option<IpAddr> {
    bare(host).parse().ok()
}

/// Without the brackets that an IPv6 address has in a URL.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn is_host(text: &str) -> bool {
    address(text).is_some() || (!text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)))
}

/// The proxy's URL may have a password.
impl fmt::Debug for HttpsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsClient")
            .field("http", &self.http)
            .field("private", &self.private)
            .field("proxied", &self.proxied)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
