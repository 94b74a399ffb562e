//! What the pods of a run leave behind, as the real runner writes it.

use redyno_contract::limit::allowed_over;
use redyno_contract::plan::{DynoName, Plan};
use redyno_contract::record::{self, RecordKind};
use redyno_contract::{Message, Report};
use serde_json::{Value, json};

/// How a dyno ends by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// It ran its whole window.
    Completed,
    /// It broke its latency limit.
    LatencyLimit,
    /// Another broke a limit.
    Stopped,
    /// It got SIGTERM.
    Terminated,
    /// The others were not ready in time.
    StartTimeout,
    /// Redis is gone.
    TargetLost,
    /// Another pod had claimed this dyno first.
    Duplicate,
}

impl Word {
    /// The exit code that goes with it.
    pub(crate) const fn exit_code(self) -> i32 {
        match self {
            Self::Completed | Self::LatencyLimit | Self::Stopped => 0,
            Self::Terminated => 143,
            Self::StartTimeout => 75,
            Self::TargetLost => 69,
            Self::Duplicate => 76,
        }
    }
}

/// The final record of a dyno.
pub(crate) fn of_dyno(plan: &Plan, dyno: &DynoName, pod: &str, word: Word) -> String {
    let report = report(plan, dyno, pod, word);
    text(record::write_report(7, RecordKind::Final, &report).expect("it fits"))
}

fn report(plan: &Plan, dyno: &DynoName, pod: &str, word: Word) -> Report {
    let dynos = plan.dyno_type(&dyno.dyno_type).expect("it is planned");
    let planned = plan.schedule(dynos, dyno.index).count();
    let (ending, count, over) = match word {
        Word::Completed => (json!("completed"), planned, 0),
        Word::LatencyLimit => {
            let limits: Vec<_> = plan.latency_limits(&dyno.dyno_type).collect();
            let limit = limits.first().expect("there is a limit").1;
            let allowed = allowed_over(limit.percentile, plan.scheduled(None));
            (
                json!({"latencyLimit": {"threshold": "p99"}}),
                planned,
                allowed + 1,
            )
        }
        Word::Stopped => (json!("stopped"), planned / 2, 0),
        Word::Terminated => (json!("terminated"), planned / 2, 0),
        Word::StartTimeout => (
            json!({"startTimeout": {"detail": "the others were not ready"}}),
            0,
            0,
        ),
        Word::TargetLost => (
            json!({"targetLost": {"detail": "connections did not come back"}}),
            planned / 2,
            0,
        ),
        Word::Duplicate => (json!({"duplicateDyno": {"holder": "another"}}), 0, 0),
    };
    let over = over.min(count);
    let started = !matches!(word, Word::StartTimeout | Word::Duplicate);
    let times = json!({"count": count, "sumMicroseconds": count * 2000, "maxMicroseconds": 9000});
    let steps = ["Fetch", "Save", "Ping"].map(|step| json!({"step": step, "service": times}));
    let books = |count: u64| {
        json!({
            "scheduled": count, "delivered": count, "rejected": 0, "undispatched": 0,
            "completed": count, "inTime": count, "failed": 0, "timedOut": 0, "abandoned": 0,
        })
    };
    let mut histogram = redyno_contract::Histogram::new(redyno_contract::histogram::Digits::Two);
    for _ in 0..count {
        histogram.record(2000);
    }
    let encoded = serde_json::to_value(histogram.encode()).expect("it is plain data");
    let limits: Vec<Value> = plan
        .latency_limits(&dyno.dyno_type)
        .map(|_| json!({"over": over, "excused": 0, "unknown": 0, "total": count}))
        .collect();
    serde_json::from_value(json!({
        "version": redyno_contract::report::REPORT_VERSION,
        "run": plan.run.uid,
        "dyno": dyno,
        "pod": pod,
        "end": {"ending": ending, "afterMilliseconds": 1000 * u64::from(plan.duration_seconds), "duringWarmup": false},
        "start": started.then(|| json!({"atMicroseconds": 1_767_225_660_000_000_u64, "offsetMicroseconds": 120, "errorMicroseconds": 40})),
        "books": books(count),
        "warmup": books(0),
        "over": limits,
        "failures": [],
        "steps": steps,
        "latencies": {"response": times, "wait": times, "service": times},
        "busiest": [],
        "otherWorkersBacklog": 1,
        "own": {
            "scheduleLagP99Microseconds": 100, "scheduleLag": times, "loopLag": times, "loadThreads": 1,
            "loadThreadBusyPerMille": 10, "cpuMicroseconds": 1000, "throttledPerMille": 0,
            "memoryBytes": 1 << 20, "bytesOut": 1, "bytesIn": 1, "reconnects": 0, "coordinationFailures": 0,
        },
        "lateness": {"longest": [], "timedOut": 0, "timedOutInWarmup": 0},
        "queues": {"atMiddle": 0, "atEnd": 0},
        "last": {
            "throttledPerMille": 0, "scheduleLagP99Microseconds": 100, "responseP99Microseconds": 2000,
            "cpuPerMille": 10, "loadThreadBusyPerMille": 10, "workersBusyPerMille": 10,
        },
        "histograms": {"response": encoded, "wait": encoded, "service": encoded},
    }))
    .expect("a report of these fields can be read")
}

/// The record of a preflight.
pub(crate) fn of_preflight(run: &str, refused: bool) -> String {
    let result = if refused {
        json!({"refused": {"reason": "ConnectionRefused"}})
    } else {
        json!("passed")
    };
    message(
        json!({"preflight": {"run": run, "result": result, "message": "as it is", "target": null}}),
    )
}

/// The record of a finish.
pub(crate) fn of_finish(run: &str) -> String {
    message(
        json!({"finish": {"run": run, "complete": true, "removedKeys": 3, "message": "removed 3 keys"}}),
    )
}

fn message(value: Value) -> String {
    let message: Message = serde_json::from_value(value).expect("it can be read");
    text(record::write(1, RecordKind::Final, &message).expect("it fits"))
}

fn text(record: Vec<u8>) -> String {
    String::from_utf8(record).expect("a record is ASCII")
}
