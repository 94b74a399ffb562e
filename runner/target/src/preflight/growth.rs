//! How much memory of Redis a run takes, by what Redis allocates for it.
//!
//! An estimate: Redis 7 with jemalloc and its default encodings. Other versions differ by a few
//! percent.

use redyno_contract::Plan;
use redyno_contract::plan::{
    Commands, DynoTypePlan, Effect, MixedCommand, ObjectGraph, Prefill, Workload,
};

/// The JSON around a mail's payload: its id and the attributes of the drawn path.
const MAIL_ENVELOPE: u64 = 330;

/// A list's nodes hold up to 8 KiB (`list-max-listpack-size -2`).
const LIST_NODE_LIMIT: u64 = 8192;

/// Of each list node beside its entries: the node itself, and the entries' header and end.
const LIST_NODE: u64 = 48;

/// Of each entry beside its text: its length before it and behind it.
const LIST_ENTRY: u64 = 8;

/// One flat in its building's hash: about 270 bytes of JSON, its id, and the table's entry.
const FLAT: u64 = 400;

/// The list of one flat's mail beside the mail: its key of some 70 characters, the key's entry,
/// and the empty list.
const MAIL_LIST: u64 = 250;

/// A building's document, and the key of its flats.
const BUILDING: u64 = 1200;

/// A key of a keyspace beside its value: its name of some 40 characters and its entry in the table.
const KEY: u64 = 110;

/// A member of a set or a field of a hash beside its text: its entry in the table, and the strings'
/// ends.
const MEMBER: u64 = 64;

/// Values of a mix are parts of one text per dyno: so many different ones.
const DIFFERENT_VALUES: u64 = 4096;

/// A string beside its bytes: header and end.
const STRING: u64 = 24;

/// What the run adds to the memory of Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Growth {
    /// Before the common start.
    pub(super) prefill: u64,
    /// By the warm-up.
    pub(super) warmup: u64,
    /// By the measured window.
    pub(super) window: u64,
    /// Whether there may be more than that: commands add what nobody can tell before.
    pub(super) at_least: bool,
}

/// Tasks of the warm-up and of the measured window.
#[derive(Clone, Copy, Debug)]
struct Tasks {
    warmup: u64,
    window: u64,
}

impl Growth {
    pub(super) fn of(plan: &Plan) -> Self {
        plan.formation.iter().fold(Self::default(), |sum, dynos| {
            let tasks = |schedule: fn(&Plan, &DynoTypePlan, u32) -> u64| -> u64 {
                (0..dynos.quantity)
                    .map(|index| schedule(plan, dynos, index))
                    .fold(0, u64::saturating_add)
            };
            let tasks = Tasks {
                warmup: tasks(|plan, dynos, index| plan.warmup_schedule(dynos, index).count()),
                window: tasks(|plan, dynos, index| plan.schedule(dynos, index).count()),
            };
            sum.plus(match &dynos.workload {
                Workload::ObjectGraph(graph) => of_buildings(dynos, graph, tasks),
                Workload::Commands(commands) => of_mix(dynos, commands, tasks),
            })
        })
    }

    pub(super) const fn total(&self) -> u64 {
        let Self {
            prefill,
            warmup,
            window,
            at_least: _,
        } = *self;
        prefill.saturating_add(warmup).saturating_add(window)
    }

    /// Before the measured window.
    pub(super) const fn before(&self) -> u64 {
        self.prefill.saturating_add(self.warmup)
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            prefill: self.prefill.saturating_add(other.prefill),
            warmup: self.warmup.saturating_add(other.warmup),
            window: self.window.saturating_add(other.window),
            at_least: self.at_least || other.at_least,
        }
    }

    /// What so many different things come to, of this size each, when every task makes at most one.
    fn of_different(size: u64, most: u64, tasks: Tasks) -> Self {
        let warmup = tasks.warmup.min(most);
        let all = tasks.warmup.saturating_add(tasks.window).min(most);
        Self {
            warmup: size.saturating_mul(warmup),
            window: size.saturating_mul(all - warmup),
            ..Self::default()
        }
    }

    /// What every task adds.
    const fn of_each(size: u64, tasks: Tasks) -> Self {
        Self {
            prefill: 0,
            warmup: size.saturating_mul(tasks.warmup),
            window: size.saturating_mul(tasks.window),
            at_least: false,
        }
    }
}

fn of_buildings(dynos: &DynoTypePlan, graph: &ObjectGraph, tasks: Tasks) -> Growth {
    let whole = u64::from(dynos.quantity)
        .saturating_mul(u64::from(dynos.workers))
        .saturating_mul(BUILDING + u64::from(graph.max_flats) * (FLAT + MAIL_LIST));
    let (prefill, window) = match graph.prefill {
        Prefill::Full => (whole, 0),
        Prefill::Empty => (0, whole),
    };
    let buildings = Growth {
        prefill,
        window,
        ..Growth::default()
    };
    buildings.plus(Growth::of_each(
        per_task(graph.item_payload_bytes.into()),
        tasks,
    ))
}

/// What the prefill writes, and what the commands of the mix add to it. A command that takes away or
/// lets expire makes it uncertain what is left of what others add: then only what keys hold at most
/// once is counted, and there may be more.
fn of_mix(dynos: &DynoTypePlan, commands: &Commands, tasks: Tasks) -> Growth {
    let Commands {
        keyspace,
        value_bytes,
        prefill,
        mix,
    } = commands;
    let keys = u64::from(keyspace.keys);
    let value = u64::from(*value_bytes);
    let filled = match prefill {
        Prefill::Full => commands.filled_patterns(),
        Prefill::Empty => Vec::new(),
    };
    let prefill = Growth {
        prefill: filled
            .iter()
            .map(|pattern| string(value).saturating_add(key(pattern)))
            .fold(0, u64::saturating_add)
            .saturating_mul(keys),
        ..Growth::default()
    };
    let takes_away = mix.iter().any(|entry| entry.effect() == Effect::Removes);
    let all: u64 = mix.iter().map(|entry| u64::from(entry.weight)).sum();
    let share = |weight: u64| Tasks {
        warmup: part(tasks.warmup, weight, all),
        window: part(tasks.window, weight, all),
    };
    // Each pattern's keys, at the first time that one is written.
    let new_keys = commands
        .key_patterns()
        .into_iter()
        .filter(|pattern| !filled.contains(pattern))
        .map(|pattern| {
            let writers = mix.iter().filter(|entry| {
                makes_keys(entry.effect()) && entry.key_patterns().contains(&pattern)
            });
            let weight = writers.clone().map(|entry| u64::from(entry.weight)).sum();
            let size = writers
                .map(|entry| match entry.effect() {
                    // What they add is counted by itself.
                    Effect::Adds | Effect::AddsDistinct => 0,
                    _ => string(written(entry, value)),
                })
                .max()
                .unwrap_or(0);
            Growth::of_different(size.saturating_add(key(pattern)), keys, share(weight))
        });
    let added = mix.iter().map(|entry| {
        let tasks = share(entry.weight.into());
        let bytes = written(entry, value);
        match entry.effect() {
            Effect::Adds if takes_away => Growth {
                at_least: true,
                ..Growth::default()
            },
            Effect::Adds => Growth::of_each(per_entry(bytes), tasks),
            Effect::AddsDistinct => {
                let different = if has_value_as_a_member(entry) {
                    keys.saturating_mul(DIFFERENT_VALUES)
                        .saturating_mul(dynos.quantity.into())
                } else {
                    keys
                };
                Growth::of_different(string(bytes).saturating_add(MEMBER), different, tasks)
            }
            Effect::Unknown => Growth {
                at_least: true,
                ..Growth::default()
            },
            Effect::Reads | Effect::Replaces | Effect::Removes => Growth::default(),
        }
    });
    new_keys.chain(added).fold(prefill, Growth::plus)
}

/// Whether a key may be there after the command that was not there before.
const fn makes_keys(effect: Effect) -> bool {
    match effect {
        // Of those that remove, SETEX, and SET with EX, write before they let expire.
        Effect::Replaces
        | Effect::Adds
        | Effect::AddsDistinct
        | Effect::Removes
        | Effect::Unknown => true,
        Effect::Reads => false,
    }
}

/// Bytes that a task of this command sends of what a key may hold: its values, and all else that is
/// neither a key nor the command itself. Of several keys each gets its part.
fn written(entry: &MixedCommand, value: u64) -> u64 {
    let patterns = entry.key_patterns();
    if !matches!(entry.effect(), Effect::Adds | Effect::AddsDistinct)
        && !entry
            .command
            .iter()
            .any(|word| word.contains(MixedCommand::VALUE))
    {
        // INCR, DEL and the like: next to nothing.
        return 0;
    }
    let bytes = entry
        .command
        .iter()
        .skip(1)
        .filter(|word| !patterns.contains(&word.as_str()))
        .map(|word| {
            let values = word.matches(MixedCommand::VALUE).count() as u64;
            let rest = word.len() as u64 - values * MixedCommand::VALUE.len() as u64;
            values.saturating_mul(value).saturating_add(rest)
        })
        .fold(0, u64::saturating_add);
    bytes / (patterns.len() as u64).max(1)
}

/// Whether what makes a member or a field another one is a value: else every task writes the same.
fn has_value_as_a_member(entry: &MixedCommand) -> bool {
    let is_hash = entry
        .command
        .first()
        .is_some_and(|verb| verb.to_ascii_uppercase().starts_with('H'));
    let arguments = entry.command.iter().skip(2);
    // HSET key field value field value; SADD key member member; ZADD key score member.
    let members: Vec<&String> = if is_hash {
        arguments.step_by(2).collect()
    } else {
        arguments.collect()
    };
    members
        .iter()
        .any(|word| word.contains(MixedCommand::VALUE))
}

/// So many of the tasks as a weight is of all weights, rounded up.
fn part(tasks: u64, weight: u64, all: u64) -> u64 {
    let part = (u128::from(tasks) * u128::from(weight)).div_ceil(u128::from(all.max(1)));
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// A key of this pattern beside what it holds.
const fn key(pattern: &str) -> u64 {
    KEY + pattern.len() as u64
}

/// A string of so many bytes.
fn string(bytes: u64) -> u64 {
    allocated(bytes.saturating_add(STRING))
}

/// What one mail of this payload takes in its list: about 6.2 KB for a payload of 5000 bytes.
pub(super) const fn per_task(payload: u64) -> u64 {
    per_entry(payload.saturating_add(MAIL_ENVELOPE))
}

/// What a text of so many bytes takes as an entry of a list.
const fn per_entry(bytes: u64) -> u64 {
    let entry = bytes.saturating_add(LIST_ENTRY);
    let entries = if entry < LIST_NODE_LIMIT {
        LIST_NODE_LIMIT / entry
    } else {
        1
    };
    (allocated(entries.saturating_mul(entry)).saturating_add(LIST_NODE)).div_ceil(entries)
}

/// What jemalloc gives for a request: four sizes between each power of two and the next.
const fn allocated(bytes: u64) -> u64 {
    if bytes <= 128 {
        return bytes.next_multiple_of(16);
    }
    let spacing = 1_u64 << ((bytes - 1).ilog2() - 2);
    match bytes.checked_next_multiple_of(spacing) {
        Some(size) => size,
        None => u64::MAX,
    }
}

#[cfg(test)]
#[path = "growth_tests.rs"]
mod tests;
