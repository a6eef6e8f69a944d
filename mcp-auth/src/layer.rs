//! Authentication for any tower service.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Extensions, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Auth, Decision, Peer, Principal, Rejection};

/// Lets in whom a chain accepts, and answers all others itself.
///
/// The service inside finds the [`Principal`] among the extensions of the request; in axum, that is `Extension<Principal>`. It
/// does not see what proved it: `Authorization` and the [headers](Auth::headers) of the authenticators are taken out. Cookies
/// stay, since the application needs its own.
///
/// ```
/// use axum::routing::get;
/// use axum::{Extension, Router};
/// use mcp_auth::{Auth, AuthLayer, Principal, StaticTokens};
///
/// async fn report(Extension(caller): Extension<Principal>) -> String {
///     format!("for {}", caller.subject())
/// }
///
/// let auth = Auth::chain().with(StaticTokens::new().token("9f2c61d8a7e04b3f8d15", Principal::user("ci")));
/// let app: Router = Router::new().route("/report", get(report)).layer(AuthLayer::try_new(auth)?);
/// # Ok::<(), mcp_auth::AuthLayerError>(())
/// ```
///
/// In axum, layers that are added later run earlier. A session layer must run before this one, so add it after; so must a
/// layer that answers CORS preflights, which carry no credential and would be turned down here.
///
/// # Where only a part is protected
/// The metadata (RFC 9728) is at a path of its own, outside of what is protected, so give it a route:
///
/// ```
/// use axum::Router;
/// use axum::body::Body;
/// use axum::http::{Method, StatusCode};
/// use axum::routing::{any, get};
/// use mcp_auth::{Auth, AuthLayer, Resource};
///
/// # fn app(auth: Auth) -> Result<Router, Box<dyn std::error::Error>> {
/// let resource = Resource::new("https://www.example.com/reports").ok_or("no URL")?;
/// let path = resource.metadata_path();
/// let auth = auth.protecting(resource);
/// let metadata = auth.clone();
///
/// let reports = Router::new().route("/", get(|| async { "a report" })).layer(AuthLayer::try_new(auth)?);
/// let app: Router = Router::new().nest("/reports", reports).route(
///     &path,
///     any(move |method: Method| async move {
///         metadata.metadata_answer(&method).map(|answer| answer.map(Body::from)).ok_or(StatusCode::NOT_FOUND)
///     }),
/// );
/// # Ok(app)
/// # }
/// ```
#[derive(Clone)]
pub struct AuthLayer(Arc<Policy>);

type Hear = dyn Fn(&Rejection) + Send + Sync;

#[derive(Clone)]
struct Policy {
    auth: Auth,
    allow_anonymous: bool,
    serves_metadata: bool,
    bodies_are_checked: bool,
    on_rejection: Option<Arc<Hear>>,
    peer: Option<fn(&Extensions) -> Option<SocketAddr>>,
}

impl AuthLayer {
    /// A layer that lets in whom `auth` accepts.
    ///
    /// # Errors
    /// The configuration of `auth` has [problems](Auth::problems).
    pub fn try_new(auth: Auth) -> Result<Self, AuthLayerError> {
        let problems = auth.problems();
        if !problems.is_empty() {
            return Err(AuthLayerError { problems });
        }
        let policy = Policy {
            auth,
            allow_anonymous: false,
            serves_metadata: false,
            bodies_are_checked: false,
            on_rejection: None,
            peer: None,
        };
        Ok(Self(Arc::new(policy)))
    }

    /// Lets requests without a credential in as well; they have no principal. What carries one that is wrong is turned down
    /// all the same.
    #[must_use]
    pub fn allow_anonymous(self) -> Self {
        self.change(|policy| policy.allow_anonymous = true)
    }

    /// Serves the metadata of the protected resource (RFC 9728), to everybody, at
    /// [`Resource::metadata_path`](crate::Resource::metadata_path). Where nobody issues tokens there is
    /// [no document](Auth::metadata), and the path is like any other.
    ///
    /// The request must come to this layer with its whole path, so it must be around the application's outermost router.
    #[must_use]
    pub fn metadata(self) -> Self {
        self.change(|policy| policy.serves_metadata = true)
    }

    /// Lets in who comes by a credential for one body: the service inside compares it, by [`Principal::body_digest`]. Without,
    /// such a credential is turned down, since this layer reads no body, and whoever signed it relies on the comparison.
    #[must_use]
    pub fn bodies_are_checked(self) -> Self {
        self.change(|policy| policy.bodies_are_checked = true)
    }

    /// Calls this with each rejection, to log it: the layer itself writes nothing.
    ///
    /// ```
    /// # fn layer(layer: mcp_auth::AuthLayer) -> mcp_auth::AuthLayer {
    /// layer.on_rejection(|rejection| eprintln!("request turned down: {rejection}"))
    /// # }
    /// ```
    #[must_use]
    pub fn on_rejection(self, hear: impl Fn(&Rejection) + Send + Sync + 'static) -> Self {
        self.change(|policy| policy.on_rejection = Some(Arc::new(hear)))
    }

    /// Says where the [address of the peer](Peer) is found, which trusted proxies are known by. With axum:
    ///
    /// ```
    /// use std::net::SocketAddr;
    ///
    /// use axum::extract::ConnectInfo;
    ///
    /// # fn layer(layer: mcp_auth::AuthLayer) -> mcp_auth::AuthLayer {
    /// layer.peer(|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0))
    /// # }
    /// ```
    ///
    /// It must be the address of the connection: what a header says, anybody can say.
    #[must_use]
    pub fn peer(self, peer: fn(&Extensions) -> Option<SocketAddr>) -> Self {
        self.change(|policy| policy.peer = Some(peer))
    }

    fn change(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl Policy {
    fn metadata_answer<B>(&self, request: &Request<B>) -> Option<Response<Vec<u8>>> {
        let path = self.serves_metadata.then(|| self.auth.resource())??.metadata_path();
        if request.uri().path() == path { self.auth.metadata_answer(request.method()) } else { None }
    }

    /// `Err` is the answer to who may not come in.
    async fn admit(&self, head: &mut Parts) -> Result<(), Response<Vec<u8>>> {
        if let Some(peer) = self.peer.and_then(|peer| peer(&head.extensions)) {
            head.extensions.insert(Peer(peer));
        }
        let decision = match self.auth.decide(head).await {
            Decision::Accepted(principal) if principal.body_digest().is_some() && !self.bodies_are_checked => {
                Decision::Rejected(Rejection::invalid_token("body_not_checked"))
            }
            decision => decision,
        };
        let principal = match decision {
            Decision::Accepted(principal) => Some(principal),
            Decision::Anonymous if self.allow_anonymous => None,
            Decision::Anonymous => return Err(self.auth.refusal(None)),
            Decision::Rejected(rejection) => {
                if let Some(hear) = &self.on_rejection {
                    hear(&rejection);
                }
                return Err(self.auth.refusal(Some(&rejection)));
            }
        };
        head.headers.remove(AUTHORIZATION);
        for name in self.auth.headers() {
            head.headers.remove(name);
        }
        // One that was there before is not this layer's.
        head.extensions.remove::<Principal>();
        if let Some(principal) = principal {
            head.extensions.insert(principal);
        }
        Ok(())
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService { inner, policy: Arc::clone(&self.0) }
    }
}

/// The service that an [`AuthLayer`] makes of another.
#[derive(Clone)]
pub struct AuthService<S> {
    inner: S,
    policy: Arc<Policy>,
}

/// For all bodies of requests, and those of responses that can be made of bytes: axum's, and `http_body_util::Full`.
impl<S, B, C> Service<Request<B>> for AuthService<S>
where
    S: Service<Request<B>, Response = Response<C>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    C: From<Vec<u8>>,
{
    type Response = Response<C>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<C>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was polled is ready; its clone may not be.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            if let Some(answer) = policy.metadata_answer(&request) {
                return Ok(answer.map(C::from));
            }
            let (mut head, body) = request.into_parts();
            match policy.admit(&mut head).await {
                Ok(()) => inner.call(Request::from_parts(head, body)).await,
                Err(answer) => Ok(answer.map(C::from)),
            }
        })
    }
}

impl fmt::Debug for AuthLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthLayer")
            .field("auth", &self.0.auth)
            .field("allow_anonymous", &self.0.allow_anonymous)
            .field("serves_metadata", &self.0.serves_metadata)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug> fmt::Debug for AuthService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthService").field("inner", &self.inner).field("auth", &self.policy.auth).finish_non_exhaustive()
    }
}

/// The configuration has problems.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub struct AuthLayerError {
    problems: Vec<String>,
}

impl AuthLayerError {
    /// What is wrong, one sentence each.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}
