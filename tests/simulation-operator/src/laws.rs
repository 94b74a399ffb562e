//! What has to hold of every run, whatever happened to it.

use redyno_simulation::report::Broken;

use crate::fault::{Fault, Kind};
use crate::scenario::{Scenario, Truth};
use crate::world::{History, reason, simulate};

/// Within how many milliseconds after the last fault a run is finished: the stages' own limits (a
/// managed Redis, the preflight, the dynos' start), the window with its warm-up and drain, the
/// finish, and a minute.
pub(crate) fn bound(scenario: &Scenario) -> u64 {
    let stage = u64::from(scenario.start_timeout_seconds) + 60;
    let window = u64::from(scenario.duration_seconds) + 1 + 5;
    1_000 * (3 * stage + window + 120 + 70 + 60) + 20 * scenario.lag_milliseconds
}

/// The first law that a run breaks.
pub(crate) fn broken(scenario: &Scenario, history: &History) -> Option<Broken> {
    passed_wrongly(scenario, history)
        .or_else(|| failed_wrongly(scenario, history))
        .or_else(|| never_ends(scenario, history))
        .or_else(|| made_twice(history))
        .or_else(|| went_back(history))
        .or_else(|| bent_by_the_powerless(scenario, history))
        .or_else(|| left_behind(history))
        .or_else(|| not_cleaned_up(scenario, history))
}

const fn law(law: u8, kind: &'static str, detail: String) -> Broken {
    Broken { law, kind, detail }
}

fn verdict(history: &History) -> &str {
    let status = history.finished.as_ref().map(|(_, status)| status);
    status.map_or("", |status| status["verdict"].as_str().unwrap_or_default())
}

/// Law 1: no run passes whose load broke a limit, or whose evidence is not the dynos' own.
fn passed_wrongly(scenario: &Scenario, history: &History) -> Option<Broken> {
    if verdict(history) != "Passed" {
        return None;
    }
    if scenario.truth == Truth::Breaks {
        return Some(law(
            1,
            "passed though a limit was broken",
            history.verdict(),
        ));
    }
    if history.evidence_lost {
        return Some(law(
            1,
            "passed without a dyno's own report",
            history.verdict(),
        ));
    }
    if scenario.refused {
        return Some(law(
            1,
            "passed though the preflight refused",
            history.verdict(),
        ));
    }
    None
}

/// Law 2: no run fails whose load holds every limit, unless its Redis was lost.
fn failed_wrongly(scenario: &Scenario, history: &History) -> Option<Broken> {
    let redis_ended = scenario
        .faults
        .iter()
        .any(|fault| fault.kind == Kind::RedisEnds);
    if verdict(history) == "Failed" && scenario.truth == Truth::Holds && !redis_ended {
        return Some(law(2, "failed though every limit held", history.verdict()));
    }
    // A cluster may be too slow for the time that a stage is given.
    let patient =
        10 * scenario.pace_milliseconds <= 1_000 * u64::from(scenario.start_timeout_seconds);
    if scenario.faults.is_empty() && !scenario.refused && patient {
        let expected = match scenario.truth {
            Truth::Holds => "Passed",
            Truth::Breaks => "Failed",
        };
        if verdict(history) != expected {
            return Some(law(
                2,
                "a calm run does not come to its verdict",
                history.verdict(),
            ));
        }
    }
    None
}

/// Law 5: every run is finished within its bound after the last fault.
fn never_ends(scenario: &Scenario, history: &History) -> Option<Broken> {
    match &history.finished {
        None if history.deleted => None,
        None => Some(law(
            5,
            "never finished",
            format!("nothing happens any more after {} ms", history.ended),
        )),
        Some((at, _)) => {
            let most = history.last_fault + bound(scenario);
            if *at <= most {
                return None;
            }
            Some(law(
                5,
                "finished late",
                format!("after {at} ms, at most {most}"),
            ))
        }
    }
}

/// Law 6: nothing is made twice: a second preflight could flush twice.
fn made_twice(history: &History) -> Option<Broken> {
    let twice = history.created_twice.first()?;
    Some(law(6, "made twice", twice.clone()))
}

/// Law 7: what is terminal stays, and latches only go forward.
fn went_back(history: &History) -> Option<Broken> {
    if let Some(latch) = history.latches_lost.first() {
        return Some(law(7, "a latch went back", latch.clone()));
    }
    let ((_, first), last) = (history.finished.as_ref()?, history.last.as_ref()?);
    for field in [
        "verdict",
        "message",
        "thresholds",
        "dynos",
        "completionTime",
    ] {
        if first[field] != last[field] {
            return Some(law(
                7,
                "a terminal status changed",
                format!("{field}: {} became {}", first[field], last[field]),
            ));
        }
    }
    (reason(first) != reason(last)).then(|| Broken {
        law: 7,
        kind: "a terminal status changed",
        detail: format!("{} became {}", reason(first), reason(last)),
    })
}

/// Law 1: who has no right to speak for a run changes nothing of it.
fn bent_by_the_powerless(scenario: &Scenario, history: &History) -> Option<Broken> {
    let all = !scenario.faults.is_empty() && scenario.faults.iter().all(Fault::is_powerless);
    if !all {
        return None;
    }
    let without = simulate(&Scenario {
        faults: Vec::new(),
        ..scenario.clone()
    });
    (without.verdict() != history.verdict()).then(|| Broken {
        law: 1,
        kind: "bent by a pod that proves nothing",
        detail: format!("{} became {}", without.verdict(), history.verdict()),
    })
}

/// Law 6: after its retention nothing of a run is left that uses the cluster.
fn left_behind(history: &History) -> Option<Broken> {
    let left = history.left.first()?;
    Some(law(6, "left behind", left.clone()))
}

/// Law 6: a target that is not the run's own, and that a preflight has prepared, is cleaned up before
/// the verdict, or the status says that it was not.
fn not_cleaned_up(scenario: &Scenario, history: &History) -> Option<Broken> {
    let (_, status) = history.finished.as_ref()?;
    let told = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|condition| condition["reason"] == "CleanupFailed");
    let is_due = !scenario.managed && history.prepared;
    (is_due && !history.cleaned_up && !told)
        .then(|| law(6, "the target is not cleaned up", history.verdict()))
}
