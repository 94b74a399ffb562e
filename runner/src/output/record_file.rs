//! The record: one block, rewritten in place.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use redyno_contract::record::{self, RecordKind, TooLong};
use redyno_contract::{Message, Report};

/// The file that a record is written to. In a pod it is bind-mounted: it cannot be renamed, but
/// a single positioned write of one block is never torn.
#[derive(Debug)]
pub(crate) struct RecordFile {
    file: Box<dyn WriteAt>,
    path: PathBuf,
    sequence: u64,
}

/// What a record is written to.
pub trait WriteAt: std::fmt::Debug + Send {
    /// Writes at a place; how many bytes were taken.
    ///
    /// # Errors
    /// What the system says.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
}

impl WriteAt for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }
}

/// Why a record could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// The file.
    #[error("cannot write the report to {path}: {error}")]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A mistake of ours.
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

/// Opens the file; makes it if it is not there. What is in it stays until the first record.
pub(crate) fn open(path: &Path) -> Result<File, RecordError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| RecordError::File {
            path: path.to_owned(),
            error,
        })
}

impl RecordFile {
    /// Opens it; makes it if it is not there. What is in it stays until the first record.
    pub(crate) fn open(path: &Path) -> Result<Self, RecordError> {
        Ok(Self::over(Box::new(open(path)?), path))
    }

    /// Over a file that is open already, and that errors call by this name.
    pub(crate) fn over(file: Box<dyn WriteAt>, path: &Path) -> Self {
        Self {
            file,
            path: path.to_owned(),
            sequence: 0,
        }
    }

    /// Writes a dyno's report, as precisely as fits.
    pub(crate) fn write_report(
        &mut self,
        kind: RecordKind,
        report: &Report,
    ) -> Result<(), RecordError> {
        let bytes = record::write_report(self.sequence, kind, report)?;
        self.write(&bytes)
    }

    /// Writes the message of a preflight or finish.
    pub(crate) fn write_message(&mut self, message: &Message) -> Result<(), RecordError> {
        let bytes = record::write(self.sequence, RecordKind::Final, message)?;
        self.write(&bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.sequence += 1;
        let written = self.file.write_at(bytes, 0);
        let result = match written {
            Ok(length) if length == bytes.len() => Ok(()),
            Ok(length) => Err(io::Error::new(
                io::ErrorKind::WriteZero,
                format!("only {length} of {} bytes were taken", bytes.len()),
            )),
            Err(error) => Err(error),
        };
        result.map_err(|error| RecordError::File {
            path: self.path.clone(),
            error,
        })
    }
}
