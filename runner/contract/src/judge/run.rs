//! The evidence in the order of the plan, each dyno's report only if it is really its own.

use crate::histogram::Histogram;
use crate::outcome::{DynoOutcome, Evidence, Fate, RunFacts};
use crate::plan::{DynoName, DynoTypePlan, Plan};
use crate::report::{self, End, Ending, Report};

/// Everything that is known of a run.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) facts: &'a RunFacts,
    /// One per planned dyno, in the order of the plan.
    pub(super) dynos: Vec<Dyno<'a>>,
}

/// Everything that is known of one planned dyno.
pub(super) struct Dyno<'a> {
    pub(super) name: DynoName,
    pub(super) plan: &'a DynoTypePlan,
    pub(super) pod_name: Option<&'a str>,
    pub(super) node_name: Option<&'a str>,
    pub(super) fate: &'a Fate,
    pub(super) known: Known<'a>,
    pub(super) histograms: Decoded,
}

/// What a dyno says of itself.
pub(super) enum Known<'a> {
    /// Its final report.
    Complete(&'a Report, &'a End),
    /// A checkpoint.
    Partial(&'a Report),
    /// Nothing that can be used: why.
    Missing(String),
}

/// The histograms of a report that can be read.
#[derive(Default)]
pub(super) struct Decoded {
    pub(super) response: Option<Histogram>,
    pub(super) wait: Option<Histogram>,
    pub(super) service: Option<Histogram>,
    pub(super) steps: Option<Vec<Histogram>>,
}

static NEVER_SEEN: Fate = Fate::NeverSeen;

impl<'a> Run<'a> {
    pub(super) fn new(plan: &'a Plan, facts: &'a RunFacts, outcomes: &'a [DynoOutcome]) -> Self {
        let dynos = plan
            .formation
            .iter()
            .flat_map(|dynos| (0..dynos.quantity).map(move |index| (dynos, index)))
            .map(|(dynos, index)| {
                let name = DynoName {
                    dyno_type: dynos.dyno_type.clone(),
                    index,
                };
                Dyno::new(plan, dynos, name, outcomes)
            })
            .collect();
        Self { plan, facts, dynos }
    }

    /// The dynos of a type, or all.
    pub(super) fn of_type<'b>(
        &'b self,
        dyno_type: Option<&'b str>,
    ) -> impl Iterator<Item = &'b Dyno<'a>> + Clone {
        self.dynos
            .iter()
            .filter(move |dyno| dyno_type.is_none_or(|name| dyno.name.dyno_type == name))
    }

    /// Whether every dyno ran to its planned end and told so: what happened to others after that
    /// did not happen to the run.
    pub(super) fn ran_to_its_end(&self) -> bool {
        self.dynos.iter().all(Dyno::completed)
    }

    /// The dyno that samples the target.
    pub(super) fn sampler(&self) -> Option<&Dyno<'a>> {
        self.dynos.first()
    }

    /// The true start of a dyno by the clock of Redis, in microseconds since the epoch.
    fn true_start(dyno: &Dyno<'_>) -> Option<i128> {
        let start = dyno.report()?.start.as_ref()?;
        Some(i128::from(start.at_microseconds) + i128::from(start.offset_microseconds))
    }

    fn first_true_start(&self) -> Option<i128> {
        self.dynos.iter().filter_map(Self::true_start).min()
    }

    /// The common start.
    pub(super) fn start_microseconds(&self) -> Option<u64> {
        self.dynos
            .iter()
            .find_map(|dyno| Some(dyno.report()?.start.as_ref()?.at_microseconds))
    }

    /// Largest minus smallest true start; None unless every dyno told.
    pub(super) fn start_skew_microseconds(&self) -> Option<u64> {
        let starts: Option<Vec<i128>> = self.dynos.iter().map(Self::true_start).collect();
        let starts = starts?;
        let skew = starts.iter().max()? - starts.iter().min()?;
        Some(u64::try_from(skew).unwrap_or(u64::MAX))
    }

    /// A dyno's true start minus the smallest of all.
    pub(super) fn start_offset_microseconds(&self, dyno: &Dyno<'_>) -> Option<i64> {
        let offset = Self::true_start(dyno)? - self.first_true_start()?;
        Some(i64::try_from(offset).unwrap_or(i64::MAX))
    }
}

impl<'a> Dyno<'a> {
    fn new(
        plan: &'a Plan,
        dynos: &'a DynoTypePlan,
        name: DynoName,
        outcomes: &'a [DynoOutcome],
    ) -> Self {
        let mut told = outcomes.iter().filter(|outcome| outcome.dyno == name);
        let (outcome, another) = (told.next(), told.next());
        let (Some(outcome), None) = (outcome, another) else {
            let missing = if outcome.is_none() {
                "nothing was told of it"
            } else {
                "it was told of twice"
            };
            return Self {
                name,
                plan: dynos,
                pod_name: None,
                node_name: None,
                fate: &NEVER_SEEN,
                known: Known::Missing(missing.to_owned()),
                histograms: Decoded::default(),
            };
        };
        let DynoOutcome {
            dyno: _,
            pod_name,
            node_name,
            fate,
            report,
        } = outcome;
        let known = known(plan, &name, report);
        let histograms = match &known {
            Known::Complete(report, _) | Known::Partial(report) => Decoded::of(report),
            Known::Missing(_) => Decoded::default(),
        };
        Self {
            name,
            plan: dynos,
            pod_name: pod_name.as_deref(),
            node_name: node_name.as_deref(),
            fate,
            known,
            histograms,
        }
    }

    /// Its numbers, final or not.
    pub(super) const fn report(&self) -> Option<&'a Report> {
        match &self.known {
            Known::Complete(report, _) | Known::Partial(report) => Some(report),
            Known::Missing(_) => None,
        }
    }

    /// How it ended by its own word.
    pub(super) const fn end(&self) -> Option<&'a End> {
        match &self.known {
            Known::Complete(_, end) => Some(end),
            Known::Partial(_) | Known::Missing(_) => None,
        }
    }

    /// Whether its final report is there.
    pub(super) const fn complete(&self) -> bool {
        matches!(self.known, Known::Complete(..))
    }

    /// Whether it ran its whole window, by its final report.
    pub(super) fn completed(&self) -> bool {
        self.end()
            .is_some_and(|end| end.ending == Ending::Completed)
    }

    /// Whether it was told to end. Nothing after that counts as a breach, and its counts do not
    /// tell before from after.
    pub(super) fn told_to_end(&self) -> bool {
        self.end()
            .is_some_and(|end| matches!(end.ending, Ending::Stopped | Ending::Terminated))
    }

    /// Its end, if it was a limit that it found broken itself.
    pub(super) fn own_breach(&self) -> Option<&'a End> {
        self.end().filter(|end| {
            matches!(
                end.ending,
                Ending::BacklogLimit { .. }
                    | Ending::ErrorLimit { .. }
                    | Ending::LatencyLimit { .. }
            )
        })
    }
}

/// A report counts only if it is this dyno's, of this run, of a version that is read and of this
/// plan.
fn known<'a>(plan: &Plan, name: &DynoName, evidence: &'a Evidence) -> Known<'a> {
    let report = match evidence {
        Evidence::Missing { detail } => return Known::Missing(detail.clone()),
        Evidence::Complete(report) | Evidence::Partial(report) => report.as_ref(),
    };
    let limits = plan.latency_limits(&name.dyno_type).count();
    let problem = if !report::is_read(report.version) {
        Some(format!("its report is of version {}", report.version))
    } else if report.run != plan.run.uid {
        Some("its report is of another run".to_owned())
    } else if report.dyno != *name {
        Some(format!("its report is of {}", report.dyno))
    } else if report.over.len() != limits {
        Some(format!(
            "its report counts {} latency limits, the plan has {limits}",
            report.over.len()
        ))
    } else {
        None
    };
    match (problem, evidence, &report.end) {
        (Some(problem), ..) => Known::Missing(problem),
        (None, Evidence::Complete(_), Some(end)) => Known::Complete(report, end),
        (None, ..) => Known::Partial(report),
    }
}

impl Decoded {
    fn of(report: &Report) -> Self {
        let crate::report::Histograms {
            response,
            wait,
            service,
            steps,
            schedule_lag: _,
        } = &report.histograms;
        let read = |encoded: &Option<crate::EncodedHistogram>| encoded.as_ref()?.decode().ok();
        Self {
            response: read(response),
            wait: read(wait),
            service: read(service),
            steps: steps
                .as_ref()
                .and_then(|steps| steps.iter().map(|step| step.decode().ok()).collect()),
        }
    }
}
