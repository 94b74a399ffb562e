//! What a run of the simulation is about: a LoadTest, how its dynos really fare, and how fast the
//! cluster is.

use redyno_simulation::choices::Choices;

use crate::fault::Fault;

/// How the load really ends for a dyno, whatever the operator gets to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    /// Every limit holds.
    Holds,
    /// The first dyno breaks a latency limit, and the others are stopped.
    Breaks,
}

/// A run of the simulation before it begins.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Dynos of the one type.
    pub(crate) dynos: u32,
    /// The target is made for the run; else it is somebody's.
    pub(crate) managed: bool,
    /// How the load really ends.
    pub(crate) truth: Truth,
    /// Whether the preflight refuses the target.
    pub(crate) refused: bool,
    /// The measured window, in seconds.
    pub(crate) duration_seconds: u32,
    /// How long each stage waits, in seconds.
    pub(crate) start_timeout_seconds: u32,
    /// How long the cluster takes for a step of a pod, in milliseconds.
    pub(crate) pace_milliseconds: u64,
    /// How long after a change the operator hears of it, in milliseconds.
    pub(crate) lag_milliseconds: u64,
    /// What goes wrong.
    pub(crate) faults: Vec<Fault>,
    /// Everything that is drawn while the world turns.
    pub(crate) seed: u64,
}

/// The name of the LoadTest.
pub(crate) const NAME: &str = "friday";
/// Its namespace.
pub(crate) const NAMESPACE: &str = "shop";
/// The latency limit that the load holds or breaks.
pub(crate) const LIMIT_MICROSECONDS: u64 = 250_000;

impl Scenario {
    /// Draws one. Half of all have one fault, an eighth none: a law that holds only in chaos says
    /// little.
    pub(crate) fn draw(choices: &mut Choices) -> Self {
        let dynos = choices.between("dynos", 1, 3);
        let managed = !choices.percent("existing", 40);
        let truth = if choices.percent("breaks", 30) {
            Truth::Breaks
        } else {
            Truth::Holds
        };
        let refused = choices.percent("refused", 5);
        let duration = choices.between("duration", 1, 30);
        let timeout = choices.one_of("start timeout", &[60, 30, 10]);
        let pace = choices.one_of("pace", &[500, 50, 3000]);
        let lag = choices.one_of("lag", &[60, 1000, 5000]);
        let count = match choices.below("faults", 8) {
            0 => 0,
            1..=4 => 1,
            5 | 6 => 2,
            _ => 3,
        };
        // The same number is drawn whatever comes of it.
        let faults = (0..3)
            .map(|_| Fault::draw(choices))
            .take(3)
            .enumerate()
            .filter_map(|(place, fault)| (place < count).then_some(fault))
            .collect();
        Self {
            dynos: u32::try_from(dynos).unwrap_or(1),
            managed,
            truth,
            refused,
            duration_seconds: u32::try_from(duration).unwrap_or(1),
            start_timeout_seconds: timeout,
            pace_milliseconds: pace,
            lag_milliseconds: lag,
            faults,
            seed: choices.seed("seed"),
        }
    }

    /// The LoadTest as its user writes it.
    pub(crate) fn load_test(&self) -> serde_json::Value {
        let target = if self.managed {
            serde_json::json!({"managed": {"plan": "premium-1", "scalePercent": 50}})
        } else {
            serde_json::json!({"existing": {"secretRef": {"name": "till"}}})
        };
        serde_json::json!({
            "apiVersion": "redyno.dev/v1alpha1",
            "kind": "LoadTest",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "target": target,
                "durationSeconds": self.duration_seconds,
                "warmupSeconds": 1,
                "drainSeconds": 5,
                "startTimeoutSeconds": self.start_timeout_seconds,
                "formation": [{
                    "type": "web",
                    "quantity": self.dynos,
                    "size": "standard-1x",
                    "workers": 2,
                    "tasksPerSecond": 10,
                    "workload": {"objectGraph": {}},
                }],
                "thresholds": [{
                    "name": "p99",
                    "latency": {"of": "Response", "percentile": "99", "maxMicroseconds": LIMIT_MICROSECONDS},
                }],
            },
        })
    }

    /// In words, a line for each thing that is not the simplest.
    pub(crate) fn story(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{} dyno(s), {} target, load that {} its limit, {} s, a step of a pod takes {} ms, changes are heard of after {} ms{}",
            self.dynos,
            if self.managed {
                "a managed"
            } else {
                "an existing"
            },
            if self.truth == Truth::Holds {
                "holds"
            } else {
                "breaks"
            },
            self.duration_seconds,
            self.pace_milliseconds,
            self.lag_milliseconds,
            if self.refused {
                ", refused by the preflight"
            } else {
                ""
            },
        )];
        lines.extend(self.faults.iter().map(ToString::to_string));
        lines
    }
}
