//! What is wrong with a spec, gathered while it is resolved.

use std::fmt;

use crate::invalid::Invalid;

/// What was found to be wrong so far.
#[derive(Default)]
pub(super) struct Problems(pub(super) Vec<Invalid>);

impl Problems {
    pub(super) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Invalid::new(field, message));
    }

    /// A number that cannot be negative.
    pub(super) fn natural<From, To>(&mut self, field: &str, value: From) -> To
    where
        From: Copy + fmt::Display,
        To: TryFrom<From> + Default,
    {
        To::try_from(value).unwrap_or_else(|_| {
            self.add(field, format!("{value} is not possible, must be 0 or more"));
            To::default()
        })
    }
}
