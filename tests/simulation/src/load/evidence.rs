//! From what became of the dynos to the judgement: the record, its reader, the judge.

use redyno_contract::judgement::Judgement;
use redyno_contract::outcome::{DynoOutcome, Evidence, Fate, RunFacts};
use redyno_contract::record::{self, RecordKind};
use redyno_contract::report::Ending;
use redyno_contract::{Message, Report, judge};

use super::fault::{Forgery, Kind};
use super::sim::{DynoRun, Run};
use super::world::World;

/// Judges a run by what can be found of it.
pub(super) fn judged(world: &World, run: &Run) -> Judgement {
    let outcomes: Vec<DynoOutcome> = (0..run.dynos.len())
        .flat_map(|dyno| outcomes(world, run, dyno))
        .collect();
    judge(&world.plan, &RunFacts::default(), &outcomes)
}

fn outcomes(world: &World, run: &Run, dyno: usize) -> Vec<DynoOutcome> {
    let of = &run.dynos[dyno];
    let outcome = |report: Evidence| DynoOutcome {
        dyno: world.dynos[dyno].name.clone(),
        pod_name: Some(format!("pod-{dyno}")),
        node_name: None,
        fate: fate(of),
        report,
    };
    let own = own(world, of);
    let forged = world.of_dyno(dyno).find_map(|fault| match fault.kind {
        Kind::Forged(forgery) => Some(forgery),
        _ => None,
    });
    match forged {
        None => vec![outcome(own)],
        Some(Forgery::Missing) => vec![outcome(Evidence::Missing {
            detail: "nothing".to_owned(),
        })],
        Some(Forgery::Checkpoint) => vec![outcome(checkpoint(of))],
        Some(Forgery::Twice) => vec![outcome(own.clone()), outcome(own)],
        Some(Forgery::OfAnotherDyno) => {
            let mut forged = own;
            if let Evidence::Complete(report) | Evidence::Partial(report) = &mut forged {
                report.dyno.index += 1;
            }
            vec![outcome(forged)]
        }
        Some(Forgery::OfAnotherRun) => {
            let mut forged = own;
            if let Evidence::Complete(report) | Evidence::Partial(report) = &mut forged {
                "fedcba9876543210".clone_into(&mut report.run);
            }
            vec![outcome(forged)]
        }
    }
}

fn fate(of: &DynoRun) -> Fate {
    let end = of
        .report
        .as_ref()
        .and_then(|(_, report)| report.end.as_ref());
    match end.map(|end| &end.ending) {
        _ if of.killed => Fate::Lost {
            detail: "its pod was deleted".to_owned(),
        },
        None => Fate::Running,
        Some(Ending::Terminated) => Fate::Exited { code: 143 },
        Some(Ending::TargetLost { .. }) => Fate::Exited { code: 69 },
        Some(Ending::Internal { .. }) => Fate::Exited { code: 70 },
        Some(_) => Fate::Exited { code: 0 },
    }
}

/// What a dyno says of itself.
fn own(world: &World, of: &DynoRun) -> Evidence {
    match &of.report {
        _ if of.killed => checkpoint(of),
        Some((_, report)) if world.through_the_record => through_the_record(report),
        Some((_, report)) => Evidence::Complete(report.clone()),
        None => Evidence::Missing {
            detail: "nothing".to_owned(),
        },
    }
}

fn checkpoint(of: &DynoRun) -> Evidence {
    of.checkpoint.as_ref().map_or_else(
        || Evidence::Missing {
            detail: "nothing".to_owned(),
        },
        |report| Evidence::Partial(report.clone()),
    )
}

/// As it comes out of a record that was written and read.
fn through_the_record(report: &Report) -> Evidence {
    let bytes = record::write_report(1, RecordKind::Final, report).expect("every report fits");
    let read = record::read(&bytes).expect("what was written can be read");
    match read.message {
        Message::Dyno(report) => Evidence::Complete(report),
        other => Evidence::Missing {
            detail: format!("{other:?}"),
        },
    }
}
