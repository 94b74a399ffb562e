//! LoadTests in the tests: small ones, changed where a test needs it, and what became of them.

use redyno_crds::LoadTest;
use serde_json::{Value, json};

use crate::command::eventually;
use crate::namespace::Namespace;
use crate::on_time::Late;

/// A small LoadTest on the Redis of [`Namespace::redis`]: one dyno of 4 workers, 50 tasks/s, 4 s.
pub fn small(name: &str) -> Value {
    json!({
        "apiVersion": "redyno.dev/v1alpha1",
        "kind": "LoadTest",
        "metadata": {"name": name},
        "spec": {
            "target": {"existing": {"secretRef": {"name": "my-redis"}}},
            "durationSeconds": 4,
            "warmupSeconds": 1,
            "drainSeconds": 5,
            "startTimeoutSeconds": 60,
            "formation": [web(1, 50)],
        },
    })
}

/// A dyno type `web` of the tests.
pub fn web(quantity: u32, tasks_per_second: u32) -> Value {
    dynos("web", quantity, tasks_per_second)
}

/// A dyno type of the tests: 4 workers, 100 millicores requested of a small node.
pub fn dynos(dyno_type: &str, quantity: u32, tasks_per_second: u32) -> Value {
    json!({
        "type": dyno_type,
        "quantity": quantity,
        "resources": {"cpu": "100m", "memory": "64Mi"},
        "workers": 4,
        "tasksPerSecond": tasks_per_second,
        "workload": {"objectGraph": {"maxFlats": 3, "itemPayloadBytes": 500}},
    })
}

/// Changes a field of a LoadTest's spec, by JSON pointer below `/spec`.
///
/// # Panics
/// If its parent is not there.
#[track_caller]
pub fn with(mut load_test: Value, pointer: &str, value: impl Into<Value>) -> Value {
    let (parent, key) = pointer
        .rsplit_once('/')
        .expect("a pointer starts with a slash");
    let parent = load_test
        .pointer_mut(&format!("/spec{parent}"))
        .unwrap_or_else(|| panic!("no {parent}"));
    match parent {
        Value::Array(items) => items[key.parse::<usize>().expect("an index")] = value.into(),
        Value::Object(fields) => {
            fields.insert(key.to_owned(), value.into());
        }
        other => panic!("{pointer} lies in {other}"),
    }
    load_test
}

/// A LoadTest that is over.
#[derive(Debug)]
pub struct Finished(pub LoadTest);

impl Namespace {
    /// Creates a LoadTest and waits until it is finished. A verdict that the machine was too noisy
    /// for is printed, and the same test is made anew, twice at most.
    ///
    /// # Panics
    /// If it is refused, or not over within `seconds`.
    #[track_caller]
    pub fn run(&self, load_test: &Value, seconds: u64) -> Finished {
        let name = load_test["metadata"]["name"].as_str().expect("a name");
        let mut attempts = 3;
        loop {
            self.create(load_test).expect_success("creating a LoadTest");
            let finished = self.finished(name, seconds);
            attempts -= 1;
            if attempts == 0 || !finished.was_late() {
                return finished;
            }
            self.kubectl(&["delete", "loadtest", name])
                .expect_success("deleting a LoadTest");
            let selector = format!("redyno.dev/loadtest={name}");
            eventually("the pods of the former run are gone", 90, || {
                self.list("pods", &selector).is_empty().then_some(())
            });
        }
    }

    /// Creates a LoadTest and waits until its dynos have started.
    ///
    /// # Panics
    /// If it is refused, or not started within `seconds`.
    #[track_caller]
    pub fn start(&self, load_test: &Value, seconds: u64) {
        self.create(load_test).expect_success("creating a LoadTest");
        let name = load_test["metadata"]["name"].as_str().expect("a name");
        self.kubectl(&[
            "wait",
            "--for=condition=Started",
            &format!("loadtest/{name}"),
            &format!("--timeout={seconds}s"),
        ])
        .expect_success("waiting for Started");
    }

    /// Waits until a LoadTest is finished, as the README says.
    ///
    /// # Panics
    /// If it is not over within `seconds`.
    #[track_caller]
    pub fn finished(&self, name: &str, seconds: u64) -> Finished {
        self.kubectl(&[
            "wait",
            "--for=condition=Finished",
            &format!("loadtest/{name}"),
            &format!("--timeout={seconds}s"),
        ])
        .expect_success("waiting for Finished");
        Finished(self.load_test(name))
    }

    /// A LoadTest as it is now.
    ///
    /// # Panics
    /// If it is not there.
    #[track_caller]
    pub fn load_test(&self, name: &str) -> LoadTest {
        let value = self.get("loadtest", name).expect("the LoadTest is there");
        serde_json::from_value(value).expect("the API server holds a LoadTest")
    }
}

impl Finished {
    /// The reason of the condition Succeeded.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn reason(&self) -> String {
        self.condition("Succeeded").1
    }

    /// Status and reason of a condition.
    ///
    /// # Panics
    /// If it is not there.
    #[track_caller]
    pub fn condition(&self, condition_type: &str) -> (String, String) {
        let condition = self
            .status()
            .conditions
            .iter()
            .find(|condition| condition.type_ == condition_type)
            .unwrap_or_else(|| panic!("no condition {condition_type}"));
        (condition.status.clone(), condition.reason.clone())
    }

    /// The status.
    ///
    /// # Panics
    /// If there is none.
    pub fn status(&self) -> &redyno_crds::LoadTestStatus {
        self.0
            .status
            .as_ref()
            .expect("a finished LoadTest has a status")
    }

    /// The verdict's sentence.
    pub fn message(&self) -> &str {
        self.status().message.as_deref().unwrap_or_default()
    }

    /// Whether the machine was too noisy for a verdict. It says so if it was.
    pub fn was_late(&self) -> bool {
        let late = self.status().verdict.as_deref() == Some("Inconclusive")
            && ["ScheduleLag", "RateNotDelivered"].contains(&self.reason().as_str());
        if late {
            eprintln!("a noisy machine: {}", self.message());
        }
        late
    }

    /// Asserts verdict and reason.
    ///
    /// # Errors
    /// If the machine was too noisy for a verdict: the story has to be told anew (see
    /// [`crate::on_time`]).
    ///
    /// # Panics
    /// If they differ, with the message.
    #[track_caller]
    pub fn expect_on_time(&self, verdict: &str, reason: &str) -> Result<&Self, Late> {
        if self.was_late() {
            return Err(Late);
        }
        Ok(self.expect(verdict, reason))
    }

    /// Asserts verdict and reason.
    ///
    /// # Panics
    /// If they differ, with the message.
    #[track_caller]
    pub fn expect(&self, verdict: &str, reason: &str) -> &Self {
        let status = self.status();
        let found = (status.verdict.as_deref().unwrap_or_default(), self.reason());
        assert_eq!(
            found,
            (verdict, reason.to_owned()),
            "{}\n{:#?}",
            self.message(),
            status.dynos
        );
        let expected = if verdict == "Passed" { "True" } else { "False" };
        assert_eq!(self.condition("Succeeded").0, expected);
        assert_eq!(self.condition("Finished").0, "True");
        self
    }

    /// Asserts that every dyno reported, that all books balance, and that exactly `scheduled`
    /// tasks were due.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn expect_books(&self, scheduled: i64) -> &Self {
        let status = self.status();
        for dyno in &status.dynos {
            assert_eq!(dyno.report, "Complete", "{}", dyno.name);
        }
        let summary = status.summary.as_ref().expect("a summary");
        let rows = status
            .dynos
            .iter()
            .map(|dyno| &dyno.tasks)
            .chain(status.formation.iter().map(|row| &row.tasks));
        for tasks in rows.chain([&summary.tasks]) {
            assert_eq!(
                tasks.scheduled_tasks,
                tasks.delivered_tasks + tasks.rejected_tasks + tasks.undispatched_tasks
            );
            assert_eq!(
                tasks.delivered_tasks,
                tasks.completed_tasks + tasks.failed_tasks + tasks.abandoned_tasks
            );
        }
        assert_eq!(summary.tasks.scheduled_tasks, scheduled);
        assert_eq!(
            status
                .dynos
                .iter()
                .map(|dyno| dyno.tasks.scheduled_tasks)
                .sum::<i64>(),
            scheduled
        );
        self
    }

    /// Asserts that every dyno's start is known, and that all started within 100 ms.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn expect_common_start(&self) -> &Self {
        let status = self.status();
        for dyno in &status.dynos {
            assert!(
                dyno.start_offset_microseconds.is_some(),
                "{} has no start offset",
                dyno.name
            );
        }
        let skew = status
            .summary
            .as_ref()
            .and_then(|summary| summary.start_skew_microseconds)
            .expect("a skew");
        assert!((0..=100_000).contains(&skew), "skew {skew} us");
        self
    }
}
