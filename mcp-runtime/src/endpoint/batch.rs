//! Several messages in one body (JSON-RPC 2.0, "Batch"; MCP 2025-03-26 alone has them).

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use super::call::{Call, Said};

/// The answers of a batch: those that are there, and those that tools are at work on.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    answers: Vec<Vec<u8>>,
    calls: Vec<Call>,
}

impl Batch {
    pub(super) fn answer(&mut self, answer: Vec<u8>) {
        self.answers.push(answer);
    }

    pub(super) fn call(&mut self, call: Call) {
        self.calls.push(call);
    }

    /// Are there only messages that are not answered?
    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.calls.is_empty()
    }

    /// Waits for all calls, which run at the same time. The answers as a JSON array, in any order; `None` if all were cancelled.
    pub(crate) async fn answers(self) -> Option<Vec<u8>> {
        let Self { mut answers, calls } = self;
        let mut calls: Vec<_> = calls.into_iter().map(|call| Box::pin(answer(call))).collect();
        poll_fn(|cx| {
            calls.retain_mut(|call| match Pin::new(call).poll(cx) {
                Poll::Ready(answer) => {
                    answers.extend(answer);
                    false
                }
                Poll::Pending => true,
            });
            if calls.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        (!answers.is_empty()).then(|| [b"[".as_slice(), &answers.join(b",".as_slice()), b"]"].concat())
    }
}

async fn answer(mut call: Call) -> Option<Vec<u8>> {
    loop {
        match call.next().await {
            // One array is one answer: there is no place for reports before it.
            Said::Progress(_) => {}
            Said::Answer(answer) => return Some(answer),
            Said::Cancelled => return None,
        }
    }
}
