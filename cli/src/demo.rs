//! `redyno demo`: a small run whose Redis is stalled for a second. It shows a delay that response
//! time contains and service time hides.

use std::path::Path;
use std::time::Duration;

use redyno_contract::figures;
use redyno_contract::{Plan, Verdict};
use redyno_crds::{LoadTest, Resolved};

use crate::arguments::{Changes, DemoArguments};
use crate::exit::Failure;
use crate::file;
use crate::output;

/// The LoadTest that runs if no file is given.
const BUILT_IN: &str = include_str!("../../examples/quickstart.yaml");

/// The path of that LoadTest in the repository.
const BUILT_IN_FILE: &str = "examples/quickstart.yaml";

/// How long Redis is stalled: long enough to show in a percentile, and a time that people can
/// picture.
pub(crate) const STALL: Duration = Duration::from_secs(1);

/// The demo's LoadTest.
pub(crate) fn load_test(arguments: &DemoArguments) -> Result<LoadTest, Failure> {
    let DemoArguments {
        file,
        max_worker_backlog,
        changes,
        output: _,
    } = arguments;
    let mut load_test = match file {
        Some(path) => file::load(path, *changes)?,
        None => file::of_text(BUILT_IN, *changes).map_err(Failure::Usage)?,
    };
    if load_test.spec.target.managed.is_none() {
        return Err(Failure::Usage(
            "spec.target must be managed: the demo stalls its Redis, and would never do that to \
             somebody's"
                .to_owned(),
        ));
    }
    if let Some(limit) = max_worker_backlog {
        for dynos in &mut load_test.spec.formation {
            dynos.max_worker_backlog = *limit;
        }
        file::check(&load_test).map_err(Failure::Usage)?;
    }
    Ok(load_test)
}

/// What is about to run and what to expect of it, in sentences.
pub(crate) fn forecast(resolved: &Resolved, maxmemory_bytes: Option<u64>) -> Vec<String> {
    let plan = &resolved.plan;
    let mut lines = Vec::new();
    for (dynos, size) in plan.formation.iter().zip(output::sizes(resolved)) {
        let rate = dynos.rate.tasks_per_second();
        let each = rate / f64::from(dynos.workers.max(1));
        lines.push(format!(
            "{}: {} x {}, {size}: each {} workers and {} tasks/s, {} tasks/s per worker",
            plan.run.name,
            dynos.quantity,
            dynos.dyno_type,
            figures::count(dynos.workers),
            figures::rate(rate),
            figures::rate(each),
        ));
    }
    let connections = resolved.managed.as_ref().map_or_else(String::new, |redis| {
        format!(" of {}", figures::count(redis.maxclients))
    });
    let memory = maxmemory_bytes.map_or_else(String::new, |bytes| {
        format!(", {} of memory", figures::bytes(bytes))
    });
    lines.push(format!(
        "forecast: {} tasks in {} s after {} s of warm-up; {}{connections} connections{memory}",
        figures::count(plan.scheduled(None)),
        plan.duration_seconds,
        plan.warmup_seconds,
        figures::count(plan.target.connections),
    ));
    lines.push(stall_sentence(plan));
    lines
}

fn stall_sentence(plan: &Plan) -> String {
    let workers: u64 = plan
        .formation
        .iter()
        .map(|dynos| u64::from(dynos.quantity) * u64::from(dynos.workers))
        .sum();
    let due: f64 = plan
        .formation
        .iter()
        .map(|dynos| f64::from(dynos.quantity) * dynos.rate.tasks_per_second())
        .sum::<f64>()
        * STALL.as_secs_f64();
    let at = u64::from(plan.warmup_seconds) + u64::from(plan.duration_seconds) / 2;
    format!(
        "at {at} s Redis is stalled for {} ms: about {due:.0} tasks fall due meanwhile and wait, \
         which response time shows; only the {} that are at Redis then show it in service time",
        STALL.as_millis(),
        figures::count(workers),
    )
}

/// What the run showed, in numbers; None if it has no such numbers.
pub(crate) fn lesson(judgement: &redyno_contract::Judgement) -> Option<String> {
    let totals = &judgement.summary;
    let (response, service) = (totals.response?, totals.service?);
    let shown = |distribution: redyno_contract::judgement::Distribution| distribution.p99;
    Some(format!(
        "The stalled second: response p99 {}, which users would have felt; service p99 {}, which \
         is what other tools would have shown.",
        shown(response),
        shown(service)
    ))
}

/// Three commands to go on with.
pub(crate) fn next_commands(
    program: &str,
    file: Option<&Path>,
    changes: Changes,
    verdict: Verdict,
) -> [String; 3] {
    let file = file.map_or_else(
        || BUILT_IN_FILE.to_owned(),
        |path| path.display().to_string(),
    );
    let percent = changes.load_percent.unwrap_or(100);
    let (more, remark) = if verdict == Verdict::Passed {
        (percent.saturating_mul(4), "four times the rate")
    } else {
        ((percent / 2).max(1), "half the rate")
    };
    let other = if verdict == Verdict::Passed {
        (
            format!("{program} demo --max-worker-backlog 5"),
            "see a test fail",
        )
    } else {
        (format!("{program} demo"), "see it pass")
    };
    [
        (
            format!("{program} run {file} --load-percent {more}"),
            remark,
        ),
        other,
        (
            format!("kubectl create -f {file}"),
            "the same in a cluster, once redyno is installed there",
        ),
    ]
    .map(|(command, remark)| format!("  {command}   # {remark}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local;

    fn arguments(max_worker_backlog: Option<i32>) -> DemoArguments {
        DemoArguments {
            file: None,
            max_worker_backlog,
            changes: Changes::default(),
            output: crate::arguments::Output::Table,
        }
    }

    fn prepared(arguments: &DemoArguments) -> local::Prepared {
        let load_test = load_test(arguments).unwrap();
        local::prepare(load_test, &local::Wishes::default()).unwrap()
    }

    /// The stall must show in the response p99 but not in the service p99: more than one percent of
    /// the tasks wait, and fewer than one percent are being served.
    #[test]
    fn the_built_in_test_shows_what_it_is_meant_to_show() {
        let prepared = prepared(&arguments(None));
        let plan = &prepared.resolved().plan;
        let tasks = plan.scheduled(None);
        let workers: u64 = plan
            .formation
            .iter()
            .map(|dynos| u64::from(dynos.quantity * dynos.workers))
            .sum();
        assert!(workers * 100 < tasks, "{workers} workers, {tasks} tasks");
        let stalled = tasks / u64::from(plan.duration_seconds);
        // Tasks that fell due in the first 800 ms of the stall took 200 ms or more.
        assert!(
            stalled * 8 / 10 > workers + tasks / 100,
            "{stalled} stalled of {tasks}"
        );
        // No worker may reach its backlog limit during the stall.
        assert!(
            plan.formation
                .iter()
                .all(|dynos| u64::from(dynos.max_worker_backlog) > 2 * stalled / workers)
        );
        insta::assert_snapshot!(forecast(prepared.resolved(), Some(50 << 20)).join("\n"));
    }

    #[test]
    fn a_backlog_limit_is_that_of_every_dyno_and_is_checked() {
        let prepared = prepared(&arguments(Some(5)));
        assert!(
            prepared
                .resolved()
                .plan
                .formation
                .iter()
                .all(|dynos| dynos.max_worker_backlog == 5)
        );
        let error = load_test(&arguments(Some(0))).unwrap_err();
        assert!(error.to_string().contains("maxWorkerBacklog"), "{error}");
    }
}
