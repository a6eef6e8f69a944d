//! Parameters that the server fills in.

use std::any::{TypeId, type_name};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use http::HeaderMap;
use mcp_auth::Principal;
use tokio_util::sync::CancellationToken;

use super::{Context, ToolError};

/// A parameter that the server fills in.
///
/// Implement it for your own types, and mark the parameter with `#[inject]`:
///
/// ```
/// use mcp_runtime::prelude::*;
///
/// struct Tenant(String);
///
/// impl FromContext for Tenant {
///     async fn from_context(ctx: &Context) -> Result<Self, ToolError> {
///         let header = ctx.headers().get("x-tenant").and_then(|value| value.to_str().ok());
///         header.map(|name| Tenant(name.to_owned())).ok_or_else(|| ToolError::user("Send an X-Tenant header."))
///     }
/// }
///
/// /// The caller's tenant.
/// #[tool]
/// fn tenant(#[inject] tenant: Tenant) -> String {
///     tenant.0
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be injected",
    label = "the server does not know how to make this",
    note = "injected are `Context`, `State<T>`, `Principal`, `Option<Principal>`, `HeaderMap`, `Extension<T>`, `CancellationToken`",
    note = "what the server was given with `.state(..)` is `State<T>`, not `T` or `Arc<T>`",
    note = "for your own type: implement `FromContext` for it"
)]
pub trait FromContext: Sized {
    /// Makes the value for one call. An error is the call's result: [`ToolError::user`] tells the model, all else is masked.
    fn from_context(ctx: &Context) -> impl Future<Output = Result<Self, ToolError>> + Send;

    /// What must be there before the server starts, or before the call.
    #[must_use]
    fn requirement() -> Requirement {
        Requirement::Nothing
    }
}

/// What an injected parameter cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requirement {
    /// It can always be made.
    Nothing,
    /// The server must have been given a state of this type.
    State {
        /// The type.
        id: TypeId,
        /// Its name, for the message of a failing `build()`.
        name: &'static str,
    },
    /// The caller must be known.
    Principal,
}

/// What the server was given with [`Server::state`](crate::Server::state), or as a trait object with
/// [`Server::shared_state`](crate::Server::shared_state): `State<dyn Repository>`. A server without it does not build.
pub struct State<T: ?Sized>(pub Arc<T>);

impl<T> State<T> {
    /// Wraps a value, for calling a tool function in a unit test.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: ?Sized> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&&*self.0).finish()
    }
}

impl<T: ?Sized + Send + Sync + 'static> FromContext for State<T> {
    async fn from_context(ctx: &Context) -> Result<Self, ToolError> {
        ctx.state::<T>().map(Self).ok_or_else(|| format!("no state of type `{}`", type_name::<T>()).into())
    }

    fn requirement() -> Requirement {
        Requirement::State { id: TypeId::of::<T>(), name: type_name::<T>() }
    }
}

/// A value that a middleware of the host application put into the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Extension<T>(pub T);

impl<T> Deref for Extension<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone + Send + Sync + 'static> FromContext for Extension<T> {
    async fn from_context(ctx: &Context) -> Result<Self, ToolError> {
        let found = ctx.extensions().get::<T>().cloned();
        found.map(Self).ok_or_else(|| format!("the request has no extension of type `{}`", type_name::<T>()).into())
    }
}

impl FromContext for Context {
    async fn from_context(ctx: &Context) -> Result<Self, ToolError> {
        Ok(ctx.clone())
    }
}

impl FromContext for Principal {
    async fn from_context(ctx: &Context) -> Result<Self, ToolError> {
        ctx.principal().cloned().ok_or_else(|| ToolError::user("This needs a signed-in caller."))
    }

    fn requirement() -> Requirement {
        Requirement::Principal
    }
}

impl FromContext for Option<Principal> {
    async fn from_context(ctx: &Context) -> Result<Self, ToolError> {
        Ok(ctx.principal().cloned())
    }
}

impl FromContext for HeaderMap {
    async fn from_context(ctx: &Context) -> Result<Self, ToolError> {
        Ok(ctx.headers().clone())
    }
}

impl FromContext for CancellationToken {
    async fn from_context(ctx: &Context) -> Result<Self, ToolError> {
        Ok(ctx.cancellation())
    }
}
