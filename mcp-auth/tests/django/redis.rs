//! A Redis of this process, for a user who may send what sessions are read with, and nothing else.
#![allow(dead_code)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// It listens on a port of its own until the test's runtime ends.
pub(crate) struct Redis {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// `None`: it has no end.
    values: HashMap<String, (Vec<u8>, Option<Duration>)>,
    commands: Vec<Vec<String>>,
    connections: Vec<AbortHandle>,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = tokio::spawn(serve(stream, shared.clone()));
                shared.lock().expect("whole").connections.push(connection.abort_handle());
            }
        });
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Holds this value, and no other.
    pub(crate) fn hold(&self, key: &str, value: impl Into<Vec<u8>>, lifetime: Option<Duration>) {
        self.state.lock().expect("whole").values = HashMap::from([(key.to_owned(), (value.into(), lifetime))]);
    }

    /// What was sent since the last time that somebody asked.
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.state.lock().expect("whole").commands)
    }

    /// Ends all connections, as a restart does.
    pub(crate) fn hang_up(&self) {
        self.state.lock().expect("whole").connections.drain(..).for_each(|connection| connection.abort());
    }
}

/// RESP 2: a command is an array of bulk strings.
async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut command = Vec::new();
        for _ in 0..number(&mut stream, '*').await? {
            let mut text = vec![0; number(&mut stream, '$').await? + 2];
            stream.read_exact(&mut text).await?;
            command.push(String::from_utf8_lossy(&text[..text.len() - 2]).into_owned());
        }
        let answer = answer(&mut state.lock().expect("whole"), command);
        stream.write_all(&answer).await?;
    }
}

async fn number(stream: &mut BufReader<TcpStream>, mark: char) -> std::io::Result<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let number = line.trim_end().strip_prefix(mark).and_then(|number| number.parse().ok());
    number.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

fn answer(state: &mut State, command: Vec<String>) -> Vec<u8> {
    let found = command.get(1).and_then(|key| state.values.get(key));
    let answer = match &*command.iter().map(String::as_str).collect::<Vec<_>>() {
        ["GETRANGE", _, "0", last] => {
            let value = found.map_or(&[][..], |(value, _)| value);
            let value = &value[..value.len().min(last.parse::<usize>().expect("a number") + 1)];
            [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
        }
        ["PTTL", _] => match found {
            None => b":-2\r\n".to_vec(),
            Some((_, None)) => b":-1\r\n".to_vec(),
            Some((_, Some(lifetime))) => format!(":{}\r\n", lifetime.as_millis()).into_bytes(),
        },
        _ => b"-NOPERM this user has no permissions to run the command\r\n".to_vec(),
    };
    state.commands.push(command);
    answer
}
