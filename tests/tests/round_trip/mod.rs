//! A call in several rounds, as its client sends it: by hand, so that a test may spoil each of them.

#![allow(dead_code, reason = "each test binary uses its own part")]

use serde_json::{Map, Value, json};

use crate::http_call::{Answer, CAPABILITIES_KEY, HttpCall};

/// `tools/call` by a client that can do everything.
pub(crate) fn tool(name: &str, arguments: Value) -> HttpCall {
    able(HttpCall::tool(name, arguments))
}

/// `prompts/get`.
pub(crate) fn prompt(name: &str, arguments: Value) -> HttpCall {
    let mut params = json!({ "name": name });
    params["arguments"] = arguments;
    able(HttpCall::new("prompts/get", params).header("mcp-name", name))
}

/// `resources/read`.
pub(crate) fn read(uri: &str) -> HttpCall {
    able(HttpCall::new("resources/read", json!({ "uri": uri })).header("mcp-name", uri))
}

pub(crate) fn able(call: HttpCall) -> HttpCall {
    call.meta(CAPABILITIES_KEY, json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": {} }))
}

/// The questions that a round asks, by their keys. It must be one that asks, and have all that such a round has.
#[track_caller]
pub(crate) fn asked(answer: &Answer) -> Map<String, Value> {
    let result = &answer.json()["result"];
    assert_eq!((answer.status, &result["resultType"]), (200, &json!("input_required")), "{}", answer.shown());
    let mut members: Vec<_> = result.as_object().expect("an object").keys().map(String::as_str).collect();
    members.retain(|member| *member != "_meta");
    // MRTR-16: nothing of caches.
    assert_eq!(members, ["inputRequests", "requestState", "resultType"]);
    let questions = result["inputRequests"].as_object().expect("questions").clone();
    assert!(!questions.is_empty());
    for question in questions.values() {
        // MRTR-04: no `jsonrpc`, no `id`.
        assert!(question.as_object().expect("an object").keys().all(|member| member == "method" || member == "params"));
        let method = question["method"].as_str().expect("a method");
        assert!(["elicitation/create", "sampling/createMessage", "roots/list"].contains(&method), "{method}");
    }
    questions
}

/// The messages of its questions, by key.
#[track_caller]
pub(crate) fn messages_asked(answer: &Answer) -> Vec<(String, String)> {
    let message = |question: &Value| question["params"]["message"].as_str().unwrap_or_default().to_owned();
    asked(answer).iter().map(|(key, question)| (key.clone(), message(question))).collect()
}

#[track_caller]
pub(crate) fn state(answer: &Answer) -> String {
    let state = answer.json()["result"]["requestState"].as_str().map(str::to_owned);
    state.unwrap_or_else(|| panic!("no state in {}", answer.shown()))
}

/// The same call, with this state and these answers.
pub(crate) fn again(call: &HttpCall, state: impl Into<Value>, responses: Value) -> HttpCall {
    let state = state.into();
    call.clone().edit(|message| {
        message["id"] = json!("again");
        message["params"]["requestState"] = state;
        message["params"]["inputResponses"] = responses;
    })
}

/// The next round of a call: each question of the last one is answered so.
#[track_caller]
pub(crate) fn answered(call: &HttpCall, last: &Answer, answer: &Value) -> HttpCall {
    let responses: Map<_, _> = asked(last).into_iter().map(|(key, _)| (key, answer.clone())).collect();
    again(call, state(last), responses.into())
}

pub(crate) fn accept(content: Value) -> Value {
    let mut answer = json!({ "action": "accept" });
    answer["content"] = content;
    answer
}

pub(crate) const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What a sealed text is made of.
pub(crate) fn bytes_of(text: &str) -> Vec<u8> {
    let sixes = text.bytes().map(|b| ALPHABET.iter().position(|known| *known == b).expect("a character of Base64"));
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_usize, 0);
    for six in sixes {
        bits = bits << 6 | six;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held).expect("a byte"));
            bits &= (1 << held) - 1;
        }
    }
    bytes
}
