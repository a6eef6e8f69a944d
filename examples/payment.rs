//! A payment that asks first, and that is charged once: a step, a question, and an idempotent bank.
//!
//! `cargo run --example payment` serves it at 127.0.0.1:8000.
//!
//! For a client of 2026-07-28 the function runs twice: once until it asks, and again, from its start, with the answer. What a
//! step did is not done again: its value comes back with the client, sealed. But nothing keeps a client from sending a round
//! twice, by intent or because an answer got lost, and each time what comes after the question is done. So the step gives the
//! user *one price*, and only the bank can see to *one charge*, by a key that is the same in every round and in every replay.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use mcp_runtime::prelude::*;

/// A bank that keeps a receipt by the key of each charge. A real one keeps them in a database, and promises as much.
#[derive(Default)]
struct Bank {
    quotes: Mutex<u64>,
    receipts: Mutex<HashMap<String, String>>,
}

impl Bank {
    /// What an order costs now, in cents. Prices move: each time it is another one.
    async fn quote(&self, order: &str) -> Result<u64, ToolError> {
        if order.is_empty() {
            return Err(ToolError::user("Name an order."));
        }
        let mut quotes = self.quotes.lock().unwrap_or_else(PoisonError::into_inner);
        *quotes += 1;
        Ok(3999 + *quotes)
    }

    /// Charges, unless it did so before under this key: then the receipt is the earlier one.
    async fn charge(&self, key: &str, order: &str, cents: u64) -> String {
        let mut receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        let number = receipts.len() + 1;
        receipts.entry(key.to_owned()).or_insert_with(|| format!("receipt {number}: {order}, {}", euros(cents))).clone()
    }
}

/// What the user may say to it.
#[data]
struct Confirm {
    /// A note for the receipt
    note: Option<String>,
}

/// Pay for an order, once the user has agreed to its price.
#[tool(destructive, requires(elicitation))]
async fn pay(
    /// The order's number, for example `o-17`
    order: String,
    bank: State<Bank>,
    ctx: Context,
) -> Result<String, ToolError> {
    // Without the step, the rerun would fetch another price. The question would then be another one, and be asked anew: never
    // is a yes to one price taken for another.
    let cents = ctx.step("quote", async || bank.quote(&order).await).await?;
    let answer = ctx.elicit::<Confirm>(format!("Pay {} for {order}?", euros(cents))).await?.accepted()?;
    // No step: it would run once for each replay as well. The key makes the charge one.
    let receipt = bank.charge(&ctx.call_key(), &order, cents).await;
    Ok(answer.note.map_or_else(|| receipt.clone(), |note| format!("{receipt} ({note})")))
}

fn euros(cents: u64) -> String {
    format!("{}.{:02} EUR", cents / 100, cents % 100)
}

/// One instance makes a sealing key of its own; several need `.sealing_keys(..)` and `.public_url(..)` in common.
pub(crate) fn server() -> Server {
    Server::new("payment", env!("CARGO_PKG_VERSION")).only([pay::tool()]).state(Bank::default())
}

#[tokio::main]
async fn main() -> mcp_runtime::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    server().serve("127.0.0.1:8000").await
}
