//! What a script answered: a word, then its details.

use redis::{ErrorKind, RedisError, RedisResult, Value};

/// The words of a script's reply. They come from a server that may be anything.
pub(crate) fn reply(value: Value) -> RedisResult<Vec<String>> {
    let Value::Array(items) = value.extract_error()? else {
        return Err(unexpected(
            "a script answered with something else than a list",
        ));
    };
    items
        .into_iter()
        .map(|item| match item {
            Value::BulkString(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Value::SimpleString(text) => Ok(text),
            Value::Okay => Ok("OK".to_owned()),
            Value::Int(number) => Ok(number.to_string()),
            Value::Nil => Ok(String::new()),
            _ => Err(unexpected("a script answered with nested replies")),
        })
        .collect()
}

/// An answer that no script of ours gives.
pub(crate) fn unexpected(what: &'static str) -> RedisError {
    RedisError::from((ErrorKind::UnexpectedReturnType, what))
}
