//! Whole runs on the wire: the real parts of a run on simulated time, against a modelled Redis on
//! a modelled network, under faults drawn by a seed.

pub mod laws;
pub mod machine;
pub mod model;
pub mod run;
pub mod world;
