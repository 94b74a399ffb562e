//! The modelled Redis: one queue, one thread.

use std::fmt::Write as _;

use redyno_contract::failure::FailureClass;

use super::fault::Kind;
use super::time::{Frozen, MILLISECOND, NEVER, SECOND, Time};
use super::world::World;

/// What the server's memory is full at, and what it uses of it before.
const MAXMEMORY: u64 = 100 << 20;

/// The modelled Redis.
#[derive(Debug)]
pub(super) struct Server {
    frozen: Frozen,
    /// When everything that has arrived is done.
    busy_until: Time,
    /// CPU time of everything that has arrived.
    enqueued: Time,
    commands: u64,
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// When the server has it; [`NEVER`] if it never does.
    pub(super) at: Time,
    pub(super) refused: Option<FailureClass>,
}

impl Server {
    pub(super) fn new(world: &World) -> Self {
        Self {
            frozen: world.frozen_redis(),
            busy_until: 0,
            enqueued: 0,
            commands: 0,
        }
    }

    /// A command arrives that costs so much.
    pub(super) fn serve(&mut self, world: &World, now: Time, demand: Time, write: bool) -> Answer {
        let begins = self.frozen.available(now.max(self.busy_until));
        let demand = demand * world.slowness(begins) / 1000;
        let at = self.frozen.run(begins, demand);
        self.busy_until = at;
        self.enqueued += demand;
        self.commands += 1;
        let refused = world.faults.iter().find_map(|fault| match fault.kind {
            Kind::Refusals(class) if fault.holds(at) => {
                (write || class == FailureClass::Loading).then_some(class)
            }
            Kind::MemoryFull if fault.holds(at) && write => Some(FailureClass::OutOfMemory),
            _ => None,
        });
        Answer { at, refused }
    }

    /// It was restarted: nothing waits any more.
    pub(super) fn restart(&mut self, now: Time) {
        self.busy_until = now;
        self.enqueued = 0;
    }

    /// CPU time used so far.
    fn used(&self, now: Time) -> Time {
        let left = self.frozen.worked(now, self.busy_until.max(now));
        self.enqueued.saturating_sub(left)
    }

    /// What INFO says, without the fields that this server does not have.
    pub(super) fn info(&self, world: &World, now: Time) -> String {
        let used = self.used(now) / 1000;
        let full = world
            .faults
            .iter()
            .any(|fault| fault.kind == Kind::MemoryFull && fault.holds(now));
        let memory = if full {
            MAXMEMORY
        } else {
            MAXMEMORY / 10 + self.commands * 100
        };
        let seconds = |microseconds: u64| {
            format!(
                "{}.{:06}",
                microseconds / 1_000_000,
                microseconds % 1_000_000
            )
        };
        let fields = [
            ("redis_version", "7.0.15".to_owned()),
            ("used_cpu_user_main_thread", seconds(used)),
            ("used_cpu_sys_main_thread", seconds(0)),
            ("used_cpu_user", seconds(used)),
            ("used_cpu_sys", seconds(0)),
            ("used_memory", memory.to_string()),
            ("maxmemory", MAXMEMORY.to_string()),
            ("maxmemory_policy", "noeviction".to_owned()),
            ("evicted_keys", "0".to_owned()),
            ("rejected_connections", "0".to_owned()),
            ("connected_clients", "10".to_owned()),
            ("run_id", format!("{:040x}", world.run_id(now) + 1)),
        ];
        let mut text = String::new();
        for (position, (name, value)) in fields.into_iter().enumerate() {
            if world.redis.hidden_fields & (1 << position) == 0 {
                writeln!(text, "{name}:{value}\r").expect("a string takes all");
            }
        }
        text
    }

    /// How long its thread had nothing to do, or could not do it, of the last of a time: for the
    /// story.
    pub(super) fn busy_share(&self, until: Time) -> u64 {
        (self.used(until) * 1000)
            .checked_div(until)
            .unwrap_or_default()
    }
}

/// What a connection costs to make, beside its round trips.
pub(super) const CONNECT: Time = 100_000;

/// How long an attempt to connect to a server that does not answer takes.
pub(super) const CONNECT_TIMEOUT: Time = 3 * SECOND;

/// How long a worker waits before it connects anew, at first and at most.
pub(super) const FIRST_BACKOFF: Time = 50 * MILLISECOND;
pub(super) const LONGEST_BACKOFF: Time = SECOND;

/// Whether a server that hangs would answer at all from this time on.
pub(super) fn hangs(world: &World, at: Time) -> bool {
    world
        .faults
        .iter()
        .any(|fault| fault.kind == Kind::RedisHangs && fault.at <= at && at < NEVER)
}
