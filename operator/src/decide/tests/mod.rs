//! Decisions, told as what happens to a run in a cluster of plain data.

mod properties;
mod readers;
mod story;
mod table;
