//! A TCP balancer between a run and its target.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Passes connections on to one server, and those of workers to another once it is told to.
pub(crate) struct Balancer {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    elsewhere: AtomicBool,
    moved: Notify,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Balancer {
    /// Between whoever connects and the servers on these ports.
    pub(crate) async fn start(first: u16, second: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(client, first, second, Arc::clone(&shared)));
            }
        });
        Self {
            port,
            state,
            accepting,
        }
    }

    /// What a run is told.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Hangs up on all workers; their next connections go to the second server.
    pub(crate) fn lead_workers_elsewhere(&self) {
        self.state.elsewhere.store(true, Ordering::SeqCst);
        self.state.moved.notify_waiters();
    }
}

async fn pass(mut client: TcpStream, first: u16, second: u16, state: Arc<State>) {
    let mut greeting = vec![0; 4096];
    let Ok(count @ 1..) = client.read(&mut greeting).await else {
        return;
    };
    // Only the name of a worker's connection ends with that of its dyno.
    let is_worker = greeting[..count]
        .windows(14)
        .any(|part| part == b"redyno-web.1\r\n");
    let moved = state.moved.notified();
    let elsewhere = is_worker && state.elsewhere.load(Ordering::SeqCst);
    let port = if elsewhere { second } else { first };
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    server.write_all(&greeting[..count]).await.unwrap();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        () = moved, if is_worker && !elsewhere => {}
    }
}
