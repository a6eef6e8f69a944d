//! Every form that `#[tool]` and `#[data]` accept, in a crate that denies all warnings: generated code adds none.

#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, unused_qualifications, rust_2018_idioms)]
#![forbid(unsafe_code)]

use mcp_runtime as renamed;
use mcp_runtime::Tool;
use mcp_runtime::prelude::*;

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
