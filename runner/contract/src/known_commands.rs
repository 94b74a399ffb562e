//! What is known of Redis' commands: where their keys stand, what these keys hold, and what a
//! command does to them.
//!
//! Everything that has to know which words of a mix are keys asks here: filling, removing, the
//! check of permissions, the forecast of memory. Of a command that does not stand in the table (a
//! module's, a newer one) every word that contains `{key}` is taken for a key: what is removed, is
//! asked permission for, and is counted is then too much rather than too little.

/// What the keys of a command hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A string, as the prefill writes it.
    String,
    /// A hash, a list, a set, a sorted set, a stream, a `HyperLogLog`, or a value of a module: where a
    /// string is, the command fails.
    Other,
    /// Whatever there is: the command looks at the key alone.
    Anything,
}

/// What a command does to the memory that its keys take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Reads,
    /// A key holds one value, whatever it held before.
    Replaces,
    /// Every task adds what it writes.
    Adds,
    /// What a task writes is added unless the key holds it already.
    AddsDistinct,
    /// It takes away, or lets something expire.
    Removes,
    /// Nobody can tell.
    Unknown,
}

/// Where the keys of a command stand among its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Places {
    /// It has none.
    Nowhere,
    /// The first argument.
    First,
    /// The first two arguments.
    FirstTwo,
    /// The second argument, behind a subcommand.
    Second,
    /// Every argument.
    All,
    /// Every argument but the first.
    AllButFirst,
    /// The first argument and every second one after it: values stand between.
    EverySecond,
    /// So many as the argument at this place says, right behind it.
    Counted(usize),
    /// The first argument, and so many as the second one says, right behind that.
    FirstAndCounted,
    /// The first argument, and the one behind STORE or STOREDIST.
    FirstAndStored,
    /// The first half of what stands behind STREAMS.
    BehindStreams,
}

use Effect::{Adds, AddsDistinct, Reads, Removes, Replaces, Unknown};
use Holds::{Anything, Other};
use Places::{
    All, AllButFirst, BehindStreams, Counted, EverySecond, First, FirstAndCounted, FirstAndStored,
    FirstTwo, Nowhere, Second,
};

/// All commands of Redis 8 and Valkey 9 that a mix may have.
const TABLE: &[(Places, Holds, Effect, &[&str])] = &[
    // Of no key.
    (
        Nowhere,
        Anything,
        Reads,
        &[
            "COMMAND",
            "DBSIZE",
            "ECHO",
            "INFO",
            "KEYS",
            "LASTSAVE",
            "LATENCY",
            "LOLWUT",
            "PING",
            "PUBLISH",
            "PUBSUB",
            "RANDOMKEY",
            "ROLE",
            "SCAN",
            "SLOWLOG",
            "SPUBLISH",
            "TIME",
        ],
    ),
    // Of any key.
    (
        First,
        Anything,
        Reads,
        &[
            "DUMP",
            "EXPIRETIME",
            "PERSIST",
            "PEXPIRETIME",
            "PTTL",
            "TTL",
            "TYPE",
        ],
    ),
    (All, Anything, Reads, &["EXISTS", "TOUCH"]),
    (Second, Anything, Reads, &["MEMORY", "OBJECT"]),
    (
        First,
        Anything,
        Removes,
        &["EXPIRE", "EXPIREAT", "MOVE", "PEXPIRE", "PEXPIREAT"],
    ),
    (All, Anything, Removes, &["DEL", "UNLINK"]),
    (FirstTwo, Anything, Removes, &["RENAME", "RENAMENX"]),
    (FirstTwo, Anything, Replaces, &["COPY"]),
    (First, Other, Unknown, &["RESTORE"]),
    (Counted(2), Anything, Unknown, &["EVAL", "EVALSHA", "FCALL"]),
    (
        Counted(2),
        Anything,
        Reads,
        &["EVALSHA_RO", "EVAL_RO", "FCALL_RO"],
    ),
    // Strings.
    (
        First,
        Holds::String,
        Reads,
        &[
            "BITCOUNT",
            "BITFIELD_RO",
            "BITPOS",
            "GET",
            "GETBIT",
            "GETRANGE",
            "STRLEN",
            "SUBSTR",
        ],
    ),
    (All, Holds::String, Reads, &["MGET"]),
    (FirstTwo, Holds::String, Reads, &["LCS"]),
    (
        First,
        Holds::String,
        Replaces,
        &[
            "BITFIELD",
            "DECR",
            "DECRBY",
            "GETSET",
            "INCR",
            "INCRBY",
            "INCRBYFLOAT",
            "SET",
            "SETBIT",
            "SETNX",
            "SETRANGE",
        ],
    ),
    (EverySecond, Holds::String, Replaces, &["MSET", "MSETNX"]),
    (AllButFirst, Holds::String, Replaces, &["BITOP"]),
    (First, Holds::String, Adds, &["APPEND"]),
    (
        First,
        Holds::String,
        Removes,
        &["DELEX", "GETDEL", "GETEX", "PSETEX", "SETEX"],
    ),
    // HyperLogLogs are strings of a form of their own.
    (First, Other, Replaces, &["PFADD"]),
    (All, Other, Reads, &["PFCOUNT"]),
    (All, Other, Replaces, &["PFMERGE"]),
    // Hashes.
    (
        First,
        Other,
        Reads,
        &[
            "HEXISTS",
            "HEXPIRETIME",
            "HGET",
            "HGETALL",
            "HKEYS",
            "HLEN",
            "HMGET",
            "HPERSIST",
            "HPEXPIRETIME",
            "HPTTL",
            "HRANDFIELD",
            "HSCAN",
            "HSTRLEN",
            "HTTL",
            "HVALS",
        ],
    ),
    (First, Other, AddsDistinct, &["HMSET", "HSET", "HSETNX"]),
    (First, Other, Replaces, &["HINCRBY", "HINCRBYFLOAT"]),
    (
        First,
        Other,
        Removes,
        &[
            "HDEL",
            "HEXPIRE",
            "HEXPIREAT",
            "HGETDEL",
            "HGETEX",
            "HPEXPIRE",
            "HPEXPIREAT",
            "HSETEX",
        ],
    ),
    // Lists.
    (First, Other, Reads, &["LINDEX", "LLEN", "LPOS", "LRANGE"]),
    (
        First,
        Other,
        Adds,
        &["LINSERT", "LPUSH", "LPUSHX", "RPUSH", "RPUSHX"],
    ),
    (First, Other, Replaces, &["LSET"]),
    (First, Other, Removes, &["LPOP", "LREM", "LTRIM", "RPOP"]),
    (FirstTwo, Other, Removes, &["LMOVE", "RPOPLPUSH"]),
    (Counted(1), Other, Removes, &["LMPOP"]),
    (
        FirstAndStored,
        Other,
        Replaces,
        &["GEORADIUS", "GEORADIUSBYMEMBER", "SORT"],
    ),
    (First, Other, Reads, &["SORT_RO"]),
    // Sets.
    (
        First,
        Other,
        Reads,
        &[
            "SCARD",
            "SISMEMBER",
            "SMEMBERS",
            "SMISMEMBER",
            "SRANDMEMBER",
            "SSCAN",
        ],
    ),
    (First, Other, AddsDistinct, &["SADD"]),
    (First, Other, Removes, &["SPOP", "SREM"]),
    (FirstTwo, Other, Removes, &["SMOVE"]),
    (All, Other, Reads, &["SDIFF", "SINTER", "SUNION"]),
    (
        All,
        Other,
        Replaces,
        &["SDIFFSTORE", "SINTERSTORE", "SUNIONSTORE"],
    ),
    (Counted(1), Other, Reads, &["SINTERCARD"]),
    // Sorted sets, and places on the globe, which are kept in them.
    (
        First,
        Other,
        Reads,
        &[
            "GEODIST",
            "GEOHASH",
            "GEOPOS",
            "GEORADIUSBYMEMBER_RO",
            "GEORADIUS_RO",
            "GEOSEARCH",
            "ZCARD",
            "ZCOUNT",
            "ZLEXCOUNT",
            "ZMSCORE",
            "ZRANDMEMBER",
            "ZRANGE",
            "ZRANGEBYLEX",
            "ZRANGEBYSCORE",
            "ZRANK",
            "ZREVRANGE",
            "ZREVRANGEBYLEX",
            "ZREVRANGEBYSCORE",
            "ZREVRANK",
            "ZSCAN",
            "ZSCORE",
        ],
    ),
    (First, Other, AddsDistinct, &["GEOADD", "ZADD", "ZINCRBY"]),
    (
        First,
        Other,
        Removes,
        &[
            "ZPOPMAX",
            "ZPOPMIN",
            "ZREM",
            "ZREMRANGEBYLEX",
            "ZREMRANGEBYRANK",
            "ZREMRANGEBYSCORE",
        ],
    ),
    (
        FirstTwo,
        Other,
        Replaces,
        &["GEOSEARCHSTORE", "ZRANGESTORE"],
    ),
    (
        Counted(1),
        Other,
        Reads,
        &["ZDIFF", "ZINTER", "ZINTERCARD", "ZUNION"],
    ),
    (Counted(1), Other, Removes, &["ZMPOP"]),
    (
        FirstAndCounted,
        Other,
        Replaces,
        &["ZDIFFSTORE", "ZINTERSTORE", "ZUNIONSTORE"],
    ),
    // Streams.
    (
        First,
        Other,
        Reads,
        &["XACK", "XLEN", "XPENDING", "XRANGE", "XREVRANGE"],
    ),
    (First, Other, Adds, &["XADD"]),
    (
        First,
        Other,
        Removes,
        &[
            "XACKDEL",
            "XAUTOCLAIM",
            "XCLAIM",
            "XDEL",
            "XDELEX",
            "XSETID",
            "XTRIM",
        ],
    ),
    (Second, Other, Replaces, &["XGROUP"]),
    (Second, Other, Reads, &["XINFO"]),
    (BehindStreams, Other, Reads, &["XREAD", "XREADGROUP"]),
];

/// Options behind which a value expires, or a stream is cut.
const OPTIONS_THAT_REMOVE: &[(&str, &[&str])] = &[
    ("SET", &["EX", "PX", "EXAT", "PXAT"]),
    ("XADD", &["MAXLEN", "MINID"]),
];

/// What is known of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    places: Places,
    pub(crate) holds: Holds,
    pub(crate) effect: Effect,
}

/// What is known of a command with these words; None if it does not stand in the table.
pub(crate) fn known(words: &[String]) -> Option<Known> {
    let verb = words.first()?;
    let (places, holds, effect, _) = TABLE
        .iter()
        .find(|(_, _, _, names)| names.iter().any(|name| verb.eq_ignore_ascii_case(name)))?;
    let removes = OPTIONS_THAT_REMOVE.iter().any(|(name, options)| {
        verb.eq_ignore_ascii_case(name)
            && words[1..].iter().any(|word| {
                options
                    .iter()
                    .any(|option| word.eq_ignore_ascii_case(option))
            })
    });
    Some(Known {
        places: *places,
        holds: *holds,
        effect: if removes { Removes } else { *effect },
    })
}

impl Known {
    /// The words at the places of keys; the first of the words is the command itself.
    pub(crate) fn keys<'a>(&self, words: &'a [String]) -> Vec<&'a String> {
        let arguments = words.get(1..).unwrap_or_default();
        let counted = |at: usize| {
            let count = arguments
                .get(at)
                .and_then(|count| count.parse().ok())
                .unwrap_or(0);
            arguments.iter().skip(at + 1).take(count)
        };
        match self.places {
            Nowhere => Vec::new(),
            First => arguments.iter().take(1).collect(),
            FirstTwo => arguments.iter().take(2).collect(),
            Second => arguments.iter().skip(1).take(1).collect(),
            All => arguments.iter().collect(),
            AllButFirst => arguments.iter().skip(1).collect(),
            EverySecond => arguments.iter().step_by(2).collect(),
            Counted(place) => counted(place - 1).collect(),
            FirstAndCounted => arguments.iter().take(1).chain(counted(1)).collect(),
            FirstAndStored => {
                let stored = arguments.windows(2).filter_map(|pair| match pair {
                    [option, key]
                        if option.eq_ignore_ascii_case("STORE")
                            || option.eq_ignore_ascii_case("STOREDIST") =>
                    {
                        Some(key)
                    }
                    _ => None,
                });
                arguments.iter().take(1).chain(stored).collect()
            }
            BehindStreams => {
                let behind = arguments
                    .iter()
                    .position(|word| word.eq_ignore_ascii_case("STREAMS"))
                    .map_or(&arguments[..0], |at| &arguments[at + 1..]);
                behind.iter().take(behind.len() / 2).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn no_command_stands_in_the_table_twice() {
        let mut seen = HashSet::new();
        for name in TABLE.iter().flat_map(|(_, _, _, names)| *names) {
            assert!(seen.insert(name), "{name}");
            assert_eq!(*name, name.to_ascii_uppercase());
        }
    }

    #[test]
    fn keys_are_found_where_redis_looks_for_them() {
        for (line, expected) in [
            ("PING", &[][..]),
            ("ECHO k", &[]),
            ("get k", &["k"]),
            ("GET", &[]),
            ("SADD k member", &["k"]),
            ("MGET a b c", &["a", "b", "c"]),
            ("MSET a 1 b 2", &["a", "b"]),
            ("COPY a b REPLACE", &["a", "b"]),
            ("OBJECT ENCODING k", &["k"]),
            ("BITOP AND to a b", &["to", "a", "b"]),
            ("EVAL script 2 a b c", &["a", "b"]),
            ("EVAL script 0 a", &[]),
            ("EVAL script many a", &[]),
            ("EVAL script 9 a", &["a"]),
            ("ZUNION 2 a b WEIGHTS 1 2", &["a", "b"]),
            ("ZUNIONSTORE to 2 a b WEIGHTS 1 2", &["to", "a", "b"]),
            ("SORT k LIMIT 0 5 store to", &["k", "to"]),
            ("XREAD COUNT 1 STREAMS a b 0 0", &["a", "b"]),
            ("XREAD COUNT 1", &[]),
        ] {
            let words = words(line);
            assert_eq!(known(&words).unwrap().keys(&words), expected, "{line}");
        }
        assert_eq!(known(&words("JSON.SET k $ 1")), None);
        assert_eq!(known(&[]), None);
    }

    #[test]
    fn what_expires_or_is_cut_is_taken_away() {
        for (line, effect) in [
            ("SET k v", Replaces),
            ("SET k v ex 5", Removes),
            ("SET k v NX", Replaces),
            ("XADD k * a b", Adds),
            ("XADD k MAXLEN ~ 100 * a b", Removes),
            ("LPUSH k v", Adds),
            ("GET k", Reads),
        ] {
            assert_eq!(known(&words(line)).unwrap().effect, effect, "{line}");
        }
    }
}
