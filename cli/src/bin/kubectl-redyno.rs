//! `kubectl redyno`: the same command as a plugin of kubectl.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Fails only if there is one already.
    drop(rustls::crypto::ring::default_provider().install_default());
    redyno::start(std::env::args_os())
}
