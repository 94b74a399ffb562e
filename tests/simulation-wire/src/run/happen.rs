//! Faults happen.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::{JoinSet, spawn_local};
use tokio::time::sleep;

use super::Stagecraft;
use super::dynos::Dynos;
use super::fault::{Fault, FaultKind};
use crate::model::{Policy, User};
use crate::world::{Door, Hosted, Incident};

/// What INFO can lack.
const FIELDS: &[&str] = &[
    "run_id",
    "connected_clients",
    "maxclients",
    "used_memory",
    "used_memory_startup",
    "maxmemory",
    "maxmemory_policy",
    "evicted_keys",
    "rejected_connections",
    "role",
    "redis_version",
    "redis_mode",
    "used_cpu_user_main_thread",
    "used_cpu_sys_main_thread",
    "total_commands_processed",
];

/// What can be denied or missing.
const COMMANDS: &[&str] = &[
    "config",
    "info",
    "select",
    "rename",
    "expire",
    "pttl",
    "unlink",
    "eval",
    "evalsha",
    "script",
    "flushdb",
    "flushall",
    "scan",
    "dbsize",
    "client|setname",
    "hgetall",
    "rpush",
    "time",
    "hset",
    "hlen",
    "multi",
    "get",
];

/// Lets all faults of the run happen, each in its time; ends with whoever waits for it.
///
/// One task looks at the stages for all of them: of several, nobody could say which is woken first,
/// and two faults of one moment would come in either order.
pub(super) async fn all(craft: Rc<Stagecraft>) {
    let mut stage = craft.stage.subscribe();
    let mut pending = craft.scenario.faults.clone();
    let mut under_way = JoinSet::new();
    loop {
        let now = *stage.borrow_and_update();
        let (due, later): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|fault| fault.stage <= now);
        pending = later;
        for fault in due {
            under_way.spawn_local(on_time(Rc::clone(&craft), fault));
        }
        if stage.changed().await.is_err() {
            return;
        }
    }
}

async fn on_time(craft: Rc<Stagecraft>, fault: Fault) {
    if !fault.kind.is_from_the_beginning() {
        sleep(fault.after).await;
    }
    happen(&craft, fault).await;
}

async fn happen(craft: &Rc<Stagecraft>, fault: Fault) {
    let amount = fault.amount;
    let (network, main) = (&craft.network, &craft.main);
    let duration = Duration::from_millis(amount);
    let chosen = |from: &[&str]| {
        let place = usize::try_from(amount).unwrap_or(0) % from.len();
        from[place].to_owned()
    };
    match fault.kind {
        FaultKind::None
        | FaultKind::OutputUnread
        | FaultKind::DynoLate
        | FaultKind::PreflightDoubled => {}
        FaultKind::ConnectionsBreak => network.break_all(),
        FaultKind::ConnectionsRefused => {
            network.set_door(Door::Shut);
            network.break_all();
            sleep(duration).await;
            network.set_door(Door::Open);
        }
        FaultKind::ConnectionsUnanswered => {
            network.set_door(Door::Silent);
            sleep(duration).await;
            network.set_door(Door::Open);
        }
        FaultKind::NameGone => {
            network.set_resolves(false);
            network.break_all();
            sleep(duration).await;
            network.set_resolves(true);
        }
        FaultKind::ConnectionsFallSilent => network.hush_all(),
        FaultKind::CutAnywhere => {
            craft
                .climate
                .cut(u32::try_from(20 * amount).unwrap_or(u32::MAX));
        }
        FaultKind::BadWeather => {
            let pieces = usize::try_from(amount % 20).unwrap_or(1) + 1;
            craft
                .climate
                .turn_bad(pieces, Duration::from_millis(amount % 50));
        }
        FaultKind::Moved | FaultKind::MovedForNewcomers => {
            spawn_local(Rc::clone(&craft.other).serve(network.clone()));
            if fault.kind == FaultKind::Moved {
                tokio::task::yield_now().await;
                network.break_all();
            }
        }
        FaultKind::IdleClosed => main.close_idle(Duration::from_millis(100 + amount)),
        FaultKind::Slow => {
            let times = u32::try_from(amount / 10).unwrap_or(u32::MAX);
            main.meet(&Incident::Slows(times), network).await;
        }
        FaultKind::Stalled => main.meet(&Incident::Stalls(duration), network).await,
        FaultKind::Full => main.meet(&Incident::IsLimited(10 * amount), network).await,
        FaultKind::Evicting => {
            main.server_mut().settings.policy = Policy::ALL[1 + usize::from(amount % 2 == 1)];
            main.meet(&Incident::IsLimited(10 * amount), network).await;
        }
        FaultKind::Restarted => restart(main, craft, duration, Duration::ZERO).await,
        FaultKind::RestartedLoading => {
            restart(main, craft, Duration::from_millis(50), duration).await;
        }
        FaultKind::Flushed => main.meet(&Incident::IsFlushed, network).await,
        FaultKind::BecomesReplica => main.meet(&Incident::BecomesReplica, network).await,
        FaultKind::ThinInfo => {
            main.server_mut().settings.info_without = if amount % 7 == 6 {
                FIELDS.iter().map(|field| (*field).to_owned()).collect()
            } else {
                vec![chosen(FIELDS)]
            };
        }
        FaultKind::CommandDenied => {
            let mut server = main.server_mut();
            server.settings.users = vec![User {
                denied: [chosen(COMMANDS)].into(),
                ..User::anybody()
            }];
        }
        FaultKind::CommandMissing => main.server_mut().settings.without = vec![chosen(COMMANDS)],
        FaultKind::ForeignKeys | FaultKind::DisposableKeys => foreign_keys(craft, fault),
        FaultKind::ForeignClient => {
            // It stays as long as the server does.
            drop(main.server_mut().connect());
        }
        FaultKind::ForeignWrites => {
            for _ in 0..10 + amount / 100 {
                main.meet(&Incident::OthersWrite(3), network).await;
                sleep(Duration::from_millis(100)).await;
            }
        }
        FaultKind::FewConnections => {
            let few = usize::try_from(amount % 20).unwrap_or(0) + 1;
            main.server_mut().settings.maxclients = few;
        }
        FaultKind::Locked => {
            let lifetime = (1 + amount % 100).to_string();
            main.say(&["SET", redyno_target::keys::LOCK, OTHER_RUN, "EX", &lifetime]);
        }
        FaultKind::DynoKilled => craft.dynos.kill(craft, amount),
        FaultKind::DynoTerminated => craft.dynos.terminate(amount),
        FaultKind::AllTerminated => craft.dynos.terminate_all(),
        FaultKind::RecordUnwritable => craft.dynos.break_record(amount),
        FaultKind::DynoDoubled => Dynos::double(Rc::clone(craft)).await,
    }
}

/// What another run's lock holds.
pub const OTHER_RUN: &str = "team/other 77777777";

async fn restart(main: &Rc<Hosted>, craft: &Rc<Stagecraft>, down: Duration, loads: Duration) {
    main.meet(&Incident::Restarts { down, loads }, &craft.network)
        .await;
}

fn foreign_keys(craft: &Rc<Stagecraft>, fault: Fault) {
    let mut server = craft.main.server_mut();
    let now = craft.main.now();
    let Ok(id) = server.connect() else { return };
    let mut say = |words: &[&str]| {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        server.command(id, &words, now);
    };
    let databases = [craft.scenario.database, 0, 5];
    for database in &databases[..=(usize::from(fault.amount % 2 == 1) * 2)] {
        say(&["SELECT", &database.to_string()]);
        for number in 0..=fault.amount % 20 {
            say(&["SET", &format!("customer:{number}"), "precious"]);
        }
        if fault.kind == FaultKind::DisposableKeys {
            say(&["SET", redyno_target::keys::DISPOSABLE, "1"]);
        }
    }
    server.disconnect(id);
}
