//! The workload of any Redis commands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{COMMAND_NAME, Prefill, number};
use crate::rules;

/// Every task is one command, drawn from a weighted mix. All dynos of the type share one keyspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Commands {
    /// The keys that stand for {key} in commands: the run's own, shared by all dynos of the type,
    /// removed after the run.
    #[serde(default)]
    pub keyspace: Keyspace,
    /// Size of what stands for {value} in commands and of what prefill writes, in bytes, 1 to
    /// 1048576. Default 512.
    #[serde(default = "number::<512>")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub value_bytes: i32,
    /// What the keys hold at the start. Empty: nothing. Full: each a string of valueBytes, written
    /// before the start, so that every GET finds one; only for commands of strings, since a list
    /// or a hash cannot be put where a string is. More values may join. Default Empty.
    #[serde(default = "Prefill::empty")]
    pub prefill: Prefill,
    /// The commands, 1 to 16, with unique names. For each task one is drawn by weight.
    #[schemars(
        length(min = 1, max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub mix: Vec<MixedCommand>,
}

/// The keys of a mix, and how often each is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::KEYSPACE)))]
pub struct Keyspace {
    /// What the names of its keys begin with, 1 to 64 letters, digits and . _ : / -; a part of the
    /// run's uid, the type and a number follow, so that they are the run's alone whatever stands
    /// here. For a Redis whose user may use some names only: with a prefix of app:loadtest: it needs
    /// ~app:loadtest:* (and ~redyno:* for the run's coordination). Default test:building:.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 64),
        regex(pattern = "^[A-Za-z0-9][-._:/A-Za-z0-9]*$")
    )]
    pub prefix: Option<String>,
    /// How many keys there are, 1 to 10000000. Default 100000.
    #[serde(default = "number::<100_000>")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub keys: i32,
    /// How often each key is used. Uniform: all alike. Zipf: the k-th most used one in proportion
    /// to 1 / k^s, as with most caches, where few keys are hot. More values may join. Default
    /// Uniform.
    #[serde(default = "Distribution::default_value")]
    pub distribution: Distribution,
    /// The exponent s of Zipf in hundredths, 1 to 500; only with Zipf. The more, the hotter the
    /// hottest keys. Default 99, which is the 0.99 of YCSB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub zipf_exponent_percent: Option<i32>,
}

impl Keyspace {
    /// The exponent where none is stated: the constant of the Zipfian generator of YCSB (Cooper et
    /// al., "Benchmarking Cloud Serving Systems with YCSB", 2010).
    pub(crate) const DEFAULT_EXPONENT_PERCENT: i32 = 99;
}

impl Default for Keyspace {
    fn default() -> Self {
        Self {
            prefix: None,
            keys: number::<100_000>(),
            distribution: Distribution::default_value(),
            zipf_exponent_percent: None,
        }
    }
}

/// How often each key is used. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Distribution {
    /// All alike.
    Uniform,
    /// The k-th most used one in proportion to 1 / k^s.
    Zipf,
}

impl Distribution {
    const fn default_value() -> Self {
        Self::Uniform
    }
}

/// One command of a mix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::COMMAND)))]
pub struct MixedCommand {
    /// Its name in reports and in a threshold's step, unique in the mix: a letter, then letters,
    /// digits and dashes, at most 20, all lower case.
    #[schemars(length(min = 1, max = 20), regex(pattern = COMMAND_NAME))]
    pub name: String,
    /// Its share of the tasks: its weight of the sum of all weights, 1 to 1000000. Default 1.
    #[serde(default = "number::<1>")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub weight: i32,
    /// The command and its arguments, each a word of its own, 1 to 64 of at most 1024 characters,
    /// such as [SET, "{key}", "{value}", EX, "60"]. Any command but those that wait (BLPOP, WAIT),
    /// change their connection (SUBSCRIBE, SELECT, MULTI) or act on the whole server (FLUSHALL,
    /// CONFIG). {key} is replaced by a key of the keyspace, the same one wherever it stands in the
    /// command, {value} by valueBytes bytes. A reply that is an error makes a failed task.
    ///
    /// Keys that are named without {key} are your own: they are neither filled before the run nor
    /// removed after it.
    #[schemars(length(min = 1, max = 64), inner(length(max = 1024)))]
    pub command: Vec<String>,
    /// What its reply must hold. Hit: something, so that a reply of nothing (nil, an empty list, a
    /// list of nothing but nils) is a failed task of the class lost. Any: whatever it holds; hits
    /// and misses are counted and shown. More values may join. Default Hit for a GET of {key} with
    /// prefill Full, if no command of the mix removes keys or lets them expire, and the target is none
    /// that evicts any key when it is full (allkeys-lru and its like); otherwise Any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expectation>,
}

/// What the reply of a command must hold. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Expectation {
    /// Something.
    Hit,
    /// Whatever it holds.
    Any,
}
