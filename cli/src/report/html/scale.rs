//! Where a value lies on an axis, and where the axis has its ticks.

/// An axis of numbers. Positions are shares of its length, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// A linear axis from 0.
    Linear {
        /// The end, above 0.
        high: f64,
    },
    /// A logarithmic axis: equal factors are equal steps.
    Logarithmic {
        /// The beginning, above 0.
        low: f64,
        /// The end, above the beginning.
        high: f64,
    },
    /// Percentiles as a quantity's tail sees them: a step for every factor of ten of 1 / (1 - p).
    Tail {
        /// The end, as a number of decades.
        decades: f64,
    },
}

impl Scale {
    /// An axis from 0 to a round number that is above all of these values.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Self {
        let most = values.fold(0.0, f64::max);
        Self::Linear {
            high: round_up(if most > 0.0 { most } else { 1.0 }, &FINE),
        }
    }

    /// An axis from a round number below all of these values to one above them, over a factor of
    /// ten at least.
    pub(super) fn logarithmic(values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = values
            .filter(|value| *value > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(least, most), value| {
                (least.min(value), most.max(value))
            });
        let (least, most) = if least.is_finite() {
            (least, most)
        } else {
            (1.0, 10.0)
        };
        let low = round_down(least * 0.9);
        Self::Logarithmic {
            low,
            high: round_up(most * 1.1, &ROUND).max(low * 10.0),
        }
    }

    /// An axis of percentiles that reaches the highest of this many values.
    pub(super) fn tail(values: u64) -> Self {
        Self::Tail {
            decades: (2.0 * values as f64).log10().max(2.5),
        }
    }

    /// Whether a value lies within the axis.
    pub(super) fn holds(self, value: f64) -> bool {
        match self {
            Self::Linear { high } => (0.0..=high).contains(&value),
            Self::Logarithmic { low, high } => (low..=high).contains(&value),
            Self::Tail { decades: _ } => (0.0..1.0).contains(&value),
        }
    }

    /// Where a value lies, within the axis.
    pub(super) fn position(self, value: f64) -> f64 {
        let position = match self {
            Self::Linear { high } => value / high,
            Self::Logarithmic { low, high } => {
                (value.max(low) / low).log10() / (high / low).log10()
            }
            Self::Tail { decades } => -(1.0 - value).max(f64::MIN_POSITIVE).log10() / decades,
        };
        position.clamp(0.0, 1.0)
    }

    /// The values that are marked.
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear { high } => vec![0.0, high / 2.0, high],
            Self::Logarithmic { low, high } => {
                let decades = (high / low).log10();
                // There are enough ticks to read a value between two, and few enough to tell them
                // apart.
                let steps: &[f64] = match decades {
                    ..1.7 => &[1.0, 2.0, 5.0],
                    ..2.5 => &[1.0, 3.0],
                    _ => &[1.0],
                };
                let mut ticks = Vec::new();
                let mut decade = 10_f64.powf(low.log10().floor());
                while decade <= high * 1.001 {
                    for step in steps {
                        let tick = decade * step;
                        if (low * 0.999..=high * 1.001).contains(&tick) {
                            ticks.push(tick);
                        }
                    }
                    decade *= 10.0;
                }
                ticks
            }
            Self::Tail { decades } => [0.5_f64, 0.9, 0.99, 0.999, 0.9999, 0.999_99, 0.999_999]
                .into_iter()
                // A tick at the very end would have its label cut off.
                .filter(|tick| -(1.0 - tick).log10() <= decades - 0.2)
                .collect(),
        }
    }
}

const ROUND: [f64; 4] = [1.0, 2.0, 5.0, 10.0];
const FINE: [f64; 9] = [1.0, 1.2, 1.6, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0];

/// The next round number that is no less, such as 1, 2, 5, 10, 20, ...
fn round_up(value: f64, steps: &[f64]) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    steps
        .iter()
        .map(|step| step * decade)
        .find(|round| *round >= value * 0.999)
        .unwrap_or(decade * 10.0)
}

/// The last of 1, 2, 5, 10, 20, ... that is no more.
fn round_down(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    ROUND
        .into_iter()
        .rev()
        .map(|step| step * decade)
        .find(|round| *round <= value * 1.001)
        .unwrap_or(decade)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-6
    }

    #[test]
    fn axes_end_at_round_numbers_around_their_values() {
        assert_eq!(
            Scale::linear([0.0, 430.0].into_iter()),
            Scale::Linear { high: 600.0 }
        );
        assert_eq!(
            Scale::linear(std::iter::empty()),
            Scale::Linear { high: 1.0 }
        );
        let Scale::Logarithmic { low, high } = Scale::logarithmic([0.23, 920.0, 0.0].into_iter())
        else {
            panic!("not logarithmic");
        };
        assert!(close(low, 0.2) && close(high, 2000.0), "{low} {high}");
        // The axis spans a factor of ten, however little the values differ.
        let Scale::Logarithmic { low, high } = Scale::logarithmic([3.0, 3.0].into_iter()) else {
            panic!("not logarithmic");
        };
        assert!(high / low >= 9.99, "{low} {high}");
    }

    #[test]
    fn a_value_lies_within_its_axis() {
        let scale = Scale::Logarithmic {
            low: 1.0,
            high: 100.0,
        };
        for (value, position) in [(0.0, 0.0), (1.0, 0.0), (10.0, 0.5), (1e9, 1.0)] {
            assert!(close(scale.position(value), position), "{value}");
        }
        let scale = Scale::Tail { decades: 4.0 };
        for (value, position) in [(0.0, 0.0), (0.9, 0.25), (0.99, 0.5), (1.0, 1.0)] {
            assert!(close(scale.position(value), position), "{value}");
        }
    }

    #[test]
    fn ticks_are_few_and_within_the_axis() {
        for scale in [
            Scale::linear([17.0].into_iter()),
            Scale::logarithmic([0.1, 0.9].into_iter()),
            Scale::logarithmic([0.01, 3_600_000.0].into_iter()),
            Scale::tail(3),
            Scale::tail(1 << 40),
        ] {
            let ticks = scale.ticks();
            assert!((2..=12).contains(&ticks.len()), "{scale:?} {ticks:?}");
            let positions: Vec<f64> = ticks.iter().map(|tick| scale.position(*tick)).collect();
            assert!(positions.is_sorted(), "{scale:?} {positions:?}");
        }
    }
}
