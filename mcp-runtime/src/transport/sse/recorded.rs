//! Streams that are written down as they are sent, so that a client of a legacy session can come back for the rest.

use std::sync::Arc;

use bytes::Bytes;

use super::queue::Queue;
use crate::endpoint::{Call, Resumed, Said, Word};
use crate::protocol::Era;
use crate::streams::{LOOK, Recorder};

/// Carries a call to its end, whether somebody listens or not.
pub(super) async fn call(mut call: Call, first: Said, mut recorder: Recorder, era: Era, queue: Arc<Queue>) {
    // From its first event on a client knows where it is. Older clients read an empty event as a broken message (MCP 2025-11-25,
    // Streamable HTTP, "Sending Messages to the Server").
    if era >= Era::V2025_11_25 {
        let id = recorder.append("", false).await;
        queue.put(event(&id, ""));
    }
    let mut said = first;
    loop {
        match said {
            Said::Report(report) => {
                let (report, id) = keep(&mut recorder, &report, true).await;
                queue.offer(event(&id, &report));
            }
            Said::Question(question) => {
                let (question, id) = keep(&mut recorder, &question, false).await;
                queue.put(event(&id, &question));
            }
            Said::CloseStream(retry) if era >= Era::V2025_11_25 => {
                queue.put(Bytes::from(format!("retry: {}\n\n", retry.as_millis())));
                queue.end();
            }
            Said::CloseStream(_) => {}
            Said::Answer { body, .. } => {
                let (answer, id) = keep(&mut recorder, &body, false).await;
                queue.put(event(&id, &answer));
                break;
            }
            Said::Cancelled => {
                queue.clear();
                break;
            }
        }
        said = call.next().await;
    }
    recorder.end().await;
    queue.end();
}

async fn keep(recorder: &mut Recorder, json: &[u8], can_be_dropped: bool) -> (String, String) {
    // It was written from text.
    let json = String::from_utf8_lossy(json).into_owned();
    let id = recorder.append(&json, can_be_dropped).await;
    (json, id)
}

/// Sends what a client missed, then what comes.
pub(super) async fn resume(resumed: Resumed, queue: Arc<Queue>) {
    let Resumed { endpoint, session, missed, listening, watch, open } = resumed;
    let streams = endpoint.streams();
    if let Some(mut id) = missed {
        loop {
            // Listened to before the look: what comes in between is not missed.
            let bell = streams.bell(&session.key, &id);
            let writes_here = bell.is_some();
            let bell = bell.unwrap_or_default();
            let rung = tokio::time::timeout(LOOK, bell.notified());
            let Some(replay) = streams.after(&session.key, &id).await else { break };
            for stored in replay.events {
                tokio::select! {
                    // Whoever does not read keeps neither a place that another took, nor a right that is over.
                    biased;
                    () = open.replaced() => return queue.end(),
                    () = watch.ended() => return queue.end(),
                    () = queue.room() => {}
                }
                id.number = stored.number;
                queue.put(event(&id.to_string(), &stored.data));
            }
            // The stream of a session itself goes on below.
            if replay.ended || listening.is_some() {
                break;
            }
            tokio::select! {
                _ = rung => {}
                // A call that goes on here still ends, and with it its stream.
                () = endpoint.shutdown.cancelled(), if !writes_here => break,
                () = watch.ended() => break,
            }
        }
    }
    let Some(mut listening) = listening else { return queue.end() };
    let mut recorder = streams.record_listener(&session.key).await;
    loop {
        tokio::select! {
            biased;
            () = open.replaced() => break,
            () = queue.room() => {}
        }
        let word = tokio::select! {
            biased;
            // The client opened another in its place: a message goes to one of them (MCP 2025-11-25, "Multiple Connections").
            () = open.replaced() => break,
            word = listening.next() => word,
        };
        let Word::Notification(notification) = word else { break };
        let (notification, id) = keep(&mut recorder, &notification, true).await;
        queue.put(event(&id, &notification));
    }
    queue.end();
}

fn event(id: &str, json: &str) -> Bytes {
    Bytes::from(format!("id: {id}\ndata: {json}\n\n"))
}
