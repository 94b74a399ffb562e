//! Processes of a run: this executable again, in the role of a pod.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::folder::{RunFolder, private_file};

/// A process that ends when its standard input does, so that it never outlives this command.
#[derive(Debug)]
pub(super) struct RunProcess {
    child: Child,
    leash: Option<ChildStdin>,
}

/// What a runner process is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Checks the target.
    Preflight,
    /// Carries the load.
    Dyno,
    /// Cleans up.
    Finish,
}

impl Role {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Dyno => "dyno",
            Self::Finish => "finish",
        }
    }
}

impl RunProcess {
    /// Starts a command. Its standard error goes to `log`, as does its standard output unless the
    /// command says otherwise.
    pub(super) fn start(mut command: Command, log: &Path) -> io::Result<Self> {
        command
            .stdin(Stdio::piped())
            .stderr(private_file(log)?)
            // The process leaves the terminal's foreground group. Ctrl-C then reaches this command
            // alone, which decides what ends when.
            .process_group(0)
            .kill_on_drop(true)
            // A password in the environment is meant for this command alone.
            .env_remove("REDIS_URL");
        let mut child = command.spawn()?;
        let leash = child.stdin.take();
        Ok(Self { child, leash })
    }

    /// What it prints, if its standard output is piped.
    pub(super) fn take_output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Asks it to end, as SIGTERM does to a pod.
    pub(super) fn ask_to_end(&mut self) {
        self.leash = None;
    }

    /// Kills it.
    pub(super) fn kill(&mut self) {
        // This fails only if the process is gone already.
        drop(self.child.start_kill());
    }

    /// Waits for its end. The future may be dropped and this may be called again.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        // The standard input was taken out of the child, because tokio's wait would close it, and
        // that asks the process to end.
        self.child.wait().await
    }

    /// Asks it to end; kills it if it has not ended after `grace`.
    pub(super) async fn end(&mut self, grace: Duration) -> io::Result<ExitStatus> {
        self.ask_to_end();
        if let Ok(status) = timeout(grace, self.child.wait()).await {
            return status;
        }
        self.kill();
        self.child.wait().await
    }
}

/// The command of a runner process.
pub(super) fn runner(role: Role, folder: &RunFolder, report: &Path) -> io::Result<Command> {
    let mut command = this_executable()?;
    command
        .arg("runner")
        .arg(role.name())
        .arg("--config")
        .arg(folder.path())
        .arg("--report")
        .arg(report)
        .arg("--http")
        .arg("127.0.0.1:0")
        .arg("--parent-guard");
    Ok(command)
}

/// This executable again.
pub(super) fn this_executable() -> io::Result<Command> {
    Ok(Command::new(std::env::current_exe()?))
}

/// The exit code that a container would have: 128 plus the signal's number if the process was
/// killed.
pub(super) fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(-1)
}
