//! Layer 1: a dyno's load and the judge. No sockets, no tokio, nanoseconds.
//!
//! Real are the schedule, the engine, the whole, the limits, books and histograms, how threads' ends
//! are gathered, the pace, a dyno's totals, the record and its reader (in every eighth run), and the
//! judge. Modelled are the load threads ([`thread`]), the control thread ([`control`]), Redis
//! ([`server`]), the network and several dynos with clocks of their own ([`world`]). The oracle
//! ([`records`], [`oracle`]) knows of every task what became of it, and runs the same world again
//! with one thing changed ([`world::Changed`]); [`laws`] hold the two against each other.

mod attention;
mod causes;
mod control;
mod draw;
mod evidence;
mod fault;
mod laws;
mod oracle;
mod queue;
mod quota;
mod records;
mod server;
mod sim;
mod story;
mod thread;
mod time;
mod world;

use redyno_contract::judgement::Judgement;
use redyno_contract::verdict::Verdict;

use self::laws::OnTime;
use self::sim::Run;
use self::world::World;
use crate::choices::Choices;
use crate::report::{Broken, Model, Outcome};

/// Ways in which a law is known to be broken, each with what it waits for. Every other way is news.
const KNOWN: [(u8, &str); 1] = [
    // A quota that throttled before, and slow commands of a mostly idle server, are taken for the
    // cause of what something else broke.
    (3, "a bottleneck that is none"),
];

/// Layer 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load;

impl Model for Load {
    fn name(&self) -> &'static str {
        "layer 1, a dyno's load and the judge"
    }

    fn known(&self) -> &'static [(u8, &'static str)] {
        &KNOWN
    }

    fn run(&self, choices: &mut Choices) -> Outcome {
        let world = draw::world(choices);
        let twice = choices.below("twice", 100) == 99;
        let run = sim::run(&world);
        let judgement = evidence::judged(&world, &run);
        let (broken, counted) = held_against_the_laws(&world, &run, &judgement, twice);
        let story = if broken.is_some() {
            story::of(&world, &run, &judgement)
        } else {
            Vec::new()
        };
        Outcome {
            verdict: word(&judgement),
            covered: covered(&world),
            broken,
            counted,
            story,
        }
    }
}

fn held_against_the_laws(
    world: &World,
    run: &Run,
    judgement: &Judgement,
    twice: bool,
) -> (Option<Broken>, Vec<(&'static str, bool)>) {
    let mut counted = Vec::new();
    let mut broken = laws::it_ends(world, run, judgement)
        .or_else(|| laws::counts_are_exact(world, run))
        .or_else(|| laws::ended_by_what_was_broken(world, run))
        .or_else(|| laws::percentiles_are_true(world, run, judgement))
        .or_else(|| laws::passed_only_if_it_held(world, run, judgement));
    if matches!(judgement.verdict, Verdict::Failed | Verdict::Inconclusive) && run.stuck.is_none() {
        let on_time = OnTime::of(world, run);
        broken =
            broken.or_else(|| laws::failed_only_by_the_target(world, run, judgement, &on_time));
        counted.extend(laws::power(world, judgement, &on_time));
        let named = causes::named_rightly(world, run, judgement);
        counted.extend(named.counted);
        broken = broken.or(named.broken);
    }
    if twice {
        broken = broken.or_else(|| laws::same_again(world, run));
    }
    (broken, counted)
}

/// What tells verdicts apart.
fn word(judgement: &Judgement) -> String {
    match judgement.verdict {
        Verdict::Passed => "Passed".to_owned(),
        verdict => format!("{} {}", verdict.as_str(), judgement.reason.as_str()),
    }
}

/// Which faults came in which stage.
fn covered(world: &World) -> Vec<(&'static str, &'static str)> {
    let warm = u64::from(world.plan.warmup_seconds) * time::SECOND;
    let end = warm + u64::from(world.plan.duration_seconds) * time::SECOND;
    let near = 50 * time::MILLISECOND;
    let mut covered: Vec<_> = world
        .faults
        .iter()
        .map(|fault| {
            let stage = match fault.at {
                at if at + near > end && at < end + near => "at the end of the window",
                at if at < near => "at the start",
                at if at < warm => "in the warm-up",
                at if at < end => "in the window",
                _ => "after the window",
            };
            (fault.kind.name(), stage)
        })
        .collect();
    if covered.is_empty() {
        covered.push(("no fault", "at all"));
    }
    covered.sort_unstable();
    covered.dedup();
    covered
}
