//! The rows of the evidence, each from its row of the judgement.

use redyno_contract::failure::ClassFailures;
use redyno_contract::figures;
use redyno_contract::judgement::{
    Distribution, DynoNumbers, DynoResult, DynoVerdict, Quantile, ReportState, ThresholdResult,
    TimeSpent, Totals, TypeResult,
};
use redyno_contract::limit::Holding;
use redyno_contract::report::{Books, End, Ending, Replies, StepTimes, TargetVitals, server_title};
use redyno_contract::text;

use crate::status::{
    CommandStatus, DynoStatus, FailureStatus, LatencyStatus, SummaryStatus, TargetStatus,
    TaskTotals, ThresholdStatus, TimeSpentStatus, TypeStatus,
};

/// Longest string of the status but for messages; the schema allows no longer one.
const TEXT_LENGTH: usize = 1024;

/// A text as long as the schema of the status allows. Texts from outside may be longer.
pub(super) fn status_text(text: &str) -> String {
    text::shortened(text, TEXT_LENGTH)
}

/// A number as the status has it: Kubernetes' API knows signed integers alone.
fn signed(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

fn tasks(books: &Books, achieved_tasks_per_second: f64) -> TaskTotals {
    let Books {
        scheduled,
        delivered,
        rejected,
        undispatched,
        completed,
        in_time,
        failed,
        timed_out,
        abandoned,
    } = *books;
    TaskTotals {
        scheduled_tasks: signed(scheduled),
        delivered_tasks: signed(delivered),
        rejected_tasks: signed(rejected),
        undispatched_tasks: signed(undispatched),
        completed_tasks: signed(completed),
        in_time_tasks: signed(in_time),
        failed_tasks: signed(failed),
        timed_out_tasks: signed(timed_out),
        abandoned_tasks: signed(abandoned),
        achieved_tasks_per_second: signed(figures::whole_rate(achieved_tasks_per_second)),
    }
}

fn latency(distribution: &Distribution) -> LatencyStatus {
    let Distribution {
        p50,
        p90,
        p99,
        p999,
        max,
        times,
        digits,
    } = distribution;
    let number = |quantile: &Quantile| signed(quantile.microseconds());
    LatencyStatus {
        p50_microseconds: number(p50),
        p50_is_lower_bound: p50.is_lower_bound(),
        p90_microseconds: number(p90),
        p90_is_lower_bound: p90.is_lower_bound(),
        p99_microseconds: number(p99),
        p99_is_lower_bound: p99.is_lower_bound(),
        p999_microseconds: number(p999),
        p999_is_lower_bound: p999.is_lower_bound(),
        max_microseconds: number(max),
        max_is_lower_bound: max.is_lower_bound(),
        mean_microseconds: signed(times.mean_microseconds().unwrap_or(0)),
        significant_digits: Some(i64::from(*digits)),
    }
}

pub(super) fn type_status(result: &TypeResult) -> TypeStatus {
    let TypeResult {
        dyno_type,
        totals,
        // Only reports show this field, so that the status stays small.
        timeline: _,
        time_spent,
    } = result;
    let commands = totals.steps.iter().filter_map(|step| {
        let StepTimes {
            step,
            service: _,
            replies,
        } = step;
        let Replies { hits, misses } = (*replies)?;
        Some(CommandStatus {
            name: step.to_string(),
            hits: signed(hits),
            misses: signed(misses),
        })
    });
    TypeStatus {
        dyno_type: dyno_type.clone(),
        tasks: tasks(&totals.books, totals.achieved_tasks_per_second),
        response: totals.response.as_ref().map(latency),
        wait: totals.wait.as_ref().map(latency),
        service: totals.service.as_ref().map(latency),
        commands: commands.collect(),
        failures: totals.failures.iter().map(failure).collect(),
        time_spent: time_spent.as_ref().map(time_spent_status),
    }
}

fn time_spent_status(spent: &TimeSpent) -> TimeSpentStatus {
    let TimeSpent {
        waiting_microseconds,
        dyno_microseconds,
        executing_microseconds,
        elsewhere_microseconds,
    } = *spent;
    TimeSpentStatus {
        waiting_microseconds: signed(waiting_microseconds),
        dyno_microseconds: signed(dyno_microseconds),
        executing_microseconds: executing_microseconds.map(signed),
        elsewhere_microseconds: signed(elsewhere_microseconds),
    }
}

fn failure(failures: &ClassFailures) -> FailureStatus {
    let ClassFailures {
        class,
        measured,
        warmup,
        example,
    } = failures;
    FailureStatus {
        class: class.as_str().to_owned(),
        tasks: signed(*measured),
        warmup_tasks: signed(*warmup),
        example: example.as_deref().map(status_text),
    }
}

pub(super) fn summary(
    totals: &Totals,
    start_skew_microseconds: Option<u64>,
    target: &str,
) -> SummaryStatus {
    let Totals {
        planned: _,
        books,
        measured_milliseconds,
        asked_tasks_per_second: _,
        achieved_tasks_per_second,
        achieved_per_mille,
        response,
        wait,
        service,
        steps: _,
        step_distributions: _,
        // Failures stand in the rows of the types.
        failures: _,
    } = totals;
    // A run without a task has no rate, which is not the same as a rate of 0.
    let ran = books.scheduled > 0;
    SummaryStatus {
        tasks: tasks(books, *achieved_tasks_per_second),
        response: response.as_ref().map(latency),
        wait: wait.as_ref().map(latency),
        service: service.as_ref().map(latency),
        start_skew_microseconds: start_skew_microseconds.map(signed),
        measured_milliseconds: ran.then(|| signed(*measured_milliseconds)),
        achieved_per_mille: achieved_per_mille.map(i64::from),
        rate: ran.then(|| format!("{} /s", figures::rate(*achieved_tasks_per_second))),
        // A run in which no task completed has no latency.
        p99: response
            .as_ref()
            .filter(|response| response.times.count > 0)
            .map(|response| response.p99.to_string()),
        target: Some(status_text(target)),
    }
}

pub(super) fn threshold(result: &ThresholdResult) -> ThresholdStatus {
    let ThresholdResult {
        name,
        holding,
        observed,
        limit,
        over_count,
        allowed_count,
    } = result;
    ThresholdStatus {
        name: name.clone(),
        result: match holding {
            Holding::Held => "Held",
            Holding::Breached => "Breached",
            Holding::Unknown => "Unknown",
        }
        .to_owned(),
        observed: status_text(observed),
        limit: status_text(limit),
        over_count: over_count.map(signed),
        allowed_count: allowed_count.map(signed),
    }
}

pub(super) fn dyno(result: &DynoResult) -> DynoStatus {
    let DynoResult {
        dyno,
        pod_name,
        node_name,
        result,
        reason,
        fate: _,
        end,
        report,
        numbers,
    } = result;
    let (failed_worker, failed_worker_backlog) = match end.as_ref().map(|end| &end.ending) {
        Some(Ending::BacklogLimit {
            worker, backlog, ..
        }) => (Some(*worker), Some(*backlog)),
        _ => (None, None),
    };
    let row = DynoStatus {
        name: dyno.to_string(),
        pod_name: pod_name.as_deref().map(status_text),
        node_name: node_name.as_deref().map(status_text),
        result: match result {
            DynoVerdict::Passed => "Passed",
            DynoVerdict::Failed => "Failed",
            DynoVerdict::Stopped => "Stopped",
            DynoVerdict::Errored => "Errored",
            DynoVerdict::Missing => "Missing",
        }
        .to_owned(),
        reason: reason.as_deref().map(status_text),
        report: match report {
            ReportState::Complete => "Complete",
            ReportState::Partial => "Partial",
            ReportState::Missing => "Missing",
        }
        .to_owned(),
        ended_after_milliseconds: end.as_ref().map(
            |End {
                 ending: _,
                 after_milliseconds,
                 during_warmup: _,
             }| signed(*after_milliseconds),
        ),
        failed_worker: failed_worker.map(i64::from),
        failed_worker_backlog: failed_worker_backlog.map(i64::from),
        ..DynoStatus::default()
    };
    match numbers {
        Some(numbers) => with_numbers(row, numbers),
        None => row,
    }
}

fn with_numbers(row: DynoStatus, numbers: &DynoNumbers) -> DynoStatus {
    let DynoNumbers {
        books,
        achieved_tasks_per_second,
        max_worker_backlog,
        response_p99,
        own,
        start_offset_microseconds,
        busiest: _,
        other_workers_backlog: _,
    } = numbers;
    DynoStatus {
        tasks: tasks(books, *achieved_tasks_per_second),
        max_worker_backlog: Some(i64::from(*max_worker_backlog)),
        response_p99_microseconds: response_p99.map(|quantile| signed(quantile.microseconds())),
        response_p99_is_lower_bound: response_p99.is_some_and(Quantile::is_lower_bound),
        schedule_lag_p99_microseconds: Some(signed(own.schedule_lag_p99_microseconds)),
        start_offset_microseconds: *start_offset_microseconds,
        cpu_throttled_per_mille: Some(i64::from(own.throttled_per_mille)),
        ..row
    }
}

/// Writes what the target said of itself during the run. Where the run saw nothing, what the
/// preflight saw stays.
pub(super) fn target(status: &mut TargetStatus, vitals: &TargetVitals) {
    let TargetVitals {
        samples,
        server,
        version,
        role,
        maxmemory_bytes,
        maxmemory_policy: _,
        maxclients,
        main_thread_per_mille,
        memory_at_start_bytes,
        memory_at_end_bytes,
        connections_max,
        evicted_keys,
        rejected_connections,
        append_only_file: _,
        replicas: _,
        // Only reports show this field, so that the status stays small.
        work: _,
        commands: _,
    } = vitals;
    if *samples == 0 {
        return;
    }
    if version.is_some() || server.is_some() {
        status.server = Some(status_text(server_title(server.as_deref())));
    }
    let growth = memory_at_end_bytes
        .zip(*memory_at_start_bytes)
        .map(|(end, start)| signed(end).saturating_sub(signed(start)));
    let number = |found: &Option<u64>| found.map(signed);
    for (found, field) in [(version, &mut status.version), (role, &mut status.role)] {
        if let Some(found) = found {
            *field = Some(status_text(found));
        }
    }
    for (found, field) in [
        (number(maxmemory_bytes), &mut status.maxmemory_bytes),
        (number(maxclients), &mut status.maxclients),
        (
            main_thread_per_mille.map(i64::from),
            &mut status.main_thread_cpu_per_mille,
        ),
        (growth, &mut status.memory_growth_bytes),
        (number(connections_max), &mut status.connections_max),
        (number(evicted_keys), &mut status.evicted_keys),
        (
            number(rejected_connections),
            &mut status.rejected_connections,
        ),
    ] {
        if found.is_some() {
            *field = found;
        }
    }
}
