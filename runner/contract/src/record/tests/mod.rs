//! What is written is read again, what is damaged is refused, and what is too much is made to fit.

mod damage;
mod fit;
mod way;

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::*;
use crate::histogram::Histogram;
use crate::judge;
use crate::limit::LimitCount;
use crate::message::{FinishReport, PreflightReport, PreflightResult, Refusal};
use crate::outcome::{DynoOutcome, Evidence, Fate, RunFacts};
use crate::plan::{
    DynoName, Latency, LatencyLimit, Limit, Percentile, Plan, Step, TlsVerification,
};
use crate::report::{
    BusyWorker, CommandWork, End, Incomplete, Lateness, OwnDelay, OwnVitals, Queues, TargetWork,
    Times,
};
use crate::samples;
use crate::timeline::Timeline;

fn web_1() -> DynoName {
    DynoName {
        dyno_type: "web".to_owned(),
        index: 0,
    }
}

fn finish(message: &str) -> Message {
    Message::Finish(FinishReport {
        run: samples::RUN.to_owned(),
        complete: true,
        removed_keys: 126,
        left_keys: Some(0),
        message: message.to_owned(),
    })
}

/// A record of any header of version 1 and any JSON, its length and checksum right.
fn forged(before: &str, json: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(json).unwrap();
    let payload = BASE64.encode(encoder.finish().unwrap());
    let checksum = crc32fast::hash(payload.as_bytes());
    format!("{before} {} {checksum:08x}\n{payload}\n", payload.len()).into_bytes()
}

fn read_report(record: &[u8]) -> Report {
    match read(record).unwrap().message {
        Message::Dyno(report) => *report,
        other => panic!("{other:?}"),
    }
}

/// 60,000 latencies over five orders of magnitude: no distribution of a real run is as wide.
fn wide() -> EncodedHistogram {
    let mut next = samples::numbers(7);
    let mut histogram = Histogram::new(Digits::Three);
    for _ in 0..60_000 {
        let exponent = 6 + next() % 17;
        histogram.record((1 << exponent) + next() % (1 << exponent));
    }
    histogram.encode()
}
