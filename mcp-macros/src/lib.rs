//! The attribute macros of `mcp-runtime`, which re-exports them; use them from there.
//!
//! A macro call is read, checked and expanded in one pass that goes on after a mistake, so that all mistakes are
//! reported together. Generated code reaches the runtime through one hidden module and needs no other dependency.

mod argument;
mod data;
mod describe;
mod errors;
mod expand;
mod function;
mod grammar;
mod options;
mod parameter;
mod signature;
#[cfg(test)]
mod snapshots;
mod suggest;
mod tool;
mod types;
mod words;

use proc_macro::TokenStream;

/// Makes a function a tool that MCP clients can call.
///
/// ```
/// use mcp_runtime::prelude::*;
/// # #[data]
/// # struct Forecast { degrees: f64 }
/// # struct WeatherApi;
/// # impl WeatherApi {
/// #     async fn forecast(&self, _: &str, _: u8) -> std::io::Result<Forecast> { Ok(Forecast { degrees: 20.0 }) }
/// # }
///
/// /// Current weather for a city.
/// #[tool(read_only, open_world, timeout = "10s")]
/// async fn weather(
///     /// City name, for example `Lisbon`.
///     city: String,
///     #[arg(default = 1)]
///     days: u8,
///     api: State<WeatherApi>,
/// ) -> Result<Json<Forecast>, ToolError> {
///     Ok(Json(api.forecast(&city, days).await?))
/// }
/// ```
///
/// The doc comment is the description. Parameters are the arguments that a client sends, except those that the server
/// provides: `Context`, `State<_>`, `Principal`, `Option<Principal>`, `HeaderMap`, `Extension<_>`, `CancellationToken`,
/// and every parameter with `#[inject]`. One parameter `Args<T>` takes all arguments as one struct.
///
/// The function stays as it is and can be called in tests. Beside it stands a type of the same name, so that
/// `weather::tool()` names the tool where a server lists its tools. No module and no other type in the same scope can
/// have that name. An associated function cannot be a tool: write a free function.
///
/// # Options
///
/// | option | meaning |
/// |---|---|
/// | `name = "..."` | the tool's name; the function's name otherwise |
/// | `title = "..."` | a name for people |
/// | `read_only`, `destructive`, `idempotent`, `open_world` | hints for clients; each may be set to `false` |
/// | `tags("...", ...)` | labels by which a server chooses its tools |
/// | `scopes("...", ...)` | what the caller must have been granted |
/// | `hidden` | with `scopes`: to callers who lack them, the tool does not exist |
/// | `requires(elicitation, elicitation_url, sampling, roots)` | what the client must offer |
/// | `timeout = "10s"` | the longest run, in `ms`, `s`, `m` or `h`: of an `async` function, or of one with `blocking` |
/// | `max_result_bytes = 65536` | the largest result |
/// | `blocking` | run a synchronous function off the async threads |
/// | `icons("https://...", ...)` | `https:` or `data:` URIs |
/// | `meta("com.example/key" = 1, ...)` | entries of the tool's `_meta`: strings, numbers, booleans |
/// | `crate = path` | where `mcp_runtime` is, when a dependency was renamed |
///
/// A thread cannot be stopped from outside: when a `blocking` tool runs into its timeout, or its client disconnects, the
/// client is answered or gone and the function runs on. It keeps its place among the concurrent calls until it ends.
///
/// # Parameters
///
/// `///`, or an item of an `# Arguments` list in the function's doc comment, describes an argument. `Option<T>` is
/// optional. `#[arg(default)]` and `#[arg(default = value)]` give a default, `#[arg(name = "...")]` the name in JSON, and
/// `#[arg(header = "Region")]` has clients repeat the value in a header. `#[serde(...)]` and `#[schemars(...)]` work as
/// they do on a field, except `#[serde(alias)]`, which is an error: the schema shows one name.
#[proc_macro_attribute]
pub fn tool(options: TokenStream, item: TokenStream) -> TokenStream {
    tool::tool(options.into(), &item.into()).into()
}

/// Makes a struct or enum something that tools can take and return.
///
/// ```
/// use mcp_runtime::prelude::*;
///
/// #[data]
/// struct Query {
///     /// What to look for.
///     text: String,
///     #[arg(default = 10)]
///     limit: u32,
/// }
/// ```
///
/// The type gets serde's `Serialize` and `Deserialize` and schemars' `JsonSchema`, so that neither needs to be a dependency
/// of yours. `#[data(input)]` leaves out `Serialize`, `#[data(output)]` leaves out `Deserialize`, and `crate = path` says
/// where `mcp_runtime` is. Doc comments become descriptions. On fields, `#[arg(...)]` means what it means on a tool's parameters.
///
/// In a struct within another, serde ignores unknown names. `#[serde(deny_unknown_fields)]` on the inner struct has them
/// refused: the schema says so, and the server enforces it.
#[proc_macro_attribute]
pub fn data(options: TokenStream, item: TokenStream) -> TokenStream {
    data::data(options.into(), &item.into()).into()
}
