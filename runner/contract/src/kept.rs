//! What an operator keeps of a pod: the text, and a seal that says that the operator itself wrote
//! it. Everybody who may change a ConfigMap can change what is kept there; only the operator has
//! the key of the seal.
//!
//! ```text
//! redyno kept 1 <pod uid, or - for the run> <64 hex digits>\n
//! <text>
//! ```

use std::fmt;

const BEGIN: &str = "redyno kept 1 ";

/// One kept text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept<'a> {
    /// The uid of the pod that it speaks of; [`Kept::RUN`] if it speaks of the run.
    pub pod: &'a str,
    /// The seal, in hex.
    pub seal: &'a str,
    /// What is kept.
    pub text: &'a str,
}

impl<'a> Kept<'a> {
    /// What stands in a pod's place where the run as a whole is spoken of.
    pub const RUN: &'static str = "-";

    /// Takes a kept text apart. None if it is not one, as those of the first release: they had no
    /// seal.
    pub fn parse(value: &'a str) -> Option<Self> {
        let (line, text) = value.split_once('\n')?;
        let (pod, seal) = line.strip_prefix(BEGIN)?.split_once(' ')?;
        Some(Self { pod, seal, text })
    }

    /// The text of an entry, whoever wrote it: for who shows it and trusts the status for the rest.
    pub fn text_of(value: &'a str) -> &'a str {
        Self::parse(value).map_or(value, |kept| kept.text)
    }
}

impl fmt::Display for Kept<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pod, seal, text } = self;
        write!(formatter, "{BEGIN}{pod} {seal}\n{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["", "one line", "two\nlines\n", "redyno kept 1 a b\nc"] {
            let kept = Kept {
                pod: "uid-1",
                seal: "00ff",
                text,
            };
            assert_eq!(Kept::parse(&kept.to_string()), Some(kept));
            assert_eq!(Kept::text_of(&kept.to_string()), text);
        }
    }

    #[test]
    fn what_has_no_seal_is_a_text_of_the_first_release() {
        for value in [
            "",
            "redyno 1 7 final",
            "redyno kept 1 \n",
            "redyno kept 2 a b\nc",
        ] {
            assert_eq!(Kept::parse(value), None, "{value:?}");
            assert_eq!(Kept::text_of(value), value);
        }
    }
}
