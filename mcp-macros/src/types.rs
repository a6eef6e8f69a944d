//! Questions about a type that its spelling answers. What only the compiler knows is asked by generated checks.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{GenericArgument, Lifetime, PathArguments, PathSegment, Type};

use crate::errors::Errors;
use crate::kind::Kind as ItemKind;

/// A type without the invisible groups and parentheses around it.
pub(crate) fn peel(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}

/// The last segment of a type's path: users import or qualify as they like.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match peel(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// `T` of `Name<T>`.
pub(crate) fn only_argument<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let segment = last_segment(ty).filter(|segment| segment.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    let mut types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    let first = types.next()?;
    types.next().is_none().then_some(first)
}

/// A type as a message shows it.
pub(crate) fn show(ty: &impl ToTokens) -> String {
    let mut text = ty.to_token_stream().to_string();
    for (spaced, tight) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        ("& ", "&"),
        (" ;", ";"),
        ("[ ", "["),
        (" ]", "]"),
        (" ::", "::"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        ("' ", "'"),
        ("* ", "*"),
    ] {
        text = text.replace(spaced, tight);
    }
    text
}

/// Where the walk finds a type; injected values and results may hold `&'static`, arguments come out of JSON and may not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Position {
    Argument,
    Injected,
    Result,
}

/// Reports every borrow, raw pointer and `impl Trait` in a type.
pub(crate) fn check_owned(ty: &Type, position: Position, kind: ItemKind, errors: &mut Errors) {
    Owned { position, kind, errors }.visit_type(ty);
}

struct Owned<'e> {
    position: Position,
    kind: ItemKind,
    errors: &'e mut Errors,
}

impl Owned<'_> {
    fn is_allowed(&self, lifetime: Option<&Lifetime>) -> bool {
        self.position != Position::Argument && lifetime.is_some_and(|lifetime| lifetime.ident == "static")
    }

    fn rule(&self) -> String {
        let rule = match self.position {
            Position::Argument => "owns its arguments",
            Position::Injected => "owns what is injected",
            Position::Result => "returns owned data",
        };
        format!("{} {rule}", self.kind.noun())
    }
}

impl<'ast> Visit<'ast> for Owned<'_> {
    fn visit_type_reference(&mut self, reference: &'ast syn::TypeReference) {
        if self.is_allowed(reference.lifetime.as_ref()) {
            return;
        }
        let text = format!("{}: take `{}` instead of `{}`", self.rule(), owned(&reference.elem), show(reference));
        let text = if self.position == Position::Result { text.replace("take", "return") } else { text };
        self.errors.on(reference, text);
    }

    fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
        if segment.ident == "Cow"
            && let PathArguments::AngleBracketed(arguments) = &segment.arguments
        {
            let is_static = |argument: &GenericArgument| matches!(argument, GenericArgument::Lifetime(lifetime) if lifetime.ident == "static");
            if !arguments.args.iter().any(is_static) {
                let inner = arguments.args.iter().find_map(|argument| match argument {
                    GenericArgument::Type(ty) => Some(ty),
                    _ => None,
                });
                let owned = inner.map_or_else(|| "String".into(), owned);
                self.errors.on(segment, format!("{}: `{}` borrows, so write `{owned}`", self.rule(), show(segment)));
            }
            return;
        }
        visit::visit_path_segment(self, segment);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            self.errors.on(
                lifetime,
                format!("{}: a type that borrows for `{lifetime}` cannot stand here; use one without a lifetime", self.rule()),
            );
        }
    }

    fn visit_type_ptr(&mut self, pointer: &'ast syn::TypePtr) {
        let noun = self.kind.noun();
        self.errors
            .on(pointer, format!("{noun} has no raw pointers: take `{}` instead of `{}`", owned(&pointer.elem), show(pointer)));
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast syn::TypeImplTrait) {
        let noun = self.kind.noun();
        let text = match self.position {
            Position::Result => {
                let what = if self.kind == ItemKind::Tool { "the schema" } else { "what is sent" };
                format!("{noun} names its result type: `{}` does not say what it is, and {what} depends on it", show(ty))
            }
            _ => format!("{noun} cannot be generic, and `{}` is: name a concrete type", show(ty)),
        };
        self.errors.on(ty, text);
    }

    // What a function or closure type mentions is not held by the value.
    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast syn::ParenthesizedGenericArguments) {}
}

/// The owned counterpart of what is behind a reference.
fn owned(ty: &Type) -> String {
    match peel(ty) {
        Type::Slice(slice) => format!("Vec<{}>", owned(&slice.elem)),
        Type::Reference(reference) => owned(&reference.elem),
        Type::Path(path) => match path.path.segments.last() {
            Some(last) if last.ident == "str" => "String".into(),
            Some(last) if last.ident == "Path" => "PathBuf".into(),
            Some(last) if last.ident == "CStr" => "CString".into(),
            Some(last) if last.ident == "OsStr" => "OsString".into(),
            _ => show(path),
        },
        Type::TraitObject(object) => format!("Box<{}>", show(object)),
        other => show(other),
    }
}

/// What a type is in JSON.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    String,
    Integer,
    Float,
    Boolean,
    List,
    Map,
}

impl Kind {
    pub(crate) fn show(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer => "a whole number",
            Self::Float => "a float",
            Self::Boolean => "a boolean",
            Self::List => "a list",
            Self::Map => "a map",
        }
    }
}

/// The kind of a type, when its spelling tells; `Option` and pointers are what they hold.
pub(crate) fn kind(ty: &Type) -> Option<Kind> {
    match peel(ty) {
        Type::Array(_) | Type::Slice(_) | Type::Tuple(_) => Some(Kind::List),
        Type::Path(path) => {
            let name = path.path.segments.last()?.ident.to_string();
            match &*name {
                "Option" | "Box" | "Arc" | "Rc" => only_argument(ty, &name).and_then(kind),
                "String" | "char" => Some(Kind::String),
                "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => {
                    Some(Kind::Integer)
                }
                "f32" | "f64" => Some(Kind::Float),
                "bool" => Some(Kind::Boolean),
                "Vec" | "VecDeque" | "LinkedList" | "HashSet" | "BTreeSet" | "BinaryHeap" | "IndexSet" => Some(Kind::List),
                "HashMap" | "BTreeMap" | "IndexMap" | "Map" => Some(Kind::Map),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Why a type cannot travel in a header, when its spelling tells.
pub(crate) fn unfit_for_header(ty: &Type) -> Option<&'static str> {
    kind(ty).filter(|kind| matches!(kind, Kind::Float | Kind::List | Kind::Map)).map(Kind::show)
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn check(ty: &Type, position: Position) -> Vec<String> {
        let mut errors = Errors::default();
        check_owned(ty, position, ItemKind::Tool, &mut errors);
        errors.messages()
    }

    #[test]
    fn every_borrow_names_its_owned_counterpart() {
        let cases: [(Type, &str); 9] = [
            (parse_quote!(&str), "take `String` instead of `&str`"),
            (parse_quote!(&'static str), "take `String` instead of `&'static str`"),
            (parse_quote!(&[u8]), "take `Vec<u8>`"),
            (parse_quote!(&[&str]), "take `Vec<String>`"),
            (parse_quote!(&Query), "take `Query`"),
            (parse_quote!(Option<&str>), "take `String`"),
            (parse_quote!(Cow<'_, str>), "write `String`"),
            (parse_quote!(std::borrow::Cow<[u8]>), "write `Vec<u8>`"),
            (parse_quote!(&std::path::Path), "take `PathBuf`"),
        ];
        for (ty, expected) in cases {
            let messages = check(&ty, Position::Argument);
            assert_eq!(messages.len(), 1, "{messages:?}");
            assert!(messages[0].contains(expected), "{messages:?}");
        }
    }

    #[test]
    fn static_borrows_may_be_injected_and_returned() {
        for position in [Position::Injected, Position::Result] {
            assert!(check(&parse_quote!(State<&'static Config>), position).is_empty());
            assert!(check(&parse_quote!(Cow<'static, str>), position).is_empty());
            assert!(check(&parse_quote!(Box<dyn Fn(&str) -> &str + 'static>), position).is_empty());
            assert_eq!(check(&parse_quote!(State<&Config>), position).len(), 1);
            assert_eq!(check(&parse_quote!(Thing<'_>), position).len(), 1);
        }
        assert_eq!(check(&parse_quote!(Option<*const u8>), Position::Argument).len(), 1);
        assert_eq!(check(&parse_quote!(Vec<impl Into<String>>), Position::Argument).len(), 1);
    }

    #[test]
    fn headers_carry_simple_values() {
        let fit: [Type; 4] = [parse_quote!(String), parse_quote!(Option<u8>), parse_quote!(bool), parse_quote!(Region)];
        assert!(fit.iter().all(|ty| unfit_for_header(ty).is_none()));
        let unfit: [Type; 5] = [
            parse_quote!(f64),
            parse_quote!(Option<f32>),
            parse_quote!(Vec<u8>),
            parse_quote!([u8; 2]),
            parse_quote!(std::collections::HashMap<String, u8>),
        ];
        assert!(unfit.iter().all(|ty| unfit_for_header(ty).is_some()));
    }

    #[test]
    fn types_are_shown_as_people_write_them() {
        let ty: Type = parse_quote!(Option<std::vec::Vec<(u8, &'a str)>>);
        assert_eq!(show(&ty), "Option<std::vec::Vec<(u8, &'a str)>>");
    }
}
