//! The built-in plans of Redis: Heroku Dev Center, "Heroku Key-Value Store Technical
//! Characterization" (11 October 2024): vCPU, RAM and connections. There is no plan 6, 8, 11 or 13.
//! Its MB and GB are taken as Redis' own configuration takes them, as 2^20 and 2^30 bytes: an
//! estimate. Redis runs commands on one thread, whatever the number of vCPU.

use super::RedisPlan;

const MEBIBYTE: u64 = 1 << 20;

/// Name, vCPU, memory in MiB, connections.
type Row = (&'static str, u32, u64, u32);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("mini",        2,      25,     20),
    ("premium-0",   2,      50,     40),
    ("premium-1",   2,     100,     80),
    ("premium-2",   2,     250,    200),
    ("premium-3",   2,     500,    400),
    ("premium-4",   2,     750,    700),
    ("premium-5",   2,    1024,   1000),
    ("premium-7",   2,    7168, 10_000),
    ("premium-9",   4,  10_240, 25_000),
    ("premium-10",  8,  25_600, 40_000),
    ("premium-12", 16,  51_200, 65_000),
    ("premium-14", 32, 102_400, 65_000),
    ("private-7",   2,    7168, 10_000),
    ("private-9",   4,  10_240, 25_000),
    ("private-10",  8,  25_600, 40_000),
    ("private-12", 16,  51_200, 65_000),
    ("private-14", 32, 102_400, 65_000),
    ("shield-7",   2,    7168, 10_000),
    ("shield-9",   4,  10_240, 25_000),
    ("shield-10",  8,  25_600, 40_000),
    ("shield-12", 16,  51_200, 65_000),
    ("shield-14", 32, 102_400, 65_000),
];

pub(super) fn built_in() -> Vec<RedisPlan> {
    ROWS.iter()
        .map(|&(name, cores, mebibytes, connections)| RedisPlan {
            name: name.to_owned(),
            memory_bytes: mebibytes * MEBIBYTE,
            connections,
            cpu_millis: cores * 1000,
        })
        .collect()
}
