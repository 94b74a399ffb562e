//! What a command of a mix may be: anything whose reply comes at once and speaks of the keys, so
//! that one connection can send the next task's command after it, and whose effect ends there.

use super::Rule;
use crate::spec::MixedCommand;

/// A rule that some commands are refused, in any case of letters.
macro_rules! refused {
    ($why:literal: $first:literal $(, $more:literal)*) => {
        Rule {
            cel: concat!(
                "self.command.size() == 0 || !(self.command[0].upperAscii() in ['",
                $first, $("', '", $more,)* "'])"
            ),
            message: concat!($why, ": ", $first, $(", ", $more,)* " are refused"),
            field: ".command",
            holds: |entry| !is_one_of(entry, &[$first $(, $more)*]),
        }
    };
}

pub(crate) const COMMAND: &[Rule<MixedCommand>] = &[
    Rule {
        cel: "self.command.size() == 0 || self.command[0].matches('^[A-Za-z][-._A-Za-z0-9]*$')",
        message: "the first word must be a command's name and nothing else, such as GET: arguments, {key} and {value} among them, are words of their own",
        field: ".command",
        holds: |entry| {
            entry.command.first().is_none_or(|first| {
                first.starts_with(|first: char| first.is_ascii_alphabetic())
                    && first.bytes().all(|byte| {
                        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
                    })
            })
        },
    },
    // A worker has one connection and one task at a time. A command that waits for somebody else
    // would measure them, and would delay every task behind it.
    refused!(
        "a command that waits for others holds up its worker":
        "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP",
        "WAIT", "WAITAOF"
    ),
    Rule {
        cel: "self.command.size() == 0 || !(self.command[0].upperAscii() in ['XREAD', 'XREADGROUP']) || !self.command.exists(word, word.upperAscii() == 'BLOCK')",
        message: "XREAD and XREADGROUP with BLOCK wait for others, which holds up their worker: leave BLOCK out",
        field: ".command",
        holds: |entry| {
            !is_one_of(entry, &["XREAD", "XREADGROUP"])
                || !entry
                    .command
                    .iter()
                    .any(|word| word.eq_ignore_ascii_case("BLOCK"))
        },
    },
    // After such a command, the replies to the next tasks would not be what they seem: they would
    // be queued, from another database, pushed by a publisher, or missing.
    refused!(
        "a command that changes its connection changes every task after it":
        "AUTH", "HELLO", "SELECT", "RESET", "QUIT", "CLIENT", "READONLY", "READWRITE", "ASKING",
        "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE",
        "MONITOR", "MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH", "SYNC", "PSYNC", "REPLCONF"
    ),
    // The run's own coordination and scripts are on that server, and often other people's data.
    // RESTORE, DEL, KEYS and scripts act on keys as the load of an application does: they may be.
    refused!(
        "a command that acts on the whole server would end the run, or harm others":
        "ACL", "BGREWRITEAOF", "BGSAVE", "CLUSTER", "CONFIG", "DEBUG", "FAILOVER", "FLUSHALL",
        "FLUSHDB", "FUNCTION", "MIGRATE", "MODULE", "REPLICAOF", "SAVE", "SCRIPT", "SHUTDOWN",
        "SLAVEOF", "SWAPDB"
    ),
];

fn is_one_of(entry: &MixedCommand, names: &[&str]) -> bool {
    entry
        .command
        .first()
        .is_some_and(|first| names.iter().any(|name| first.eq_ignore_ascii_case(name)))
}
