//! How many load threads a dyno has.

use std::num::NonZeroU32;

use redyno_contract::plan::{DynoTypePlan, Workload};

/// CPU time of a task of the object graph, in nanoseconds: with an empty building, and for every
/// flat of it. Rounded up from what `make bench` measures at 1 to 200 flats.
const GRAPH_NANOSECONDS: f64 = 35_000.0;
const FLAT_NANOSECONDS: f64 = 350.0;

/// CPU time of a task of one command, in nanoseconds, and for every byte of a value.
const COMMAND_NANOSECONDS: f64 = 8_000.0;
const BYTE_NANOSECONDS: f64 = 0.5;

/// A load thread that is busier than this part of the time is late more and more often.
const BUSY: f64 = 0.6;

/// More would never be needed, whatever a plan says.
const MOST: u32 = 64;

/// How many load threads: one, or more where one could not do the expected work and the CPU that
/// the dyno was given has room for more. `cpu_limit_millis` is that of its own control group:
/// neither what the machine has, which is for others too, nor what the plan asks for, which nobody
/// may have granted. Without a limit it is one: nobody said that there may be more.
pub(crate) fn load_threads(cpu_limit_millis: Option<u32>, dynos: &DynoTypePlan) -> NonZeroU32 {
    let allowed = cpu_limit_millis.map_or(1, |millis| millis.div_ceil(1000));
    let cores = dynos.rate.tasks_per_second() * task_nanoseconds(dynos) / 1e9;
    // Casts of floats saturate.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let needed = (cores / BUSY).ceil() as u32;
    let threads = needed.min(allowed).min(dynos.workers).min(MOST);
    NonZeroU32::new(threads).unwrap_or(NonZeroU32::MIN)
}

/// What a task is expected to cost the load thread.
fn task_nanoseconds(dynos: &DynoTypePlan) -> f64 {
    let own = match &dynos.workload {
        Workload::ObjectGraph(graph) => {
            GRAPH_NANOSECONDS + f64::from(graph.max_flats) * FLAT_NANOSECONDS
        }
        Workload::Commands(commands) => {
            COMMAND_NANOSECONDS + f64::from(commands.value_bytes) * BYTE_NANOSECONDS
        }
    };
    own + f64::from(dynos.application_cpu_microseconds) * 1000.0
}

#[cfg(test)]
mod tests {
    use redyno_contract::plan::{Arrivals, Assignment, Fetch, ObjectGraph, Prefill, QueueOrder};
    use redyno_contract::samples;
    use redyno_contract::schedule::Rate;

    use super::*;

    fn graph(rate: u32, workers: u32, max_flats: u32) -> DynoTypePlan {
        DynoTypePlan {
            dyno_type: "web".to_owned(),
            quantity: 1,
            workers,
            rate: Rate::per_second(rate),
            arrivals: Arrivals::Constant,
            assignment: Assignment::Random,
            queue_order: QueueOrder::OldestFirst,
            max_worker_backlog: 100,
            workload: Workload::ObjectGraph(ObjectGraph {
                max_flats,
                item_payload_bytes: 5000,
                fetch: Fetch::Lua,
                prefill: Prefill::Full,
            }),
            application_cpu_microseconds: 0,
            // What was asked for does not count.
            cpu_millis: Some(64_000),
            memory_bytes: None,
        }
    }

    fn with_application(rate: u32, workers: u32, microseconds: u32) -> DynoTypePlan {
        DynoTypePlan {
            application_cpu_microseconds: microseconds,
            ..graph(rate, workers, 10)
        }
    }

    fn get(rate: u32, value_bytes: u32) -> DynoTypePlan {
        DynoTypePlan {
            workload: Workload::Commands(samples::commands(
                1000,
                value_bytes,
                Prefill::Full,
                vec![samples::entry("get", 1, &["GET", "{key}"])],
            )),
            ..graph(rate, 500, 1)
        }
    }

    #[test]
    fn as_many_as_the_work_needs_and_the_limit_allows() {
        for (name, limit, dynos, expected) in [
            ("no limit", None, graph(100_000, 500, 100), 1),
            ("a part of a core", Some(100), graph(100_000, 500, 100), 1),
            ("one core", Some(1000), graph(100_000, 500, 100), 1),
            ("a core and a half", Some(1500), graph(100_000, 500, 100), 2),
            ("no work", Some(16_000), graph(0, 500, 100), 1),
            (
                "the benchmark's load",
                Some(16_000),
                graph(5000, 500, 100),
                1,
            ),
            ("more of it", Some(16_000), graph(20_000, 500, 100), 3),
            ("few flats", Some(16_000), graph(15_000, 500, 10), 1),
            ("few flats, fast", Some(16_000), graph(20_000, 500, 10), 2),
            ("few workers", Some(16_000), graph(100_000, 3, 100), 3),
            (
                "an application",
                Some(16_000),
                with_application(1000, 63, 2000),
                4,
            ),
            (
                "on two cores",
                Some(2000),
                with_application(1000, 63, 2000),
                2,
            ),
            ("GET", Some(16_000), get(50_000, 16), 1),
            ("a lot of GET", Some(16_000), get(100_000, 16), 2),
            ("GET of much", Some(16_000), get(20_000, 100_000), 2),
            (
                "absurd",
                Some(u32::MAX),
                graph(u32::MAX, u32::MAX, u32::MAX),
                64,
            ),
        ] {
            assert_eq!(load_threads(limit, &dynos).get(), expected, "{name}");
        }
    }
}
