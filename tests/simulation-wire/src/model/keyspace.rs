//! Commands on keys, whatever they hold, and on whole databases.

use super::call::Call;
use super::reply::Reply;
use super::server::ChangeKind;

/// DEL and UNLINK
pub(super) fn del(call: &mut Call<'_>) -> Reply {
    let keys = call.words[1..].to_vec();
    Reply::count(keys.iter().filter(|key| call.remove(key)).count())
}

/// EXISTS
pub(super) fn exists(call: &mut Call<'_>) -> Reply {
    let keys = call.words[1..].to_vec();
    Reply::count(keys.iter().filter(|key| call.look(key).is_some()).count())
}

/// TYPE
pub(super) fn kind(call: &mut Call<'_>) -> Reply {
    let key = call.word(1).to_vec();
    Reply::Status(call.look(&key).map_or("none", |entry| entry.value.kind()))
}

/// EXPIRE
pub(super) fn expire(call: &mut Call<'_>) -> Reply {
    expire_after(call, 1000, "expire")
}

/// PEXPIRE
pub(super) fn pexpire(call: &mut Call<'_>) -> Reply {
    expire_after(call, 1, "pexpire")
}

fn expire_after(call: &mut Call<'_>, unit: i64, name: &str) -> Reply {
    let key = call.word(1).to_vec();
    if call.words.len() > 3 {
        return Reply::error(format!(
            "Unsupported option {}",
            String::from_utf8_lossy(call.word(3))
        ));
    }
    let amount = match call.integer(2) {
        Ok(amount) => amount,
        Err(error) => return error,
    };
    let now = i64::try_from(call.server.now / 1000).unwrap_or(i64::MAX);
    let Some(at) = amount
        .checked_mul(unit)
        .and_then(|lifetime| now.checked_add(lifetime))
    else {
        return Reply::error(format!("invalid expire time in '{name}' command"));
    };
    if call.look(&key).is_none() {
        return Reply::Integer(0);
    }
    if at <= now {
        call.remove(&key);
        return Reply::Integer(1);
    }
    let database = call.session.database;
    call.server
        .database(database)
        .expire(&key, u64::try_from(at).ok());
    call.note(&key, ChangeKind::Renewed);
    Reply::Integer(1)
}

/// PERSIST
pub(super) fn persist(call: &mut Call<'_>) -> Reply {
    let key = call.word(1).to_vec();
    if call.look(&key).and_then(|entry| entry.expires).is_none() {
        return Reply::Integer(0);
    }
    let database = call.session.database;
    call.server.database(database).expire(&key, None);
    call.note(&key, ChangeKind::Renewed);
    Reply::Integer(1)
}

/// TTL
pub(super) fn ttl(call: &mut Call<'_>) -> Reply {
    match left(call) {
        milliseconds if milliseconds < 0 => Reply::Integer(milliseconds),
        milliseconds => Reply::Integer((milliseconds + 500) / 1000),
    }
}

/// PTTL
pub(super) fn pttl(call: &mut Call<'_>) -> Reply {
    Reply::Integer(left(call))
}

fn left(call: &mut Call<'_>) -> i64 {
    let key = call.word(1).to_vec();
    let now = call.server.now / 1000;
    match call.look(&key).map(|entry| entry.expires) {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => i64::try_from(at.saturating_sub(now)).unwrap_or(i64::MAX),
    }
}

/// RENAME
pub(super) fn rename(call: &mut Call<'_>) -> Reply {
    let (from, to) = (call.word(1).to_vec(), call.word(2).to_vec());
    let Some(entry) = call.take(&from) else {
        return Reply::error("no such key");
    };
    if from == to {
        call.put_back(&from, entry);
        return Reply::OK;
    }
    call.note(&from, ChangeKind::Removed);
    call.put(&to, entry.value, entry.expires);
    Reply::OK
}

/// DBSIZE
pub(super) fn dbsize(call: &mut Call<'_>) -> Reply {
    Reply::count(call.server.database(call.session.database).len())
}

/// FLUSHDB
pub(super) fn flushdb(call: &mut Call<'_>) -> Reply {
    if let Some(error) = unknown_flush_option(call) {
        return error;
    }
    let database = call.session.database;
    flush(call, &[database])
}

/// FLUSHALL
pub(super) fn flushall(call: &mut Call<'_>) -> Reply {
    if let Some(error) = unknown_flush_option(call) {
        return error;
    }
    let all: Vec<usize> = (0..call.server.databases.len()).collect();
    flush(call, &all)
}

fn flush(call: &mut Call<'_>, databases: &[usize]) -> Reply {
    let selected = call.session.database;
    for number in databases {
        call.session.database = *number;
        let keys: Vec<Vec<u8>> = call
            .server
            .database(*number)
            .keys()
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            call.note(&key, ChangeKind::Flushed);
        }
        call.server.database(*number).clear();
    }
    call.session.database = selected;
    let by = String::from_utf8_lossy(&call.session.name).into_owned();
    call.server.flushes.push((call.server.now, by));
    Reply::OK
}

fn unknown_flush_option(call: &Call<'_>) -> Option<Reply> {
    let known = match call.words.len() {
        1 => true,
        2 => matches!(call.option(1).as_str(), "ASYNC" | "SYNC"),
        _ => false,
    };
    (!known).then(|| Reply::error("syntax error"))
}

/// SCAN with COUNT. The cursor is the place of the next key in the order of names: all keys are
/// found as long as none is removed between two pages.
pub(super) fn scan(call: &mut Call<'_>) -> Reply {
    let Some(cursor) = std::str::from_utf8(call.word(1))
        .ok()
        .and_then(|text| text.parse::<usize>().ok())
    else {
        return Reply::error("invalid cursor");
    };
    let count = match (call.words.len(), call.option(2).as_str()) {
        (2, _) => 10,
        (4, "COUNT") => match call.integer(3) {
            Ok(count) if count >= 1 => usize::try_from(count).unwrap_or(usize::MAX),
            Ok(_) => return Reply::error("syntax error"),
            Err(error) => return error,
        },
        _ => return Reply::error("syntax error"),
    };
    let database = call.server.database(call.session.database);
    let page: Vec<Reply> = database
        .keys()
        .skip(cursor)
        .take(count)
        .map(|(key, _)| Reply::Bulk(key.clone()))
        .collect();
    let next = cursor + page.len();
    let cursor = if next >= database.len() { 0 } else { next };
    Reply::Array(vec![
        Reply::Bulk(cursor.to_string().into_bytes()),
        Reply::Array(page),
    ])
}
