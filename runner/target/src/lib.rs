//! The Redis under test, apart from the load on it: connecting, coordination, preflight, finish.
//!
//! Nothing here ever shows a credential: [`Target`] prints as `host:port/database`, and no error
//! repeats what stood in the URL's user or password.

pub mod address;
pub mod connect;
pub mod coordination;
pub mod finish;
pub mod info;
pub mod inventory;
pub mod keys;
pub mod leftovers;
pub mod lifetimes;
pub mod lock;
pub mod network;
pub mod preflight;
pub mod removal;
pub mod target;
mod tls;
mod words;

pub use address::{Address, Scheme};
pub use connect::{ByteCounters, ConnectFailure, ConnectOptions, Connection, Stream};
pub use info::{CommandSpent, Info};
pub use inventory::{Inventory, KeyspacePart};
pub use network::{Duplex, Network, NetworkAnswer, SystemNetwork};
pub use target::{InvalidTarget, Target};
