//! The log on standard error, which nobody waits for either.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::Lines;

/// Where the process' log goes, once it is set up.
static LOG: OnceLock<Lines> = OnceLock::new();

/// For the last lines of the log.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Logs to standard error, at the level that `RUST_LOG` says, `info` without it. A second call
/// changes nothing.
pub(crate) fn to_standard_error() {
    // There is no log to say so in; and who has no thread left for it will not get far.
    let Ok(lines) = Lines::to(io::stderr(), "log") else {
        return;
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let set_up = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(LogWriter(lines.clone()))
        .with_ansi(false)
        .try_init();
    if set_up.is_err() || LOG.set(lines).is_err() {
        tracing::debug!("logging is set up already");
    }
}

/// Waits until the log is written, but not for long: to be called before the process ends.
pub(crate) fn written() {
    if let Some(lines) = LOG.get() {
        lines.written_blocking(LAST_LINES);
    }
}

/// Puts the log's lines together.
#[derive(Debug)]
struct LogWriter(Lines);

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = LogLine<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LogLine {
            lines: &self.0,
            line: Vec::new(),
        }
    }
}

/// A line of the log in the making: whole once it is dropped.
struct LogLine<'a> {
    lines: &'a Lines,
    line: Vec<u8>,
}

impl Write for LogLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine<'_> {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.lines.offer(std::mem::take(&mut self.line));
        }
    }
}
