//! Trying the commands of a mix without carrying them out: queued in a transaction that is then
//! given up. What is queued is looked at as if it were run: whether it exists, whether it has
//! the arguments that it needs, whether this user may run it on these keys.

use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, Value};
use redyno_contract::Plan;
use redyno_contract::message::Refusal;
use redyno_contract::plan::{Commands, Flush, MixedCommand, Prefill, TargetKind, Workload};

use crate::connect::Connection;
use crate::keys::{access_pattern, keyspace_prefix};
use crate::preflight::permissions::Attempt;
use crate::preflight::refused::Refused;

/// What the mixes of the plan do to their keys.
pub(super) fn attempts(plan: &Plan) -> Vec<Attempt> {
    let mut all = Vec::new();
    for dynos in &plan.formation {
        let Workload::Commands(commands) = &dynos.workload else {
            continue;
        };
        let Commands {
            keyspace,
            value_bytes: _,
            prefill,
            mix,
        } = commands;
        let key = format!(
            "{}0",
            keyspace_prefix(&plan.run.uid, &dynos.dyno_type, keyspace)
        );
        let mut attempt = |name: String, words: &[&str], patterns: &[&str]| {
            let mut command = Cmd::new();
            for word in words {
                command.arg(filled(word, &key, "1"));
            }
            let verb = words.first().copied().unwrap_or_default();
            all.push(Attempt {
                name,
                rule: format!("+{}", verb.to_lowercase()),
                keys: patterns
                    .iter()
                    .map(|pattern| format!("~{}", access_pattern(keyspace, pattern)))
                    .collect(),
                command,
                of_mix: true,
            });
        };
        for entry in mix {
            let words: Vec<&str> = entry.command.iter().map(String::as_str).collect();
            let verb = words.first().copied().unwrap_or_default();
            let (name, dyno_type) = (&entry.name, &dynos.dyno_type);
            attempt(
                format!("command {name} of type {dyno_type} ({verb})"),
                &words,
                &entry.key_patterns(),
            );
        }
        if *prefill == Prefill::Full {
            for pattern in commands.filled_patterns() {
                attempt("SET".to_owned(), &["SET", pattern, "1"], &[pattern]);
            }
        }
        if removes_keys(plan) {
            for pattern in commands.key_patterns() {
                attempt("UNLINK".to_owned(), &["UNLINK", pattern], &[pattern]);
            }
        }
    }
    all
}

/// Whether the run takes its data away again.
fn removes_keys(plan: &Plan) -> bool {
    matches!(
        plan.target.kind,
        TargetKind::Existing {
            flush: Flush::RunKeys
        }
    )
}

fn filled(word: &str, key: &str, value: &str) -> String {
    word.replace(MixedCommand::KEY, key)
        .replace(MixedCommand::VALUE, value)
}

/// What became of each attempt on this connection, which is of no use afterwards. Nothing where the
/// server has no transactions: then the run itself will tell.
pub(super) async fn tried<'a>(
    connection: &mut Connection,
    attempts: &'a [Attempt],
) -> Result<Vec<(&'a Attempt, Value)>, Refused> {
    // Alone: outside of a transaction the others would be carried out.
    let begun = connection.req_packed_command(&redis::cmd("MULTI")).await;
    match begun.and_then(Value::extract_error) {
        Ok(_) => {}
        Err(error) if error.code() == Some("NOPERM") => {
            return Err(Refused::new(
                Refusal::PermissionDenied,
                "the URL's user may not run MULTI, in which the commands of a mix are tried: grant it +multi",
            ));
        }
        Err(error) if error.kind() == ErrorKind::Io => return Err(error.into()),
        Err(_) => return Ok(Vec::new()),
    }
    let mut pipeline = redis::pipe();
    for attempt in attempts {
        pipeline.add_command(attempt.command.clone());
    }
    let replies = connection
        .req_packed_commands(&pipeline, 0, attempts.len())
        .await?;
    Ok(attempts.iter().zip(replies).collect())
}
