//! What the server sees: MONITOR.

use std::path::Path;

use redyno_test_redis::RedisServer;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

/// One command as the server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// `127.0.0.1:39940`, or `lua`.
    pub(crate) client: String,
    /// The command and its arguments.
    pub(crate) words: Vec<String>,
}

/// Commands as they come.
pub(crate) struct Monitor {
    lines: BufReader<Box<dyn AsyncRead + Unpin + Send>>,
}

impl Monitor {
    /// From now on.
    pub(crate) async fn start(server: &RedisServer) -> Self {
        let address = ("127.0.0.1", server.port());
        Self::on(TcpStream::connect(address).await.unwrap()).await
    }

    /// From now on, through a server's Unix socket: without TLS, whatever its port speaks.
    pub(crate) async fn start_at(socket: &Path) -> Self {
        Self::on(UnixStream::connect(socket).await.unwrap()).await
    }

    async fn on(mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        stream.write_all(b"MONITOR\r\n").await.unwrap();
        let mut monitor = Self {
            lines: BufReader::new(Box::new(stream)),
        };
        assert_eq!(monitor.line().await, "+OK");
        monitor
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    /// The next command.
    pub(crate) async fn next(&mut self) -> Seen {
        let line = self.line().await;
        // +1795422855.573490 [0 127.0.0.1:39940] "get" "key"
        let (head, words) = line.split_once("] ").unwrap();
        let client = head.rsplit(' ').next().unwrap().to_owned();
        Seen {
            client,
            words: words_of(words),
        }
    }
}

/// The quoted words of a line, without their escapes.
pub(crate) fn words_of(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (&mut word, character) {
            (None, '"') => word = Some(String::new()),
            (None, _) => {}
            (Some(_), '"') => words.extend(word.take()),
            (Some(open), '\\') => open.push(characters.next().unwrap()),
            (Some(open), other) => open.push(other),
        }
    }
    words
}
