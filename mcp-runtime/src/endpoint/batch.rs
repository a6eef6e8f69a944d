//! Several messages in one body (JSON-RPC 2.0, "Batch"; MCP 2025-03-26 alone has them).
//!
//! A small body can ask for a lot of work and for long answers, so a batch is carried out a few messages at a time, lets others
//! have their turn in between, and ends when its answers have become too long.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use serde::de::{Deserializer as _, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::call::{Call, Said};
use super::carrier::{Carrier, Head};
use super::legacy::Peer;
use super::{Endpoint, Legacy, Reply, internal, refused};
use crate::protocol::legacy::no_session;
use crate::protocol::{Code, Era, Incoming, Refusal, Wire, invalid, not_json, wire_of};

/// So many messages may be in a batch.
const MOST: usize = 50;

/// So many of its calls run at the same time.
const AT_ONCE: usize = 8;

/// So many times the limit of one result may its answers have together.
const RESULTS: usize = 4;

type Answers = Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send>>;

/// A batch under way.
pub(crate) struct Batch {
    /// `None` once it was taken.
    answers: Option<Answers>,
    endpoint: Arc<Endpoint>,
}

impl Batch {
    /// The answers as a JSON array, in any order; `None` if there are none, since all calls were cancelled.
    pub(crate) async fn answers(mut self) -> Option<Vec<u8>> {
        let answers = self.answers.as_mut()?;
        let all = answers.await;
        self.answers = None;
        all
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batch")
    }
}

/// As one call does, a batch goes on without its client.
impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(answers) = self.answers.take() {
            self.endpoint.unattended.adopt("a batch", async {
                answers.await;
                tracing::info!(target: "mcp_runtime::tool", "batch ended; its client had gone, nobody reads the answers");
            });
        }
    }
}

impl Endpoint {
    /// Only the first revision has batches, and a body says nothing of a batch's revision: its session or header does.
    pub(super) fn answer_batch(self: &Arc<Self>, head: Head, text: &str) -> Result<Reply, Refusal> {
        // One array is one answer: there is no place for questions before it.
        let head = Head { streams: false, ..head };
        let peer = match self.batch_peer(&head) {
            Ok(peer) => peer,
            // What is no JSON is no batch either.
            Err(refusal) if serde_json::from_str::<IgnoredAny>(text).is_ok() => return Err(refusal),
            Err(_) => return Err(not_json()),
        };
        let messages = messages(text)?;
        let mut answered = false;
        for message in &messages {
            match Incoming::parse(message) {
                Ok(Incoming::Asked { method, .. }) if method == "initialize" => {
                    return Err(invalid("initialize can not be part of a batch"));
                }
                Ok(message) if message.claims_a_version() => {
                    return Err(invalid("a message with a version in its _meta can not be part of a batch"));
                }
                Ok(message) => answered |= message.id().is_some(),
                Err(_) => answered = true,
            }
        }
        if answered {
            let messages = messages.into_iter().map(Box::from).collect();
            let answers = Box::pin(carry_out(Arc::clone(self), head, peer, messages));
            return Ok(Reply::Batch(Batch { answers: Some(answers), endpoint: Arc::clone(self) }));
        }
        for message in messages {
            self.answer_part(head.clone(), peer, message);
        }
        Ok(Reply::Accepted)
    }

    /// The client that may send batches.
    fn batch_peer(&self, head: &Head) -> Result<Peer, Refusal> {
        let foreign = || invalid("batches are not part of this protocol version, send one message per request");
        let named = match &head.carrier {
            Carrier::Http(headers) => match wire_of(headers)? {
                Wire::Legacy(named) => named,
                Wire::Modern => return Err(foreign()),
            },
            Carrier::Pipe(_) => None,
        };
        if matches!(self.legacy, Legacy::Refused) {
            return Err(foreign());
        }
        let peer = self.peer(head, named)?;
        match peer.client {
            Some(client) if client.era == Era::V2025_03_26 => Ok(peer),
            Some(_) => Err(foreign()),
            None if named.is_some_and(|named| named != Era::V2025_03_26) => Err(foreign()),
            None if head.carrier.headers().is_none() => Err(Refusal::bad(Code::InvalidRequest, "Send initialize first")),
            None => Err(no_session()),
        }
    }

    fn answer_part(self: &Arc<Self>, head: Head, peer: Peer, text: &str) -> Reply {
        let read = Incoming::parse(text).and_then(|message| self.read_legacy(&head, peer, message));
        let replied = read.and_then(|(terms, message)| self.carry_out(head, terms, message));
        replied.unwrap_or_else(|refusal| refused(&refusal))
    }
}

/// The messages of a batch, none of them read. Stops where there are too many.
fn messages(text: &str) -> Result<Vec<&str>, Refusal> {
    struct Few;

    impl<'de> Visitor<'de> for Few {
        type Value = Vec<&'de str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut messages = Vec::new();
            while let Some(message) = seq.next_element::<&RawValue>()? {
                if messages.len() == MOST {
                    return Err(A::Error::custom(TOO_MANY));
                }
                messages.push(message.get());
            }
            Ok(messages)
        }
    }

    const TOO_MANY: &str = "too many";
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_seq(Few).and_then(|messages| json.end().map(|()| messages));
    match read {
        Ok(messages) if messages.is_empty() => Err(invalid(&format!("a batch has 1 to {MOST} messages"))),
        Ok(messages) => Ok(messages),
        Err(error) if error.to_string().starts_with(TOO_MANY) => Err(invalid(&format!("a batch has 1 to {MOST} messages"))),
        Err(_) => Err(not_json()),
    }
}

async fn carry_out(endpoint: Arc<Endpoint>, head: Head, peer: Peer, messages: Vec<Box<str>>) -> Option<Vec<u8>> {
    let limit = endpoint.bounds.max_result_bytes.saturating_mul(RESULTS);
    let mut answers = Vec::new();
    let mut bytes = 0;
    let mut running = Vec::new();
    for message in messages {
        tokio::task::yield_now().await;
        while running.len() == AT_ONCE || bytes > limit && !running.is_empty() {
            collect(&mut running, &mut answers, &mut bytes).await;
        }
        if bytes > limit
            && let Some(answer) = left_out(&message, limit)
        {
            answers.push(answer);
            continue;
        }
        match endpoint.answer_part(head.clone(), peer, &message) {
            Reply::Accepted | Reply::Batch(_) => {}
            // No client that has batches has tasks, or listens by a request.
            Reply::Later(_) | Reply::Listen(_) => {}
            Reply::Json { body, .. }
            | Reply::TooMany { body, .. }
            | Reply::Opened { body, .. }
            | Reply::Challenge { body, .. } => {
                bytes += body.len();
                answers.push(body);
            }
            Reply::Call(call) => running.push(Box::pin(answer(call))),
        }
    }
    while !running.is_empty() {
        collect(&mut running, &mut answers, &mut bytes).await;
    }
    (!answers.is_empty()).then(|| [b"[".as_slice(), &answers.join(b",".as_slice()), b"]"].concat())
}

/// Waits until at least one of the calls has ended.
async fn collect<C: Future<Output = Option<Vec<u8>>> + Unpin>(
    running: &mut Vec<C>,
    answers: &mut Vec<Vec<u8>>,
    bytes: &mut usize,
) {
    let before = running.len();
    poll_fn(|cx| {
        running.retain_mut(|call| match Pin::new(call).poll(cx) {
            Poll::Ready(answer) => {
                *bytes += answer.as_ref().map_or(0, Vec::len);
                answers.extend(answer);
                false
            }
            Poll::Pending => true,
        });
        if running.len() < before { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn answer(mut call: Call) -> Option<Vec<u8>> {
    loop {
        match call.next().await {
            // One array is one answer: there is no place for reports before it.
            Said::Report(_) | Said::Question(_) | Said::CloseStream(_) => {}
            Said::Answer { body, .. } => return Some(body),
            Said::Cancelled => return None,
        }
    }
}

/// What a request reads that came after the answers were long enough. Whatever else came costs nothing, and is carried out.
fn left_out(message: &str, limit: usize) -> Option<Vec<u8>> {
    let message = Incoming::parse(message).ok()?;
    let id = message.id()?;
    let text = format!("Left out: the answers of this batch are over its limit of {limit} bytes; send this request again, alone");
    Some(internal(&text).with_id(Some(id)).to_json())
}
