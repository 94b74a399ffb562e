//! Trying the commands of a mix without carrying them out: queued in a transaction that is then
//! discarded. What is queued is looked at as if it were run: whether it exists, whether it has
//! the arguments that it needs, whether this user may run it on these keys.

use redis::Value;
use redis::aio::ConnectionLike;
use redyno_contract::Plan;
use redyno_contract::message::Refusal;
use redyno_contract::plan::{Commands, DynoTypePlan, MixedCommand, Workload};

use crate::connect::Connection;
use crate::keys::keyspace_prefix;
use crate::preflight::refused::{Refused, of_reply};
use crate::words::presentable;

/// Tries the mix of every dyno type that has one.
pub(super) async fn check(connection: &mut Connection, plan: &Plan) -> Result<(), Refused> {
    for dynos in &plan.formation {
        let DynoTypePlan {
            dyno_type,
            workload: Workload::Commands(Commands { keyspace, mix, .. }),
            ..
        } = dynos
        else {
            continue;
        };
        let key = format!("{}0", keyspace_prefix(&plan.run.uid, dyno_type, keyspace));
        let mut pipeline = redis::pipe();
        pipeline.cmd("MULTI");
        for entry in mix {
            let mut words = entry.command.iter();
            pipeline.cmd(words.next().map_or("", String::as_str));
            for word in words {
                let filled = word
                    .replace(MixedCommand::KEY, &key)
                    .replace(MixedCommand::VALUE, "1");
                pipeline.arg(filled);
            }
        }
        pipeline.cmd("DISCARD");
        let replies = connection
            .req_packed_commands(&pipeline, 0, mix.len() + 2)
            .await?;
        // The reply of MULTI is the first.
        judge(dyno_type, mix.iter().zip(replies.iter().skip(1)))?;
    }
    Ok(())
}

/// Names the first command that cannot be run, and why.
fn judge<'a>(
    dyno_type: &str,
    attempts: impl Iterator<Item = (&'a MixedCommand, &'a Value)>,
) -> Result<(), Refused> {
    for (entry, reply) in attempts {
        let Value::ServerError(error) = reply else {
            continue;
        };
        let MixedCommand {
            name,
            weight: _,
            command,
            expect: _,
        } = entry;
        let verb = command.first().map_or("", String::as_str);
        let detail = error.details().unwrap_or_default();
        let denied = |what: String| Err(Refused::new(Refusal::PermissionDenied, what));
        let which = format!("command {name} of type {dyno_type} ({verb})");
        return match error.code() {
            "NOPERM" if !detail.contains("permissions to run") && detail.contains("key") => {
                denied(format!(
                    "{which}: the URL's user may not use its keys; those of {{key}} need ~test:building:*"
                ))
            }
            "NOPERM" => denied(format!(
                "{which}: the URL's user may not run it: grant it +{}",
                verb.to_lowercase()
            )),
            "ERR" if detail.contains("unknown command") => {
                denied(format!("{which}: the target does not have it"))
            }
            // It cannot be tried so, and may work even so.
            "ERR" if detail.contains("inside") && detail.contains("transaction") => continue,
            "ERR" => Err(Refused::new(
                Refusal::Other,
                format!("{which}: {}", presentable(detail, None)),
            )),
            code => Err(of_reply(code, detail)),
        };
    }
    Ok(())
}
