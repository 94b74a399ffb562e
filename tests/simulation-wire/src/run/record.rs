//! The file of a dyno's record, and what its reader finds in it.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redyno_contract::Message;
use redyno_contract::outcome::Evidence;
use redyno_contract::plan::DynoName;
use redyno_contract::record::{self, Record, RecordKind};
use redyno_runner::WriteAt;

/// A file in memory. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryFile {
    bytes: Arc<Mutex<Vec<u8>>>,
    broken: Arc<AtomicBool>,
}

impl MemoryFile {
    /// From now on nothing can be written.
    pub(super) fn break_it(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// What is in it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.bytes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl WriteAt for MemoryFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let mut content = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let end = offset + bytes.len();
        if content.len() < end {
            content.resize(end, 0);
        }
        content[offset..end].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

/// What a dyno says of itself, as the command line reads it.
pub(super) fn evidence(bytes: &[u8], run: &str, dyno: &DynoName, pod: &str) -> Evidence {
    let missing = |detail: &str| Evidence::Missing {
        detail: detail.to_owned(),
    };
    let Record { kind, message, .. } = match record::read(bytes) {
        Ok(record) => record,
        Err(error) => return missing(&error.to_string()),
    };
    let Message::Dyno(report) = message else {
        return missing("not a dyno's");
    };
    if report.run != run || report.dyno != *dyno || report.pod != pod {
        return missing("another's");
    }
    match kind {
        RecordKind::Final if report.end.is_some() => Evidence::Complete(report),
        RecordKind::Final | RecordKind::Checkpoint => Evidence::Partial(report),
    }
}

/// Whether something happened. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Flag(Rc<Cell<bool>>);

impl Flag {
    /// It did.
    pub(super) fn set(&self) {
        self.0.set(true);
    }

    /// Whether it did.
    pub(super) fn is_set(&self) -> bool {
        self.0.get()
    }
}
