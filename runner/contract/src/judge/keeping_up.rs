//! Whether the dynos of a type kept up with their own schedule: however short the run.
//!
//! A queue is what does not keep up, not a task that takes its time: of the tasks that were due,
//! too many had not begun when the window ended, and more than in its middle. A queue that does not
//! grow is latency, and failures are the errors threshold's business.

use super::run::{Dyno, Run};
use crate::report::{Books, Queues};

/// Tasks that may wait at the end of the window, in thousandths of those that were scheduled.
const MOST_WAITING_PER_MILLE: u128 = 10;

/// By so much the queue may have grown since the middle of the window, in the same measure.
const MOST_GROWTH_PER_MILLE: u128 = 5;

/// Reports of former releases do not tell of queues: of those, so many of the scheduled tasks have
/// to have ended in the window, in percent.
const LEAST_ACHIEVED_PERCENT: u128 = 99;

/// How a type did not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// By its queues: so many tasks waited in the middle of the window and at its end.
    Queues { queues: Queues, scheduled: u64 },
    /// Nobody told of queues: so many of the scheduled tasks ended in time.
    Achieved { in_time: u64, scheduled: u64 },
}

/// How the dynos of a type that ran their whole window did not keep up; None if they did.
pub(super) fn behind(run: &Run<'_>, dyno_type: &str) -> Option<Behind> {
    let ran = || {
        run.of_type(Some(dyno_type))
            .filter(|dyno| dyno.completed())
            .filter_map(Dyno::report)
    };
    let Books {
        scheduled, in_time, ..
    } = ran().fold(Books::default(), |sum, report| sum.plus(report.books));
    let told: Option<Vec<Queues>> = ran().map(|report| report.queues).collect();
    let Some(told) = told else {
        return (u128::from(in_time) * 100 < u128::from(scheduled) * LEAST_ACHIEVED_PERCENT)
            .then_some(Behind::Achieved { in_time, scheduled });
    };
    let queues = told.into_iter().fold(Queues::default(), Queues::plus);
    let more =
        |tasks: u64, per_mille: u128| u128::from(tasks) * 1000 > u128::from(scheduled) * per_mille;
    let growth = queues.at_end.saturating_sub(queues.at_middle);
    (more(queues.at_end, MOST_WAITING_PER_MILLE) && more(growth, MOST_GROWTH_PER_MILLE))
        .then_some(Behind::Queues { queues, scheduled })
}
