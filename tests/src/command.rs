//! Commands, run as a user would.

use std::io::Write;
use std::process::{Command, Stdio};

/// The namespace that the tests install the operator in.
pub const OPERATOR_NAMESPACE: &str = "redyno-system";

/// What a command printed and how it ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its exit code; None if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl Outcome {
    /// Its standard output.
    ///
    /// # Panics
    /// If the command failed, with what it printed.
    #[track_caller]
    pub fn expect_success(self, what: &str) -> String {
        assert_eq!(
            self.code,
            Some(0),
            "{what} failed\n{}\n{}",
            self.output,
            self.errors
        );
        self.output
    }

    /// Everything it printed.
    ///
    /// # Panics
    /// If the command succeeded.
    #[track_caller]
    pub fn expect_failure(self, what: &str) -> String {
        assert_ne!(
            self.code,
            Some(0),
            "{what} should have failed\n{}",
            self.output
        );
        format!("{}{}", self.output, self.errors)
    }
}

/// Runs a program to its end.
///
/// # Panics
/// If it cannot be started.
#[track_caller]
pub fn run(program: &str, arguments: &[&str]) -> Outcome {
    run_with_input(program, arguments, "")
}

/// Runs a program to its end with this standard input.
///
/// # Panics
/// If it cannot be started.
#[track_caller]
pub fn run_with_input(program: &str, arguments: &[&str], input: &str) -> Outcome {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
    let mut pipe = child.stdin.take().expect("standard input is piped");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("a child can be waited for");
    // A program that does not read its input closes the pipe, which is no failure of ours.
    drop(writer.join());
    Outcome {
        code: output.status.code(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs kubectl against the cluster of `KUBECONFIG`.
#[track_caller]
pub fn kubectl(arguments: &[&str]) -> Outcome {
    run("kubectl", arguments)
}

/// Waits until `probe` gives a value, looking every quarter of a second.
///
/// # Panics
/// After `seconds`, saying what was awaited.
#[track_caller]
pub fn eventually<T>(what: &str, seconds: u64, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "not within {seconds} s: {what}"
        );
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
}
