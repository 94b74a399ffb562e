//! One dyno as a process, which gives its events as they come and then its end.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use redyno_contract::Event;
use redyno_contract::plan::DynoName;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::{mpsc, watch};

use super::folder::RunFolder;
use super::process::{Role, RunProcess, runner};

/// How long a pipe is still read after its process has ended, at most.
const LAST_LINES: Duration = Duration::from_secs(5);

/// An order to a dyno.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Go on with the run.
    Run,
    /// Drain, report and end.
    End,
    /// The process is killed.
    Die,
}

/// What comes from a dyno.
#[derive(Debug)]
pub(super) enum FromDyno {
    /// The dyno printed this event.
    Event(Box<Event>),
    /// The dyno's process is gone.
    Ended(io::Result<ExitStatus>),
}

/// The stand-in for a pod's uid.
pub(super) fn pod(dyno: &DynoName) -> String {
    format!("local-{dyno}")
}

/// Starts a dyno. Everything that comes from it is sent to `events`; its end comes last.
pub(super) fn start(
    folder: &RunFolder,
    dyno: DynoName,
    orders: watch::Receiver<Order>,
    events: mpsc::Sender<(DynoName, FromDyno)>,
) -> io::Result<()> {
    let mut command = runner(Role::Dyno, folder, &folder.dyno_report(&dyno))?;
    command
        .arg("--progress-seconds")
        .arg("1")
        .env("REDYNO_DYNO_TYPE", &dyno.dyno_type)
        .env("JOB_COMPLETION_INDEX", dyno.index.to_string())
        .env("REDYNO_POD_UID", pod(&dyno))
        .stdout(Stdio::piped());
    let process = RunProcess::start(command, &folder.log(&dyno.to_string()))?;
    tokio::spawn(follow(dyno, process, orders, events));
    Ok(())
}

async fn follow(
    dyno: DynoName,
    mut process: RunProcess,
    mut orders: watch::Receiver<Order>,
    events: mpsc::Sender<(DynoName, FromDyno)>,
) {
    let lines = process
        .take_output()
        .map(|output| tokio::spawn(read_lines(dyno.clone(), output, events.clone())));
    let status = loop {
        tokio::select! {
            status = process.ended() => break status,
            changed = orders.changed() => {
                let order = *orders.borrow_and_update();
                // When nobody is left to give orders, nobody waits for the dyno either.
                match (changed, order) {
                    (Ok(()), Order::Run) => {}
                    (Ok(()), Order::End) => process.ask_to_end(),
                    (Ok(()), Order::Die) | (Err(_), _) => process.kill(),
                }
            }
        }
    };
    if let Some(lines) = lines {
        drop(tokio::time::timeout(LAST_LINES, lines).await);
    }
    drop(events.send((dyno, FromDyno::Ended(status))).await);
}

async fn read_lines(
    dyno: DynoName,
    output: tokio::process::ChildStdout,
    events: mpsc::Sender<(DynoName, FromDyno)>,
) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // An event that cannot be read comes from a later version and is passed over.
        let Ok(event) = serde_json::from_str::<Event>(&line) else {
            continue;
        };
        let event = FromDyno::Event(Box::new(event));
        if events.send((dyno.clone(), event)).await.is_err() {
            return;
        }
    }
}
