//! The record: how a [`Message`] travels as a termination message.
//!
//! One ASCII block of exactly [`RECORD_BYTES`] bytes, so that a single positioned write replaces
//! the former one without ever being torn:
//!
//! ```text
//! redyno 1 <sequence> <checkpoint|final> <payload length> <crc32 of the payload, 8 hex digits>\n
//! <base64 of the deflated JSON of the message>\n<spaces>
//! ```
//!
//! Whoever reads one treats it as hostile: nothing over [`LONGEST_READ`] bytes is looked at, and
//! nothing inflates to more than [`LONGEST_JSON`].

use crate::message::Message;

/// Length of every record. With four containers in a pod Kubernetes cuts each message to 3,072 bytes.
pub const RECORD_BYTES: usize = 3000;

/// Longest input that is read at all: Kubernetes' own limit of a termination message.
pub const LONGEST_READ: usize = 4096;

/// Longest JSON that a payload may inflate to.
pub const LONGEST_JSON: usize = 64 * 1024;

/// Whether a record is the last one of its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// Written every few seconds, in case the pod dies.
    Checkpoint,
    /// Written at the end.
    Final,
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Rises by one with every write of a pod.
    pub sequence: u64,
    /// Checkpoint or final.
    pub kind: RecordKind,
    /// What it says.
    pub message: Message,
}

/// Why a record cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message takes {needed} bytes, a record has room for {RECORD_BYTES}")]
pub struct TooLong {
    /// Bytes needed.
    pub needed: usize,
}

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    /// Nothing is there.
    #[error("the termination message is empty")]
    Empty,
    /// Over [`LONGEST_READ`].
    #[error("{0} bytes, at most {LONGEST_READ} are read")]
    TooLong(usize),
    /// The first line is not a record's.
    #[error("not a report record: {0}")]
    Header(String),
    /// Another version.
    #[error("report record of version {0}, this version reads 1")]
    Version(String),
    /// Cut short.
    #[error("payload of {found} bytes, its header says {expected}")]
    Truncated {
        /// By the header.
        expected: usize,
        /// Found.
        found: usize,
    },
    /// Changed on the way.
    #[error("checksum {found:08x}, its header says {expected:08x}")]
    Checksum {
        /// By the header.
        expected: u32,
        /// Found.
        found: u32,
    },
    /// The payload is not what it should be.
    #[error("unreadable payload: {0}")]
    Payload(String),
}

/// Writes a record.
///
/// # Errors
/// [`TooLong`] if it does not fit; the caller then leaves out or coarsens histograms.
pub fn write(_sequence: u64, _kind: RecordKind, _message: &Message) -> Result<Vec<u8>, TooLong> {
    unimplemented!()
}

/// Reads a record.
///
/// # Errors
/// [`InvalidRecord`] names what was found and what is allowed.
pub fn read(_bytes: &[u8]) -> Result<Record, InvalidRecord> {
    unimplemented!()
}

/// Writes a dyno's report as precisely as fits: response at 2 digits (else 1), then wait and
/// service at 1 digit, as long as there is room. `report` carries histograms at full precision.
///
/// # Errors
/// [`TooLong`] if it does not fit even without histograms.
pub fn write_report(
    _sequence: u64,
    _kind: RecordKind,
    _report: &crate::report::Report,
) -> Result<Vec<u8>, TooLong> {
    unimplemented!()
}
