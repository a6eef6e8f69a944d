//! `#[tool]`: its options, and the way from the attribute to the generated code.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Expr, ExprLit, ExprUnary, Ident, Lit, LitStr, Path, Token, UnOp};

use crate::describe;
use crate::errors::Errors;
use crate::expand;
use crate::function::{self, Function};
use crate::grammar;
use crate::options::{Entry, Flag, Vocabulary};
use crate::signature::Signature;
use crate::suggest;

/// What stands in `#[tool(...)]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) title: Option<LitStr>,
    pub(crate) read_only: Option<Flag>,
    pub(crate) destructive: Option<Flag>,
    pub(crate) idempotent: Option<Flag>,
    pub(crate) open_world: Option<Flag>,
    pub(crate) tags: Vec<LitStr>,
    pub(crate) scopes: Vec<LitStr>,
    pub(crate) hidden: Option<Flag>,
    pub(crate) requires: Vec<Capability>,
    pub(crate) timeout: Option<Timeout>,
    pub(crate) max_result_bytes: Option<u64>,
    pub(crate) blocking: Option<Flag>,
    pub(crate) icons: Vec<LitStr>,
    pub(crate) meta: Vec<Meta>,
    pub(crate) krate: Option<Path>,
}

const VOCABULARY: Vocabulary<Options> = Vocabulary {
    attribute: "tool",
    entries: &[
        Entry { word: "name", read: |tool, value| set(&mut tool.name, checked(value.string()?, grammar::tool_name)) },
        Entry { word: "title", read: |tool, value| set(&mut tool.title, checked(value.string()?, title)) },
        Entry { word: "read_only", read: |tool, value| set(&mut tool.read_only, value.flag()) },
        Entry { word: "destructive", read: |tool, value| set(&mut tool.destructive, value.flag()) },
        Entry { word: "idempotent", read: |tool, value| set(&mut tool.idempotent, value.flag()) },
        Entry { word: "open_world", read: |tool, value| set(&mut tool.open_world, value.flag()) },
        Entry { word: "tags", read: |tool, value| value.strings(grammar::tag).map(|tags| tool.tags = tags) },
        Entry { word: "scopes", read: |tool, value| value.strings(grammar::scope).map(|scopes| tool.scopes = scopes) },
        Entry { word: "hidden", read: |tool, value| set(&mut tool.hidden, value.flag()) },
        Entry {
            word: "requires",
            read: |tool, value| {
                let list = value.listed("`requires` takes what the client must offer: `requires(elicitation, sampling)`")?;
                once_each(list, |capability: &Capability| (&capability.word, capability.word.to_string()))
                    .map(|list| tool.requires = list)
            },
        },
        Entry {
            word: "timeout",
            read: |tool, value| {
                let text = value.string()?;
                let duration = grammar::duration(&text.value()).map_err(|rule| syn::Error::new(text.span(), rule))?;
                tool.timeout = Some(Timeout { span: value.key.span(), duration });
                Ok(())
            },
        },
        Entry {
            word: "max_result_bytes",
            read: |tool, value| {
                let number = value.integer()?;
                match number.base10_parse() {
                    Ok(0) => Err(syn::Error::new(
                        number.span(),
                        "a limit of zero would cut every result; leave `max_result_bytes` out for the server's limit",
                    )),
                    bytes => set(&mut tool.max_result_bytes, bytes),
                }
            },
        },
        Entry { word: "blocking", read: |tool, value| set(&mut tool.blocking, value.flag()) },
        Entry { word: "icons", read: |tool, value| value.strings(grammar::icon).map(|icons| tool.icons = icons) },
        Entry {
            word: "meta",
            read: |tool, value| {
                let list = value.listed("`meta` takes keys and literals: `meta(\"com.example/key\" = \"value\")`")?;
                once_each(list, |meta: &Meta| (&meta.key, meta.key.value())).map(|list| tool.meta = list)
            },
        },
        Entry { word: "crate", read: |tool, value| set(&mut tool.krate, value.path()) },
    ],
    refused: &[
        ("task", "`task` is not built yet: a tool answers within its call"),
        ("ui", "`ui` is not built yet"),
        ("description", "the description is the doc comment: write it as `/// ...` above the function"),
        ("annotations", "hints are options of their own: `read_only`, `destructive`, `idempotent`, `open_world`"),
    ],
};

impl Options {
    fn read(attribute: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        VOCABULARY.read(attribute, &mut options, errors);
        if let (Some(Flag { on: true, .. }), Some(destructive @ Flag { on: true, .. })) = (options.read_only, options.destructive)
        {
            errors.at(
                destructive.span,
                "`destructive` contradicts `read_only`: a tool that changes nothing destroys nothing; keep one of them",
            );
        }
        if let (Some(Flag { on: true, span }), true) = (options.hidden, options.scopes.is_empty()) {
            errors
                .at(span, "`hidden` hides a tool from callers who lack its scopes, and this one has none: add `scopes(\"...\")`");
        }
        options
    }
}

/// How long a call may run, and where that was said.
pub(crate) struct Timeout {
    pub(crate) span: Span,
    pub(crate) duration: Duration,
}

/// Something the client must be able to do before the tool is called.
pub(crate) struct Capability {
    word: Ident,
    /// The runtime's name for it.
    pub(crate) variant: Ident,
}

impl Capability {
    const ALL: [(&'static str, &'static str); 4] =
        [("elicitation", "Elicitation"), ("elicitation_url", "ElicitationUrl"), ("sampling", "Sampling"), ("roots", "Roots")];
}

impl Parse for Capability {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word: Ident = input.parse()?;
        if let Some((_, variant)) = Self::ALL.iter().find(|(known, _)| word == known) {
            let variant = Ident::new(variant, word.span());
            return Ok(Self { word, variant });
        }
        let known = Self::ALL.map(|(known, _)| known);
        let question = suggest::question(&word.to_string(), known);
        let text = format!("`requires` knows no `{word}`{question}\ncapabilities: {}", suggest::list(known));
        Err(syn::Error::new(word.span(), text))
    }
}

/// `"com.example/key" = literal`.
pub(crate) struct Meta {
    pub(crate) key: LitStr,
    /// The literal as JSON text.
    pub(crate) json: String,
}

impl Parse for Meta {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let key = checked(input.parse()?, grammar::meta_key)?;
        input.parse::<Token![=]>()?;
        let value: Expr = input.parse()?;
        let json = json(&value).ok_or_else(|| {
            syn::Error::new_spanned(&value, "a `meta` value is a string, a number that JSON can hold, `true` or `false`")
        })?;
        Ok(Self { key, json })
    }
}

/// The JSON text of a literal, when JSON has one.
fn json(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Str(text) => Some(json_string(&text.value())),
            Lit::Bool(value) => Some(value.value.to_string()),
            Lit::Int(number) => number.base10_parse::<u64>().ok().map(|number| number.to_string()),
            Lit::Float(number) => {
                let number: f64 = number.base10_parse().ok()?;
                number.is_finite().then(|| format!("{number:?}"))
            }
            _ => None,
        },
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match &**expr {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
                let negative = format!("-{}", number.base10_digits());
                negative.parse::<i64>().ok().map(|number| number.to_string())
            }
            Expr::Lit(ExprLit { lit: Lit::Float(_), .. }) => json(expr).map(|number| format!("-{number}")),
            _ => None,
        },
        _ => None,
    }
}

fn json_string(text: &str) -> String {
    let mut json = String::from('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

fn set<T>(place: &mut Option<T>, value: syn::Result<T>) -> syn::Result<()> {
    *place = Some(value?);
    Ok(())
}

fn checked(literal: LitStr, check: fn(&str) -> Result<(), String>) -> syn::Result<LitStr> {
    match check(&literal.value()) {
        Ok(()) => Ok(literal),
        Err(rule) => Err(syn::Error::new(literal.span(), rule)),
    }
}

fn title(title: &str) -> Result<(), String> {
    if title.trim().is_empty() {
        return Err("a title is not empty; leave `title` out to show the name".into());
    }
    grammar::visible(title, "the title")
}

fn once_each<T, S: ToTokens>(list: Vec<T>, key: fn(&T) -> (&S, String)) -> syn::Result<Vec<T>> {
    let mut errors = Errors::default();
    let mut seen: Vec<String> = Vec::new();
    for item in &list {
        let (tokens, text) = key(item);
        if seen.contains(&text) {
            errors.on(tokens, format!("`{text}` is given twice; keep one"));
        }
        seen.push(text);
    }
    errors.into_result().map(|()| list)
}

/// The whole of `#[tool]`.
pub(crate) fn tool(attribute: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::read(attribute, &mut errors);
    let function = match function::parse(item.clone(), "tool") {
        Ok(function) => function,
        Err(error) => {
            errors.push(error);
            let errors = errors.into_compile_errors();
            return quote!(#item #errors);
        }
    };
    let description = describe::describe(&function.attrs, &mut errors);
    let signature = Signature::read(&function, &description, &options, &mut errors);
    let name = tool_name(&options, &function, &mut errors);
    let generated = match errors.is_empty() {
        true => expand::tool(&expand::Tool {
            function: &function,
            options: &options,
            name: &name,
            description: &description,
            signature: &signature,
        }),
        // Anything generated from a wrong signature would only add errors that nobody made.
        false => errors.into_compile_errors(),
    };
    let function = function.without_parameter_attributes();
    quote! {
        // Clippy would ask for the borrows that a tool cannot take.
        #[allow(clippy::needless_pass_by_value)]
        #function
        #generated
    }
}

fn tool_name(options: &Options, function: &Function, errors: &mut Errors) -> String {
    use syn::ext::IdentExt;
    if let Some(name) = &options.name {
        return name.value();
    }
    let ident = &function.sig.ident;
    let name = ident.unraw().to_string();
    if let Err(rule) = grammar::tool_name(&name) {
        errors.at(ident.span(), format!("{rule}; `#[tool(name = \"...\")]` gives the tool another name"));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tokens: TokenStream) -> (Options, Vec<String>) {
        let mut errors = Errors::default();
        let options = Options::read(tokens, &mut errors);
        (options, errors.messages())
    }

    #[test]
    fn contradictory_hints_are_refused() {
        assert_eq!(read(quote!(read_only, destructive)).1.len(), 1);
        assert_eq!(read(quote!(destructive = true, read_only = true)).1.len(), 1);
        assert!(read(quote!(read_only, destructive = false, idempotent)).1.is_empty());
        assert!(read(quote!(read_only = false, destructive)).1.is_empty());
    }

    #[test]
    fn a_hidden_tool_needs_scopes() {
        assert_eq!(read(quote!(hidden)).1.len(), 1);
        assert!(read(quote!(hidden, scopes("a"))).1.is_empty());
    }

    #[test]
    fn each_capability_has_its_variant() {
        let (options, errors) = read(quote!(requires(roots, sampling, elicitation_url, elicitation)));
        assert!(errors.is_empty(), "{errors:?}");
        let variants: Vec<String> = options.requires.iter().map(|capability| capability.variant.to_string()).collect();
        assert_eq!(variants, ["Roots", "Sampling", "ElicitationUrl", "Elicitation"]);
    }

    #[test]
    fn values_are_checked() {
        for wrong in [
            quote!(name = "a b"),
            quote!(title = ""),
            quote!(title = "a\u{202E}b"),
            quote!(tags("")),
            quote!(scopes("a b")),
            quote!(requires(elicitations)),
            quote!(requires(roots, roots)),
            quote!(timeout = "0s"),
            quote!(timeout = 10),
            quote!(max_result_bytes = 0),
            quote!(max_result_bytes = "1"),
            quote!(icons("http://x")),
            quote!(meta("mcp.mcp/x" = 1)),
            quote!(meta("x" = [1])),
            quote!(meta("x" = 1, "x" = 2)),
            quote!(crate = "x"),
            quote!(task),
            quote!(ui),
            quote!(description = "x"),
        ] {
            assert_eq!(read(wrong.clone()).1.len(), 1, "{wrong}");
        }
    }

    #[test]
    fn meta_values_become_json() {
        let (options, errors) =
            read(quote!(meta("a" = "x\"\\\n", "b" = 0x10u8, "c" = -5, "d" = 1.0, "e" = -2.5e300, "f" = true)));
        assert!(errors.is_empty(), "{errors:?}");
        let values: Vec<&str> = options.meta.iter().map(|meta| &*meta.json).collect();
        assert_eq!(values, [r#""x\"\\\u000a""#, "16", "-5", "1.0", "-2.5e300", "true"]);
        assert_eq!(read(quote!(meta("a" = 1e999))).1.len(), 1);
        assert_eq!(read(quote!(meta("a" = 99999999999999999999))).1.len(), 1);
    }
}
