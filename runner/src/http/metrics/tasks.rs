//! What becomes of the tasks, and how many wait.

use redyno_contract::Plan;
use redyno_contract::plan::DynoTypePlan;
use redyno_contract::report::Books;

use super::families::{Buckets, Families, number};
use crate::dyno::Totals;
use redyno_engine::{FailureClass, LimitCounters, Snapshot};

/// Numbers of waiting tasks that workers are counted by.
const BACKLOGS: [u32; 11] = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

pub(super) fn add(families: &mut Families<'_>, plan: &Plan, dynos: &DynoTypePlan, totals: &Totals) {
    let snapshot = totals.snapshot();
    add_books(
        families,
        snapshot.map(|it| it.measured).unwrap_or_default(),
        totals.closed(),
    );
    add_failures(families, snapshot.map(|snapshot| &snapshot.counted.limits));
    add_backlog(families, dynos, snapshot);
    families.gauge(
        "redyno_target_rate_tasks_per_second",
        "The rate of the plan now.",
        planned_rate(plan, dynos, totals),
    );
}

fn add_books(families: &mut Families<'_>, books: Books, closed: bool) {
    let Books {
        scheduled,
        delivered,
        rejected,
        undispatched: _,
        completed,
        in_time: _,
        failed: _,
        timed_out: _,
        abandoned,
    } = books;
    for (name, help, count) in [
        (
            "redyno_tasks_scheduled_total",
            "Tasks due in the measured window so far.",
            scheduled,
        ),
        (
            "redyno_tasks_delivered_total",
            "Tasks of the measured window handed to a worker.",
            delivered,
        ),
        (
            "redyno_tasks_completed_total",
            "Tasks of the measured window that ended without error.",
            completed,
        ),
        (
            "redyno_tasks_rejected_total",
            "Tasks of the measured window that found the backlog limit waiting at their worker.",
            rejected,
        ),
        (
            "redyno_tasks_abandoned_total",
            "Tasks of the measured window that had not ended when the dyno did.",
            // As long as it goes on, they may still end.
            if closed { abandoned } else { 0 },
        ),
    ] {
        families.counter(name, help, number(count));
    }
}

fn add_failures(families: &mut Families<'_>, counts: Option<&LimitCounters>) {
    let series: Vec<_> = FailureClass::ALL
        .iter()
        .map(|class| {
            let count = counts.map_or(0, |counts| counts.failures().of(*class));
            (vec![("reason", class.as_str())], number(count))
        })
        .collect();
    families.counters(
        "redyno_tasks_failed_total",
        "Tasks of the measured window that ended in an error or ran out of time.",
        &series,
    );
}

fn add_backlog(families: &mut Families<'_>, dynos: &DynoTypePlan, snapshot: Option<&Snapshot>) {
    families.gauge(
        "redyno_backlog_tasks",
        "Tasks that wait now, over all workers; those running are not among them.",
        number(snapshot.map_or(0, Snapshot::waiting)),
    );
    families.gauge(
        "redyno_running_tasks",
        "Tasks that a worker is at now.",
        number(snapshot.map_or(0, |snapshot| snapshot.counted.running)),
    );
    let nothing_waits = vec![0; dynos.workers as usize];
    let backlogs = snapshot.map_or(&nothing_waits, |snapshot| &snapshot.counted.backlogs);
    families.histograms(
        "redyno_worker_backlog_tasks",
        "Workers by how many tasks wait at each now: its buckets fall as well as rise.",
        vec![(
            vec![],
            workers_by_backlog(backlogs, dynos.max_worker_backlog),
        )],
    );
    families.gauge(
        "redyno_worker_backlog_max_tasks",
        "The most tasks that have waited at one worker so far.",
        snapshot.map_or(0, Snapshot::peak_backlog).into(),
    );
    families.gauge(
        "redyno_worker_backlog_limit_tasks",
        "How many tasks may wait at one worker; one more fails the dyno.",
        dynos.max_worker_backlog.into(),
    );
}

fn workers_by_backlog(backlogs: &[u32], limit: u32) -> Buckets {
    let mut bounds: Vec<u32> = BACKLOGS.into_iter().chain([limit]).collect();
    bounds.sort_unstable();
    bounds.dedup();
    let up_to = |bound: u32| backlogs.iter().filter(|backlog| **backlog <= bound).count() as u64;
    Buckets {
        cumulative: bounds
            .into_iter()
            .map(|bound| (f64::from(bound), up_to(bound)))
            .collect(),
        count: backlogs.len() as u64,
        sum: backlogs.iter().copied().map(f64::from).sum(),
    }
}

/// Nothing before the start and after the end.
fn planned_rate(plan: &Plan, dynos: &DynoTypePlan, totals: &Totals) -> f64 {
    let (warming_up, over) = totals.snapshot().map_or(
        (plan.warmup_seconds > 0, totals.start.is_none()),
        |snapshot| (!snapshot.in_window, snapshot.end.is_some()),
    );
    if over {
        0.0
    } else if warming_up {
        dynos.rate.percent(plan.warmup_percent).tasks_per_second()
    } else {
        dynos.rate.tasks_per_second()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_counted_by_what_waits_at_them() {
        let buckets = workers_by_backlog(&[0, 0, 3, 7, 100, 101], 7);
        assert_eq!(buckets.count, 6);
        assert!((buckets.sum - 211.0).abs() < f64::EPSILON);
        let counts: Vec<u64> = buckets.cumulative.iter().map(|(_, count)| *count).collect();
        // 0, 1, 2, 5, 7, 10, 20, 50, 100, 200, 500, 1000
        assert_eq!(counts, [2, 2, 2, 3, 4, 4, 4, 4, 5, 6, 6, 6]);
        assert_eq!(workers_by_backlog(&[], 1000).cumulative.len(), 11);
    }
}
