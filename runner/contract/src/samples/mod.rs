//! Plans and reports to test with. Tests of other crates have the plans by the feature `samples`.

mod plans;
#[cfg(test)]
mod reports;

pub use plans::*;
#[cfg(test)]
pub(crate) use reports::*;
