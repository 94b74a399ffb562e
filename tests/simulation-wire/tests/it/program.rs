//! Random commands: most as they should be, some not.

use proptest::prelude::*;

use crate::scripts::{ours, their_keys};

/// A command of one of the connections.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) connection: usize,
    pub(crate) words: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { connection, words } = self;
        write!(formatter, "{connection}:")?;
        for word in words {
            write!(formatter, " {:?}", String::from_utf8_lossy(word))?;
        }
        Ok(())
    }
}

/// What a word of a template stands for: K a key, F a field, V a value, N a number, S seconds.
const TEMPLATES: &[&str] = &[
    "PING",
    "ping V",
    "ECHO V",
    "TIME",
    "SELECT N",
    "SELECT 0",
    "SELECT 3",
    "DBSIZE",
    "FLUSHDB",
    "FLUSHALL",
    "FLUSHDB ASYNC",
    "SCAN 0 COUNT 1000",
    "CLIENT SETNAME F",
    "CLIENT GETNAME",
    "CONFIG GET maxclients",
    "CONFIG GET maxmemory",
    "MULTI",
    "MULTI",
    "EXEC",
    "EXEC",
    "DISCARD",
    "SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
    "GET K",
    "GET K",
    "SET K V",
    "SET K V",
    "SET K V EX S",
    "SET K V NX",
    "SET K V XX EX S",
    "SET K V GET",
    "SET K V KEEPTTL",
    "SET K V EX N",
    "SETEX K S V",
    "SETNX K V",
    "GETSET K V",
    "GETDEL K",
    "APPEND K V",
    "STRLEN K",
    "GETRANGE K N N",
    "INCR K",
    "DECR K",
    "INCRBY K N",
    "MGET K K",
    "MSET K V K V",
    "DEL K",
    "DEL K K",
    "UNLINK K",
    "UNLINK K K K",
    "EXISTS K K",
    "TYPE K",
    "EXPIRE K S",
    "EXPIRE K N",
    "PEXPIRE K 100000",
    "PERSIST K",
    "TTL K",
    "PTTL K",
    "RENAME K K",
    "HSET K F V",
    "HSET K F V F V",
    "HGET K F",
    "HMGET K F F",
    "HGETALL K",
    "HLEN K",
    "HDEL K F",
    "HDEL K F F",
    "HEXISTS K F",
    "HINCRBY K F N",
    "RPUSH K V",
    "LPUSH K V V",
    "RPOP K",
    "LPOP K",
    "LPOP K N",
    "LLEN K",
    "LRANGE K N N",
    "LRANGE K 0 -1",
    "LTRIM K N N",
    "SADD K F F",
    "SREM K F",
    "SCARD K",
    "SISMEMBER K F",
    "NOSUCH K F",
    "CLIENT NOSUCH",
    "QUITE",
];

/// Scripts that try what ours rely on.
const SCRIPTS: &[&str] = &[
    "return 1",
    "return {1, 'two', {3}, false, 5}",
    "return {KEYS[1], ARGV[1], #ARGV}",
    "return redis.call('GET', KEYS[1])",
    "local r = redis.pcall('HGET', KEYS[1], 'f') return r",
    "local r = redis.pcall('HGET', KEYS[1], 'f')\nif type(r) == 'table' and r.err then return r.err end\nreturn r",
    "\nlocal x = redis.call('INCR', KEYS[1])\nreturn x",
    "redis.call('SET', KEYS[1], ARGV[1]) redis.call('SET', KEYS[2], ARGV[1]) return redis.call('HLEN', KEYS[1])",
    "return redis.status_reply('FINE')",
    "return redis.error_reply('ODD thing')",
    "return 3.99",
    "return true",
    "return tostring(1e15 + 0.5)",
    "return string.format('%.0f', redis.call('DBSIZE') + 1)",
    "local x = nil\nreturn x + 1",
    "return redis.call('NOSUCH')",
    "return redis.call('GET')",
    "return redis.call('MULTI')",
    "return redis.sha1hex(ARGV[1])",
    "redis.call('SELECT', '3') redis.call('SET', KEYS[1], 'there') return redis.call('DBSIZE')",
    "local r = {} for _, v in pairs(KEYS) do r[#r+1] = redis.call('HGETALL', v) end return r",
    "return redis.call('EXPIRE', KEYS[1], ARGV[1])",
    "return this is not lua",
];

const FIELDS: &[&str] = &["f", "field2", "0123456789ab", "", "{tag}x"];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "-3",
    "15",
    "16",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "x",
    "",
    "01",
];
const SECONDS: &[&str] = &["100", "3600", "0", "-5", "99999999999999999", "abc"];

fn keys() -> Vec<String> {
    [
        "a",
        "b",
        "test:building:8a1f:web.1:0",
        "redyno:k",
        "other:key",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(their_keys())
    .collect()
}

fn value(choice: u16) -> Vec<u8> {
    match choice % 7 {
        0 => b"1".to_vec(),
        1 => b"pod-a".to_vec(),
        2 => b"\r\n\0\xff".to_vec(),
        3 => vec![b'v'; 100],
        4 => Vec::new(),
        5 => b"team/run 8a1f".to_vec(),
        _ => b"-17".to_vec(),
    }
}

fn fill(template: &str, mut choose: impl FnMut() -> u16) -> Vec<Vec<u8>> {
    let keys = keys();
    let pick = |from: &[&str], at: u16| from[usize::from(at) % from.len()].as_bytes().to_vec();
    template
        .split(' ')
        .map(|word| match word {
            "K" => keys[usize::from(choose()) % keys.len()]
                .clone()
                .into_bytes(),
            "F" => pick(FIELDS, choose()),
            "V" => value(choose()),
            "N" => pick(NUMBERS, choose()),
            "S" => pick(SECONDS, choose()),
            other => other.as_bytes().to_vec(),
        })
        .collect()
}

fn any_script(choices: &[u16]) -> Vec<Vec<u8>> {
    let mut choices = choices.iter().copied().cycle();
    let mut choose = || choices.next().unwrap_or_default();
    let all = ours();
    let at = usize::from(choose());
    if at % 2 == 0 {
        let script = &all[(at / 2) % all.len()];
        let mut words = vec![
            b"EVAL".to_vec(),
            script.text.clone().into_bytes(),
            script.keys.len().to_string().into_bytes(),
        ];
        words.extend(script.keys.iter().map(|key| key.as_bytes().to_vec()));
        for of in &script.arguments {
            words.push(of[usize::from(choose()) % of.len()].as_bytes().to_vec());
        }
        return words;
    }
    let script = SCRIPTS[(at / 2) % SCRIPTS.len()];
    let template = match choose() % 6 {
        0 => return vec![b"SCRIPT".to_vec(), b"LOAD".to_vec(), script.into()],
        1 => "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
        2 => "EVAL - N K V",
        _ => "EVAL - 2 K K V",
    };
    let mut words = fill(template, choose);
    if words[1] == b"-" {
        words[1] = script.into();
    }
    words
}

fn step() -> impl Strategy<Value = Step> {
    let command = prop_oneof![
        6 => (0..TEMPLATES.len(), prop::array::uniform4(any::<u16>())).prop_map(|(at, choices)| {
            let mut choices = choices.into_iter().cycle();
            fill(TEMPLATES[at], || choices.next().unwrap_or_default())
        }),
        3 => prop::collection::vec(any::<u16>(), 8).prop_map(|choices| any_script(&choices)),
        // A word too many or too few.
        1 => (0..TEMPLATES.len(), any::<bool>()).prop_map(|(at, more)| {
            let mut words = fill(TEMPLATES[at], || 0);
            if more {
                words.push(b"more".to_vec());
            } else if words.len() > 1 {
                words.pop();
            }
            words
        }),
    ];
    (0_usize..2, command).prop_map(|(connection, words)| Step { connection, words })
}

/// A sequence of commands.
pub(crate) fn program() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..60)
}
