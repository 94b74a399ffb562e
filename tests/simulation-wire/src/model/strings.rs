//! Commands on bytes.

use super::call::{Call, WRONG_TYPE, integer};
use super::reply::Reply;
use super::value::Value;

fn text(call: &mut Call<'_>, key: &[u8]) -> Result<Option<Vec<u8>>, Reply> {
    match call.look(key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Reply::Error(WRONG_TYPE.to_owned())),
    }
}

fn expiry(call: &mut Call<'_>, key: &[u8]) -> Option<u64> {
    call.look(key).and_then(|entry| entry.expires)
}

/// GET
pub(super) fn get(call: &mut Call<'_>) -> Reply {
    let key = call.word(1).to_vec();
    text(call, &key).map_or_else(|error| error, Reply::bulk)
}

/// SET with EX, PX, NX, XX, KEEPTTL and GET
pub(super) fn set(call: &mut Call<'_>) -> Reply {
    let (key, value) = (call.word(1).to_vec(), call.word(2).to_vec());
    let (mut only_new, mut only_old, mut keep, mut get) = (false, false, false, false);
    let mut lifetime = None;
    let mut at = 3;
    while at < call.words.len() {
        let more = at + 1 < call.words.len();
        match call.option(at).as_str() {
            "NX" if !only_old => only_new = true,
            "XX" if !only_new => only_old = true,
            "GET" => get = true,
            "KEEPTTL" if lifetime.is_none() => keep = true,
            unit @ ("EX" | "PX") if more && lifetime.is_none() && !keep => {
                lifetime = Some((unit == "EX", at + 1));
                at += 1;
            }
            _ => return Reply::error("syntax error"),
        }
        at += 1;
    }
    let mut expires = None;
    if let Some((seconds, at)) = lifetime {
        match expires_after(call, at, seconds, "set") {
            Ok(at) => expires = Some(at),
            Err(error) => return error,
        }
    }
    let old = call.look(&key).is_some();
    let before = if get {
        match text(call, &key) {
            Ok(before) => Some(before),
            Err(error) => return error,
        }
    } else {
        None
    };
    if (only_new && old) || (only_old && !old) {
        return before.map_or(Reply::Nil, Reply::bulk);
    }
    if keep {
        expires = expiry(call, &key);
    }
    call.put(&key, Value::Text(value), expires);
    before.map_or(Reply::OK, Reply::bulk)
}

/// The moment so many seconds or milliseconds from now, which must be more than none.
fn expires_after(call: &Call<'_>, at: usize, seconds: bool, name: &str) -> Result<u64, Reply> {
    let invalid = || Reply::error(format!("invalid expire time in '{name}' command"));
    let amount = call.integer(at)?;
    let milliseconds = if seconds {
        amount.checked_mul(1000).ok_or_else(invalid)?
    } else {
        amount
    };
    if milliseconds <= 0 {
        return Err(invalid());
    }
    let now = i64::try_from(call.server.now / 1000).unwrap_or(i64::MAX);
    now.checked_add(milliseconds)
        .and_then(|at| u64::try_from(at).ok())
        .ok_or_else(invalid)
}

/// SETEX
pub(super) fn setex(call: &mut Call<'_>) -> Reply {
    let (key, value) = (call.word(1).to_vec(), call.word(3).to_vec());
    match expires_after(call, 2, true, "setex") {
        Ok(at) => {
            call.put(&key, Value::Text(value), Some(at));
            Reply::OK
        }
        Err(error) => error,
    }
}

/// SETNX
pub(super) fn setnx(call: &mut Call<'_>) -> Reply {
    let (key, value) = (call.word(1).to_vec(), call.word(2).to_vec());
    if call.look(&key).is_some() {
        return Reply::Integer(0);
    }
    call.put(&key, Value::Text(value), None);
    Reply::Integer(1)
}

/// GETSET
pub(super) fn getset(call: &mut Call<'_>) -> Reply {
    let (key, value) = (call.word(1).to_vec(), call.word(2).to_vec());
    match text(call, &key) {
        Ok(before) => {
            call.put(&key, Value::Text(value), None);
            Reply::bulk(before)
        }
        Err(error) => error,
    }
}

/// GETDEL
pub(super) fn getdel(call: &mut Call<'_>) -> Reply {
    let key = call.word(1).to_vec();
    match text(call, &key) {
        Ok(before) => {
            call.remove(&key);
            Reply::bulk(before)
        }
        Err(error) => error,
    }
}

/// APPEND
pub(super) fn append(call: &mut Call<'_>) -> Reply {
    let (key, more) = (call.word(1).to_vec(), call.word(2).to_vec());
    match text(call, &key) {
        Ok(before) => {
            let expires = expiry(call, &key);
            let mut whole = before.unwrap_or_default();
            whole.extend(more);
            let length = whole.len();
            call.put(&key, Value::Text(whole), expires);
            Reply::count(length)
        }
        Err(error) => error,
    }
}

/// STRLEN
pub(super) fn strlen(call: &mut Call<'_>) -> Reply {
    let key = call.word(1).to_vec();
    text(call, &key).map_or_else(
        |error| error,
        |text| Reply::count(text.map_or(0, |text| text.len())),
    )
}

/// GETRANGE
pub(super) fn getrange(call: &mut Call<'_>) -> Reply {
    let key = call.word(1).to_vec();
    let (from, to) = match (call.integer(2), call.integer(3)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(error), _) | (_, Err(error)) => return error,
    };
    match text(call, &key) {
        Ok(text) => {
            let text = text.unwrap_or_default();
            if from < 0 && to < 0 && from > to {
                return Reply::Bulk(Vec::new());
            }
            // Unlike that of a list, an end before the beginning is the first byte.
            let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
            let to = if to < 0 { to.max(-length) } else { to };
            let range = super::lists::range(text.len(), from, to);
            Reply::Bulk(range.map_or_else(Vec::new, |range| text[range].to_vec()))
        }
        Err(error) => error,
    }
}

/// INCR
pub(super) fn incr(call: &mut Call<'_>) -> Reply {
    add(call, 1)
}

/// DECR
pub(super) fn decr(call: &mut Call<'_>) -> Reply {
    add(call, -1)
}

/// INCRBY
pub(super) fn incrby(call: &mut Call<'_>) -> Reply {
    match call.integer(2) {
        Ok(by) => add(call, by),
        Err(error) => error,
    }
}

fn add(call: &mut Call<'_>, by: i64) -> Reply {
    let key = call.word(1).to_vec();
    let before = match text(call, &key) {
        Ok(before) => before,
        Err(error) => return error,
    };
    let Some(number) = before.as_deref().map_or(Some(0), integer) else {
        return Reply::error("value is not an integer or out of range");
    };
    let Some(sum) = number.checked_add(by) else {
        return Reply::error("increment or decrement would overflow");
    };
    let expires = expiry(call, &key);
    call.put(&key, Value::Text(sum.to_string().into_bytes()), expires);
    Reply::Integer(sum)
}

/// MGET
pub(super) fn mget(call: &mut Call<'_>) -> Reply {
    let keys = call.words[1..].to_vec();
    Reply::Array(
        keys.iter()
            .map(|key| text(call, key).map_or(Reply::Nil, Reply::bulk))
            .collect(),
    )
}

/// MSET
pub(super) fn mset(call: &mut Call<'_>) -> Reply {
    let words = call.words[1..].to_vec();
    if !words.len().is_multiple_of(2) {
        return Reply::error("wrong number of arguments for 'mset' command");
    }
    for pair in words.chunks_exact(2) {
        call.put(&pair[0], Value::Text(pair[1].clone()), None);
    }
    Reply::OK
}
