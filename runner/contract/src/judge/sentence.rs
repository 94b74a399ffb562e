//! The one or two sentences that a verdict comes with: what happened, and what to try.

use super::bottleneck::Evidence;
use super::breach::Breach;
use super::fault::Fault;
use super::keeping_up::Behind;
use super::next::Next;
use super::run::{Dyno, Run};
use super::thresholds::shown_limit;
use super::trust::Doubt;
use crate::failure::{ClassFailures, FailureClass};
use crate::figures;
use crate::judgement::{ThresholdResult, Totals, TypeResult};
use crate::plan::{Latency, Limit, OnDynoFailure, Percentile, Step};
use crate::report::{Ending, OwnDelay};
use crate::text;
use crate::verdict::{Bottleneck, Reason};

/// Longest text that is quoted from a platform, a target or an error, in bytes.
const LONGEST_QUOTE: usize = 300;

/// A text from elsewhere within a sentence.
pub(super) fn told(text: &str) -> String {
    match text::quoted(text, LONGEST_QUOTE).as_str() {
        "" => "nothing more is known".to_owned(),
        quoted => quoted.to_owned(),
    }
}

/// What happened, and what to try.
pub(super) fn of(what: &str, advice: &str) -> String {
    format!("{what}. {advice}")
}

/// What to try against a bottleneck; where none is known, what the reason suggests.
pub(super) const fn advice(reason: Reason, bottleneck: Bottleneck) -> &'static str {
    match bottleneck {
        Bottleneck::RedisCpu => "Try a lower rate, fewer flats or smaller items.",
        Bottleneck::RedisMemory => {
            "Try a target with more memory, fewer workers, fewer flats or smaller items."
        }
        Bottleneck::RedisConnections => {
            "Try fewer workers, or a target that allows more connections."
        }
        Bottleneck::DynoCpu => "Try a larger size, more dynos or a lower rate.",
        Bottleneck::Network => {
            "Look at the network between dyno and target and at the target's slow log, or try more workers."
        }
        Bottleneck::Generator => "Run it on quieter nodes, or give the dyno more CPU.",
        Bottleneck::Unknown => reason.advice(),
    }
}

/// Why a final breach came about.
pub(super) fn breach(
    run: &Run<'_>,
    breach: &Breach<'_, '_>,
    fault: &Fault,
    evidence: &Evidence,
) -> String {
    let what = match breach {
        Breach::OfDyno { dyno, end } => {
            let when = figures::seconds(end.after_milliseconds);
            let phase = if end.during_warmup {
                ", in the warm-up"
            } else {
                ""
            };
            let why = match &end.ending {
                Ending::BacklogLimit {
                    worker, backlog, ..
                } => {
                    format!("worker {worker} had {backlog} waiting")
                }
                Ending::ErrorLimit { threshold, cause } => format!(
                    "more tasks failed than threshold {} allows ({}{})",
                    told(threshold),
                    told(cause),
                    breach
                        .failures(run)
                        .first()
                        .map(example)
                        .unwrap_or_default()
                ),
                Ending::LatencyLimit { threshold } => over_threshold(run, threshold),
                // No other ending is a breach.
                _ => "a limit was broken".to_owned(),
            };
            format!("{} FAILED after {when}{phase}: {why}", dyno.name)
        }
        Breach::Rejected { dyno, tasks, .. } => format!(
            "{} FAILED: {} rejected, for a worker had {} waiting",
            dyno.name,
            figures::counted(*tasks, "task was", "tasks were"),
            figures::count(dyno.plan.max_worker_backlog)
        ),
        Breach::Together { threshold, excess } => {
            let of = threshold
                .dyno_type
                .as_ref()
                .map(|name| format!(" of {name}"))
                .unwrap_or_default();
            let (what, phase) = match &threshold.limit {
                Limit::Latency(limit) => (format!("over {}", shown_limit(limit)), ""),
                Limit::Errors { .. } if excess.during_warmup => {
                    ("failed".to_owned(), " of the warm-up")
                }
                Limit::Errors { .. } | Limit::Rate { .. } => ("failed".to_owned(), ""),
            };
            format!(
                "Threshold {} FAILED: {}{phase}{of} {what}, {} allowed{}",
                threshold.name,
                figures::counted(excess.over, "task", "tasks"),
                figures::count(excess.allowed),
                why_tasks_failed(&breach.failures(run))
            )
        }
    };
    let cause = match fault {
        Fault::Target => cause(evidence),
        _ => ours(fault),
    };
    format!("{what}{cause}{}", relieved(run, breach))
}

/// Why a breach is, or may be, the generator's fault: a clause.
fn ours(fault: &Fault) -> String {
    let delay = |delay: &OwnDelay| {
        format!(
            "{} after {}",
            figures::milliseconds(figures::rounded(delay.microseconds, 2)),
            figures::seconds(delay.at_milliseconds)
        )
    };
    match fault {
        Fault::Target => String::new(),
        Fault::Generator { on_time, longest } => format!(
            "; but with its own load threads on time only {} are certain{}",
            figures::count(*on_time),
            longest.as_ref().map_or_else(String::new, |longest| format!(
                ": the longest delay of their own was {}",
                delay(longest)
            ))
        ),
        Fault::Another {
            dyno,
            delay: others,
        } => format!(
            "; but the load threads of {dyno} were late shortly before, by {}, and what they then \
             sent at once may have brought it about",
            delay(others)
        ),
        Fault::Unknown => {
            "; whether it would have come with the load threads on time, nobody counted".to_owned()
        }
    }
}

/// A threshold that was broken at the end, as it may not have been with the load threads on time.
pub(super) fn threshold_of_ours(threshold: &ThresholdResult, fault: &Fault) -> String {
    format!(
        "Threshold {} BREACHED: {} (limit {}){}",
        threshold.name,
        threshold.observed,
        threshold.limit,
        ours(fault)
    )
}

/// What was said of the first failure of a class: behind the class and its count.
fn example(failures: &ClassFailures) -> String {
    match &failures.example {
        Some(words) => format!(": {}", told(words)),
        None => String::new(),
    }
}

/// Which class most of the failed tasks are of, and what was said of the first.
fn why_tasks_failed(failures: &[ClassFailures]) -> String {
    let Some(commonest) = failures.first() else {
        return String::new();
    };
    let others: u64 = failures[1..].iter().map(ClassFailures::total).sum();
    let others = if others > 0 {
        format!(", {} of other classes", figures::count(others))
    } else {
        String::new()
    };
    format!(
        "; {} failed{others} ({}{})",
        figures::counted(commonest.total(), "task", "tasks"),
        commonest.class.as_str(),
        example(commonest)
    )
}

/// What to try where tasks failed: what their class suggests. Lost connections and time have
/// causes of their own, which the bottleneck tells if it is known.
pub(super) fn advice_on_failures(
    failures: &[ClassFailures],
    reason: Reason,
    bottleneck: Bottleneck,
) -> &'static str {
    let general = advice(reason, bottleneck);
    match failures.first().map(|row| row.class) {
        Some(FailureClass::Connection | FailureClass::Timeout)
            if bottleneck != Bottleneck::Unknown =>
        {
            general
        }
        Some(class) if reason == Reason::ErrorLimitReached => class.advice(),
        _ => general,
    }
}

fn over_threshold(run: &Run<'_>, name: &str) -> String {
    let limit = run
        .plan
        .thresholds
        .iter()
        .find(|threshold| threshold.name == name)
        .and_then(|threshold| match &threshold.limit {
            Limit::Latency(limit) => Some(format!(" ({})", shown_limit(limit))),
            Limit::Errors { .. } | Limit::Rate { .. } => None,
        })
        .unwrap_or_default();
    format!(
        "more tasks were over threshold {}{limit} than it allows",
        told(name)
    )
}

/// The evidence behind a bottleneck, as a clause.
pub(super) fn cause(evidence: &Evidence) -> String {
    let share = |per_mille: Option<u32>| figures::percent(per_mille.unwrap_or(0));
    match evidence.bottleneck() {
        Bottleneck::RedisCpu => {
            let busy = evidence.redis.busy();
            busy.or_else(|| evidence.redis.busy_if_nothing_else())
                .map_or_else(String::new, |busy| format!("; Redis {}", busy.clause()))
        }
        Bottleneck::RedisMemory => out_of_memory(evidence),
        Bottleneck::RedisConnections => match evidence.rejected_connections {
            Some(rejected) if rejected > 0 => format!(
                "; Redis refused {}",
                figures::counted(rejected, "connection", "connections")
            ),
            _ => "; Redis refused connections".to_owned(),
        },
        Bottleneck::DynoCpu if evidence.throttled() => format!(
            "; the dyno's CPU quota throttled it in {} of all periods",
            figures::percent(evidence.throttled_per_mille)
        ),
        Bottleneck::DynoCpu => match evidence.dyno_per_mille {
            Some(busy) => format!("; the dyno used {} of its CPU", figures::percent(busy)),
            None => format!(
                "; the dyno's load thread used {} of a core",
                figures::percent(evidence.cpu_per_mille)
            ),
        },
        Bottleneck::Network => format!(
            "; neither Redis ({}) nor the dyno ({}) was busy, tasks waited in between{}",
            evidence.redis.shown().unwrap_or_default().1,
            match evidence.dyno_per_mille {
                Some(busy) => format!("{} of its CPU", share(Some(busy))),
                None => format!("its load thread {}", share(Some(evidence.thread_per_mille))),
            },
            evidence
                .on_the_way()
                .map_or_else(String::new, |way| format!(
                    ": {} of the {} that each took were on the way",
                    figures::milliseconds(way.task_microseconds),
                    figures::milliseconds(way.service_microseconds)
                ))
        ),
        Bottleneck::Generator => match evidence.late {
            Some((lag, limit)) => format!(
                "; the generator itself was late, {}",
                schedule_lag(lag, limit)
            ),
            None => format!(
                "; the generator's own load thread was busy for {} of the time",
                share(Some(evidence.thread_per_mille))
            ),
        },
        Bottleneck::Unknown => {
            let busy = evidence
                .redis
                .shown()
                .map_or_else(String::new, |(how, busy)| {
                    format!("; Redis was {how} {busy}")
                });
            // Full memory is not the cause of this, but the reader should know of it.
            let memory = if evidence.out_of_memory() {
                out_of_memory(evidence)
            } else {
                String::new()
            };
            busy + &memory
        }
    }
}

fn out_of_memory(evidence: &Evidence) -> String {
    match evidence.evicted() {
        0 => "; Redis was out of memory".to_owned(),
        evicted => format!(
            "; Redis ran out of memory and evicted {}",
            figures::counted(evicted, "key", "keys")
        ),
    }
}

/// With `Continue` the others ran on without the load of the one that failed.
fn relieved(run: &Run<'_>, breach: &Breach<'_, '_>) -> String {
    if run.plan.on_dyno_failure != OnDynoFailure::Continue
        || matches!(breach, Breach::Together { .. })
    {
        return String::new();
    }
    match run.dynos.iter().filter(|dyno| dyno.completed()).count() {
        0 => String::new(),
        1 => "; 1 other dyno ran to its end, relieved of this one's load".to_owned(),
        others => {
            format!("; {others} other dynos ran to their end, relieved of this one's load")
        }
    }
}

/// Why the numbers cannot be trusted.
pub(super) fn doubt(doubt: &Doubt<'_>) -> String {
    match doubt {
        Doubt::ReportMissing { dyno, found } => {
            format!("The final report of {dyno} is missing: {}", told(found))
        }
        Doubt::NotDelivered {
            dyno,
            delivered,
            scheduled,
            throttled_per_mille: _,
        } => format!(
            "{dyno} handed only {} of {} due tasks to its workers, at least 99 % must be",
            figures::count(*delivered),
            figures::count(*scheduled)
        ),
        Doubt::Late {
            dyno,
            lag,
            limit,
            throttled_per_mille: _,
        } => format!(
            "{dyno} was late with its own tasks: {}",
            schedule_lag(*lag, *limit)
        ),
        Doubt::OtherSize {
            dyno,
            resource,
            found,
            planned,
        } => format!("{dyno} ran with other {resource} than its size has: {found}, not {planned}"),
        Doubt::Skewed {
            microseconds,
            limit,
        } => format!(
            "The dynos started {} apart (limit {})",
            figures::milliseconds(figures::beside(*microseconds, *limit, 3)),
            figures::milliseconds(*limit)
        ),
        Doubt::Unknown { threshold } => format!(
            "Threshold {} ({}) depends on tasks that never {}",
            threshold.name,
            threshold.limit,
            if threshold.observed == "unknown" {
                "came: not one was measured"
            } else {
                "ended"
            }
        ),
    }
}

/// A threshold that was broken at the end.
pub(super) fn threshold(
    threshold: &ThresholdResult,
    failures: &[ClassFailures],
    evidence: &Evidence,
) -> String {
    format!(
        "Threshold {} BREACHED: {} (limit {}){}{}",
        threshold.name,
        threshold.observed,
        threshold.limit,
        why_tasks_failed(failures),
        cause(evidence)
    )
}

/// A type that did not keep up.
pub(super) fn not_kept_up(row: &TypeResult, behind: &Behind, evidence: &Evidence) -> String {
    let how = match behind {
        Behind::Queues { queues, scheduled } => format!(
            "{} of {} tasks had not begun when the window ended, 1 % may, and {} in its middle",
            figures::count(queues.at_end),
            figures::count(*scheduled),
            figures::count(queues.at_middle)
        ),
        Behind::Achieved { in_time, scheduled } => format!(
            "{} of {} tasks ended in time, at least 99 % must",
            figures::count(*in_time),
            figures::count(*scheduled)
        ),
    };
    format!(
        "{} did not keep up: {how}{}{}",
        row.dyno_type,
        why_tasks_failed(&row.totals.failures),
        cause(evidence)
    )
}

/// What held, and what would be the limit next.
pub(super) fn passed(
    run: &Run<'_>,
    summary: &Totals,
    thresholds: &[ThresholdResult],
    next: &Next,
) -> String {
    let count = run.dynos.len();
    let held = run
        .dynos
        .iter()
        .filter(|dyno| Dyno::completed(dyno))
        .count();
    let rate: f64 = run
        .plan
        .formation
        .iter()
        .map(|dynos| dynos.rate.tasks_per_second() * f64::from(dynos.quantity))
        .sum();
    let held = format!(
        "{held} of {} held {} tasks/s for {} s",
        figures::counted(count as u64, "dyno", "dynos"),
        figures::rate(rate),
        run.plan.duration_seconds
    );
    let response = response(run, summary, thresholds)
        .map(|response| format!("; {response}"))
        .unwrap_or_default();
    let next = next.sentence();
    format!("{held}{response}.{next}")
}

/// The response p99, with its limit if there is one for all dynos.
fn response(run: &Run<'_>, summary: &Totals, thresholds: &[ThresholdResult]) -> Option<String> {
    let limited = run
        .plan
        .thresholds
        .iter()
        .zip(thresholds)
        .find_map(|(threshold, result)| match &threshold.limit {
            Limit::Latency(limit)
                if limit.of == Latency::Response
                    && limit.step == Step::Task
                    && limit.percentile == Percentile::P99
                    && threshold.dyno_type.is_none() =>
            {
                Some((limit, result))
            }
            _ => None,
        });
    if let Some((limit, result)) = limited {
        return Some(format!(
            "response p99 {} (limit {})",
            result.observed,
            figures::milliseconds(limit.max_microseconds)
        ));
    }
    let response = summary.response.as_ref()?;
    Some(format!("response p99 {}", response.p99))
}

/// How late a generator was, beside what it may be.
fn schedule_lag(lag: u64, limit: u64) -> String {
    format!(
        "schedule lag p99 {} (limit {})",
        figures::milliseconds(figures::beside(lag, limit, 2)),
        figures::milliseconds(figures::rounded(limit, 2))
    )
}
