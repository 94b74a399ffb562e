//! Standard output whose reader does not read all of it.

use std::io;

use crate::command::{EASY, Ended, MANAGED, Redyno, Running, load_test};

/// The end to write to of a pipe that nobody reads any more.
fn closed() -> io::PipeWriter {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer
}

#[test]
fn a_reader_who_leaves_does_not_change_the_verdict() {
    for format in ["table", "json"] {
        let redyno = Redyno::new();
        let file = redyno.file(&load_test(MANAGED, 600, EASY));
        let mut command = redyno.command();
        command.args(["run", "-o", format]).arg(file);
        let mut running = Running::start_into(command, closed());
        running.await_words("offered /s");
        redyno.kill("redis-server 127.0.0.1:");
        // The code of Failed.
        let ended = running.ended().expect(1);
        assert!(!ended.err.contains("error:"), "{}", ended.err);
        redyno.expect_nothing_left();
    }
}

#[test]
fn every_file_is_validated_though_the_reader_leaves() {
    let redyno = Redyno::new();
    let valid = redyno.file(&load_test(MANAGED, 2, EASY));
    for (second, code) in [(valid.clone(), 0), (valid.with_extension("nowhere"), 64)] {
        let output = redyno
            .command()
            .arg("validate")
            .args([&valid, &second])
            .stdout(closed())
            .output()
            .unwrap();
        let ended = Ended::of(output).expect(code);
        assert_eq!(ended.err.contains("error:"), code != 0, "{}", ended.err);
    }
}
