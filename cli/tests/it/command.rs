//! The command under test, and what it must not leave behind.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use redyno_crds::LoadTest;
use redyno_crds::conditions::{SUCCEEDED, condition};
use redyno_test_redis::Folder;

/// The command, with a temporary folder of its own and nothing of the user's environment that it
/// would read.
pub(crate) struct Redyno {
    folder: Folder,
}

impl Redyno {
    pub(crate) fn new() -> Self {
        Self {
            folder: Folder::new().unwrap(),
        }
    }

    /// Where it makes its private folders.
    fn temporary(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// Writes a file to run.
    pub(crate) fn file(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("test.yaml");
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command(&self) -> Command {
        fs::create_dir_all(self.temporary()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_redyno"));
        command
            .env("TMPDIR", self.temporary())
            .env_remove("REDIS_URL")
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null());
        command
    }

    /// Asserts that no folder and no process of the command is left.
    pub(crate) fn expect_nothing_left(&self) {
        let folders: Vec<_> = fs::read_dir(self.temporary())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(folders.is_empty(), "left behind: {folders:?}");
        let processes = self.processes();
        assert!(processes.is_empty(), "still there: {processes:?}");
    }

    /// Waits until no folder and no process is left.
    pub(crate) fn await_nothing_left(&self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while Instant::now() < deadline {
            let empty = fs::read_dir(self.temporary()).unwrap().next().is_none();
            if empty && self.processes().is_empty() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.expect_nothing_left();
    }

    /// The processes that name the temporary folder or live in it: runners, guards and Redis.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let folder = self.temporary();
        let name = folder.to_string_lossy().into_owned();
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let line = fs::read(entry.path().join("cmdline")).ok()?;
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                // A redis-server overwrites its command line, but lives in its folder.
                let lives_there = fs::read_link(entry.path().join("cwd"))
                    .is_ok_and(|path| path.starts_with(&folder));
                (lives_there || line.contains(&name)).then(|| Process {
                    id: entry.file_name().to_string_lossy().into_owned(),
                    line,
                })
            })
            .collect()
    }

    /// Kills the first process whose command line contains these words.
    pub(crate) fn kill(&self, words: &str) {
        let processes = self.processes();
        let process = processes
            .iter()
            .find(|process| process.line.contains(words))
            .unwrap_or_else(|| panic!("no {words:?} among {processes:?}"));
        signal("KILL", &process.id);
    }

    /// Kills each of the processes whose command line contains these words, if there are any yet.
    pub(crate) fn kill_each(&self, words: &str) {
        for process in self.processes() {
            if process.line.contains(words) {
                // It may end by itself in this moment.
                drop(Command::new("kill").args(["-KILL", &process.id]).status());
            }
        }
    }

    /// Sends a signal to each process whose command line contains these words, and asserts that
    /// there are this many.
    pub(crate) fn signal_each(&self, name: &str, words: &str, count: usize) {
        let processes = self.processes();
        let found: Vec<&Process> = processes
            .iter()
            .filter(|process| process.line.contains(words))
            .collect();
        assert_eq!(found.len(), count, "{words:?} among {processes:?}");
        for process in found {
            signal(name, &process.id);
        }
    }
}

/// A process of a run.
#[derive(Debug)]
pub(crate) struct Process {
    id: String,
    line: String,
}

fn signal(name: &str, process: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), process])
        .status()
        .unwrap();
    assert!(status.success());
}

/// What a command printed and how it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts on the exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        let Self {
            code: found,
            out,
            err,
        } = &self;
        assert_eq!(*found, Some(code), "stdout:\n{out}\nstderr:\n{err}");
        self
    }

    /// The LoadTest that was printed as JSON.
    pub(crate) fn load_test(&self) -> LoadTest {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in\n{}", self.out))
    }

    /// The reason of its verdict.
    pub(crate) fn reason(&self) -> String {
        let status = self.load_test().status.unwrap();
        condition(&status.conditions, SUCCEEDED)
            .unwrap()
            .reason
            .clone()
    }
}

/// Runs until the machine is quiet enough for a verdict on the load itself. A machine that is busy
/// with other things makes the generator late, or makes tasks end after their window: redyno then
/// says so and never passes. Anything else than that and the expected code fails at once.
pub(crate) fn on_a_quiet_machine(code: i32, run: impl Fn() -> Output) -> Ended {
    const ATTEMPTS: u32 = 6;
    // A run mostly waits, so the first attempt runs beside other tests. If they disturbed it, it is
    // made anew alone.
    static MACHINE: RwLock<()> = RwLock::new(());
    let noise = |ended: &Ended| match ended.code {
        _ if ended.code == Some(code) => false,
        Some(1) => ended.out.contains("did not keep up"),
        // Reasons that mean that the generator could not do what it should.
        Some(3) => ["ScheduleLag", "RateNotDelivered"]
            .iter()
            .any(|reason| ended.out.contains(reason)),
        _ => false,
    };
    let beside_others = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    let mut ended = Ended::of(run());
    drop(beside_others);
    for _ in 1..ATTEMPTS {
        if !noise(&ended) {
            break;
        }
        let _alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
        ended = Ended::of(run());
    }
    ended.expect(code)
}

/// A command that runs while the test goes on.
pub(crate) struct Running {
    child: Child,
    err: BufReader<std::process::ChildStderr>,
    said: String,
}

impl Running {
    pub(crate) fn start(command: Command) -> Self {
        Self::start_into(command, Stdio::piped())
    }

    /// With this as its standard output, of which the end that reads is the test's.
    pub(crate) fn start_into(mut command: Command, out: impl Into<Stdio>) -> Self {
        let mut child = command.stdout(out).stderr(Stdio::piped()).spawn().unwrap();
        let err = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            err,
            said: String::new(),
        }
    }

    /// Waits until standard error says this.
    pub(crate) fn await_words(&mut self, words: &str) {
        loop {
            let mut line = String::new();
            let length = self.err.read_line(&mut line).unwrap();
            self.said.push_str(&line);
            if line.contains(words) {
                return;
            }
            assert!(length > 0, "ended without {words:?}:\n{}", self.said);
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        signal(name, &self.child.id().to_string());
    }

    /// Sends a signal until it has ended, and returns its exit code.
    pub(crate) fn signal_to_the_end(mut self, name: &str) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            if Instant::now() > deadline {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!("{name} did not end it");
            }
            self.signal(name);
            thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn ended(mut self) -> Ended {
        let mut out = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            stdout.read_to_string(&mut out).unwrap();
        }
        self.err.read_to_string(&mut self.said).unwrap();
        let status: ExitStatus = self.child.wait().unwrap();
        Ended {
            code: status.code(),
            out,
            err: self.said,
        }
    }
}

/// A small LoadTest; `more` is appended to its one dyno type.
pub(crate) fn load_test(target: &str, duration_seconds: u32, dynos: &str) -> String {
    format!(
        "apiVersion: redyno.dev/v1alpha1
kind: LoadTest
metadata:
  name: small
spec:
  target: {target}
  durationSeconds: {duration_seconds}
  warmupSeconds: 1
  drainSeconds: 5
  startTimeoutSeconds: 60
  formation:
  - type: web
    size: standard-1x
{dynos}
    workload: {{objectGraph: {{maxFlats: 5, itemPayloadBytes: 100}}}}
"
    )
}

/// A managed target.
pub(crate) const MANAGED: &str = "{managed: {plan: premium-0}}";

/// The same, a Valkey.
pub(crate) const MANAGED_VALKEY: &str = "{managed: {plan: premium-0, engine: Valkey}}";

/// Two dynos that a busy machine carries easily.
pub(crate) const EASY: &str = "    quantity: 2\n    workers: 4\n    tasksPerSecond: 20\n";
