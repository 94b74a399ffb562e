//! The operator's program.

use clap::Parser;
use redyno_operator::arguments::Arguments;
use redyno_operator::start::start;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another crypto provider was installed before"))?;
    start(Arguments::parse()).await
}
