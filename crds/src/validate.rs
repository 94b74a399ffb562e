//! The API server's validation without an API server: the same rules, for the command line.

use crate::invalid::Invalid;
use crate::loadtest::LoadTest;

/// Everything that the API server would refuse on creation.
pub fn validate(_load_test: &LoadTest) -> Vec<Invalid> {
    unimplemented!()
}

/// Everything that the API server would refuse on an update of `old` to `new`.
pub fn validate_update(_old: &LoadTest, _new: &LoadTest) -> Vec<Invalid> {
    unimplemented!()
}
