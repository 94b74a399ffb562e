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
pub(crate) async fn serve(
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio_util::sync::CancellationToken;

    use super::*;

    async fn get(address: std::net::SocketAddr, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    #[tokio::test]
    async fn ready_once_everything_is_known_and_alive_before() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let readiness = Arc::new(Readiness::default());
        readiness.expect("pods of shop");
        let stopped = CancellationToken::new();
        let server = tokio::spawn(serve(
            listener,
            Metrics::new().unwrap(),
            Arc::clone(&readiness),
            stopped.clone().cancelled_owned(),
        ));
        assert!(get(address, "/healthz").await.0.contains("200"));
        let (status, body) = get(address, "/readyz").await;
        assert!(status.contains("503"), "{status}");
        assert!(body.contains("pods of shop"), "{body}");
        readiness.arrived("pods of shop");
        assert!(get(address, "/readyz").await.0.contains("200"));
        let (status, body) = get(address, "/metrics").await;
        assert!(status.contains("200"), "{status}");
        assert!(body.contains("redyno_operator_reconciliations_total 0"));
        stopped.cancel();
        server.await.unwrap().unwrap();
    }
}
