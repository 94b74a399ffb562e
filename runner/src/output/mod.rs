//! What leaves the process: JSON lines, and the record.

mod events;
mod record_file;

pub(crate) use events::Events;
pub(crate) use record_file::{RecordError, RecordFile};
