//! Seals: by them the operator knows again what it wrote itself. ConfigMaps and the objects of a
//! run can be changed, or made beforehand, by anybody who has the right to do so in the namespace;
//! the key is in the operator alone.

use std::fmt::Write;

use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::SystemRandom;

/// The shortest key that is taken, in bytes.
pub const SHORTEST_KEY: usize = 32;

/// Makes and checks seals: HMAC-SHA256 over a list of texts.
#[derive(Clone, Debug)]
pub struct Seal(hmac::Key);

/// The key is too short to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key of the seal has {0} bytes, must be {SHORTEST_KEY} or more, at random")]
pub struct KeyTooShort(usize);

impl Seal {
    /// Seals by this key.
    ///
    /// # Errors
    /// If it is shorter than [`SHORTEST_KEY`].
    pub fn new(key: &[u8]) -> Result<Self, KeyTooShort> {
        let key = key.trim_ascii();
        if key.len() < SHORTEST_KEY {
            return Err(KeyTooShort(key.len()));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// Seals by a key that nobody else has and that is gone with this process.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn of_this_process() -> Result<Self, ring::error::Unspecified> {
        hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).map(Self)
    }

    /// The seal of these texts, in hex.
    pub fn of(&self, texts: &[&str]) -> String {
        hex(hmac::sign(&self.0, &joined(texts)).as_ref())
    }

    /// Whether this is the seal of these texts. Takes as long for a wrong one as for a right one.
    pub fn is_of(&self, seal: &str, texts: &[&str]) -> bool {
        bytes(seal).is_some_and(|seal| hmac::verify(&self.0, &joined(texts), &seal).is_ok())
    }
}

/// The SHA-256 of these texts, in hex: two lists have the same one only if they are the same.
pub fn digest_of(texts: &[&str]) -> String {
    hex(digest(&SHA256, &joined(texts)).as_ref())
}

/// Each text with its length before it, so that no two lists are joined alike.
fn joined(texts: &[&str]) -> Vec<u8> {
    let mut joined = Vec::new();
    for text in texts {
        joined.extend_from_slice(&(text.len() as u64).to_be_bytes());
        joined.extend_from_slice(text.as_bytes());
    }
    joined
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(byte: u8) -> Seal {
        Seal::new(&[byte; SHORTEST_KEY]).unwrap()
    }

    #[test]
    fn a_seal_is_of_its_texts_and_its_key_alone() {
        let ours = seal(b'a').of(&["run", "pod", "key", "text"]);
        assert_eq!(ours.len(), 64);
        assert!(seal(b'a').is_of(&ours, &["run", "pod", "key", "text"]));
        for texts in [
            &["run", "pod", "key", "texts"][..],
            &["run", "pod", "keytext"],
            &["run", "pod", "key", "text", ""],
            &["runpod", "key", "text"],
            &[],
        ] {
            assert!(!seal(b'a').is_of(&ours, texts), "{texts:?}");
        }
        assert!(!seal(b'b').is_of(&ours, &["run", "pod", "key", "text"]));
        let own = Seal::of_this_process().unwrap();
        assert!(!own.is_of(&ours, &["run", "pod", "key", "text"]));
    }

    #[test]
    fn what_is_no_seal_is_refused_without_a_panic() {
        for text in [
            "",
            "0",
            "zz",
            "+1",
            "ä",
            "€",
            &"00".repeat(32),
            &"a".repeat(63),
        ] {
            assert!(!seal(b'a').is_of(text, &["a"]), "{text}");
        }
    }

    #[test]
    fn a_short_key_is_refused() {
        assert_eq!(Seal::new(b"short \n").unwrap_err(), KeyTooShort(5));
    }

    /// As `printf '\0\0\0\0\0\0\0\1a' | sha256sum` says.
    #[test]
    fn a_digest_is_that_of_the_length_and_the_text() {
        assert_eq!(
            digest_of(&["a"]),
            "3b196fd4907bedf51c3090e9835f2f7cb61e7ee1b2299ea3b8fed9b4183a822a"
        );
    }
}
