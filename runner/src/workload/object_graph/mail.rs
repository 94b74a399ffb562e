//! The mail that every task adds: a drawing, as JSON inside JSON.
//!
//! Texts are made once and reused with new ids: making one takes longer than sending it. Which
//! text and which ids a mail gets is a function of the seed and the task's number.

use std::fmt::Write;

use crate::random::{Purpose, Random, Seed};
use crate::workload::exchange::push_word;

/// Segments of the drawing for every 1000 bytes asked, rounded down to whole segments.
const SEGMENTS_PER_KILOBYTE: u64 = 63;

/// So many different texts, unless they are large.
const MOST_TEXTS: usize = 64;
const FEWEST_TEXTS: usize = 4;
/// Memory that all texts together may take before there are fewer of them.
const TEXTS_BYTES: usize = 1_000_000;

/// Mails to draw from.
#[derive(Clone, Debug)]
pub(crate) struct Mails {
    texts: Vec<Template>,
}

/// A mail with room for its ids.
#[derive(Clone, Debug)]
struct Template {
    bytes: Vec<u8>,
    guid_at: usize,
}

/// Where a mail's id begins.
const ID_AT: usize = r#"{"id":""#.len();
const ID_DIGITS: usize = 12;

/// What stands behind an argument.
const LINE_END: &[u8] = b"\r\n";

impl Mails {
    /// Mails of about so many bytes.
    pub(crate) fn new(seed: Seed, item_payload_bytes: u32) -> Self {
        let first = Template::draw(seed.stream(Purpose::Texts, 0), item_payload_bytes);
        let count = (TEXTS_BYTES / first.bytes.len()).clamp(FEWEST_TEXTS, MOST_TEXTS);
        let others = (1..count as u64)
            .map(|number| Template::draw(seed.stream(Purpose::Texts, number), item_payload_bytes));
        Self {
            texts: std::iter::once(first).chain(others).collect(),
        }
    }

    /// Draws a mail and writes it as an argument of a command.
    pub(crate) fn push_one(&self, request: &mut Vec<u8>, random: &mut Random) {
        let count = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let Template { bytes, guid_at } = &self.texts[random.below(count) as usize];
        push_word(request, bytes);
        let begin = request.len() - LINE_END.len() - bytes.len();
        for place in [ID_AT, *guid_at] {
            let place = begin + place;
            write_hexadecimal(&mut request[place..place + ID_DIGITS], random.bits());
        }
    }
}

impl Template {
    fn draw(mut random: Random, item_payload_bytes: u32) -> Self {
        let segments = u64::from(item_payload_bytes) * SEGMENTS_PER_KILOBYTE / 1000;
        // Inside the mail the text is a JSON string, so its quotes are escaped.
        let mut text = String::from(r#"{"id":"000000000000","text":"{\"0\":\"Path\",\"1\":{"#);
        text.push_str(r#"\"applyMatrix\":true,\"data\":{\"guid\":\""#);
        let guid_at = text.len();
        text.push_str(r#"000000000000\"},\"segments\":["#);
        push_segment(&mut text, &mut random);
        text.push_str(
            r#"],\"strokeColor\":[0.6141276000612308,0.0073291996604683,0.20695908748200353],"#,
        );
        text.push_str(r#"\"strokeWidth\":2,\"strokeCap\":\"round\",\"strokeJoin\":\"round\"},"#);
        text.push_str(r#"\"segments\":["#);
        for number in 0..segments {
            if number > 0 {
                text.push(',');
            }
            push_segment(&mut text, &mut random);
        }
        text.push_str(r#"]}"}"#);
        Self {
            bytes: text.into_bytes(),
            guid_at,
        }
    }
}

/// Two numbers from -300 to 600 with two decimals, without zeros at their end.
fn push_segment(text: &mut String, random: &mut Random) {
    let mut number = || i64::from(random.below(90_001)) - 30_000;
    let (x, y) = (number(), number());
    text.push('[');
    push_hundredths(text, x);
    text.push(',');
    push_hundredths(text, y);
    text.push(']');
}

fn push_hundredths(text: &mut String, hundredths: i64) {
    let (whole, rest) = (hundredths.abs() / 100, hundredths.abs() % 100);
    let sign = if hundredths < 0 { "-" } else { "" };
    let written = match rest {
        0 => write!(text, "{sign}{whole}"),
        _ if rest % 10 == 0 => write!(text, "{sign}{whole}.{}", rest / 10),
        _ => write!(text, "{sign}{whole}.{rest:02}"),
    };
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
}

fn write_hexadecimal(place: &mut [u8], mut bits: u64) {
    for digit in place {
        *digit = b"0123456789abcdef"[(bits & 15) as usize];
        bits >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use redyno_contract::plan::DynoName;
    use serde_json::Value;

    use super::*;

    fn seed(seed: u64) -> Seed {
        Seed::of(
            seed,
            &DynoName {
                dyno_type: "web".to_owned(),
                index: 0,
            },
        )
    }

    fn draw(plan_seed: u64, bytes: u32, number: u64) -> String {
        let seed = seed(plan_seed);
        let mut random = seed.stream(Purpose::MeasuredPayload, number);
        let mut argument = Vec::new();
        Mails::new(seed, bytes).push_one(&mut argument, &mut random);
        let argument = String::from_utf8(argument).unwrap();
        let (length, mail) = argument.split_once("\r\n").unwrap();
        let mail = mail.strip_suffix("\r\n").unwrap();
        assert_eq!(length, format!("${}", mail.len()));
        mail.to_owned()
    }

    /// What stays when every digit and sign of a number is taken out.
    fn shape(mail: &str) -> String {
        let mut shape = String::new();
        for character in mail.chars() {
            match character {
                '0'..='9' | 'a'..='f' | '-' | '.' if shape.ends_with('#') => {}
                '0'..='9' | '-' => shape.push('#'),
                _ => shape.push(character),
            }
        }
        shape
    }

    #[test]
    fn a_mail_has_the_shape_of_the_benchmark() {
        // As recorded on the wire at 100 bytes. Ids that begin with a letter are given a digit.
        let recorded = r#"{"id":"39107d8d0233","text":"{\"0\":\"Path\",\"1\":{\"applyMatrix\":true,\"data\":{\"guid\":\"9ad9d9530f9b\"},\"segments\":[[76.2,232.81]],\"strokeColor\":[0.6141276000612308,0.0073291996604683,0.20695908748200353],\"strokeWidth\":2,\"strokeCap\":\"round\",\"strokeJoin\":\"round\"},\"segments\":[[485.16,-133.68],[111.9,107.25],[-102.08,564.54],[373.46,274.3],[135.11,-18.36],[75.83,355.84]]}"}"#;
        let mut mail = draw(1, 100, 0);
        mail.replace_range(ID_AT..=ID_AT, "1");
        let guid_at = mail.find("guid").unwrap() + r#"guid\":\""#.len();
        mail.replace_range(guid_at..=guid_at, "1");
        assert_eq!(shape(&mail), shape(recorded));
    }

    #[test]
    fn a_mail_is_json_in_json_with_numbers_in_range() {
        let mail: Value = serde_json::from_str(&draw(1, 5000, 3)).unwrap();
        assert_eq!(mail["id"].as_str().unwrap().len(), 12);
        let text: Value = serde_json::from_str(mail["text"].as_str().unwrap()).unwrap();
        assert_eq!(text["1"]["data"]["guid"].as_str().unwrap().len(), 12);
        let segments = text["segments"].as_array().unwrap();
        assert_eq!(segments.len(), 315);
        for pair in segments {
            for number in pair.as_array().unwrap() {
                let number = number.as_f64().unwrap();
                assert!((-300.0..=600.0).contains(&number));
            }
        }
    }

    #[test]
    fn a_mail_has_about_a_thousand_bytes_for_every_kilobyte_asked() {
        for kilobytes in [1, 5, 20] {
            let drawing = draw(1, kilobytes * 1000, 0).len() - draw(1, 0, 0).len();
            let asked = kilobytes as usize * 1000;
            assert!(drawing.abs_diff(asked) < asked / 20, "{drawing} of {asked}");
        }
    }

    #[test]
    fn the_same_seed_and_task_give_the_same_mail() {
        assert_eq!(draw(1, 1000, 7), draw(1, 1000, 7));
        assert_ne!(draw(1, 1000, 7), draw(1, 1000, 8));
        assert_ne!(draw(1, 1000, 7), draw(2, 1000, 7));
    }

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        for (hundredths, written) in [
            (0, "0"),
            (5, "0.05"),
            (-427, "-4.27"),
            (7620, "76.2"),
            (60_000, "600"),
            (-30_000, "-300"),
            (-50, "-0.5"),
        ] {
            let mut text = String::new();
            push_hundredths(&mut text, hundredths);
            assert_eq!(text, written);
        }
    }
}
