//! The words of a verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Verdict {
    /// All dynos ran to the end, all reports are in, every limit held, and the numbers can be trusted.
    Passed,
    /// A stated limit was breached, or the target gave way under the load.
    Failed,
    /// The run could not be carried out to its end.
    Errored,
    /// It ran to its end, but the evidence does not carry a verdict.
    Inconclusive,
}

impl Verdict {
    /// As it stands in the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "Passed",
            Self::Failed => "Failed",
            Self::Errored => "Errored",
            Self::Inconclusive => "Inconclusive",
        }
    }
}

/// What held the run back, or would next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Bottleneck {
    /// Redis' CPU: a thread of it was at work for 90 % of the time or more, it used the CPU that it
    /// may use, or it did not get the CPU that it had work for.
    RedisCpu,
    /// Redis' memory: it refused writes or evicted keys.
    RedisMemory,
    /// Redis' connection limit.
    RedisConnections,
    /// The dyno's own CPU quota.
    DynoCpu,
    /// The way between: both ends are known to have been idle, and it takes most of a task's time.
    Network,
    /// The machine that the generator ran on, not the size that was asked for.
    Generator,
    /// The evidence does not say.
    Unknown,
}

impl Bottleneck {
    /// As it stands in the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RedisCpu => "RedisCpu",
            Self::RedisMemory => "RedisMemory",
            Self::RedisConnections => "RedisConnections",
            Self::DynoCpu => "DynoCpu",
            Self::Network => "Network",
            Self::Generator => "Generator",
            Self::Unknown => "Unknown",
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident => $advice:literal,)+) => {
        /// Why a run ended as it did: the reason of the conditions `Succeeded` and `Finished`.
        /// Open: readers must expect reasons that they do not know.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// As it stands in the status.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What to try, in one sentence; empty for `Passed`.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)+ }
            }
        }
    };
}

/// What the word of a reason ends in if the deciding event came before t0.
const DURING_WARMUP: &str = "DuringWarmup";

impl Reason {
    /// The one word that people and programs read, in the status and in every report:
    /// `BacklogLimitReached`, or `BacklogLimitReachedDuringWarmup` if the deciding event came before
    /// t0.
    pub fn word(self, during_warmup: bool) -> String {
        let suffix = if during_warmup { DURING_WARMUP } else { "" };
        format!("{}{suffix}", self.as_str())
    }

    /// The reason of such a word, and whether the deciding event came before t0. None for the word of
    /// a later version.
    pub fn of_word(word: &str) -> Option<(Self, bool)> {
        let (name, during_warmup) = match word.strip_suffix(DURING_WARMUP) {
            Some(name) => (name, true),
            None => (word, false),
        };
        let reason = Self::ALL.iter().find(|reason| reason.as_str() == name)?;
        Some((*reason, during_warmup))
    }
}

reasons! {
    /// Every limit held and the numbers can be trusted.
    Passed => "",
    /// A worker had the backlog limit waiting when another task arrived for it.
    BacklogLimitReached => "Try a lower rate, more workers, or a smaller object graph.",
    /// A threshold on a latency or on the achieved rate was breached.
    ThresholdsBreached => "Try a lower rate or a larger target, or state a limit that the application can live with.",
    /// More tasks failed than the errors threshold allows.
    ErrorLimitReached => "Look at the error class and the target's own words in the message.",
    /// More than 1 % of the scheduled tasks had not begun when the window ended, and the queue had
    /// grown since its middle.
    RateNotSustained => "Try a lower rate, or more workers if none of them was short of CPU.",
    /// The spec asks for something that does not exist or cannot work.
    InvalidSpec => "Correct the named field and create the LoadTest anew; its spec cannot be changed.",
    /// The preflight refused the target; the condition PreflightPassed says why.
    PreflightFailed => "Put right what the preflight names, then create the LoadTest anew.",
    /// A pod could not be placed on any node in time.
    Unschedulable => "Use a smaller size or scalePercent, or add nodes that fit the dyno.",
    /// An image could not be pulled in time.
    ImagePullFailed => "Check the image's name, its registry and imagePullSecrets.",
    /// Before the start the target refused what a dyno needs, and would refuse it again.
    TargetRefused => "Put right what the message names, then create the LoadTest anew.",
    /// The dynos were not all ready in time.
    StartTimeout => "Put right what the message names, or raise startTimeoutSeconds if the dynos only needed longer.",
    /// A dyno was killed for using more memory than its size has.
    DynoOutOfMemory => "Use a larger size or fewer workers.",
    /// A dyno's pod was deleted, or its node was lost.
    DynoLost => "Run the test again; if it happens again, look at the node.",
    /// Two pods ran the same dyno.
    DuplicateDyno => "Run the test again: Kubernetes started one dyno twice.",
    /// A dyno was evicted, preempted or drained.
    Evicted => "Run the test again on nodes with room, or give it a priorityClassName.",
    /// The target's Secret does not exist.
    SecretNotFound => "Create the Secret in the LoadTest's namespace, with the key url.",
    /// The target's Secret has no key `url`.
    SecretKeyMissing => "Add the key url to the Secret.",
    /// A quota of the namespace refused a child object.
    QuotaExceeded => "Raise the quota, or use a smaller size or scalePercent.",
    /// The API server's admission refused a child object.
    PodRejected => "Look at the namespace's Pod Security level, limit ranges and admission webhooks.",
    /// An object of a child's name belongs to somebody else.
    NameConflict => "Give the LoadTest another name, or remove the named object.",
    /// A child object was deleted while the run needed it.
    ChildLost => "Run the test again and leave its child objects alone.",
    /// The plan, or what the operator keeps of the run, was changed by somebody else.
    EvidenceChanged => "Run the test again where nobody but the operator writes the ConfigMaps of a run.",
    /// Another run holds the target.
    TargetBusy => "Wait until the other run is over: two at once would measure each other.",
    /// The target went away in mid-run.
    TargetLost => "Look at the target's log and memory; lower the rate if the load brought it down.",
    /// The target evicted keys while others than the run's stood in it.
    ForeignKeysEvicted => "Use a larger target or a smaller data set; if everything in that Redis may go, say so with SET redyno:disposable 1 there.",
    /// The target was not the one that the preflight had seen.
    TargetChanged => "Run the test again when nobody restarts, flushes or fails over the target.",
    /// The run was not over by its deadline.
    DeadlineExceeded => "Look at the dynos' logs: a dyno ends by itself well before its deadline.",
    /// Somebody set desiredState to Cancelled, or interrupted the command.
    Cancelled => "Create the LoadTest anew to run it again.",
    /// A dyno's final report is missing, cannot be read, or was only a checkpoint.
    ReportMissing => "Run the test again; without every dyno's report nothing can be said.",
    /// Fewer than 99 % of the due tasks were handed to a worker.
    RateNotDelivered => "Give the dyno more CPU, or run it on a quieter node.",
    /// The generator was too late for its numbers to be trusted.
    ScheduleLag => "Give the dyno more CPU, or run it on a quieter node.",
    /// A dyno could use more or less than its size has.
    SizeNotEnforced => "Find out what changes the limits of pods: an admission webhook, a LimitRange, a platform that rounds sizes up.",
    /// The dynos did not start together.
    StartSkew => "Run the test again on nodes that are less busy at the start.",
    /// A limit depends on tasks that never ended, or never came.
    LimitUnknown => "Raise drainSeconds, so that unfinished tasks can end and be counted.",
    /// Our own books do not balance.
    InternalInconsistency => "This is a defect of redyno: please report it with the LoadTest's report ConfigMap.",
    /// A managed Redis was not ready in time.
    ManagedRedisNotReady => "Look at the pod of the managed Redis; its image or the node may be at fault.",
    /// A child's container could not be started by its node.
    ContainerNotStarted => "Look at the named pod's events.",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_every_reason_is_read_as_it_was_written() {
        for reason in Reason::ALL.iter().copied() {
            for during_warmup in [false, true] {
                let word = reason.word(during_warmup);
                assert_eq!(Reason::of_word(&word), Some((reason, during_warmup)));
            }
        }
        assert_eq!(
            Reason::ErrorLimitReached.word(true),
            "ErrorLimitReachedDuringWarmup"
        );
        assert_eq!(Reason::of_word("OfALaterVersion"), None);
    }
}
