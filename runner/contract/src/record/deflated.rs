//! The payload of a record: JSON, deflated.
//!
//! Most of a message is names of fields. Since version 2 they are known to both sides: writer and
//! reader begin with the same text, [`NAMES`], and what was written only refers to it.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// What a message looks like, the likeliest last. It belongs to version 2 of the record and never
/// changes: names that it lacks only take more room.
const NAMES: &[u8] = include_bytes!("names.txt");

/// Deflates a JSON text as version 2 has it.
pub(super) fn with_names(json: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let all = encoder
        .write_all(NAMES)
        // Ends on a whole byte, and what follows can still refer to what came before.
        .and_then(|()| encoder.flush())
        .map(|()| encoder.get_ref().len())
        .and_then(|names| {
            encoder.write_all(json)?;
            Ok((names, encoder.finish()?))
        });
    let (names, deflated) = all.expect("writing to memory cannot fail");
    deflated[names..].to_vec()
}

/// Inflates what version 1 wrote, at most so many bytes and one more.
///
/// # Errors
/// It is not deflated text.
pub(super) fn inflate(deflated: &[u8], most: usize) -> std::io::Result<Vec<u8>> {
    up_to(DeflateDecoder::new(deflated), most)
}

/// The same of version 2.
///
/// # Errors
/// It is not deflated text.
pub(super) fn inflate_with_names(deflated: &[u8], most: usize) -> std::io::Result<Vec<u8>> {
    let mut decoder = DeflateDecoder::new(stored_names().chain(deflated));
    let mut names = vec![0; NAMES.len()];
    decoder.read_exact(&mut names)?;
    up_to(decoder, most)
}

fn up_to(reader: impl Read, most: usize) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    reader.take(most as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

/// The names as a block that is stored and not the last (RFC 1951, 3.2.4), whatever the writer made
/// of them: only the text counts.
fn stored_names() -> impl Read {
    let length = u16::try_from(NAMES.len()).expect("the names are short");
    let [low, high] = length.to_le_bytes();
    let [not_low, not_high] = (!length).to_le_bytes();
    std::io::Cursor::new([0, low, high, not_low, not_high]).chain(NAMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_version_2_never_change() {
        assert_eq!(crc32fast::hash(NAMES), 0x10de_1357);
    }

    #[test]
    fn what_was_written_is_read() {
        for json in [&b""[..], b"{}", b"\"scheduled\":1", &[b'x'; 5000]] {
            let deflated = with_names(json);
            assert_eq!(inflate_with_names(&deflated, 5000).unwrap(), json);
        }
        assert_eq!(
            inflate_with_names(&with_names(&[0; 70]), 9).unwrap().len(),
            10
        );
        assert!(inflate_with_names(b"", 9).is_err());
        assert!(inflate_with_names(b"\xff\xff", 9).is_err());
    }
}
