//! What can go wrong with a run, and who can do it harm.

use std::fmt;

use redyno_simulation::choices::Choices;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing.
    None,
    /// The operator is killed at a request, before the server saw it.
    KilledBefore,
    /// The operator is killed at a request, after the server carried it out.
    KilledAfter,
    /// The server answers that it cannot serve now.
    ServerError,
    /// The server carries a request out, and its answer is lost.
    AnswerLost,
    /// The server says that somebody else has written.
    Conflict,
    /// The operator is away for a while.
    OperatorAway,
    /// A second operator runs beside the first.
    SecondOperator,
    /// What the operator hears is late.
    WatchLate,
    /// Creations are refused for a while for want of quota.
    Quota,
    /// A dyno is killed for its memory.
    OutOfMemory,
    /// A dyno is evicted.
    Evicted,
    /// Somebody deletes a dyno's pod.
    PodDeleted,
    /// A dyno's node is slow: its pod comes late.
    PodLate,
    /// A dyno leaves no message.
    MessageMissing,
    /// A dyno's message is cut.
    MessageCut,
    /// A dyno's message is that of another run.
    MessageOfAnotherRun,
    /// The Job controller starts a dyno twice.
    Twin,
    /// Somebody makes a pod with a run's labels and a forged report.
    ForgedByLabels,
    /// The same in another namespace.
    ForgedElsewhere,
    /// Somebody makes a pod that names the run's Job as its controller, with a forged report.
    ForgedController,
    /// Somebody replaces what is kept of a dyno by a forged report, again and again.
    ReportReplaced,
    /// Somebody removes what is kept of a dyno.
    ReportRemoved,
    /// Somebody changes the plan.
    PlanChanged,
    /// Somebody deletes a child object.
    ChildDeleted,
    /// The managed Redis ends by itself.
    RedisEnds,
    /// The user cancels the run.
    Cancelled,
    /// The user deletes the LoadTest.
    LoadTestDeleted,
    /// The user deletes the LoadTest and makes it anew at once.
    LoadTestMadeAnew,
    /// Somebody deletes the dynos' Job and makes one of their own in its place.
    JobReplaced,
}

/// Every kind; the first is none.
pub(crate) const KINDS: [Kind; 30] = [
    Kind::None,
    Kind::KilledBefore,
    Kind::KilledAfter,
    Kind::ServerError,
    Kind::AnswerLost,
    Kind::Conflict,
    Kind::OperatorAway,
    Kind::SecondOperator,
    Kind::WatchLate,
    Kind::Quota,
    Kind::OutOfMemory,
    Kind::Evicted,
    Kind::PodDeleted,
    Kind::PodLate,
    Kind::MessageMissing,
    Kind::MessageCut,
    Kind::MessageOfAnotherRun,
    Kind::Twin,
    Kind::ForgedByLabels,
    Kind::ForgedElsewhere,
    Kind::ForgedController,
    Kind::ReportReplaced,
    Kind::ReportRemoved,
    Kind::PlanChanged,
    Kind::ChildDeleted,
    Kind::RedisEnds,
    Kind::Cancelled,
    Kind::LoadTestDeleted,
    Kind::LoadTestMadeAnew,
    Kind::JobReplaced,
];

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What.
    pub(crate) kind: Kind,
    /// When, in milliseconds after the creation; for faults of a request, its number.
    pub(crate) at: u64,
    /// For how long, in milliseconds.
    pub(crate) lasts: u64,
    /// Of which dyno, child or requests: whoever it concerns takes it modulo what there is.
    pub(crate) of: u64,
}

impl Fault {
    /// Draws one: always four numbers, so that a kind that is lowered to none deletes it.
    pub(crate) fn draw(choices: &mut Choices) -> Self {
        let kind = choices.one_of("kind", &KINDS);
        let at = choices.below("at", 60_000);
        let lasts = choices.one_of("for", &[1_000, 15_000, 70_000, 5_000]);
        let of = choices.below("of", 6);
        Self {
            kind,
            at,
            lasts,
            of,
        }
    }

    /// The request that it happens at, for faults of requests.
    pub(crate) const fn request(&self) -> u64 {
        // A run makes some hundred requests.
        self.at % 400
    }

    /// Whether it happens at a request.
    pub(crate) const fn is_of_request(&self) -> bool {
        matches!(
            self.kind,
            Kind::KilledBefore
                | Kind::KilledAfter
                | Kind::ServerError
                | Kind::AnswerLost
                | Kind::Conflict
        )
    }

    /// Whether it must change nothing at all of how the run ends: whoever does it has no right to.
    pub(crate) const fn is_powerless(&self) -> bool {
        matches!(self.kind, Kind::ForgedByLabels | Kind::ForgedElsewhere)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            at,
            lasts,
            of,
        } = self;
        if self.is_of_request() {
            write!(
                out,
                "{kind:?} at request {}, for {lasts} ms, of {of}",
                self.request()
            )
        } else {
            write!(out, "{kind:?} after {at} ms, for {lasts} ms, of {of}")
        }
    }
}
