//! Which commands there are: their arguments' number, and what the server has to know before it
//! carries one out.

use super::call::Call;
use super::keyspace as keys;
use super::reply::Reply;
use super::{administration as own, hashes, lists, script, sets, strings, transaction};

/// A command.
#[derive(Clone, Copy)]
pub struct Command {
    /// Its name; with its subcommand behind a bar, if it is one of several.
    pub name: &'static str,
    /// How many words it has; if negative, at least so many.
    pub arity: i32,
    /// What is to be known of it.
    pub flags: &'static [Flag],
    /// Which of its words are keys: the first, the last (counted from the end if negative), and
    /// every so-manieth.
    pub keys: (usize, i32, usize),
    /// Carries it out.
    pub run: fn(&mut Call<'_>) -> Reply,
}

/// What the server has to know of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// It changes data.
    Write,
    /// It is refused by a full server.
    DenyOutOfMemory,
    /// No script may run it.
    NoScript,
    /// It may be run while the server loads its data.
    Loading,
    /// Nobody need have said who he is.
    NoAuthentication,
}

use Flag::{DenyOutOfMemory, Loading, NoAuthentication, NoScript, Write};

impl Command {
    /// Whether this is so.
    pub fn is(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    /// The keys among its words.
    pub fn keys_in<'w>(&self, words: &'w [Vec<u8>]) -> Vec<&'w [u8]> {
        let (first, last, step) = self.keys;
        if first == 0 {
            return script::keys_of(self.name, words);
        }
        let last = if last < 0 {
            words.len().saturating_sub(last.unsigned_abs() as usize)
        } else {
            last.unsigned_abs() as usize
        };
        (first..=last)
            .step_by(step.max(1))
            .filter_map(|at| words.get(at).map(Vec::as_slice))
            .collect()
    }
}

/// Looks a command up by its words, subcommands by two of them.
pub(super) fn find(words: &[Vec<u8>]) -> Option<&'static Command> {
    let lower = |word: &Vec<u8>| String::from_utf8_lossy(word).to_ascii_lowercase();
    let name = lower(words.first()?);
    let mut of_that_name = COMMANDS.iter().filter(|command| {
        command.name == name
            || command
                .name
                .strip_prefix(name.as_str())
                .is_some_and(|rest| rest.starts_with('|'))
    });
    let first = of_that_name.clone().next()?;
    let Some(subcommand) = words.get(1) else {
        return Some(container(first));
    };
    if !first.name.contains('|') {
        return Some(first);
    }
    let whole = format!("{name}|{}", lower(subcommand));
    of_that_name
        .find(|command| command.name == whole)
        .or(Some(container(first)))
}

/// Stands for a command that has subcommands, without any of them.
fn container(command: &'static Command) -> &'static Command {
    let base = command.name.split('|').next().unwrap_or_default();
    COMMANDS
        .iter()
        .chain(CONTAINERS)
        .find(|container| container.name == base)
        .unwrap_or(command)
}

/// Whether it stands for a command that has subcommands, without any of them.
pub(super) fn is_container(command: &Command) -> bool {
    CONTAINERS
        .iter()
        .any(|container| container.name == command.name)
}

const NONE: (usize, i32, usize) = (0, 0, 0);
const ONE: (usize, i32, usize) = (1, 1, 1);
const TWO: (usize, i32, usize) = (1, 2, 1);
const ALL: (usize, i32, usize) = (1, -1, 1);

const READ: &[Flag] = &[];
const CHANGE: &[Flag] = &[Write];
const GROW: &[Flag] = &[Write, DenyOutOfMemory];

type Run = fn(&mut Call<'_>) -> Reply;

const fn command(
    name: &'static str,
    arity: i32,
    flags: &'static [Flag],
    keys: (usize, i32, usize),
    run: Run,
) -> Command {
    Command {
        name,
        arity,
        flags,
        keys,
        run,
    }
}

/// Never carried out.
const CONTAINERS: &[Command] = &[
    command("client", -2, &[NoScript, Loading], NONE, own::ping),
    command("config", -2, &[NoScript, Loading], NONE, own::ping),
    command("script", -2, &[NoScript], NONE, own::ping),
];

/// All commands.
pub(super) const COMMANDS: &[Command] = &[
    command("ping", -1, &[Loading], NONE, own::ping),
    command("echo", 2, &[Loading], NONE, own::echo),
    command("time", 1, &[Loading], NONE, own::time),
    command(
        "auth",
        -2,
        &[NoScript, Loading, NoAuthentication],
        NONE,
        own::auth,
    ),
    command(
        "quit",
        -1,
        &[NoScript, Loading, NoAuthentication],
        NONE,
        own::quit,
    ),
    command("select", 2, &[Loading], NONE, own::select),
    command("info", -1, &[Loading], NONE, super::info::info),
    command("dbsize", 1, READ, NONE, keys::dbsize),
    command("flushdb", -1, CHANGE, NONE, keys::flushdb),
    command("flushall", -1, CHANGE, NONE, keys::flushall),
    command("scan", -2, READ, NONE, keys::scan),
    command(
        "client|setname",
        3,
        &[NoScript, Loading],
        NONE,
        own::client_setname,
    ),
    command(
        "client|getname",
        2,
        &[NoScript, Loading],
        NONE,
        own::client_getname,
    ),
    command("client|id", 2, &[NoScript, Loading], NONE, own::client_id),
    command(
        "config|get",
        -3,
        &[NoScript, Loading],
        NONE,
        own::config_get,
    ),
    command(
        "config|set",
        -4,
        &[NoScript, Loading],
        NONE,
        own::config_set,
    ),
    command("multi", 1, &[NoScript, Loading], NONE, transaction::multi),
    command("exec", 1, &[NoScript, Loading], NONE, transaction::exec),
    command(
        "discard",
        1,
        &[NoScript, Loading],
        NONE,
        transaction::discard,
    ),
    command("script|load", 3, &[NoScript], NONE, script::load),
    command("script|exists", -3, &[NoScript], NONE, script::exists),
    command("script|flush", -2, &[NoScript], NONE, script::flush),
    command("eval", -3, &[NoScript], NONE, script::eval),
    command("evalsha", -3, &[NoScript], NONE, script::evalsha),
    command("get", 2, READ, ONE, strings::get),
    command("set", -3, GROW, ONE, strings::set),
    command("setex", 4, GROW, ONE, strings::setex),
    command("setnx", 3, GROW, ONE, strings::setnx),
    command("getset", 3, GROW, ONE, strings::getset),
    command("getdel", 2, CHANGE, ONE, strings::getdel),
    command("append", 3, GROW, ONE, strings::append),
    command("strlen", 2, READ, ONE, strings::strlen),
    command("getrange", 4, READ, ONE, strings::getrange),
    command("incr", 2, GROW, ONE, strings::incr),
    command("decr", 2, GROW, ONE, strings::decr),
    command("incrby", 3, GROW, ONE, strings::incrby),
    command("mget", -2, READ, ALL, strings::mget),
    command("mset", -3, GROW, (1, -1, 2), strings::mset),
    command("del", -2, CHANGE, ALL, keys::del),
    command("unlink", -2, CHANGE, ALL, keys::del),
    command("exists", -2, READ, ALL, keys::exists),
    command("type", 2, READ, ONE, keys::kind),
    command("expire", -3, CHANGE, ONE, keys::expire),
    command("pexpire", -3, CHANGE, ONE, keys::pexpire),
    command("persist", 2, CHANGE, ONE, keys::persist),
    command("ttl", 2, READ, ONE, keys::ttl),
    command("pttl", 2, READ, ONE, keys::pttl),
    command("rename", 3, CHANGE, TWO, keys::rename),
    command("hset", -4, GROW, ONE, hashes::hset),
    command("hget", 3, READ, ONE, hashes::hget),
    command("hmget", -3, READ, ONE, hashes::hmget),
    command("hgetall", 2, READ, ONE, hashes::hgetall),
    command("hlen", 2, READ, ONE, hashes::hlen),
    command("hdel", -3, CHANGE, ONE, hashes::hdel),
    command("hexists", 3, READ, ONE, hashes::hexists),
    command("hincrby", 4, GROW, ONE, hashes::hincrby),
    command("rpush", -3, GROW, ONE, lists::rpush),
    command("lpush", -3, GROW, ONE, lists::lpush),
    command("rpop", -2, CHANGE, ONE, lists::rpop),
    command("lpop", -2, CHANGE, ONE, lists::lpop),
    command("llen", 2, READ, ONE, lists::llen),
    command("lrange", 4, READ, ONE, lists::lrange),
    command("ltrim", 4, CHANGE, ONE, lists::ltrim),
    command("sadd", -3, GROW, ONE, sets::sadd),
    command("srem", -3, CHANGE, ONE, sets::srem),
    command("scard", 2, READ, ONE, sets::scard),
    command("sismember", 3, READ, ONE, sets::sismember),
];
