//! The course of the run in two lines, from the progress that was followed while it ran.

use std::io::{self, Write};

use redyno_contract::plan::Plan;

use super::number::{self, Precision};
use super::table::{Colours, Tone};

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The measured window in equal pieces.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// Length of a piece in seconds.
    pub piece_seconds: u32,
    /// Significant digits of the percentiles.
    pub digits: u8,
    /// The pieces, from t0.
    pub pieces: Vec<Piece>,
}

/// One piece of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// Tasks that ended without error, per second; None if a dyno's progress is missing.
    pub achieved_per_second: Option<f64>,
    /// Response p99 of the tasks that ended in it, in microseconds; None if none did.
    pub response_p99_microseconds: Option<u64>,
}

pub(super) fn print(
    timeline: &Timeline,
    plan: &Plan,
    colours: Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    let pieces = &timeline.pieces;
    if pieces.len() < 2 {
        return Ok(());
    }
    let begin = plan.warmup_seconds;
    let at = |piece: usize| {
        u64::from(begin)
            + u64::try_from(piece)
                .unwrap_or(u64::MAX)
                .saturating_mul(u64::from(timeline.piece_seconds))
    };
    let (first, last) = (format!("{begin} s"), format!("{} s", at(pieces.len())));
    let blanks = pieces.len().saturating_sub(first.len() + last.len()).max(1);
    let title = format!("TIMELINE  {} s each", timeline.piece_seconds);
    writeln!(out)?;
    writeln!(
        out,
        "{}{}{first}{}{last}",
        colours.paint(Some(Tone::Heading), &title),
        " ".repeat(21_usize.saturating_sub(title.len())),
        " ".repeat(blanks),
    )?;
    let achieved: Vec<Option<f64>> = pieces
        .iter()
        .map(|piece| piece.achieved_per_second)
        .collect();
    let p99: Vec<Option<f64>> = pieces
        .iter()
        .map(|piece| piece.response_p99_microseconds.map(|value| value as f64))
        .collect();
    if let Some((lowest, highest)) = extremes(&achieved) {
        // A line that never leaves one percent of its maximum is flat to the eye.
        let remark = if lowest.1 >= highest.1 * 0.99 {
            format!("{} throughout", number::rate(highest.1))
        } else {
            format!(
                "{} ({} s) .. {}",
                number::rate(lowest.1),
                at(lowest.0),
                number::rate(highest.1)
            )
        };
        writeln!(
            out,
            "achieved /s          {}   {remark}",
            blocks(&achieved, highest.1)
        )?;
    }
    if let Some((lowest, highest)) = extremes(&p99) {
        let show = |piece: usize| {
            number::milliseconds(
                pieces[piece].response_p99_microseconds.unwrap_or(0),
                Precision::Digits(timeline.digits),
            )
        };
        writeln!(
            out,
            "response p99 ms      {}   {} .. {} ({} s)",
            blocks(&p99, highest.1),
            show(lowest.0),
            show(highest.0),
            at(highest.0),
        )?;
    }
    Ok(())
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
                    // The last block is for the highest alone, the first for everything near zero.
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
