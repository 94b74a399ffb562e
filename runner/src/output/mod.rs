//! What leaves the process: the record, JSON lines, and the log.

mod events;
mod lines;
pub(crate) mod log;
pub(crate) mod record_file;

pub(crate) use events::Events;
pub use lines::{LineReader, Lines};
pub use record_file::WriteAt;
pub(crate) use record_file::{RecordError, RecordFile};
