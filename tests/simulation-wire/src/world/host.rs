//! A host on which a modelled server runs: it takes its time, one command after the other.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use redyno_contract::plan::Keyspace;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, sleep_until};

use super::line::LineEnd;
use super::network::{Arrival, Door, Host, Network};
use crate::model::{Microseconds, Reply, Server, Settings, Words, take_command, used};

/// CPU time that any command takes, in microseconds.
const PER_COMMAND: u64 = 20;

/// And for every so many bytes of command and reply, one more.
const BYTES_PER_MICROSECOND: usize = 500;

/// What a TLS client says first begins with this byte, and no command does.
const TLS_HANDSHAKE: u8 = 0x16;

/// Something that happens to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incident {
    /// It does nothing for so long.
    Stalls(Duration),
    /// It takes so many times as long for everything, from now on.
    Slows(u32),
    /// It hangs up on everybody and is empty and another one after so long.
    Restarts {
        /// How long nobody listens.
        down: Duration,
        /// How long it reads its data afterwards.
        loads: Duration,
    },
    /// Somebody runs FLUSHALL.
    IsFlushed,
    /// It becomes a replica.
    BecomesReplica,
    /// Its memory is limited to what is used now, and so many bytes.
    IsLimited(u64),
    /// Somebody writes these keys.
    OthersWrite(u32),
}

/// A host with a server, or with several, one after the other.
pub struct Hosted {
    server: RefCell<Server>,
    /// Another one after each restart: connections of another one are over.
    generation: Cell<u64>,
    /// When the command that was begun last is done.
    busy_until: Cell<Instant>,
    /// Nothing is begun before this.
    stalled_until: Cell<Instant>,
    slowness: Cell<u32>,
    /// When this host's clock showed 0.
    epoch: Instant,
    epoch_microseconds: Microseconds,
    /// Who hangs up after so long without a command.
    idle_close: Cell<Option<Duration>>,
    /// Commands of tasks that were carried out without an error, by whose they were, for each server
    /// that ever ran here.
    executed: RefCell<BTreeMap<(u64, Host, String), u64>>,
    /// Servers that are no more, for the oracle.
    past: RefCell<Vec<Server>>,
}

impl Hosted {
    /// A host with an empty server, whose clock shows this.
    pub fn new(settings: Settings, run_id: &str, clock: Microseconds) -> Rc<Self> {
        Rc::new(Self {
            server: RefCell::new(Server::new(settings, run_id)),
            generation: Cell::new(0),
            busy_until: Cell::new(Instant::now()),
            stalled_until: Cell::new(Instant::now()),
            slowness: Cell::new(1),
            epoch: Instant::now(),
            epoch_microseconds: clock,
            idle_close: Cell::new(None),
            executed: RefCell::default(),
            past: RefCell::default(),
        })
    }

    /// The server that runs now.
    pub fn server(&self) -> std::cell::Ref<'_, Server> {
        self.server.borrow()
    }

    /// From now on it hangs up on who is idle for so long.
    pub fn close_idle(&self, after: Duration) {
        self.idle_close.set(Some(after));
    }

    /// The server that runs now, to be changed.
    pub fn server_mut(&self) -> std::cell::RefMut<'_, Server> {
        self.server.borrow_mut()
    }

    /// What the server's clock shows.
    pub fn now(&self) -> Microseconds {
        let passed = self.epoch.elapsed().as_micros();
        self.epoch_microseconds + u64::try_from(passed).unwrap_or(u64::MAX)
    }

    /// All servers that ever ran here, the present one last.
    pub fn all_servers<T>(&self, mut look: impl FnMut(&Server) -> T) -> Vec<T> {
        let past = self.past.borrow();
        let mut seen: Vec<T> = past.iter().map(&mut look).collect();
        seen.push(look(&self.server.borrow()));
        seen
    }

    /// How often each host had each command on data carried out without an error, and each
    /// transaction; the number of the server that did it comes first.
    pub fn executed(&self) -> BTreeMap<(u64, Host, String), u64> {
        self.executed.borrow().clone()
    }

    /// Somebody else's command, which takes no time.
    pub fn say(&self, words: &[&str]) -> Option<Reply> {
        let words: Words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let mut server = self.server.borrow_mut();
        let id = server.connect().ok()?;
        let reply = server.command(id, &words, self.now());
        server.disconnect(id);
        reply
    }

    /// Takes connections from the network, for ever.
    pub async fn serve(self: Rc<Self>, network: Network) {
        let mut arrivals = network.listen();
        while let Some(Arrival { host, stream }) = arrivals.recv().await {
            spawn_local(Rc::clone(&self).talk(host, stream));
        }
    }

    async fn talk(self: Rc<Self>, host: Host, mut stream: LineEnd) {
        let generation = self.generation.get();
        let connected = self.server.borrow_mut().connect();
        let id = match connected {
            Ok(id) => id,
            Err(reply) => {
                let mut bytes = Vec::new();
                reply.encode(&mut bytes);
                // It may have gone already.
                drop(stream.write_all(&bytes).await);
                return;
            }
        };
        self.converse(host, id, generation, &mut stream).await;
        if self.generation.get() == generation {
            self.server.borrow_mut().disconnect(id);
        }
    }

    /// Until either hangs up.
    async fn converse(&self, host: Host, id: u64, generation: u64, stream: &mut LineEnd) {
        let mut received = Vec::new();
        loop {
            // The first message of TLS is full of random bytes: what a server takes them for would be
            // chance. It is hung up on, as most that take them for a command do.
            if received.first() == Some(&TLS_HANDSHAKE) {
                return;
            }
            match take_command(&mut received) {
                Ok(Some(words)) => {
                    self.take_turn(&words).await;
                    if self.generation.get() != generation {
                        return;
                    }
                    let Some(reply) = self.carry_out(host, id, &words) else {
                        return;
                    };
                    let mut bytes = Vec::new();
                    reply.encode(&mut bytes);
                    if stream.write_all(&bytes).await.is_err()
                        || self.server.borrow().is_closing(id)
                    {
                        return;
                    }
                    continue;
                }
                Ok(None) => {}
                Err(words) => {
                    drop(stream.write_all(format!("-{words}\r\n").as_bytes()).await);
                    return;
                }
            }
            let reading = stream.read_buf(&mut received);
            let read = match self.idle_close.get() {
                None => reading.await,
                Some(patience) => match tokio::time::timeout(patience, reading).await {
                    Ok(read) => read,
                    Err(_) => return,
                },
            };
            if !matches!(read, Ok(bytes) if bytes > 0) {
                return;
            }
        }
    }

    /// Waits until the server has come to this command and has done it.
    async fn take_turn(&self, words: &Words) {
        let bytes: usize = words.iter().map(Vec::len).sum();
        let cost = PER_COMMAND + (bytes / BYTES_PER_MICROSECOND) as u64;
        let cost = cost * u64::from(self.slowness.get());
        // Whoever comes next has to wait for this one.
        let done = self.busy_until.get().max(Instant::now()) + Duration::from_micros(cost);
        self.busy_until.set(done);
        self.server.borrow_mut().cpu_microseconds += cost;
        sleep_until(done).await;
        while self.stalled_until.get() > Instant::now() {
            sleep_until(self.stalled_until.get()).await;
        }
    }

    /// None if there is no such connection any more.
    fn carry_out(&self, host: Host, id: u64, words: &Words) -> Option<Reply> {
        let mut server = self.server.borrow_mut();
        let reply = server.command(id, words, self.now())?;
        let failed = match &reply {
            Reply::Error(_) => true,
            Reply::Array(replies) => replies.iter().any(Reply::is_error),
            _ => false,
        };
        let command = String::from_utf8_lossy(&words[0]).to_ascii_lowercase();
        let is_of_a_task = command == "exec"
            || words
                .get(1)
                .is_some_and(|key| key.starts_with(Keyspace::DEFAULT_PREFIX.as_bytes()));
        if is_of_a_task && !failed && reply != Reply::Status("QUEUED") {
            *self
                .executed
                .borrow_mut()
                .entry((self.generation.get(), host, command))
                .or_default() += 1;
        }
        Some(reply)
    }

    /// Something happens to the server; this returns when it has passed.
    pub async fn meet(&self, incident: &Incident, network: &Network) {
        match incident {
            Incident::Stalls(duration) => {
                let end = Instant::now() + *duration;
                self.stalled_until.set(self.stalled_until.get().max(end));
                self.busy_until.set(self.busy_until.get().max(end));
            }
            Incident::Slows(times) => self.slowness.set((*times).max(1)),
            Incident::Restarts { down, loads } => {
                self.restart();
                network.set_door(Door::Shut);
                network.break_all();
                sleep(*down).await;
                network.set_door(Door::Open);
                if !loads.is_zero() {
                    self.server.borrow_mut().settings.loading = true;
                    sleep(*loads).await;
                    self.server.borrow_mut().settings.loading = false;
                }
            }
            Incident::IsFlushed => {
                self.say(&["FLUSHALL"]);
            }
            Incident::BecomesReplica => self.server.borrow_mut().settings.replica = true,
            Incident::IsLimited(more) => {
                let mut server = self.server.borrow_mut();
                server.settings.maxmemory = used(&server) + more;
            }
            Incident::OthersWrite(keys) => {
                for number in 0..*keys {
                    self.say(&["SET", &format!("other:{number}"), "theirs"]);
                }
            }
        }
    }

    fn restart(&self) {
        let mut server = self.server.borrow_mut();
        let settings = server.settings.clone();
        let run_id = format!("{}r", server.run_id);
        let past = std::mem::replace(&mut *server, Server::new(settings, &run_id));
        self.past.borrow_mut().push(past);
        self.generation.set(self.generation.get() + 1);
        self.busy_until.set(Instant::now());
    }
}
