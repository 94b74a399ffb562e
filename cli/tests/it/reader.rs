//! Standard output whose reader does not read all of it.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

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

/// Both ends of a connection that takes not one byte more.
fn full() -> (UnixStream, OwnedFd) {
    let (reader, mut writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    let error = loop {
        if let Err(error) = writer.write(b"0") {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    writer.set_nonblocking(false).unwrap();
    (reader, writer.into())
}

#[test]
fn a_signal_ends_the_command_whose_report_nobody_reads() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let redyno = Redyno::new();
        let file = redyno.file(&load_test(MANAGED, 2, EASY));
        let mut command = redyno.command();
        command.arg("run").arg(file);
        let (_reader, writer) = full();
        let mut running = Running::start_into(command, writer);
        running.await_words("offered /s");
        // The run is over, and only its report is left to be printed.
        redyno.await_nothing_left();
        assert_eq!(running.signal_to_the_end(signal), Some(code));
        redyno.expect_nothing_left();
    }
}
