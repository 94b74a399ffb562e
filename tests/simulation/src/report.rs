//! Many runs of a model, and what they come to together: verdicts, coverage, the first broken law.
//!
//! A layer implements [`Model`]: from [`Choices`] to an [`Outcome`]. [`explore`] runs it for many
//! seeds on all cores, and its [`Summary`] prints itself; with `stop_at_first` it ends at the first
//! seed that breaks a law, which is what measuring mutants needs.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::choices::Choices;
use crate::shrink::shrink;

/// A layer of the simulation.
pub trait Model: Sync {
    /// Its name, for the summary: `layer 1`.
    fn name(&self) -> &'static str;

    /// Makes a world of these choices, lets it turn to its end, and holds what came of it against
    /// the laws. A function of the choices alone.
    fn run(&self, choices: &mut Choices) -> Outcome;

    /// Ways in which a law is known to be broken, by law and kind. Every other way is news.
    fn known(&self) -> &'static [(u8, &'static str)] {
        &[]
    }
}

/// What one run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The verdict and what else tells runs apart, in a word or two: `Failed RedisCpu`.
    pub verdict: String,
    /// The first law that it breaks.
    pub broken: Option<Broken>,
    /// What the run has covered: (fault, stage in which it came), once each.
    pub covered: Vec<(&'static str, &'static str)>,
    /// Counts that only many runs together tell: how often something was so, and of how many.
    pub counted: Vec<(&'static str, bool)>,
    /// The run as a short story, a line for each thing that is not as usual. Only read of a run that
    /// breaks a law.
    pub story: Vec<String>,
}

/// A law that a run breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its number in the design; 0 for a panic, which no run may end in.
    pub law: u8,
    /// A short name of what is broken, the same for all runs that break it in this way: shrinking
    /// keeps to it.
    pub kind: &'static str,
    /// How it shows, with the numbers of this run.
    pub detail: String,
}

/// Which seeds to run.
#[derive(Clone, Copy, Debug)]
pub struct Exploration {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// End as soon as a law is broken in a way that is not known, and shrink nothing.
    pub stop_at_first: bool,
}

/// What many runs came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The model's name.
    pub name: &'static str,
    /// Runs that were made.
    pub runs: u64,
    /// The time that they took.
    pub elapsed: Duration,
    /// How often each verdict came.
    pub verdicts: BTreeMap<String, u64>,
    /// How often each fault came, by stage and verdict.
    pub covered: BTreeMap<(&'static str, &'static str, String), u64>,
    /// How often what is counted was so, and of how many.
    pub counted: BTreeMap<&'static str, (u64, u64)>,
    /// How many runs broke a law, by law and kind, with the first seed of each.
    pub broken: BTreeMap<(u8, &'static str), (u64, u64)>,
    /// For every way in which a law was broken: the first seed of it, and the simplest run that
    /// breaks it in the same way.
    pub stories: Vec<(u64, Story)>,
}

/// A run that breaks a law.
#[derive(Clone, Debug)]
pub struct Story {
    /// Which law, and how.
    pub broken: Broken,
    /// The choices that make it.
    pub list: Vec<u64>,
    /// What happened, a line for each thing.
    pub lines: Vec<String>,
}

impl Summary {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        let Outcome {
            verdict,
            broken,
            covered,
            counted,
            story: _,
        } = outcome;
        self.runs += 1;
        for (fault, stage) in covered {
            *self
                .covered
                .entry((fault, stage, verdict.clone()))
                .or_default() += 1;
        }
        for (what, so) in counted {
            let (yes, of) = self.counted.entry(what).or_default();
            *yes += u64::from(so);
            *of += 1;
        }
        *self.verdicts.entry(verdict).or_default() += 1;
        if let Some(Broken { law, kind, .. }) = broken {
            let (count, first) = self.broken.entry((law, kind)).or_insert((0, seed));
            *count += 1;
            *first = (*first).min(seed);
        }
    }

    fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        for (verdict, count) in other.verdicts {
            *self.verdicts.entry(verdict).or_default() += count;
        }
        for (covered, count) in other.covered {
            *self.covered.entry(covered).or_default() += count;
        }
        for (what, (yes, of)) in other.counted {
            let sum = self.counted.entry(what).or_default();
            *sum = (sum.0 + yes, sum.1 + of);
        }
        for (law, (count, first)) in other.broken {
            let sum = self.broken.entry(law).or_insert((0, first));
            *sum = (sum.0 + count, sum.1.min(first));
        }
    }

    /// The first seed that breaks a law in a way that is not among these.
    pub fn first_news(&self, known: &[(u8, &str)]) -> Option<u64> {
        self.broken
            .iter()
            .filter(|(broken, _)| !known.contains(broken))
            .map(|(_, (_, seed))| *seed)
            .min()
    }
}

/// Runs a model for many seeds, on all cores.
pub fn explore(model: &impl Model, exploration: Exploration) -> Summary {
    let Exploration {
        from,
        seeds,
        stop_at_first,
    } = exploration;
    let known = model.known();
    let begun = Instant::now();
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let all = Mutex::new(Summary {
        name: model.name(),
        ..Summary::default()
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut summary = Summary::default();
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= seeds {
                        break;
                    }
                    let seed = from + number;
                    let outcome = run(model, &mut Choices::of_seed(seed));
                    let news = outcome
                        .broken
                        .as_ref()
                        .is_some_and(|broken| !known.contains(&(broken.law, broken.kind)));
                    if news && stop_at_first {
                        stop.store(true, Ordering::Relaxed);
                    }
                    summary.add(seed, outcome);
                }
                if let Ok(mut all) = all.lock() {
                    all.merge(summary);
                }
            });
        }
    });
    let mut summary = all.into_inner().unwrap_or_default();
    summary.elapsed = begun.elapsed();
    if !stop_at_first {
        let seeds: Vec<u64> = summary.broken.values().map(|(_, seed)| *seed).collect();
        summary.stories = seeds
            .into_iter()
            .filter_map(|seed| Some((seed, story(model, Choices::of_seed(seed))?)))
            .collect();
    }
    summary
}

/// The simplest run that breaks a law in the same way as this one; None if this one breaks none.
pub fn story(model: &impl Model, mut choices: Choices) -> Option<Story> {
    let broken = run(model, &mut choices).broken?;
    let list = shrink(choices.list(), |list| {
        let found = run(model, &mut Choices::of_list(list.to_vec())).broken;
        found.is_some_and(|found| (found.law, found.kind) == (broken.law, broken.kind))
    });
    let outcome = run(model, &mut Choices::of_list(list.clone()));
    Some(Story {
        broken: outcome.broken?,
        list,
        lines: outcome.story,
    })
}

/// A run; a panic breaks a law, too.
pub fn run(model: &impl Model, choices: &mut Choices) -> Outcome {
    let result = catch_unwind(AssertUnwindSafe(|| model.run(choices)));
    result.unwrap_or_else(|panic| {
        let detail = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        Outcome {
            verdict: "panic".to_owned(),
            broken: Some(Broken {
                law: 0,
                kind: "panic",
                detail,
            }),
            ..Outcome::default()
        }
    })
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        writeln!(
            out,
            "{}: {} runs in {seconds:.1} s, {:.0} runs/s",
            self.name,
            self.runs,
            self.runs as f64 / seconds.max(1e-9)
        )?;
        writeln!(out, "\nverdicts")?;
        for (verdict, count) in &self.verdicts {
            writeln!(out, "  {count:8}  {verdict}")?;
        }
        if !self.counted.is_empty() {
            writeln!(out, "\nhow often")?;
        }
        for (what, (yes, of)) in &self.counted {
            let percent = *yes as f64 * 100.0 / (*of).max(1) as f64;
            writeln!(out, "  {percent:6.2} %  {yes} of {of}  {what}")?;
        }
        if !self.covered.is_empty() {
            writeln!(out, "\ncoverage: fault, stage, verdict")?;
        }
        for ((fault, stage, verdict), count) in &self.covered {
            writeln!(out, "  {count:8}  {fault}, {stage}, {verdict}")?;
        }
        if self.broken.is_empty() {
            return writeln!(out, "\nno law was broken");
        }
        writeln!(out, "\nbroken laws")?;
        for ((law, kind), (count, first)) in &self.broken {
            writeln!(out, "  {count:8}  law {law}, {kind}, first by seed {first}")?;
        }
        for (seed, story) in &self.stories {
            writeln!(out, "\nseed {seed}, made as simple as it gets:\n{story}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Story {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(out, "  {line}")?;
        }
        let Broken { law, kind, detail } = &self.broken;
        writeln!(out, "  law {law} is broken, {kind}: {detail}")?;
        write!(out, "  choices: {:?}", self.list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks a law where one number is above a half and another is even.
    struct Example;

    impl Model for Example {
        fn name(&self) -> &'static str {
            "example"
        }

        fn run(&self, choices: &mut Choices) -> Outcome {
            let (size, other) = (choices.below("size", 100), choices.below("other", 100));
            choices.below("unused", 100);
            Outcome {
                verdict: if size > 50 { "large" } else { "small" }.to_owned(),
                broken: (size > 50 && other % 2 == 1).then(|| Broken {
                    law: 7,
                    kind: "odd",
                    detail: format!("{other} of {size}"),
                }),
                covered: vec![("none", "start")],
                counted: vec![("even", other % 2 == 0)],
                story: vec![format!("a size of {size}")],
            }
        }
    }

    #[test]
    fn the_summary_tells_the_first_broken_law_as_its_simplest_story() {
        let exploration = Exploration {
            from: 5,
            seeds: 300,
            stop_at_first: false,
        };
        let summary = explore(&Example, exploration);
        assert_eq!(summary.runs, 300);
        assert_eq!(summary.verdicts.values().sum::<u64>(), 300);
        let (seed, story) = summary.stories[0].clone();
        assert_eq!(Some(seed), summary.first_news(&[]));
        assert_eq!(story.list, [51, 1]);
        assert_eq!(story.broken.detail, "1 of 51");
        let text = summary.to_string();
        assert!(text.contains("law 7 is broken, odd: 1 of 51"), "{text}");
        assert!(text.contains("a size of 51"), "{text}");
    }

    #[test]
    fn it_can_end_at_the_first_broken_law() {
        let summary = explore(
            &Example,
            Exploration {
                from: 0,
                seeds: 100_000,
                stop_at_first: true,
            },
        );
        assert!(summary.runs < 100_000);
        assert!(summary.first_news(&[]).is_some() && summary.stories.is_empty());
    }

    struct Panics;

    impl Model for Panics {
        fn name(&self) -> &'static str {
            "panics"
        }

        fn run(&self, choices: &mut Choices) -> Outcome {
            assert_eq!(choices.below("zero", 5), 0, "not zero");
            Outcome::default()
        }
    }

    #[test]
    fn a_panic_breaks_a_law() {
        let story = story(&Panics, Choices::of_list(vec![4])).unwrap();
        assert_eq!((story.broken.law, story.list), (0, vec![1]));
        assert!(story.broken.detail.contains("not zero"));
    }
}
