//! How a run goes while it goes: progress lines of single dynos, merged, shown and kept.

mod course;
mod display;

pub(crate) use self::course::merge;
pub use self::course::{Course, Second};
pub use self::display::{Display, colours};
