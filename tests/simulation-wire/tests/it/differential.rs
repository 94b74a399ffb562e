//! The same random commands go to the model and to a real server: the replies are the same, byte
//! for byte, but for what nobody can know.

use std::time::{SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redyno_simulation_wire::model::{Reply, Server, Settings, User};
use redyno_test_redis::RedisServer;

use crate::program::{Step, program};
use crate::real::{self, Connection};

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_micros()).unwrap()
}

/// What is left of a reply when what nobody can know is taken out of it: the order of a hash's
/// fields and of keys, and the very moment.
fn comparable(words: &[Vec<u8>], reply: Reply) -> Reply {
    let name = String::from_utf8_lossy(&words[0]).to_ascii_lowercase();
    match (name.as_str(), reply) {
        (_, Reply::Array(parts)) if time(&parts).is_some() => {
            Reply::Integer(time(&parts).unwrap_or_default())
        }
        (_, Reply::Status(text)) => Reply::Said(text.to_owned()),
        ("scan", Reply::Array(mut parts)) => {
            if let Some(Reply::Array(keys)) = parts.get_mut(1) {
                keys.sort_by_key(bytes_of);
            }
            Reply::Array(parts)
        }
        ("hgetall", Reply::Array(parts)) => pairs_in_order(parts),
        // A script may hand on the fields of a hash among other things.
        ("eval", Reply::Array(mut parts)) if contains(&words[1], "HGETALL") => {
            for part in &mut parts {
                if let Reply::Array(inner) = part {
                    inner.sort_by_key(bytes_of);
                }
            }
            parts.sort_by_key(bytes_of);
            Reply::Array(parts)
        }
        // Within a transaction or script nobody knows whose reply an element is.
        ("exec" | "eval" | "evalsha", Reply::Array(parts)) => Reply::Array(
            parts
                .into_iter()
                .map(|part| match comparable(words, part) {
                    Reply::Array(mut inner) => {
                        inner.sort_by_key(bytes_of);
                        Reply::Array(inner)
                    }
                    other => other,
                })
                .collect(),
        ),
        (_, Reply::Array(parts)) => Reply::Array(
            parts
                .into_iter()
                .map(|part| comparable(words, part))
                .collect(),
        ),
        (_, other) => other,
    }
}

/// What TIME says, in microseconds.
fn time(parts: &[Reply]) -> Option<i64> {
    let [Reply::Bulk(seconds), Reply::Bulk(rest)] = parts else {
        return None;
    };
    let seconds = number(seconds).filter(|seconds| *seconds > 1_000_000_000)?;
    seconds.checked_mul(1_000_000)?.checked_add(number(rest)?)
}

fn pairs_in_order(parts: Vec<Reply>) -> Reply {
    let mut pairs: Vec<&[Reply]> = parts.chunks(2).collect();
    pairs.sort_by_key(|pair| bytes_of(&pair[0]));
    Reply::Array(pairs.concat())
}

fn contains(text: &[u8], word: &str) -> bool {
    text.windows(word.len())
        .any(|window| window == word.as_bytes())
}

fn bytes_of(reply: &Reply) -> Vec<u8> {
    let mut bytes = Vec::new();
    reply.encode(&mut bytes);
    bytes
}

/// Whether two replies are the same but for a few seconds on a clock.
fn same(one: &Reply, other: &Reply) -> bool {
    match (one, other) {
        (Reply::Array(one), Reply::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Reply::Integer(one), Reply::Integer(other)) => near(*one, *other),
        (Reply::Bulk(one), Reply::Bulk(other)) => {
            one == other
                || match (number(one), number(other)) {
                    (Some(one), Some(other)) => near(one, other),
                    _ => false,
                }
        }
        (one, other) => one == other,
    }
}

fn number(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Times to live of 100 s and more in milliseconds, and times since the epoch; a time to live in
/// seconds is rounded.
fn near(one: i64, other: i64) -> bool {
    let apart = one.abs_diff(other);
    one == other
        || (one > 90_000 && other > 90_000 && apart <= 5_000)
        || (one > 1_000_000_000_000_000 && apart <= 5_000_000)
        || (one > 10_000 && apart <= 500)
        || (one > 90 && apart <= 2)
}

/// Plays a program on both; the first difference.
fn play(
    settings: &Settings,
    real: &RedisServer,
    greeting: &[&str],
    steps: &[Step],
) -> Result<(), TestCaseError> {
    let mut model = Server::new(settings.clone(), "0");
    let mut owner = Connection::to(real);
    for words in [
        &["AUTH", "owner", "own"][..],
        &["FLUSHALL"],
        &["SCRIPT", "FLUSH"],
    ] {
        let reply = owner.ask(words);
        prop_assert!(!reply.is_error() || settings.replica, "{reply:?}");
    }
    drop(owner);
    let mut lines: Vec<Connection> = (0..2).map(|_| Connection::to(real)).collect();
    let ids: Vec<u64> = (0..2).map(|_| model.connect().unwrap()).collect();
    if !greeting.is_empty() {
        let words: Vec<Vec<u8>> = greeting
            .iter()
            .map(|word| word.as_bytes().to_vec())
            .collect();
        for (line, id) in lines.iter_mut().zip(&ids) {
            line.say(&words);
            model.command(*id, &words, now()).unwrap();
        }
    }
    for (at, step) in steps.iter().enumerate() {
        let Step { connection, words } = step;
        // A transaction's reply is empty in neither way.
        let wanted = comparable(words, lines[*connection].say(words));
        let found = model.command(ids[*connection], words, now()).unwrap();
        let found = comparable(words, found);
        let ends = model.is_closing(ids[*connection]);
        prop_assert!(
            same(&wanted, &found),
            "step {at}, {step:?}\n real: {wanted:?}\nmodel: {found:?}"
        );
        if ends {
            break;
        }
    }
    Ok(())
}

fn hold(cases: u32, settings: &Settings, arguments: &[&str], greeting: &[&str]) {
    let mut all = vec!["--user", "owner", "on", ">own", "~*", "&*", "+@all"];
    all.extend(arguments);
    let real = real::start(&all);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    if let Err(error) = runner.run(&program(), |steps| play(settings, &real, greeting, &steps)) {
        panic!("{error}");
    }
}

#[test]
fn the_model_answers_as_a_real_server() {
    hold(400, &Settings::default(), &[], &[]);
}

#[test]
fn the_model_answers_as_a_full_server() {
    // Less than an empty server needs: everything that needs memory is refused.
    let settings = Settings {
        maxmemory: 1000,
        ..Settings::default()
    };
    hold(150, &settings, &["--maxmemory", "1000"], &[]);
}

#[test]
fn the_model_answers_as_a_replica() {
    let settings = Settings {
        replica: true,
        ..Settings::default()
    };
    // Nobody listens there: the link stays down, what is there is still read.
    hold(150, &settings, &["--replicaof", "127.0.0.1", "1"], &[]);
}

#[test]
fn the_model_answers_as_a_server_that_asks_who_one_is() {
    let settings = Settings {
        users: vec![
            User {
                password: Some("secret".to_owned()),
                ..User::anybody()
            },
            User {
                name: "ann".to_owned(),
                password: Some("pass".to_owned()),
                denied: [
                    "select",
                    "flushall",
                    "config",
                    "client|setname",
                    "script|load",
                    "rename",
                ]
                .map(str::to_owned)
                .into(),
                keys: Some(vec!["redyno:".to_owned(), "test:building:".to_owned()]),
            },
        ],
        ..Settings::default()
    };
    let acl: Vec<String> = settings
        .users
        .iter()
        .flat_map(|user| std::iter::once("--user".to_owned()).chain(user.acl()))
        .collect();
    let arguments: Vec<&str> = acl.iter().map(String::as_str).collect();
    hold(150, &settings, &arguments, &["AUTH", "ann", "pass"]);
    hold(20, &settings, &arguments, &[]);
    hold(20, &settings, &arguments, &["AUTH", "ann", "wrong"]);
    hold(20, &settings, &arguments, &["AUTH", "secret"]);
}
