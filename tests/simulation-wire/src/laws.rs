//! The laws that every run has to keep, and the layer as a model of the simulation.

mod ends;
mod keys;
mod work;

use std::cell::RefCell;
use std::sync::Once;

use redyno_contract::message::PreflightResult;
use redyno_contract::outcome::Evidence;
use redyno_simulation::choices::Choices;
use redyno_simulation::report::{Broken, Model, Outcome};

use crate::run::{EPOCH, Scenario, Seen, UID, carry_out};

/// Whole runs on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    /// Every so-manieth run is made twice, and must come to the same.
    pub twice_every: u64,
}

impl Model for Wire {
    fn name(&self) -> &'static str {
        "layer 3"
    }

    fn run(&self, choices: &mut Choices) -> Outcome {
        listen_for_panics();
        let scenario = Scenario::draw(choices);
        let seen = carry_out(&scenario);
        let panicked = PANIC.with_borrow_mut(Option::take);
        let again = scenario
            .seed
            .is_multiple_of(self.twice_every.max(1))
            .then(|| {
                let again = carry_out(&scenario);
                PANIC.with_borrow_mut(Option::take);
                print_of(&again)
            });
        let broken = panicked
            .map(|detail| broken(0, "panic", detail))
            .or_else(|| hold(&scenario, &seen))
            .or_else(|| differs(&print_of(&seen), again.as_deref()?));
        Outcome {
            verdict: verdict(&seen),
            covered: scenario
                .faults
                .iter()
                .map(|fault| (fault.kind.name(), fault.stage.name()))
                .collect(),
            counted: counted(&seen),
            story: story(&scenario, &seen),
            broken,
        }
    }
}

/// The first law that a run breaks, by itself.
pub fn hold(scenario: &Scenario, seen: &Seen) -> Option<Broken> {
    ends::broken(scenario, seen)
        .or_else(|| work::broken(scenario, seen))
        .or_else(|| keys::broken(scenario, seen))
}

fn broken(law: u8, kind: &'static str, detail: impl Into<String>) -> Broken {
    Broken {
        law,
        kind,
        detail: detail.into(),
    }
}

thread_local! {
    /// What panicked on this thread, in whatever task. The runtime takes a task's panic for its
    /// result, which nobody may ask for.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn listen_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANIC.with_borrow_mut(|seen| *seen = Some(panic.to_string()));
            before(panic);
        }));
    });
}

fn verdict(seen: &Seen) -> String {
    match (&seen.judgement, &seen.preflight) {
        (Some(judgement), _) => format!("{:?} {:?}", judgement.verdict, judgement.reason),
        (None, Some(report)) => match report.result {
            PreflightResult::Refused { reason } => format!("Errored preflight {reason:?}"),
            PreflightResult::Passed => "without a verdict".to_owned(),
        },
        (None, None) => "Errored preflight ended".to_owned(),
    }
}

fn counted(seen: &Seen) -> Vec<(&'static str, bool)> {
    let mut counted = vec![("the preflight passed", seen.judgement.is_some())];
    if seen.wants_finish {
        counted.push((
            "the finish was complete",
            seen.finish.as_ref().is_some_and(|report| report.complete),
        ));
    }
    if !seen.dynos.is_empty() {
        let whole = |evidence: &Evidence| matches!(evidence, Evidence::Complete(_));
        counted.push((
            "every dyno left its final report",
            seen.dynos.iter().all(|dyno| whole(&dyno.evidence)),
        ));
    }
    counted
}

/// Everything that two runs of the same choices must have in common.
fn print_of(seen: &Seen) -> Vec<String> {
    let mut print = vec![
        format!("{:?}", seen.preflight),
        format!("{:?} after {:?}", seen.finish, seen.finish_took),
        format!("{:?}", seen.judgement),
    ];
    print.extend(seen.dynos.iter().map(|dyno| format!("{dyno:?}")));
    for host in [&seen.main, &seen.other] {
        print.extend(host.all_servers(|server| format!("{:?}", server.changes)));
        print.push(format!("{:?}", host.executed()));
    }
    print
}

fn differs(one: &[String], other: &[String]) -> Option<Broken> {
    let differing = one.iter().zip(other).find(|(one, other)| one != other);
    let (one, other) = differing?;
    let at = one
        .bytes()
        .zip(other.bytes())
        .position(|(one, other)| one != other)
        .unwrap_or_else(|| one.len().min(other.len()));
    let around = |text: &str| {
        let from = at.saturating_sub(80);
        String::from_utf8_lossy(&text.as_bytes()[from..text.len().min(at + 80)]).into_owned()
    };
    Some(broken(
        7,
        "the same seed, other bytes",
        format!("...{}... and ...{}...", around(one), around(other)),
    ))
}

/// The run in a few lines.
fn story(scenario: &Scenario, seen: &Seen) -> Vec<String> {
    let mut lines = vec![scenario.describe()];
    let mut faults = scenario.faults.clone();
    faults.sort_by_key(|fault| (fault.stage, fault.after));
    lines.extend(faults.iter().map(crate::run::Fault::describe));
    lines.push(match &seen.preflight {
        None => "the preflight did not end in time".to_owned(),
        Some(report) => format!("preflight {:?}: {}", report.result, report.message),
    });
    for dyno in &seen.dynos {
        let ending = match &dyno.evidence {
            Evidence::Complete(report) => format!("{:?}", report.end),
            Evidence::Partial(_) => "a checkpoint".to_owned(),
            Evidence::Missing { detail } => format!("nothing: {detail}"),
        };
        lines.push(format!(
            "{} ends with {:?} after {:.3} s{}, leaving {ending}",
            dyno.name,
            dyno.code,
            dyno.took.as_secs_f64(),
            dyno.error
                .as_ref()
                .map_or(String::new(), |error| format!(" ({error})")),
        ));
    }
    let server = seen.main.server();
    let own = format!("redyno:{{{UID}}}:");
    lines.extend(server.changes.iter().filter_map(|change| {
        let key = String::from_utf8_lossy(&change.key).into_owned();
        let key = key
            .strip_prefix(&own)
            .or_else(|| key.strip_prefix("redyno:"))?;
        let after = change.at.saturating_sub(EPOCH) / 1000;
        Some(format!(
            "  {after} ms: {key} {:?} by {}",
            change.kind, change.by
        ))
    }));
    if let Some(finish) = &seen.finish {
        lines.push(format!("finish: {}", finish.message));
    }
    if let Some(judgement) = &seen.judgement {
        lines.push(format!(
            "{:?} {:?}: {}",
            judgement.verdict, judgement.reason, judgement.message
        ));
    }
    lines
}
