//! The rules for a tool's signature, and which parameter is what.

use std::collections::HashMap;

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::{FnArg, GenericParam, ReturnType, Type};

use crate::describe::{self, Description};
use crate::errors::Errors;
use crate::function::{self, Function};
use crate::parameter::{self, Field, Parameter, Role};
use crate::suggest;
use crate::tool::Options;
use crate::types::{self, Position};

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
                        "a tool is a free function and has no `self`: move `{}` out of the impl block and take what it needs from \
                         `self` as `State<_>`",
                        function.sig.ident
                    ),
                ),
                FnArg::Typed(parameter) => signature.parameters.extend(parameter::read(parameter, errors)),
            }
        }
        signature.check_struct(errors);
        signature.check_names(errors);
        signature.check_headers(errors);
        signature.describe(function, description, errors);
        signature
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&Field<'f>, &'f Type)> {
        self.parameters.iter().filter_map(|parameter| match &parameter.role {
            Role::Argument(field) => Some((&**field, parameter.ty)),
            Role::Arguments(_) | Role::Injected(_) => None,
        })
    }

    /// `T` of `Args<T>`.
    pub(crate) fn arguments(&self) -> Option<&'f Type> {
        self.parameters.iter().find_map(|parameter| match parameter.role {
            Role::Arguments(inner) => Some(inner),
            Role::Argument(_) | Role::Injected(_) => None,
        })
    }

    fn check_struct(&self, errors: &mut Errors) {
        let Some(inner) = self.arguments() else { return };
        let structs = self.parameters.iter().filter(|parameter| matches!(parameter.role, Role::Arguments(_)));
        for second in structs.skip(1) {
            errors.on(second.ty, "a tool has one `Args<_>`: put the fields of both into one struct");
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
        let injected =
            self.parameters.iter().any(|parameter| matches!(&parameter.role, Role::Injected(injected) if injected == name));
        match injected {
            true => format!("`{name}` is injected by the server, and clients never see it: remove it from the list\n{list}"),
            false => format!("`{function}` has no argument `{name}`{}\n{list}", suggest::question(name, known)),
        }
    }
}

fn check_function(function: &Function, options: &Options, errors: &mut Errors) {
    let signature = &function.sig;
    let name = &signature.ident;
    if !function.has_body() {
        errors.on(name, format!("a tool is a free function with a body, and `{name}` has none: write it outside of the trait"));
    }
    if let Some(token) = signature.constness {
        errors.on(token, "a tool is called at run time: remove `const`");
    }
    if let Some(token) = function::unsafe_token(signature) {
        errors.on(
            token,
            format!(
                "clients call a tool with whatever they like, so it must be safe: remove `unsafe`, and check in `{name}` what it \
                 needs"
            ),
        );
    }
    if let Some(abi) = &signature.abi {
        errors.on(abi, "a tool is a Rust function: remove `extern`");
    }
    if let Some(variadic) = &signature.variadic {
        errors.on(variadic, "a tool's arguments have names: take a list as `Vec<_>` instead of `...`");
    }
    if let (Some(_), Some(blocking)) = (signature.asyncness, options.blocking.filter(|flag| flag.on)) {
        errors.at(
            blocking.span,
            format!(
                "`blocking` moves a synchronous function off the async threads, but `{name}` is async: remove one of the two"
            ),
        );
    }
    let blocking = options.blocking.is_some_and(|flag| flag.on);
    if let (None, false, Some(timeout)) = (signature.asyncness, blocking, &options.timeout) {
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
                format!("a tool owns what it takes and has no lifetime parameters: remove `{}`", lifetime.lifetime),
            ),
            GenericParam::Type(ty) => {
                errors.on(
                    ty,
                    format!(
                        "a tool cannot be generic, because nothing in a client's JSON chooses `{}`: name a concrete type",
                        ty.ident
                    ),
                );
            }
            GenericParam::Const(constant) => {
                errors.on(
                    constant,
                    format!(
                        "a tool cannot be generic, because nothing in a client's JSON chooses `{}`: make it an argument or a \
                         constant",
                        constant.ident
                    ),
                );
            }
        }
    }
    if let Some(clause) = &signature.generics.where_clause {
        errors.on(clause, "a tool is not generic, so it has no `where` clause: remove it");
    }
    if let ReturnType::Type(_, ty) = &signature.output {
        if let Type::Never(_) = types::peel(ty) {
            errors.on(ty, "a tool answers, so it must return: `()` when there is nothing to say");
        } else {
            types::check_owned(ty, Position::Result, errors);
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
        crate::snapshots::messages(&crate::tool::tool(options, &item))
    }

    #[test]
    fn roles_are_told_by_type_and_attribute() {
        let text = "fn f(a: String, b: mcp_runtime::State<Api>, c: Option<Principal>, d: Option<u8>, #[inject] e: Mine,
                    State(f): State<u8>, g: State) {}";
        let function: Function = syn::parse_str(text).expect("a function");
        let mut errors = Errors::default();
        let description = Description::default();
        let signature = Signature::read(&function, &description, &Options::default(), &mut errors);
        assert_eq!(errors.messages(), <[&str; 0]>::default());
        let roles: Vec<&str> = signature
            .parameters
            .iter()
            .map(|parameter| match &parameter.role {
                Role::Argument(_) => "argument",
                Role::Arguments(_) => "arguments",
                Role::Injected(name) => name,
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

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let item = "pub unsafe fn f<T>(&self, a: &str, #[arg(defalt)] b: Option<&[T]>) -> impl Display {}";
        let messages = errors("read_only, destructive, tag(\"x\"), scopes(\"a b\")", item);
        assert_eq!(messages.len(), 10, "{messages:#?}");
    }
}
