//! One run: a fresh redis-server on its core, a preflight, and every dyno on the other core.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use redyno_contract::report::{Books, Ending};
use redyno_contract::{Event, Histogram, Report};
use redyno_test_redis::{Folder, RedisServer};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::plans::{Load, TYPE};

/// Where everything runs.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    /// The redyno-runner to measure.
    pub(crate) runner: PathBuf,
    /// The core of redis-server.
    pub(crate) redis: u32,
    /// The core of the runner and its peers.
    pub(crate) own: u32,
}

/// A stall of Redis in the middle of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stall {
    /// Seconds of the measured window before it.
    pub(crate) after_seconds: u32,
    /// How long it lasts.
    pub(crate) milliseconds: u32,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The reports of all dynos at full precision.
    pub(crate) reports: Vec<Report>,
    /// Resident memory of the first dyno in bytes, every ten seconds since it was started.
    pub(crate) resident: Vec<u64>,
    /// How much of the first dyno's CPU time in the measured window was spent in the kernel, 0 to 1.
    pub(crate) kernel_share: f64,
}

impl Cores {
    /// A redis-server on its core, empty.
    pub(crate) async fn redis(&self) -> Result<RedisServer> {
        let server = RedisServer::start(&["--maxclients", "20000"])
            .await
            .context("cannot start redis-server")?;
        let pinned = Command::new("taskset")
            .args(["--all-tasks", "--cpu-list", "--pid"])
            .args([self.redis.to_string(), server.process_id().to_string()])
            .stdout(Stdio::null())
            .status()
            .await
            .context("cannot run taskset (package util-linux)")?;
        ensure!(
            pinned.success(),
            "taskset cannot pin redis-server to core {}",
            self.redis
        );
        Ok(server)
    }

    /// Carries out a run against a fresh server.
    pub(crate) async fn run(&self, load: &Load, stall: Option<Stall>) -> Result<Outcome> {
        self.run_against(&self.redis().await?, load, stall).await
    }

    /// Carries out a run against this server, which keeps the run's data.
    pub(crate) async fn run_against(
        &self,
        server: &RedisServer,
        load: &Load,
        stall: Option<Stall>,
    ) -> Result<Outcome> {
        let plan = load.plan();
        let folder = Folder::new()?;
        let config = folder.path().join("config");
        std::fs::create_dir_all(config.join("target"))?;
        std::fs::write(config.join("plan.json"), serde_json::to_vec(&plan)?)?;
        std::fs::write(config.join("target/url"), server.url())?;
        let preflight = self
            .process(&config, &folder.path().join("preflight"), "preflight", 0)
            .stdout(Stdio::null())
            .status()
            .await?;
        ensure!(preflight.success(), "the preflight ended with {preflight}");
        let mut dynos = Vec::new();
        for index in 0..load.dynos {
            let report = folder.path().join(format!("report-{index}"));
            let child = self
                .process(&config, &report, "dyno", index)
                .stdout(Stdio::piped())
                .spawn()
                .with_context(|| format!("cannot start {}", self.runner.display()))?;
            dynos.push(child);
        }
        let first = dynos.first().and_then(Child::id);
        let url = server.url();
        let stalling = async {
            match stall {
                Some(stall) => pause(&url, load, stall).await,
                None => Ok(()),
            }
        };
        let (start, started) = oneshot::channel();
        let memory = resident(first, load.seconds);
        let kernel = kernel_share(first, started, plan.warmup_seconds, load.seconds);
        let reading = async {
            let mut reports = Vec::new();
            let mut start = Some(start);
            for child in dynos {
                reports.push(last_words(child, start.take()).await?);
            }
            anyhow::Ok(reports)
        };
        let (reports, stalled, resident, kernel_share) =
            tokio::join!(reading, stalling, memory, kernel);
        stalled?;
        Ok(Outcome {
            reports: reports?,
            resident,
            kernel_share,
        })
    }

    fn process(&self, config: &Path, report: &Path, part: &str, index: u32) -> Command {
        let mut command = Command::new("taskset");
        command
            .args(["--cpu-list", &self.own.to_string()])
            .arg(&self.runner)
            .arg(part)
            .arg("--config")
            .arg(config)
            .arg("--report")
            .arg(report)
            .args(["--http", "127.0.0.1:0"])
            .env("REDYNO_DYNO_TYPE", TYPE)
            .env("JOB_COMPLETION_INDEX", index.to_string())
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

/// Reads the report that a dyno prints at its end, and sends word when it has started.
async fn last_words(mut child: Child, mut start: Option<oneshot::Sender<()>>) -> Result<Report> {
    let output = child.stdout.take().context("a dyno without an output")?;
    let mut lines = BufReader::new(output).lines();
    let mut last = None;
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line) {
            Ok(Event::Report { report }) => last = Some(*report),
            Ok(Event::Started { .. }) => {
                if let Some(start) = start.take() {
                    // A receiver that no longer listens does not need to know.
                    start.send(()).unwrap_or_default();
                }
            }
            Ok(
                Event::Listening { .. } | Event::Waiting { .. } | Event::Ready | Event::Progress(_),
            )
            | Err(_) => {}
        }
    }
    let status = child.wait().await?;
    let report =
        last.with_context(|| format!("a dyno ended with {status} and without a report"))?;
    match &report.end {
        Some(end) if end.ending == Ending::Completed => {}
        Some(end) => bail!("{} ended early: {:?}", report.dyno, end.ending),
        None => bail!("{} has no end", report.dyno),
    }
    ensure!(
        report.books.balanced(),
        "the books of {} do not balance: {:?}",
        report.dyno,
        report.books
    );
    Ok(report)
}

/// Stalls Redis in the middle of the run. The dynos' start is not known here to the second. It need
/// not be, because the stall lies well inside the window.
async fn pause(url: &str, load: &Load, stall: Stall) -> Result<()> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let plan = load.plan();
    let starting = format!("redyno:{{{}}}:start", plan.run.uid);
    loop {
        let started: Option<u64> = redis::cmd("GET")
            .arg(&starting)
            .query_async(&mut connection)
            .await?;
        if started.is_some() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    // The common start lies three seconds ahead of the moment at which it is known.
    let wait = 3 + plan.warmup_seconds + stall.after_seconds;
    sleep(Duration::from_secs(wait.into())).await;
    let () = redis::cmd("CLIENT")
        .arg("PAUSE")
        .arg(stall.milliseconds)
        .arg("ALL")
        .query_async(&mut connection)
        .await?;
    Ok(())
}

/// Resident memory of a process in bytes, every ten seconds from now on; it may be gone before.
async fn resident(process: Option<u32>, seconds: u32) -> Vec<u64> {
    let mut resident = Vec::new();
    let Some(process) = process else {
        return resident;
    };
    for _ in 0..seconds / 10 {
        sleep(Duration::from_secs(10)).await;
        let status = read_of(process, "status").unwrap_or_default();
        let kibibytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
        resident.extend(kibibytes.map(|kibibytes| kibibytes * 1024));
    }
    resident
}

/// How much of its CPU time a process spends in the kernel, from the begin of its measured window
/// to its end; it may be gone a little before.
async fn kernel_share(
    process: Option<u32>,
    started: oneshot::Receiver<()>,
    warmup_seconds: u32,
    seconds: u32,
) -> f64 {
    let mut share = 0.0;
    let (Some(process), Ok(())) = (process, started.await) else {
        return share;
    };
    let spent = || read_of(process, "stat").and_then(|text| CpuTime::read(&text));
    sleep(Duration::from_secs(warmup_seconds.into())).await;
    let Some(before) = spent() else { return share };
    for _ in 0..seconds {
        sleep(Duration::from_secs(1)).await;
        if let Some(now) = spent() {
            share = now.kernel_share_since(before);
        }
    }
    share
}

/// The kernel's file about a process, which may be gone.
fn read_of(process: u32, name: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{process}/{name}")).ok()
}

/// CPU time of a process since it began, in the system's ticks.
#[derive(Clone, Copy, Debug)]
struct CpuTime {
    user: u64,
    kernel: u64,
}

impl CpuTime {
    /// From its line in /proc (`proc(5)`: fields 14 and 15, counted behind a name that may hold
    /// anything).
    fn read(stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(')')?;
        let mut times = fields.split_whitespace().skip(11).map(str::parse);
        Some(Self {
            user: times.next()?.ok()?,
            kernel: times.next()?.ok()?,
        })
    }

    /// Which share of the time since then was spent in the kernel; 0 if no time was spent.
    fn kernel_share_since(self, earlier: Self) -> f64 {
        let kernel = self.kernel.saturating_sub(earlier.kernel) as f64;
        let user = self.user.saturating_sub(earlier.user) as f64;
        kernel / (user + kernel).max(1.0)
    }
}

impl Outcome {
    /// The books of all dynos.
    pub(crate) fn books(&self) -> Books {
        self.reports
            .iter()
            .fold(Books::default(), |sum, report| sum.plus(report.books))
    }

    /// CPU time of all dynos over the window, in microseconds.
    pub(crate) fn cpu_microseconds(&self) -> f64 {
        self.reports
            .iter()
            .map(|report| report.own.cpu_microseconds as f64)
            .sum()
    }

    /// CPU time per task that ended inside the window, in microseconds.
    pub(crate) fn cpu_per_task(&self) -> f64 {
        self.cpu_microseconds() / (self.books().in_time as f64).max(1.0)
    }

    /// Main-thread CPU of Redis over the window, as a share of its core.
    pub(crate) fn redis_share(&self) -> f64 {
        self.reports
            .iter()
            .filter_map(|report| report.target.as_ref())
            .filter_map(|target| target.main_thread_per_mille)
            .map(|per_mille| f64::from(per_mille) / 1000.0)
            .sum()
    }

    /// The highest backlog of any worker.
    pub(crate) fn max_backlog(&self) -> f64 {
        self.reports
            .iter()
            .flat_map(|report| &report.busiest)
            .map(|worker| f64::from(worker.peak_backlog))
            .fold(0.0, f64::max)
    }

    /// One distribution of all dynos.
    pub(crate) fn histogram(&self, which: Which) -> Result<Histogram> {
        let mut merged: Option<Histogram> = None;
        for report in &self.reports {
            let histograms = &report.histograms;
            let encoded = match which {
                Which::Response => &histograms.response,
                Which::Service => &histograms.service,
                Which::ScheduleLag => &histograms.schedule_lag,
            };
            let histogram = encoded
                .as_ref()
                .context("a report without histograms")?
                .decode()?;
            match &mut merged {
                Some(merged) => merged.add(&histogram),
                None => merged = Some(histogram),
            }
        }
        merged.context("no dyno reported")
    }
}

/// Which distribution.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    /// end - due.
    Response,
    /// end - start.
    Service,
    /// handed over - due.
    ScheduleLag,
}
