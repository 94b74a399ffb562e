//! The operator's program.

use std::process::ExitCode;

use clap::Parser;
use redyno_operator::arguments::Arguments;
use redyno_operator::start::start;

#[tokio::main]
async fn main() -> ExitCode {
    // The only crypto provider that is linked; an error would mean that one is set already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match start(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "redyno-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}
