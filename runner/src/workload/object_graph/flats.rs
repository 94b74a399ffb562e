//! The flats of a building as they come from the target: put into order, otherwise untouched.

use redis::Value;

use crate::workload::failure::TaskFailure;

/// One flat. Its document travels from reply to save as bytes: only its position is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flat {
    /// Its id, twelve hexadecimal digits.
    pub(crate) id: Vec<u8>,
    /// Its JSON document.
    pub(crate) document: Vec<u8>,
}

/// What every document begins with; its position follows.
const BEFORE_POSITION: &[u8] = br#"{"i":"#;

/// Reads what the fetch script answers, a list of one reply of HGETALL, and puts the flats into
/// the order of their positions: a hash has none.
///
/// # Errors
/// [`TaskFailure`] if it is anything but flats at the positions 0 to n - 1.
pub(crate) fn read(reply: Value) -> Result<Vec<Flat>, TaskFailure> {
    let reply = match reply {
        Value::ServerError(error) => return Err(error.into()),
        Value::Array(mut hashes) if hashes.len() == 1 => hashes.swap_remove(0),
        _ => return Err(TaskFailure::unexpected("not one hash from the script")),
    };
    let Value::Array(fields) = reply else {
        return Err(TaskFailure::unexpected("not a hash from the script"));
    };
    if fields.len() % 2 != 0 {
        return Err(TaskFailure::unexpected("a hash with a field but no value"));
    }
    let count = fields.len() / 2;
    let mut flats: Vec<Option<Flat>> = vec![None; count];
    let mut fields = fields.into_iter();
    while let (Some(id), Some(document)) = (fields.next(), fields.next()) {
        let (Value::BulkString(id), Value::BulkString(document)) = (id, document) else {
            return Err(TaskFailure::unexpected("a flat that is not text"));
        };
        let place = position(&document)
            .and_then(|position| flats.get_mut(position))
            .filter(|place| place.is_none())
            .ok_or_else(|| {
                TaskFailure::unexpected("a flat without a position of its own among the others")
            })?;
        *place = Some(Flat { id, document });
    }
    // As many flats as places, none of which was taken twice.
    Ok(flats.into_iter().flatten().collect())
}

fn position(document: &[u8]) -> Option<usize> {
    let rest = document.strip_prefix(BEFORE_POSITION)?;
    let digits = rest.iter().position(|byte| *byte == b',')?;
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn reply(flats: &[(&str, &str)]) -> Value {
        Value::Array(vec![Value::Array(
            flats
                .iter()
                .flat_map(|(id, document)| [text(id), text(document)])
                .collect(),
        )])
    }

    #[test]
    fn flats_come_in_the_order_of_their_positions() {
        let flats = read(reply(&[
            ("b", r#"{"i":1,"json":{}}"#),
            ("c", r#"{"i":2,"json":{}}"#),
            ("a", r#"{"i":0,"json":{}}"#),
        ]))
        .unwrap();
        let ids: Vec<_> = flats.iter().map(|flat| flat.id.as_slice()).collect();
        assert_eq!(ids, [b"a", b"b", b"c"]);
        assert_eq!(flats[2].document, br#"{"i":2,"json":{}}"#);
        assert_eq!(read(reply(&[])).unwrap(), []);
    }

    #[test]
    fn anything_else_is_a_failure() {
        for bad in [
            Value::Nil,
            Value::Array(vec![]),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![Value::Array(vec![text("a")])]),
            Value::Array(vec![Value::Array(vec![text("a"), Value::Int(3)])]),
            reply(&[("a", r#"{"i":1,"json":{}}"#)]),
            reply(&[("a", r#"{"i":0,"json":{}}"#), ("b", r#"{"i":0,"json":{}}"#)]),
            reply(&[("a", r#"{"i":-1,"json":{}}"#)]),
            reply(&[("a", r#"{"i":99999999999999999999999,"json":{}}"#)]),
            reply(&[("a", r#"{"i":0"#)]),
            reply(&[("a", "")]),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad:?}");
        }
    }
}
