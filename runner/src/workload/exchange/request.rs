//! Writing commands in the Redis protocol: lists of bulk strings.

/// Most digits that a length can have.
const MOST_DIGITS: usize = 20;

/// Begins a command of so many words, its name among them; they must follow.
pub(crate) fn begin_command(request: &mut Vec<u8>, words: usize) {
    push_length(request, b'*', words);
}

/// A word: the command's name or an argument.
pub(crate) fn push_word(request: &mut Vec<u8>, word: &[u8]) {
    push_length(request, b'$', word.len());
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
