//! The names of all keys that a run ever makes in Redis.
//!
//! Every name is a function of the plan, so that a run can be removed by enumeration: a SCAN over
//! somebody's database takes as long as the database is large, and a pattern can hit what is not
//! ours.

use redyno_contract::Plan;
use redyno_contract::plan::{Commands, DynoName, DynoTypePlan, Keyspace, Workload};

/// The lock: one run at a time on one server. In database 0 whatever the URL says.
pub const LOCK: &str = "redyno:lock";

/// Whoever sets this key says that the database may be wiped.
pub const DISPOSABLE: &str = "redyno:disposable";

/// The prefix of everything that is not data.
pub const COORDINATION_PREFIX: &str = "redyno:";

/// A type name that no LoadTest can have, for what the preflight tries out.
const PREFLIGHT_TYPE: &str = "preflight";

/// The coordination keys of one run. The braces keep them in one slot, should it ever matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunKeys {
    uid: String,
}

impl RunKeys {
    /// The keys of the run with this `metadata.uid`.
    pub fn new(uid: &str) -> Self {
        Self {
            uid: uid.to_owned(),
        }
    }

    /// Set by the preflight; as long as it is there, this is the Redis that the preflight saw.
    pub fn phase(&self) -> String {
        self.name("phase")
    }

    /// A hash: the ready dynos and their pods.
    pub fn ready(&self) -> String {
        self.name("ready")
    }

    /// The common start, in microseconds since the epoch by the clock of Redis.
    pub fn start(&self) -> String {
        self.name("start")
    }

    /// Set when the run is to end early: by whom and why.
    pub fn stop(&self) -> String {
        self.name("stop")
    }

    /// Which pod is this dyno.
    pub fn claim(&self, dyno: &DynoName) -> String {
        self.name(&format!("claim:{dyno}"))
    }

    /// Every coordination key that this run can have made, the lock excepted.
    pub fn all(&self, plan: &Plan) -> Vec<String> {
        [self.phase(), self.ready(), self.start(), self.stop()]
            .into_iter()
            .chain(plan.dynos().map(|dyno| self.claim(&dyno)))
            .collect()
    }

    fn name(&self, what: &str) -> String {
        let Self { uid } = self;
        format!("{COORDINATION_PREFIX}{{{uid}}}:{what}")
    }
}

/// The data of one worker: a building, its flats, and a list of mail for each flat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildingKeys {
    root: String,
}

impl BuildingKeys {
    /// The building of a worker, counted from 0, in the run with this uid.
    pub fn new(uid: &str, dyno: &DynoName, worker: u32) -> Self {
        Self {
            root: format!("{}{dyno}:{worker}", data_prefix(uid)),
        }
    }

    /// The building itself, a string.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The identity of the building, as it stands inside the building's own document.
    pub fn id(&self) -> &str {
        self.root.strip_prefix("test:building:").unwrap_or_default()
    }

    /// Its flats, a hash.
    pub fn flats(&self) -> String {
        format!("{}:flats", self.root)
    }

    /// The mail of one flat, a list.
    pub fn mail(&self, flat_id: &str) -> String {
        format!("{}:flats:{flat_id}:mail", self.root)
    }
}

/// What the names of all data of the run with this uid begin with.
pub fn data_prefix(uid: &str) -> String {
    format!("{}{}:", Keyspace::DEFAULT_PREFIX, short(uid))
}

/// The part of a run's uid that names its data.
fn short(uid: &str) -> &str {
    // A uid is ASCII, checked with the plan; a shorter one would be taken whole.
    uid.get(..8).unwrap_or(uid)
}

/// Twelve hexadecimal digits that name a flat: a function of where the flat is, so that the
/// list of its mail can be found again by whoever removes it. Two positions of one worker never
/// have the same.
pub fn flat_id(seed: u64, dyno: &DynoName, worker: u32, position: u32) -> String {
    let DynoName { dyno_type, index } = dyno;
    let mut hash = Fnv1a::new();
    hash.add(&seed.to_le_bytes());
    hash.add(&index.to_le_bytes());
    hash.add(&worker.to_le_bytes());
    hash.add(dyno_type.as_bytes());
    let place = (hash.0 ^ (hash.0 >> 48)).wrapping_add(u64::from(position)) & MASK_48;
    format!("{:012x}", scramble_48(place))
}

/// Every key that a worker alone can have made, in the order in which it is best removed: the mail
/// before the building. None if the plan has no such type, or one whose keys are shared.
pub fn data_keys<'a>(
    plan: &'a Plan,
    dyno: &'a DynoName,
    worker: u32,
) -> impl Iterator<Item = String> + 'a {
    let keys = BuildingKeys::new(&plan.run.uid, dyno, worker);
    let flats = plan
        .dyno_type(&dyno.dyno_type)
        .and_then(|dynos| match &dynos.workload {
            Workload::ObjectGraph(graph) => Some(graph.max_flats),
            // Its keys belong to all dynos of the type together.
            Workload::Commands(_) => None,
        });
    let own = flats
        .is_some()
        .then(|| [keys.flats(), keys.root().to_owned()]);
    (0..flats.unwrap_or(0))
        .map(move |position| keys.mail(&flat_id(plan.seed, dyno, worker, position)))
        .chain(own.into_iter().flatten())
}

/// What the names of the keyspace begin with that all dynos of a type share; a number follows.
pub fn keyspace_prefix(uid: &str, dyno_type: &str, keyspace: &Keyspace) -> String {
    // A dyno's name has a dot and a type's has none, so no worker's building is called so.
    format!("{}{}:{dyno_type}:", keyspace.prefix, short(uid))
}

/// Every key of the keyspace that all dynos of a type share; none if they share none.
pub fn shared_keys<'a>(
    plan: &'a Plan,
    dynos: &'a DynoTypePlan,
) -> impl Iterator<Item = String> + 'a {
    let (count, prefix) = match &dynos.workload {
        Workload::ObjectGraph(_) => (0, String::new()),
        Workload::Commands(Commands { keyspace, .. }) => (
            keyspace.keys,
            keyspace_prefix(&plan.run.uid, &dynos.dyno_type, keyspace),
        ),
    };
    (0..count).map(move |number| format!("{prefix}{number}"))
}

/// Every data key that the run can have made.
pub fn all_data_keys(plan: &Plan) -> impl Iterator<Item = String> + '_ {
    plan.formation.iter().flat_map(move |dynos| {
        (0..dynos.quantity)
            .flat_map(move |index| {
                (0..dynos.workers).flat_map(move |worker| {
                    let dyno = DynoName {
                        dyno_type: dynos.dyno_type.clone(),
                        index,
                    };
                    data_keys(plan, &dyno, worker).collect::<Vec<_>>()
                })
            })
            .chain(shared_keys(plan, dynos))
    })
}

/// The dyno whose names the preflight may use to try commands on: none of a run has this type.
pub(crate) fn rehearsal() -> DynoName {
    DynoName {
        dyno_type: PREFLIGHT_TYPE.to_owned(),
        index: 0,
    }
}

const MASK_48: u64 = (1 << 48) - 1;

/// A bijection of 48-bit numbers: each step can be undone (an odd factor modulo a power of two,
/// a shifted exclusive or), so different places never get the same name.
const fn scramble_48(place: u64) -> u64 {
    let mut value = place & MASK_48;
    value ^= value >> 25;
    value = value.wrapping_mul(0x9e37_79b9_7f4a_7c15) & MASK_48;
    value ^= value >> 23;
    value = value.wrapping_mul(0xd6e8_feb8_6659_fd93) & MASK_48;
    value ^ (value >> 25)
}

/// The 64-bit FNV-1a hash (RFC 9923): the same on every machine and in every release, as the
/// names must be.
struct Fnv1a(u64);

impl Fnv1a {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn web(index: u32) -> DynoName {
        DynoName {
            dyno_type: "web".to_owned(),
            index,
        }
    }

    #[test]
    fn names_are_as_documented() {
        let keys = RunKeys::new("0d3b9c1e-3c44-4f7e-9b39-2b8a2c0a7a51");
        let uid = "0d3b9c1e-3c44-4f7e-9b39-2b8a2c0a7a51";
        assert_eq!(keys.phase(), format!("redyno:{{{uid}}}:phase"));
        assert_eq!(keys.claim(&web(1)), format!("redyno:{{{uid}}}:claim:web.2"));
        let building = BuildingKeys::new(uid, &web(0), 62);
        assert_eq!(building.root(), "test:building:0d3b9c1e:web.1:62");
        assert_eq!(building.id(), "0d3b9c1e:web.1:62");
        assert_eq!(building.flats(), "test:building:0d3b9c1e:web.1:62:flats");
        assert_eq!(
            building.mail("c62ddfebd863"),
            "test:building:0d3b9c1e:web.1:62:flats:c62ddfebd863:mail"
        );
    }

    #[test]
    fn flat_ids_never_change() {
        // Data of an older release must still be found by the one that removes it.
        assert_eq!(flat_id(1, &web(0), 0, 0), "b682dcd711d8");
        assert_eq!(flat_id(1, &web(1), 62, 99), "ed2ac17412a2");
    }

    #[test]
    fn flat_ids_of_a_large_run_are_all_different_within_a_worker() {
        for worker in [0, 499] {
            let ids: HashSet<String> = (0..100_000)
                .map(|position| flat_id(1, &web(99), worker, position))
                .collect();
            assert_eq!(ids.len(), 100_000);
        }
    }

    proptest! {
        #[test]
        fn flat_ids_are_twelve_hexadecimal_digits(
            seed: u64, index: u32, worker: u32, position: u32,
        ) {
            let id = flat_id(seed, &web(index), worker, position);
            prop_assert_eq!(id.len(), 12);
            prop_assert!(id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        }

        #[test]
        fn the_scramble_is_injective(left in 0..=MASK_48, right in 0..=MASK_48) {
            prop_assert_eq!(scramble_48(left) == scramble_48(right), left == right);
        }
    }
}
