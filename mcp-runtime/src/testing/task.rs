//! Tasks, as a test meets them (the tasks extension of MCP 2026-07-28).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Answer, Client};

impl Client {
    /// Declares the tasks extension: tools with `#[tool(task)]` may answer with a task, whose end
    /// [`finished`](Self::finished) waits for. Clients of the handshake revisions get results all the same.
    ///
    /// ```
    /// # use mcp_runtime::prelude::*;
    /// # use mcp_runtime::testing::Client;
    /// # use serde_json::json;
    /// # #[tool(task)]
    /// # async fn index(pages: u32) -> String { format!("{pages} pages") }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
    /// # let server = Server::new("test", "0").only([index::tool()]);
    /// let client = Client::new(&server).taking_tasks();
    /// let begun = client.call("index", json!({ "pages": 12 })).await;
    /// assert_eq!(client.finished(&begun).await.text(), "12 pages");
    /// # });
    /// ```
    #[must_use]
    pub fn taking_tasks(mut self) -> Self {
        self.takes_tasks = true;
        self
    }

    /// What the call would have answered if it were none of a task: waits for the task's end by asking as often as the server says.
    /// Its questions are answered as [`answering`](Self::answering) says. Of a task that was cancelled, what `tasks/get` says.
    ///
    /// In a test with paused time (`#[tokio::test(start_paused = true)]`) the waiting takes none.
    ///
    /// # Panics
    /// If `begun` is no task or the server refuses to tell of it; if it asks and this client answers nothing; and as
    /// [`request`](Self::request).
    pub async fn finished(&self, begun: &Answer) -> Answer {
        let Some(id) = begun.result()["taskId"].as_str() else { panic!("it is no task: {}", begun.message()) };
        loop {
            let mut answer = self.request_once("tasks/get", named(id)).await;
            let task = answer.result();
            match task["status"].as_str() {
                Some("completed") => answer.message = json!({ "result": task["result"] }),
                Some("failed") => answer.message = json!({ "error": task["error"] }),
                Some("input_required") => {
                    let Some(respond) = &self.answers else { panic!("it asks: {}", task["inputRequests"]) };
                    let questions = task["inputRequests"].as_object().cloned().unwrap_or_default();
                    let mut params = named(id);
                    params.insert("inputResponses".to_owned(), respond.to_all(&questions, &Map::new()).into());
                    let updated = self.request_once("tasks/update", params).await;
                    assert_eq!(updated.error_code(), None, "{}", updated.error_message());
                    self.pause(task).await;
                    continue;
                }
                Some("working") => {
                    self.pause(task).await;
                    continue;
                }
                _ => {}
            }
            return answer;
        }
    }

    async fn pause(&self, task: &Value) {
        tokio::time::sleep(Duration::from_millis(task["pollIntervalMs"].as_u64().unwrap_or(1000))).await;
    }
}

fn named(id: &str) -> Map<String, Value> {
    Map::from_iter([("taskId".to_owned(), id.into())])
}
