//! The runner's binary: one process of a redyno run.

use std::process::ExitCode;

use clap::Parser;
use redyno_runner::arguments::RunnerArguments;

fn main() -> ExitCode {
    redyno_runner::install_crypto_provider();
    redyno_runner::log_to_standard_error();
    redyno_runner::run_blocking(RunnerArguments::parse())
}
