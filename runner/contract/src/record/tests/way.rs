//! Messages on their way, and records that are none.

use super::*;

#[test]
fn every_message_survives_the_way() {
    let plan = samples::plan();
    let messages = [
        Message::Dyno(Box::new(Report {
            timeline: None,
            histograms: Histograms::default(),
            ..samples::held(&plan, &web_1())
        })),
        Message::Preflight(PreflightReport {
            run: samples::RUN.to_owned(),
            result: PreflightResult::Refused {
                reason: Refusal::TooFewConnections,
            },
            message: "12 connections free, the run needs 130 – see `CONFIG GET maxclients`"
                .to_owned(),
            target: None,
        }),
        finish("removed 126 keys"),
    ];
    for message in messages {
        for kind in [RecordKind::Checkpoint, RecordKind::Final] {
            let bytes = write(u64::MAX, kind, &message).unwrap();
            assert_eq!(bytes.len(), RECORD_BYTES);
            assert!(bytes.is_ascii());
            assert_eq!(
                read(&bytes).unwrap(),
                Record {
                    sequence: u64::MAX,
                    kind,
                    message: message.clone(),
                }
            );
        }
    }
}

#[test]
fn what_does_not_fit_says_how_much_it_takes() {
    let mut next = samples::numbers(3);
    let noise: String = (0..6000)
        .map(|_| char::from(b'0' + u8::try_from(next() % 70).unwrap()))
        .collect();
    let refused = write(1, RecordKind::Final, &finish(&noise)).unwrap_err();
    assert!(refused.needed > RECORD_BYTES);
    assert!(refused.to_string().ends_with("a record has room for 3000"));
    // Deflated this is a few hundred bytes, but no reader would inflate it.
    let long = "a".repeat(LONGEST_JSON);
    assert!(write(1, RecordKind::Final, &finish(&long)).is_err());
}

#[test]
fn wrong_records_name_what_is_wrong() {
    let good = String::from_utf8(write(7, RecordKind::Final, &finish("done")).unwrap()).unwrap();
    let (header, payload) = good.split_once('\n').unwrap();
    let words: Vec<&str> = header.split(' ').collect();
    let with = |position: usize, word: &str| {
        let mut words = words.clone();
        words[position] = word;
        format!("{}\n{payload}", words.join(" ")).into_bytes()
    };
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "the termination message is empty"),
        (vec![b' '; RECORD_BYTES], "the termination message is empty"),
        (vec![b'x'; 4097], "4097 bytes, at most 4096 are read"),
        (
            b"Killed".to_vec(),
            "must begin with \"redyno\", it is: \"Killed\"",
        ),
        (vec![0xff, 0xfe], "must be ASCII"),
        (vec![0; 100], "must begin with \"redyno\", it is: \"????"),
        (b"redyno".to_vec(), "has no version"),
        (b"redyno 1".to_vec(), "does not end"),
        (b"redyno 1\n".to_vec(), "has no sequence"),
        (b"redyno 1 1\n".to_vec(), "has no kind"),
        (
            with(1, "3"),
            "report record of version 3, this version reads 1 and 2",
        ),
        (with(1, ""), "has no version"),
        (with(2, "+7"), "sequence must be a number"),
        (with(2, "07"), "sequence must be a number"),
        (with(2, "18446744073709551616"), "sequence must be a number"),
        (
            with(3, "finals"),
            "kind must be \"checkpoint\" or \"final\"",
        ),
        (with(4, "-1"), "payload length must be a number up to 4096"),
        (
            with(4, "4097"),
            "payload length must be a number up to 4096",
        ),
        (with(4, "4000"), "its header says 4000"),
        (with(4, "1"), "something other than spaces follows it"),
        (with(5, "1"), "checksum must be 8 lower-case hex digits"),
        (
            with(5, "0123456G"),
            "checksum must be 8 lower-case hex digits",
        ),
        (with(5, "00000000"), "its header says 00000000"),
        (
            with(5, &format!("{} more", words[5])),
            "must have six words",
        ),
        (forged("redyno 1 7 final", b"{"), "unreadable payload: EOF"),
        (forged("redyno 1 7 final", b"{} 1"), "unreadable payload"),
        (
            forged(
                "redyno 1 7 final",
                br#"{"finish":{"run":"a","complete":1}}"#,
            ),
            "finish.complete: invalid type: integer `1`, expected a boolean",
        ),
        (
            forged("redyno 1 7 final", br#"{"dyno":{"version":7,"news":1}}"#),
            "dyno.version is 7, must be 1 to 1",
        ),
        (
            forged("redyno 1 7 final", &vec![b' '; LONGEST_JSON + 1]),
            "inflates to more than 65536 bytes",
        ),
    ];
    for (bytes, expected) in cases {
        let refused = read(&bytes).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused:?} lacks {expected:?}");
    }
}

/// Whoever adds a field to a report that these have not, and that must be there, makes the reports
/// of every run that a former release began unreadable.
#[test]
fn reports_of_the_first_release_are_still_read() {
    let message = |text: &str| {
        read(&forged("redyno 1 7 final", text.as_bytes()))
            .unwrap()
            .message
    };
    let Message::Dyno(report) = message(include_str!("../../first_release/dyno.json")) else {
        panic!("not a dyno's");
    };
    assert_eq!(report.books.completed, 240_000);
    assert!(report.timeline.is_some() && report.target.is_some());
    let plan = Plan::from_json(include_str!("../../first_release/plan.json")).unwrap();
    let outcomes: Vec<DynoOutcome> = plan
        .dynos()
        .map(|dyno| DynoOutcome {
            pod_name: None,
            node_name: None,
            fate: Fate::Exited { code: 0 },
            report: Evidence::Complete(Box::new(Report {
                dyno: dyno.clone(),
                ..report.as_ref().clone()
            })),
            dyno,
        })
        .collect();
    let judgement = judge(&plan, &RunFacts::default(), &outcomes);
    assert_ne!(
        judgement.verdict,
        crate::Verdict::Errored,
        "{}",
        judgement.message
    );
    let Message::Preflight(preflight) = message(include_str!("../../first_release/preflight.json"))
    else {
        panic!("not a preflight's");
    };
    assert_eq!(preflight.result, PreflightResult::Passed);
    let Message::Finish(finish) = message(include_str!("../../first_release/finish.json")) else {
        panic!("not a finish's");
    };
    assert_eq!(finish.removed_keys, 126);
}

#[test]
fn what_a_later_release_added_to_a_report_is_passed_over() {
    for (text, expected) in [
        (
            include_str!("../../first_release/dyno.json"),
            ["/dyno", "/dyno/books", "/dyno/own", "/dyno/target"].as_slice(),
        ),
        (
            include_str!("../../first_release/preflight.json"),
            &["/preflight", "/preflight/target"],
        ),
        (
            include_str!("../../first_release/finish.json"),
            &["/finish"],
        ),
    ] {
        let mut json: serde_json::Value = serde_json::from_str(text).unwrap();
        let former = read(&forged("redyno 1 7 final", json.to_string().as_bytes())).unwrap();
        for pointer in expected {
            let fields = json.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
            fields.insert("addedLater".to_owned(), serde_json::json!({"a": [1]}));
        }
        let later = read(&forged("redyno 1 7 final", json.to_string().as_bytes())).unwrap();
        assert_eq!(later, former);
    }
}

#[test]
fn a_report_of_a_later_version_is_refused() {
    let mut report = samples::held(&samples::plan(), &web_1());
    report.version = 2;
    let record = write_report(1, RecordKind::Final, &report).unwrap();
    let refused = read(&record).unwrap_err().to_string();
    assert!(
        refused.contains("dyno.version is 2, must be 1 to 1: the report is of a later release"),
        "{refused}"
    );
}

#[test]
fn a_bomb_is_not_inflated() {
    // 3 KB that would inflate to 4 MB.
    let record = forged("redyno 1 7 final", &vec![b' '; 2_000_000]);
    assert!(record.len() < LONGEST_READ);
    assert!(matches!(read(&record), Err(InvalidRecord::Payload(_))));
}

#[test]
fn cut_at_every_length_it_is_refused_until_its_payload_is_whole() {
    let message = finish("removed 126 keys");
    let good = write(7, RecordKind::Final, &message).unwrap();
    let line = good.iter().position(|byte| *byte == b'\n').unwrap();
    let end = line
        + 1
        + good[line + 1..]
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap();
    for length in 0..end {
        assert!(read(&good[..length]).is_err(), "cut to {length} bytes");
    }
    for length in end..good.len() {
        assert_eq!(read(&good[..length]).unwrap().message, message);
    }
}

#[test]
fn every_flipped_bit_of_the_payload_is_seen() {
    let message = finish("removed 126 keys");
    let good = write(7, RecordKind::Final, &message).unwrap();
    let padding = good.iter().rposition(|byte| *byte != b' ').unwrap();
    for bit in 0..8 * padding {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(record) = read(&flipped) {
            // Only the sequence number is not covered by the checksum.
            assert_eq!(record.message, message, "bit {bit}");
            assert_eq!(record.kind, RecordKind::Final);
        }
    }
}
