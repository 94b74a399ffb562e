//! What leaves the process: the record, JSON lines, and the log.

mod events;
mod lines;
pub(crate) mod log;
mod record_file;

pub(crate) use events::Events;
pub(crate) use record_file::{RecordError, RecordFile};

use lines::Lines;
