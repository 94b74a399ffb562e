//! The modelled Redis held against a real one, and whole runs on it.

#![expect(clippy::unwrap_used, clippy::panic)]

mod differential;
mod laws;
mod measures;
mod program;
mod real;
mod scripts;
mod stories;
