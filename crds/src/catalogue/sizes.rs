//! The built-in sizes of dynos, with the source of every column; where nobody has published or
//! measured a number, this text calls it an estimate.
//!
//! Memory: Heroku Dev Center, "Dyno Types" (4 June 2024). Its "GB" are GiB: `memory.limit_in_bytes`
//! is 135291469824 on a Performance-2XL and 536870912 on a Basic dyno (captures in
//! hirefire/hirefire-resource-ruby, test/fixtures/cpu/cedar).
//!
//! CPU of the dedicated sizes: the numbers of cores in heroku-buildpack-python,
//! vendor/WEB_CONCURRENCY.sh, and `nproc` in the same captures.
//!
//! CPU of the shared sizes: Dev Center gives a range of compute units, 1x to 4x for 512 MiB and 2x
//! to 8x for Standard-2X. The dedicated sizes have 6 to 6.25 units per core (100x on 16 cores), so
//! a unit is taken as 160 millicores, an estimate: the request is the lower end, the limit the upper.
//!
//! Process limit: Dev Center, "Dyno Scaling and Process Limits" (December 2024). Its page of
//! November 2024 has 24576 for Performance-L-RAM; the smaller number is taken, as an estimate. So is
//! that of Private-S for Shield-S, which no page names.
//!
//! Default workers: `WEB_CONCURRENCY` of heroku-buildpack-nodejs, profile/WEB_CONCURRENCY.sh:
//! memory / 512 MB, or / 2048 MB above 16384 MB, memory capped at 129024 MB. That is where 63 for
//! a Performance-2XL comes from.
//!
//! Fir sizes: names and default workers from heroku/cli, src/commands/ps/type.ts, and
//! heroku/buildpacks-nodejs, src/bin/web_env.rs. CPU is nine tenths of the name: `cpu.max` is
//! 1440000 100000 where the name says 16c (captures in hirefire/hirefire-resource-ruby,
//! test/fixtures/cpu). Memory is taken as the name says, in GiB: an estimate. No process limit is
//! published.

use super::Size;

const MEBIBYTE: u64 = 1 << 20;

/// Name, CPU request and limit in millis, memory in MiB, process limit, default workers.
type Row = (&'static str, u32, u32, u64, Option<u32>, u32);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("eco",                 160,    640,    512, Some(256),     1),
    ("basic",               160,    640,    512, Some(256),     1),
    ("standard-1x",         160,    640,    512, Some(256),     1),
    ("standard-2x",         320,   1280,   1024, Some(512),     2),
    ("performance-m",      2000,   2000,   2560, Some(16_384),  5),
    ("performance-l",      8000,   8000,  14336, Some(32_768), 28),
    ("performance-l-ram",  4000,   4000,  30720, Some(16_384), 15),
    ("performance-xl",     8000,   8000,  63488, Some(32_768), 31),
    ("performance-2xl",   16000,  16000, 129_024, Some(65_536), 63),
    // Private and Shield dynos are the Performance sizes on a network of their own; only they have
    // the size S.
    ("private-s",          2000,   2000,   1024, Some(512),     2),
    ("private-m",          2000,   2000,   2560, Some(16_384),  5),
    ("private-l",          8000,   8000,  14336, Some(32_768), 28),
    ("private-l-ram",      4000,   4000,  30720, Some(16_384), 15),
    ("private-xl",         8000,   8000,  63488, Some(32_768), 31),
    ("private-2xl",       16000,  16000, 129_024, Some(65_536), 63),
    ("shield-s",           2000,   2000,   1024, Some(512),     2),
    ("shield-m",           2000,   2000,   2560, Some(16_384),  5),
    ("shield-l",           8000,   8000,  14336, Some(32_768), 28),
    ("shield-l-ram",       4000,   4000,  30720, Some(16_384), 15),
    ("shield-xl",          8000,   8000,  63488, Some(32_768), 31),
    ("shield-2xl",        16000,  16000, 129_024, Some(65_536), 63),
    // The Fir sizes: classic, general, compute and memory.
    ("dyno-1c-0.5gb",       900,    900,    512, None,          1),
    ("dyno-2c-1gb",        1800,   1800,   1024, None,          2),
    ("dyno-1c-4gb",         900,    900,   4096, None,          8),
    ("dyno-2c-8gb",        1800,   1800,   8192, None,         16),
    ("dyno-4c-16gb",       3600,   3600,  16384, None,         32),
    ("dyno-8c-32gb",       7200,   7200,  32768, None,         16),
    ("dyno-16c-64gb",     14400,  14400,  65536, None,         32),
    ("dyno-2c-4gb",        1800,   1800,   4096, None,          8),
    ("dyno-4c-8gb",        3600,   3600,   8192, None,         16),
    ("dyno-8c-16gb",       7200,   7200,  16384, None,         32),
    ("dyno-16c-32gb",     14400,  14400,  32768, None,         16),
    ("dyno-32c-64gb",     28800,  28800,  65536, None,         32),
    ("dyno-1c-8gb",         900,    900,   8192, None,         16),
    ("dyno-2c-16gb",       1800,   1800,  16384, None,         32),
    ("dyno-4c-32gb",       3600,   3600,  32768, None,         16),
    ("dyno-8c-64gb",       7200,   7200,  65536, None,         32),
    ("dyno-16c-128gb",    14400,  14400, 131_072, None,        63),
];

pub(super) fn built_in() -> Vec<Size> {
    ROWS.iter()
        .map(
            |&(name, request, limit, mebibytes, process_limit, workers)| Size {
                name: name.to_owned(),
                cpu_request_millis: request,
                cpu_limit_millis: limit,
                memory_bytes: mebibytes * MEBIBYTE,
                process_limit,
                default_workers: workers,
            },
        )
        .collect()
}
