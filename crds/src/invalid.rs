//! One thing that is wrong with a LoadTest.

use std::fmt;

/// What is wrong, where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Path of the field, `spec.formation[0].size`.
    pub field: String,
    /// What was found and what is allowed, `"huge" is not a size; known sizes: …`.
    pub message: String,
}

impl Invalid {
    /// Something wrong in this field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }

    /// Several of them as one message for people.
    pub fn list(all: &[Self]) -> String {
        let lines: Vec<String> = all.iter().map(Self::to_string).collect();
        lines.join("; ")
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, message } = self;
        write!(formatter, "{field}: {message}")
    }
}

impl std::error::Error for Invalid {}
