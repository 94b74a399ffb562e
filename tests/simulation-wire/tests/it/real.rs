//! A real server, spoken to in plain bytes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use redyno_simulation_wire::model::Reply;
use redyno_test_redis::RedisServer;

/// A real server with this configuration.
pub(crate) fn start(arguments: &[&str]) -> RedisServer {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(RedisServer::start(arguments))
        .unwrap()
}

/// A connection to it.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    at: usize,
}

impl Connection {
    pub(crate) fn to(server: &RedisServer) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self {
            stream,
            received: Vec::new(),
            at: 0,
        }
    }

    /// Sends a command and reads its reply.
    pub(crate) fn say(&mut self, words: &[Vec<u8>]) -> Reply {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend(format!("${}\r\n", word.len()).into_bytes());
            bytes.extend(word);
            bytes.extend(b"\r\n");
        }
        self.stream.write_all(&bytes).unwrap();
        self.received.clear();
        self.at = 0;
        let reply = self.reply();
        assert_eq!(self.at, self.received.len(), "one reply for one command");
        reply
    }

    /// The same, in words.
    pub(crate) fn ask(&mut self, words: &[&str]) -> Reply {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        self.say(&words)
    }

    fn more(&mut self) {
        let mut chunk = [0; 16 * 1024];
        let read = self.stream.read(&mut chunk).unwrap();
        assert!(read > 0, "the server hung up");
        self.received.extend_from_slice(&chunk[..read]);
    }

    fn line(&mut self) -> Vec<u8> {
        loop {
            let rest = &self.received[self.at..];
            if let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
                let line = rest[..end].to_vec();
                self.at += end + 2;
                return line;
            }
            self.more();
        }
    }

    fn reply(&mut self) -> Reply {
        let line = self.line();
        let text = String::from_utf8_lossy(&line[1..]).into_owned();
        let number = || text.parse::<i64>().unwrap();
        match (line[0], number) {
            (b'+', _) => Reply::Said(text),
            (b'-', _) => Reply::Error(text),
            (b':', number) => Reply::Integer(number()),
            (b'$', number) if number() < 0 => Reply::Nil,
            (b'$', number) => {
                let length = usize::try_from(number()).unwrap();
                while self.received.len() < self.at + length + 2 {
                    self.more();
                }
                let bytes = self.received[self.at..self.at + length].to_vec();
                self.at += length + 2;
                Reply::Bulk(bytes)
            }
            (b'*', number) if number() < 0 => Reply::NoArray,
            (b'*', number) => Reply::Array((0..number()).map(|_| self.reply()).collect()),
            (other, _) => panic!("a reply that begins with {}", char::from(other)),
        }
    }
}
