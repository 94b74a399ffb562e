//! The modelled Redis held against a real one.

#![expect(clippy::unwrap_used, clippy::panic)]

mod differential;
mod measures;
mod program;
mod real;
mod scripts;
