//! The attribute macros of `mcp-runtime`, which re-exports them; use them from there.
//!
//! A macro call is read, checked and expanded in one pass that goes on after a mistake, so that all mistakes are
//! reported together. Generated code reaches the runtime through one hidden module and needs no other dependency.

mod argument;
mod completion;
mod data;
mod definition;
mod describe;
mod errors;
mod expand;
mod function;
mod grammar;
mod item;
mod json;
mod kind;
mod options;
mod parameter;
mod signature;
#[cfg(test)]
mod snapshots;
mod suggest;
mod template;
mod types;
mod values;
mod vocabulary;
mod words;

use kind::Kind;
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
/// | `task` | a call becomes a task at once, when the client can follow tasks; `task = "required"` refuses other clients, `task = "deferred"` leaves the moment to `ctx.begin_task()` |
/// | `icons("https://...", ...)` | `https:` or `data:` URIs |
/// | `meta("com.example/key" = 1, ...)` | entries of the tool's `_meta`: strings, numbers, booleans |
/// | `ui = "ui://..."` | the `#[resource]` that shows the tool's results, in clients with MCP Apps |
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
    item::item(Kind::Tool, options.into(), &item.into()).into()
}

/// Makes a function a resource that MCP clients can read, or a family of resources.
///
/// ```
/// use mcp_runtime::prelude::*;
/// # #[data]
/// # struct Order { id: u64 }
/// # struct Shop;
/// # impl Shop {
/// #     async fn find(&self, _: u64) -> std::io::Result<Option<Order>> { Ok(None) }
/// # }
///
/// /// An order as JSON.
/// #[resource("orders://{id}", mime_type = "application/json", cache(private, ttl = "30s"))]
/// async fn order(id: u64, shop: State<Shop>) -> Result<Json<Order>, ResourceError> {
///     shop.find(id).await?.map(Json).ok_or(ResourceError::NotFound)
/// }
/// ```
///
/// First stands the URI. With names in braces it is a template (RFC 6570), and each name is a parameter:
///
/// | in the template | matches |
/// |---|---|
/// | `{id}` | a part without `/` |
/// | `{+path}` | any part, `/` included |
/// | `{/segment}` | a `/` and a part after it |
/// | `{?query}`, `{?page,limit}` | the query, at the end of the URI; a client may leave it out, so the parameter is an `Option` or has a default |
///
/// A parameter's type says what a part may be: a string, a number, `bool`, `char`, an enum of plain variants, a newtype of one
/// of these. A URI whose parts do not fit names no resource: the client reads that there is none. One parameter `Args<T>` takes
/// all parts as one struct.
///
/// The function returns text, bytes, `Json`, or
/// `ResourceContents` for more than one part, alone or in a `Result`. What was said of [`macro@tool`] about the doc comment,
/// injected parameters, `blocking`, and the type beside the function holds here: `order::resource()` names it.
///
/// # Options
///
/// | option | meaning |
/// |---|---|
/// | `name = "..."` | the resource's name; the function's name otherwise |
/// | `title = "..."` | a name for people |
/// | `mime_type = "..."` | the media type of what is read |
/// | `cache(private, ttl = "30s")` | how long clients may keep it; with `public`, caches between may give it to everyone |
/// | `tags("...", ...)` | labels by which a server chooses its resources |
/// | `scopes("...", ...)` | what the caller must have been granted |
/// | `hidden` | with `scopes`: to callers who lack them, the resource does not exist |
/// | `requires(elicitation, elicitation_url, sampling, roots)` | what the client must offer |
/// | `timeout = "10s"` | the longest run: of an `async` function, or of one with `blocking` |
/// | `max_result_bytes = 65536` | the largest result |
/// | `blocking` | run a synchronous function off the async threads |
/// | `annotations(audience(user, assistant), priority = 0.8, last_modified = "2026-01-01T00:00:00Z")` | hints for clients |
/// | `unchecked("path", ...)` | variables that may hold `..`, absolute paths and backslashes; in all others these are refused |
/// | `icons("https://...", ...)` | `https:` or `data:` URIs |
/// | `meta("com.example/key" = 1, ...)` | entries of the resource's `_meta`: strings, numbers, booleans |
/// | `ui(...)` | with a `ui://` URI: what this page of an app may load and do, see below |
/// | `crate = path` | where `mcp_runtime` is, when a dependency was renamed |
///
/// # Pages of apps
///
/// A resource with a `ui://` URI is a page that shows a tool's results (MCP Apps): its media type is
/// `text/html;profile=mcp-app`, and a tool names it by `ui = "ui://..."`. Clients block what `ui(..)` does not allow:
///
/// | in `ui(...)` | meaning |
/// |---|---|
/// | `connect("https://...", ...)` | origins it may fetch from |
/// | `resources("https://...", ...)` | origins of its scripts, styles, pictures and fonts |
/// | `frames("https://...", ...)` | origins it may show in frames |
/// | `base_uris("https://...", ...)` | origins its `<base>` may name |
/// | `permissions(camera, microphone, geolocation, clipboard_write)` | what it may use |
/// | `domain = "..."` | the domain it asks to run under |
/// | `prefers_border` | whether it wants a border around it; `= false` for none |
///
/// # Parameters
///
/// `#[arg(name = "...")]` gives the name in the template, `#[arg(default)]` and `#[arg(default = value)]` a default for a part
/// of the query. `#[complete(["a", "b"])]` suggests values from a list, and `#[complete(function)]` those of an
/// `async fn(CompletionRequest) -> Vec<String>`. `#[serde(...)]` works as it does on a field.
#[proc_macro_attribute]
pub fn resource(options: TokenStream, item: TokenStream) -> TokenStream {
    item::item(Kind::Resource, options.into(), &item.into()).into()
}

/// Makes a function a prompt that users of MCP clients can choose.
///
/// ```
/// use mcp_runtime::prelude::*;
///
/// /// Review a piece of code.
/// #[prompt]
/// fn review(
///     /// The code.
///     code: String,
///     #[complete(["rust", "python"])] language: Option<String>,
/// ) -> Vec<Message> {
///     let language = language.unwrap_or_else(|| "any language".to_owned());
///     vec![Message::user(format!("Review this code in {language}:\n\n{code}"))]
/// }
/// ```
///
/// Arguments come as texts. A parameter's type says what a text may be: a string, a number, `bool`, `char`, an enum of plain
/// variants, a newtype of one of these; `Option<T>` may be left out. What does not fit is told to the client, every argument
/// at once. One parameter `Args<T>` takes all arguments as one struct.
///
/// The function returns a string (one message of the user), a `Message`, `Vec<Message>`, or a `PromptResult`, alone or in a
/// `Result`. What was said of [`macro@tool`] about the doc comment, injected parameters, `blocking`, and the type beside the
/// function holds here: `review::prompt()` names it.
///
/// # Options
///
/// | option | meaning |
/// |---|---|
/// | `name = "..."` | the prompt's name; the function's name otherwise |
/// | `title = "..."` | a name for people |
/// | `tags("...", ...)` | labels by which a server chooses its prompts |
/// | `scopes("...", ...)` | what the caller must have been granted |
/// | `hidden` | with `scopes`: to callers who lack them, the prompt does not exist |
/// | `requires(elicitation, elicitation_url, sampling, roots)` | what the client must offer |
/// | `timeout = "10s"` | the longest run: of an `async` function, or of one with `blocking` |
/// | `blocking` | run a synchronous function off the async threads |
/// | `icons("https://...", ...)` | `https:` or `data:` URIs |
/// | `meta("com.example/key" = 1, ...)` | entries of the prompt's `_meta`: strings, numbers, booleans |
/// | `crate = path` | where `mcp_runtime` is, when a dependency was renamed |
///
/// # Parameters
///
/// `///`, or an item of an `# Arguments` list, describes an argument, and `#[schemars(title = "...")]` gives it a name for
/// people. `#[arg(default)]` and `#[arg(default = value)]` give a default, `#[arg(name = "...")]` the name that clients send.
/// `#[complete(["a", "b"])]` suggests values from a list, and `#[complete(function)]` those of a function, which may ask the
/// request for what else is filled in:
///
/// ```
/// use mcp_runtime::prelude::*;
///
/// async fn branches(request: CompletionRequest) -> Result<Vec<String>, ToolError> {
///     let repository = request.argument("repository").unwrap_or("main");
///     Ok(vec![format!("{repository}/{}", request.value())])
/// }
///
/// /// Describe what changed.
/// #[prompt]
/// fn changes(repository: String, #[complete(branches)] branch: String) -> String {
///     format!("What changed in {branch} of {repository}?")
/// }
/// ```
///
/// Constraints of schemars, such as `range`, are for tools: here they are errors.
#[proc_macro_attribute]
pub fn prompt(options: TokenStream, item: TokenStream) -> TokenStream {
    item::item(Kind::Prompt, options.into(), &item.into()).into()
}

/// Makes a struct or enum something that tools, resources and prompts can take and return.
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
