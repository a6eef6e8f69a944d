//! What is done once, however often the function runs.

use std::future::poll_fn;
use std::pin::pin;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

use super::{Asking, Polling};
use crate::call::{Context, ToolError};

impl Context {
    /// Does something whose value a rerun finds instead of doing it again.
    ///
    /// A function that asks its client runs once more for each round of questions. The value of a completed step travels with
    /// the client, sealed, so any instance finds it, without a store. A step that fails is not completed. Within a step nothing can
    /// be asked, and no other step begins.
    ///
    /// The work is an `async ||` closure with a `Result`. Where nothing in it says of which error, write it: of work that can not
    /// fail, `ctx.step("now", async || Ok::<_, ToolError>(SystemTime::now())).await?`.
    ///
    /// **This is not exactly-once.** A client may send a round again, and then the steps of that round are done again; a
    /// process may die between the work and the answer. What must happen at most once, a payment for one, needs a key that
    /// its own service knows: [`call_key`](Self::call_key) is the same through all rounds of one call, replayed ones too.
    ///
    /// ```
    /// use mcp_runtime::prelude::*;
    ///
    /// # struct Bank;
    /// # impl Bank {
    /// #     async fn quote(&self, _: &str) -> std::io::Result<u64> { Ok(40) }
    /// #     async fn charge(&self, key: &str, _: u64) -> std::io::Result<String> { Ok(key.to_owned()) }
    /// # }
    /// #[data]
    /// struct Confirm {}
    ///
    /// /// Pay for an order.
    /// #[tool(destructive, requires(elicitation))]
    /// async fn pay(order: String, bank: State<Bank>, ctx: Context) -> Result<String, ToolError> {
    ///     // Asked for once: the user agrees to the price that is then charged.
    ///     let price = ctx.step("quote", async || bank.quote(&order).await).await?;
    ///     ctx.elicit::<Confirm>(format!("Pay {price} EUR for {order}?")).await?.accepted()?;
    ///     // The bank knows the key, and charges once for it, whatever is replayed.
    ///     let receipt = bank.charge(&ctx.call_key(), price).await?;
    ///     Ok(format!("Paid: {receipt}"))
    /// }
    /// ```
    ///
    /// # Errors
    /// That of the work; and, each saying so: a name that is there twice, a value that can not be written as JSON, one too large
    /// to travel, or one of an earlier round that no longer fits `T`.
    pub async fn step<T, E>(&self, name: &str, work: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, ToolError>
    where
        T: Serialize + DeserializeOwned,
        E: Into<ToolError>,
    {
        if !self.is_polled() {
            return Err("a step belongs to the function itself, not to another step, nor to a task that it spawned".into());
        }
        let asking = self.asking();
        if let Some(known) = asking.begin_step(name)? {
            return serde_json::from_str(known.get())
                .map_err(|error| format!("the value of the step `{name}` does not fit its type any more: {error}").into());
        }
        let running = Running { asking, name, ended: false };
        let mut work = pin!(work());
        // A round does not end while a step is at work, so one that asked would wait for ever.
        let value = poll_fn(|cx| {
            let _suspended = Polling::suspend();
            work.as_mut().poll(cx)
        });
        let value = value.await.map_err(Into::into)?;
        let json = to_raw_value(&value).map_err(|error| format!("the value of the step `{name}` can not be kept: {error}"))?;
        running.end(json)?;
        Ok(value)
    }
}

/// A step at work. Dropped before its end, it leaves nothing behind.
struct Running<'c> {
    asking: &'c Asking,
    name: &'c str,
    ended: bool,
}

impl Running<'_> {
    fn end(mut self, value: Box<RawValue>) -> Result<(), String> {
        self.ended = true;
        self.asking.end_step(self.name, Some(value))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // Without a value there is nothing to be too large.
            let _ = self.asking.end_step(self.name, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_function_with_steps_can_be_called_by_a_unit_test() {
        let ctx = Context::detached();
        let one = ctx.step("one", async || Ok::<_, ToolError>(1)).await.expect("a value");
        let failed = ctx.step("two", async || Err::<u8, _>("no")).await.expect_err("the error of the work");
        let twice = ctx.step("one", async || Ok::<_, ToolError>(1)).await.expect_err("a name that is there twice");
        assert_eq!((one, failed.to_string().as_str()), (1, "no"));
        assert!(twice.to_string().contains("twice"), "{twice}");
        assert_eq!((ctx.call_key().len(), ctx.call_key()), (32, ctx.call_key()));
        assert!(matches!(ctx.roots().await, Err(crate::AskError::Unreachable(_))));
    }
}
