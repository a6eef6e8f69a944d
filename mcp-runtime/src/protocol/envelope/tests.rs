use super::*;

#[test]
fn plain_text_is_borrowed_from_the_body() {
    let body = r#"{"method":"tools/call","jsonrpc":"2.0","id":7,"params":{"name":"echo","arguments":{"a": [1]}}}"#;
    let envelope = Envelope::parse(body).expect("an envelope");
    assert!(matches!(envelope.method, Some(Text::Is(Cow::Borrowed("tools/call")))));
    let Some(Object::Is(params)) = &envelope.params else { panic!("params") };
    assert_eq!(params.arguments.map(RawValue::get), Some(r#"{"a": [1]}"#));
    assert_eq!(envelope.id.map(RawValue::get), Some("7"));
}

#[test]
fn wrong_kinds_are_noted_and_repeated_members_refused() {
    for value in ["5", "null", "[1,[2]]", r#"{"a":{}}"#, "true", "-1.5e3"] {
        let body = format!(r#"{{"method":{value},"params":{{"name":{value},"_meta":{{"progressToken":1}}}}}}"#);
        let envelope = Envelope::parse(&body).expect("lenient");
        assert_eq!(envelope.method, Some(Text::Other), "{value}");
    }
    for twice in [r#"{"id":1,"id":null}"#, r#"{"params":{"name":"a","name":"b"}}"#, r#"{"params":{},"params":{}}"#] {
        assert!(Envelope::parse(twice).is_err(), "{twice}");
    }
    assert!(Envelope::parse("[]").is_err() && Envelope::parse("{} {}").is_err());
}

#[test]
fn ids_are_strings_or_integers() {
    let id = |text: &'static str| is_id(serde_json::from_str::<&RawValue>(text).expect("JSON"));
    assert!(id("1") && id("-1") && id("\"\"") && id("18446744073709551616") && id("\"\\u0041\""));
    assert!(!id("null") && !id("1.0") && !id("1e3") && !id("{}") && !id("[]") && !id("true") && !id("\"\\ud800\""));
}

#[test]
fn elicitation_without_modes_means_by_form() {
    let declared = |text: &'static str| {
        let DeclaredCapabilities { set, .. } = whole(text).expect("an object");
        (set.contains(Capability::Elicitation), set.contains(Capability::ElicitationUrl))
    };
    assert_eq!(declared(r#"{"elicitation":{}}"#), (true, false));
    assert_eq!(declared(r#"{"elicitation":{"url":{}}}"#), (false, true));
    assert_eq!(declared(r#"{"elicitation":{"url":{},"form":{}}}"#), (true, true));
    assert_eq!(declared(r#"{"elicitation":null,"tasks":{}}"#), (false, false));
}
