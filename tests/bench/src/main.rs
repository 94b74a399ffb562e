//! Measures the runner: CPU per task, highest rate, pacing, honesty under a stall, memory.
//!
//! A redis-server on one core, the runner on another, everything on loopback. Every figure is the
//! median of several runs made here and now; figures of other tools come from the same runs.

mod arguments;
mod bench;
mod cases;
mod document;
mod machine;
mod peers;
mod plain;
mod plans;
mod row;
mod run;
mod table;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return table::complain(&error.into()),
    };
    match runtime.block_on(bench::run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => table::complain(&error),
    }
}
