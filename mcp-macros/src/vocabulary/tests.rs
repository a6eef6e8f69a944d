use quote::quote;

use super::*;
use crate::values::TaskMode;

fn read(tokens: TokenStream) -> (Options, Vec<String>) {
    let mut errors = Errors::default();
    let options = Options::read(Kind::Tool, tokens, &mut errors);
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
fn capabilities_are_words() {
    let (options, errors) = read(quote!(requires(roots, sampling, elicitation_url, elicitation)));
    assert!(errors.is_empty(), "{errors:?}");
    let words: Vec<String> = options.requires.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["roots", "sampling", "elicitation_url", "elicitation"]);
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
        quote!(task = true),
        quote!(task = "sometimes"),
        quote!(task(required)),
        quote!(ui),
        quote!(ui = "https://example.com"),
        quote!(ui = "ui://a", meta("ui" = 1)),
        quote!(description = "x"),
    ] {
        assert_eq!(read(wrong.clone()).1.len(), 1, "{wrong}");
    }
}

#[test]
fn meta_values_become_json() {
    let (options, errors) = read(quote!(meta("a" = "x\"\\\n", "b" = 0x10u8, "c" = -5, "d" = 1.0, "e" = -2.5e300, "f" = true)));
    assert!(errors.is_empty(), "{errors:?}");
    let values: Vec<&str> = options.meta.iter().map(|meta| &*meta.json).collect();
    assert_eq!(values, [r#""x\"\\\u000a""#, "16", "-5", "1.0", "-2.5e300", "true"]);
    assert_eq!(read(quote!(meta("a" = 1e999))).1.len(), 1);
    assert_eq!(read(quote!(meta("a" = 99999999999999999999))).1.len(), 1);
}

#[test]
fn a_task_has_three_modes() {
    let mode = |tokens| read(tokens).0.task.map(|task| task.mode);
    assert_eq!(mode(quote!(task)), Some(TaskMode::Optional));
    assert_eq!(mode(quote!(task = "required")), Some(TaskMode::Required));
    assert_eq!(mode(quote!(task = "deferred")), Some(TaskMode::Deferred));
    assert_eq!(mode(quote!()), None);
}

fn resource(tokens: TokenStream) -> (Options, Vec<String>) {
    let mut errors = Errors::default();
    let options = Options::read(Kind::Resource, tokens, &mut errors);
    (options, errors.messages())
}

#[test]
fn all_of_a_resource_is_read() {
    let (options, errors) = resource(quote!(
        "ui://{a}/{b}",
        mime_type = "text/html;profile=mcp-app",
        cache(private, ttl = "30s"),
        unchecked("a", "b"),
        annotations(audience(user, assistant), priority = 1, last_modified = "2026-01-01T00:00:00Z"),
        ui(
            connect("https://a.example"),
            resources("https://b.example"),
            frames("https://c.example"),
            base_uris("https://d.example"),
            permissions(clipboard_write, camera),
            domain = "e.example",
            prefers_border
        ),
    ));
    assert_eq!(errors, <[&str; 0]>::default());
    let ui = options.ui.expect("ui").1.json();
    assert_eq!(
        ui,
        r#"{"csp":{"connectDomains":["https://a.example"],"resourceDomains":["https://b.example"],"frameDomains":["https://c.example"],"baseUriDomains":["https://d.example"]},"permissions":{"camera":{},"clipboardWrite":{}},"domain":"e.example","prefersBorder":true}"#
    );
    assert_eq!(options.cache.and_then(|cache| cache.ttl), Some(std::time::Duration::from_secs(30)));
    assert_eq!(options.annotations.and_then(|annotations| annotations.priority), Some(1.0));
}

#[test]
fn each_rule_of_resources_has_its_error() {
    for wrong in [
        quote!(),
        quote!(title = "a"),
        quote!(uri = "a://b"),
        quote!(b"a://b"),
        quote!(URI),
        quote!("a://b" "c"),
        quote!("a://b" title = "c"),
        quote!("b"),
        quote!("a://b", "c"),
        quote!("a://b", name = ""),
        quote!("a://b", mime_type = "json"),
        quote!("a://b", cache),
        quote!("a://b", cache(private)),
        quote!("a://b", cache(ttl = "1s")),
        quote!("a://b", cache(private, public, ttl = "1s")),
        quote!("a://b", cache(private = true, ttl = "1s")),
        quote!("a://b", cache(private, ttl = "0s")),
        quote!("a://b", cache(private, tll = "1s", ttl = "1s")),
        quote!("a://b", cache(public, ttl = "1s"), scopes("c")),
        quote!("a://b", annotations()),
        quote!("a://b", annotations(audience(everyone))),
        quote!("a://b", annotations(priority = 1.5)),
        quote!("a://b", annotations(priority = "high")),
        quote!("a://b", annotations(last_modified = "yesterday")),
        quote!("a://{b}", unchecked("c")),
        quote!("a://b", unchecked("b")),
        quote!("a://b", ui(prefers_border)),
        quote!("ui://b", mime_type = "text/html"),
        quote!("ui://b", ui(connect("*"))),
        quote!("ui://b", ui(permissions(kamera))),
        quote!("ui://b", ui = "ui://c"),
        quote!("a://b", task),
        quote!("a://b", read_only),
        quote!("a://b", hidden),
        quote!("a://b", description = "c"),
    ] {
        let messages = resource(wrong.clone()).1;
        assert_eq!(messages.len(), 1, "{wrong}: {messages:?}");
    }
}

#[test]
fn prompts_have_fewer_options() {
    let read = |tokens| {
        let mut errors = Errors::default();
        Options::read(Kind::Prompt, tokens, &mut errors);
        errors.messages()
    };
    assert!(read(quote!(name = "a-b", title = "A", tags("b"), scopes("c"), hidden, requires(roots), meta("d" = 1))).is_empty());
    for wrong in [quote!(read_only), quote!(max_result_bytes = 1), quote!(task), quote!(name = "a b"), quote!("a")] {
        assert_eq!(read(wrong.clone()).len(), 1, "{wrong}");
    }
}
