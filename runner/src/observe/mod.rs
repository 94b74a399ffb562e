//! What the dyno sees of itself and of the target while it runs.

pub(crate) mod control_group;
pub(crate) mod course;
pub(crate) mod own;
pub(crate) mod seconds;
mod server_work;
pub(crate) mod target;
