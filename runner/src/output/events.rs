//! Events as JSON lines on standard output.

use std::time::Duration;

use redyno_contract::Event;

use super::Lines;

/// Events as JSON lines, on standard output. The record is what counts: nothing ever waits for who
/// reads them, but the end of the process, and that not for long.
#[derive(Debug)]
pub(crate) struct Events {
    lines: Lines,
}

impl Events {
    /// On whatever these lines lead to.
    pub(crate) const fn on(lines: Lines) -> Self {
        Self { lines }
    }

    /// Has one printed. Progress that nobody reads is left out: the next tells all that it told.
    pub(crate) fn print(&self, event: &Event) {
        let mut line = match serde_json::to_vec(event) {
            Ok(line) => line,
            Err(error) => {
                tracing::error!(%error, "an event cannot be written");
                return;
            }
        };
        line.push(b'\n');
        match event {
            Event::Progress(_) | Event::Waiting { .. } => self.lines.offer(line),
            Event::Listening { .. }
            | Event::Ready
            | Event::Started { .. }
            | Event::Report { .. } => self.lines.put(line),
        }
    }

    /// Waits until all of them are printed, for so long at most.
    pub(crate) async fn printed(&self, at_most: Duration) {
        let printed = self.lines.written(at_most).await;
        let left_out = self.lines.left_out();
        if !printed || left_out > 0 {
            tracing::warn!(
                left_out,
                "nobody read all of standard output: what counts is in the record"
            );
        }
    }
}
