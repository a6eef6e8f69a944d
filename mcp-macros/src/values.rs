//! The values of options that are more than a word or a string.

use std::time::Duration;

use proc_macro2::{Ident, Span};
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Lit, LitStr, Token};

use crate::grammar;
use crate::json;
use crate::options::{Entry, Flag, Value, Vocabulary};

/// How long a call may run, and where that was said.
pub(crate) struct Timeout {
    pub(crate) span: Span,
    pub(crate) duration: Duration,
}

/// What the client must be able to do: the word, and the runtime's name for it.
pub(crate) const CAPABILITIES: [(&str, &str); 4] =
    [("elicitation", "Elicitation"), ("elicitation_url", "ElicitationUrl"), ("sampling", "Sampling"), ("roots", "Roots")];

/// When a call becomes a task, and where that was said.
pub(crate) struct Task {
    pub(crate) span: Span,
    pub(crate) mode: TaskMode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskMode {
    Optional,
    Required,
    Deferred,
}

impl Task {
    pub(crate) fn read(value: &Value<'_>) -> syn::Result<Self> {
        const FORM: &str = "`task` is a flag, or one of two words: `task`, `task = \"required\"`, `task = \"deferred\"`";
        let span = value.key.span();
        let Some(word) = value.optional_string(FORM)? else { return Ok(Self { span, mode: TaskMode::Optional }) };
        let mode = match &*word.value() {
            "required" => TaskMode::Required,
            "deferred" => TaskMode::Deferred,
            _ => return Err(syn::Error::new(word.span(), FORM)),
        };
        Ok(Self { span, mode })
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
        let json = json::literal(&value).ok_or_else(|| {
            syn::Error::new_spanned(&value, "a `meta` value is a string, a number that JSON can hold, `true` or `false`")
        })?;
        Ok(Self { key, json })
    }
}

/// `cache(private, ttl = "30s")`.
#[derive(Default)]
pub(crate) struct Cache {
    private: Option<Flag>,
    public: Option<Flag>,
    pub(crate) ttl: Option<Duration>,
}

impl Cache {
    const FORM: &'static str =
        "`cache` says for whom and how long: `cache(private, ttl = \"30s\")` or `cache(public, ttl = \"1h\")`";

    const VOCABULARY: Vocabulary<Self> = Vocabulary {
        place: "cache(..)",
        entries: &[
            Entry { word: "private", read: |cache, value| set(&mut cache.private, value.bare()) },
            Entry { word: "public", read: |cache, value| set(&mut cache.public, value.bare()) },
            Entry {
                word: "ttl",
                read: |cache, value| {
                    let zero = "a `ttl` of zero keeps nothing; leave `cache` out";
                    set(&mut cache.ttl, duration(&value.string()?, zero))
                },
            },
        ],
        refused: &[],
    };

    pub(crate) fn read(value: &Value<'_>) -> syn::Result<Self> {
        let mut cache = Self::default();
        value.nested(&Self::VOCABULARY, &mut cache, Self::FORM)?;
        match (&cache.private, &cache.public, cache.ttl) {
            (Some(_), Some(public), _) => {
                Err(syn::Error::new(public.span, "`private` and `public` contradict each other; keep one of them"))
            }
            (None, None, _) | (_, _, None) => Err(syn::Error::new(value.key.span(), Self::FORM)),
            _ => Ok(cache),
        }
    }

    /// Where `public` was said.
    pub(crate) fn public(&self) -> Option<Span> {
        self.public.map(|flag| flag.span)
    }
}

/// `annotations(audience(user, assistant), priority = 0.8, last_modified = "2026-01-01T00:00:00Z")`.
#[derive(Default)]
pub(crate) struct Annotations {
    pub(crate) audience: Vec<Ident>,
    pub(crate) priority: Option<f64>,
    pub(crate) last_modified: Option<LitStr>,
}

impl Annotations {
    const FORM: &'static str = "`annotations` takes hints: `annotations(audience(user, assistant), priority = 0.8, last_modified = \"2026-01-01T00:00:00Z\")`";

    const VOCABULARY: Vocabulary<Self> = Vocabulary {
        place: "annotations(..)",
        entries: &[
            Entry {
                word: "audience",
                read: |annotations, value| {
                    const FORM: &str = "`audience` takes whom it is for: `audience(user)`, `audience(assistant)`, or both";
                    value.words(FORM, "audiences", &["user", "assistant"]).map(|words| annotations.audience = words)
                },
            },
            Entry {
                word: "priority",
                read: |annotations, value| {
                    const FORM: &str = "`priority` is a number from 0 (may be left out) to 1 (needed): `priority = 0.8`";
                    let literal = value.literal(FORM)?;
                    let number = match &literal {
                        Lit::Float(number) => number.base10_parse::<f64>().ok(),
                        Lit::Int(number) => number.base10_parse::<u8>().ok().map(f64::from),
                        _ => None,
                    };
                    let number = number.filter(|number| (0.0..=1.0).contains(number));
                    set(&mut annotations.priority, number.ok_or_else(|| syn::Error::new(literal.span(), FORM)))
                },
            },
            Entry {
                word: "last_modified",
                read: |annotations, value| set(&mut annotations.last_modified, checked(value.string()?, grammar::time)),
            },
        ],
        refused: &[],
    };

    pub(crate) fn read(value: &Value<'_>) -> syn::Result<Self> {
        let mut annotations = Self::default();
        value.nested(&Self::VOCABULARY, &mut annotations, Self::FORM).map(|()| annotations)
    }
}

/// What a page of an app may load and do: `ui(connect("https://.."), permissions(camera))`.
#[derive(Default)]
pub(crate) struct Ui {
    connect: Vec<LitStr>,
    resources: Vec<LitStr>,
    frames: Vec<LitStr>,
    base_uris: Vec<LitStr>,
    permissions: Vec<Ident>,
    domain: Option<LitStr>,
    prefers_border: Option<Flag>,
}

impl Ui {
    const PERMISSIONS: [(&'static str, &'static str); 4] = [
        ("camera", "camera"),
        ("microphone", "microphone"),
        ("geolocation", "geolocation"),
        ("clipboard_write", "clipboardWrite"),
    ];

    const VOCABULARY: Vocabulary<Self> = Vocabulary {
        place: "ui(..)",
        entries: &[
            Entry { word: "connect", read: |ui, value| value.strings(grammar::origin).map(|list| ui.connect = list) },
            Entry { word: "resources", read: |ui, value| value.strings(grammar::origin).map(|list| ui.resources = list) },
            Entry { word: "frames", read: |ui, value| value.strings(grammar::origin).map(|list| ui.frames = list) },
            Entry { word: "base_uris", read: |ui, value| value.strings(grammar::origin).map(|list| ui.base_uris = list) },
            Entry {
                word: "permissions",
                read: |ui, value| {
                    const FORM: &str = "`permissions` takes what the page may use: `permissions(camera, clipboard_write)`";
                    let known = Ui::PERMISSIONS.map(|(word, _)| word);
                    value.words(FORM, "permissions", &known).map(|words| ui.permissions = words)
                },
            },
            Entry { word: "domain", read: |ui, value| set(&mut ui.domain, checked(value.string()?, grammar::domain)) },
            Entry { word: "prefers_border", read: |ui, value| set(&mut ui.prefers_border, value.flag()) },
        ],
        refused: &[],
    };

    pub(crate) fn read(value: &Value<'_>) -> syn::Result<Self> {
        const FORM: &str =
            "`ui` says what the page may load and do: `ui(connect(\"https://api.example.com\"), permissions(camera))`";
        let mut ui = Self::default();
        value.nested(&Self::VOCABULARY, &mut ui, FORM).map(|()| ui)
    }

    /// The entry `ui` of the resource's `_meta` (MCP Apps 2026-01-26, `UIResourceMeta`).
    pub(crate) fn json(&self) -> String {
        let mut csp = Vec::new();
        for (name, list) in [
            ("connectDomains", &self.connect),
            ("resourceDomains", &self.resources),
            ("frameDomains", &self.frames),
            ("baseUriDomains", &self.base_uris),
        ] {
            if !list.is_empty() {
                csp.push((name, json::strings(list.iter().map(LitStr::value))));
            }
        }
        let permissions = Self::PERMISSIONS.iter().filter(|(word, _)| self.permissions.iter().any(|said| said == word));
        let permissions: Vec<_> = permissions.map(|(_, name)| (*name, "{}".to_owned())).collect();
        let mut members = Vec::new();
        if !csp.is_empty() {
            members.push(("csp", json::object(csp)));
        }
        if !permissions.is_empty() {
            members.push(("permissions", json::object(permissions)));
        }
        if let Some(domain) = &self.domain {
            members.push(("domain", json::string(&domain.value())));
        }
        if let Some(border) = self.prefers_border {
            members.push(("prefersBorder", border.on.to_string()));
        }
        json::object(members)
    }
}

/// A duration, with what to say when it is zero.
pub(crate) fn duration(text: &LitStr, zero: &str) -> syn::Result<Duration> {
    let error = |rule: String| syn::Error::new(text.span(), rule);
    match grammar::duration(&text.value()).map_err(error)? {
        Duration::ZERO => Err(error(zero.to_owned())),
        duration => Ok(duration),
    }
}

pub(crate) fn set<T>(place: &mut Option<T>, value: syn::Result<T>) -> syn::Result<()> {
    *place = Some(value?);
    Ok(())
}

pub(crate) fn checked(literal: LitStr, check: fn(&str) -> Result<(), String>) -> syn::Result<LitStr> {
    match check(&literal.value()) {
        Ok(()) => Ok(literal),
        Err(rule) => Err(syn::Error::new(literal.span(), rule)),
    }
}
