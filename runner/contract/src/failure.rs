//! Why tasks fail: the classes by which failures are counted, each with what to try.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! classes {
    ($($(#[$attribute:meta])+ $name:ident = $word:literal => $advice:literal,)+) => {
        /// The class of a failed task.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            JsonSchema,
        )]
        pub enum FailureClass {
            $($(#[$attribute])+ #[serde(rename = $word)] $name,)+
        }

        impl FailureClass {
            /// Every class, in the order of its discriminants.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// As it stands in metrics, reports and messages.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// What to try, in one sentence.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)+ }
            }
        }
    };
}

classes! {
    /// The connection broke, or could not be used.
    Connection = "connection" => "Look whether the target, or a proxy before it, closes connections: its timeout, its maxclients, its client-output-buffer-limit.",
    /// The task ran out of its time.
    Timeout = "timeout" => "Raise taskTimeoutMilliseconds, or find what holds the target up: SLOWLOG GET names slow commands.",
    /// The target is out of memory: OOM.
    OutOfMemory = "oom" => "Use a larger target or write less: its maxmemory is reached, and its policy evicts nothing that would make room.",
    /// The target is a read-only replica: READONLY.
    ReadOnly = "readonly" => "Give the URL of the master: the target is a replica, or became one by a failover during the run.",
    /// The user may not run a command or touch a key: NOPERM.
    NoPermission = "noperm" => "Grant the URL's user what the target's words name.",
    /// The user or password is not, or no longer, accepted: NOAUTH, WRONGPASS.
    Authentication = "noauth" => "Run the test again with a user and a password that stay as they are while it runs.",
    /// The target is loading its data set: LOADING.
    Loading = "loading" => "Run the test again once the target has loaded its data: it was started a moment before.",
    /// The key lives on another node of a cluster: MOVED, ASK.
    Moved = "moved" => "Give the URL of a server that is no node of a Redis Cluster: redyno sends every key to one server.",
    /// The keys of one command live on different nodes of a cluster: CROSSSLOT.
    CrossSlot = "crossslot" => "Give the URL of a server that is no node of a Redis Cluster, or name only one key in each command.",
    /// The cluster that the target belongs to is not whole: CLUSTERDOWN, TRYAGAIN.
    ClusterDown = "clusterdown" => "Give the URL of a server that is no node of a Redis Cluster: redyno sends every key to one server.",
    /// The target is a replica that has lost its master: MASTERDOWN.
    MasterDown = "masterdown" => "Give the URL of the master: the target is a replica that has no connection to it.",
    /// The target has fewer replicas than it wants for a write: NOREPLICAS.
    NoReplicas = "noreplicas" => "Bring the target's replicas back, or lower its min-replicas-to-write.",
    /// The target takes no writes because it cannot save its data: MISCONF.
    SaveFailed = "misconf" => "Look at the target's log and disk: it refuses writes until it can save its data again.",
    /// A script or function keeps the target busy: BUSY.
    Busy = "busy" => "Find the script that runs on the target for longer than its busy-reply-threshold: SCRIPT KILL ends it.",
    /// The target has no connection left.
    MaxClients = "maxclients" => "Raise the target's maxclients, or use fewer workers: each of them holds one connection.",
    /// A limit of the provider is used up: so many requests, so many bytes.
    Quota = "quota" => "Raise the limit of the provider's plan, or wait until it counts anew: it is not one of Redis.",
    /// The key holds another type: WRONGTYPE.
    WrongType = "wrongtype" => "Give every kind of value keys of its own, such as list:{key} and hash:{key}: one key holds one kind.",
    /// The script was not there even after it had been sent: NOSCRIPT.
    NoScript = "noscript" => "Find out who empties the target's script cache, or use fetch: Hgetall.",
    /// What the run itself had written was not there, or less of it.
    Lost = "lost" => "Find out who removes the run's data: a FLUSHALL, an eviction, an expiry, or a balancer that leads to another server; if a key may be missing, say expect: Any.",
    /// Anything else; also a class that only another release knows.
    #[serde(other)]
    Other = "other" => "The target's words say what it did not accept; try the command with redis-cli.",
}

impl FailureClass {
    /// Whether trying the same again may succeed, before there is any load.
    pub const fn may_heal(self) -> bool {
        match self {
            Self::Connection
            | Self::Timeout
            | Self::Loading
            | Self::ClusterDown
            | Self::MasterDown
            | Self::NoReplicas
            | Self::Busy
            | Self::MaxClients => true,
            Self::OutOfMemory
            | Self::ReadOnly
            | Self::NoPermission
            | Self::Authentication
            | Self::Moved
            | Self::CrossSlot
            | Self::SaveFailed
            | Self::Quota
            | Self::WrongType
            | Self::NoScript
            | Self::Lost
            | Self::Other => false,
        }
    }

    /// Whether the target may be gone, or be another one: that has to be found out before such a
    /// failure is held against it.
    pub const fn puts_the_target_in_question(self) -> bool {
        matches!(self, Self::Connection | Self::Lost)
    }
}

/// Failed tasks of one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassFailures {
    /// Which class.
    pub class: FailureClass,
    /// Tasks of the measured window.
    #[serde(rename = "count")]
    pub measured: u64,
    /// Tasks of the warm-up.
    pub warmup: u64,
    /// What was said of the first of them: by an error reply the target's own words, bounded and
    /// without anything sent in confidence. None where the record had no room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

impl ClassFailures {
    /// Adds the failures of other dynos, class by class; of each class the first example stays.
    /// The commonest class comes first.
    pub fn merge<'a>(all: impl IntoIterator<Item = &'a Self>) -> Vec<Self> {
        let mut merged: Vec<Self> = Vec::new();
        for other in all {
            let Self {
                class,
                measured,
                warmup,
                example,
            } = other;
            match merged.iter_mut().find(|known| known.class == *class) {
                None => merged.push(other.clone()),
                Some(known) => {
                    known.measured = known.measured.saturating_add(*measured);
                    known.warmup = known.warmup.saturating_add(*warmup);
                    if known.example.is_none() {
                        known.example.clone_from(example);
                    }
                }
            }
        }
        merged.sort_by_key(|row| (std::cmp::Reverse(row.total()), row.class));
        merged
    }

    /// Of the whole run.
    pub const fn total(&self) -> u64 {
        self.measured.saturating_add(self.warmup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_json_and_differ() {
        for (position, class) in FailureClass::ALL.iter().enumerate() {
            assert_eq!(*class as usize, position);
            let json = serde_json::to_string(class).unwrap();
            assert_eq!(json, format!("{:?}", class.as_str()));
            assert_eq!(serde_json::from_str::<FailureClass>(&json).unwrap(), *class);
        }
        let unknown = serde_json::from_str::<FailureClass>("\"of-tomorrow\"");
        assert_eq!(unknown.unwrap(), FailureClass::Other);
    }

    #[test]
    fn every_class_says_what_to_try_in_one_sentence() {
        for class in FailureClass::ALL {
            let advice = class.advice();
            assert!(
                advice.ends_with('.') && advice.matches(". ").count() == 0,
                "{advice}"
            );
        }
    }

    #[test]
    fn failures_of_several_dynos_add_up_and_the_first_words_stay() {
        let row = |class, measured, warmup, example: Option<&str>| ClassFailures {
            class,
            measured,
            warmup,
            example: example.map(str::to_owned),
        };
        let all = [
            row(FailureClass::Timeout, 3, 0, None),
            row(FailureClass::OutOfMemory, 1, 1, Some("OOM a")),
            row(FailureClass::OutOfMemory, 5, 0, Some("OOM b")),
            row(FailureClass::Timeout, u64::MAX, 1, Some("late")),
        ];
        assert_eq!(
            ClassFailures::merge(&all),
            [
                row(FailureClass::Timeout, u64::MAX, 1, Some("late")),
                row(FailureClass::OutOfMemory, 6, 1, Some("OOM a")),
            ]
        );
    }
}
