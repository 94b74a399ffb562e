//! Where a task's time went.

use super::Case;
use crate::judgement::TimeSpent;
use crate::plan::{Fetch, Workload};
use crate::report::CommandWork;
use crate::samples;

fn spent(name: &str, calls: u64, microseconds: u64) -> CommandWork {
    CommandWork {
        name: name.to_owned(),
        calls,
        microseconds,
    }
}

/// 150 us of Redis for each task of the object graph.
fn told(case: &mut Case) {
    case.report(0).target.as_mut().unwrap().commands = vec![
        spent("evalsha", 8_000, 800_000),
        // Executed by the script: it is in the script's time.
        spent("hgetall", 8_000, 700_000),
        spent("exec", 8_000, 240_000),
        spent("get", 8_000, 80_000),
        spent("multi", 8_000, 40_000),
        spent("ping", 16_000, 80_000),
        spent("info", 4, 4_000),
    ];
}

/// 8,000 tasks of 100 us of waiting and 900 us of service, 47 us of CPU of two dynos each.
const ALL_BUT_REDIS: TimeSpent = TimeSpent {
    waiting_microseconds: 100,
    dyno_microseconds: 190,
    executing_microseconds: None,
    elsewhere_microseconds: 710,
};

#[test]
fn its_parts_add_up_to_the_response_time() {
    let mut case = Case::held();
    assert_eq!(case.judge().formation[0].time_spent, Some(ALL_BUT_REDIS));
    told(&mut case);
    let known = case.judge().formation[0].time_spent.unwrap();
    assert_eq!(
        known,
        TimeSpent {
            executing_microseconds: Some(150),
            elsewhere_microseconds: 560,
            ..ALL_BUT_REDIS
        }
    );
    assert_eq!(known.all_microseconds(), 1_000);
}

#[test]
fn what_was_measured_of_one_end_is_never_more_than_a_task_took() {
    let mut case = Case::held();
    told(&mut case);
    for dyno in 0..2 {
        case.report(dyno).own.load_threads_cpu_microseconds = Some(u64::MAX / 4);
    }
    let known = case.judge().formation[0].time_spent.unwrap();
    assert_eq!(known.dyno_microseconds, 750);
    assert_eq!(known.elsewhere_microseconds, 0);
    assert_eq!(known.all_microseconds(), 1_000);
}

#[test]
fn what_redis_does_not_say_is_not_known() {
    let mut case = Case::held();
    told(&mut case);
    let commands = &mut case.report(0).target.as_mut().unwrap().commands;
    commands.retain(|command| command.name != "exec");
    assert_eq!(case.judge().formation[0].time_spent, Some(ALL_BUT_REDIS));
    // The mean of commands of two kinds of work is that of neither.
    let mut case = Case::held();
    told(&mut case);
    let mut other = samples::dyno_type("other", 1);
    if let Workload::ObjectGraph(graph) = &mut other.workload {
        graph.fetch = Fetch::Hgetall;
    }
    case.plan.formation.push(other);
    assert_eq!(case.judge().formation[0].time_spent, Some(ALL_BUT_REDIS));
}

#[test]
fn nothing_is_known_where_a_dyno_does_not_tell() {
    let mut case = Case::held();
    case.report(1).own.load_threads_cpu_microseconds = None;
    assert_eq!(case.judge().formation[0].time_spent, None);
}
