//! Against a server of this process on loopback, which is the one place that plain HTTP may go.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers every connection with this text, and counts them; hands back what the last one sent.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    seen: tokio::sync::mpsc::UnboundedReceiver<String>,
}

async fn server(answer: impl Into<Vec<u8>>) -> Server {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let connections = Arc::new(AtomicUsize::new(0));
    let (tell, seen) = tokio::sync::mpsc::unbounded_channel();
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let _ = tell.send(String::from_utf8_lossy(&request[..length]).into_owned());
            let _ = stream.write_all(&answer).await;
            // Without an answer, the client waits.
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
        }
    });
    Server { address, connections, seen }
}

fn get(url: &str) -> Request<Vec<u8>> {
    Request::get(url).body(Vec::new()).expect("a URL")
}

async fn fetch(client: &HttpsClient, url: &str, trust: Trust) -> Result<Response<Vec<u8>>, String> {
    client.fetch(get(url), trust).await.map_err(|error| error.to_string())
}

/// A client for which every name is at this address.
fn everywhere(address: SocketAddr) -> HttpsClient {
    let lookup: Lookup = Lookup(Arc::new(move |_| Box::pin(std::future::ready(Ok(vec![address])))));
    HttpsClient { lookup, ..HttpsClient::new() }
}

#[tokio::test]
async fn an_answer_comes_as_it_was_sent() {
    let mut server = server("HTTP/1.1 403 Forbidden\r\nx-a: b\r\ncontent-length: 2\r\n\r\nno").await;
    let mut request = get(&format!("http://{}/x?y", server.address));
    *request.body_mut() = b"token=abc".to_vec();
    *request.method_mut() = http::Method::POST;
    let answer = HttpsClient::new().fetch(request, Trust::Configured).await.expect("an answer");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["x-a"], &answer.body()[..]),
        (403, &"b".parse().expect("text"), &b"no"[..])
    );
    let seen = server.seen.recv().await.expect("a request");
    assert!(seen.starts_with("POST /x?y HTTP/1.1\r\n") && seen.ends_with("\r\n\r\ntoken=abc"), "{seen}");
    assert!(seen.contains("accept-encoding: identity\r\n") && !seen.contains("cookie"), "{seen}");
}

#[tokio::test]
async fn redirects_are_answers() {
    let server = server("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n").await;
    let answer = fetch(&HttpsClient::new(), &format!("http://{}/", server.address), Trust::Configured).await;
    assert_eq!(answer.expect("an answer").status().as_u16(), 302);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn no_cookie_is_kept() {
    let mut server = server("HTTP/1.1 200 OK\r\nset-cookie: a=b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
    let (client, url) = (HttpsClient::new(), format!("http://{}/", server.address));
    for _ in 0..2 {
        fetch(&client, &url, Trust::Configured).await.expect("an answer");
        assert!(!server.seen.recv().await.expect("a request").contains("cookie"));
    }
}

#[tokio::test]
async fn long_answers_are_cut_off_however_they_are_sent() {
    let long = "x".repeat(MAX_ANSWER + 1);
    let announced = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", usize::MAX >> 1);
    let until_the_end = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{long}");
    let in_chunks = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    for answer in [announced, until_the_end, in_chunks] {
        let server = server(answer).await;
        let error = fetch(&HttpsClient::new(), &format!("http://{}/", server.address), Trust::Configured).await;
        assert!(error.expect_err("too long").contains("longer than 1048576 bytes"));
    }
    let longest = &long[1..];
    let server = server(format!("HTTP/1.1 200 OK\r\ncontent-length: {MAX_ANSWER}\r\n\r\n{longest}")).await;
    let answer = fetch(&HttpsClient::new(), &format!("http://{}/", server.address), Trust::Configured).await;
    assert_eq!(answer.expect("the longest").body().len(), MAX_ANSWER);
}

#[tokio::test]
async fn nothing_is_inflated() {
    let server = server(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\x8b\x08".as_slice()).await;
    let answer = fetch(&HttpsClient::new(), &format!("http://{}/", server.address), Trust::Configured).await;
    assert_eq!(answer.expect("as it is").body(), b"\x1f\x8b\x08");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let server = server("").await;
    let start = tokio::time::Instant::now();
    let error = fetch(&HttpsClient::new(), &format!("http://{}/", server.address), Trust::Configured).await;
    assert!(error.expect_err("no answer").ends_with("no answer in time"));
    assert!(start.elapsed() <= TIMEOUT + Duration::from_millis(100));
}

#[tokio::test]
async fn a_name_of_a_neighbour_is_never_connected_to() {
    let server = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let client = everywhere(server.address);
    let url = format!("https://auth.example:{}/", server.address.port().max(FIRST_FREE_PORT));
    let error = fetch(&client, &url, Trust::Discovered).await.expect_err("a private address");
    assert!(error.contains("has no address that may be connected to"), "{error}");
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
    // The operator may mean it. What answers there is no TLS.
    let error = fetch(&client, &url, Trust::Configured).await.expect_err("no TLS");
    assert!(!error.contains("has no address"), "{error}");
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn of_several_addresses_only_the_public_ones_are_tried() {
    let resolver = |addresses: [&str; 2], public_only| {
        let addresses: Vec<SocketAddr> = addresses.iter().map(|text| format!("{text}:0").parse().expect("an address")).collect();
        let lookup = Lookup(Arc::new(move |_| Box::pin(std::future::ready(Ok(addresses.clone())))));
        Resolver { lookup, public_only }
    };
    let name = |text: &str| text.parse::<Name>().expect("a name");
    let found = resolver(["169.254.169.254", "1.1.1.1"], true).resolve(name("a.example")).await;
    assert_eq!(found.expect("one is public").collect::<Vec<_>>(), ["1.1.1.1:0".parse().expect("an address")]);
    assert!(resolver(["10.0.0.1", "[::1]"], true).resolve(name("a.example")).await.is_err());
    let found = resolver(["10.0.0.1", "1.1.1.1"], false).resolve(name("a.example")).await;
    assert_eq!(found.expect("all are allowed").count(), 2);
    // Plain HTTP is allowed to `localhost` for its name: another's server can not be behind it.
    let found = resolver(["10.0.0.1", "127.0.0.1"], false).resolve(name("localhost")).await;
    assert_eq!(found.expect("one is loopback").count(), 1);
}

#[test]
fn plain_http_goes_to_loopback_and_where_it_is_allowed() {
    let client = HttpsClient::new().allow_http("django.internal").allow_http("10.0.0.7");
    let allowed = |url: &str| client.problem(url, Trust::Configured).is_none();
    for url in ["http://127.0.0.1:8000/", "http://[::1]/", "http://localhost:1/", "http://LOCALHOST./", "http://127.1/"] {
        assert!(allowed(url), "{url}");
    }
    assert!(allowed("http://django.internal:8000/o/") && allowed("http://Django.Internal/") && allowed("http://10.0.0.7/"));
    for url in ["http://auth.example/", "http://x.django.internal/", "http://10.0.0.8/", "http://localhost.example/"] {
        let problem = client.problem(url, Trust::Configured).expect("plain HTTP");
        assert!(problem.contains("plain HTTP"), "{problem}");
        assert!(problem.contains("`.fetching_with(HttpsClient::new().allow_http(\""), "{problem}");
    }
    for url in ["http://127.0.0.1/", "http://django.internal/", "http://auth.example/"] {
        assert!(client.problem(url, Trust::Discovered).is_some(), "{url}");
    }
}

#[test]
fn addresses_in_discovered_urls_must_be_public() {
    let client = HttpsClient::new();
    let problem = |url: &str| client.problem(url, Trust::Discovered);
    assert_eq!(problem("https://1.1.1.1/"), None);
    assert_eq!(problem("https://[2606:4700::1111]/"), None);
    for url in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.0.0.1/",
        "https://0251.0376.0251.0376/",
        "https://127.0.0.1./",
        "https://169.254.169.254/latest/meta-data",
        "https://100.100.100.200/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://[fd00:ec2::254]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:7f00:1::]/",
    ] {
        assert!(problem(url).is_some_and(|problem| problem.contains("no public address")), "{url}");
        assert_eq!(client.problem(url, Trust::Configured), None, "{url}");
    }
}

#[test]
fn urls_have_a_host_no_user_and_no_odd_port() {
    let client = HttpsClient::new();
    for trust in [Trust::Configured, Trust::Discovered] {
        for url in ["https://u@auth.example/", "https://u:p@auth.example/", "https://:p@auth.example/"] {
            let problem = client.problem(url, trust).expect("a user");
            assert!(problem.contains("user or a password") && !problem.contains(":p"), "{problem}");
        }
        for url in ["", "/o/introspect/", "auth.example", "ftp://auth.example/", "file:///etc/passwd", "https://"] {
            assert!(client.problem(url, trust).is_some(), "{url}");
        }
        assert_eq!(client.problem("https://auth.example:8443/", trust), None);
        assert_eq!(client.problem("https://auth.example:443/", trust), None);
    }
    assert!(client.problem("https://auth.example:25/", Trust::Discovered).is_some_and(|problem| problem.contains("port 25")));
    assert_eq!(client.problem("https://auth.example:25/", Trust::Configured), None);
}

#[test]
fn hosts_that_the_operator_names_may_be_private() {
    let client = HttpsClient::new().allow_private("10.0.0.7").allow_private("fd00::7");
    assert_eq!(client.problem("https://10.0.0.7/", Trust::Discovered), None);
    assert_eq!(client.problem("https://[fd00::7]/", Trust::Discovered), None);
    assert!(client.problem("https://10.0.0.8/", Trust::Discovered).is_some());
    assert!(client.problem("http://10.0.0.7/", Trust::Discovered).is_some(), "that is another permission");
}

#[tokio::test]
async fn only_listed_hosts_are_asked_through_the_proxy() {
    let mut proxy = server("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await;
    let nowhere = "127.0.0.1:1".parse().expect("an address");
    let client = everywhere(nowhere).proxy(format!("http://{}", proxy.address), ["auth.example"]);
    fetch(&client, "https://auth.example/keys", Trust::Discovered).await.expect_err("the proxy refuses");
    assert!(proxy.seen.recv().await.expect("a request").starts_with("CONNECT auth.example:443 "));
    fetch(&client, "https://other.example/keys", Trust::Discovered).await.expect_err("nobody is there");
    fetch(&client, "https://other.example/keys", Trust::Configured).await.expect_err("nobody is there");
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn mistakes_are_named() {
    let problem = |client: HttpsClient| client.problem("https://auth.example/", Trust::Configured).expect("a mistake");
    assert!(problem(HttpsClient::new().allow_http("http://django.internal")).contains("`http://django.internal` is no host"));
    assert!(problem(HttpsClient::new().allow_private("a:80")).contains("`a:80` is no host"));
    let wrong = problem(HttpsClient::new().proxy("http://u:secret@:x", ["auth.example"]));
    assert!(wrong.contains("the URL of the proxy is wrong") && !wrong.contains("secret"), "{wrong}");
    let client = HttpsClient::new().proxy("http://u:secret@proxy.example", ["auth.example"]);
    assert!(!format!("{client:?}").contains("secret"));
}
