//! One figure of the result.

use serde::Serialize;

/// What a figure should reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Goal {
    /// The figure is at most this.
    AtMost(f64),
    /// The figure is at least this.
    AtLeast(f64),
    /// There is no goal. The figure is shown beside others.
    Nothing,
}

/// One figure of the result.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    /// Which case it belongs to.
    pub(crate) case: &'static str,
    /// What was measured.
    pub(crate) name: String,
    /// The unit; empty for a ratio.
    pub(crate) unit: &'static str,
    /// What it should reach.
    pub(crate) goal: Goal,
    /// One value per run.
    pub(crate) values: Vec<f64>,
}

impl Row {
    /// A figure of these runs.
    pub(crate) fn new(
        case: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        goal: Goal,
        values: impl IntoIterator<Item = f64>,
    ) -> Self {
        Self {
            case,
            name: name.into(),
            unit,
            goal,
            values: values.into_iter().collect(),
        }
    }

    /// The middle of its values; the mean of the two middle ones of an even number.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match (sorted.get(middle), sorted.len().is_multiple_of(2)) {
            (Some(upper), true) => f64::midpoint(sorted[middle - 1], *upper),
            (Some(value), false) => *value,
            (None, _) => f64::NAN,
        }
    }

    /// The lowest and the highest of its values.
    pub(crate) fn range(&self) -> (f64, f64) {
        let all = || self.values.iter().copied();
        (
            all().fold(f64::INFINITY, f64::min),
            all().fold(f64::NEG_INFINITY, f64::max),
        )
    }

    /// Whether the median reaches the goal; None without one.
    pub(crate) fn reached(&self) -> Option<bool> {
        match self.goal {
            Goal::AtMost(most) => Some(self.median() <= most),
            Goal::AtLeast(least) => Some(self.median() >= least),
            Goal::Nothing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_decides() {
        let row = |values: &[f64], goal| Row::new("case", "name", "us", goal, values.to_vec());
        let odd = row(&[9.0, 1.0, 5.0], Goal::AtMost(5.0));
        assert!((odd.median() - 5.0).abs() < f64::EPSILON);
        assert_eq!(odd.reached(), Some(true));
        let even = row(&[1.0, 4.0, 2.0, 9.0], Goal::AtLeast(3.1));
        assert!((even.median() - 3.0).abs() < f64::EPSILON);
        assert_eq!(even.reached(), Some(false));
        assert_eq!(row(&[1.0], Goal::Nothing).reached(), None);
        assert!(row(&[], Goal::AtMost(1.0)).median().is_nan());
        assert_eq!(row(&[], Goal::AtMost(1.0)).reached(), Some(false));
    }
}
