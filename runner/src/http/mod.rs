//! The HTTP server: probes and metrics. It answers before anything else is done, so that a probe
//! tells of the dyno and not of its start-up.

mod metrics;
mod shown;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

pub(crate) use metrics::Metrics;
pub(crate) use shown::Shown;

#[derive(Clone)]
struct Pages {
    shown: Arc<Shown>,
    metrics: Arc<Metrics>,
}

/// Binds `address`: `:9090` is port 9090 on every interface, of both IP versions where there are
/// two.
pub(crate) async fn bind(address: &str) -> io::Result<TcpListener> {
    let Some(port) = address.strip_prefix(':') else {
        return TcpListener::bind(address).await;
    };
    let port: u16 = port.parse().map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the port must be a number from 0 to 65535",
        )
    })?;
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match TcpListener::bind(both).await {
        Ok(listener) => Ok(listener),
        // No IPv6 on this machine.
        Err(_) => TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).await,
    }
}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, shown: Arc<Shown>, metrics: Arc<Metrics>) {
    let pages = Router::new()
        .route("/startz", get(startz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(read_metrics))
        .with_state(Pages { shown, metrics });
    if let Err(error) = axum::serve(listener, pages).await {
        tracing::error!(%error, "the HTTP server ended");
    }
}

async fn startz(State(pages): State<Pages>) -> (StatusCode, &'static str) {
    answer(
        pages.shown.is_ready(),
        "claimed, all workers connected\n",
        "getting ready\n",
    )
}

async fn readyz(State(pages): State<Pages>) -> (StatusCode, &'static str) {
    answer(
        pages.shown.has_started(),
        "started\n",
        "the common start is still to come\n",
    )
}

const fn answer(
    yes: bool,
    positive: &'static str,
    negative: &'static str,
) -> (StatusCode, &'static str) {
    if yes {
        (StatusCode::OK, positive)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, negative)
    }
}

async fn read_metrics(State(pages): State<Pages>) -> Response {
    match pages.metrics.text() {
        Ok(text) => {
            pages.shown.scraped.notify_waiters();
            ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
