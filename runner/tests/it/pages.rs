//! Probes and metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use redyno_contract::plan::*;
use redyno_contract::report::{Ending, Report};
use redyno_contract::samples;
use redyno_contract::schedule::Rate;
use redyno_contract::{Event, Plan};
use redyno_test_redis::RedisServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::limits::ask;
use crate::plans;
use crate::process::{Ended, Run};

/// Status and body of a page.
async fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// One look at the metrics.
struct Scrape {
    text: String,
    /// By name and the labels that not all of them have.
    series: BTreeMap<String, f64>,
    /// Types by name.
    types: BTreeMap<String, String>,
}

impl Scrape {
    async fn of(address: &str) -> Self {
        let (status, text) = get(address, "/metrics").await;
        assert_eq!(status, 200);
        let (mut series, mut types) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                types.insert(name.to_owned(), kind.to_owned());
            }
            if line.starts_with('#') {
                continue;
            }
            let (name, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = name.split_once('{').unwrap();
            let mut of_all = 0;
            let mut own = Vec::new();
            for label in labels.trim_end_matches('}').split("\",") {
                let label = label.trim_end_matches('"');
                match label.split_once("=\"").unwrap() {
                    ("namespace" | "loadtest" | "dyno_type" | "dyno", _) => of_all += 1,
                    (name, value) => own.push(format!("{name}={value}")),
                }
            }
            assert_eq!(of_all, 4, "{line}");
            let name = format!("{name} {}", own.join(","));
            let replaced = series.insert(name.trim_end().to_owned(), value.parse().unwrap());
            assert_eq!(replaced, None, "{line}");
        }
        Self {
            text,
            series,
            types,
        }
    }

    fn value(&self, series: &str) -> f64 {
        *self
            .series
            .get(series)
            .unwrap_or_else(|| panic!("no {series} in {:?}", self.series.keys()))
    }

    fn count(&self, series: &str) -> u64 {
        let value = self.value(series);
        assert!((value - value.round()).abs() < 1e-9, "{series} {value}");
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let count = value as u64;
        count
    }

    /// What the last look at a dyno has to agree with.
    fn agrees_with(&self, plan: &Plan, report: &Report) {
        let books = report.books;
        for (what, count) in [
            ("scheduled", books.scheduled),
            ("delivered", books.delivered),
            ("completed", books.completed),
            ("rejected", books.rejected),
            ("abandoned", books.abandoned),
        ] {
            assert_eq!(
                self.count(&format!("redyno_tasks_{what}_total")),
                count,
                "{what}"
            );
        }
        let failed: f64 = self
            .series
            .iter()
            .filter(|(name, _)| name.starts_with("redyno_tasks_failed_total"))
            .map(|(_, value)| value)
            .sum();
        assert!((failed - books.failed as f64).abs() < 1e-9);
        for (what, times) in [
            ("task_response_seconds", report.latencies.response),
            ("task_wait_seconds", report.latencies.wait),
            ("task_service_seconds", report.latencies.service),
            ("schedule_lag_seconds", report.own.schedule_lag),
        ] {
            assert_eq!(
                self.count(&format!("redyno_{what}_count")),
                times.count,
                "{what}"
            );
            let sum = times.sum_microseconds as f64 / 1e6;
            assert!((self.value(&format!("redyno_{what}_sum")) - sum).abs() < 1e-6);
        }
        for times in &report.steps {
            let step = times.step.as_str();
            let count = self.count(&format!("redyno_step_service_seconds_count step={step}"));
            assert_eq!(count, times.service.count, "{step}");
        }
        // Every limit is a bound, and exactly what was counted against it is over it.
        let unfinished = books.rejected + books.undispatched + books.abandoned;
        assert_eq!(unfinished, 0, "all of these ended");
        for ((_, limit), counted) in plan.latency_limits("web").zip(&report.over) {
            let bound = limit.max_microseconds as f64 / 1e6;
            let (name, step) = match (&limit.step, limit.of) {
                (Step::Task, Latency::Response) => ("task_response", String::new()),
                (Step::Task, Latency::Wait) => ("task_wait", String::new()),
                (Step::Task, Latency::Service) => ("task_service", String::new()),
                (step, _) => ("step_service", format!("step={},", step.as_str())),
            };
            // Labels come in alphabetical order.
            let series = [
                format!("redyno_{name}_seconds_bucket {step}le={bound}"),
                format!(
                    "redyno_{name}_seconds_bucket le={bound},{}",
                    step.trim_end_matches(',')
                ),
            ];
            let within = series
                .iter()
                .map(|series| series.trim_end_matches(','))
                .find(|series| self.series.contains_key(*series))
                .map(|series| self.count(series));
            let all = match &limit.step {
                Step::Task => books.completed,
                step => self.count(&format!(
                    "redyno_step_service_seconds_count step={}",
                    step.as_str()
                )),
            };
            // Failed tasks, in which the step had begun, are over every limit.
            let failed = counted.total - all;
            assert_eq!(within, Some(all - (counted.over - failed)), "{limit:?}");
        }
    }

    /// Nothing that only ever rises has fallen since.
    fn rose_since(&self, earlier: &Self) {
        for (series, before) in &earlier.series {
            let name = series.split(' ').next().unwrap();
            let rises = ["_total", "_bucket", "_count", "_sum"]
                .iter()
                .any(|ending| name.ends_with(ending))
                && !name.starts_with("redyno_worker_backlog_tasks");
            if rises {
                let now = self.value(series);
                assert!(now >= *before, "{series} fell from {before} to {now}");
            }
        }
    }
}

/// Prometheus' own linter finds nothing.
fn lint(text: &str) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of the Debian package prometheus");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success() && said.is_empty(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

/// What docs/metrics.md says of a dyno's metrics: type and own labels by name, those of the target
/// apart.
fn documented() -> [BTreeMap<String, (String, BTreeSet<String>)>; 2] {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let text = std::fs::read_to_string(path).unwrap();
    let dynos = text
        .split("\n## ")
        .find(|part| part.starts_with("Dynos"))
        .unwrap();
    let (own, target) = dynos.split_once("### The target").unwrap();
    [own, target].map(|part| {
        part.lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .map(|row| {
                let cells: Vec<&str> = row.split('|').map(str::trim).collect();
                let labels = cells[2].split('`').skip(1).step_by(2).map(str::to_owned);
                let name = cells[0].trim_end_matches('`').to_owned();
                (name, (cells[1].to_owned(), labels.collect()))
            })
            .collect()
    })
}

/// Type and own labels of every metric that is there.
fn found(scrape: &Scrape) -> BTreeMap<String, (String, BTreeSet<String>)> {
    scrape
        .types
        .iter()
        .map(|(name, kind)| {
            let labels = scrape
                .series
                .keys()
                .filter(|series| {
                    let found = series.split(' ').next().unwrap();
                    found == name
                        || (kind == "histogram"
                            && found
                                .strip_prefix(name.as_str())
                                .is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest)))
                })
                .flat_map(|series| {
                    series
                        .split_once(' ')
                        .map_or("", |(_, labels)| labels)
                        .split(',')
                })
                .filter_map(|label| label.split_once('='))
                .map(|(label, _)| label.to_owned())
                .filter(|label| label != "le")
                .collect();
            (name.clone(), (kind.clone(), labels))
        })
        .collect()
}

#[tokio::test]
async fn probes_tell_how_far_it_is_and_every_metric_is_there_from_the_beginning() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.formation[0].quantity = 2;
    plan.warmup_seconds = 1;
    plan.thresholds.push(plans::response("p99", 123_456));
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    let address = dyno.address().await;
    assert_eq!(get(&address, "/readyz").await.0, 503);
    dyno.ready().await;
    assert_eq!(get(&address, "/startz").await.0, 200);
    assert_eq!(get(&address, "/readyz").await.0, 503);

    // All but those of the target, of which nothing is known yet.
    let [own, target] = documented();
    let first = Scrape::of(&address).await;
    assert_eq!(found(&first), own);
    lint(&first.text);
    for series in [
        "redyno_tasks_scheduled_total",
        "redyno_tasks_failed_total reason=oom",
        "redyno_tasks_failed_total reason=timeout",
        "redyno_task_response_seconds_count",
        "redyno_step_service_seconds_count step=Save",
        "redyno_backlog_tasks",
        "redyno_run_active",
        "redyno_run_start_timestamp_seconds",
        "redyno_target_rate_tasks_per_second",
        "redyno_loop_lag_seconds statistic=max",
    ] {
        assert!(first.value(series).abs() < f64::EPSILON, "{series}");
    }
    for (series, value) in [
        ("redyno_worker_backlog_tasks_bucket le=0", 4.0),
        ("redyno_worker_backlog_tasks_bucket le=1000", 4.0),
        ("redyno_worker_backlog_limit_tasks", 1000.0),
        ("redyno_load_threads", 1.0),
        (
            "redyno_latency_limit_seconds of=Response,percentile=99,step=Task,threshold=p99",
            0.123_456,
        ),
    ] {
        assert!(
            (first.value(series) - value).abs() < f64::EPSILON,
            "{series}"
        );
    }
    for bound in ["0.0001", "0.123456", "60", "+Inf"] {
        first.value(&format!("redyno_task_response_seconds_bucket le={bound}"));
    }
    assert!(
        !first
            .series
            .contains_key("redyno_task_wait_seconds_bucket le=0.123456")
    );
    assert!(first.value("redyno_memory_bytes") > 1e6);

    let other = run.dyno("web", 1);
    dyno.started().await;
    assert_eq!(get(&address, "/readyz").await.0, 200);
    dyno.until(|event| matches!(event, Event::Progress(_)))
        .await;
    let running = Scrape::of(&address).await;
    let all: BTreeMap<_, _> = own.into_iter().chain(target).collect();
    assert_eq!(found(&running), all);
    lint(&running.text);
    let start = running.value("redyno_run_start_timestamp_seconds");
    let Ended { report, .. } = dyno.end().await;
    let planned = report.start.unwrap().at_microseconds as f64 / 1e6 + 1.0;
    assert!((start - planned).abs() < 1e-6, "{start} {planned}");
    other.end().await.check();
}

fn progress_milliseconds(event: &Event) -> u64 {
    match event {
        Event::Progress(progress) => progress.at_milliseconds,
        _ => 0,
    }
}

#[tokio::test]
async fn counters_never_fall_and_the_last_look_agrees_with_the_report() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 3;
    plan.linger_seconds = 60;
    plan.formation[0].rate = Rate::per_second(300);
    plan.thresholds = vec![plans::errors(1_000_000)];
    // Limits among the latencies that there will be, next to the ladder's bounds and to each other.
    for (name, of, step, microseconds) in [
        ("a", Latency::Response, Step::Task, 499),
        ("b", Latency::Response, Step::Task, 500),
        ("c", Latency::Response, Step::Task, 999),
        ("d", Latency::Response, Step::Task, 1234),
        ("e", Latency::Wait, Step::Task, 50),
        ("f", Latency::Service, Step::Task, 777),
        ("g", Latency::Service, Step::Fetch, 333),
        ("h", Latency::Service, Step::Ping, 77),
    ] {
        let mut threshold = plans::response(name, microseconds);
        if let Limit::Latency(limit) = &mut threshold.limit {
            (limit.of, limit.step) = (of, step);
            limit.percentile = Percentile::try_from(1).unwrap();
        }
        plan.thresholds.push(threshold);
    }
    // A percentile so low that no number of tasks breaks it needs another type's.
    let mut other = plans::web();
    other.dyno_type = "other".to_owned();
    other.rate = Rate::per_second(10);
    plan.formation.push(other);
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let other = run.dyno("other", 0);
    let mut dyno = run.dyno_with("web", 0, &["--load-threads", "2"]);
    let address = dyno.address().await;
    let mut last = Scrape::of(&address).await;
    dyno.started().await;
    let final_report = loop {
        let event = dyno
            .until(|event| matches!(event, Event::Progress(_) | Event::Report { .. }))
            .await;
        if let Event::Report { report } = event {
            break report;
        }
        // Who looks after the end lets it go.
        if progress_milliseconds(&event) > 2500 {
            continue;
        }
        if last.value("redyno_run_active") > 0.0 {
            ask(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;
            ask(&server, &["CONFIG", "SET", "maxmemory", "0"]).await;
        }
        let next = Scrape::of(&address).await;
        next.rose_since(&last);
        last = next;
    };
    assert_eq!(final_report.end.as_ref().unwrap().ending, Ending::Completed);
    // It waits until it is looked at once more.
    let next = Scrape::of(&address).await;
    next.rose_since(&last);
    next.agrees_with(&plan, &final_report);
    assert_eq!(next.count("redyno_run_active"), 0);
    assert_eq!(next.count("redyno_tasks_scheduled_total"), 900);
    assert_eq!(dyno.exit().await, 0);
    let mut other = other;
    other
        .until(|event| matches!(event, Event::Report { .. }))
        .await;
    get(&other.address_seen().unwrap(), "/metrics").await;
    assert_eq!(other.exit().await, 0);
}

/// The largest mix, and limits on everything.
#[tokio::test]
async fn a_dyno_has_less_than_four_hundred_series() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    let mix = (0..MOST_COMMANDS)
        .map(|number| samples::entry(&format!("get-{number}"), 1, &["GET", "{key}"]))
        .collect();
    plan.formation[0].workload = Workload::Commands(samples::commands(10, 10, Prefill::Empty, mix));
    for number in 0..32 {
        let mut threshold = plans::response(&format!("t{number}"), 5_000_001 + number);
        if let Limit::Latency(limit) = &mut threshold.limit {
            match number % 4 {
                0 => limit.of = Latency::Wait,
                1 => limit.of = Latency::Service,
                2 => {
                    limit.of = Latency::Service;
                    limit.step = Step::Command(format!("get-{}", number % 16));
                }
                _ => {}
            }
        }
        plan.thresholds.push(threshold);
    }
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    let address = dyno.address().await;
    dyno.until(|event| matches!(event, Event::Progress(_)))
        .await;
    let scrape = Scrape::of(&address).await;
    assert!(scrape.series.contains_key("redyno_redis_commands_total"));
    assert!(scrape.series.len() < 400, "{}", scrape.series.len());
    lint(&scrape.text);
    dyno.end().await.check();
}
