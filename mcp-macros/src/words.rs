//! What the attributes of serde and schemars beside ours say, and which of their words cannot be kept.

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Token, Type};

use crate::errors::Errors;
use crate::kind::Kind as ItemKind;
use crate::types::{self, Kind};

/// The few words that change what we check or generate.
pub(crate) struct Words {
    pub(crate) rename: Option<LitStr>,
    pub(crate) default: bool,
    pub(crate) flatten: bool,
    /// Whether what is accepted stays what the type alone accepts.
    pub(crate) plain: bool,
}

impl Words {
    pub(crate) fn read(attributes: &[Attribute]) -> Self {
        let mut words = Self { rename: None, default: false, flatten: false, plain: true };
        for attribute in attributes {
            if attribute.path().is_ident("schemars") {
                // Even its `rename` and `default` count: they change the schema and not what serde does.
                words.plain = false;
            } else if attribute.path().is_ident("serde") {
                let read = list(attribute);
                words.plain &= !read.is_empty();
                read.iter().for_each(|word| words.take(word));
            }
        }
        words
    }

    fn take(&mut self, word: &Meta) {
        let is = |name| word.path().is_ident(name);
        self.default |= is("default");
        self.flatten |= is("flatten");
        self.plain &= is("default") || is("rename");
        if is("rename") {
            self.rename = read_name(word).or(self.rename.take());
        }
    }
}

/// The words of one attribute. What does not parse is for the derive to report.
fn list(attribute: &Attribute) -> Vec<Meta> {
    attribute
        .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
        .map_or_else(|_| Vec::new(), |words| words.into_iter().collect())
}

/// The name of `rename = "..."`, or of `rename(deserialize = "...")`.
fn read_name(rename: &Meta) -> Option<LitStr> {
    match rename {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) => Some(name.clone()),
            _ => None,
        },
        Meta::List(both) => {
            let both = both.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
            both.iter().find(|word| word.path().is_ident("deserialize")).and_then(read_name)
        }
        Meta::Path(_) => None,
    }
}

/// Reports `#[serde(alias = "...")]`, with the reason.
pub(crate) fn refuse_aliases(attributes: &[Attribute], reason: &str, errors: &mut Errors) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        if list(attribute).iter().any(|word| word.path().is_ident("alias")) {
            errors.on(attribute, format!("{reason}: remove `alias`; another name is given by `#[arg(name = \"...\")]`"));
        }
    }
}

/// Reports constraints that do not fit the type, where its spelling tells: schemars leaves them out without a word.
pub(crate) fn check_constraints(attributes: &[Attribute], ty: &Type, errors: &mut Errors) {
    let Some(kind) = types::kind(ty) else { return };
    let words = |name: &'static str| attributes.iter().filter(move |attribute| attribute.path().is_ident(name)).flat_map(list);
    // The schema is then another type's.
    if words("schemars").chain(words("serde")).any(|word| ["with", "schema_with"].iter().any(|with| word.path().is_ident(with))) {
        return;
    }
    for word in words("schemars") {
        let Some(name) = word.path().get_ident().map(ToString::to_string) else { continue };
        if let Some((constrained, advice)) = misfit(&name, kind) {
            errors.on(
                word.path(),
                format!(
                    "`{name}` is for {constrained}, and `{}` is {}, so it would be left out of the schema: {advice}",
                    types::show(ty),
                    kind.show()
                ),
            );
        }
    }
}

/// Reports what the arguments of resources and prompts can not have: they come as texts, without a schema that is enforced.
pub(crate) fn check_texts(attributes: &[Attribute], ty: &Type, kind: ItemKind, errors: &mut Errors) {
    const CONSTRAINTS: [&str; 9] = ["range", "length", "regex", "pattern", "contains", "inner", "extend", "email", "url"];
    let noun = kind.noun();
    if let Some(kind @ (Kind::List | Kind::Map)) = types::kind(ty) {
        errors.on(
            ty,
            format!(
                "`{}` is {}, and the arguments of {noun} are single texts: take a `String`, and split it in the body",
                types::show(ty),
                kind.show()
            ),
        );
    }
    for attribute in attributes {
        if attribute.path().is_ident("serde") && list(attribute).iter().any(|word| word.path().is_ident("flatten")) {
            errors.on(
                attribute,
                format!(
                    "`flatten` reads values before their types are known, and the arguments of {noun} are all text then: write the \
                     fields as parameters, or take `Args<_>`"
                ),
            );
        }
        if !attribute.path().is_ident("schemars") {
            continue;
        }
        if !kind.describes_arguments() {
            errors.on(attribute, format!("{noun} publishes no schema of its variables: remove `#[schemars]`"));
            continue;
        }
        for word in list(attribute).iter().filter(|word| CONSTRAINTS.iter().any(|name| word.path().is_ident(name))) {
            errors.on(
                word.path(),
                format!(
                    "`{0}` is enforced for the arguments of tools only: check it in the body, and say by `ToolError::user(..)` what \
                     is wrong",
                    types::show(word.path())
                ),
            );
        }
    }
}

/// What a constraint is for, and what to write instead, when it is not for this kind.
fn misfit(constraint: &str, kind: Kind) -> Option<(&'static str, String)> {
    let (constrained, fits): (_, &[Kind]) = match constraint {
        "range" => ("numbers", &[Kind::Integer, Kind::Float]),
        "length" => ("strings and lists", &[Kind::String, Kind::List]),
        "regex" | "pattern" | "contains" => ("strings", &[Kind::String]),
        _ => return None,
    };
    let advice = match (constraint, kind) {
        _ if fits.contains(&kind) => return None,
        ("range", Kind::String) => "for the number of characters write `length(..)`".into(),
        ("range", Kind::List) => "for the elements write `inner(range(..))`, for their number `length(..)`".into(),
        (_, Kind::List) => format!("for the elements write `inner({constraint}(..))`"),
        ("length", Kind::Integer | Kind::Float) => "for the value write `range(..)`".into(),
        ("range" | "length", Kind::Map) => "for the number of entries write `extend(\"maxProperties\" = ..)`".into(),
        _ => "remove it".into(),
    };
    Some((constrained, advice))
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn only_names_and_defaults_are_plain() {
        let plain: [&[Attribute]; 4] = [
            &[],
            &[parse_quote!(#[doc = "x"]), parse_quote!(#[arg(header = "A")])],
            &[parse_quote!(#[serde(default = "path", rename = "x")])],
            &[parse_quote!(#[serde(rename(deserialize = "x"))]), parse_quote!(#[serde(default)])],
        ];
        assert!(plain.iter().all(|attributes| Words::read(attributes).plain));
        let other: [Attribute; 8] = [
            parse_quote!(#[serde(flatten)]),
            parse_quote!(#[serde(default, deserialize_with = "path")]),
            parse_quote!(#[serde(alias = "x")]),
            parse_quote!(#[serde(rename = )]),
            parse_quote!(#[serde]),
            parse_quote!(#[schemars(range(min = 1))]),
            parse_quote!(#[schemars(rename = "x")]),
            parse_quote!(#[schemars(!default)]),
        ];
        for attribute in other {
            assert!(!Words::read(std::slice::from_ref(&attribute)).plain, "{}", types::show(&attribute));
        }
    }

    #[test]
    fn aliases_are_found_beside_other_words() {
        let mut errors = Errors::default();
        let attributes: [Attribute; 3] = [
            parse_quote!(#[serde(default)]),
            parse_quote!(#[serde(alias = "x", alias = "y")]),
            parse_quote!(#[schemars(rename = "alias")]),
        ];
        refuse_aliases(&attributes, "no", &mut errors);
        assert_eq!(errors.messages(), ["no: remove `alias`; another name is given by `#[arg(name = \"...\")]`"]);
    }

    #[test]
    fn constraints_fit_the_type() {
        let messages = |attribute: Attribute, ty: Type| {
            let mut errors = Errors::default();
            check_constraints(&[attribute], &ty, &mut errors);
            errors.messages()
        };
        let constraints: [Attribute; 3] = [
            parse_quote!(#[schemars(range(min = 1))]),
            parse_quote!(#[schemars(length(min = 1, max = 2))]),
            parse_quote!(#[schemars(regex(pattern = "^a"))]),
        ];
        let cases: [(Type, [bool; 3]); 13] = [
            (parse_quote!(u8), [true, false, false]),
            (parse_quote!(Option<i64>), [true, false, false]),
            (parse_quote!(f32), [true, false, false]),
            (parse_quote!(String), [false, true, true]),
            (parse_quote!(Option<Box<String>>), [false, true, true]),
            (parse_quote!(std::vec::Vec<u8>), [false, true, false]),
            (parse_quote!(Option<Vec<String>>), [false, true, false]),
            (parse_quote!(HashSet<u8>), [false, true, false]),
            (parse_quote!(BTreeSet<u8>), [false, true, false]),
            (parse_quote!(HashMap<String, u8>), [false, false, false]),
            (parse_quote!(Option<BTreeMap<String, u8>>), [false, false, false]),
            (parse_quote!(bool), [false, false, false]),
            (parse_quote!(Mine), [true, true, true]),
        ];
        for (ty, fits) in &cases {
            let found = constraints.each_ref().map(|constraint| messages(constraint.clone(), ty.clone()).is_empty());
            assert_eq!(found, *fits, "{}", types::show(ty));
        }
        let other: [Attribute; 3] = [
            parse_quote!(#[schemars(inner(range(min = 1)))]),
            parse_quote!(#[schemars(with = "u8", range(min = 1))]),
            parse_quote!(#[garde(range(min = 1))]),
        ];
        assert!(other.iter().all(|other| messages(other.clone(), parse_quote!(Vec<u8>)).is_empty()));
    }
}
