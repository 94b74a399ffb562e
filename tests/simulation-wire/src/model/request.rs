//! Reading commands off the wire.

/// A command: its name and its arguments.
pub type Words = Vec<Vec<u8>>;

/// The longest first line of a request.
const LONGEST_LINE: usize = 64 * 1024;

/// Takes the next whole command off the front of what was received; None if there is none yet.
///
/// # Errors
/// What the server says before it hangs up.
pub fn take_command(received: &mut Vec<u8>) -> Result<Option<Words>, String> {
    loop {
        let mut reader = Reader {
            bytes: received,
            at: 0,
        };
        let Some(words) = reader.command()? else {
            return Ok(None);
        };
        let read = reader.at;
        received.drain(..read);
        // An empty line is passed over.
        if !words.is_empty() {
            return Ok(Some(words));
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn line(&mut self) -> Option<&[u8]> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        self.at += end + 1;
        let line = &rest[..end];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn command(&mut self) -> Result<Option<Words>, String> {
        let Some(line) = self.line() else {
            return if self.bytes.len() > LONGEST_LINE {
                Err("ERR Protocol error: too big inline request".to_owned())
            } else {
                Ok(None)
            };
        };
        let Some(count) = line.strip_prefix(b"*") else {
            let words = line.split(|byte| *byte == b' ');
            return Ok(Some(
                words
                    .filter(|word| !word.is_empty())
                    .map(<[u8]>::to_vec)
                    .collect(),
            ));
        };
        let count = number(count)
            .filter(|count| *count <= 1024 * 1024)
            .ok_or("ERR Protocol error: invalid multibulk length")?;
        let mut words = Vec::new();
        for _ in 0..count {
            let Some(line) = self.line() else {
                return Ok(None);
            };
            let length = line.strip_prefix(b"$").ok_or_else(|| {
                let found = line.first().copied().map_or(' ', char::from);
                format!("ERR Protocol error: expected '$', got '{found}'")
            })?;
            let length = number(length)
                .and_then(|length| usize::try_from(length).ok())
                .ok_or("ERR Protocol error: invalid bulk length")?;
            let Some(word) = self.bytes.get(self.at..self.at + length) else {
                return Ok(None);
            };
            if self.bytes.len() < self.at + length + 2 {
                return Ok(None);
            }
            words.push(word.to_vec());
            self.at += length + 2;
        }
        Ok(Some(words))
    }
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
