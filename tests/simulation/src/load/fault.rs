//! What goes wrong in a world, and whose doing it is.

use redyno_contract::failure::FailureClass;

use super::time::{MILLISECOND, NEVER, Time};

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    /// When it begins.
    pub(super) at: Time,
    /// How long it goes on.
    pub(super) lasts: Time,
    /// Which dyno it befalls, where it befalls one.
    pub(super) dyno: usize,
    /// Which of its load threads; all of the process where there is none of that number.
    pub(super) thread: u32,
    /// How strong it is, in thousandths, where that can be said.
    pub(super) per_mille: u64,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A load thread, or the whole process, stands still.
    Stall,
    /// The timers of a load thread fire late, by up to 20 ms.
    LateTimers,
    /// Others use the CPU that a dyno's threads are on: slices of 4 ms.
    StolenCpu,
    /// Redis stands still: a fork, a slow command of somebody else.
    RedisStall,
    /// Redis' thread gets only a part of its core: slices of 10 ms.
    RedisShare,
    /// Every command costs Redis more.
    RedisSlow,
    /// Redis never answers again, but its connections stay.
    RedisHangs,
    /// Redis goes down, and comes back after the time as another server.
    RedisRestart,
    /// Redis goes down for good.
    RedisGone,
    /// Every message takes longer.
    NetworkDelay,
    /// Some commands are refused.
    Refusals(FailureClass),
    /// Redis' memory is full: writes are refused, and INFO tells.
    MemoryFull,
    /// Connections of a load thread's workers are reset.
    Reset,
    /// The dyno is told to go.
    Terminated,
    /// The dyno is killed.
    Killed,
    /// Its last report is lost, or another's, or cut short.
    Forged(Forgery),
}

/// What may be found in a report's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgery {
    /// Nothing.
    Missing,
    /// Only a checkpoint.
    Checkpoint,
    /// That of another dyno.
    OfAnotherDyno,
    /// That of another run.
    OfAnotherRun,
    /// Two of them.
    Twice,
}

/// Every kind that can be drawn, from what befalls the generator to what befalls the evidence.
pub(super) const KINDS: [Kind; 22] = [
    Kind::Stall,
    Kind::Stall,
    Kind::LateTimers,
    Kind::StolenCpu,
    Kind::RedisStall,
    Kind::RedisShare,
    Kind::RedisSlow,
    Kind::NetworkDelay,
    Kind::RedisHangs,
    Kind::RedisRestart,
    Kind::RedisGone,
    Kind::Refusals(FailureClass::ReadOnly),
    Kind::Refusals(FailureClass::Loading),
    Kind::MemoryFull,
    Kind::Reset,
    Kind::Terminated,
    Kind::Killed,
    Kind::Forged(Forgery::Missing),
    Kind::Forged(Forgery::Checkpoint),
    Kind::Forged(Forgery::OfAnotherDyno),
    Kind::Forged(Forgery::OfAnotherRun),
    Kind::Forged(Forgery::Twice),
];

impl Kind {
    /// A word for it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Stall => "stall",
            Self::LateTimers => "late timers",
            Self::StolenCpu => "stolen CPU",
            Self::RedisStall => "Redis stalls",
            Self::RedisShare => "Redis' CPU is shared",
            Self::RedisSlow => "Redis is slow",
            Self::RedisHangs => "Redis hangs",
            Self::RedisRestart => "Redis restarts",
            Self::RedisGone => "Redis is gone",
            Self::NetworkDelay => "network delay",
            Self::Refusals(_) => "refusals",
            Self::MemoryFull => "memory full",
            Self::Reset => "connections reset",
            Self::Terminated => "SIGTERM",
            Self::Killed => "killed",
            Self::Forged(_) => "report forged",
        }
    }

    /// Whether it is the generator's own lateness, and so no fault of what is under test.
    pub(super) const fn is_the_generators(self) -> bool {
        matches!(self, Self::Stall | Self::LateTimers | Self::StolenCpu)
    }
}

impl Fault {
    /// When it is over. What goes on for good is over when it has begun.
    pub(super) fn end(&self) -> Time {
        match self.kind {
            Kind::RedisHangs | Kind::RedisGone | Kind::MemoryFull => self.at,
            _ => self.at.saturating_add(self.lasts),
        }
    }

    /// Whether it goes on at a time.
    pub(super) fn holds(&self, at: Time) -> bool {
        let until = match self.kind {
            Kind::RedisHangs | Kind::RedisGone | Kind::MemoryFull => NEVER,
            _ => self.end(),
        };
        (self.at..until).contains(&at)
    }

    /// The intervals in which it keeps somebody from running.
    pub(super) fn intervals(&self) -> Vec<(Time, Time)> {
        match self.kind {
            Kind::Stall | Kind::RedisStall => vec![(self.at, self.end())],
            Kind::RedisHangs => vec![(self.at, NEVER)],
            Kind::StolenCpu => self.slices(4 * MILLISECOND),
            Kind::RedisShare => self.slices(10 * MILLISECOND),
            _ => Vec::new(),
        }
    }

    /// Of every slice, the part that others have.
    fn slices(&self, length: Time) -> Vec<(Time, Time)> {
        let taken = length * self.per_mille / 1000;
        let until = self.end();
        std::iter::successors(Some(self.at), |from| Some(from + length))
            .take_while(|from| *from < until)
            .map(|from| (from, (from + taken).min(until)))
            .collect()
    }
}
