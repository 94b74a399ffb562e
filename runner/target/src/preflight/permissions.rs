//! Trying every command that this run will use, on keys that are its own, so that nobody learns of
//! a missing permission in the middle of a test. Nothing is asked for that this run does not need.

use std::collections::BTreeSet;

use redis::aio::ConnectionLike;
use redis::{Cmd, Value};
use redyno_contract::Plan;
use redyno_contract::message::Refusal;
use redyno_contract::plan::{DynoName, Fetch, Flush, Keyspace, Workload};

use crate::connect::{ConnectOptions, Connection};
use crate::keys::{BuildingKeys, COORDINATION_PREFIX, DISPOSABLE, LOCK, RunKeys, rehearsal};
use crate::preflight::refused::{Refused, of_reply};
use crate::preflight::{enter, mix};
use crate::target::Target;
use crate::words::presentable;

/// What is tried lives no longer than this, in seconds, whatever happens to us.
const LIFETIME: u32 = 30;

/// Lua as short as it gets, and its digest.
const SCRIPT: &str = "return 1";
const DIGEST: &str = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";

/// One command that is tried.
#[derive(Debug)]
pub(super) struct Attempt {
    /// What it is called in a message.
    pub(super) name: String,
    /// The rule that allows it.
    pub(super) rule: String,
    /// The rules that allow its keys, as far as they are known.
    pub(super) keys: Vec<String>,
    /// The command itself.
    pub(super) command: Cmd,
    /// Whether somebody wrote it into a mix.
    pub(super) of_mix: bool,
}

/// The rules of an ACL that a user needs for this run and no more, such as `+get` and `~redyno:*`.
pub fn least_rights(plan: &Plan) -> Vec<String> {
    let attempts = attempts(plan);
    let tried_in_a_transaction = mix::attempts(plan);
    let multi = (!tried_in_a_transaction.is_empty()).then(|| "+multi".to_owned());
    // A flush cannot be tried: it is refused when it is to be done.
    let flushing: &[&str] = match enter::flush(plan.target.kind) {
        Flush::None | Flush::RunKeys => &[],
        Flush::Database => &["+flushdb"],
        Flush::AllDatabases => &["+flushall", "+select"],
    };
    let rules: BTreeSet<String> = attempts
        .into_iter()
        .chain(tried_in_a_transaction)
        .flat_map(|attempt| std::iter::once(attempt.rule).chain(attempt.keys))
        .chain(multi)
        .chain(flushing.iter().map(|rule| (*rule).to_owned()))
        .collect();
    rules.into_iter().collect()
}

/// Tries the commands.
pub(super) async fn check(
    connection: &mut Connection,
    target: &Target,
    plan: &Plan,
) -> Result<(), Refused> {
    let own = attempts(plan);
    let mut pipeline = redis::pipe();
    for attempt in &own {
        pipeline.add_command(attempt.command.clone());
    }
    let replies = connection
        .req_packed_commands(&pipeline, 0, own.len())
        .await?;
    let mut missing = Missing::default();
    for (attempt, reply) in own.iter().zip(&replies) {
        missing.take(attempt, reply);
    }
    let of_mixes = mix::attempts(plan);
    if !of_mixes.is_empty() {
        // Of its own, so that its end discards whatever is queued: not everybody may DISCARD.
        let mut trying = target
            .connect(&ConnectOptions::patient("redyno-preflight-mix"))
            .await?;
        for (attempt, reply) in mix::tried(&mut trying, &of_mixes).await? {
            missing.take(attempt, &reply);
        }
    }
    missing.refusal(target).map_or(Ok(()), Err)
}

/// What the run does beside the commands of its mixes.
fn attempts(plan: &Plan) -> Vec<Attempt> {
    let keys = RunKeys::new(&plan.run.uid);
    let claim = |index| {
        keys.claim(&DynoName {
            index,
            ..rehearsal()
        })
    };
    let coordination = format!("~{COORDINATION_PREFIX}*");
    let mut all = Vec::new();
    let mut attempt = |name: &str, keys: &str, arguments: &[&str]| {
        let mut command = Cmd::new();
        for word in name.split(' ').chain(arguments.iter().copied()) {
            command.arg(word);
        }
        all.push(Attempt {
            name: name.to_owned(),
            rule: format!("+{}", name.to_lowercase().replace(' ', "|")),
            keys: (!keys.is_empty())
                .then(|| keys.to_owned())
                .into_iter()
                .collect(),
            command,
            of_mix: false,
        });
    };
    let lifetime = LIFETIME.to_string();
    let (text, renamed, hash) = (claim(0), claim(1), claim(2));
    attempt("PING", "", &[]);
    attempt("TIME", "", &[]);
    attempt("INFO", "", &["server"]);
    attempt("SET", &coordination, &[&text, "1", "EX", &lifetime]);
    attempt("GET", &coordination, &[&text]);
    attempt("RENAME", &coordination, &[&text, &renamed]);
    attempt("HSET", &coordination, &[&hash, "field", "1"]);
    attempt("EXPIRE", &coordination, &[&hash, &lifetime]);
    attempt("HGET", &coordination, &[&hash, "field"]);
    attempt("HLEN", &coordination, &[&hash]);
    attempt("HDEL", &coordination, &[&hash, "field"]);
    attempt("UNLINK", &coordination, &[&text, &renamed, &hash]);
    attempt("GET", &coordination, &[LOCK]);
    attempt("PTTL", &coordination, &[LOCK]);
    attempt("EVAL", "", &[SCRIPT, "0"]);
    if flushes(plan) {
        attempt("DBSIZE", "", &[]);
        attempt("SCAN", "", &["0", "COUNT", "1"]);
        attempt("GET", &coordination, &[DISPOSABLE]);
    }
    let graphs = || {
        plan.formation
            .iter()
            .filter_map(|dynos| match &dynos.workload {
                Workload::ObjectGraph(graph) => Some(graph),
                Workload::Commands(_) => None,
            })
    };
    if graphs().any(|graph| graph.fetch == Fetch::Lua) {
        attempt("SCRIPT LOAD", "", &[SCRIPT]);
        attempt("EVALSHA", "", &[DIGEST, "0"]);
    }
    if graphs().next().is_some() {
        let building = BuildingKeys::new(&plan.run.uid, &rehearsal(), 0);
        let data = format!("~{}*", Keyspace::DEFAULT_PREFIX);
        let root = building.root();
        let (flats, mail) = (building.flats(), building.mail("000000000000"));
        // Last: whoever may not EXEC leaves a transaction open on an old server.
        attempt("HGETALL", &data, &[&flats]);
        attempt("GET", &data, &[root]);
        attempt("MULTI", "", &[]);
        attempt("SET", &data, &[root, "1", "EX", &lifetime]);
        // Whoever may not UNLINK leaves them: they go by themselves.
        attempt("RPUSH", &data, &[&mail, "1"]);
        attempt("EXPIRE", &data, &[&mail, &lifetime]);
        attempt("HSET", &data, &[&flats, "field", "1"]);
        attempt("EXPIRE", &data, &[&flats, &lifetime]);
        attempt("EXEC", "", &[]);
        attempt("UNLINK", &data, &[root, &mail, &flats]);
    }
    all
}

fn is_absent(detail: &str) -> bool {
    detail.contains("unknown command") || detail.contains("unknown subcommand")
}

/// Whether anything is flushed before the run.
fn flushes(plan: &Plan) -> bool {
    matches!(
        enter::flush(plan.target.kind),
        Flush::Database | Flush::AllDatabases
    )
}

/// What the attempts came to.
#[derive(Debug, Default)]
struct Missing {
    /// Names and rules of commands that the user may not run.
    commands: BTreeSet<(String, String)>,
    /// Rules of keys or channels that the user may not use.
    keys: BTreeSet<String>,
    /// Rules of keys of which nobody knows: their commands were denied.
    unknown_keys: BTreeSet<String>,
    /// Rules of keys that a command could use.
    usable_keys: BTreeSet<String>,
    /// Commands that the server does not have.
    absent: BTreeSet<String>,
    other: Option<Refused>,
}

impl Missing {
    fn take(&mut self, attempt: &Attempt, reply: &Value) {
        let Value::ServerError(error) = reply else {
            self.usable_keys.extend(attempt.keys.iter().cloned());
            return;
        };
        let detail = error.details().unwrap_or_default();
        match error.code() {
            "NOPERM" => self.take_denial(attempt, detail),
            // Of an EXEC that may not be run, this is all that is said of it.
            "EXECABORT" if attempt.name == "EXEC" && detail.contains("NOPERM") => {
                self.take_denial(attempt, detail);
            }
            "ERR" if is_absent(detail) && attempt.of_mix => {
                self.other.get_or_insert_with(|| {
                    Refused::new(
                        Refusal::PermissionDenied,
                        format!("{}: the target does not have it", attempt.name),
                    )
                });
            }
            "ERR" if is_absent(detail) => {
                self.absent.insert(attempt.name.clone());
            }
            // Consequences of what is denied or absent, which has been named; a wrong type is a key
            // that may be used, and the marker may be of any.
            "EXECABORT" | "NOSCRIPT" | "WRONGTYPE" => {}
            "ERR" if detail.contains("without MULTI") => {}
            // A target that is full may have evicted it a moment after it was written.
            "ERR" if detail.contains("no such key") => {}
            // It cannot be tried so, and may work even so.
            "ERR" if detail.contains("inside") && detail.contains("transaction") => {}
            code => {
                let Refused { reason, message } = of_reply(code, detail);
                let message = if code == "ERR" {
                    format!("{}: {}", attempt.name, presentable(detail, None))
                } else {
                    format!("{}: {message}", attempt.name)
                };
                self.other
                    .get_or_insert_with(|| Refused::new(reason, message));
            }
        }
    }

    fn take_denial(&mut self, attempt: &Attempt, detail: &str) {
        if detail.contains("permissions to run") {
            // Redis names the subcommand, too, where that is what is missing.
            let named = detail.split('\'').nth(1).map(|name| format!("+{name}"));
            let rule = named.unwrap_or_else(|| attempt.rule.clone());
            self.commands.insert((attempt.name.clone(), rule));
            self.unknown_keys.extend(attempt.keys.iter().cloned());
        } else {
            self.keys.extend(attempt.keys.iter().cloned());
            if attempt.keys.is_empty() {
                self.keys
                    .insert("the keys of its own in the mix".to_owned());
            }
        }
    }

    fn refusal(self, target: &Target) -> Option<Refused> {
        let Self {
            commands,
            mut keys,
            unknown_keys,
            usable_keys,
            absent,
            other,
        } = self;
        keys.extend(unknown_keys.difference(&usable_keys).cloned());
        let names: BTreeSet<&str> = commands.iter().map(|(name, _)| name.as_str()).collect();
        let rules: BTreeSet<&str> = commands
            .iter()
            .map(|(_, rule)| rule.as_str())
            .chain(keys.iter().map(String::as_str))
            .collect();
        let list =
            |words: BTreeSet<&str>, between| words.into_iter().collect::<Vec<_>>().join(between);
        if !rules.is_empty() {
            let what = if names.is_empty() {
                "use the run's keys".to_owned()
            } else {
                format!("run {}", list(names, ", "))
            };
            let grants = target.presentable(&list(rules, " "));
            return Some(Refused::new(
                Refusal::PermissionDenied,
                format!("the URL's user may not {what}: grant it {grants}"),
            ));
        }
        if !absent.is_empty() {
            let absent = absent.iter().map(String::as_str).collect();
            return Some(Refused::new(
                Refusal::PermissionDenied,
                format!(
                    "the target does not have {}: the run needs it, but it was renamed or removed",
                    list(absent, ", "),
                ),
            ));
        }
        other
    }
}
