//! The network: names, addresses, and who listens there.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redyno_target::{Duplex, NetworkAnswer};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::line::{Breaker, LineEnd, connection};
use super::weather::Weather;

/// What becomes of connections to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// They are made.
    Open,
    /// They are refused.
    Shut,
    /// Nobody answers.
    Silent,
}

/// Draws the weather of a connection, by its number: there and back.
pub type Forecast = Box<dyn Fn(u64) -> (Weather, Weather) + Send>;

/// The network. Clones are the same one.
#[derive(Clone)]
pub struct Network {
    state: Arc<Mutex<State>>,
}

struct State {
    forecast: Forecast,
    /// Whether the name of the target resolves.
    resolves: bool,
    door: Door,
    /// Where connections to the target lead.
    listener: UnboundedSender<Arrival>,
    connections: BTreeMap<u64, (Host, Breaker)>,
    /// Hosts that are no more.
    dead: Vec<Host>,
    next: u64,
}

/// Whose connections they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host(pub usize);

/// A connection that has come in.
pub(super) struct Arrival {
    pub(super) host: Host,
    pub(super) stream: LineEnd,
}

/// Everything that a server has to hear of.
pub(super) type Arrivals = UnboundedReceiver<Arrival>;

const TARGET: &str = "10.0.0.1:6379";

impl Network {
    /// A network with nobody at the target's address.
    pub fn new(forecast: Forecast) -> Self {
        let (listener, _) = unbounded_channel();
        Self {
            state: Arc::new(Mutex::new(State {
                forecast,
                resolves: true,
                door: Door::Open,
                listener,
                connections: BTreeMap::new(),
                dead: Vec::new(),
                next: 0,
            })),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on connections to the target lead here.
    pub(super) fn listen(&self) -> Arrivals {
        let (listener, arrivals) = unbounded_channel();
        self.state().listener = listener;
        arrivals
    }

    /// What becomes of connections from now on.
    pub fn set_door(&self, door: Door) {
        self.state().door = door;
    }

    /// Whether the target's name resolves from now on.
    pub fn set_resolves(&self, resolves: bool) {
        self.state().resolves = resolves;
    }

    /// Breaks all connections that are there.
    pub fn break_all(&self) {
        let connections = std::mem::take(&mut self.state().connections);
        for (_, breaker) in connections.into_values() {
            breaker.break_it();
        }
    }

    /// From now on nothing arrives any more on the connections that are there.
    pub fn hush_all(&self) {
        for (_, breaker) in self.state().connections.values() {
            breaker.hush();
        }
    }

    /// Breaks the connections of this host, which makes no others any more.
    pub fn cut_off(&self, host: Host) {
        let mut state = self.state();
        state.dead.push(host);
        let (its, others) = std::mem::take(&mut state.connections)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, (of, _))| *of == host);
        state.connections = others;
        drop(state);
        for (_, breaker) in its.into_values() {
            breaker.break_it();
        }
    }

    /// The network as one host sees it.
    pub fn of(&self, host: Host) -> Arc<dyn redyno_target::Network> {
        Arc::new(Access {
            network: self.clone(),
            host,
        })
    }

    fn connect(&self, host: Host) -> Result<(LineEnd, Duration), Door> {
        let mut state = self.state();
        if state.dead.contains(&host) {
            return Err(Door::Silent);
        }
        if state.door != Door::Open {
            return Err(state.door);
        }
        let number = state.next;
        state.next += 1;
        let (mut there, back) = (state.forecast)(number);
        let round_trip = there.next_delay() + back.delay;
        let (here, stream, breaker) = connection(there, back);
        if state.listener.send(Arrival { host, stream }).is_err() {
            return Err(Door::Shut);
        }
        state.connections.insert(number, (host, breaker));
        Ok((here, round_trip))
    }
}

struct Access {
    network: Network,
    host: Host,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the modelled network, from {:?}", self.host)
    }
}

impl redyno_target::Network for Access {
    fn resolve<'a>(&'a self, host: &'a str, _port: u16) -> NetworkAnswer<'a, Vec<SocketAddr>> {
        Box::pin(async move {
            if self.network.state().resolves {
                Ok(vec![TARGET.parse().map_err(io::Error::other)?])
            } else {
                Err(io::Error::other(format!("no such name: {host}")))
            }
        })
    }

    fn connect(&self, _address: SocketAddr) -> NetworkAnswer<'_, Box<dyn Duplex>> {
        Box::pin(async move {
            match self.network.connect(self.host) {
                Ok((stream, round_trip)) => {
                    tokio::time::sleep(round_trip).await;
                    Ok(Box::new(stream) as Box<dyn Duplex>)
                }
                Err(Door::Silent) => std::future::pending().await,
                Err(Door::Open | Door::Shut) => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }
}
