//! The rules for a function's signature, and which parameter is what.

use std::collections::HashMap;

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::{FnArg, GenericParam, ReturnType, Type};

use crate::describe::{self, Description};
use crate::errors::Errors;
use crate::function::{self, Function};
use crate::kind::Kind;
use crate::parameter::{self, Field, Parameter, Role};
use crate::suggest;
use crate::template::Template;
use crate::types::{self, Position};
use crate::values::TaskMode;
use crate::vocabulary::Options;

/// What a call of the function takes, in the order of its parameters.
#[derive(Default)]
pub(crate) struct Signature<'f> {
    pub(crate) parameters: Vec<Parameter<'f>>,
}

impl<'f> Signature<'f> {
    /// Checks everything that can be checked without knowing types, and goes on after each mistake.
    pub(crate) fn read(function: &'f Function, description: &'f Description, options: &Options, errors: &mut Errors) -> Self {
        check_function(function, options, errors);
        let mut signature = Self::default();
        for input in &function.sig.inputs {
            match input {
                FnArg::Receiver(receiver) => errors.on(
                    receiver,
                    format!(
                        "{} is a free function and has no `self`: move `{}` out of the impl block and take what it needs from \
                         `self` as `State<_>`",
                        options.kind.noun(),
                        function.sig.ident
                    ),
                ),
                FnArg::Typed(parameter) => signature.parameters.extend(parameter::read(parameter, options.kind, errors)),
            }
        }
        signature.check_struct(options.kind, errors);
        signature.check_names(errors);
        signature.check_headers(errors);
        if let Some(template) = &options.uri {
            signature.check_variables(template, errors);
        }
        signature.check_task(options, errors);
        signature.describe(function, description, errors);
        signature
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&Field<'f>, &'f Type)> {
        self.parameters.iter().filter_map(|parameter| match &parameter.role {
            Role::Argument(field) => Some((&**field, parameter.ty)),
            Role::Arguments(_) | Role::Injected { .. } => None,
        })
    }

    /// `T` of `Args<T>`.
    pub(crate) fn arguments(&self) -> Option<&'f Type> {
        self.parameters.iter().find_map(|parameter| match parameter.role {
            Role::Arguments(inner) => Some(inner),
            Role::Argument(_) | Role::Injected { .. } => None,
        })
    }

    /// May the function ask the user? It can, when something that it is given may be a `Context`.
    pub(crate) fn asks(&self) -> bool {
        self.parameters.iter().any(|parameter| matches!(parameter.role, Role::Injected { asks: true, .. }))
    }

    fn check_struct(&self, kind: Kind, errors: &mut Errors) {
        let Some(inner) = self.arguments() else { return };
        let structs = self.parameters.iter().filter(|parameter| matches!(parameter.role, Role::Arguments(_)));
        for second in structs.skip(1) {
            errors.on(second.ty, format!("{} has one `Args<_>`: put the fields of both into one struct", kind.noun()));
        }
        for (field, _) in self.fields() {
            errors.on(
                field.ident,
                format!(
                    "`{0}` stands beside `Args<{1}>`, which is already all that the client sends: make `{0}` a field of `{1}`",
                    field.ident,
                    types::show(inner)
                ),
            );
        }
    }

    fn check_names(&self, errors: &mut Errors) {
        let mut seen = HashMap::new();
        for (field, _) in self.fields() {
            let (name, span) = field.argument.json_name(field.ident);
            if let Some(first) = seen.insert(name.clone(), field.ident) {
                errors.at(
                    span,
                    format!("`{first}` and `{}` are both `{name}` in JSON; give one of them another name", field.ident),
                );
            }
        }
    }

    fn check_headers(&self, errors: &mut Errors) {
        let mut seen = HashMap::new();
        for (field, _) in self.fields() {
            let Some(header) = &field.argument.header else { continue };
            if let Some(first) = seen.insert(header.value().to_ascii_lowercase(), field.ident) {
                errors.on(
                    header,
                    format!(
                        "`{first}` is in the header `{}` already; header names ignore case, so choose another",
                        header.value()
                    ),
                );
            }
        }
    }

    /// The variables of a resource's URI are its arguments, and the other way round.
    fn check_variables(&self, template: &Template, errors: &mut Errors) {
        if self.arguments().is_some() {
            return;
        }
        let mut named = Vec::new();
        for (field, ty) in self.fields() {
            let (name, span) = field.argument.json_name(field.ident);
            match template.variables.iter().find(|variable| variable.name == name) {
                None => {
                    let question = suggest::question(&name, template.names());
                    errors.at(span, format!("the URI has no variable `{name}`{question}\n{}", template.list()));
                }
                Some(variable) if variable.is_query && !is_optional(field, ty) => errors.on(
                    ty,
                    format!(
                        "`{name}` comes from the query, which a client may leave out: take `Option<{}>`, or give a default by \
                         `#[arg(default)]`",
                        types::show(ty)
                    ),
                ),
                Some(_) => {}
            }
            named.push(name);
        }
        for missing in template.names().filter(|name| !named.iter().any(|named| named == name)) {
            let question = suggest::question(missing, named.iter().map(String::as_str));
            errors.on(
                &template.literal,
                format!(
                    "nothing takes the variable `{missing}`{question}\nadd a parameter `{missing}`, or take it out of the URI"
                ),
            );
        }
    }

    fn check_task(&self, options: &Options, errors: &mut Errors) {
        let Some(task) = &options.task else { return };
        if task.mode == TaskMode::Deferred && !self.asks() {
            errors.at(
                task.span,
                "a deferred task begins where the function calls `ctx.begin_task()`: add a parameter `ctx: Context`, or write \
                 `task` alone",
            );
        }
    }

    /// Hands each item of the `# Arguments` list to its parameter.
    fn describe(&mut self, function: &Function, description: &'f Description, errors: &mut Errors) {
        let names: Vec<String> = self.fields().map(|(field, _)| field.ident.unraw().to_string()).collect();
        let known = || names.iter().map(String::as_str);
        for documented in &description.arguments {
            let name = &documented.name;
            let field = self.parameters.iter_mut().find_map(|parameter| match &mut parameter.role {
                Role::Argument(field) if field.ident.unraw() == name || field.argument.json_name(field.ident).0 == *name => {
                    Some(field)
                }
                _ => None,
            });
            match field {
                Some(field) if field.description.is_some() => {
                    errors.at(documented.span, format!("`{name}` is in the list twice; keep one"));
                }
                Some(field)
                    if field.attributes.iter().any(|attribute| describe::is_documented(std::slice::from_ref(*attribute))) =>
                {
                    errors.at(documented.span, format!("`{name}` is described here and by `///` on the parameter; keep one"));
                }
                Some(field) => field.description = Some(&documented.text),
                None => errors.at(documented.span, self.undocumentable(name, &function.sig.ident, known())),
            }
        }
    }

    fn undocumentable<'a>(&self, name: &str, function: &Ident, known: impl Iterator<Item = &'a str> + Clone) -> String {
        if let Some(inner) = self.arguments() {
            return format!("the arguments are the fields of `{0}`: describe `{name}` by `///` on the field", types::show(inner));
        }
        let list = match suggest::list(known.clone()) {
            list if list.is_empty() => "there are none".into(),
            list => format!("arguments: {list}"),
        };
        let injected = self
            .parameters
            .iter()
            .any(|parameter| matches!(&parameter.role, Role::Injected { name: injected, .. } if injected == name));
        match injected {
            true => format!("`{name}` is injected by the server, and clients never see it: remove it from the list\n{list}"),
            false => format!("`{function}` has no argument `{name}`{}\n{list}", suggest::question(name, known)),
        }
    }
}

/// Is there a value when the client sends none?
fn is_optional(field: &Field<'_>, ty: &Type) -> bool {
    field.argument.has_default() || types::only_argument(ty, "Option").is_some()
}

fn check_function(function: &Function, options: &Options, errors: &mut Errors) {
    let noun = options.kind.noun();
    let signature = &function.sig;
    let name = &signature.ident;
    if !function.has_body() {
        errors.on(name, format!("{noun} is a free function with a body, and `{name}` has none: write it outside of the trait"));
    }
    if let Some(token) = signature.constness {
        errors.on(token, format!("{noun} is called at run time: remove `const`"));
    }
    if let Some(token) = function::unsafe_token(signature) {
        errors.on(
            token,
            format!(
                "clients call {noun} with whatever they like, so it must be safe: remove `unsafe`, and check in `{name}` what it \
                 needs"
            ),
        );
    }
    if let Some(abi) = &signature.abi {
        errors.on(abi, format!("{noun} is a Rust function: remove `extern`"));
    }
    if let Some(variadic) = &signature.variadic {
        errors.on(variadic, format!("{noun}'s arguments have names: take each as a parameter instead of `...`"));
    }
    if let (Some(_), Some(blocking)) = (signature.asyncness, options.blocking.filter(|flag| flag.on)) {
        errors.at(
            blocking.span,
            format!(
                "`blocking` moves a synchronous function off the async threads, but `{name}` is async: remove one of the two"
            ),
        );
    }
    if let (None, false, Some(task)) = (signature.asyncness, options.is_blocking(), &options.task) {
        errors.at(
            task.span,
            format!(
                "`{name}` is synchronous, and nothing could cancel it as a task while it runs on the async threads: add `blocking`, \
                 or make it `async`"
            ),
        );
    }
    if let (None, false, Some(timeout)) = (signature.asyncness, options.is_blocking(), &options.timeout) {
        errors.at(
            timeout.span,
            format!(
                "`{name}` is synchronous, and nothing can stop it while it runs on the async threads: for a `timeout` add \
                 `blocking`, or make it `async`"
            ),
        );
    }
    for parameter in &signature.generics.params {
        match parameter {
            GenericParam::Lifetime(lifetime) => errors.on(
                lifetime,
                format!("{noun} owns what it takes and has no lifetime parameters: remove `{}`", lifetime.lifetime),
            ),
            GenericParam::Type(ty) => {
                errors.on(
                    ty,
                    format!(
                        "{noun} cannot be generic, because nothing that a client sends chooses `{}`: name a concrete type",
                        ty.ident
                    ),
                );
            }
            GenericParam::Const(constant) => {
                errors.on(
                    constant,
                    format!(
                        "{noun} cannot be generic, because nothing that a client sends chooses `{}`: make it an argument or a \
                         constant",
                        constant.ident
                    ),
                );
            }
        }
    }
    if let Some(clause) = &signature.generics.where_clause {
        errors.on(clause, format!("{noun} is not generic, so it has no `where` clause: remove it"));
    }
    if let ReturnType::Type(_, ty) = &signature.output {
        if let Type::Never(_) = types::peel(ty) {
            let nothing = if options.kind == Kind::Tool { ": `()` when there is nothing to say" } else { "" };
            errors.on(ty, format!("{noun} answers, so it must return{nothing}"));
        } else {
            types::check_owned(ty, Position::Result, options.kind, errors);
        }
    }
}

/// The span of a function's result type; of its name when it returns nothing.
pub(crate) fn result_span(signature: &syn::Signature) -> Span {
    use syn::spanned::Spanned;
    match &signature.output {
        ReturnType::Type(_, ty) => ty.span(),
        ReturnType::Default => signature.ident.span(),
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;

    use super::*;

    fn errors(options: &str, item: &str) -> Vec<String> {
        let [options, item] = [options, item].map(|text| text.parse::<TokenStream>().expect("tokens"));
        crate::snapshots::messages(&crate::item::item(Kind::Tool, options, &item))
    }

    #[test]
    fn roles_are_told_by_type_and_attribute() {
        let text = "fn f(a: String, b: mcp_runtime::State<Api>, c: Option<Principal>, d: Option<u8>, #[inject] e: Mine,
                    State(f): State<u8>, g: State) {}";
        let function: Function = syn::parse_str(text).expect("a function");
        let mut errors = Errors::default();
        let description = Description::default();
        let signature = Signature::read(&function, &description, &Options::new(Kind::Tool), &mut errors);
        assert_eq!(errors.messages(), <[&str; 0]>::default());
        let roles: Vec<&str> = signature
            .parameters
            .iter()
            .map(|parameter| match &parameter.role {
                Role::Argument(_) => "argument",
                Role::Arguments(_) => "arguments",
                Role::Injected { name, .. } => name,
            })
            .collect();
        assert_eq!(roles, ["argument", "b", "c", "argument", "e", "f", "argument"]);
    }

    #[test]
    fn each_rule_has_its_error() {
        for wrong in [
            "fn f(&self) {}",
            "fn f<T>() {}",
            "fn f<'a>() {}",
            "fn f<const N: usize>() {}",
            "fn f() where u8: Copy {}",
            "fn f(a: impl Into<String>) {}",
            "fn f(a: &str) {}",
            "fn f(a: *const u8) {}",
            "fn f(_: String) {}",
            "fn f((a, b): (u8, u8)) {}",
            "fn f(Point { x, y }: Point) {}",
            "unsafe fn f() {}",
            "const fn f() {}",
            "extern \"C\" fn f() {}",
            "fn f() -> impl Display {}",
            "fn f() -> &str {}",
            "fn f() -> ! {}",
            "fn f(a: Args<A>, b: Args<B>) {}",
            "fn f(a: Args<A>, b: u8) {}",
            "fn f(a: Args) {}",
            "fn f(#[arg(default)] a: Args<A>) {}",
            "fn f(#[arg(default)] a: Context) {}",
            "fn f(#[inject] #[serde(default)] a: Mine) {}",
            "fn f(#[inject(x)] a: Mine) {}",
            "fn f(#[arg(name = \"b\")] a: u8, b: u8) {}",
            "fn f(#[serde(default, alias = \"b\")] a: u8) {}",
            "fn f(#[schemars(range(min = 1))] a: String) {}",
            "fn f(#[arg(header = \"Region\")] a: u8, #[arg(header = \"region\")] b: u8) {}",
            "fn f(#[args(default)] a: u8) {}",
            "fn f(#[cfg(unix)] a: u8) {}",
            "fn f(#[doc = \"a\u{200B}\"] a: u8) {}",
            "fn f();",
            "impl F { fn f() {} }",
            "struct F;",
            "/// # Arguments\n/// * `b` - b\nfn f(a: u8) {}",
            "/// # Arguments\n/// * `a` - a\nfn f(#[doc = \"a\"] a: u8) {}",
            "/// # Arguments\n/// * `a` - a\n/// * `a` - a\nfn f(a: u8) {}",
            "/// # Arguments\n/// * `a` - a\nfn f(a: Context) {}",
            "/// # Arguments\n/// * `a` - a\nfn f(a: Args<A>) {}",
        ] {
            let messages = errors("", wrong);
            assert_eq!(messages.len(), 1, "{wrong}: {messages:?}");
        }
        assert_eq!(errors("blocking", "async fn f() {}").len(), 1);
        assert_eq!(errors("timeout = \"1s\"", "fn f() {}").len(), 1);
        assert_eq!(errors("timeout = \"1s\", blocking = false", "fn f() {}").len(), 1);
        assert_eq!(errors("", "unsafe extern \"C\" fn f(a: u8, ...) {}").len(), 3);
    }

    fn errors_of(kind: Kind, options: &str, item: &str) -> Vec<String> {
        let [options, item] = [options, item].map(|text| text.parse::<TokenStream>().expect("tokens"));
        crate::snapshots::messages(&crate::item::item(kind, options, &item))
    }

    #[test]
    fn variables_and_parameters_are_the_same() {
        for (uri, fine) in [
            ("a://{b}", "fn f(b: u8) {}"),
            ("a://{b}{?c,d}", "fn f(b: u8, c: Option<String>, #[arg(default = 1)] d: u8, ctx: Context) {}"),
            ("a://{c}", "fn f(#[arg(name = \"c\")] b: u8, #[inject] mine: Mine) {}"),
            ("a://{type}", "fn f(r#type: String) {}"),
            ("a://{b}{?c}", "fn f(b: Args<B>) {}"),
            ("a://b", "fn f() {}"),
        ] {
            let messages = errors_of(Kind::Resource, &format!("{uri:?}"), fine);
            assert!(messages.is_empty(), "{uri} {fine}: {messages:?}");
        }
        for (uri, wrong) in [
            ("a://{b}", "fn f() {}"),
            ("a://b", "fn f(b: u8) {}"),
            ("a://b{?c}", "fn f(c: u8) {}"),
            ("a://{b}", "fn f(b: Vec<u8>) {}"),
            ("a://{b}", "fn f(#[schemars(range(min = 1))] b: u8) {}"),
            ("a://{b}", "fn f(#[arg(header = \"B\")] b: u8) {}"),
            ("a://{b}", "fn f(#[complete(1)] b: u8) {}"),
            ("a://{b}", "fn f(b: u8, #[complete(x)] c: Context) {}"),
            ("a://{b}", "fn f(#[complete(x)] b: Args<B>) {}"),
        ] {
            let messages = errors_of(Kind::Resource, &format!("{uri:?}"), wrong);
            assert_eq!(messages.len(), 1, "{uri} {wrong}: {messages:?}");
        }
        assert_eq!(errors_of(Kind::Resource, "\"a://{b}\"", "fn f(c: u8) {}").len(), 2);
    }

    #[test]
    fn each_rule_of_prompts_has_its_error() {
        for wrong in [
            "fn f(a: Vec<String>) {}",
            "fn f(a: Option<HashMap<String, u8>>) {}",
            "fn f(#[schemars(range(min = 1))] a: u8) {}",
            "fn f(#[serde(flatten)] a: A) {}",
            "fn f(#[arg(header = \"A\")] a: u8) {}",
            "fn f(#[complte([\"a\"])] a: String) {}",
            "fn f() -> impl Display {}",
        ] {
            let messages = errors_of(Kind::Prompt, "", wrong);
            assert_eq!(messages.len(), 1, "{wrong}: {messages:?}");
            assert!(messages.iter().all(|message| !message.starts_with("a tool")), "{messages:?}");
        }
        let fine = "fn f(#[complete([\"a\"])] #[schemars(title = \"A\")] a: String) {}";
        assert_eq!(errors_of(Kind::Prompt, "", fine), <[&str; 0]>::default());
    }

    #[test]
    fn a_task_can_be_cancelled() {
        assert_eq!(errors("task", "fn f() {}").len(), 1);
        assert_eq!(errors("task = \"deferred\"", "async fn f(a: State<A>) {}").len(), 1);
        for (options, fine) in [
            ("task", "async fn f() {}"),
            ("task = \"required\", blocking", "fn f() {}"),
            ("task = \"deferred\"", "async fn f(ctx: Context) {}"),
            ("task = \"deferred\"", "async fn f(#[inject] ctx: Alias) {}"),
        ] {
            assert_eq!(errors(options, fine), <[&str; 0]>::default(), "{fine}");
        }
        assert_eq!(errors("", "fn f(#[complete([\"a\"])] a: String) {}").len(), 1);
    }

    #[test]
    fn a_function_asks_by_what_may_be_a_context() {
        let asks = |text: &str| {
            let function: Function = syn::parse_str(text).expect("a function");
            let description = Description::default();
            Signature::read(&function, &description, &Options::new(Kind::Tool), &mut Errors::default()).asks()
        };
        assert!(!asks(
            "fn f(a: u8, b: State<B>, c: Principal, d: Option<Principal>, e: HeaderMap, g: Extension<u8>, h: CancellationToken) {}"
        ));
        assert!(asks("fn f(ctx: mcp_runtime::Context) {}"));
        assert!(asks("fn f(#[inject] a: Mine) {}"));
        assert!(!asks("fn f(#[inject] a: State<A>) {}"));
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let item = "pub unsafe fn f<T>(&self, a: &str, #[arg(defalt)] b: Option<&[T]>) -> impl Display {}";
        let messages = errors("read_only, destructive, tag(\"x\"), scopes(\"a b\")", item);
        assert_eq!(messages.len(), 10, "{messages:#?}");
    }
}
