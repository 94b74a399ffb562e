//! What the simulation has found, each as a short story.

use std::time::Duration;

use redyno_contract::plan::{
    Commands, Distribution, Expectation, Keyspace, MixedCommand, Prefill, Workload,
};
use redyno_contract::{Judgement, Reason, Verdict};
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

/// It said that it was complete, and the inventory of the run's data stayed for ever; or it waited
/// again and again for answers on a connection that had none.
#[test]
fn a_finish_whose_connection_falls_silent_leaves_nothing_behind() {
    for after in (55..90).step_by(3) {
        let silent = (FaultKind::ConnectionsFallSilent, Stage::Drain, after, 0);
        let seen = play(&[silent], 3);
        let finish = seen.finish.as_ref().unwrap();
        assert!(finish.complete, "{after} ms: {}", finish.message);
        assert!(seen.main.server().databases[0].is_empty(), "{after} ms");
        assert!(
            seen.finish_took < Duration::from_secs(12),
            "{after} ms: {:?}",
            seen.finish_took
        );
    }
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

/// The last of the looks that are taken every second came before it, and the run was Passed.
#[test]
fn an_eviction_of_somebody_s_keys_just_before_the_end_is_seen() {
    let evicting = |after| {
        [
            (FaultKind::ForeignKeys, Stage::Preflight, 0, 0),
            (FaultKind::Evicting, Stage::Load, after, 0),
        ]
    };
    for after in [7, 400, 800, 950] {
        let seen = play(&evicting(after), 0);
        let Judgement {
            reason, message, ..
        } = seen.judgement.as_ref().unwrap();
        // At first the run's own phase goes, too.
        assert!(
            matches!(reason, Reason::ForeignKeysEvicted | Reason::TargetChanged),
            "{after} ms: {message}"
        );
    }
}

/// A minute of writing before the start: each part of it is waited for by itself. All of it had to be
/// done within ten seconds, or was begun anew for ever.
#[test]
fn a_prefill_may_take_its_time_and_says_how_far_it_is() {
    let filling = |start_timeout_seconds| {
        let mut scenario = Scenario::draw(&mut Choices::of_list(Vec::new()));
        scenario.delay = (Duration::from_millis(200), Duration::ZERO);
        scenario.plan.start_timeout_seconds = start_timeout_seconds;
        scenario.plan.formation[0].workload = Workload::Commands(Commands {
            keyspace: Keyspace {
                prefix: Keyspace::default_prefix(),
                keys: 60_000,
                distribution: Distribution::Uniform,
            },
            value_bytes: 10,
            prefill: Prefill::Full,
            mix: vec![MixedCommand {
                name: "get".to_owned(),
                weight: 1,
                command: ["GET", "{key}"].map(str::to_owned).to_vec(),
                expect: Expectation::Hit,
            }],
        });
        carry_out(&scenario).judgement.unwrap()
    };
    let judgement = filling(300);
    assert!(
        judgement.start_microseconds.is_some(),
        "{}",
        judgement.message
    );
    let Judgement {
        reason, message, ..
    } = filling(30);
    assert_eq!(reason, Reason::StartTimeout);
    assert!(message.contains("(filling: "), "{message}");
    assert!(message.contains(" %)"), "{message}");
}
