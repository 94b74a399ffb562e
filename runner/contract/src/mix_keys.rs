//! The keys of a mix: which words of its commands name them, as they stand in the plan.
//!
//! What is sent is the whole word, such as `cache:{key}` with a key of the keyspace in it. So a
//! pattern, which is such a word, and not the keyspace, says what is filled before the run, what is
//! removed after it, and what the target's user must be allowed to touch.

use crate::known_commands::{Effect, Holds, known};
use crate::workload::{Commands, MixedCommand};

impl MixedCommand {
    /// The words that name a key of the keyspace, in their order.
    pub fn key_patterns(&self) -> Vec<&str> {
        self.words_at_keys()
            .into_iter()
            .filter(|word| word.contains(Self::KEY))
            .collect()
    }

    /// What its keys hold.
    pub fn holds(&self) -> Holds {
        known(&self.command).map_or(Holds::Other, |known| known.holds)
    }

    /// What it does to the memory that its keys take.
    pub fn effect(&self) -> Effect {
        known(&self.command).map_or(Effect::Unknown, |known| known.effect)
    }

    /// The first key whose name is made of a value: nobody could find it again.
    pub fn key_made_of_a_value(&self) -> Option<&str> {
        self.words_at_keys()
            .into_iter()
            .find(|word| word.contains(Self::VALUE))
    }

    fn words_at_keys(&self) -> Vec<&str> {
        let words = &self.command;
        known(words)
            .map_or_else(
                || {
                    let arguments = words.iter().skip(1);
                    arguments.filter(|word| word.contains(Self::KEY)).collect()
                },
                |known| known.keys(words),
            )
            .into_iter()
            .map(String::as_str)
            .collect()
    }
}

impl Commands {
    /// Every pattern of a key, each once, in the order of the mix.
    pub fn key_patterns(&self) -> Vec<&str> {
        let mut patterns = Vec::new();
        for pattern in self.mix.iter().flat_map(MixedCommand::key_patterns) {
            if !patterns.contains(&pattern) {
                patterns.push(pattern);
            }
        }
        patterns
    }

    /// The patterns that a prefill writes strings to: those whose keys no command of the mix takes
    /// for anything else.
    pub fn filled_patterns(&self) -> Vec<&str> {
        let mut patterns = self.key_patterns();
        patterns.retain(|pattern| self.used_otherwise(pattern).is_none());
        patterns
    }

    /// A pattern whose keys one command takes for a string and another for something else, which
    /// cannot be: the pattern and the two.
    pub fn contradiction(&self) -> Option<(&str, &MixedCommand, &MixedCommand)> {
        self.mix
            .iter()
            .filter(|entry| entry.holds() == Holds::String)
            .flat_map(|entry| {
                let patterns = entry.key_patterns().into_iter();
                patterns.map(move |pattern| (pattern, entry))
            })
            .find_map(|(pattern, entry)| Some((pattern, entry, self.used_otherwise(pattern)?)))
    }

    /// The first command that takes the keys of this pattern for something else than strings.
    fn used_otherwise(&self, pattern: &str) -> Option<&MixedCommand> {
        self.mix
            .iter()
            .find(|entry| entry.holds() == Holds::Other && entry.key_patterns().contains(&pattern))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Distribution, Expectation, Keyspace, Prefill};

    fn entry(line: &str) -> MixedCommand {
        MixedCommand {
            name: "x".to_owned(),
            weight: 1,
            command: line.split(' ').map(str::to_owned).collect(),
            expect: Expectation::Any,
        }
    }

    fn mix(lines: &[&str]) -> Commands {
        Commands {
            keyspace: Keyspace {
                prefix: Keyspace::default_prefix(),
                keys: 1,
                distribution: Distribution::Uniform,
            },
            value_bytes: 1,
            prefill: Prefill::Empty,
            mix: lines.iter().map(|line| entry(line)).collect(),
        }
    }

    #[test]
    fn a_key_is_a_whole_word_at_the_place_of_a_key() {
        for (line, expected) in [
            ("GET {key}", &["{key}"][..]),
            ("HSET hash:{key} field-{key} {value}", &["hash:{key}"]),
            ("SADD {key} member-of-{key}", &["{key}"]),
            ("GET own", &[]),
            ("MGET a:{key} own b:{key}", &["a:{key}", "b:{key}"]),
            (
                "MSET {key}:1 {key} {key}:2 {value}",
                &["{key}:1", "{key}:2"],
            ),
            ("SET {{key}}:tagged {value}", &["{{key}}:tagged"]),
            ("ECHO {key}", &[]),
            ("PUBLISH channel:{key} {value}", &[]),
            ("EVAL return{key} 1 {key} arg:{key}", &["{key}"]),
            // Of a command that nobody knows, whatever looks like a key is one.
            ("JSON.SET doc:{key} $ {key}", &["doc:{key}", "{key}"]),
        ] {
            assert_eq!(entry(line).key_patterns(), expected, "{line}");
        }
    }

    #[test]
    fn patterns_of_a_mix_are_listed_once() {
        let mix = mix(&["SET cache:{key} {value}", "GET cache:{key}", "GET {key}"]);
        assert_eq!(mix.key_patterns(), ["cache:{key}", "{key}"]);
        assert_eq!(mix.filled_patterns(), mix.key_patterns());
        assert_eq!(mix.contradiction(), None);
    }

    #[test]
    fn only_what_everybody_takes_for_a_string_is_filled() {
        let apart = mix(&[
            "GET {key}",
            "HSET hash:{key} f {value}",
            "EXPIRE hash:{key} 60",
            "TTL only:{key}",
        ]);
        assert_eq!(apart.filled_patterns(), ["{key}", "only:{key}"]);
        assert_eq!(apart.contradiction(), None);
        let mixed = mix(&["LPUSH {key} x", "GET {key}"]);
        assert_eq!(mixed.filled_patterns(), [""; 0]);
        let (pattern, string, other) = mixed.contradiction().unwrap();
        assert_eq!(
            (
                pattern,
                string.command[0].as_str(),
                other.command[0].as_str()
            ),
            ("{key}", "GET", "LPUSH")
        );
    }

    #[test]
    fn a_key_made_of_a_value_is_seen() {
        for (line, found) in [
            ("SET {value} x", Some("{value}")),
            ("SET {key}:{value} x", Some("{key}:{value}")),
            ("SET {key} {value}", None),
            ("PUBLISH {value} x", None),
            ("LPUSH {key} {key}{value}", None),
            ("MSET {key} {value} {value} {key}", Some("{value}")),
        ] {
            assert_eq!(entry(line).key_made_of_a_value(), found, "{line}");
        }
    }
}
