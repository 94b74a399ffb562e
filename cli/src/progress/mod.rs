//! The progress of a run that is under way: lines of single dynos are merged, shown and kept.

mod course;
mod display;

pub(crate) use self::course::merge;
pub use self::course::{Course, Second};
pub use self::display::{Display, colours};
