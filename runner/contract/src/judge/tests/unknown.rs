//! What a target does not say convicts and acquits nobody.

use proptest::prelude::*;

use super::Case;
use crate::report::{Ending, Report};
use crate::verdict::Bottleneck;

/// One figure that a target may not tell, and how it is taken away.
type Figure = (&'static str, fn(&mut Report));

const FIGURES: [Figure; 9] = [
    ("main thread", |report| {
        report.last.redis_main_thread_per_mille = None;
        report.target.as_mut().unwrap().main_thread_per_mille = None;
    }),
    ("process", |report| {
        report.last.redis_work.process_per_mille = None;
        report.target.as_mut().unwrap().work.process_per_mille = None;
    }),
    ("event loop", |report| {
        report.last.redis_work.event_loop_per_mille = None;
        report.target.as_mut().unwrap().work.event_loop_per_mille = None;
    }),
    ("executing", |report| {
        report.last.redis_work.executing_per_mille = None;
        report.target.as_mut().unwrap().work.executing_per_mille = None;
    }),
    ("I/O threads", |report| {
        report.last.redis_work.io_threads = None;
        report.target.as_mut().unwrap().work.io_threads = None;
    }),
    ("evicted keys", |report| {
        report.last.redis_evicted_keys = None;
        report.target.as_mut().unwrap().evicted_keys = None;
    }),
    ("rejected connections", |report| {
        report.last.redis_rejected_connections = None;
        report.target.as_mut().unwrap().rejected_connections = None;
    }),
    ("memory", |report| {
        report.last.redis_memory_bytes = None;
        report.target.as_mut().unwrap().memory_at_end_bytes = None;
    }),
    ("maxmemory", |report| {
        report.target.as_mut().unwrap().maxmemory_bytes = None;
    }),
];

/// Ways in which a run comes to its limit, and what then has to be known to say so: any one of
/// these sets of figures.
type Limit = (
    Bottleneck,
    fn(&mut Case),
    &'static [&'static [&'static str]],
);

const LIMITS: [Limit; 6] = [
    (
        Bottleneck::RedisCpu,
        |case| case.report(0).last.redis_main_thread_per_mille = Some(990),
        &[&["main thread", "I/O threads"]],
    ),
    (
        Bottleneck::RedisCpu,
        |case| {
            let last = &mut case.report(0).last;
            last.redis_main_thread_per_mille = Some(130);
            last.redis_work.event_loop_per_mille = Some(960);
            last.redis_work.executing_per_mille = Some(680);
        },
        &[
            &["event loop", "I/O threads"],
            &["main thread", "executing"],
        ],
    ),
    (
        Bottleneck::RedisCpu,
        |case| {
            case.plan.target.cpu_millis = Some(500);
            case.report(0).last.redis_work.process_per_mille = Some(490);
        },
        &[&["process"]],
    ),
    (
        Bottleneck::RedisMemory,
        |case| {
            let (threshold, cause) = ("errors".to_owned(), "lost 9".to_owned());
            case.end(1, Ending::ErrorLimit { threshold, cause });
            case.report(0).last.redis_evicted_keys = Some(9);
        },
        &[&["evicted keys"]],
    ),
    (
        Bottleneck::RedisConnections,
        |case| case.report(0).last.redis_rejected_connections = Some(9),
        &[&["rejected connections"]],
    ),
    (
        Bottleneck::Network,
        |case| {
            case.distant(1);
            case.report(0).last.redis_work.event_loop_per_mille = Some(300);
        },
        &[&["main thread", "I/O threads"], &["event loop"]],
    ),
];

proptest! {
    /// Whatever figures are missing: the cause is named if what it rests on is there, and no other
    /// cause is named in its place.
    #[test]
    fn no_cause_rests_on_what_the_target_does_not_say(missing in 0_u32..1 << FIGURES.len()) {
        let is_missing = |position: usize| missing & (1 << position) != 0;
        let known = |name: &&str| {
            FIGURES
                .iter()
                .position(|(figure, _)| figure == name)
                .is_some_and(|position| !is_missing(position))
        };
        for (cause, bring_about, needed) in &LIMITS {
            let mut case = Case::held();
            case.backlog(1);
            case.end(0, Ending::Stopped);
            bring_about(&mut case);
            for (position, (_, take_away)) in FIGURES.iter().enumerate() {
                if is_missing(position) {
                    take_away(case.report(0));
                }
            }
            let judgement = case.judge();
            let expected = if needed.iter().any(|figures| figures.iter().all(known)) {
                *cause
            } else {
                Bottleneck::Unknown
            };
            prop_assert_eq!(judgement.bottleneck, Some(expected), "{}", judgement.message);
            if is_missing(0) {
                prop_assert!(!judgement.message.contains("of its core"), "{}", judgement.message);
            }
        }
    }
}
