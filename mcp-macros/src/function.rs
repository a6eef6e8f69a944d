//! The annotated function as it was written: signature parsed, body left alone.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, FnArg, Item, Token, Visibility};

/// A function whose body stays unparsed: half-typed code in it must not cost the user our errors, nor us time.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: syn::Signature,
    body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self { attrs: input.call(Attribute::parse_outer)?, vis: input.parse()?, sig: input.parse()?, body: input.parse()? })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for attribute in &self.attrs {
            attribute.to_tokens(tokens);
        }
        self.vis.to_tokens(tokens);
        self.sig.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

impl Function {
    /// Whether there is a body; a method of a trait may have none.
    pub(crate) fn has_body(&self) -> bool {
        matches!(self.body.clone().into_iter().last(), Some(TokenTree::Group(_)))
    }

    /// The function with our attributes on parameters, and those of serde and schemars, taken off,
    /// and misspelt ones, which are reported already.
    pub(crate) fn without_parameter_attributes(mut self) -> Self {
        for input in &mut self.sig.inputs {
            let (FnArg::Typed(syn::PatType { attrs, .. }) | FnArg::Receiver(syn::Receiver { attrs, .. })) = input;
            attrs.retain(|attribute| !is_ours(attribute) && misspelt(attribute).is_none());
        }
        self
    }
}

/// Attributes of parameters that the expansion consumes.
pub(crate) const PARAMETER_ATTRIBUTES: [&str; 6] = ["arg", "complete", "inject", "serde", "schemars", "doc"];

fn is_ours(attribute: &Attribute) -> bool {
    PARAMETER_ATTRIBUTES.iter().any(|ours| attribute.path().is_ident(ours))
}

/// Parses the item under `#[attribute]`, or says where the attribute belongs.
pub(crate) fn parse(item: TokenStream, attribute: &str) -> syn::Result<Function> {
    let error = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => return Ok(function),
        Err(error) => error,
    };
    let item = syn::parse2::<Item>(item);
    let (keyword, advice): (&dyn ToTokens, &str) = match &item {
        Ok(Item::Impl(item)) => (&item.impl_token, "put it on free functions; move those out of the impl block"),
        Ok(Item::Trait(item)) => (&item.trait_token, "put it on free functions; move those out of the trait"),
        Ok(Item::Mod(item)) => (&item.mod_token, "put it on each function"),
        Ok(Item::Struct(item)) => (&item.struct_token, "for a type that is taken or returned there is `#[data]`"),
        Ok(Item::Enum(item)) => (&item.enum_token, "for a type that is taken or returned there is `#[data]`"),
        Ok(Item::Fn(_)) | Err(_) => return Err(error),
        Ok(item) => (item, "put it on a `fn` or an `async fn`"),
    };
    Err(syn::Error::new_spanned(keyword, format!("`#[{attribute}]` belongs on a function: {advice}")))
}

/// The attribute of ours that a parameter's attribute seems to be, misspelt.
pub(crate) fn misspelt(attribute: &Attribute) -> Option<&'static str> {
    let name = attribute.path().get_ident()?.to_string();
    // These are rustc's own; `cfg` is close to `arg` in letters only.
    if is_ours(attribute) || ["allow", "expect", "warn", "deny", "forbid", "cfg", "cfg_attr"].contains(&&*name) {
        return None;
    }
    crate::suggest::closest(&name, PARAMETER_ATTRIBUTES)
}

/// `#[cfg]`s of the function; what is generated from it comes and goes with it.
pub(crate) fn conditions(function: &Function) -> impl Iterator<Item = &Attribute> {
    function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"))
}

/// `#[allow]`s of the function, for generated code that the compiler may warn about.
pub(crate) fn allowances(function: &Function) -> impl Iterator<Item = &Attribute> {
    function.attrs.iter().filter(|attribute| attribute.path().is_ident("allow"))
}

/// The `unsafe` before `fn`, when it is there.
pub(crate) fn unsafe_token(signature: &syn::Signature) -> Option<Token![unsafe]> {
    match signature.safety {
        syn::Safety::Unsafe(token) => Some(token),
        syn::Safety::Safe(_) | syn::Safety::Default => None,
    }
}
