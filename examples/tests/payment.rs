//! What the payment example promises: one price, one charge, and none without a yes.

#[path = "../payment.rs"]
#[expect(dead_code, reason = "the example's `main` is not run here")]
mod payment;

use mcp_runtime::testing::{Answer, Client, Era};
use payment::server;
use serde_json::{Value, json};

const ASKING: [Era; 3] = [Era::V2025_06_18, Era::V2025_11_25, Era::V2026_07_28];

async fn pay(client: &Client) -> Answer {
    client.call("pay", json!({ "order": "o-17" })).await
}

#[tokio::test]
async fn the_price_that_was_agreed_to_is_charged_once() {
    for era in ASKING {
        let client = Client::new(&server()).era(era).answering(json!({ "note": "thanks" }));
        let answer = pay(&client).await;
        assert_eq!(answer.text(), "receipt 1: o-17, 40.00 EUR (thanks)", "{era:?}");
        let asked: Vec<_> = answer.questions().iter().map(|question| &question["params"]["message"]).collect();
        assert_eq!(asked, ["Pay 40.00 EUR for o-17?"], "{era:?}");
        // Another call is another charge, at the price of its time.
        assert_eq!(pay(&client).await.text(), "receipt 2: o-17, 40.01 EUR (thanks)", "{era:?}");
    }
}

#[tokio::test]
async fn without_a_yes_nothing_is_charged() {
    for era in ASKING {
        let client = Client::new(&server()).era(era);
        for (action, told) in [("decline", "The user declined."), ("cancel", "The user closed the question without an answer.")] {
            let answer = pay(&client.clone().answering_with(move |_, _| json!({ "action": action }))).await;
            assert_eq!((answer.is_error(), answer.text().as_str()), (true, told), "{era:?}");
        }
        let unable = pay(&client).await;
        let refused = if era.is_legacy() { unable.is_error() } else { unable.error_code() == Some(-32021) };
        assert!(refused, "{era:?}: {}", unable.message());
        let paid = pay(&client.answering(json!({}))).await;
        assert_eq!(paid.text(), "receipt 1: o-17, 40.02 EUR", "{era:?}: the first receipt");
    }
}

/// Documented honestly: a client may send a round again. The bank's key makes it one charge.
#[tokio::test]
async fn a_replayed_round_is_charged_once() {
    let server = server();
    let client = Client::new(&server).capabilities(json!({ "elicitation": {} }));
    let first = pay(&client).await;
    let questions = first.result()["inputRequests"].as_object().expect("a question");
    let yes = json!({ "action": "accept", "content": {} });
    let responses: serde_json::Map<String, Value> = questions.keys().map(|key| (key.clone(), yes.clone())).collect();
    let mut second = json!({ "name": "pay", "arguments": { "order": "o-17" }, "inputResponses": responses });
    second["requestState"] = first.result()["requestState"].clone();
    for _ in 0..3 {
        let answer = client.request("tools/call", second.clone()).await;
        assert_eq!(answer.text(), "receipt 1: o-17, 40.00 EUR");
    }
    // The first round once more is another call, with another key and at another price: the user is asked.
    let other = pay(&Client::new(&server).answering(json!({}))).await;
    assert_eq!(other.questions()[0]["params"]["message"], "Pay 40.01 EUR for o-17?");
    assert_eq!(other.text(), "receipt 2: o-17, 40.01 EUR");
}
