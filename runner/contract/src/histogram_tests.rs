use flate2::Compression;
use flate2::write::ZlibEncoder;
use proptest::prelude::*;
use std::io::Write;

use super::*;

fn of(values: &[u64], digits: Digits) -> Histogram {
    let mut histogram = Histogram::new(digits);
    for value in values {
        histogram.record(*value);
    }
    histogram
}

fn wrap(plain: &[u8]) -> EncodedHistogram {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    let deflated = encoder.finish().unwrap();
    let mut bytes = DEFLATED_COOKIE.to_be_bytes().to_vec();
    bytes.extend(u32::try_from(deflated.len()).unwrap().to_be_bytes());
    bytes.extend(deflated);
    EncodedHistogram {
        digits: 3,
        data: BASE64.encode(bytes),
    }
}

fn header(payload_length: u32, digits: u32, low: u64, high: u64) -> Vec<u8> {
    let mut bytes = PLAIN_COOKIE.to_be_bytes().to_vec();
    bytes.extend(payload_length.to_be_bytes());
    bytes.extend(0_u32.to_be_bytes());
    bytes.extend(digits.to_be_bytes());
    bytes.extend(low.to_be_bytes());
    bytes.extend(high.to_be_bytes());
    bytes.extend(1.0_f64.to_be_bytes());
    bytes
}

fn refusal(plain: &[u8]) -> String {
    wrap(plain).decode().unwrap_err().to_string()
}

#[test]
fn an_empty_histogram_survives_the_way() {
    for digits in [Digits::One, Digits::Two, Digits::Three] {
        let empty = Histogram::new(digits);
        assert_eq!(empty.encode().decode().unwrap(), empty);
        assert_eq!(empty.percentile(Percentile::P99), 0);
        assert_eq!(empty.at_rank(1), 0);
    }
}

#[test]
fn values_over_an_hour_count_as_an_hour() {
    let histogram = of(&[HIGHEST_MICROSECONDS + 1, u64::MAX, 0], Digits::Three);
    assert_eq!(histogram.count(), 3);
    assert_eq!(histogram.at_rank(1), 1);
    assert!(histogram.at_rank(2) >= HIGHEST_MICROSECONDS);
    assert_eq!(histogram.encode().decode().unwrap().count(), 3);
}

#[test]
fn hostile_headers_are_refused_before_anything_is_allocated() {
    // What the library's own reader would allocate for: 4 GiB of payload, or 48 MB of buckets.
    let cases = [
        (
            header(u32::MAX, 3, 1, HIGHEST_MICROSECONDS),
            "payload length is 4294967295, must be 0",
        ),
        (header(0, 5, 1, u64::MAX), "digits is 5, must be 3"),
        (
            header(0, 3, 1, u64::MAX),
            "highest value is 18446744073709551615, must be 3600000000",
        ),
        (
            header(0, 3, 0, HIGHEST_MICROSECONDS),
            "lowest value is 0, must be 1",
        ),
        (vec![0; 40], "cookie is 0, must be"),
        (vec![0; 39], "inflates to 39 bytes, at least 40"),
    ];
    for (plain, expected) in cases {
        let refused = refusal(&plain);
        assert!(refused.contains(expected), "{refused:?} lacks {expected:?}");
    }
}

#[test]
fn hostile_counts_are_refused() {
    let with = |payload: &[u8]| {
        let mut plain = header(
            u32::try_from(payload.len()).unwrap(),
            3,
            1,
            HIGHEST_MICROSECONDS,
        );
        plain.extend(payload);
        refusal(&plain)
    };
    // The most negative number, which overflows on negation; a run of zeros past the end; a number
    // cut short; more values than can be summed.
    assert!(with(&[0xff; 9]).contains("beyond its"));
    assert!(with(&[0x81, 0x80, 0x80, 0x01]).contains("beyond its"));
    assert!(with(&[0x80]).contains("ends within a count"));
    let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    assert!(with(&huge).contains("values, at most"));
}

#[test]
fn a_bomb_is_not_inflated() {
    let refused = refusal(&vec![0; 50_000_000]);
    assert!(refused.contains("inflates to more than"), "{refused}");
}

#[test]
fn other_encodings_are_refused() {
    let good = of(&[5], Digits::Two).encode();
    for (digits, data, expected) in [
        (0, good.data.clone(), "digits is 0, must be 1 to 3"),
        (3, good.data.clone(), "digits is 2, must be 3"),
        (2, "A".repeat(LONGEST_ENCODED + 1), "at most 200000"),
        (2, "****".to_owned(), "Invalid symbol"),
        (2, String::new(), "0 bytes, at least 8"),
        (2, "AAAAAAAAAAA=".to_owned(), "begins with 00000000"),
    ] {
        let refused = EncodedHistogram { digits, data }.decode().unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}

proptest! {
    #[test]
    fn a_rank_is_the_sorted_sample_within_the_precision(
        mut values in prop::collection::vec(1_u64..10_000_000, 1..200),
        rank in 1_usize..200,
    ) {
        let rank = rank.min(values.len());
        for (digits, precision) in [(Digits::One, 10), (Digits::Two, 100), (Digits::Three, 1000)] {
            let histogram = of(&values, digits);
            values.sort_unstable();
            let exact = values[rank - 1];
            let shown = histogram.at_rank(rank as u64);
            prop_assert!(shown >= exact && shown - exact <= exact / precision, "{shown} for {exact}");
        }
    }

    #[test]
    fn merging_equals_the_union(
        left in prop::collection::vec(0_u64..5_000_000_000, 0..100),
        right in prop::collection::vec(0_u64..5_000_000_000, 0..100),
    ) {
        let union: Vec<u64> = left.iter().chain(&right).copied().collect();
        for digits in [Digits::One, Digits::Two, Digits::Three] {
            let mut merged = of(&left, digits);
            merged.add(&of(&right, digits));
            prop_assert_eq!(&merged, &of(&union, digits));
            // Of unequal precision, at the coarser one: nothing moves to another bucket.
            let mut mixed = of(&left, digits);
            mixed.add(&of(&right, Digits::Three));
            let buckets: Vec<_> = mixed.buckets().collect();
            prop_assert_eq!(buckets, of(&union, digits).buckets().collect::<Vec<_>>());
        }
    }

    #[test]
    fn coarsening_equals_recording_coarsely(values in prop::collection::vec(0_u64..5_000_000_000, 0..100)) {
        let fine = of(&values, Digits::Three);
        for digits in [Digits::One, Digits::Two] {
            let coarse: Vec<_> = fine.coarser(digits).buckets().collect();
            prop_assert_eq!(coarse, of(&values, digits).buckets().collect::<Vec<_>>());
        }
    }

    #[test]
    fn encoding_keeps_everything(values in prop::collection::vec(0_u64..=HIGHEST_MICROSECONDS, 0..200)) {
        for digits in [Digits::One, Digits::Two, Digits::Three] {
            let histogram = of(&values, digits);
            prop_assert_eq!(histogram.encode().decode().unwrap(), histogram);
        }
    }

    #[test]
    fn arbitrary_text_never_panics(digits in any::<u8>(), data in ".{0,200}") {
        drop(EncodedHistogram { digits, data }.decode());
    }

    #[test]
    fn arbitrary_payloads_never_panic(payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut plain = header(u32::try_from(payload.len()).unwrap(), 3, 1, HIGHEST_MICROSECONDS);
        plain.extend(payload);
        if let Ok(histogram) = wrap(&plain).decode() {
            // What was accepted can be used and sent on.
            let mut doubled = histogram.clone();
            doubled.add(&histogram);
            drop(doubled.encode());
            histogram.percentile(Percentile::P999);
            drop(histogram.coarser(Digits::One));
        }
    }
}
