//! The flats of a building as they come from the target: put into order, otherwise untouched.
//!
//! What HGETALL answers holds, flat by flat, the very bytes that HSET takes as arguments. So they
//! are not unpacked: only where they are is noted.

use redyno_contract::plan::Fetch;

use crate::workload::exchange::{Buffer, number};
use crate::workload::failure::TaskFailure;

/// The flats of a building, in the order of their positions.
#[derive(Debug, Default)]
pub(crate) struct Flats {
    /// None if there is no building.
    reply: Option<Buffer>,
    places: Vec<Place>,
}

/// Where a flat is in the reply. Replies are shorter than 4 GB by far.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Its id and its document, each with its length before and a line end behind.
    begin: u32,
    end: u32,
    /// Its id.
    id_begin: u32,
    id_end: u32,
}

/// What every document begins with; its position follows.
const BEFORE_POSITION: &[u8] = br#"{"i":"#;

/// No flat is shorter: two lengths, and the beginning of a document.
const SHORTEST: usize = "$0\r\n\r\n$0\r\n\r\n".len() + BEFORE_POSITION.len();

/// What the fetch script's list of one hash begins with.
const LIST_OF_ONE: &[u8] = b"*1\r\n";

impl Flats {
    /// Reads a complete reply and puts the flats into the order of their positions: a hash has
    /// none.
    ///
    /// # Errors
    /// [`TaskFailure`] if it is anything but flats at the positions 0 to n - 1, or fewer of them
    /// than the worker has written.
    pub(crate) fn read(reply: Buffer, fetch: Fetch, written: u32) -> Result<Self, TaskFailure> {
        let mut cursor = Cursor {
            bytes: &reply,
            at: 0,
        };
        match fetch {
            Fetch::Lua => {
                if !reply.starts_with(LIST_OF_ONE) {
                    return Err(TaskFailure::unexpected("not one hash from the script"));
                }
                cursor.at = LIST_OF_ONE.len();
            }
            Fetch::Hgetall => {}
        }
        let places = cursor.places(written as usize)?;
        Ok(Self {
            reply: Some(reply),
            places,
        })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }

    /// The id of the flat at a position.
    pub(crate) fn id(&self, position: usize) -> Option<&[u8]> {
        let Place {
            id_begin, id_end, ..
        } = self.places.get(position)?;
        self.reply.as_deref()?.get(range(*id_begin, *id_end))
    }

    /// Writes all of them, as arguments of HSET.
    pub(crate) fn push_to(&self, request: &mut Vec<u8>) {
        let Some(reply) = &self.reply else { return };
        for Place { begin, end, .. } in &self.places {
            request.extend_from_slice(&reply[range(*begin, *end)]);
        }
    }
}

const fn range(begin: u32, end: u32) -> std::ops::Range<usize> {
    begin as usize..end as usize
}

/// Reads a complete and well-formed reply.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn places(&mut self, written: usize) -> Result<Vec<Place>, TaskFailure> {
        let fields = self
            .length(b'*')
            .ok_or_else(|| TaskFailure::unexpected("not a hash"))?;
        if fields % 2 != 0 {
            return Err(TaskFailure::unexpected("a hash with a field but no value"));
        }
        let count = fields / 2;
        if count > self.bytes.len() / SHORTEST {
            return Err(TaskFailure::unexpected("flats without documents"));
        }
        if count < written {
            return Err(TaskFailure::lost(format!(
                "{count} of {written} flats of the building are there"
            )));
        }
        let mut places = vec![Place::default(); count];
        for _ in 0..count {
            let begin = self.at;
            let (Some(id), Some(document)) = (self.text(), self.text()) else {
                return Err(TaskFailure::unexpected("a flat that is not text"));
            };
            let place = position(&self.bytes[document])
                .and_then(|position| places.get_mut(position))
                .filter(|place| place.end == 0)
                .ok_or_else(|| {
                    TaskFailure::unexpected("a flat without a position of its own among the others")
                })?;
            let short = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
            *place = Place {
                begin: short(begin),
                end: short(self.at),
                id_begin: short(id.start),
                id_end: short(id.end),
            };
        }
        // As many flats as places, none of which was taken twice.
        Ok(places)
    }

    /// Passes over a string and says where it is.
    fn text(&mut self) -> Option<std::ops::Range<usize>> {
        let length = self.length(b'$')?;
        let begin = self.at;
        let end = begin.checked_add(length)?;
        self.at = end.checked_add("\r\n".len())?;
        (self.at <= self.bytes.len()).then_some(begin..end)
    }

    /// Passes over a length of this kind. None if there is something else, or nothing.
    fn length(&mut self, kind: u8) -> Option<usize> {
        let (first, line) = self.bytes.get(self.at..)?.split_first()?;
        if *first != kind {
            return None;
        }
        let (length, line_length) = number(line).ok()??;
        self.at += 1 + line_length;
        usize::try_from(length).ok()
    }
}

fn position(document: &[u8]) -> Option<usize> {
    let rest = document.strip_prefix(BEFORE_POSITION)?;
    let mut position = 0_usize;
    for (count, byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                position = position
                    .checked_mul(10)?
                    .checked_add(usize::from(byte - b'0'))?;
            }
            b',' if count > 0 => return Some(position),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use redyno_engine::FailureClass;

    use super::*;
    use crate::workload::exchange::Buffers;

    fn read_as(reply: &str, fetch: Fetch) -> Result<Flats, TaskFailure> {
        let mut buffer = Buffers::default().take();
        buffer.extend_from_slice(reply.as_bytes());
        Flats::read(buffer, fetch, 0)
    }

    fn read(reply: &str) -> Result<Flats, TaskFailure> {
        read_as(reply, Fetch::Lua)
    }

    fn text(text: &str) -> String {
        format!("${}\r\n{text}\r\n", text.len())
    }

    fn hash(flats: &[(&str, &str)]) -> String {
        let fields: String = flats
            .iter()
            .flat_map(|(id, document)| [text(id), text(document)])
            .collect();
        format!("*{}\r\n{fields}", 2 * flats.len())
    }

    fn list(flats: &[(&str, &str)]) -> String {
        format!("*1\r\n{}", hash(flats))
    }

    #[test]
    fn flats_come_in_the_order_of_their_positions() {
        let (first, second, third) = (
            ("a", r#"{"i":0,"json":{}}"#),
            ("bb", r#"{"i":1,"json":{"bedrooms":2}}"#),
            ("c", r#"{"i":2,"json":{}}"#),
        );
        let flats = read(&list(&[second, third, first])).unwrap();
        assert_eq!(flats.count(), 3);
        assert_eq!(flats.id(0), Some(&b"a"[..]));
        assert_eq!(flats.id(1), Some(&b"bb"[..]));
        assert_eq!(flats.id(2), Some(&b"c"[..]));
        assert_eq!(flats.id(3), None);
        let mut arguments = Vec::new();
        flats.push_to(&mut arguments);
        let ordered = hash(&[first, second, third]);
        assert_eq!(
            String::from_utf8(arguments).unwrap(),
            ordered.strip_prefix("*6\r\n").unwrap()
        );
        assert_eq!(read(&list(&[])).unwrap().count(), 0);
        let plain = read_as(&hash(&[second, first]), Fetch::Hgetall).unwrap();
        assert_eq!(plain.id(1), Some(&b"bb"[..]));
    }

    #[test]
    fn fewer_flats_than_were_written_are_lost_ones() {
        let whole = list(&[("a", r#"{"i":0}"#), ("b", r#"{"i":1,"json":{}}"#)]);
        let with_a_hole = list(&[("a", r#"{"i":0,"json":{}}"#), ("c", r#"{"i":2,"json":{}}"#)]);
        for (reply, written, class) in [
            (&list(&[]), 1, FailureClass::Lost),
            (&whole, 3, FailureClass::Lost),
            (&with_a_hole, 3, FailureClass::Lost),
            (&with_a_hole, 2, FailureClass::Other),
        ] {
            let mut buffer = Buffers::default().take();
            buffer.extend_from_slice(reply.as_bytes());
            let failure = Flats::read(buffer, Fetch::Lua, written).unwrap_err();
            assert_eq!(failure.class, class, "{failure}");
        }
    }

    #[test]
    fn anything_else_is_a_failure() {
        for bad in [
            "$-1\r\n".to_owned(),
            "*0\r\n".to_owned(),
            "*1\r\n:1\r\n".to_owned(),
            "*1\r\n*-1\r\n".to_owned(),
            "*2\r\n*0\r\n*0\r\n".to_owned(),
            format!("*1\r\n*1\r\n{}", text("a")),
            format!("*1\r\n*2\r\n{}:3\r\n", text("a")),
            format!("*1\r\n*2\r\n{}$-1\r\n", text("a")),
            list(&[("a", r#"{"i":1,"json":{}}"#)]),
            list(&[("a", r#"{"i":0,"json":{}}"#), ("b", r#"{"i":0,"json":{}}"#)]),
            list(&[("a", r#"{"i":-1,"json":{}}"#)]),
            list(&[("a", r#"{"i":,"json":{}}"#)]),
            list(&[("a", r#"{"i":99999999999999999999999,"json":{}}"#)]),
            list(&[("a", r#"{"i":0"#)]),
            list(&[("a", "")]),
            // Memory is taken for flats that can be there.
            format!("*1\r\n*2000000\r\n{}", ":1\r\n".repeat(2_000_000)),
        ] {
            let failure = read(&bad).unwrap_err();
            let shown: String = bad.chars().take(80).collect();
            assert!(failure.words.contains("unexpected"), "{shown}: {failure}");
        }
    }
}
