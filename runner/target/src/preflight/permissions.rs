//! Trying every command that the run will use, on keys that are its own, so that nobody learns of
//! a missing permission in the middle of a test.

use redis::aio::ConnectionLike;
use redis::{Pipeline, Value};
use redyno_contract::message::Refusal;
use redyno_contract::plan::DynoName;

use crate::connect::Connection;
use crate::keys::{BuildingKeys, DISPOSABLE, LOCK, RunKeys, rehearsal};
use crate::preflight::refused::{Refused, of_reply};

/// What is tried lives no longer than this, in seconds, whatever happens to us.
const LIFETIME: u32 = 30;

/// Lua as short as it gets, and its digest.
const SCRIPT: &str = "return 1";
const DIGEST: &str = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";

/// Tries the commands.
pub(super) async fn check(
    connection: &mut Connection,
    uid: &str,
    flushes: bool,
) -> Result<(), Refused> {
    let (names, commands) = commands(uid, flushes);
    let replies = connection
        .req_packed_commands(&commands, 0, names.len())
        .await?;
    judge(names.into_iter().zip(replies.iter()))
}

/// The commands and what they are called in an access rule.
fn commands(uid: &str, flushes: bool) -> (Vec<&'static str>, Pipeline) {
    let keys = RunKeys::new(uid);
    let claim = |index| {
        keys.claim(&DynoName {
            index,
            ..rehearsal()
        })
    };
    let (text, renamed, hash) = (claim(0), claim(1), claim(2));
    let building = BuildingKeys::new(uid, &rehearsal(), 0);
    let (root, flats, mail) = (
        building.root().to_owned(),
        building.flats(),
        building.mail("000000000000"),
    );
    let mut names = Vec::new();
    let mut pipeline = redis::pipe();
    let mut attempt = |name: &'static str, arguments: &[&str]| {
        names.push(name);
        let (command, subcommand) = name.split_once(' ').unwrap_or((name, ""));
        pipeline.cmd(command);
        if !subcommand.is_empty() {
            pipeline.arg(subcommand);
        }
        for argument in arguments {
            pipeline.arg(*argument);
        }
    };
    let lifetime = LIFETIME.to_string();
    attempt("PING", &[]);
    attempt("TIME", &[]);
    attempt("INFO", &["server"]);
    attempt("SET", &[&text, "1", "EX", &lifetime]);
    attempt("GET", &[&text]);
    attempt("RENAME", &[&text, &renamed]);
    attempt("HSET", &[&hash, "field", "1"]);
    attempt("EXPIRE", &[&hash, &lifetime]);
    attempt("HGET", &[&hash, "field"]);
    attempt("HLEN", &[&hash]);
    attempt("HDEL", &[&hash, "field"]);
    attempt("UNLINK", &[&text, &renamed, &hash]);
    attempt("GET", &[LOCK]);
    attempt("PTTL", &[LOCK]);
    attempt("MULTI", &[]);
    attempt("SET", &[&root, "1", "EX", &lifetime]);
    attempt("RPUSH", &[&mail, "1"]);
    attempt("HSET", &[&flats, "field", "1"]);
    attempt("EXEC", &[]);
    attempt("EXPIRE", &[&mail, &lifetime]);
    attempt("EXPIRE", &[&flats, &lifetime]);
    attempt("HGETALL", &[&flats]);
    attempt("UNLINK", &[&root, &mail, &flats]);
    attempt("SCRIPT LOAD", &[SCRIPT]);
    attempt("EVAL", &[SCRIPT, "0"]);
    attempt("EVALSHA", &[DIGEST, "0"]);
    if flushes {
        attempt("DBSIZE", &[]);
        attempt("SCAN", &["0", "COUNT", "1"]);
        attempt("GET", &[DISPOSABLE]);
    }
    (names, pipeline)
}

/// Names every command that was denied; else says what else went wrong.
fn judge<'a>(attempts: impl Iterator<Item = (&'static str, &'a Value)>) -> Result<(), Refused> {
    let mut denied: Vec<&str> = Vec::new();
    let mut keys_denied = false;
    let mut unknown: Vec<&str> = Vec::new();
    let mut other = None;
    for (name, reply) in attempts {
        let Value::ServerError(error) = reply else {
            continue;
        };
        let detail = error.details().unwrap_or_default();
        match error.code() {
            "NOPERM" if !detail.contains("permissions to run") && detail.contains("key") => {
                keys_denied = true;
            }
            "NOPERM" => denied.push(name),
            "ERR" if detail.contains("unknown command") => unknown.push(name),
            // EXEC of a transaction whose commands were denied, EVALSHA of a script that was not
            // loaded: consequences. A wrong type: allowed, and the marker may be of any.
            "EXECABORT" | "NOSCRIPT" | "WRONGTYPE" => {}
            "ERR" if detail.contains("without MULTI") => {}
            // A target that is full may have evicted it a moment after it was written.
            "ERR" if detail.contains("no such key") => {}
            code => {
                if other.is_none() {
                    other = Some(of_reply(code, detail));
                }
            }
        }
    }
    for names in [&mut denied, &mut unknown] {
        names.sort_unstable();
        names.dedup();
    }
    if !denied.is_empty() {
        let grants: Vec<String> = denied
            .iter()
            .map(|name| format!("+{}", name.to_lowercase().replace(' ', "|")))
            .collect();
        return Err(Refused::new(
            Refusal::PermissionDenied,
            format!(
                "the URL's user may not run {}: grant it {}",
                denied.join(", "),
                grants.join(" "),
            ),
        ));
    }
    if keys_denied {
        return Err(Refused::new(
            Refusal::PermissionDenied,
            "the URL's user may not use the run's keys: grant it ~redyno:* and ~test:building:*",
        ));
    }
    if !unknown.is_empty() {
        return Err(Refused::new(
            Refusal::PermissionDenied,
            format!(
                "the target does not have {}: the run needs it, but it was renamed or removed",
                unknown.join(", "),
            ),
        ));
    }
    other.map_or(Ok(()), Err)
}
