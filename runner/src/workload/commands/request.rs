//! A command of the mix, prepared: only key and value are put in for each task.

use std::io::Write;

use redyno_contract::plan::MixedCommand;

use crate::workload::exchange::{begin_command, push_word};

/// A piece of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Key,
    Value,
}

/// A command of the mix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    words: Vec<Vec<Piece>>,
}

impl Template {
    /// Of these words, as they stand in the plan.
    pub(super) fn new(command: &[String]) -> Self {
        Self {
            words: command.iter().map(|word| pieces(word)).collect(),
        }
    }

    /// Whether a key stands anywhere in it.
    pub(super) fn has_key(&self) -> bool {
        self.words
            .iter()
            .flatten()
            .any(|piece| *piece == Piece::Key)
    }

    /// Whether a value stands anywhere in it.
    pub(super) fn has_value(&self) -> bool {
        self.words
            .iter()
            .flatten()
            .any(|piece| *piece == Piece::Value)
    }

    /// Writes the command with this key and this value.
    pub(super) fn write(&self, key: &[u8], value: &[u8], request: &mut Vec<u8>) {
        begin_command(request, self.words.len());
        for word in &self.words {
            match word.as_slice() {
                [Piece::Text(text)] => push_word(request, text),
                [Piece::Key] => push_word(request, key),
                [Piece::Value] => push_word(request, value),
                several => {
                    let mut joined = Vec::new();
                    for piece in several {
                        joined.extend_from_slice(match piece {
                            Piece::Text(text) => text,
                            Piece::Key => key,
                            Piece::Value => value,
                        });
                    }
                    push_word(request, &joined);
                }
            }
        }
    }
}

fn pieces(word: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = word;
    loop {
        let next = [
            (MixedCommand::KEY, Piece::Key),
            (MixedCommand::VALUE, Piece::Value),
        ]
        .into_iter()
        .filter_map(|(mark, piece)| Some((rest.find(mark)?, mark, piece)))
        .min_by_key(|(at, _, _)| *at);
        let Some((at, mark, piece)) = next else {
            break;
        };
        if at > 0 {
            pieces.push(Piece::Text(rest.as_bytes()[..at].to_vec()));
        }
        pieces.push(piece);
        rest = &rest[at + mark.len()..];
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(rest.as_bytes().to_vec()));
    }
    pieces
}

/// The name of a key: what stands before its number, and the number.
pub(super) fn write_key(prefix: &str, number: u32, key: &mut Vec<u8>) {
    key.clear();
    key.extend_from_slice(prefix.as_bytes());
    write!(key, "{number}").expect("memory can be written to");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(command: &[&str]) -> String {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let mut request = Vec::new();
        Template::new(&command).write(b"k:7", b"vv", &mut request);
        String::from_utf8(request).unwrap()
    }

    #[test]
    fn keys_and_values_are_put_where_they_are_asked_for() {
        for (command, expected) in [
            (&["GET", "{key}"][..], "*2\r\n$3\r\nGET\r\n$3\r\nk:7\r\n"),
            (
                &["SET", "{key}", "{value}", "EX", "60"],
                "*5\r\n$3\r\nSET\r\n$3\r\nk:7\r\n$2\r\nvv\r\n$2\r\nEX\r\n$2\r\n60\r\n",
            ),
            (
                &["HSET", "h:{key}", "a{value}b{value}", ""],
                "*4\r\n$4\r\nHSET\r\n$5\r\nh:k:7\r\n$6\r\navvbvv\r\n$0\r\n\r\n",
            ),
            (&["ECHO", "{keys}"], "*2\r\n$4\r\nECHO\r\n$6\r\n{keys}\r\n"),
        ] {
            assert_eq!(written(command), expected);
        }
    }

    #[test]
    fn what_is_needed_is_known_before() {
        let template = |words: &[&str]| {
            Template::new(
                &words
                    .iter()
                    .map(|word| (*word).to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert!(template(&["GET", "a{key}"]).has_key());
        assert!(!template(&["GET", "a{key}"]).has_value());
        assert!(template(&["PUBLISH", "channel", "{value}"]).has_value());
        assert!(!template(&["PING"]).has_key());
    }
}
