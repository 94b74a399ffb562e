//! One dyno of a redyno run: preflight, load, report, finish.
//!
//! Knows Redis, not Kubernetes. The binary `redyno-runner` and the hidden subcommand
//! `redyno runner` are the same: [`run_blocking`].

pub mod arguments;
mod command;
mod command_error;
mod configuration;
mod dyno;
mod http;
pub mod machine;
mod observe;
mod output;
mod shard;
mod termination;
mod workload;

use std::process::ExitCode;

/// What a dyno knows of its run: plain data, also for who drives it with a model of a run.
pub use dyno::{Identity, Totals};
pub use observe::control_group::{Allowances, Throttling};
pub use observe::own::OwnSample;

/// A dyno on a machine that is given.
pub use dyno::{DynoSettings, Surroundings, live};
pub use output::{LineReader, Lines, WriteAt};
pub use termination::Termination;

use arguments::RunnerArguments;
pub(crate) use redyno_contract::random;

/// Does one part of a run on this thread, with a runtime of its own. Must not be called within
/// another.
pub fn run_blocking(arguments: RunnerArguments) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(command::run(arguments.part));
            // Without waiting for a name that does not resolve.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(error.into()),
    };
    let exit = match result {
        Ok(exit) => exit,
        Err(error) => {
            tracing::error!("{error}");
            error.exit()
        }
    };
    output::log::written();
    ExitCode::from(exit.code())
}

/// Installs the one crypto provider that TLS uses. A second call changes nothing.
pub fn install_crypto_provider() {
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a crypto provider is installed already");
    }
}

/// Logs to standard error, at the level that `RUST_LOG` says, `info` without it. A second call
/// changes nothing.
pub fn log_to_standard_error() {
    output::log::to_standard_error();
}
