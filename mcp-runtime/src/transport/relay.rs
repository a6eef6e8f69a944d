//! Where a person obtains a relay session: `POST`, by what proves who they are.

use std::sync::Arc;
use std::time::SystemTime;

use ::http::request::Parts;
use ::http::{Response, StatusCode};

use super::body::ReplyBody;
use super::http::{TurnedDown, authenticate, check_origin, empty};
use crate::endpoint::Endpoint;

/// The answer to a request for one. Its body is not read.
pub(super) async fn answer(endpoint: &Arc<Endpoint>, head: &Parts) -> Response<ReplyBody> {
    let Some((_, relay)) = &endpoint.access.relay else { return empty(StatusCode::NOT_FOUND) };
    let answered = async {
        check_origin(endpoint, head)?;
        // Who is not known can lend nothing to a relay, also where anonymous callers are served.
        let known = authenticate(endpoint, head).await.and_then(|principal| principal.ok_or(TurnedDown::WithoutCredential));
        let principal = known.map_err(|turned_down| turned_down.into_response(endpoint))?;
        Ok::<_, Response<ReplyBody>>(relay.respond(head, &principal, SystemTime::now()).map(ReplyBody::whole))
    };
    answered.await.unwrap_or_else(|refused| refused)
}
