//! The object-graph workload: each worker fetches a building with all its flats, adds a flat
//! while there are too few, adds one mail to one flat, saves all of it, and pings.
//!
//! On the wire it is the task of the automap benchmark, command by command and byte by byte: the
//! client of that benchmark sends command names in lower case, so these do, too.

mod building;
mod flats;
mod mail;
pub(crate) mod script;
mod task;

pub(crate) use mail::Mails;
pub(crate) use task::GraphWorker;
