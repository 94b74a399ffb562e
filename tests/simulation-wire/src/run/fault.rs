//! What goes wrong in a run, and when.

use std::time::Duration;

use redyno_simulation::choices::Choices;

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// From the beginning.
    Preflight,
    /// From the dynos' start.
    GettingReady,
    /// From the moment at which the common start is agreed.
    BeforeStart,
    /// From the common start.
    Load,
    /// From the end of the measured window.
    Drain,
    /// From the start of the finish.
    Finish,
}

impl Stage {
    const ALL: [Self; 6] = [
        Self::Load,
        Self::GettingReady,
        Self::BeforeStart,
        Self::Preflight,
        Self::Drain,
        Self::Finish,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::GettingReady => "getting ready",
            Self::BeforeStart => "before the start",
            Self::Load => "load",
            Self::Drain => "drain",
            Self::Finish => "finish",
        }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// Nothing.
    None,
    /// All connections break.
    ConnectionsBreak,
    /// Connections are refused for a while, those that are there break.
    ConnectionsRefused,
    /// Nobody answers who wants to connect, for a while.
    ConnectionsUnanswered,
    /// The target's name does not resolve for a while; connections that are there break.
    NameGone,
    /// Connections that are there fall silent.
    ConnectionsFallSilent,
    /// From now on, some connections break in the middle of what is said on them.
    CutAnywhere,
    /// From now on, bytes come in small pieces and late.
    BadWeather,
    /// From now on, connections lead to another, empty server; those that are there break.
    Moved,
    /// The same, but those that are there live on.
    MovedForNewcomers,
    /// The server hangs up on who is idle.
    IdleClosed,
    /// The server takes many times as long for everything.
    Slow,
    /// It does nothing for a while.
    Stalled,
    /// Its memory is full: writes are refused.
    Full,
    /// Its memory is full: keys are evicted.
    Evicting,
    /// It is restarted, and empty.
    Restarted,
    /// It is restarted and reads its data for a while.
    RestartedLoading,
    /// Somebody flushes it.
    Flushed,
    /// It becomes a replica.
    BecomesReplica,
    /// INFO lacks fields.
    ThinInfo,
    /// The user may not run a command.
    CommandDenied,
    /// The server does not have a command.
    CommandMissing,
    /// Somebody's keys are there.
    ForeignKeys,
    /// The same, and they say that they may go.
    DisposableKeys,
    /// Somebody else is connected.
    ForeignClient,
    /// Somebody else writes keys.
    ForeignWrites,
    /// The server takes few connections.
    FewConnections,
    /// Another run holds the lock.
    Locked,
    /// A dyno's process is killed.
    DynoKilled,
    /// A dyno is told to go.
    DynoTerminated,
    /// All dynos are told to go.
    AllTerminated,
    /// Nobody reads what dynos print.
    OutputUnread,
    /// A dyno's record cannot be written.
    RecordUnwritable,
    /// A second pod is started as the first dyno.
    DynoDoubled,
    /// A dyno comes late.
    DynoLate,
    /// A second preflight of the same run is started beside the first.
    PreflightDoubled,
}

impl FaultKind {
    /// All that are faults.
    pub const ALL: [Self; 35] = [
        Self::ConnectionsBreak,
        Self::ConnectionsRefused,
        Self::ConnectionsUnanswered,
        Self::NameGone,
        Self::ConnectionsFallSilent,
        Self::CutAnywhere,
        Self::BadWeather,
        Self::Moved,
        Self::MovedForNewcomers,
        Self::IdleClosed,
        Self::Slow,
        Self::Stalled,
        Self::Full,
        Self::Evicting,
        Self::Restarted,
        Self::RestartedLoading,
        Self::Flushed,
        Self::BecomesReplica,
        Self::ThinInfo,
        Self::CommandDenied,
        Self::CommandMissing,
        Self::ForeignKeys,
        Self::DisposableKeys,
        Self::ForeignClient,
        Self::ForeignWrites,
        Self::FewConnections,
        Self::Locked,
        Self::DynoKilled,
        Self::DynoTerminated,
        Self::AllTerminated,
        Self::OutputUnread,
        Self::RecordUnwritable,
        Self::DynoDoubled,
        Self::DynoLate,
        Self::PreflightDoubled,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::ConnectionsBreak => "connections break",
            Self::ConnectionsRefused => "connections are refused",
            Self::ConnectionsUnanswered => "connections are not answered",
            Self::NameGone => "the name does not resolve",
            Self::ConnectionsFallSilent => "connections fall silent",
            Self::CutAnywhere => "connections are cut anywhere",
            Self::BadWeather => "bytes come late and in pieces",
            Self::Moved => "the name leads to another server",
            Self::MovedForNewcomers => "new connections lead to another server",
            Self::IdleClosed => "idle connections are closed",
            Self::Slow => "the server is slow",
            Self::Stalled => "the server stalls",
            Self::Full => "the server is full",
            Self::Evicting => "the server evicts",
            Self::Restarted => "the server is restarted",
            Self::RestartedLoading => "the server is restarted and loads",
            Self::Flushed => "the server is flushed",
            Self::BecomesReplica => "the server becomes a replica",
            Self::ThinInfo => "INFO is thin",
            Self::CommandDenied => "a command is denied",
            Self::CommandMissing => "a command is missing",
            Self::ForeignKeys => "foreign keys",
            Self::DisposableKeys => "disposable keys",
            Self::ForeignClient => "a foreign client",
            Self::ForeignWrites => "foreign writes",
            Self::FewConnections => "few connections",
            Self::Locked => "another run holds the lock",
            Self::DynoKilled => "a dyno is killed",
            Self::DynoTerminated => "a dyno is told to go",
            Self::AllTerminated => "all dynos are told to go",
            Self::OutputUnread => "nobody reads the output",
            Self::RecordUnwritable => "a record cannot be written",
            Self::DynoDoubled => "a dyno is doubled",
            Self::DynoLate => "a dyno is late",
            Self::PreflightDoubled => "the preflight is doubled",
        }
    }

    /// Whether it is so from the beginning, whatever stage was drawn.
    pub const fn is_from_the_beginning(self) -> bool {
        matches!(
            self,
            Self::IdleClosed
                | Self::ThinInfo
                | Self::CommandDenied
                | Self::CommandMissing
                | Self::ForeignKeys
                | Self::DisposableKeys
                | Self::ForeignClient
                | Self::FewConnections
                | Self::Locked
                | Self::OutputUnread
                | Self::DynoLate
                | Self::PreflightDoubled
        )
    }
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// In which stage.
    pub stage: Stage,
    /// So long after its beginning.
    pub after: Duration,
    /// How long, how much, or which: what it means depends on the kind.
    pub amount: u64,
}

impl Fault {
    /// Half of all runs have one, an eighth none, the others up to four.
    pub fn draw_some(choices: &mut Choices) -> Vec<Self> {
        let count = choices.one_of("faults", &[0, 1, 1, 1, 1, 2, 3, 4]);
        (0..4)
            .filter_map(|place| {
                let kind = choices.one_of("kind", &FaultKind::ALL);
                let stage = choices.one_of("stage", &Stage::ALL);
                let after = choices.magnitude("after", 2);
                let amount = choices.magnitude("amount", 3);
                (place < count).then(|| Self {
                    kind,
                    stage: if kind.is_from_the_beginning() {
                        Stage::Preflight
                    } else {
                        stage
                    },
                    after: Duration::from_millis(after - 10),
                    amount: amount - 10,
                })
            })
            .collect()
    }

    /// In a line.
    pub fn describe(&self) -> String {
        let Self {
            kind,
            stage,
            after,
            amount,
        } = self;
        format!(
            "{}: {}, {} ms after its beginning, by {amount}",
            stage.name(),
            kind.name(),
            after.as_millis()
        )
    }
}
