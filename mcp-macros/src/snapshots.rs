//! Compares whole expansions with `tests/expansion/*.expanded.rs`; `UPDATE_EXPANSIONS=1` writes them anew.

use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Item, Meta};

use crate::kind::Kind;

/// The texts of the `compile_error!`s in an expansion.
pub(crate) fn messages(expansion: &TokenStream) -> Vec<String> {
    struct Macros(Vec<String>);
    impl<'ast> syn::visit::Visit<'ast> for Macros {
        fn visit_macro(&mut self, mac: &'ast syn::Macro) {
            if mac.path.segments.last().is_some_and(|segment| segment.ident == "compile_error") {
                self.0.extend(mac.parse_body::<syn::LitStr>().map(|text| text.value()));
            }
        }
    }
    let mut macros = Macros(Vec::new());
    // The item may be one that stands in no file, such as a method; the errors come after it.
    let text = expansion.to_string();
    let errors =
        text.find(":: core :: compile_error").or_else(|| text.find("::core::compile_error")).map_or("", |start| &text[start..]);
    let file: syn::File = syn::parse_str(errors).expect("errors are items");
    syn::visit::Visit::visit_file(&mut macros, &file);
    macros.0
}

/// Expands our attributes in a file as the compiler would; those that say nothing about `crate` get the option `root`.
fn expand(source: &str, root: &TokenStream) -> String {
    let file: syn::File = syn::parse_str(source).expect("the input is Rust");
    let expanded: TokenStream = file.items.into_iter().map(|item| expand_item(item, root)).collect();
    prettyplease::unparse(&syn::parse2(expanded).expect("the expansion is Rust"))
}

fn expand_item(mut item: Item, root: &TokenStream) -> TokenStream {
    let attributes: &mut Vec<Attribute> = match &mut item {
        Item::Fn(function) => &mut function.attrs,
        Item::Struct(item) => &mut item.attrs,
        Item::Enum(item) => &mut item.attrs,
        other => return other.to_token_stream(),
    };
    let words = ["tool", "resource", "prompt", "data"];
    let ours = attributes.iter().position(|attribute| words.iter().any(|word| attribute.path().is_ident(word)));
    let Some(ours) = ours else { return item.to_token_stream() };
    let attribute = attributes.remove(ours);
    let options = match attribute.meta {
        Meta::List(ref list) if list.tokens.to_string().contains("crate =") => list.tokens.clone(),
        Meta::List(ref list) => {
            // A resource's URI stands first.
            let mut options = list.tokens.clone();
            if !root.is_empty() {
                let comma = (!options.to_string().ends_with(',')).then(|| quote!(,));
                options.extend(quote!(#comma #root));
            }
            options
        }
        _ => root.clone(),
    };
    let kind = [Kind::Tool, Kind::Resource, Kind::Prompt].into_iter().find(|kind| attribute.path().is_ident(kind.word()));
    match kind {
        Some(kind) => crate::item::item(kind, options, &item.to_token_stream()),
        None => crate::data::data(options, &item.to_token_stream()),
    }
}

fn inputs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expansion");
    let files = std::fs::read_dir(folder).expect("the folder of inputs");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|file| {
        file.extension().is_some_and(|extension| extension == "rs") && !file.to_string_lossy().ends_with(".expanded.rs")
    });
    files.sort();
    files
}

#[test]
fn expansions_are_as_committed() {
    let update = std::env::var_os("UPDATE_EXPANSIONS").is_some();
    let inputs = inputs();
    assert!(inputs.len() >= 11, "inputs are missing");
    let mut changed = Vec::new();
    for input in inputs {
        let output = input.with_extension("expanded.rs");
        let expanded = expand(&std::fs::read_to_string(&input).expect("an input"), &quote!());
        if update {
            std::fs::write(&output, &expanded).expect("an output");
        } else if std::fs::read_to_string(&output).unwrap_or_default() != expanded {
            changed.push(output.display().to_string());
        }
    }
    assert!(changed.is_empty(), "expansions changed; look at them with UPDATE_EXPANSIONS=1 and `git diff`: {changed:#?}");
}

#[test]
fn with_another_root_nothing_names_the_usual_one() {
    for input in inputs() {
        let expanded = expand(&std::fs::read_to_string(&input).expect("an input"), &quote!(crate = ::elsewhere));
        assert!(!expanded.contains("compile_error"), "{}: {expanded}", input.display());
        assert!(expanded.contains("::elsewhere::__private") || expanded.contains("mcp::__private"), "{expanded}");
        // Not in a path, and not in the text of one for serde and schemars.
        assert!(!expanded.contains("mcp_runtime"), "{}: {expanded}", input.display());
    }
}
