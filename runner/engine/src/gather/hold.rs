//! A breach by lost connections alone, of which it is not known yet whether the target was lost.

use redyno_contract::report::Ending;

use crate::Moment;

/// A breach of which it is not known yet whether it is one.
#[derive(Debug)]
pub(super) struct Hold {
    /// How the run ends if the target is there.
    pub(super) ending: Ending,
    /// When the limit was broken.
    pub(super) since: Moment,
    /// When the answer is given up.
    pub(super) deadline: Moment,
}

impl Hold {
    /// Another thread holds a breach, too: the first of them is the cause.
    pub(super) fn also(&mut self, ending: Ending, since: Moment) {
        if since < self.since {
            (self.ending, self.since) = (ending, since);
        }
    }
}
