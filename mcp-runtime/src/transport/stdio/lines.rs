//! Lines in and lines out, by threads.

use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::thread;

use tokio::sync::{mpsc, oneshot};

/// So many lines are read ahead.
const AHEAD: usize = 4;

/// So many messages wait to be written.
const BEHIND: usize = 64;

const CHUNK: usize = 64 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Without its line break.
    Message(Vec<u8>),
    /// Its bytes were skipped.
    TooLong,
}

/// The lines of `input`, but for blank ones. The channel closes at its end.
pub(super) fn read(input: impl Read + Send + 'static, limit: usize) -> io::Result<mpsc::Receiver<Line>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    thread::Builder::new().name("mcp-input".to_owned()).spawn(move || {
        let mut input = BufReader::with_capacity(CHUNK, input);
        loop {
            match next_line(&mut input, limit) {
                Ok(Some(line)) => {
                    if sender.blocking_send(line).is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => return tracing::warn!(target: "mcp_runtime::server", %error, "the input can not be read on"),
            }
        }
    })?;
    Ok(receiver)
}

fn next_line(input: &mut BufReader<impl Read>, limit: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(chunk.len());
        too_long |= line.len() + taken > limit;
        if too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(&chunk[..taken]);
        }
        let input_ended = chunk.is_empty();
        input.consume(taken + usize::from(end.is_some()));
        if end.is_none() && !input_ended {
            continue;
        }
        if too_long {
            return Ok(Some(Line::TooLong));
        }
        if !line.trim_ascii().is_empty() {
            return Ok(Some(Line::Message(line)));
        }
        if input_ended {
            return Ok(None);
        }
        line.clear();
    }
}

/// Writes each message as a line. The channel closes when nobody reads any more; the receiver resolves when all that was sent
/// before the senders were dropped is written.
pub(super) fn write(output: impl Write + Send + 'static) -> io::Result<(mpsc::Sender<Vec<u8>>, oneshot::Receiver<()>)> {
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(BEHIND);
    let (done, written) = oneshot::channel();
    thread::Builder::new().name("mcp-output".to_owned()).spawn(move || {
        let mut output = BufWriter::with_capacity(CHUNK, output);
        let result = write_all(&mut output, &mut receiver);
        if let Err(error) = result {
            tracing::debug!(target: "mcp_runtime::server", %error, "nobody reads the output");
        }
        // Fails where nobody waits for the end.
        let _ = done.send(());
    })?;
    Ok((sender, written))
}

fn write_all(output: &mut impl Write, messages: &mut mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    while let Some(message) = messages.blocking_recv() {
        let mut next = Some(message);
        while let Some(message) = next {
            output.write_all(&message)?;
            output.write_all(b"\n")?;
            next = messages.try_recv().ok();
        }
        output.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], limit: usize) -> Vec<Line> {
        // A buffer of three bytes: lines span several of them.
        let mut input = BufReader::with_capacity(3, text);
        std::iter::from_fn(|| next_line(&mut input, limit).expect("memory can be read")).collect()
    }

    fn message(text: &str) -> Line {
        Line::Message(text.into())
    }

    #[test]
    fn blank_lines_are_skipped_and_the_last_needs_no_break() {
        assert_eq!(lines(b"ab\n\n  \r\ncdefgh\r\ni", 8), [message("ab"), message("cdefgh\r"), message("i")]);
        assert_eq!(lines(b"", 8), []);
        assert_eq!(lines(b"\n", 8), []);
    }

    #[test]
    fn a_line_over_the_limit_is_skipped_and_the_next_one_read() {
        assert_eq!(lines(b"12345678\n123456789\nok\n", 8), [message("12345678"), Line::TooLong, message("ok")]);
        assert_eq!(lines(b"ok\n123456789012345", 8), [message("ok"), Line::TooLong]);
    }
}
