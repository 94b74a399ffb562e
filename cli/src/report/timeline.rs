//! The course of the run, with one row for each question. It is made from the dynos' reports.

use std::io::{self, Write};

use redyno_contract::figures;
use redyno_contract::judgement::DynoResult;
use redyno_contract::judgement::Judgement;
use redyno_contract::plan::Plan;
use redyno_contract::timeline::Timeline;

use super::table::{Colours, Tone};

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Least width of the rows' names.
const NAMES: usize = 21;

/// Significant digits of the percentiles of a slot: a dyno counts them at two.
const DIGITS: u8 = 2;

/// A slot that ran for less than this has no rate: a task more or less would change it.
const SHORTEST_MILLISECONDS: u64 = 100;

pub(super) fn print(
    judgement: &Judgement,
    plan: &Plan,
    colours: Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (dyno_type, timeline) in courses(judgement, plan) {
        one(dyno_type, timeline, judgement, plan, colours, out)?;
    }
    Ok(())
}

/// The courses to show: that of all dynos together, or one for each type.
pub(super) fn courses<'a>(
    judgement: &'a Judgement,
    plan: &Plan,
) -> Vec<(Option<&'a str>, &'a Timeline)> {
    let mut workloads = plan.formation.iter().map(|dynos| &dynos.workload);
    let first = workloads.next();
    if workloads.all(|workload| Some(workload) == first) {
        let course = judgement.timeline.iter();
        return course.map(|timeline| (None, timeline)).collect();
    }
    // A time that is long for one kind of task may be short for another, so each type has a course
    // of its own.
    judgement
        .formation
        .iter()
        .filter_map(|row| Some((Some(row.dyno_type.as_str()), row.timeline.as_ref()?)))
        .collect()
}

/// The dynos of a course: those of its type, or all of them.
pub(super) fn dynos_of<'a>(
    judgement: &'a Judgement,
    dyno_type: Option<&'a str>,
) -> impl Iterator<Item = &'a DynoResult> {
    judgement
        .dynos
        .iter()
        .filter(move |row| dyno_type.is_none_or(|name| row.dyno.dyno_type == name))
}

fn one(
    dyno_type: Option<&str>,
    timeline: &Timeline,
    judgement: &Judgement,
    plan: &Plan,
    colours: Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    let slots = Slots::of(timeline, judgement, plan);
    if slots.count < 2 {
        return Ok(());
    }
    let (first, last) = (
        format!("{} s", slots.begin(0)),
        format!("{} s", slots.begin(slots.count)),
    );
    let blanks = slots.count.saturating_sub(first.len() + last.len()).max(1);
    let of = dyno_type.map_or_else(String::new, |dyno_type| format!(", {dyno_type}"));
    let title = format!("TIMELINE{of}  {} s each", timeline.slot_seconds);
    let width = NAMES.max(title.len() + 2);
    writeln!(out)?;
    writeln!(
        out,
        "{}{}{first}{}{last}",
        colours.paint(Some(Tone::Heading), &title),
        " ".repeat(width - title.len()),
        " ".repeat(blanks),
    )?;
    let dynos = || dynos_of(judgement, dyno_type);
    let (all, told) = (
        dynos().count(),
        dynos().filter(|row| row.numbers.is_some()).count(),
    );
    // Percentiles do not add up over dynos.
    let slowest = if told > 1 { ", the slowest dyno's" } else { "" };
    let of_all = if told < all {
        format!(", told by {told} of {all} dynos")
    } else {
        String::new()
    };
    for row in [
        Row {
            name: "achieved /s",
            telling: Extreme::Lowest,
            values: slots.achieved(timeline),
            show: figures::rate,
            remark: &of_all,
        },
        Row {
            name: "response p99 ms",
            telling: Extreme::Highest,
            values: slots.known(&timeline.response_p99_microseconds, |value| value as f64),
            show: |microseconds| {
                figures::bare_milliseconds(figures::rounded(whole(microseconds), DIGITS))
            },
            remark: slowest,
        },
        Row {
            name: "peak backlog",
            telling: Extreme::Highest,
            values: slots.known(&timeline.peak_backlog, f64::from),
            show: |tasks| figures::count(whole(tasks)),
            remark: "",
        },
        Row {
            name: "Redis core %",
            telling: Extreme::Highest,
            values: slots.redis_core_percent(timeline),
            show: |percent| figures::count(whole(percent)),
            remark: "",
        },
    ] {
        row.print(&slots, width, out)?;
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "was a whole number that is not negative, or is rounded to one"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// The slots that were begun.
pub(super) struct Slots {
    warmup_seconds: u64,
    seconds: u64,
    /// How many.
    pub(super) count: usize,
    /// The part of the window that was run.
    measured_milliseconds: u64,
}

impl Slots {
    pub(super) fn of(timeline: &Timeline, judgement: &Judgement, plan: &Plan) -> Self {
        let warmup = u64::from(plan.warmup_seconds) * 1000;
        let window = u64::from(plan.duration_seconds) * 1000;
        let measured_milliseconds = judgement
            .dynos
            .iter()
            .filter_map(|row| row.end.as_ref())
            .map(|end| end.after_milliseconds.saturating_sub(warmup).min(window))
            .max()
            .unwrap_or(window);
        let seconds = u64::from(timeline.slot_seconds).max(1);
        let begun = measured_milliseconds.div_ceil(seconds * 1000);
        let known = timeline
            .completed
            .len()
            .max(timeline.redis_main_thread_per_mille.len());
        Self {
            warmup_seconds: u64::from(plan.warmup_seconds),
            seconds,
            count: usize::try_from(begun).unwrap_or(known).min(known),
            measured_milliseconds,
        }
    }

    /// When a slot begins, in seconds since the common start.
    pub(super) fn begin(&self, slot: usize) -> u64 {
        let slot = u64::try_from(slot).unwrap_or(u64::MAX);
        self.warmup_seconds
            .saturating_add(slot.saturating_mul(self.seconds))
    }

    /// A value for each slot, where it is known.
    pub(super) fn known<T: Copy>(
        &self,
        values: &[Option<T>],
        value: impl Fn(T) -> f64,
    ) -> Vec<Option<f64>> {
        let slots = values.iter().take(self.count);
        slots.map(|slot| slot.map(&value)).collect()
    }

    /// How busy Redis kept its core in each slot, where a sample says so.
    pub(super) fn redis_core_percent(&self, timeline: &Timeline) -> Vec<Option<f64>> {
        self.known(&timeline.redis_main_thread_per_mille, |per_mille| {
            f64::from(per_mille / 10)
        })
    }

    /// Tasks that ended in time, per second of each slot.
    pub(super) fn achieved(&self, timeline: &Timeline) -> Vec<Option<f64>> {
        let begins = (0_u64..).map(|slot| slot * self.seconds * 1000);
        let slots = timeline.completed.iter().take(self.count);
        slots
            .zip(begins)
            .map(|(completed, begin)| {
                let length = self
                    .measured_milliseconds
                    .saturating_sub(begin)
                    .min(self.seconds * 1000);
                (length >= SHORTEST_MILLISECONDS)
                    .then(|| *completed as f64 * 1000.0 / length as f64)
            })
            .collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Extreme {
    Lowest,
    Highest,
}

/// One row.
struct Row<'a> {
    name: &'static str,
    /// Which extreme the row names with its time.
    telling: Extreme,
    values: Vec<Option<f64>>,
    show: fn(f64) -> String,
    remark: &'a str,
}

impl Row<'_> {
    /// A slot of which nothing is known stays blank.
    fn print(self, slots: &Slots, width: usize, out: &mut dyn Write) -> io::Result<()> {
        let Self {
            name,
            telling,
            values,
            show,
            remark,
        } = self;
        let Some((lowest, highest)) = extremes(&values) else {
            return Ok(());
        };
        let range = if show(lowest.1) == show(highest.1) {
            format!("{} throughout", show(highest.1))
        } else {
            let shown = |(slot, value): (usize, f64), of| {
                if of == telling {
                    format!("{} ({} s)", show(value), slots.begin(slot))
                } else {
                    show(value)
                }
            };
            format!(
                "{} .. {}",
                shown(lowest, Extreme::Lowest),
                shown(highest, Extreme::Highest)
            )
        };
        writeln!(
            out,
            "{name:width$}{}   {range}{remark}",
            blocks(&values, highest.1)
        )
    }
}

/// Position and value of the lowest and the highest, the first of equals; None if there is none.
fn extremes(values: &[Option<f64>]) -> Option<((usize, f64), (usize, f64))> {
    let known = || {
        values
            .iter()
            .enumerate()
            .filter_map(|(position, value)| value.map(|value| (position, value)))
    };
    let lowest = known().reduce(|best, next| if next.1 < best.1 { next } else { best })?;
    let highest = known().reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    Some((lowest, highest))
}

/// A block per value, its height the value's share of the highest; a blank where nothing is known.
fn blocks(values: &[Option<f64>], highest: f64) -> String {
    values
        .iter()
        .map(|value| match value {
            None => ' ',
            Some(value) => {
                let share = if highest > 0.0 { value / highest } else { 0.0 };
                BLOCKS
                    .iter()
                    .enumerate()
                    .rev()
                    // The tallest block stands for the highest value alone, the lowest one for
                    // everything near zero.
                    .find(|(level, _)| share >= *level as f64 / 7.0)
                    .map_or(BLOCKS[0], |(_, block)| *block)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_grow_with_their_values() {
        assert_eq!(
            blocks(&[Some(0.0), Some(0.5), Some(1.0), None, Some(0.999)], 1.0),
            "▁▄█ ▇"
        );
        assert_eq!(blocks(&[Some(0.0)], 0.0), "▁");
    }
}
