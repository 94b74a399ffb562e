//! The runner's processes, as whoever starts a run sees them.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use redyno_contract::failure::ClassFailures;
use redyno_contract::record::{self, Record, RecordKind};
use redyno_contract::report::Ending;
use redyno_contract::{Event, Message, Plan, Report};
use redyno_test_redis::{Certificates, Folder, RedisServer};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Nothing here takes nearly so long; a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_mins(1);

/// A run: its plan and target in a folder.
pub(crate) struct Run {
    folder: Folder,
}

/// A running dyno.
pub(crate) struct Dyno {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) events: Vec<Event>,
    record: PathBuf,
}

/// A running dyno whose output nobody reads.
pub(crate) struct Unread {
    child: Child,
    record: PathBuf,
    /// Nobody reads, but somebody could: the pipe is not broken.
    _receiver: pipe::Receiver,
}

/// A dyno that has ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) events: Vec<Event>,
    /// As its record has it.
    pub(crate) record: Record,
    /// At full precision, from its last line.
    pub(crate) report: Report,
}

impl Run {
    /// A run that has not begun.
    pub(crate) fn new(plan: &Plan, server: &RedisServer) -> Self {
        Self::at(plan, &server.url())
    }

    /// A run that has not begun, of a server that is reached so.
    pub(crate) fn at(plan: &Plan, url: &str) -> Self {
        Self::of(plan, &[("url", url.as_bytes())])
    }

    /// A run that has not begun, on a server that speaks TLS.
    pub(crate) fn encrypted(
        plan: &Plan,
        server: &RedisServer,
        certificates: &Certificates,
    ) -> Self {
        let authority = certificates.read("ca.crt").unwrap();
        Self::of(
            plan,
            &[("url", server.tls_url().as_bytes()), ("ca.crt", &authority)],
        )
    }

    fn of(plan: &Plan, target: &[(&str, &[u8])]) -> Self {
        let plan = serde_json::to_vec(plan).unwrap();
        let folder = Folder::with(&[("plan.json", &plan)]).unwrap();
        let directory = folder.path().join("target");
        std::fs::create_dir(&directory).unwrap();
        for (name, content) in target {
            std::fs::write(directory.join(name), content).unwrap();
        }
        Self { folder }
    }

    fn command(&self, part: &str, record: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redyno-runner"));
        command
            .arg(part)
            .arg("--config")
            .arg(self.folder.path())
            .arg("--report")
            .arg(self.folder.path().join(record))
            .args(["--http", "127.0.0.1:0"])
            .env_remove("RUST_LOG")
            .kill_on_drop(true);
        command
    }

    /// Runs a preflight or a finish: its exit code and message.
    pub(crate) async fn part(&self, part: &str) -> (i32, Message) {
        let status = self.command(part, part).status();
        let status = timeout(PATIENCE, status).await.unwrap().unwrap();
        let bytes = std::fs::read(self.folder.path().join(part)).unwrap();
        let record = record::read(&bytes).unwrap();
        assert_eq!(record.kind, RecordKind::Final);
        (status.code().unwrap(), record.message)
    }

    /// A preflight that passes.
    pub(crate) async fn pass_preflight(&self) {
        let (code, message) = self.part("preflight").await;
        assert_eq!(code, 0, "{message:?}");
    }

    /// Starts a dyno.
    pub(crate) fn dyno(&self, dyno_type: &str, index: u32) -> Dyno {
        self.dyno_as(dyno_type, index, &format!("pod-{dyno_type}-{index}"))
    }

    /// Starts a dyno with this pod uid.
    pub(crate) fn dyno_as(&self, dyno_type: &str, index: u32, pod: &str) -> Dyno {
        self.start(dyno_type, index, pod, &[])
    }

    /// Starts a dyno with these further arguments.
    pub(crate) fn dyno_with(&self, dyno_type: &str, index: u32, arguments: &[&str]) -> Dyno {
        let pod = format!("pod-{dyno_type}-{index}");
        self.start(dyno_type, index, &pod, arguments)
    }

    /// Starts a dyno whose output, standard error included, nobody reads: not a byte more goes into
    /// the pipe.
    pub(crate) async fn dyno_that_nobody_reads(&self, dyno_type: &str, index: u32) -> Unread {
        let (sender, receiver) = pipe::pipe().unwrap();
        sender.writable().await.unwrap();
        let mut filled = 0;
        while let Ok(written) = sender.try_write(&[b' '; 1024]) {
            filled += written;
        }
        assert!(filled >= 4096, "a pipe holds more than {filled} bytes");
        let output = sender.into_blocking_fd().unwrap();
        let pod = format!("pod-{dyno_type}-{index}");
        let child = self
            .command_of_dyno(dyno_type, index, &pod)
            .env("RUST_LOG", "debug")
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Unread {
            child,
            record: self.folder.path().join(format!("{pod}.record")),
            _receiver: receiver,
        }
    }

    fn command_of_dyno(&self, dyno_type: &str, index: u32, pod: &str) -> Command {
        let mut command = self.command("dyno", &format!("{pod}.record"));
        command
            .args(["--progress-seconds", "1", "--parent-guard"])
            .env("REDYNO_DYNO_TYPE", dyno_type)
            .env("JOB_COMPLETION_INDEX", index.to_string())
            .env("REDYNO_POD_UID", pod)
            .stdin(Stdio::piped());
        command
    }

    fn start(&self, dyno_type: &str, index: u32, pod: &str, arguments: &[&str]) -> Dyno {
        let record = format!("{pod}.record");
        let mut child = self
            .command_of_dyno(dyno_type, index, pod)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Dyno {
            child,
            lines,
            events: Vec::new(),
            record: self.folder.path().join(record),
        }
    }
}

impl Dyno {
    /// Reads events up to the first that is wanted.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        let reading = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                let event: Event = serde_json::from_str(&line).unwrap();
                self.events.push(event.clone());
                if wanted(&event) {
                    return event;
                }
            }
            panic!("ended before that: {:?}", self.events)
        };
        timeout(PATIENCE, reading).await.unwrap()
    }

    /// Its process.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Waits for the common start.
    pub(crate) async fn started(&mut self) {
        self.until(|event| matches!(event, Event::Started { .. }))
            .await;
    }

    /// Where it serves HTTP.
    pub(crate) async fn address(&mut self) -> String {
        let event = self
            .until(|event| matches!(event, Event::Listening { .. }))
            .await;
        let Event::Listening { address } = event else {
            unreachable!()
        };
        address
    }

    /// Where it serves HTTP, if its first event was read already or is the next.
    pub(crate) fn address_seen(&self) -> Option<String> {
        self.events.iter().find_map(|event| match event {
            Event::Listening { address } => Some(address.clone()),
            _ => None,
        })
    }

    /// Waits for its end.
    pub(crate) async fn exit(mut self) -> i32 {
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        status.code().unwrap()
    }

    /// Waits until it is ready for the start.
    pub(crate) async fn ready(&mut self) {
        self.until(|event| matches!(event, Event::Ready)).await;
    }

    /// Sends SIGTERM.
    pub(crate) async fn terminate(&self) {
        terminate(&self.child).await;
    }

    /// Closes its standard input, as a parent does that dies.
    pub(crate) fn abandon(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Reads what it has to say to its end.
    pub(crate) async fn end(mut self) -> Ended {
        let event = self
            .until(|event| matches!(event, Event::Report { .. }))
            .await;
        let Event::Report { report } = event else {
            unreachable!()
        };
        let more = timeout(PATIENCE, self.lines.next_line()).await.unwrap();
        assert_eq!(more.unwrap(), None, "the report is the last line");
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        let bytes = std::fs::read(&self.record).unwrap();
        let record = record::read(&bytes).unwrap();
        Ended {
            code: status.code().unwrap(),
            events: self.events,
            record,
            report: *report,
        }
    }
}

impl Unread {
    /// Waits for its first checkpoint after the common start.
    pub(crate) async fn started(&self) {
        let looking = async {
            loop {
                let bytes = std::fs::read(&self.record).unwrap_or_default();
                if let Ok(Record {
                    message: Message::Dyno(report),
                    ..
                }) = record::read(&bytes)
                    && report.start.is_some()
                {
                    return;
                }
                // Nothing tells of a file that is written in place.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, looking).await.unwrap();
    }

    /// Sends SIGTERM.
    pub(crate) async fn terminate(&self) {
        terminate(&self.child).await;
    }

    /// Waits for its end: its exit code and record.
    pub(crate) async fn end(mut self) -> (i32, Record) {
        // Who waits closes the child's standard input first, which means SIGTERM.
        let _input = self.child.stdin.take();
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        let bytes = std::fs::read(&self.record).unwrap();
        (status.code().unwrap(), record::read(&bytes).unwrap())
    }
}

async fn terminate(child: &Child) {
    let status = Command::new("kill")
        .args(["-TERM", &child.id().unwrap().to_string()])
        .status()
        .await
        .unwrap();
    assert!(status.success());
}

impl Ended {
    /// How it ended.
    pub(crate) fn ending(&self) -> &Ending {
        &self.report.end.as_ref().unwrap().ending
    }

    /// What must be true of every dyno that ended by itself: a final record that agrees with the
    /// last line, and books that balance.
    pub(crate) fn check(&self) {
        assert_eq!(self.record.kind, RecordKind::Final);
        let Message::Dyno(recorded) = &self.record.message else {
            panic!("not a dyno's record: {:?}", self.record);
        };
        assert_eq!(recorded.end, self.report.end);
        assert_eq!(recorded.books, self.report.books);
        assert_eq!(recorded.over, self.report.over);
        assert!(self.report.books.balanced(), "{:?}", self.report.books);
        assert!(self.report.warmup.balanced(), "{:?}", self.report.warmup);
        let failures = self.report.failures.as_deref().unwrap_or_default();
        let sum = |of: fn(&ClassFailures) -> u64| failures.iter().map(of).sum::<u64>();
        assert_eq!(sum(|row| row.measured), self.report.books.failed);
        assert_eq!(sum(|row| row.warmup), self.report.warmup.failed);
        for row in failures {
            assert!(row.example.is_some(), "{row:?}");
        }
        let completed = self.report.books.completed;
        assert_eq!(self.report.latencies.response.count, completed);
        let histogram = self.report.histograms.response.as_ref().unwrap();
        assert_eq!(histogram.decode().unwrap().count(), completed);
    }
}

/// A connection of the test's own.
pub(crate) async fn connect(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    redis::Client::open(server.url())
        .unwrap()
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .unwrap()
}
