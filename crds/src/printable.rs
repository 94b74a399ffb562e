//! Numbers for people, in one place.

use redyno_contract::judgement::Quantile;

/// Microseconds as milliseconds with this many significant digits: 4800 is "4.8 ms".
pub fn milliseconds(_microseconds: u64, _digits: u8) -> String {
    unimplemented!()
}

/// A quantile: "4.8 ms", ">= 250 ms", "31 ms (maximum)".
pub fn quantile(_quantile: Quantile, _digits: u8) -> String {
    unimplemented!()
}

/// A rate: "2000/s", below ten with a decimal.
pub fn rate(_tasks_per_second: f64) -> String {
    unimplemented!()
}

/// Bytes in the largest unit that they fill: "126 GiB", "2.5 GiB".
pub fn bytes(_bytes: u64) -> String {
    unimplemented!()
}

/// CPU in cores: "16 CPU", "0.25 CPU".
pub fn cpu(_millis: u32) -> String {
    unimplemented!()
}
