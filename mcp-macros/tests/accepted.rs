//! Every form that the macros accept, in a crate that denies all warnings: generated code adds none.

#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, unused_qualifications, rust_2018_idioms)]
#![forbid(unsafe_code)]

use mcp_runtime as renamed;
use mcp_runtime::prelude::*;
use mcp_runtime::{Prompt, Resource, Tool};

/// What the tools share.
#[derive(Debug)]
pub struct Api;

/// A place.
#[data]
#[derive(Debug)]
pub struct Place {
    /// City name.
    pub city: String,
    /// Days ahead.
    #[arg(default = 3, header = "Days")]
    pub days: u32,
    /// Anything else.
    #[arg(default, name = "remark")]
    pub note: Option<String>,
}

/// A choice.
#[data(input, crate = renamed)]
#[derive(Debug)]
pub enum Units {
    /// Celsius.
    Metric,
    /// Something else.
    Other {
        /// Its name.
        #[arg(default = "kelvin")]
        name: String,
    },
}

/// A result.
#[data(output)]
#[derive(Debug)]
pub struct Forecast {
    /// In words.
    pub text: String,
}

/// Current weather.
///
/// # Arguments
///
/// * `city` - City name.
#[tool(read_only, open_world = false, tags("weather"), timeout = "10s", meta("com.example/level" = 1), requires(roots))]
pub async fn weather(
    #[arg(header = "City")] city: String,
    #[arg(default = 1)]
    #[schemars(range(min = 1, max = 14))]
    days: u8,
    #[arg(default = "metric")] units: Option<String>,
    mut r#type: String,
    api: State<Api>,
    caller: Option<Principal>,
    ctx: Context,
) -> Result<Json<Forecast>, ToolError> {
    let _ = (units, api, caller, ctx);
    r#type.push('!');
    std::future::ready(()).await;
    Ok(Json(Forecast { text: format!("{city} {days} {}", r#type) }))
}

/// Searches by one struct.
#[tool]
async fn search(Args(Place { city, .. }): Args<Place>, State(_): State<Api>) -> String {
    city
}

/// Blocks a thread.
#[tool(blocking)]
fn hash(text: String, times: u32) -> std::io::Result<String> {
    Ok(text.repeat(times as usize))
}

/// Takes and says nothing.
#[tool(crate = renamed)]
fn nothing() {}

/// An argument has the name of its tool, and another the name of a generated local.
#[tool]
#[deprecated]
fn echo(echo: String, context: u8, __arguments: u8) -> String {
    format!("{echo}{context}{__arguments}")
}

#[derive(Debug)]
struct Mine;

impl FromContext for Mine {
    async fn from_context(_: &Context) -> Result<Self, ToolError> {
        Ok(Self)
    }
}

/// Flattened, and with an extractor of its own.
#[tool]
fn mine(#[inject] _: Mine, #[serde(flatten)] place: Place, units: Units) -> u32 {
    let _ = units;
    place.days
}

/// Becomes a task, and has a page for its results.
#[tool(task = "deferred", ui = "ui://weather/card")]
async fn slow(_ctx: Context) {}

/// Becomes a task at once.
#[tool(task, blocking)]
fn slower() {}

/// A fixed text.
#[resource("config://app")]
fn config() -> &'static str {
    "on"
}

/// An order as JSON.
#[resource(
    "orders://{id}/{+path}{?format,limit}",
    name = "order",
    title = "Order",
    mime_type = "application/json",
    cache(private, ttl = "30s"),
    tags("orders"),
    scopes("orders:read"),
    hidden,
    requires(roots),
    timeout = "1s",
    max_result_bytes = 1024,
    annotations(audience(user), priority = 0.8, last_modified = "2026-01-01T00:00:00Z"),
    unchecked("path"),
    icons("https://example.com/a.png"),
    meta("a" = 1)
)]
pub async fn order(
    id: u64,
    #[complete(request)] path: String,
    #[arg(name = "format")]
    #[complete(["json", "text"])]
    form: Option<String>,
    #[arg(default = 3)] limit: u8,
    api: State<Api>,
    ctx: Context,
) -> Result<Json<Forecast>, ResourceError> {
    let _ = (path, form, limit, api, ctx);
    std::future::ready(()).await;
    if id == 0 { Err(ResourceError::NotFound) } else { Ok(Json(Forecast { text: id.to_string() })) }
}

async fn request(request: CompletionRequest) -> Result<Vec<String>, ToolError> {
    Ok(vec![request.value().to_owned()])
}

/// The same by one struct.
#[data(input)]
#[derive(Debug)]
pub struct Part {
    /// Whose.
    pub owner: String,
    #[arg(default)]
    /// Which.
    pub page: u32,
}

/// By one struct.
#[resource("parts://{owner}{?page}", crate = renamed)]
async fn part(Args(part): Args<Part>) -> std::io::Result<Vec<u8>> {
    Ok(part.owner.into_bytes())
}

/// A page.
#[resource("ui://weather/card", ui(connect("https://api.example.com"), permissions(camera), prefers_border))]
fn card() -> ResourceContents {
    ResourceContents::text("ui://weather/card", "<!doctype html>")
}

/// Reads a disk.
#[resource("disk://{type}", blocking)]
#[cfg(any())]
fn disk(r#type: String) -> String {
    r#type
}

/// Review a piece of code.
#[prompt]
fn review(code: String, #[complete(["rust", "python"])] language: Option<String>) -> Vec<Message> {
    vec![Message::user(format!("Review this {}: {code}", language.unwrap_or_default()))]
}

/// With all options.
///
/// # Arguments
///
/// * `size` - How much.
#[prompt(
    name = "all.options",
    title = "All",
    tags("a"),
    scopes("b"),
    hidden,
    requires(sampling),
    timeout = "1s",
    icons("https://example.com/a.png"),
    meta("a" = 1),
    crate = renamed
)]
async fn all(
    size: u8,
    #[arg(default = "x")]
    #[schemars(title = "Text")]
    text: String,
    caller: Option<Principal>,
) -> Result<PromptResult, ToolError> {
    let _ = (size, caller);
    std::future::ready(()).await;
    Ok(PromptResult::new().with(Message::assistant(text)))
}

/// By one struct, off the async threads.
#[prompt(blocking)]
fn from_struct(Args(part): Args<Part>) -> String {
    part.owner
}

#[prompt]
#[allow(deprecated)]
fn undocumented_prompt() -> &'static str {
    "hello"
}

/// Not on this system: nothing of it may be compiled.
#[cfg(any())]
#[tool]
fn gone(argument: DoesNotExist) {}

#[tool]
#[allow(deprecated)]
fn undocumented_on_purpose() {}

macro_rules! make {
    ($name:ident, $argument:ident) => {
        /// Made by a macro.
        #[tool]
        fn $name($argument: String, ctx: Context, #[arg(default = 2)] other: u8) -> String {
            let _ = ctx;
            format!("{}{other}", $argument)
        }
    };
}
make!(made, context);

/// Around these, everything that generated code could name by a relative path is empty.
mod shadowed {
    use ::mcp_runtime as renamed;
    use ::mcp_runtime::prelude::*;

    mod core {}
    mod inventory {}
    mod mcp_runtime {}
    mod schemars {}
    mod serde {}
    mod serde_json {}
    mod std {}

    /// A size.
    #[data]
    #[derive(Debug)]
    pub(crate) struct Size {
        /// In pixels.
        #[arg(default = 3, header = "Width")]
        pub(crate) width: u32,
    }

    /// Another size.
    #[data(crate = renamed)]
    #[derive(Debug)]
    pub(crate) struct OtherSize {
        /// In pixels.
        #[arg(default = "3", name = "wide")]
        pub(crate) width: String,
    }

    /// At the usual path.
    #[tool(blocking, timeout = "1s", requires(roots))]
    pub(crate) fn usual(size: Size, #[arg(default = "a")] text: Option<String>, caller: Option<Principal>) -> Json<Size> {
        let _ = (text, caller);
        Json(size)
    }

    async fn suggest(_: CompletionRequest) -> [&'static str; 1] {
        ["a"]
    }

    /// A resource at the usual path.
    #[resource("a://{b}{?c}", cache(public, ttl = "1h"), annotations(priority = 1))]
    pub(crate) fn usual_resource(#[complete(suggest)] b: String, #[arg(default = 1)] c: u8, _ctx: Context) -> String {
        format!("{b}{c}")
    }

    /// A prompt at another path.
    #[prompt(crate = renamed, blocking, timeout = "1s", requires(roots))]
    pub(crate) fn other_prompt(#[complete(["x"])] b: String, _caller: Option<Principal>) -> String {
        b
    }

    /// At another path.
    #[tool(crate = renamed, blocking, timeout = "1s", requires(roots))]
    pub(crate) fn other(
        size: OtherSize,
        #[arg(default = "a")] text: Option<String>,
        caller: Option<Principal>,
    ) -> Json<OtherSize> {
        let _ = (text, caller);
        Json(size)
    }
}

#[test]
fn functions_stay_functions() {
    assert_eq!(hash("a".into(), 2).expect("no error"), "aa");
    nothing();
    undocumented_on_purpose();
}

#[test]
fn each_function_has_its_tool() {
    /// A tool in a function.
    #[tool(name = "inner.tool")]
    fn inner(#[arg(default = 1)] a: u8) -> u8 {
        a
    }
    assert_eq!(inner(3), 3);
    let names = [
        weather::tool(),
        search::tool(),
        hash::tool(),
        mine::tool(),
        made::tool(),
        inner::tool(),
        shadowed::usual::tool(),
        shadowed::other::tool(),
    ]
    .map(Tool::name);
    assert_eq!(names, ["weather", "search", "hash", "mine", "made", "inner.tool", "usual", "other"]);
}

#[test]
fn resources_and_prompts_stay_functions() {
    assert_eq!(config(), "on");
    assert_eq!(review("x".into(), Some("Rust".into())), [Message::user("Review this Rust: x")]);
    let resources =
        [order::resource(), config::resource(), part::resource(), card::resource(), shadowed::usual_resource::resource()];
    assert_eq!(resources.map(Resource::name), ["order", "config", "part", "card", "usual_resource"]);
    let prompts = [review::prompt(), all::prompt(), from_struct::prompt(), shadowed::other_prompt::prompt()];
    assert_eq!(prompts.map(Prompt::name), ["review", "all.options", "from_struct", "other_prompt"]);
}

#[test]
fn the_definition_says_what_was_written() {
    let definition = order::resource().definition();
    assert_eq!((definition.uri, definition.mime_type), ("orders://{id}/{+path}{?format,limit}", Some("application/json")));
    assert_eq!(definition.cache.map(|cache| (cache.is_public, cache.ttl.as_secs())), Some((false, 30)));
    assert_eq!((definition.unchecked, definition.asks), (&["path"][..], true));
    let completed: Vec<&str> = definition.completions.iter().map(|completion| completion.argument).collect();
    assert_eq!(completed, ["path", "format"]);
    let page = card::resource().definition();
    assert_eq!(page.mime_type, Some("text/html;profile=mcp-app"));
    let ui = r#"{"csp":{"connectDomains":["https://api.example.com"]},"permissions":{"camera":{}},"prefersBorder":true}"#;
    assert_eq!(page.meta, [("ui", ui)]);
    let tool = slow::tool().definition();
    assert_eq!((tool.ui, tool.asks), (Some("ui://weather/card"), true));
    assert_eq!(tool.meta, [("ui", r#"{"resourceUri":"ui://weather/card"}"#)]);
}

#[test]
fn completions_come_from_lists_and_functions() {
    let completions = order::resource().definition().completions;
    let values = |index: usize, typed: &str| {
        let mut future = (completions[index].complete)(CompletionRequest::new(Context::detached(), typed));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(completion) => completion.expect("values").values().to_vec(),
            std::task::Poll::Pending => panic!("nothing to wait for"),
        }
    };
    assert_eq!(values(0, "src/"), ["src/"]);
    assert_eq!(values(1, "J"), ["json"]);
}
