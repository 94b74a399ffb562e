//! Texts from elsewhere, made fit to be shown: of bounded length, on one line, with one mark for
//! what was left out.

/// Stands for the rest of a text that was shortened.
pub const SHORTENED: &str = "...";

/// A text of at most so many bytes, cut between characters and marked where it is cut.
pub fn shortened(text: &str, most_bytes: usize) -> String {
    if text.len() <= most_bytes {
        return text.to_owned();
    }
    let kept = text.floor_char_boundary(most_bytes.saturating_sub(SHORTENED.len()));
    let mark = &SHORTENED[..SHORTENED.len().min(most_bytes)];
    format!("{}{mark}", &text[..kept])
}

/// A text on one line: control characters become blanks, and none stand around it.
pub fn one_line(text: &str) -> String {
    let flat: String = text
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    flat.trim().to_owned()
}

/// Somebody else's words within a sentence: on one line, of at most so many bytes, and without a
/// full stop of their own.
pub fn quoted(text: &str, most_bytes: usize) -> String {
    shortened(one_line(text).trim_end_matches('.'), most_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_left_out_is_marked() {
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened("longer", 5), "lo...");
        assert_eq!(shortened(&"ä".repeat(600), 1024).len(), 1023);
        assert_eq!(shortened("longer", 2), "..");
        assert_eq!(shortened("longer", 0), "");
    }

    #[test]
    fn words_are_quoted_on_one_line_and_without_a_full_stop() {
        assert_eq!(quoted(" ERR no\r\nmore.. \n", 100), "ERR no  more");
        assert_eq!(quoted("a\u{1b}[2Jb", 100), "a [2Jb");
        assert_eq!(quoted("", 100), "");
    }

    proptest! {
        #[test]
        fn no_text_is_longer_than_asked(text: String, most_bytes in 0_usize..50) {
            prop_assert!(shortened(&text, most_bytes).len() <= most_bytes);
            prop_assert!(quoted(&text, most_bytes).len() <= most_bytes);
            prop_assert!(!one_line(&text).contains(char::is_control));
        }
    }
}
