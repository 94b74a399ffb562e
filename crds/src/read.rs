//! LoadTests from YAML files, as strictly as `kubectl create --validate=strict` reads them.

use crate::invalid::Invalid;
use crate::loadtest::LoadTest;

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableFile {
    /// Not YAML.
    #[error("not valid YAML: {0}")]
    Syntax(String),
    /// No document in it.
    #[error("no LoadTest in it")]
    Empty,
    /// A document is something else.
    #[error("document {document}: {message}")]
    NotALoadTest {
        /// Which document, from 1.
        document: usize,
        /// What it is instead, and what is expected.
        message: String,
    },
    /// Fields that are unknown, missing or of the wrong type.
    #[error("document {document}: {}", Invalid::list(.problems))]
    Fields {
        /// Which document, from 1.
        document: usize,
        /// Every problem in it.
        problems: Vec<Invalid>,
    },
}

/// Reads every LoadTest of a YAML text of one or more documents. Whether their values are within
/// bounds is for [`crate::validate::validate`] to say.
///
/// # Errors
/// [`UnreadableFile`] names the line, or every field that is unknown, missing or of a wrong type.
pub fn read_load_tests(_yaml: &str) -> Result<Vec<LoadTest>, UnreadableFile> {
    unimplemented!()
}
