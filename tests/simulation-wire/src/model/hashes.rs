//! Commands on hashes.

use std::collections::BTreeMap;

use super::call::{Call, WRONG_TYPE, integer};
use super::database::Entry;
use super::reply::Reply;
use super::value::Value;

type Fields = BTreeMap<Vec<u8>, Vec<u8>>;

fn fields<'c>(call: &'c mut Call<'_>, key: &[u8]) -> Result<Option<&'c Fields>, Reply> {
    match call.look(key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::Hash(fields)) => Ok(Some(fields)),
        Some(_) => Err(Reply::Error(WRONG_TYPE.to_owned())),
    }
}

fn change(call: &mut Call<'_>, change: impl FnOnce(&mut Fields) -> Result<Reply, Reply>) -> Reply {
    let key = call.word(1).to_vec();
    let entry = call.take(&key);
    let there = entry.is_some();
    let (before, expires) = match entry {
        None => (Fields::new(), None),
        Some(Entry {
            value: Value::Hash(fields),
            expires,
            used: _,
        }) => (fields, expires),
        Some(other) => {
            call.put_back(&key, other);
            return Reply::Error(WRONG_TYPE.to_owned());
        }
    };
    let mut fields = before;
    let result = change(&mut fields);
    if there || !fields.is_empty() {
        call.put(&key, Value::Hash(fields), expires);
    }
    result.unwrap_or_else(|error| error)
}

/// HSET
pub(super) fn hset(call: &mut Call<'_>) -> Reply {
    let words = call.words[2..].to_vec();
    if !words.len().is_multiple_of(2) {
        return Reply::error("wrong number of arguments for 'hset' command");
    }
    change(call, |fields| {
        let added = words
            .chunks_exact(2)
            .filter(|pair| fields.insert(pair[0].clone(), pair[1].clone()).is_none())
            .count();
        Ok(Reply::count(added))
    })
}

/// HGET
pub(super) fn hget(call: &mut Call<'_>) -> Reply {
    let (key, field) = (call.word(1).to_vec(), call.word(2).to_vec());
    fields(call, &key).map_or_else(
        |error| error,
        |fields| Reply::bulk(fields.and_then(|fields| fields.get(&field).cloned())),
    )
}

/// HMGET
pub(super) fn hmget(call: &mut Call<'_>) -> Reply {
    let (key, wanted) = (call.word(1).to_vec(), call.words[2..].to_vec());
    fields(call, &key).map_or_else(
        |error| error,
        |fields| {
            let value = |field| fields.and_then(|fields| fields.get(field).cloned());
            Reply::Array(
                wanted
                    .iter()
                    .map(|field| Reply::bulk(value(field)))
                    .collect(),
            )
        },
    )
}

/// HGETALL
pub(super) fn hgetall(call: &mut Call<'_>) -> Reply {
    let key = call.word(1).to_vec();
    fields(call, &key).map_or_else(
        |error| error,
        |fields| {
            Reply::Array(
                fields
                    .into_iter()
                    .flatten()
                    .flat_map(|(field, value)| {
                        [Reply::Bulk(field.clone()), Reply::Bulk(value.clone())]
                    })
                    .collect(),
            )
        },
    )
}

/// HLEN
pub(super) fn hlen(call: &mut Call<'_>) -> Reply {
    let key = call.word(1).to_vec();
    fields(call, &key).map_or_else(
        |error| error,
        |fields| Reply::count(fields.map_or(0, BTreeMap::len)),
    )
}

/// HEXISTS
pub(super) fn hexists(call: &mut Call<'_>) -> Reply {
    let (key, field) = (call.word(1).to_vec(), call.word(2).to_vec());
    fields(call, &key).map_or_else(
        |error| error,
        |fields| {
            Reply::count(usize::from(
                fields.is_some_and(|of| of.contains_key(&field)),
            ))
        },
    )
}

/// HDEL
pub(super) fn hdel(call: &mut Call<'_>) -> Reply {
    let words = call.words[2..].to_vec();
    change(call, |fields| {
        let removed = words
            .iter()
            .filter(|field| fields.remove(*field).is_some())
            .count();
        Ok(Reply::count(removed))
    })
}

/// HINCRBY
pub(super) fn hincrby(call: &mut Call<'_>) -> Reply {
    let field = call.word(2).to_vec();
    let by = match call.integer(3) {
        Ok(by) => by,
        Err(error) => return error,
    };
    change(call, |fields| {
        let before = fields.get(&field).map_or(Some(0), |value| integer(value));
        let number = before.ok_or_else(|| Reply::error("hash value is not an integer"))?;
        let sum = number
            .checked_add(by)
            .ok_or_else(|| Reply::error("increment or decrement would overflow"))?;
        fields.insert(field, sum.to_string().into_bytes());
        Ok(Reply::Integer(sum))
    })
}
