//! The run, and the dyno itself.

use redyno_contract::Plan;
use redyno_contract::plan::{DynoTypePlan, Workload};
use redyno_contract::report::Times;

use super::families::{Families, number, seconds};
use crate::dyno::Totals;
use crate::observe::control_group::{ControlGroup, Throttling};
use crate::observe::own::{Memory, OwnSample};

/// What runs, and since when.
pub(super) fn add_run(
    families: &mut Families<'_>,
    plan: &Plan,
    dynos: &DynoTypePlan,
    totals: &Totals,
) {
    let workload = match &dynos.workload {
        Workload::ObjectGraph(_) => "objectGraph",
        Workload::Commands(_) => "commands",
    };
    let workers = dynos.workers.to_string();
    families.gauges(
        "redyno_run_info",
        "1. What runs: redyno's version, the target, the kind of workload, the number of workers.",
        &[(
            vec![
                ("version", env!("CARGO_PKG_VERSION")),
                ("target", &plan.target.title),
                ("workload", workload),
                ("workers", &workers),
            ],
            1.0,
        )],
    );
    let active = totals
        .snapshot()
        .is_some_and(|snapshot| snapshot.in_window && snapshot.end.is_none());
    families.gauge(
        "redyno_run_active",
        "1 from the begin to the end of the measured window, else 0.",
        f64::from(u8::from(active)),
    );
    let window = totals.start.as_ref().map_or(0.0, |start| {
        seconds(start.at_microseconds) + f64::from(plan.warmup_seconds)
    });
    families.gauge(
        "redyno_run_start_timestamp_seconds",
        "The begin of the measured window by the target's clock; 0 as long as it is not known.",
        window,
    );
}

/// How the load threads keep up.
pub(super) fn add_load_threads(families: &mut Families<'_>, totals: &Totals) {
    families.gauge(
        "redyno_load_threads",
        "Threads that make the load.",
        totals.threads().into(),
    );
    families.gauge(
        "redyno_load_thread_busy_ratio",
        "How busy the busiest of them was in the last second.",
        f64::from(totals.busiest_thread()) / 1000.0,
    );
    let Times {
        count,
        sum_microseconds,
        max_microseconds,
    } = totals.loop_lag();
    let mean = if count == 0 {
        0.0
    } else {
        seconds(sum_microseconds) / number(count)
    };
    families.gauges(
        "redyno_loop_lag_seconds",
        "How late a timer of 10 ms fires: the mean or the max so far, measured window.",
        &[
            (vec![("statistic", "mean")], mean),
            (vec![("statistic", "max")], seconds(max_microseconds)),
        ],
    );
    families.counter(
        "redyno_reconnects_total",
        "Connections to the target made anew.",
        number(
            totals
                .snapshot()
                .map_or(0, |snapshot| snapshot.counted.reconnects),
        ),
    );
}

/// What the process uses of what it was given.
pub(super) fn add_process(
    families: &mut Families<'_>,
    group: &ControlGroup,
    sample: OwnSample,
    memory: Memory,
) {
    let OwnSample {
        cpu_microseconds,
        throttling:
            Throttling {
                periods,
                throttled,
                throttled_microseconds,
            },
        bytes_out,
        bytes_in,
        memory_peak_bytes: _,
    } = sample;
    for (name, help, value) in [
        (
            "redyno_cpu_seconds_total",
            "CPU time used.",
            seconds(cpu_microseconds),
        ),
        (
            "redyno_cpu_periods_total",
            "Scheduling periods of the CPU quota.",
            number(periods),
        ),
        (
            "redyno_cpu_throttled_periods_total",
            "Periods in which the quota ended the dyno's turn.",
            number(throttled),
        ),
        (
            "redyno_cpu_throttled_seconds_total",
            "Time that the dyno stood still for it.",
            seconds(throttled_microseconds),
        ),
        (
            "redyno_network_transmit_bytes_total",
            "Bytes sent to the target by the workers.",
            number(bytes_out),
        ),
        (
            "redyno_network_receive_bytes_total",
            "Bytes received from the target by the workers.",
            number(bytes_in),
        ),
    ] {
        families.counter(name, help, value);
    }
    for (name, help, value) in [
        (
            "redyno_cpu_limit_cores",
            "CPUs that the dyno may use; 0 without a limit.",
            f64::from(group.cpu_limit_millis().unwrap_or(0)) / 1000.0,
        ),
        (
            "redyno_memory_bytes",
            "Memory used.",
            number(memory.now_bytes),
        ),
        (
            "redyno_memory_limit_bytes",
            "Memory that the dyno may use; 0 without a limit.",
            number(group.memory_limit_bytes.unwrap_or(0)),
        ),
    ] {
        families.gauge(name, help, value);
    }
}
