//! How far a dyno's workers are with what has to be there before the start.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use redyno_contract::plan::{DynoTypePlan, Prefill, Workload};
use redyno_target::KeyspacePart;

/// What was done so far, shared by all load threads and the control thread.
#[derive(Debug)]
pub(crate) struct Filling {
    workers: u32,
    connected: AtomicU32,
    /// Keys and flats that the dyno has to write: 0 where nothing is to be there at the start.
    to_write: u64,
    written: AtomicU64,
}

impl Filling {
    /// Of the dyno with this index, which has done nothing yet.
    pub(crate) fn of(dynos: &DynoTypePlan, index: u32) -> Self {
        Self {
            workers: dynos.workers,
            connected: AtomicU32::new(0),
            to_write: to_write(dynos, index),
            written: AtomicU64::new(0),
        }
    }

    /// A worker has its connection.
    pub(crate) fn connected(&self) {
        self.connected.fetch_add(1, Ordering::Relaxed);
    }

    /// A worker lost its connection, and what it had written so far is written again.
    pub(crate) fn failed(&self, written: u64) {
        self.connected.fetch_sub(1, Ordering::Relaxed);
        self.written.fetch_sub(written, Ordering::Relaxed);
    }

    /// A worker has written so many keys or flats.
    pub(crate) fn wrote(&self, count: u64) {
        self.written.fetch_add(count, Ordering::Relaxed);
    }

    /// For people: `3 of 100 workers connected, filling: 34 %`; None if nothing is left to do.
    pub(crate) fn words(&self) -> Option<String> {
        let connected = self.connected.load(Ordering::Relaxed);
        let written = self.written.load(Ordering::Relaxed);
        let connecting = (connected < self.workers)
            .then(|| format!("{connected} of {} workers connected", self.workers));
        let filling = (written < self.to_write).then(|| {
            let percent = u128::from(written) * 100 / u128::from(self.to_write.max(1));
            format!("filling: {percent} %")
        });
        let parts: Vec<String> = connecting.into_iter().chain(filling).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

fn to_write(dynos: &DynoTypePlan, index: u32) -> u64 {
    match &dynos.workload {
        Workload::ObjectGraph(graph) => match graph.prefill {
            Prefill::Full => u64::from(dynos.workers) * u64::from(graph.max_flats),
            Prefill::Empty => 0,
        },
        Workload::Commands(commands) => match commands.prefill {
            Prefill::Full => {
                let part = |worker| KeyspacePart {
                    index,
                    quantity: dynos.quantity,
                    worker,
                    workers: dynos.workers,
                };
                let keys: u64 = (0..dynos.workers)
                    .map(|worker| part(worker).numbers(commands.keyspace.keys).len() as u64)
                    .sum();
                keys * commands.filled_patterns().len() as u64
            }
            Prefill::Empty => 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use redyno_contract::samples;

    use super::*;

    fn dynos(prefill: Prefill, quantity: u32, workers: u32) -> DynoTypePlan {
        let mix = ["{key}", "other:{key}"].map(|key| samples::entry("get", 1, &["GET", key]));
        DynoTypePlan {
            workers,
            workload: Workload::Commands(samples::commands(1000, 10, prefill, mix.to_vec())),
            ..samples::dyno_type("web", quantity)
        }
    }

    #[test]
    fn all_dynos_write_all_keys_of_every_pattern_once() {
        for (quantity, workers) in [(1, 1), (3, 7), (2, 4), (40, 30)] {
            let dynos = dynos(Prefill::Full, quantity, workers);
            let all: u64 = (0..quantity).map(|index| to_write(&dynos, index)).sum();
            assert_eq!(all, 2000, "{quantity} x {workers}");
        }
        assert_eq!(to_write(&dynos(Prefill::Empty, 1, 1), 0), 0);
    }

    #[test]
    fn what_is_left_to_do_is_told() {
        let filling = Filling::of(&dynos(Prefill::Full, 1, 2), 0);
        let words = |expected: Option<&str>| assert_eq!(filling.words().as_deref(), expected);
        words(Some("0 of 2 workers connected, filling: 0 %"));
        filling.connected();
        filling.connected();
        filling.wrote(680);
        words(Some("filling: 34 %"));
        filling.failed(340);
        words(Some("1 of 2 workers connected, filling: 17 %"));
        filling.connected();
        filling.wrote(1659);
        words(Some("filling: 99 %"));
        filling.wrote(1);
        words(None);
    }
}
