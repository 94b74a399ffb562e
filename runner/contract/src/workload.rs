//! What a task does, and the steps that it consists of.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most commands of a mix.
pub const MOST_COMMANDS: usize = 16;

/// Most steps of one task; a task of a mix has one, whatever the mix holds.
pub const MOST_STEPS_OF_A_TASK: usize = 3;

/// What a task does. Exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Workload {
    /// Fetch, change and save the worker's own object graph, then ping.
    ObjectGraph(ObjectGraph),
    /// One command of a weighted mix.
    Commands(Commands),
}

impl Workload {
    /// The steps that its tasks have, in the order in which reports list them.
    pub fn steps(&self) -> Vec<Step> {
        match self {
            Self::ObjectGraph(_) => vec![Step::Fetch, Step::Save, Step::Ping],
            Self::Commands(commands) => commands
                .mix
                .iter()
                .map(|entry| Step::Command(entry.name.clone()))
                .collect(),
        }
    }

    /// How often a task waits for the target: requests that are sent one after the other, each
    /// when the reply to the last one is there.
    pub const fn round_trips(&self) -> u32 {
        match self {
            // The building, its flats, the save, the ping.
            Self::ObjectGraph(_) => 4,
            Self::Commands(_) => 1,
        }
    }

    /// What the types cannot state: the first field that cannot be, what was found there and what
    /// is allowed.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String, &'static str)> {
        match self {
            Self::ObjectGraph(graph) => {
                if graph.max_flats == 0 {
                    return Err(("workload.objectGraph.maxFlats", "0".to_owned(), "1 or more"));
                }
            }
            Self::Commands(Commands {
                keyspace:
                    Keyspace {
                        prefix,
                        keys,
                        distribution,
                    },
                value_bytes,
                prefill: _,
                mix,
            }) => {
                let zero_exponent = Distribution::Zipf {
                    exponent_percent: 0,
                };
                for (name, is_zero) in [
                    ("workload.commands.keyspace.keys", *keys == 0),
                    (
                        "workload.commands.keyspace.distribution.zipf.exponentPercent",
                        *distribution == zero_exponent,
                    ),
                    ("workload.commands.valueBytes", *value_bytes == 0),
                ] {
                    if is_zero {
                        return Err((name, "0".to_owned(), "1 or more"));
                    }
                }
                if prefix.is_empty() {
                    return Err((
                        "workload.commands.keyspace.prefix",
                        "empty".to_owned(),
                        "1 character or more",
                    ));
                }
                if mix.is_empty() || mix.len() > MOST_COMMANDS {
                    return Err((
                        "workload.commands.mix",
                        format!("of {} commands", mix.len()),
                        "of 1 to 16",
                    ));
                }
                for (position, entry) in mix.iter().enumerate() {
                    let MixedCommand {
                        name,
                        weight,
                        command,
                        expect: _,
                    } = entry;
                    if !matches!(name.parse(), Ok(Step::Command(_)))
                        || mix[..position].iter().any(|other| other.name == *name)
                    {
                        return Err((
                            "workload.commands.mix.name",
                            format!("{name:?}"),
                            "unique, of lower-case letters, digits and dashes",
                        ));
                    }
                    if *weight == 0 {
                        return Err(("workload.commands.mix.weight", "0".to_owned(), "1 or more"));
                    }
                    if command.first().is_none_or(String::is_empty) {
                        return Err((
                            "workload.commands.mix.command",
                            "empty".to_owned(),
                            "a command and its arguments",
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Where a step stands in [`Self::steps`]; None for the whole task and for a step of another
    /// workload.
    pub fn position(&self, step: &Step) -> Option<usize> {
        self.steps().iter().position(|own| own == step)
    }
}

/// The object-graph workload: one building per worker, whose flats each hold a list of mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectGraph {
    /// Flats of a full building, 1 or more.
    pub max_flats: u32,
    /// Size of the mail that every task adds, in bytes (about 1000 per KB of the automap benchmark).
    pub item_payload_bytes: u32,
    /// How a building's flats are read.
    pub fetch: Fetch,
    /// What the building holds at the start.
    pub prefill: Prefill,
}

/// How a building's flats are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Fetch {
    /// EVALSHA of a script that calls HGETALL, as the automap benchmark does.
    Lua,
    /// HGETALL itself.
    Hgetall,
}

/// What is there at the start: a building's flats, or the values of a keyspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Prefill {
    /// All of it, so that every task costs the same.
    Full,
    /// Nothing: it fills, and tasks change, during the run.
    Empty,
}

/// The commands workload: every task is one command, drawn from a weighted mix. The keyspace is
/// shared by all dynos of the type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Commands {
    /// The keys.
    pub keyspace: Keyspace,
    /// Size of a value, in bytes, 1 or more.
    pub value_bytes: u32,
    /// What the keys hold at the start: Full writes a string of `value_bytes` to each.
    pub prefill: Prefill,
    /// What is drawn from, 1 to [`MOST_COMMANDS`], with unique names.
    pub mix: Vec<MixedCommand>,
}

/// The keys of a mix.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keyspace {
    /// What the names of its keys begin with; the run's uid, the type and a number follow. Never
    /// empty.
    #[serde(default = "Keyspace::default_prefix")]
    pub prefix: String,
    /// How many keys there are, 1 or more.
    pub keys: u32,
    /// How often each of them is used.
    pub distribution: Distribution,
}

impl Keyspace {
    /// What keys begin with where nobody asked for anything else: what an object graph's begin with,
    /// so that one access rule serves both.
    pub const DEFAULT_PREFIX: &str = "test:building:";

    /// [`Self::DEFAULT_PREFIX`].
    pub fn default_prefix() -> String {
        Self::DEFAULT_PREFIX.to_owned()
    }
}

/// How often each key is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Distribution {
    /// All of them alike.
    Uniform,
    /// The k-th most used one in proportion to 1 / k^s.
    Zipf {
        /// The exponent s in hundredths, 1 or more.
        exponent_percent: u32,
    },
}

/// One command of a mix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MixedCommand {
    /// Its name, which thresholds and reports call it by: see [`Step::Command`].
    pub name: String,
    /// Its share: its weight of the sum of all weights, 1 or more.
    pub weight: u32,
    /// The command and its arguments. `{key}` and `{value}` in an argument are replaced: by a key
    /// of the keyspace (the same one wherever it stands in the command), and by a value.
    pub command: Vec<String>,
    /// What its reply must hold. Any where a plan of another release does not say.
    #[serde(default = "Expectation::any")]
    pub expect: Expectation,
}

/// What the reply of a command must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Expectation {
    /// Something: a reply that holds nothing (nil, an empty list, a list of nothing but nils) is a
    /// failed task of class `lost`.
    Hit,
    /// The same, unless the target is one that evicts any key when it is full: of a cache nobody can
    /// expect that a key is still there.
    HitUnlessEvicted,
    /// Anything but an error.
    Any,
}

impl Expectation {
    /// What it comes to on a target, once it is known whether that evicts any key when it is full.
    #[must_use]
    pub const fn settled(self, evicts_any_key: bool) -> Self {
        match self {
            Self::HitUnlessEvicted if evicts_any_key => Self::Any,
            Self::Hit | Self::HitUnlessEvicted => Self::Hit,
            Self::Any => Self::Any,
        }
    }

    const fn any() -> Self {
        Self::Any
    }
}

impl MixedCommand {
    /// Where a key is put.
    pub const KEY: &str = "{key}";
    /// Where a value is put.
    pub const VALUE: &str = "{value}";
}

/// The whole task, or one step of it. Written as one word: `Task`, `Fetch`, or a command's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Step {
    /// The whole task.
    Task,
    /// Reading the building.
    Fetch,
    /// Writing it.
    Save,
    /// PING.
    Ping,
    /// The command of this name: a lower-case letter, then letters, digits and dashes, at most
    /// [`Step::LONGEST_NAME`], so that it is never one of the words above.
    Command(String),
}

impl Step {
    /// Longest name of a command.
    pub const LONGEST_NAME: usize = 20;

    /// The word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Task => "Task",
            Self::Fetch => "Fetch",
            Self::Save => "Save",
            Self::Ping => "Ping",
            Self::Command(name) => name,
        }
    }
}

/// Neither a step nor a name of a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a step: it must be Task, Fetch, Save, Ping, or a command's name of lower-case letters, digits and dashes, at most {longest}", longest = Step::LONGEST_NAME
)]
pub struct InvalidStep(String);

impl FromStr for Step {
    type Err = InvalidStep;

    fn from_str(text: &str) -> Result<Self, InvalidStep> {
        Ok(match text {
            "Task" => Self::Task,
            "Fetch" => Self::Fetch,
            "Save" => Self::Save,
            "Ping" => Self::Ping,
            name if is_command_name(name) => Self::Command(name.to_owned()),
            _ => return Err(InvalidStep(text.chars().take(40).collect())),
        })
    }
}

fn is_command_name(name: &str) -> bool {
    name.len() <= Step::LONGEST_NAME
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

impl TryFrom<String> for Step {
    type Error = InvalidStep;

    fn try_from(text: String) -> Result<Self, InvalidStep> {
        text.parse()
    }
}

impl From<Step> for String {
    fn from(step: Step) -> Self {
        match step {
            Step::Command(name) => name,
            other => other.as_str().to_owned(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl JsonSchema for Step {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "The whole task, or one step of it: Task, Fetch, Save, Ping, or a command's name.",
            "pattern": "^(Task|Fetch|Save|Ping|[a-z]([-a-z0-9]{0,18}[a-z0-9])?)$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_one_word_and_reads_back() {
        for word in ["Task", "Fetch", "Save", "Ping", "get", "get-2", "a"] {
            let step: Step = word.parse().unwrap();
            assert_eq!(step.as_str(), word);
            let json = serde_json::to_string(&step).unwrap();
            assert_eq!(json, format!("{word:?}"));
            assert_eq!(serde_json::from_str::<Step>(&json).unwrap(), step);
        }
        for word in [
            "",
            "task",
            "Get",
            "2get",
            "get-",
            "get set",
            "abcdefghijklmnopqrstu",
        ] {
            // In lower case, a word of ours is a name like any other.
            let valid = word == "task";
            assert_eq!(word.parse::<Step>().is_ok(), valid, "{word:?}");
        }
    }

    #[test]
    fn a_mix_has_a_step_for_every_command() {
        let command = |name: &str| MixedCommand {
            name: name.to_owned(),
            weight: 1,
            command: vec!["PING".to_owned()],
            expect: Expectation::Any,
        };
        let workload = Workload::Commands(Commands {
            keyspace: Keyspace {
                prefix: Keyspace::default_prefix(),
                keys: 1,
                distribution: Distribution::Uniform,
            },
            value_bytes: 1,
            prefill: Prefill::Empty,
            mix: vec![command("get"), command("set")],
        });
        assert_eq!(workload.position(&Step::Command("set".to_owned())), Some(1));
        assert_eq!(workload.position(&Step::Task), None);
        assert_eq!(workload.position(&Step::Fetch), None);
    }
}
