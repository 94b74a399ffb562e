//! A Redis as a pure state machine, held against a real one by a test: the commands that a run
//! uses, our scripts in Lua, memory, eviction, expiry, databases and users.

mod access;
mod administration;
mod call;
mod database;
mod eviction;
mod hashes;
mod info;
mod keyspace;
mod lists;
mod reply;
mod request;
mod script;
mod server;
mod sets;
mod sha1;
mod strings;
mod table;
mod transaction;
mod value;

pub use access::User;
pub use database::{Database, Entry, Microseconds};
pub use eviction::{Policy, used};
pub use reply::Reply;
pub use request::{Words, take_command};
pub use server::{Change, ChangeKind, Server, Settings};
pub use value::Value;
