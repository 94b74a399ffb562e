//! Starts the operator and stops it again.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::arguments::{Arguments, Command, RunArguments};
use crate::events::Publisher;
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::{controller, http, telemetry};

/// A connection that answers nothing for this long is given up. Watches answer more often: the
/// API server ends each of them within five minutes.
const READ_TIMEOUT: Duration = Duration::from_secs(295);

/// Does what the command line says.
///
/// # Errors
/// If it cannot be started, or stops by itself.
pub async fn start(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Crd => {
            let yaml = redyno_crds::generate::crd_yaml();
            std::io::stdout()
                .write_all(yaml.as_bytes())
                .context("failed to print the CustomResourceDefinition")
        }
        Command::Run(arguments) => run(*arguments).await,
    }
}

async fn run(arguments: RunArguments) -> anyhow::Result<()> {
    telemetry::start(arguments.log_format);
    let settings = arguments.settings()?;
    let mut config = Config::infer()
        .await
        .context("failed to find out how to reach the API server")?;
    config.read_timeout = Some(READ_TIMEOUT);
    let client = Client::try_from(config).context("failed to set up the API server's client")?;
    let listener = TcpListener::bind(arguments.http)
        .await
        .with_context(|| format!("failed to listen on {}", arguments.http))?;
    let namespaces = arguments.namespaces();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        runner_image = settings.runner_image,
        redis_image = settings.redis_image,
        valkey_image = settings.valkey_image,
        namespaces = ?namespaces,
        http = %arguments.http,
        "Started."
    );
    let stopped = CancellationToken::new();
    let readiness = Arc::new(Readiness::default());
    let metrics = Metrics::new().context("failed to set up metrics")?;
    let publisher = Publisher::new(client.clone());
    let controllers = futures::future::join_all(namespaces.into_iter().map(|namespace| {
        controller::run(
            namespace,
            client.clone(),
            settings.clone(),
            publisher.clone(),
            metrics.clone(),
            Arc::clone(&readiness),
            stopped.clone(),
        )
    }));
    let server = http::serve(
        listener,
        metrics.clone(),
        Arc::clone(&readiness),
        stopped.clone().cancelled_owned(),
    );
    let signals = async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = stopped.cancelled() => {}
        }
        stopped.cancel();
        Ok::<_, std::io::Error>(())
    };
    let (_, outcome, heard) = tokio::join!(controllers, server, signals);
    outcome.context("failed to serve HTTP")?;
    heard.context("failed to listen to signals")?;
    tracing::info!("Stopped.");
    Ok(())
}
