//! The guard: a process of its own that outlives this command by a moment, ends the managed Redis
//! and removes the run's folder. It notices the command's end, however it came, by the end of its
//! own standard input.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::Context;
use clap::Args;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;

use super::folder::PREFIX;
use super::process::exit_code;

/// Arguments of the guard.
#[derive(Clone, Debug, Args)]
pub(crate) struct GuardArguments {
    /// The run's folder
    #[arg(long)]
    folder: PathBuf,
    /// The Redis to start, with its arguments
    #[arg(last = true)]
    redis: Vec<OsString>,
}

/// Runs until standard input ends, or SIGTERM, or the Redis ends by itself.
///
/// # Errors
/// When the Redis cannot be started.
pub(crate) async fn guard(arguments: GuardArguments) -> anyhow::Result<ExitCode> {
    let GuardArguments { folder, redis } = arguments;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut child = match redis.split_first() {
        Some((program, arguments)) => Some(
            Command::new(program)
                .args(arguments)
                .stdin(Stdio::null())
                .process_group(0)
                .kill_on_drop(true)
                .spawn()
                .with_context(|| format!("{} cannot be started", program.display()))?,
        ),
        None => None,
    };
    let ended_by_itself = {
        let redis_ended = async {
            match &mut child {
                Some(child) => child.wait().await,
                None => std::future::pending().await,
            }
        };
        let input_ended =
            spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        tokio::select! {
            status = redis_ended => Some(status?),
            _ = input_ended => None,
            _ = terminated.recv() => None,
            _ = interrupted.recv() => None,
        }
    };
    if let Some(status) = ended_by_itself {
        // The command is still there. It reads the log in the folder and removes the folder.
        let code = u8::try_from(exit_code(status)).unwrap_or(1);
        return Ok(ExitCode::from(code.max(1)));
    }
    if let Some(child) = &mut child {
        // Nothing in this Redis is worth saving.
        child.kill().await?;
    }
    let is_ours = folder
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
    if is_ours {
        // The command has removed the folder already, unless it was killed.
        drop(std::fs::remove_dir_all(&folder));
    }
    Ok(ExitCode::SUCCESS)
}
