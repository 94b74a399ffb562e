//! The `redyno` executable; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // This fails only if a provider is installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    redyno::start(std::env::args_os())
}
