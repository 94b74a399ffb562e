//! Requests: commands in the Redis protocol, which are lists of bulk strings.

use std::io::IoSlice;

/// One or more whole commands, which may lie in pieces.
pub(crate) trait Request {
    /// The pieces, in the order in which they are sent.
    fn pieces(&self) -> Pieces<'_>;
}

/// The bytes of a request.
#[derive(Debug)]
pub(crate) enum Pieces<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// One piece after the other.
    Many(Vec<IoSlice<'a>>),
}

impl Pieces<'_> {
    /// All bytes in one place.
    pub(crate) fn joined(&self) -> Vec<u8> {
        match self {
            Self::Whole(bytes) => bytes.to_vec(),
            Self::Many(pieces) => pieces
                .iter()
                .flat_map(|piece| piece.iter().copied())
                .collect(),
        }
    }
}

impl Request for Vec<u8> {
    fn pieces(&self) -> Pieces<'_> {
        Pieces::Whole(self)
    }
}

impl<R: Request> Request for &R {
    fn pieces(&self) -> Pieces<'_> {
        (*self).pieces()
    }
}

/// Most digits that a length can have.
const MOST_DIGITS: usize = 20;

/// Begins a command of so many words, its name among them; they must follow.
pub(crate) fn begin_command(request: &mut Vec<u8>, words: usize) {
    push_length(request, b'*', words);
}

/// Begins a word of so many bytes; they and a line end must follow.
pub(crate) fn begin_word(request: &mut Vec<u8>, bytes: usize) {
    push_length(request, b'$', bytes);
}

/// A word: the command's name or an argument.
pub(crate) fn push_word(request: &mut Vec<u8>, word: &[u8]) {
    begin_word(request, word.len());
    request.extend_from_slice(word);
    request.extend_from_slice(b"\r\n");
}

/// A whole command.
pub(crate) fn push_command(request: &mut Vec<u8>, words: &[&[u8]]) {
    begin_command(request, words.len());
    for word in words {
        push_word(request, word);
    }
}

fn push_length(request: &mut Vec<u8>, kind: u8, length: usize) {
    let mut line = [0; MOST_DIGITS + 3];
    let mut at = line.len() - 2;
    line[at..].copy_from_slice(b"\r\n");
    let mut rest = length;
    loop {
        at -= 1;
        // A remainder of ten is a digit.
        line[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    at -= 1;
    line[at] = kind;
    request.extend_from_slice(&line[at..]);
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn commands_are_packed_as_the_client_library_packs_them(
            words in vec(vec(any::<u8>(), 0..200), 1..20),
        ) {
            let mut command = redis::Cmd::new();
            for word in &words {
                command.arg(word.as_slice());
            }
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let mut request = Vec::new();
            push_command(&mut request, &words);
            prop_assert_eq!(request, command.get_packed_command());
        }
    }

    #[test]
    fn lengths_of_any_size_are_written() {
        for length in [0, 9, 10, 65_536, usize::MAX] {
            let mut request = Vec::new();
            push_length(&mut request, b'$', length);
            assert_eq!(request, format!("${length}\r\n").into_bytes());
        }
    }
}
