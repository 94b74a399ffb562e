//! A whole run: preflight, dynos, finish and judge, on paused time.

mod dynos;
mod fault;
mod happen;
mod record;
mod scenario;
mod weather;

use std::rc::Rc;
use std::time::Duration;

use redyno_contract::message::PreflightResult;
use redyno_contract::outcome::{DynoOutcome, RunFacts};
use redyno_contract::plan::{TargetKind, TlsVerification};
use redyno_contract::{FinishReport, Judgement, PreflightReport, judge};
use redyno_target::Target;
use redyno_test_redis::Folder;
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, timeout};

use crate::model::Settings;
use crate::world::{Host, Hosted, Network};
use dynos::Dynos;
pub use dynos::{Ended, is_a_pod_of_a_dyno};
pub use fault::{Fault, FaultKind, Stage};
pub use happen::OTHER_RUN;
pub use scenario::{HOST, Scenario, UID};
use weather::Climate;

/// When the world begins, by every clock in it.
pub const EPOCH: u64 = 1_700_000_000_000_000;

/// The finish takes no longer, by its contract.
const FINISH_WITHIN: Duration = Duration::from_mins(1);

/// What everything in a run works on.
pub struct Stagecraft {
    /// What the run is.
    pub scenario: Scenario,
    /// The network.
    pub network: Network,
    /// The host of the target.
    pub main: Rc<Hosted>,
    /// The host that the target's name may lead to later.
    pub other: Rc<Hosted>,
    climate: Climate,
    stage: watch::Sender<Stage>,
    dynos: Dynos,
    folder: Folder,
}

impl Stagecraft {
    /// The target as one host of the network sees it.
    fn target(&self, host: Host) -> Target {
        Target::from_directory(
            self.folder.path(),
            TlsVerification::VerifyFull,
            self.network.of(host),
        )
        .expect("the URL is one")
    }
}

/// What there is to see when a run has ended.
pub struct Seen {
    /// What the preflight said; None if it was ended from outside.
    pub preflight: Option<PreflightReport>,
    /// The dynos; none if the preflight refused.
    pub dynos: Vec<Ended>,
    /// What the finish said; None where there is none, or if it took too long.
    pub finish: Option<FinishReport>,
    /// Whether there is a finish.
    pub wants_finish: bool,
    /// How long the finish took.
    pub finish_took: Duration,
    /// The verdict, if dynos were ever asked for.
    pub judgement: Option<Judgement>,
    /// The host of the target.
    pub main: Rc<Hosted>,
    /// The host that the target's name may have led to later.
    pub other: Rc<Hosted>,
    /// What stood in the target before the finish.
    pub before_finish: Vec<crate::model::Database>,
}

/// Carries out a run.
pub fn carry_out(scenario: &Scenario) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let local = LocalSet::new();
    local.block_on(&runtime, turn(scenario.clone()))
}

async fn turn(scenario: Scenario) -> Seen {
    let climate = Climate::new(scenario.delay);
    let network = Network::new(climate.forecast(scenario.seed));
    let url = format!("redis://{HOST}:6379/{}", scenario.database);
    let (stage, _) = watch::channel(Stage::Preflight);
    let craft = Rc::new(Stagecraft {
        dynos: Dynos::of(&scenario.plan),
        main: Hosted::new(Settings::default(), "main", EPOCH),
        other: Hosted::new(Settings::default(), "other", EPOCH + 5_000_000),
        folder: Folder::with(&[("url", url.as_bytes())]).expect("a folder"),
        climate,
        stage,
        network: network.clone(),
        scenario,
    });
    spawn_local(Rc::clone(&craft.main).serve(network));
    // The server listens before anybody comes.
    tokio::task::yield_now().await;
    let faults = spawn_local(happen::all(Rc::clone(&craft)));
    // Those from the beginning are there before anybody comes: they are started, and then happen.
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    let seen = part_by_part(&craft).await;
    faults.abort();
    seen
}

async fn part_by_part(craft: &Rc<Stagecraft>) -> Seen {
    let plan = &craft.scenario.plan;
    let wants_finish = matches!(plan.target.kind, TargetKind::Existing { .. });
    let preflight = preflight(craft).await;
    let passed = preflight
        .as_ref()
        .is_some_and(|report| report.result == PreflightResult::Passed);
    let dynos = if passed {
        craft.stage.send_replace(Stage::GettingReady);
        craft.dynos.live(craft).await
    } else {
        Vec::new()
    };
    let judgement = passed.then(|| {
        let outcomes: Vec<DynoOutcome> = dynos.iter().map(Ended::outcome).collect();
        judge(plan, &RunFacts::default(), &outcomes)
    });
    let before_finish = craft.main.server().databases.clone();
    craft.stage.send_replace(Stage::Finish);
    let begun = Instant::now();
    let finish = if wants_finish {
        let target = craft.target(Host(1));
        timeout(FINISH_WITHIN, redyno_target::finish::run(plan, &target))
            .await
            .ok()
    } else {
        None
    };
    Seen {
        preflight,
        dynos,
        finish,
        wants_finish,
        finish_took: begun.elapsed(),
        judgement,
        main: Rc::clone(&craft.main),
        other: Rc::clone(&craft.other),
        before_finish,
    }
}

/// As the command line does it: it is ended if it takes longer than the dynos may.
async fn preflight(craft: &Rc<Stagecraft>) -> Option<PreflightReport> {
    let plan = &craft.scenario.plan;
    let longest = Duration::from_secs(plan.start_timeout_seconds.into());
    let target = craft.target(Host(0));
    let doubled = craft
        .scenario
        .faults
        .iter()
        .find(|fault| fault.kind == FaultKind::PreflightDoubled)
        .map(|fault| {
            let (plan, target) = (plan.clone(), craft.target(Host(2)));
            let after = Duration::from_millis(fault.amount % 100);
            spawn_local(async move {
                tokio::time::sleep(after).await;
                redyno_target::preflight::run(&plan, &target, "preflight-b").await
            })
        });
    let report = timeout(
        longest,
        redyno_target::preflight::run(plan, &target, "preflight-a"),
    )
    .await
    .ok();
    if report.is_none() {
        craft.network.cut_off(Host(0));
    }
    if let Some(doubled) = doubled {
        // The operator takes whichever pod's word; the other is over by then.
        doubled.abort();
        craft.network.cut_off(Host(2));
    }
    report
}
