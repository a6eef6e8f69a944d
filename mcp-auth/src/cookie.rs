//! The rules for what browsers send by themselves.

use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method};

use crate::{Rejection, Resource};

/// The value of this cookie. HTTP/2 may split the header (RFC 9113 section 8.2.3), so all are read.
///
/// # Errors
/// The cookie is there twice: a neighbouring site may have put one of them there, and nobody can tell which.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Rejection> {
    let mut found = None;
    for header in headers.get_all(COOKIE) {
        let Ok(header) = header.to_str() else { return Err(Rejection::invalid_request("malformed Cookie header")) };
        for pair in header.split(';') {
            let Some((key, value)) = pair.trim_matches([' ', '\t']).split_once('=') else { continue };
            if key.trim_end_matches([' ', '\t']) != name {
                continue;
            }
            let value = value.trim_start_matches([' ', '\t']);
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            if let Some(other) = found.replace(value) {
                let twice = Rejection::invalid_request("the session cookie is given twice");
                return Err(if other == value { twice.of(value) } else { twice });
            }
        }
    }
    Ok(found.filter(|value| !value.is_empty()))
}

/// May this request use a session? Where it could be another site's doing, it may not: a page elsewhere can make browsers
/// send it, cookie and all.
pub(crate) fn check(head: &Parts, resource: Option<&Resource>) -> Result<(), Rejection> {
    let is_safe = matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if is_safe && !wants_events(&head.headers) {
        return Ok(());
    }
    let mut origins = head.headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) => {
            let allowed = origin.to_str().is_ok_and(|origin| resource.is_some_and(|resource| resource.allows_origin(origin)));
            if !allowed {
                return Err(Rejection::cross_site("cookie_of_a_foreign_origin"));
            }
        }
        (None, _) if is_same_origin(&head.headers) => {}
        _ => return Err(Rejection::cross_site("cookie_without_an_origin")),
    }
    // What a form can send, another site's form can.
    if is_safe || head.method == Method::DELETE || is_json(&head.headers) {
        Ok(())
    } else {
        Err(Rejection::unsupported_media_type())
    }
}

fn wants_events(headers: &HeaderMap) -> bool {
    let named = |value: &[u8]| value.to_ascii_lowercase().windows(17).any(|at| at == b"text/event-stream");
    headers.get_all(ACCEPT).iter().any(|value| named(value.as_bytes()))
}

/// Browsers alone can set this header (Fetch Metadata, section 2.2).
fn is_same_origin(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    sites.next().is_some_and(|site| site == "same-origin") && sites.next().is_none()
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    // Of two, somebody between may have read the other.
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(method: &str, headers: &[(&'static str, &'static str)]) -> Parts {
        let mut request = Request::new(());
        *request.method_mut() = method.parse().expect("a method");
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("a value"));
        }
        request.into_parts().0
    }

    #[test]
    fn a_cookie_is_found_once_or_refused() {
        let of = |headers: &[(&'static str, &'static str)]| {
            cookie(&head("POST", headers).headers, "sessionid").map(|value| value.map(str::to_owned)).map_err(|r| r.message())
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[("cookie", "a=1; sessionid=abc; b=2")]), Ok(Some("abc".to_owned())));
        assert_eq!(of(&[("cookie", "a=1"), ("cookie", "sessionid=\"abc\"")]), Ok(Some("abc".to_owned())));
        assert_eq!(of(&[("cookie", "xsessionid=abc; sessionid=; sessionid2=x")]), Ok(None));
        assert!(of(&[("cookie", "sessionid=a; sessionid=b")]).is_err());
        assert!(of(&[("cookie", "sessionid=a"), ("cookie", "sessionid=a")]).is_err());
    }

    #[test]
    fn a_session_needs_a_request_of_this_site() {
        let ours = Resource::new("https://a.example/mcp").expect("a URL").origins(["https://www.a.example"]);
        let told = |method, headers: &[_]| check(&head(method, headers), Some(&ours)).map_err(|r| r.kind().status().as_u16());
        let json = ("content-type", "application/json; charset=utf-8");
        assert_eq!(told("POST", &[("origin", "https://a.example"), json]), Ok(()));
        assert_eq!(told("POST", &[("origin", "https://www.a.example"), json]), Ok(()));
        assert_eq!(told("POST", &[("sec-fetch-site", "same-origin"), json]), Ok(()));
        assert_eq!(told("DELETE", &[("sec-fetch-site", "same-origin")]), Ok(()));
        assert_eq!(told("GET", &[]), Ok(()), "a page");
        for (method, header) in [
            ("POST", ("origin", "https://evil.example")),
            ("POST", ("origin", "null")),
            ("POST", ("origin", "http://localhost:6274")),
            ("POST", ("sec-fetch-site", "same-site")),
            ("POST", ("x", "y")),
            ("GET", ("accept", "Text/Event-Stream")),
            ("DELETE", ("origin", "https://evil.example")),
        ] {
            assert_eq!(told(method, &[header, json]), Err(403), "{method} {header:?}");
        }
        let both = [("sec-fetch-site", "same-origin"), ("origin", "https://evil.example"), json];
        assert_eq!(told("POST", &both), Err(403), "an origin that is there counts");
        assert_eq!(told("POST", &[("origin", "https://a.example"), ("origin", "https://a.example"), json]), Err(403));
        assert_eq!(told("POST", &[("origin", "https://a.example"), ("content-type", "text/plain")]), Err(415));
        assert!(check(&head("POST", &[("origin", "https://a.example"), json]), None).is_err(), "nothing is known to be ours");
    }
}
