//! The options of `#[tool]`, `#[resource]` and `#[prompt]`: one word has one meaning on all of them.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Ident, LitStr, Path, Token};

use crate::errors::Errors;
use crate::grammar;
use crate::kind::Kind;
use crate::options::{Entry, Flag, Vocabulary, skip_to_comma};
use crate::suggest;
use crate::template::{self, Template};
use crate::values::{Annotations, CAPABILITIES, Cache, Meta, Task, Timeout, Ui, checked, duration, set};

/// What stands in the attribute. Each kind reads a part of it.
pub(crate) struct Options {
    pub(crate) kind: Kind,
    /// First in `#[resource]`.
    pub(crate) uri: Option<Template>,
    pub(crate) name: Option<LitStr>,
    pub(crate) title: Option<LitStr>,
    pub(crate) read_only: Option<Flag>,
    pub(crate) destructive: Option<Flag>,
    pub(crate) idempotent: Option<Flag>,
    pub(crate) open_world: Option<Flag>,
    pub(crate) mime_type: Option<LitStr>,
    pub(crate) annotations: Option<Annotations>,
    pub(crate) cache: Option<Cache>,
    pub(crate) tags: Vec<LitStr>,
    pub(crate) scopes: Vec<LitStr>,
    pub(crate) hidden: Option<Flag>,
    pub(crate) requires: Vec<Ident>,
    pub(crate) timeout: Option<Timeout>,
    pub(crate) max_result_bytes: Option<u64>,
    pub(crate) blocking: Option<Flag>,
    pub(crate) task: Option<Task>,
    pub(crate) unchecked: Vec<LitStr>,
    pub(crate) icons: Vec<LitStr>,
    pub(crate) meta: Vec<Meta>,
    /// The page that shows a tool's results.
    pub(crate) page: Option<LitStr>,
    /// What a resource that is such a page may load and do, and where that was said.
    pub(crate) ui: Option<(Span, Ui)>,
    pub(crate) krate: Option<Path>,
}

const NAME: Entry<Options> = Entry {
    word: "name",
    read: |options, value| {
        let name = value.string()?;
        grammar::name(&name.value(), options.kind).map_err(|rule| syn::Error::new(name.span(), rule))?;
        options.name = Some(name);
        Ok(())
    },
};
const TITLE: Entry<Options> =
    Entry { word: "title", read: |options, value| set(&mut options.title, checked(value.string()?, title)) };
const TAGS: Entry<Options> =
    Entry { word: "tags", read: |options, value| value.strings(grammar::tag).map(|tags| options.tags = tags) };
const SCOPES: Entry<Options> =
    Entry { word: "scopes", read: |options, value| value.strings(grammar::scope).map(|scopes| options.scopes = scopes) };
const HIDDEN: Entry<Options> = Entry { word: "hidden", read: |options, value| set(&mut options.hidden, value.flag()) };
const REQUIRES: Entry<Options> = Entry {
    word: "requires",
    read: |options, value| {
        const FORM: &str = "`requires` takes what the client must offer: `requires(elicitation, sampling)`";
        let known = CAPABILITIES.map(|(word, _)| word);
        value.words(FORM, "capabilities", &known).map(|words| options.requires = words)
    },
};
const TIMEOUT: Entry<Options> = Entry {
    word: "timeout",
    read: |options, value| {
        let zero = "a timeout of zero would fail every call; leave `timeout` out to have none of its own";
        let duration = duration(&value.string()?, zero)?;
        options.timeout = Some(Timeout { span: value.key.span(), duration });
        Ok(())
    },
};
const MAX_RESULT_BYTES: Entry<Options> = Entry {
    word: "max_result_bytes",
    read: |options, value| {
        let number = value.integer()?;
        match number.base10_parse() {
            Ok(0) => Err(syn::Error::new(
                number.span(),
                "a limit of zero would cut every result; leave `max_result_bytes` out for the server's limit",
            )),
            bytes => set(&mut options.max_result_bytes, bytes),
        }
    },
};
const BLOCKING: Entry<Options> = Entry { word: "blocking", read: |options, value| set(&mut options.blocking, value.flag()) };
const ICONS: Entry<Options> =
    Entry { word: "icons", read: |options, value| value.strings(grammar::icon).map(|icons| options.icons = icons) };
const META: Entry<Options> = Entry {
    word: "meta",
    read: |options, value| {
        let list = value.listed("`meta` takes keys and literals: `meta(\"com.example/key\" = \"value\")`")?;
        once_each(list, |meta: &Meta| (&meta.key, meta.key.value())).map(|list| options.meta = list)
    },
};
const CRATE: Entry<Options> = Entry { word: "crate", read: |options, value| set(&mut options.krate, value.path()) };

const DESCRIPTION: (&str, &str) = ("description", "the description is the doc comment: write it as `/// ...` above the function");

const TOOL: Vocabulary<Options> = Vocabulary {
    place: "#[tool]",
    entries: &[
        NAME,
        TITLE,
        Entry { word: "read_only", read: |tool, value| set(&mut tool.read_only, value.flag()) },
        Entry { word: "destructive", read: |tool, value| set(&mut tool.destructive, value.flag()) },
        Entry { word: "idempotent", read: |tool, value| set(&mut tool.idempotent, value.flag()) },
        Entry { word: "open_world", read: |tool, value| set(&mut tool.open_world, value.flag()) },
        TAGS,
        SCOPES,
        HIDDEN,
        REQUIRES,
        TIMEOUT,
        MAX_RESULT_BYTES,
        BLOCKING,
        Entry { word: "task", read: |tool, value| set(&mut tool.task, Task::read(value)) },
        ICONS,
        META,
        Entry { word: "ui", read: |tool, value| set(&mut tool.page, checked(value.string()?, template::page)) },
        CRATE,
    ],
    refused: &[
        DESCRIPTION,
        ("annotations", "hints are options of their own: `read_only`, `destructive`, `idempotent`, `open_world`"),
    ],
};

const RESOURCE: Vocabulary<Options> = Vocabulary {
    place: "#[resource]",
    entries: &[
        NAME,
        TITLE,
        Entry {
            word: "mime_type",
            read: |resource, value| set(&mut resource.mime_type, checked(value.string()?, grammar::mime_type)),
        },
        Entry { word: "cache", read: |resource, value| set(&mut resource.cache, Cache::read(value)) },
        TAGS,
        SCOPES,
        HIDDEN,
        REQUIRES,
        TIMEOUT,
        MAX_RESULT_BYTES,
        BLOCKING,
        Entry { word: "annotations", read: |resource, value| set(&mut resource.annotations, Annotations::read(value)) },
        Entry { word: "unchecked", read: |resource, value| value.strings(|_| Ok(())).map(|names| resource.unchecked = names) },
        ICONS,
        META,
        Entry {
            word: "ui",
            read: |resource, value| {
                resource.ui = Some((value.key.span(), Ui::read(value)?));
                Ok(())
            },
        },
        CRATE,
    ],
    refused: &[DESCRIPTION, ("uri", URI_FIRST), ("uri_template", URI_FIRST), ("template", URI_FIRST)],
};

const PROMPT: Vocabulary<Options> = Vocabulary {
    place: "#[prompt]",
    entries: &[NAME, TITLE, TAGS, SCOPES, HIDDEN, REQUIRES, TIMEOUT, BLOCKING, ICONS, META, CRATE],
    refused: &[DESCRIPTION],
};

const URI_FIRST: &str = "the URI stands first, as a string literal: `#[resource(\"orders://{id}\")]`";

/// The media type of a page that shows a tool's results (MCP Apps 2026-01-26).
pub(crate) const PAGE: &str = "text/html;profile=mcp-app";

impl Options {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            uri: None,
            name: None,
            title: None,
            read_only: None,
            destructive: None,
            idempotent: None,
            open_world: None,
            mime_type: None,
            annotations: None,
            cache: None,
            tags: Vec::new(),
            scopes: Vec::new(),
            hidden: None,
            requires: Vec::new(),
            timeout: None,
            max_result_bytes: None,
            blocking: None,
            task: None,
            unchecked: Vec::new(),
            icons: Vec::new(),
            meta: Vec::new(),
            page: None,
            ui: None,
            krate: None,
        }
    }

    pub(crate) fn read(kind: Kind, attribute: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::new(kind);
        match kind {
            Kind::Tool => TOOL.read(attribute, &mut options, errors),
            Kind::Prompt => PROMPT.read(attribute, &mut options, errors),
            Kind::Resource => {
                let (uri, rest) = uri_and_rest(attribute, errors);
                RESOURCE.read(rest, &mut options, errors);
                options.uri = uri.and_then(|uri| errors.keep(Template::read(uri)));
                options.check_resource(errors);
            }
        }
        options.check_contradictions(errors);
        options
    }

    pub(crate) fn is_blocking(&self) -> bool {
        self.blocking.is_some_and(|flag| flag.on)
    }

    fn check_contradictions(&self, errors: &mut Errors) {
        if let (Some(Flag { on: true, .. }), Some(destructive @ Flag { on: true, .. })) = (self.read_only, self.destructive) {
            errors.at(
                destructive.span,
                "`destructive` contradicts `read_only`: a tool that changes nothing destroys nothing; keep one of them",
            );
        }
        if let (Some(Flag { on: true, span }), true) = (self.hidden, self.scopes.is_empty()) {
            errors.at(
                span,
                format!(
                    "`hidden` hides {} from callers who lack its scopes, and this one has none: add `scopes(\"...\")`",
                    self.kind.noun()
                ),
            );
        }
        if let (Some(public), false) = (self.cache.as_ref().and_then(Cache::public), self.scopes.is_empty()) {
            errors.at(
                public,
                "`public` lets a cache give the contents to everyone, and `scopes` keep them from some: write `private`",
            );
        }
        let says_ui = self.page.is_some() || self.ui.is_some();
        if let Some(meta) = self.meta.iter().find(|meta| says_ui && meta.key.value() == "ui") {
            errors.on(&meta.key, "the option `ui` makes this entry; keep one of them");
        }
    }

    fn check_resource(&self, errors: &mut Errors) {
        let Some(template) = &self.uri else { return };
        for name in &self.unchecked {
            let text = name.value();
            if !template.names().any(|known| known == text) {
                let question = suggest::question(&text, template.names());
                errors.on(name, format!("the URI has no variable `{text}`{question}\n{}", template.list()));
            }
        }
        match (template.is_ui(), &self.ui, &self.mime_type) {
            (false, Some((span, _)), _) => errors.at(
                *span,
                format!(
                    "`ui` is for the pages of apps, whose URIs begin with `ui://`, and `{}` does not: remove it, or change the URI",
                    template.literal.value()
                ),
            ),
            (true, _, Some(other)) if other.value() != PAGE => errors.on(
                other,
                format!("a `ui://` resource is the page of an app, and its media type is `{PAGE}`: leave `mime_type` out"),
            ),
            _ => {}
        }
    }
}

/// Takes the URI off the front of the options.
fn uri_and_rest(attribute: TokenStream, errors: &mut Errors) -> (Option<LitStr>, TokenStream) {
    let parser = |input: ParseStream<'_>| {
        let uri = match input.fork().call(Ident::parse_any) {
            // An option stands first; of those that are meant as the URI, the vocabulary says so.
            Ok(word) if RESOURCE.refuses(&word) => None,
            Ok(word) if RESOURCE.knows(&word) => {
                errors.push(input.error(URI_FIRST));
                None
            }
            _ => {
                let uri = input.parse::<LitStr>().map_err(|error| syn::Error::new(error.span(), URI_FIRST));
                let uri = errors.keep(uri);
                if !input.is_empty() && !input.peek(Token![,]) && uri.is_some() {
                    errors.push(input.error("the URI is one string literal, with a comma before the options"));
                }
                skip_to_comma(input);
                input.parse::<Option<Token![,]>>()?;
                uri
            }
        };
        Ok((uri, input.parse::<TokenStream>()?))
    };
    // Tokens can always be parsed as tokens.
    parser.parse2(attribute).unwrap_or_default()
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

#[cfg(test)]
mod tests;
