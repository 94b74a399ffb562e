//! What people see in Prometheus and Grafana: dashboards, alerts and the metrics behind them.

#![expect(clippy::panic, reason = "a test fails by panicking")]

mod alerts;
mod evaluation;
mod layout;
mod linter;
mod metrics;
mod types;
