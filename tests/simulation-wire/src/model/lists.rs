//! Commands on lists.

use std::collections::VecDeque;
use std::ops::Range;

use super::call::{Call, WRONG_TYPE};
use super::database::Entry;
use super::reply::Reply;
use super::value::Value;

type Elements = VecDeque<Vec<u8>>;

fn elements<'c>(call: &'c mut Call<'_>, key: &[u8]) -> Result<Option<&'c Elements>, Reply> {
    match call.look(key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::List(elements)) => Ok(Some(elements)),
        Some(_) => Err(Reply::Error(WRONG_TYPE.to_owned())),
    }
}

fn change(call: &mut Call<'_>, change: impl FnOnce(&mut Elements, bool) -> Reply) -> Reply {
    let key = call.word(1).to_vec();
    let entry = call.take(&key);
    let there = entry.is_some();
    let (mut elements, expires) = match entry {
        None => (Elements::new(), None),
        Some(Entry {
            value: Value::List(elements),
            expires,
            used: _,
        }) => (elements, expires),
        Some(other) => {
            call.put_back(&key, other);
            return Reply::Error(WRONG_TYPE.to_owned());
        }
    };
    let reply = change(&mut elements, there);
    if there || !elements.is_empty() {
        call.put(&key, Value::List(elements), expires);
    }
    reply
}

/// RPUSH
pub(super) fn rpush(call: &mut Call<'_>) -> Reply {
    let words = call.words[2..].to_vec();
    change(call, |elements, _| {
        elements.extend(words);
        Reply::count(elements.len())
    })
}

/// LPUSH
pub(super) fn lpush(call: &mut Call<'_>) -> Reply {
    let words = call.words[2..].to_vec();
    change(call, |elements, _| {
        for word in words {
            elements.push_front(word);
        }
        Reply::count(elements.len())
    })
}

/// RPOP
pub(super) fn rpop(call: &mut Call<'_>) -> Reply {
    pop(call, VecDeque::pop_back)
}

/// LPOP
pub(super) fn lpop(call: &mut Call<'_>) -> Reply {
    pop(call, VecDeque::pop_front)
}

fn pop(call: &mut Call<'_>, take: fn(&mut Elements) -> Option<Vec<u8>>) -> Reply {
    let count = match call.words.len() {
        2 => None,
        3 => match call.integer(2).map(usize::try_from) {
            Ok(Ok(count)) => Some(count),
            _ => return Reply::error("value is out of range, must be positive"),
        },
        _ => {
            let name = String::from_utf8_lossy(call.word(0)).to_ascii_lowercase();
            return Reply::error(format!("wrong number of arguments for '{name}' command"));
        }
    };
    change(call, |elements, there| match count {
        None => Reply::bulk(take(elements)),
        Some(_) if !there => Reply::NoArray,
        Some(count) => Reply::Array(
            (0..count)
                .map_while(|_| take(elements))
                .map(Reply::Bulk)
                .collect(),
        ),
    })
}

/// LLEN
pub(super) fn llen(call: &mut Call<'_>) -> Reply {
    let key = call.word(1).to_vec();
    elements(call, &key).map_or_else(
        |error| error,
        |elements| Reply::count(elements.map_or(0, VecDeque::len)),
    )
}

/// LRANGE
pub(super) fn lrange(call: &mut Call<'_>) -> Reply {
    let key = call.word(1).to_vec();
    let (from, to) = match (call.integer(2), call.integer(3)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(error), _) | (_, Err(error)) => return error,
    };
    elements(call, &key).map_or_else(
        |error| error,
        |elements| {
            let chosen = elements.and_then(|elements| {
                let range = range(elements.len(), from, to)?;
                Some(elements.range(range).cloned().map(Reply::Bulk).collect())
            });
            Reply::Array(chosen.unwrap_or_default())
        },
    )
}

/// LTRIM
pub(super) fn ltrim(call: &mut Call<'_>) -> Reply {
    let (from, to) = match (call.integer(2), call.integer(3)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(error), _) | (_, Err(error)) => return error,
    };
    change(call, |elements, _| {
        *elements = range(elements.len(), from, to)
            .map(|range| elements.range(range).cloned().collect())
            .unwrap_or_default();
        Reply::OK
    })
}

/// The places from one to the other, both counted from the end if negative. None if there are
/// none.
pub(super) fn range(length: usize, from: i64, to: i64) -> Option<Range<usize>> {
    let length = i64::try_from(length).ok()?;
    let place = |at: i64| {
        if at < 0 {
            (at.saturating_add(length)).max(0)
        } else {
            at
        }
    };
    let raw_to = if to < 0 {
        to.saturating_add(length)
    } else {
        to
    };
    let (from, to) = (place(from), raw_to.min(length - 1));
    if from > to || from >= length {
        return None;
    }
    Some(usize::try_from(from).ok()?..usize::try_from(to).ok()? + 1)
}
