//! What the simulation has found, each as a short story.

use std::time::Duration;

use redyno_contract::Verdict;
use redyno_simulation::choices::Choices;
use redyno_simulation_wire::laws::hold;
use redyno_simulation_wire::run::{Fault, FaultKind, Scenario, Seen, Stage, carry_out};

/// One dyno with one worker, a second of 20 tasks, data that is to be removed; and what goes wrong.
fn play(faults: &[(FaultKind, Stage, u64, u64)], delay: u64) -> Seen {
    let mut scenario = Scenario::draw(&mut Choices::of_list(Vec::new()));
    scenario.delay = (Duration::from_millis(delay), Duration::ZERO);
    scenario.faults = faults
        .iter()
        .map(|(kind, stage, after, amount)| Fault {
            kind: *kind,
            stage: *stage,
            after: Duration::from_millis(*after),
            amount: *amount,
        })
        .collect();
    let seen = carry_out(&scenario);
    let broken = hold(&scenario, &seen);
    assert_eq!(broken, None);
    seen
}

fn verdict(seen: &Seen) -> Option<Verdict> {
    seen.judgement.as_ref().map(|judgement| judgement.verdict)
}

#[test]
fn with_nothing_wrong_a_run_passes_and_leaves_nothing() {
    let seen = play(&[], 0);
    assert_eq!(verdict(&seen), Some(Verdict::Passed));
    assert!(seen.finish.as_ref().unwrap().complete);
    assert!(seen.main.server().databases[0].is_empty());
}

/// It said that it was complete, and the inventory of the run's data stayed for ever.
#[test]
fn a_finish_whose_connection_falls_silent_leaves_nothing_behind() {
    let silent = (FaultKind::ConnectionsFallSilent, Stage::Drain, 68, 0);
    let seen = play(&[silent], 3);
    assert!(seen.finish.as_ref().unwrap().complete);
    assert!(seen.main.server().databases[0].is_empty());
}

#[test]
fn a_target_that_is_exchanged_under_load_is_not_measured() {
    for kind in [FaultKind::Moved, FaultKind::Restarted, FaultKind::Flushed] {
        let seen = play(&[(kind, Stage::Load, 300, 0)], 0);
        assert_ne!(verdict(&seen), Some(Verdict::Passed), "{kind:?}");
    }
}

#[test]
fn nobody_waits_for_who_reads_what_a_dyno_prints() {
    let seen = play(&[(FaultKind::OutputUnread, Stage::Preflight, 0, 0)], 0);
    assert_eq!(verdict(&seen), Some(Verdict::Passed));
}
