//! How much memory of Redis a run takes, by what Redis allocates for it.
//!
//! An estimate: Redis 7 with jemalloc and its default encodings. Other versions differ by a few
//! percent.

use redyno_contract::Plan;
use redyno_contract::plan::{Commands, DynoTypePlan, MixedCommand, ObjectGraph, Prefill, Workload};

/// The JSON around a mail's payload: its id and the attributes of the drawn path.
const MAIL_ENVELOPE: u64 = 330;

/// A list's nodes hold up to 8 KiB (`list-max-listpack-size -2`).
const LIST_NODE_LIMIT: u64 = 8192;

/// Of each list node beside its entries: the node itself, and the entries' header and end.
const LIST_NODE: u64 = 48;

/// Of each entry beside its text: its length before it and behind it.
const LIST_ENTRY: u64 = 8;

/// One flat in its building's hash: about 270 bytes of JSON, its id, and the table's entry.
const FLAT: u64 = 400;

/// The list of one flat's mail beside the mail: its key of some 70 characters, the key's entry,
/// and the empty list.
const MAIL_LIST: u64 = 250;

/// A building's document, and the key of its flats.
const BUILDING: u64 = 1200;

/// A key of a keyspace: its name of some 40 characters and its entry in the table.
const KEY: u64 = 110;

/// A string beside its bytes: header and end.
const STRING: u64 = 24;

/// What the run adds to the memory of Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Growth {
    /// Before the common start.
    pub(super) prefill: u64,
    /// By the warm-up.
    pub(super) warmup: u64,
    /// By the measured window.
    pub(super) window: u64,
}

impl Growth {
    pub(super) fn of(plan: &Plan) -> Self {
        plan.formation.iter().fold(Self::default(), |sum, dynos| {
            let (each, whole, prefill) = match &dynos.workload {
                Workload::ObjectGraph(graph) => (
                    per_task(graph.item_payload_bytes.into()),
                    buildings(dynos, graph),
                    graph.prefill,
                ),
                // What commands other than SET pile up under a key, nobody can tell.
                Workload::Commands(commands) => (0, keyspace(commands), commands.prefill),
            };
            let tasks = |schedule: fn(&Plan, &DynoTypePlan, u32) -> u64| -> u64 {
                (0..dynos.quantity)
                    .map(|index| schedule(plan, dynos, index))
                    .fold(0, u64::saturating_add)
            };
            let (before, within) = match prefill {
                Prefill::Full => (whole, 0),
                Prefill::Empty => (0, whole),
            };
            let warmup = tasks(|plan, dynos, index| plan.warmup_schedule(dynos, index).count());
            let window = tasks(|plan, dynos, index| plan.schedule(dynos, index).count());
            Self {
                prefill: sum.prefill.saturating_add(before),
                warmup: sum.warmup.saturating_add(warmup.saturating_mul(each)),
                window: sum
                    .window
                    .saturating_add(window.saturating_mul(each))
                    .saturating_add(within),
            }
        })
    }

    pub(super) const fn total(&self) -> u64 {
        let Self {
            prefill,
            warmup,
            window,
        } = *self;
        prefill.saturating_add(warmup).saturating_add(window)
    }
}

fn buildings(dynos: &DynoTypePlan, graph: &ObjectGraph) -> u64 {
    u64::from(dynos.quantity)
        .saturating_mul(u64::from(dynos.workers))
        .saturating_mul(BUILDING + u64::from(graph.max_flats) * (FLAT + MAIL_LIST))
}

/// Every key with one value, if the run writes any.
fn keyspace(commands: &Commands) -> u64 {
    let writes = commands.prefill == Prefill::Full
        || commands
            .mix
            .iter()
            .flat_map(|entry| &entry.command)
            .any(|argument| argument.contains(MixedCommand::VALUE));
    if writes {
        let value = allocated(u64::from(commands.value_bytes).saturating_add(STRING));
        u64::from(commands.keyspace.keys).saturating_mul(value.saturating_add(KEY))
    } else {
        0
    }
}

/// What one mail of this payload takes in its list: about 6.2 KB for a payload of 5000 bytes.
pub(super) const fn per_task(payload: u64) -> u64 {
    let entry = payload.saturating_add(MAIL_ENVELOPE + LIST_ENTRY);
    let entries = if entry < LIST_NODE_LIMIT {
        LIST_NODE_LIMIT / entry
    } else {
        1
    };
    (allocated(entries.saturating_mul(entry)).saturating_add(LIST_NODE)).div_ceil(entries)
}

/// What jemalloc gives for a request: four sizes between each power of two and the next.
const fn allocated(bytes: u64) -> u64 {
    if bytes <= 128 {
        return bytes.next_multiple_of(16);
    }
    let spacing = 1_u64 << ((bytes - 1).ilog2() - 2);
    match bytes.checked_next_multiple_of(spacing) {
        Some(size) => size,
        None => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn five_kilobytes_take_six() {
        assert!(
            (6_100..6_300).contains(&per_task(5_000)),
            "{}",
            per_task(5_000)
        );
        assert_eq!(allocated(5_400), 6_144);
        assert_eq!(allocated(128), 128);
        assert_eq!(allocated(129), 160);
        assert_eq!(allocated(8_193), 10_240);
    }

    proptest! {
        #[test]
        fn a_mail_takes_its_own_size_and_not_twice_that(payload in 0_u64..1_000_000) {
            let size = per_task(payload);
            prop_assert!(size >= payload);
            prop_assert!(size <= 2 * (payload + 400));
        }

        #[test]
        fn nothing_overflows(payload: u64) {
            per_task(payload);
        }
    }
}
