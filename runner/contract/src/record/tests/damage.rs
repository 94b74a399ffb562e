//! Whatever the bytes are: refused, or what was written; never a panic.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn random_texts_after_a_header_are_refused(header in "redyno 1 [0-9]{0,3} (final|checkpoint) [0-9]{0,4} [0-9a-f]{0,9}\n?", rest in "[A-Za-z0-9+/= \n]{0,300}") {
        let read = read(format!("{header}{rest}").as_bytes());
        prop_assert!(read.is_err());
    }

    #[test]
    fn any_json_under_a_right_checksum_never_panics(json in ".{0,300}") {
        prop_assert!(read(&forged("redyno 1 1 final", json.as_bytes())).is_err());
    }

    #[test]
    fn any_bytes_under_a_right_checksum_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let payload = BASE64.encode(&bytes);
        let checksum = crc32fast::hash(payload.as_bytes());
        let record = format!("redyno 1 1 final {} {checksum:08x}\n{payload}\n", payload.len());
        prop_assert!(read(record.as_bytes()).is_err());
    }

    #[test]
    fn any_report_that_fits_survives_but_for_its_histograms(seed in any::<u64>()) {
        let mut next = samples::numbers(seed);
        let report = samples::drawn(&mut next);
        let record = write_report(1, RecordKind::Final, &report).unwrap();
        prop_assert_eq!(record.len(), RECORD_BYTES);
        let read = read_report(&record);
        let mut expected = report.clone();
        cut_texts(&mut expected, LONGEST_TEXT);
        expected.histograms = read.histograms.clone();
        // What is only shown is left out where there is no room.
        if read.timeline.is_none() {
            expected.timeline = None;
        }
        if let (Some(read), Some(expected)) = (&read.target, &mut expected.target)
            && read.commands.is_empty()
        {
            expected.commands.clear();
        }
        match (&mut expected.incomplete, &read.incomplete) {
            (Some(expected), Some(read)) => {
                prop_assert!(read.ages.is_none() || read.ages == expected.ages);
                expected.ages.clone_from(&read.ages);
            }
            (expected, None) => *expected = None,
            (None, Some(_)) => prop_assert!(false, "nothing is incomplete"),
        }
        prop_assert_eq!(&read, &expected);
        for (read, written) in [
            (&read.histograms.response, &report.histograms.response),
            (&read.histograms.wait, &report.histograms.wait),
            (&read.histograms.service, &report.histograms.service),
        ] {
            if let Some(read) = read {
                let read = read.decode().unwrap();
                prop_assert_eq!(read.count(), written.as_ref().unwrap().decode().unwrap().count());
            }
        }
    }

    #[test]
    fn damaged_records_never_yield_another_message(
        place in 0_usize..RECORD_BYTES,
        byte in any::<u8>(),
        length in 0_usize..=RECORD_BYTES,
    ) {
        let message = finish("removed 126 keys");
        let mut record = write(7, RecordKind::Final, &message).unwrap();
        record[place] = byte;
        record.truncate(length);
        if let Ok(read) = read(&record) {
            prop_assert_eq!(read.message, message);
        }
    }
}
