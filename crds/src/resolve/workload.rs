//! What a task does, with every default filled in.

use redyno_contract::plan;

use super::Problems;
use crate::spec::{
    Commands, Distribution, Expectation, Fetch, Keyspace, MixedCommand, ObjectGraph, Prefill,
    Workload,
};

/// The workload, and the application's CPU per task.
pub(super) fn resolve(
    field: &str,
    workload: &Workload,
    problems: &mut Problems,
) -> Option<(plan::Workload, u32)> {
    let Workload {
        object_graph,
        commands,
        application_cpu_microseconds,
    } = workload;
    let application_cpu_microseconds = problems.natural(
        &format!("{field}.applicationCpuMicroseconds"),
        *application_cpu_microseconds,
    );
    let workload = match (object_graph, commands) {
        (Some(graph), None) => {
            let field = format!("{field}.objectGraph");
            plan::Workload::ObjectGraph(self::object_graph(&field, graph, problems))
        }
        (None, Some(commands)) => {
            let field = format!("{field}.commands");
            plan::Workload::Commands(self::commands(&field, commands, problems))
        }
        (Some(_), Some(_)) | (None, None) => {
            problems.add(field, "exactly one of objectGraph and commands");
            return None;
        }
    };
    Some((workload, application_cpu_microseconds))
}

fn object_graph(field: &str, graph: &ObjectGraph, problems: &mut Problems) -> plan::ObjectGraph {
    let ObjectGraph {
        max_flats,
        item_payload_bytes,
        fetch,
        prefill,
    } = graph;
    plan::ObjectGraph {
        max_flats: problems.natural(&format!("{field}.maxFlats"), *max_flats),
        item_payload_bytes: problems
            .natural(&format!("{field}.itemPayloadBytes"), *item_payload_bytes),
        fetch: match fetch {
            Fetch::Lua => plan::Fetch::Lua,
            Fetch::Hgetall => plan::Fetch::Hgetall,
        },
        prefill: self::prefill(*prefill),
    }
}

fn commands(field: &str, commands: &Commands, problems: &mut Problems) -> plan::Commands {
    let Commands {
        keyspace,
        value_bytes,
        prefill,
        mix,
    } = commands;
    let Keyspace {
        prefix,
        keys,
        distribution,
        zipf_exponent_percent,
    } = keyspace;
    let keyspace = plan::Keyspace {
        prefix: prefix
            .clone()
            .unwrap_or_else(plan::Keyspace::default_prefix),
        keys: problems.natural(&format!("{field}.keyspace.keys"), *keys),
        distribution: match distribution {
            Distribution::Uniform => plan::Distribution::Uniform,
            Distribution::Zipf => plan::Distribution::Zipf {
                exponent_percent: problems.natural(
                    &format!("{field}.keyspace.zipfExponentPercent"),
                    zipf_exponent_percent.unwrap_or(Keyspace::DEFAULT_EXPONENT_PERCENT),
                ),
            },
        },
    };
    let all_stay = *prefill == Prefill::Full && !mix.iter().any(takes_keys_away);
    let mix = mix
        .iter()
        .enumerate()
        .map(|(position, entry)| {
            let MixedCommand {
                name,
                weight,
                command,
                expect,
            } = entry;
            plan::MixedCommand {
                name: name.clone(),
                weight: problems.natural(&format!("{field}.mix[{position}].weight"), *weight),
                command: command.clone(),
                expect: match expect {
                    Some(Expectation::Hit) => plan::Expectation::Hit,
                    None if all_stay && is_get_of_a_key(command) => {
                        plan::Expectation::HitUnlessEvicted
                    }
                    Some(Expectation::Any) | None => plan::Expectation::Any,
                },
            }
        })
        .collect();
    let resolved = plan::Commands {
        keyspace,
        value_bytes: problems.natural(&format!("{field}.valueBytes"), *value_bytes),
        prefill: self::prefill(*prefill),
        mix,
    };
    for (position, entry) in resolved.mix.iter().enumerate() {
        if let Some(key) = entry.key_made_of_a_value() {
            problems.add(
                format!("{field}.mix[{position}].command"),
                format!(
                    "the key {key} is made of a value, so nobody could remove it after the run: use {{key}}"
                ),
            );
        }
    }
    if resolved.prefill == plan::Prefill::Full {
        if let Some((pattern, string, other)) = resolved.contradiction() {
            let verb =
                |entry: &plan::MixedCommand| entry.command.first().cloned().unwrap_or_default();
            problems.add(
                format!("{field}.prefill"),
                format!(
                    "Full writes strings, and {pattern} is a string for {} but not for {}: give one of them keys of its own, such as other:{pattern}",
                    verb(string),
                    verb(other),
                ),
            );
        } else if resolved.filled_patterns().is_empty() && !resolved.key_patterns().is_empty() {
            problems.add(
                format!("{field}.prefill"),
                "Full writes strings, and no command of the mix uses its keys as strings: Empty is what is possible",
            );
        }
    }
    resolved
}

fn is_get_of_a_key(command: &[String]) -> bool {
    matches!(command, [verb, key] if verb.eq_ignore_ascii_case("GET") && key.contains(plan::MixedCommand::KEY))
}

/// Whether a key that was there before this command may not be there after it, or a while later.
/// Of a script nobody knows.
fn takes_keys_away(entry: &MixedCommand) -> bool {
    const BY_THEIR_NAME: &[&str] = &[
        "DEL",
        "UNLINK",
        "GETDEL",
        "GETEX",
        "EXPIRE",
        "PEXPIRE",
        "EXPIREAT",
        "PEXPIREAT",
        "SETEX",
        "PSETEX",
        "RENAME",
        "RENAMENX",
        "MOVE",
        "RESTORE",
        "EVAL",
        "EVALSHA",
        "FCALL",
    ];
    const BY_AN_OPTION: &[&str] = &["EX", "PX", "EXAT", "PXAT"];
    let Some((verb, arguments)) = entry.command.split_first() else {
        return false;
    };
    let is_one_of =
        |word: &str, words: &[&str]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
    is_one_of(verb, BY_THEIR_NAME)
        || verb.eq_ignore_ascii_case("SET")
            && arguments.iter().any(|word| is_one_of(word, BY_AN_OPTION))
}

const fn prefill(prefill: Prefill) -> plan::Prefill {
    match prefill {
        Prefill::Full => plan::Prefill::Full,
        Prefill::Empty => plan::Prefill::Empty,
    }
}
