//! `/metrics`, `/healthz` and `/readyz`.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;
use crate::readiness::Readiness;

#[derive(Clone)]
struct Served {
    metrics: Metrics,
    readiness: Arc<Readiness>,
}

/// What is served.
fn router(metrics: Metrics, readiness: Arc<Readiness>) -> Router {
    Router::new()
        .route("/metrics", get(text))
        // Says nothing about the cluster: restarting the operator would not mend it.
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(Served { metrics, readiness })
}

/// Serves until told to stop.
///
/// # Errors
/// If the listener fails.
pub async fn serve(
    listener: TcpListener,
    metrics: Metrics,
    readiness: Arc<Readiness>,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(metrics, readiness))
        .with_graceful_shutdown(stopped)
        .await
}

async fn text(State(served): State<Served>) -> Response {
    match served.metrics.text() {
        Ok(text) => (
            [(
                header::CONTENT_TYPE,
                "text/plain; version=0.0.4; charset=utf-8",
            )],
            text,
        )
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn ready(State(served): State<Served>) -> Response {
    match served.readiness.missing().as_slice() {
        [] => "ok\n".into_response(),
        missing => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not yet known: {}\n", missing.join(", ")),
        )
            .into_response(),
    }
}
