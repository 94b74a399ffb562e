//! Where replies end: the Redis protocol, version 2, as far as that needs to be understood.
//!
//! Bulk strings are passed over by their length and nothing is copied, but for the first error
//! among the replies. Nesting needs no stack: a list of n elements is n more elements to come.

/// Longest reply, and longest bulk string: what Redis itself allows for a string by default.
pub(crate) const LONGEST_REPLY: u64 = 512 * 1024 * 1024;

/// Longest status or error. Those of Redis are much shorter; a script can make longer ones.
const LONGEST_LINE: usize = 64 * 1024;

/// Every number of the protocol fits, sign included.
const LONGEST_NUMBER: usize = 20;

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
    first_error: Option<Box<[u8]>>,
}

impl Scanner {
    /// For so many replies.
    pub(crate) const fn new(replies: u64) -> Self {
        Self {
            awaited: replies,
            rest: 0,
            passed: 0,
            first_error: None,
        }
    }

    /// Whether the end of the last reply has been seen.
    pub(crate) const fn is_done(&self) -> bool {
        self.awaited == 0
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
                    Ok(bytes) => self.rest = bytes + LINE_END.len() as u64,
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
    let digits = usize::from(negative);
    let mut number = 0_i64;
    let mut at = digits;
    loop {
        match line.get(at) {
            Some(digit @ b'0'..=b'9') if at < LONGEST_NUMBER => {
                let digit = i64::from(digit - b'0');
                // Negative throughout, for the smallest number has no positive counterpart.
                number = number
                    .checked_mul(10)
                    .and_then(|tens| tens.checked_sub(digit))
                    .ok_or(Malformed::Number)?;
                at += 1;
            }
            Some(b'\r') if at > digits => match line.get(at + 1) {
                Some(b'\n') => break,
                Some(_) => return Err(Malformed::End),
                None => return Ok(None),
            },
            Some(_) => return Err(Malformed::Number),
            None => return Ok(None),
        }
    }
    let number = if negative {
        number
    } else {
        number.checked_neg().ok_or(Malformed::Number)?
    };
    Ok(Some((number, at + LINE_END.len())))
}
