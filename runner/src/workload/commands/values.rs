//! What a task writes.

use redyno_contract::random::{Purpose, Seed};

/// Values begin at so many different places of one text.
const PLACES: u32 = 4096;

/// Printable bytes, of which every value is a part: values differ, and none has to be made.
#[derive(Debug)]
pub(super) struct Values {
    text: Vec<u8>,
    length: usize,
}

impl Values {
    /// Values of so many bytes.
    pub(super) fn new(seed: Seed, bytes: u32) -> Self {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let length = bytes as usize;
        let mut random = seed.stream(Purpose::Texts, 0);
        let text = (0..length + PLACES as usize)
            .map(|_| LETTERS[random.below(64) as usize])
            .collect();
        Self { text, length }
    }

    /// One of them, by a random number.
    pub(super) fn at(&self, place: u32) -> &[u8] {
        let from = (place % PLACES) as usize;
        &self.text[from..from + self.length]
    }
}

#[cfg(test)]
mod tests {
    use redyno_contract::plan::DynoName;

    use super::*;

    #[test]
    fn values_differ_and_have_the_length_that_was_asked_for() {
        let name = DynoName {
            dyno_type: "web".to_owned(),
            index: 0,
        };
        let values = Values::new(Seed::of(1, &name), 16);
        assert_eq!(values.at(0).len(), 16);
        assert_eq!(values.at(u32::MAX).len(), 16);
        assert_ne!(values.at(0), values.at(1));
        assert!(values.at(7).iter().all(u8::is_ascii_graphic));
    }
}
