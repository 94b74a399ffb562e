//! Percentiles among tasks that did not complete: what is told of them is true of all tasks.

use proptest::prelude::*;

use super::Case;
use crate::histogram::{Digits, Histogram};
use crate::judgement::{Distribution, Judgement, Quantile};
use crate::limit::LimitCount;
use crate::plan::{Latency, LatencyLimit, Limit, Percentile, Plan, Step, ThresholdPlan};
use crate::report::{Ages, Incomplete, Report, StepCount, Times};
use crate::samples;
use crate::schedule::Rate;

/// What became of a task.
#[derive(Clone, Copy, Debug)]
enum End {
    Completed,
    /// When it had taken so many thousandths of the time that it would have taken.
    Failed(u64),
    /// The same.
    Unfinished(u64),
}

/// A task: how long it would have waited and been served, in microseconds, and what became of it.
#[derive(Clone, Copy, Debug)]
struct Task {
    wait: u64,
    service: u64,
    end: End,
}

impl Task {
    const fn new(wait: u64, service: u64, end: End) -> Self {
        Self { wait, service, end }
    }

    const fn of(&self, latency: Latency) -> u64 {
        match latency {
            Latency::Response => self.wait + self.service,
            Latency::Wait => self.wait,
            Latency::Service => self.service,
        }
    }

    /// How long it had taken when it was over; None for its service if it had not begun.
    fn seen(&self, latency: Latency) -> Option<u64> {
        let age = match self.end {
            End::Completed => self.of(Latency::Response),
            End::Failed(thousandths) | End::Unfinished(thousandths) => {
                self.of(Latency::Response) * thousandths / 1000
            }
        };
        match latency {
            Latency::Response => Some(age),
            Latency::Wait => Some(age.min(self.wait)),
            Latency::Service => age.checked_sub(self.wait),
        }
    }
}

/// A plan of one dyno with so many tasks and these limits.
fn plan(tasks: usize, limits: &[(Latency, Percentile, u64)]) -> Plan {
    let mut plan = samples::plan();
    plan.duration_seconds = 1;
    plan.formation = vec![samples::dyno_type("web", 1)];
    plan.formation[0].rate = Rate::per_second(u32::try_from(tasks).unwrap());
    plan.thresholds = limits
        .iter()
        .enumerate()
        .map(
            |(position, (of, percentile, max_microseconds))| ThresholdPlan {
                name: format!("limit-{position}"),
                dyno_type: None,
                limit: Limit::Latency(LatencyLimit {
                    of: *of,
                    step: Step::Task,
                    percentile: *percentile,
                    max_microseconds: *max_microseconds,
                }),
            },
        )
        .collect();
    plan
}

/// What a dyno reports of these tasks.
fn report(report: &mut Report, plan: &Plan, tasks: &[Task], digits: Digits) {
    let is = |wanted: fn(&End) -> bool| tasks.iter().filter(move |task| wanted(&task.end));
    let completed = || is(|end| matches!(end, End::Completed));
    let failed = || is(|end| matches!(end, End::Failed(_)));
    let unfinished = || is(|end| matches!(end, End::Unfinished(_)));
    let count = |number: usize| u64::try_from(number).unwrap();
    let books = &mut report.books;
    books.completed = count(completed().count());
    books.in_time = books.completed;
    books.failed = count(failed().count());
    books.abandoned = count(unfinished().count());
    let recorded = |latency| {
        let mut histogram = Histogram::new(digits);
        let mut times = Times::default();
        for task in completed() {
            histogram.record(task.of(latency));
            times.record(task.of(latency));
        }
        (Some(histogram.encode()), times)
    };
    (report.histograms.response, report.latencies.response) = recorded(Latency::Response);
    (report.histograms.wait, report.latencies.wait) = recorded(Latency::Wait);
    (report.histograms.service, report.latencies.service) = recorded(Latency::Service);
    let longest = |latency| {
        failed()
            .filter_map(|task| task.seen(latency))
            .max()
            .unwrap_or(0)
    };
    let ages = |latency| {
        let mut histogram = Histogram::new(Digits::One);
        for age in unfinished().filter_map(|task| task.seen(latency)) {
            histogram.record(age);
        }
        histogram.encode()
    };
    report.incomplete = Some(Incomplete {
        failed_response_max_microseconds: longest(Latency::Response),
        failed_wait_max_microseconds: longest(Latency::Wait),
        failed_service_max_microseconds: longest(Latency::Service),
        steps: None,
        ages: (unfinished().count() > 0).then(|| Ages {
            response: ages(Latency::Response),
            wait: ages(Latency::Wait),
            service: ages(Latency::Service),
        }),
    });
    report.over = plan
        .latency_limits("web")
        .map(|(_, limit)| {
            let over = |task: &&Task| match task.end {
                End::Completed => task.of(limit.of) > limit.max_microseconds,
                End::Failed(_) => true,
                End::Unfinished(_) => task
                    .seen(limit.of)
                    .is_some_and(|age| age > limit.max_microseconds),
            };
            let over = count(tasks.iter().filter(over).count());
            let fast = |task: &&Task| {
                task.seen(limit.of)
                    .is_none_or(|age| age <= limit.max_microseconds)
            };
            LimitCount {
                over,
                unknown: count(unfinished().filter(fast).count()),
                total: count(tasks.len()),
                ..report.over.first().copied().unwrap_or_default()
            }
        })
        .collect();
}

fn judged(tasks: &[Task], limits: &[(Latency, Percentile, u64)], digits: Digits) -> Judgement {
    let plan = plan(tasks.len(), limits);
    let mut case = Case::of(plan.clone());
    report(case.report(0), &plan, tasks, digits);
    case.judge()
}

fn shown(distribution: &Distribution) -> [Quantile; 5] {
    let Distribution {
        p50,
        p90,
        p99,
        p999,
        max,
        times: _,
        digits: _,
    } = *distribution;
    [p50, p90, p99, p999, max]
}

#[test]
fn tasks_that_ran_into_their_timeout_are_in_the_percentiles() {
    let mut tasks = vec![Task::new(90, 1_300, End::Completed); 997];
    tasks.extend([Task::new(90, 1_000_000, End::Failed(500)); 3]);
    let response = judged(&tasks, &[], Digits::Two).summary.response.unwrap();
    // 998 of 1000 are the quick ones: the highest that is known is of a task that failed.
    assert_eq!(response.p99, Quantile::At(1_390));
    assert_eq!(response.p999, Quantile::AtLeast(500_000));
    assert_eq!(response.max, Quantile::AtLeast(500_000));
    assert_eq!(response.times.max_microseconds, 1_390);
}

#[test]
fn what_is_above_is_never_told_to_be_less() {
    // 990 tasks completed, the last of them slow, and 10 were given up young.
    let mut tasks = vec![Task::new(0, 1_000, End::Completed); 985];
    tasks.extend([Task::new(0, 800_000, End::Completed); 5]);
    tasks.extend([Task::new(0, 2_000_000, End::Unfinished(1)); 10]);
    let response = judged(&tasks, &[], Digits::Two).summary.response.unwrap();
    assert_eq!(response.p90, Quantile::At(1_000));
    // At the least the ten took as long as they were old, 2 ms to a digit.
    assert_eq!(response.p99, Quantile::AtLeast(1_900));
    assert_eq!(response.p999, Quantile::AtLeast(790_000));
    // Old ones are known to be slow.
    let mut tasks = vec![Task::new(0, 1_000, End::Completed); 985];
    tasks.extend([Task::new(0, 2_000_000, End::Unfinished(500)); 15]);
    let response = judged(&tasks, &[], Digits::Two).summary.response.unwrap();
    assert_eq!(response.p99, Quantile::AtLeast(980_000));
}

#[test]
fn failed_tasks_are_in_the_percentiles_of_their_steps() {
    let mut plan = plan(1_000, &[]);
    plan.thresholds = vec![samples::threshold(
        "fetch",
        Limit::Latency(LatencyLimit {
            of: Latency::Service,
            step: Step::Fetch,
            percentile: Percentile::P99,
            max_microseconds: 5_000,
        }),
    )];
    let mut case = Case::of(plan);
    let report = case.report(0);
    report.books.completed -= 21;
    report.books.in_time -= 21;
    report.books.failed = 21;
    let mut fetch = Histogram::new(Digits::Three);
    for _ in 0..979 {
        fetch.record(640);
    }
    report.histograms.steps = Some(vec![fetch.encode(); 3]);
    for step in &mut report.steps {
        step.service = Times {
            count: 979,
            sum_microseconds: 979 * 640,
            max_microseconds: 640,
        };
    }
    report.incomplete = Some(Incomplete {
        steps: Some(vec![
            StepCount {
                begun: 1_000,
                failed: 21,
            },
            StepCount {
                begun: 979,
                failed: 0,
            },
            StepCount {
                begun: 979,
                failed: 0,
            },
        ]),
        ..Incomplete::default()
    });
    report.over[0].over = 21;
    let judgement = case.judge();
    assert_eq!(judgement.thresholds[0].observed, "> 5 ms (counted)");
    let steps = &judgement.summary.step_distributions;
    // The limit was broken, so its percentile is beyond it.
    assert_eq!(steps[0].service.p99, Quantile::AtLeast(5_000));
    assert_eq!(steps[0].service.p90, Quantile::At(640));
    assert_eq!(steps[1].service.p99, Quantile::At(640));
}

#[test]
fn a_part_is_never_told_to_be_more_than_the_whole() {
    // At one digit 25.8 ms of waiting would read as 30 ms, of 26 ms in all.
    let tasks = vec![Task::new(25_800, 200, End::Completed); 1_000];
    let summary = judged(&tasks, &[], Digits::One).summary;
    let [response, wait] = [summary.response, summary.wait].map(|one| one.unwrap().p99);
    assert_eq!(response, Quantile::At(26_000));
    assert_eq!(wait, Quantile::At(25_800));
}

fn task() -> impl Strategy<Value = Task> {
    let end = prop_oneof![
        12 => Just(End::Completed),
        1 => (0_u64..=1000).prop_map(End::Failed),
        2 => (0_u64..=1000).prop_map(End::Unfinished),
    ];
    let time = || prop_oneof![1_u64..2_000, 1_u64..2_000_000];
    (time(), time(), end).prop_map(|(wait, service, end)| Task::new(wait, service, end))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever became of the tasks: what is told is true of how long they would have taken, it
    /// rises with the percentile, no part is longer than the whole, and no limit is contradicted.
    #[test]
    fn what_is_told_is_true_of_all_tasks(
        tasks in prop::collection::vec(task(), 1..400),
        limits in prop::collection::vec(
            (
                prop::sample::select(vec![Latency::Response, Latency::Wait, Latency::Service]),
                prop::sample::select(vec![50_000_u32, 90_000, 95_000, 99_000, 99_900]),
                1_u64..3_000_000,
            ),
            0..3,
        ),
        digits in prop::sample::select(vec![Digits::One, Digits::Two, Digits::Three]),
    ) {
        let limits: Vec<_> = limits
            .into_iter()
            .map(|(of, percentile, max)| (of, Percentile::try_from(percentile).unwrap(), max))
            .collect();
        let judgement = judged(&tasks, &limits, digits);
        let latencies = [Latency::Response, Latency::Wait, Latency::Service];
        let told = latencies.map(|latency| shown(judgement.summary.distribution(latency).unwrap()));
        for (latency, told) in latencies.into_iter().zip(&told) {
            let mut truth: Vec<u64> = tasks
                .iter()
                .map(|task| match task.end {
                    End::Failed(_) => u64::MAX,
                    End::Completed | End::Unfinished(_) => task.of(latency).max(1),
                })
                .collect();
            truth.sort_unstable();
            let at = |thousandths: usize| truth[(tasks.len() * thousandths).div_ceil(100_000).max(1) - 1];
            let precision = match digits {
                Digits::One => 0.2,
                Digits::Two => 0.02,
                Digits::Three => 0.002,
            };
            for (told, truth) in told.iter().zip([at(50_000), at(90_000), at(99_000), at(99_900), *truth.last().unwrap()]) {
                let (value, truth) = (told.microseconds() as f64, truth as f64);
                match told {
                    Quantile::At(_) => prop_assert!(
                        (value - truth).abs() <= truth * 3.0 * precision + 1.0,
                        "{latency:?}: {told:?} of {truth}"
                    ),
                    // One that another time or a lower percentile raised is as precise as that.
                    Quantile::AtLeast(_) => prop_assert!(
                        value <= truth * (1.0 + 3.0 * precision) + 1.0,
                        "{latency:?}: {told:?} of {truth}"
                    ),
                    Quantile::Maximum(_) => prop_assert!(value.total_cmp(&truth).is_eq(), "{told:?} of {truth}"),
                }
            }
            let values = told.map(Quantile::shown_microseconds);
            prop_assert!(values.is_sorted(), "{told:?}");
        }
        for part in &told[1..] {
            for (part, whole) in part.iter().zip(&told[0]) {
                prop_assert!(part.microseconds() <= whole.microseconds(), "{told:?}");
            }
        }
        for ((of, percentile, max), threshold) in limits.iter().zip(&judgement.thresholds) {
            let (over, allowed) = (threshold.over_count.unwrap(), threshold.allowed_count.unwrap());
            let position = [50_000_u32, 90_000, 99_000, 99_900]
                .iter()
                .position(|shown| *shown == percentile.thousandths());
            if let Some(position) = position {
                let of = latencies.iter().position(|latency| latency == of).unwrap();
                let value = told[of][position].microseconds();
                if over > allowed {
                    prop_assert!(value >= *max, "{value} of {max}, {over} over {allowed}");
                } else if matches!(told[of][position], Quantile::At(_) | Quantile::Maximum(_)) {
                    prop_assert!(value <= *max, "{value} of {max}, {over} over {allowed}");
                }
            }
        }
    }
}
