//! Commands on sets.

use std::collections::BTreeSet;

use super::call::{Call, WRONG_TYPE};
use super::database::Entry;
use super::reply::Reply;
use super::value::Value;

type Members = BTreeSet<Vec<u8>>;

fn members<'c>(call: &'c mut Call<'_>, key: &[u8]) -> Result<Option<&'c Members>, Reply> {
    match call.look(key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::Set(members)) => Ok(Some(members)),
        Some(_) => Err(Reply::Error(WRONG_TYPE.to_owned())),
    }
}

fn change(call: &mut Call<'_>, change: impl FnOnce(&mut Members) -> usize) -> Reply {
    let key = call.word(1).to_vec();
    let entry = call.take(&key);
    let there = entry.is_some();
    let (mut members, expires) = match entry {
        None => (Members::new(), None),
        Some(Entry {
            value: Value::Set(members),
            expires,
            used: _,
        }) => (members, expires),
        Some(other) => {
            call.put_back(&key, other);
            return Reply::Error(WRONG_TYPE.to_owned());
        }
    };
    let count = change(&mut members);
    if there || !members.is_empty() {
        call.put(&key, Value::Set(members), expires);
    }
    Reply::count(count)
}

/// SADD
pub(super) fn sadd(call: &mut Call<'_>) -> Reply {
    let words = call.words[2..].to_vec();
    change(call, |members| {
        words
            .into_iter()
            .filter(|word| members.insert(word.clone()))
            .count()
    })
}

/// SREM
pub(super) fn srem(call: &mut Call<'_>) -> Reply {
    let words = call.words[2..].to_vec();
    change(call, |members| {
        words.iter().filter(|word| members.remove(*word)).count()
    })
}

/// SCARD
pub(super) fn scard(call: &mut Call<'_>) -> Reply {
    let key = call.word(1).to_vec();
    members(call, &key).map_or_else(
        |error| error,
        |members| Reply::count(members.map_or(0, BTreeSet::len)),
    )
}

/// SISMEMBER
pub(super) fn sismember(call: &mut Call<'_>) -> Reply {
    let (key, member) = (call.word(1).to_vec(), call.word(2).to_vec());
    members(call, &key).map_or_else(
        |error| error,
        |members| Reply::count(usize::from(members.is_some_and(|of| of.contains(&member)))),
    )
}
