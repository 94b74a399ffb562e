//! Events as JSON lines on standard output.

use std::io::Write;

use redyno_contract::Event;

/// Events as JSON lines on standard output.
#[derive(Debug, Default)]
pub(crate) struct Events {
    broken: bool,
}

impl Events {
    /// Prints one. A reader that went away is noted once and then ignored: the record is what
    /// counts.
    pub(crate) fn print(&mut self, event: &Event) {
        if self.broken {
            return;
        }
        let mut line = match serde_json::to_vec(event) {
            Ok(line) => line,
            Err(error) => {
                tracing::error!(%error, "an event cannot be written");
                return;
            }
        };
        line.push(b'\n');
        let mut output = std::io::stdout().lock();
        if let Err(error) = output.write_all(&line).and_then(|()| output.flush()) {
            tracing::warn!(%error, "nobody reads standard output any more");
            self.broken = true;
        }
    }
}
