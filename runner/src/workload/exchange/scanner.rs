//! Where replies end: the Redis protocol, version 2, as far as that needs to be understood.
//!
//! Bulk strings are passed over by their length and nothing is copied, but for the first error
//! among the replies. Nesting needs no stack: a list of n elements is n more elements to come.

use redyno_engine::Content;

/// Longest reply, and longest bulk string: what Redis itself allows for a string by default.
pub(crate) const LONGEST_REPLY: u64 = 512 * 1024 * 1024;

/// Longest status or error. Those of Redis are much shorter; a script can make longer ones.
const LONGEST_LINE: usize = 64 * 1024;

/// No number of the protocol has more digits, and none of so many exceeds 64 bits.
const MOST_DIGITS: usize = 19;

const LINE_END: &[u8] = b"\r\n";

/// Not the Redis protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// No reply begins like this.
    #[error("a reply begins with byte {0:#04x}")]
    Kind(u8),
    /// A length or an integer is none.
    #[error("a reply has something else where a number must be")]
    Number,
    /// A line or a string does not end where it must.
    #[error("a reply does not end where it must")]
    End,
    /// Longer than anything that Redis would say.
    #[error("a reply is longer than {LONGEST_REPLY} bytes")]
    TooLong,
    /// A status or an error is longer than one line of text.
    #[error("a status or error is longer than {LONGEST_LINE} bytes")]
    LineTooLong,
}

/// Finds the end of a number of replies in bytes that come in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scanner {
    /// Elements of which the end has not been seen: replies, and what lists hold.
    awaited: u64,
    /// What is still to come of a bulk string, its line end included; 0 outside of one.
    rest: u64,
    /// Bytes passed.
    passed: u64,
    /// Whether anything but nils and lists of them was among the replies.
    held: bool,
    first_error: Option<Box<[u8]>>,
}

impl Scanner {
    /// For so many replies.
    pub(crate) const fn new(replies: u64) -> Self {
        Self {
            awaited: replies,
            rest: 0,
            passed: 0,
            held: false,
            first_error: None,
        }
    }

    /// Whether the end of the last reply has been seen.
    pub(crate) const fn is_done(&self) -> bool {
        self.awaited == 0
    }

    /// What the replies held so far. Of an error this says nothing.
    pub(crate) const fn content(&self) -> Content {
        if self.held {
            Content::Something
        } else {
            Content::Nothing
        }
    }

    /// The first error in the order of the bytes, at any depth: its line without the minus sign
    /// and the line end.
    pub(crate) fn into_first_error(self) -> Option<Box<[u8]>> {
        self.first_error
    }

    /// Passes over the next bytes and says how many of them are done with: the others must come
    /// again, with more behind them. Once all replies have been seen, nothing more is taken.
    ///
    /// # Errors
    /// [`Malformed`]; what comes after that has no meaning.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut at = 0;
        while self.awaited > 0 {
            let ahead = &bytes[at..];
            let step = if self.rest > 0 {
                self.pass_string(ahead)?
            } else {
                self.pass_head(ahead)?
            };
            match step {
                Some(length) => at += length,
                None => break,
            }
        }
        self.passed = self.passed.saturating_add(at as u64);
        if self.passed.saturating_add(self.rest) > LONGEST_REPLY {
            return Err(Malformed::TooLong);
        }
        Ok(at)
    }

    /// Inside a bulk string. None if nothing more can be passed.
    fn pass_string(&mut self, ahead: &[u8]) -> Result<Option<usize>, Malformed> {
        let here = ahead.len() as u64;
        if self.rest <= here {
            // No longer than the slice.
            let length = usize::try_from(self.rest).unwrap_or(ahead.len());
            if !ahead[..length].ends_with(LINE_END) {
                return Err(Malformed::End);
            }
            self.rest = 0;
            self.awaited -= 1;
            return Ok(Some(length));
        }
        // The line end stays until it is there as a whole.
        let line_end = LINE_END.len() as u64;
        let text = here.min(self.rest.saturating_sub(line_end));
        self.rest -= text;
        Ok((text > 0).then(|| usize::try_from(text).unwrap_or(ahead.len())))
    }

    /// At the beginning of an element. None if its first line is not there as a whole.
    fn pass_head(&mut self, ahead: &[u8]) -> Result<Option<usize>, Malformed> {
        let Some((kind, line)) = ahead.split_first() else {
            return Ok(None);
        };
        match kind {
            b'$' => {
                let Some((number, length)) = number(line)? else {
                    return Ok(None);
                };
                match u64::try_from(number) {
                    Ok(bytes) if bytes > LONGEST_REPLY => return Err(Malformed::TooLong),
                    Ok(bytes) => {
                        self.rest = bytes + LINE_END.len() as u64;
                        self.held = true;
                    }
                    Err(_) if number == -1 => self.awaited -= 1,
                    Err(_) => return Err(Malformed::Number),
                }
                Ok(Some(1 + length))
            }
            b'*' => {
                let Some((number, length)) = number(line)? else {
                    return Ok(None);
                };
                self.awaited -= 1;
                match u64::try_from(number) {
                    // Each of them has more than one byte.
                    Ok(elements) if elements > LONGEST_REPLY => return Err(Malformed::TooLong),
                    Ok(elements) => {
                        self.awaited = self
                            .awaited
                            .checked_add(elements)
                            .ok_or(Malformed::TooLong)?;
                    }
                    Err(_) if number == -1 => {}
                    Err(_) => return Err(Malformed::Number),
                }
                Ok(Some(1 + length))
            }
            b':' => {
                let found = number(line)?;
                self.awaited -= u64::from(found.is_some());
                self.held |= found.is_some();
                Ok(found.map(|(_, length)| 1 + length))
            }
            b'+' | b'-' => {
                let end = line.iter().position(|byte| *byte == b'\r');
                if end.unwrap_or(line.len()) > LONGEST_LINE {
                    return Err(Malformed::LineTooLong);
                }
                let Some(end) = end.filter(|end| line.len() > end + 1) else {
                    return Ok(None);
                };
                if line[end + 1] != b'\n' {
                    return Err(Malformed::End);
                }
                self.held |= *kind == b'+';
                if *kind == b'-' && self.first_error.is_none() {
                    self.first_error = Some(line[..end].into());
                }
                self.awaited -= 1;
                Ok(Some(1 + end + LINE_END.len()))
            }
            other => Err(Malformed::Kind(*other)),
        }
    }
}

/// A number that ends its line, and the length of the line with its end. None if the line is not
/// there as a whole.
///
/// # Errors
/// [`Malformed::Number`], as soon as that can be seen.
pub(crate) fn number(line: &[u8]) -> Result<Option<(i64, usize)>, Malformed> {
    let negative = line.first() == Some(&b'-');
    let begin = usize::from(negative);
    let mut magnitude = 0_u64;
    let mut at = begin;
    loop {
        match line.get(at) {
            Some(digit @ b'0'..=b'9') if at < begin + MOST_DIGITS => {
                magnitude = magnitude * 10 + u64::from(digit - b'0');
                at += 1;
            }
            Some(b'\r') if at > begin => match line.get(at + 1) {
                Some(b'\n') => break,
                Some(_) => return Err(Malformed::End),
                None => return Ok(None),
            },
            Some(_) => return Err(Malformed::Number),
            None => return Ok(None),
        }
    }
    let number = if negative {
        0_i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    };
    Ok(Some((
        number.ok_or(Malformed::Number)?,
        at + LINE_END.len(),
    )))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Reply {
        Status(String),
        Error(String),
        Integer(i64),
        Text(Option<Vec<u8>>),
        List(Option<Vec<Self>>),
    }

    impl Reply {
        fn encode(&self, bytes: &mut Vec<u8>) {
            match self {
                Self::Status(text) => bytes.extend(format!("+{text}\r\n").bytes()),
                Self::Error(text) => bytes.extend(format!("-{text}\r\n").bytes()),
                Self::Integer(number) => bytes.extend(format!(":{number}\r\n").bytes()),
                Self::Text(None) => bytes.extend(b"$-1\r\n"),
                Self::Text(Some(text)) => {
                    bytes.extend(format!("${}\r\n", text.len()).bytes());
                    bytes.extend(text);
                    bytes.extend(b"\r\n");
                }
                Self::List(None) => bytes.extend(b"*-1\r\n"),
                Self::List(Some(elements)) => {
                    bytes.extend(format!("*{}\r\n", elements.len()).bytes());
                    for element in elements {
                        element.encode(bytes);
                    }
                }
            }
        }

        fn first_error(&self) -> Option<&str> {
            match self {
                Self::Error(text) => Some(text),
                Self::List(Some(elements)) => elements.iter().find_map(Self::first_error),
                _ => None,
            }
        }
    }

    fn reply() -> impl Strategy<Value = Reply> {
        let leaf = prop_oneof![
            "[ -~]{0,30}".prop_map(Reply::Status),
            "[A-Z]{1,10} [ -~]{0,30}".prop_map(Reply::Error),
            any::<i64>().prop_map(Reply::Integer),
            option::weighted(0.9, vec(any::<u8>(), 0..60)).prop_map(Reply::Text),
            // Text that looks like the protocol.
            Just(Reply::Text(Some(b"\r\n-ERR no\r\n*2\r\n$".to_vec()))),
        ];
        leaf.prop_recursive(4, 40, 6, |element| {
            option::weighted(0.9, vec(element, 0..6)).prop_map(Reply::List)
        })
    }

    /// Bytes that often are the protocol for a while.
    fn anything() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            reply().prop_map(|reply| {
                let mut bytes = Vec::new();
                reply.encode(&mut bytes);
                bytes
            }),
            "[-+:$*][0-9]{0,25}(\r\n|\r|)".prop_map(String::into_bytes),
            vec(any::<u8>(), 0..20),
        ];
        vec(part, 0..6).prop_map(|parts| parts.concat())
    }

    #[derive(Debug, PartialEq)]
    struct Seen {
        done: bool,
        passed: usize,
        first_error: Option<Box<[u8]>>,
    }

    /// Scans bytes that come in pieces of these lengths, the last of them again and again.
    fn scan(replies: u64, bytes: &[u8], pieces: &[usize]) -> Result<Seen, Malformed> {
        let mut scanner = Scanner::new(replies);
        let (mut passed, mut there) = (0, 0);
        let mut pieces = pieces.iter().copied().chain(std::iter::repeat(
            pieces.last().copied().unwrap_or(bytes.len()).max(1),
        ));
        while there < bytes.len() {
            there = bytes.len().min(there + pieces.next().unwrap());
            let step = scanner.scan(&bytes[passed..there])?;
            assert!(step <= there - passed);
            passed += step;
        }
        Ok(Seen {
            done: scanner.is_done(),
            passed,
            first_error: scanner.into_first_error(),
        })
    }

    proptest! {
        #[test]
        fn replies_end_where_they_end_however_they_are_cut(
            replies in vec(reply(), 1..5),
            behind in vec(any::<u8>(), 0..20),
            pieces in vec(0..50_usize, 0..20),
        ) {
            let mut bytes = Vec::new();
            for reply in &replies {
                reply.encode(&mut bytes);
            }
            let length = bytes.len();
            bytes.extend(behind);
            let first_error = replies.iter().find_map(Reply::first_error);
            let expected = Seen {
                done: true,
                passed: length,
                first_error: first_error.map(|text| text.as_bytes().into()),
            };
            prop_assert_eq!(scan(replies.len() as u64, &bytes, &pieces), Ok(expected));
            // One byte too few is one too few.
            let seen = scan(replies.len() as u64, &bytes[..length - 1], &pieces).unwrap();
            prop_assert!(!seen.done);
        }

        #[test]
        fn the_client_library_reads_the_same(reply in reply()) {
            let mut bytes = Vec::new();
            reply.encode(&mut bytes);
            let failed = redis::parse_redis_value(&bytes).unwrap().extract_error().is_err();
            prop_assert_eq!(scan(1, &bytes, &[]).unwrap().first_error.is_some(), failed);
        }

        #[test]
        fn anything_at_all_is_scanned_the_same_however_it_is_cut(
            replies in 1..4_u64,
            bytes in anything(),
            pieces in vec(0..50_usize, 0..20),
        ) {
            prop_assert_eq!(scan(replies, &bytes, &[]), scan(replies, &bytes, &pieces));
        }
    }

    #[test]
    fn what_is_not_the_protocol_is_told() {
        let long = format!("+{}\r\n", "x".repeat(LONGEST_LINE + 1));
        for (bytes, malformed) in [
            ("HTTP/1.1 400 Bad Request\r\n", Malformed::Kind(b'H')),
            ("%1\r\n", Malformed::Kind(b'%')),
            ("$x\r\n", Malformed::Number),
            ("$\r\n", Malformed::Number),
            ("$-2\r\n", Malformed::Number),
            ("*-2\r\n", Malformed::Number),
            (":-\r\n", Malformed::Number),
            (":9223372036854775808\r\n", Malformed::Number),
            ("$000000000000000000001\r\n", Malformed::Number),
            ("$1\rx", Malformed::End),
            ("$1\r\nabc", Malformed::End),
            ("+OK\rx", Malformed::End),
            ("$536870913\r\n", Malformed::TooLong),
            ("*536870913\r\n", Malformed::TooLong),
            (&long, Malformed::LineTooLong),
            (&long[..long.len() - 2], Malformed::LineTooLong),
        ] {
            assert_eq!(
                scan(1, bytes.as_bytes(), &[]),
                Err(malformed),
                "{bytes:.40}"
            );
        }
        assert!(scan(1, b":-9223372036854775808\r\n", &[]).unwrap().done);
    }

    #[test]
    fn lists_in_lists_without_end_take_no_memory_but_an_end() {
        let bytes = b"*1\r\n".repeat(1000);
        let mut scanner = Scanner::new(1);
        assert_eq!(scanner.scan(&bytes), Ok(bytes.len()));
        scanner.passed = LONGEST_REPLY - bytes.len() as u64;
        assert_eq!(scanner.scan(&bytes), Ok(bytes.len()));
        assert_eq!(scanner.scan(&bytes), Err(Malformed::TooLong));
    }
}
