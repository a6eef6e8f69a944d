//! One parameter: an argument, the struct of all arguments, or a value that the server provides.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Pat, PatType, Type};

use crate::argument::{self, Argument};
use crate::completion::{self, Completion};
use crate::describe;
use crate::errors::Errors;
use crate::function;
use crate::kind::Kind;
use crate::types::{self, Position};
use crate::words;

pub(crate) struct Parameter<'f> {
    pub(crate) ty: &'f Type,
    pub(crate) role: Role<'f>,
}

pub(crate) enum Role<'f> {
    /// A value the client sends by name.
    Argument(Box<Field<'f>>),
    /// `Args<T>`: all that the client sends, as one `T`.
    Arguments(&'f Type),
    /// A value the server provides.
    Injected {
        /// For the server's own reports.
        name: String,
        /// May it be a `Context`, by which the user is asked?
        asks: bool,
    },
}

/// An argument as a field of the generated struct.
pub(crate) struct Field<'f> {
    pub(crate) ident: &'f Ident,
    pub(crate) argument: Argument,
    pub(crate) completion: Option<Completion>,
    /// The user's `///`, `#[serde]` and `#[schemars]`.
    pub(crate) attributes: Vec<&'f Attribute>,
    /// From the `# Arguments` list of the function.
    pub(crate) description: Option<&'f str>,
}

/// Checks one parameter and finds out what it is.
pub(crate) fn read<'f>(parameter: &'f PatType, kind: Kind, errors: &mut Errors) -> Option<Parameter<'f>> {
    let PatType { attrs, pat, ty, .. } = parameter;
    let ty: &Type = ty;
    for attribute in attrs {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            let noun = kind.noun();
            errors.on(
                attribute,
                format!("{noun} has the same parameters in every build: put `#[cfg]` on two versions of the function"),
            );
        } else if let Some(meant) = function::misspelt(attribute) {
            let name = attribute.path();
            errors.on(name, format!("there is no `#[{}]` for parameters; did you mean `#[{meant}]`?", name.to_token_stream()));
        }
    }
    describe::check(attrs, errors);
    let inject = attrs.iter().find(|attribute| attribute.path().is_ident("inject"));
    if let Some(inject) = inject
        && inject.meta.require_path_only().is_err()
    {
        errors.on(inject, "`#[inject]` takes no options");
    }
    if inject.is_some() || is_injected(ty) {
        types::check_owned(ty, Position::Injected, kind, errors);
        for attribute in attrs.iter().filter(|attribute| concerns_arguments(attribute)) {
            errors.on(
                attribute,
                format!(
                    "`{}` is injected by the server, and clients never send it: remove `#[{}]`",
                    types::show(pat),
                    attribute.path().to_token_stream()
                ),
            );
        }
        return Some(Parameter { ty, role: Role::Injected { name: binding(pat), asks: asks(ty) } });
    }
    if types::last_segment(ty).is_some_and(|segment| segment.ident == "Args") {
        for attribute in attrs.iter().filter(|attribute| concerns_arguments(attribute)) {
            errors.on(
                attribute,
                match completion::is_complete(attribute) {
                    true => "`#[complete]` suggests values for one argument: take that one as a parameter of its own, without `Args<_>`",
                    false => "put this on a field of the struct in `Args<_>`, and `#[data]` on the struct",
                },
            );
        }
        let Some(inner) = types::only_argument(ty, "Args") else {
            errors.on(ty, "`Args` takes the struct of all arguments: `Args<Query>`");
            return None;
        };
        types::check_owned(inner, Position::Argument, kind, errors);
        return Some(Parameter { ty, role: Role::Arguments(inner) });
    }
    types::check_owned(ty, Position::Argument, kind, errors);
    let argument = Argument::read(attrs, ty, errors);
    let mut completion = None;
    words::refuse_aliases(attrs, "clients are shown one name of an argument, and every other is refused as unknown", errors);
    if kind.takes_texts() {
        completion = Completion::read(attrs, errors);
        words::check_texts(attrs, ty, kind, errors);
        if let Some(header) = &argument.header {
            errors.on(
                header,
                format!("only a tool's arguments are repeated in headers, and this is {}: remove `header`", kind.noun()),
            );
        }
    } else {
        words::check_constraints(attrs, ty, errors);
        for attribute in attrs.iter().filter(|attribute| completion::is_complete(attribute)) {
            errors.on(
                attribute,
                "clients complete the arguments of prompts and the variables of resources, not a tool's: remove `#[complete]`; an \
                 enum shows a tool's callers the choices",
            );
        }
    }
    let ident = argument_name(pat, errors)?;
    let attributes = attrs
        .iter()
        .filter(|attribute| ["doc", "serde", "schemars"].iter().any(|kept| attribute.path().is_ident(kept)))
        .collect();
    Some(Parameter { ty, role: Role::Argument(Box::new(Field { ident, argument, completion, attributes, description: None })) })
}

/// The types that the server provides are known by name; `#[inject]` tells of all others.
fn is_injected(ty: &Type) -> bool {
    !asks(ty) || types::last_segment(ty).is_some_and(|segment| segment.ident == "Context")
}

/// May it be a `Context`, or hold one? These are known not to.
fn asks(ty: &Type) -> bool {
    const BARE: [&str; 3] = ["Principal", "HeaderMap", "CancellationToken"];
    const WRAPPED: [&str; 2] = ["State", "Extension"];
    let inner = types::only_argument(ty, "Option").and_then(types::last_segment);
    let harmless = types::last_segment(ty).is_some_and(|segment| BARE.iter().any(|known| segment.ident == known))
        || WRAPPED.iter().any(|known| types::only_argument(ty, known).is_some())
        || inner.is_some_and(|segment| segment.ident == "Principal");
    !harmless
}

fn concerns_arguments(attribute: &Attribute) -> bool {
    argument::is_arg(attribute)
        || completion::is_complete(attribute)
        || attribute.path().is_ident("serde")
        || attribute.path().is_ident("schemars")
}

fn argument_name<'f>(pat: &'f Pat, errors: &mut Errors) -> Option<&'f Ident> {
    let text = match pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => return Some(&pat.ident),
        Pat::Wild(_) => "an argument needs a name that clients can send: write one instead of `_`".to_owned(),
        other => format!(
            "an argument needs a name that clients can send: bind it to one and take `{}` apart in the body; or write \
             `#[inject]` if the server provides it",
            types::show(other)
        ),
    };
    errors.on(pat, text);
    None
}

/// A name for an injected parameter: `api` for `api` and for `State(api)`, else the pattern as written.
fn binding(pat: &Pat) -> String {
    match pat {
        Pat::Ident(pat) => pat.ident.unraw().to_string(),
        Pat::TupleStruct(pat) if pat.elems.len() == 1 => binding(&pat.elems[0]),
        other => types::show(other),
    }
}
