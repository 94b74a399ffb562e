//! LoadTests in a cluster, with the rights of the user's own kubeconfig.

mod collected;
mod connection;
mod follow;
mod logs;
mod news;
mod report;

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use kube::api::{Patch, PatchParams, PostParams};
use redyno_contract::Verdict;
use redyno_crds::LoadTest;
use serde_json::json;

use self::connection::{Connection, explained};
use self::follow::Followed;
use crate::arguments::{Changes, InCluster, Output};
use crate::exit::Failure;
use crate::file;
use crate::local::Interrupts;
use crate::progress::Display;

/// `redyno run --in-cluster`: creates the LoadTest, follows it to its end and prints it. Ctrl-C
/// cancels the run; a second one leaves it alone.
pub(crate) async fn run(
    path: &Path,
    changes: Changes,
    namespace: Option<&str>,
    output: Output,
) -> Result<Verdict, Failure> {
    let load_test = file::load(path, changes)?;
    let namespace = namespace.or(load_test.metadata.namespace.as_deref());
    let connection = Connection::open(namespace).await?;
    let mut display = Display::standard_error();
    let created = connection
        .load_tests()
        .create(&PostParams::default(), &load_test)
        .await
        .map_err(|error| refused(&error, &connection))?;
    let name = created.metadata.name.clone().unwrap_or_default();
    display.say(&format!(
        "LoadTest {name} created in namespace {}.",
        connection.namespace()
    ));
    let interrupts = Interrupts::listen().context("signals cannot be listened to")?;
    let mut following = Box::pin(follow::follow(&connection, created, &mut display));
    let followed = tokio::select! {
        followed = &mut following => followed?,
        () = interrupts.asked_times(1) => {
            note(&format!("{name} is asked to end; once more leaves it alone"));
            cancel(&connection, &name).await?;
            tokio::select! {
                followed = &mut following => followed?,
                () = interrupts.asked_times(2) => {
                    return Err(Failure::Other(anyhow::anyhow!(
                        "interrupted: {name} was asked to end and is not followed any further"
                    )));
                }
            }
        }
    };
    // There is nothing left to cancel.
    drop(interrupts);
    report::print(&connection, followed, false, output).await
}

/// `redyno watch`: follows a LoadTest to its end and prints it.
pub(crate) async fn watch(which: InCluster) -> Result<Verdict, Failure> {
    let (connection, load_test) = find(&which).await?;
    let mut display = Display::standard_error();
    let followed = Box::pin(follow::follow(&connection, load_test, &mut display)).await?;
    report::print(&connection, followed, false, which.output).await
}

/// `redyno report`: prints a LoadTest that has ended.
pub(crate) async fn report(which: InCluster, full: bool) -> Result<Verdict, Failure> {
    let (connection, load_test) = find(&which).await?;
    if !load_test.is_finished() {
        let state = load_test
            .status
            .as_ref()
            .and_then(|status| status.state.as_deref())
            .unwrap_or("Pending");
        return Err(Failure::Usage(format!(
            "{} has not finished ({state}); redyno watch {} follows it to its end",
            which.name, which.name
        )));
    }
    report::print(&connection, Followed::from(load_test), full, which.output).await
}

async fn find(which: &InCluster) -> Result<(Connection, LoadTest), Failure> {
    let connection = Connection::open(which.namespace.as_deref()).await?;
    match connection.load_tests().get(&which.name).await {
        Ok(load_test) => Ok((connection, load_test)),
        Err(error) => Err(Failure::Other(explained(&error, &connection, &which.name))),
    }
}

async fn cancel(connection: &Connection, name: &str) -> Result<(), Failure> {
    let patch = json!({"spec": {"desiredState": "Cancelled"}});
    connection
        .load_tests()
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .map_err(|error| Failure::Other(explained(&error, connection, name)))?;
    Ok(())
}

/// Whether an error is the file's fault: the API server refused the LoadTest itself.
fn refused(error: &kube::Error, connection: &Connection) -> Failure {
    match error {
        kube::Error::Api(status) if matches!(status.code, 400 | 409 | 422) => {
            Failure::Usage(status.message.clone())
        }
        _ => Failure::Other(explained(error, connection, "the LoadTest")),
    }
}

fn note(sentence: &str) {
    // If standard error is gone, nobody is left to be told.
    drop(writeln!(std::io::stderr(), "note: {sentence}"));
}
