//! Which era a message belongs to (MCP 2026-07-28, "Versioning", "Backward Compatibility").
//!
//! The body decides: only the per-request era names its version in `_meta`. Where it does not, the version header tells a
//! broken request of that era from a legacy one. No other header is a sign of an era: proxies add and strip them.

use http::HeaderMap;

use super::{Code, Era, Incoming, Refusal, headers, printable};

/// How a message is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Modern,
    /// With the revision that the header names, if there is one.
    Legacy(Option<Era>),
}

/// `http` is absent on transports without headers.
pub(crate) fn classify(message: &Incoming<'_>, http: Option<&HeaderMap>) -> Result<Wire, Refusal> {
    if message.claims_a_version() {
        return Ok(Wire::Modern);
    }
    let Some(http) = http else { return Ok(Wire::Legacy(None)) };
    wire_of(http).map_err(|refusal| refusal.with_id(message.id()))
}

/// What the version header alone says.
pub(crate) fn wire_of(http: &HeaderMap) -> Result<Wire, Refusal> {
    let named = headers::single(http, &headers::PROTOCOL_VERSION, "MCP-Protocol-Version");
    let Some(version) = named.map_err(Refusal::without_modern_code)? else { return Ok(Wire::Legacy(None)) };
    match Era::of(version) {
        Some(era) if era.is_legacy() => Ok(Wire::Legacy(Some(era))),
        Some(_) => Ok(Wire::Modern),
        None if version > Era::NEWEST_LEGACY.version() => Err(Refusal::unsupported_version(version)),
        None => {
            let (known, version) = (Era::LEGACY.map(Era::version).join(", "), printable(version));
            let message = format!("MCP-Protocol-Version is {version}, none of the versions that open with initialize: {known}");
            Err(Refusal::bad(Code::InvalidRequest, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str, version: Option<&str>) -> Result<Wire, i32> {
        let mut headers = HeaderMap::new();
        if let Some(version) = version {
            headers.insert(&headers::PROTOCOL_VERSION, version.parse().expect("a header"));
        }
        classify(&Incoming::parse(body).expect("a message"), Some(&headers)).map_err(|refusal| refusal.code.number())
    }

    #[test]
    fn the_body_decides_then_the_header() {
        let claims =
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":5}}}"#;
        let silent = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"_meta":{"x":1}}}"#;
        for header in [None, Some("2025-06-18"), Some("2026-07-28"), Some("no version")] {
            assert_eq!(told(claims, header), Ok(Wire::Modern), "{header:?}");
        }
        assert_eq!(told(silent, None), Ok(Wire::Legacy(None)));
        assert_eq!(told(silent, Some(" 2025-06-18 ")), Ok(Wire::Legacy(Some(Era::V2025_06_18))));
        assert_eq!(told(silent, Some("2026-07-28")), Ok(Wire::Modern));
        for unknown in ["2024-11-05", "", "1.0"] {
            assert_eq!(told(silent, Some(unknown)), Err(-32600), "{unknown}");
        }
        for unknown in ["2025-11-26", "2027-01-01", "latest"] {
            assert_eq!(told(silent, Some(unknown)), Err(-32022), "{unknown}");
        }
    }
}
