//! The names of all keys that a run ever makes in Redis.
//!
//! Every name is a function of the plan, so that a run can be removed by enumeration ([`crate::Inventory`]): a SCAN over
//! somebody's database takes as long as the database is large, and a pattern can hit what is not
//! ours.

use redyno_contract::Plan;
use redyno_contract::plan::{DynoName, Keyspace, MixedCommand, Workload};

/// A hash: the uids of the runs that may have data in this database, with what people call them.
/// It never expires. See [`crate::leftovers`].
pub const RUNS: &str = "redyno:runs";

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

    /// What an enumeration of the run's data needs: see [`crate::Inventory`]. It never expires; it is
    /// there before the first key of data, and until the last one is gone.
    pub fn data(&self) -> String {
        self.name("data")
    }

    /// How many keys the target had evicted when the preflight saw it: where others' keys are to be
    /// spared.
    pub fn spared(&self) -> String {
        self.name("spared")
    }

    /// A hash: the dynos that were told to end before their time, and how many keys of data each
    /// removed.
    pub fn removed(&self) -> String {
        self.name("removed")
    }

    /// Which pod is this dyno.
    pub fn claim(&self, dyno: &DynoName) -> String {
        self.name(&format!("claim:{dyno}"))
    }

    /// Every coordination key with an expiry that a run of these dynos can have made.
    pub fn expiring(&self, dynos: impl Iterator<Item = DynoName>) -> Vec<String> {
        [
            self.phase(),
            self.ready(),
            self.start(),
            self.stop(),
            self.spared(),
            self.removed(),
        ]
        .into_iter()
        .chain(dynos.map(|dyno| self.claim(&dyno)))
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

/// What the names of buildings in the run with this uid begin with.
fn data_prefix(uid: &str) -> String {
    format!("{}{}:", Keyspace::DEFAULT_PREFIX, short(uid))
}

/// What the names of the run's data begin with, each once.
pub(crate) fn data_prefixes(plan: &Plan) -> Vec<String> {
    let uid = &plan.run.uid;
    let mut prefixes = vec![data_prefix(uid)];
    for dynos in &plan.formation {
        if let Workload::Commands(commands) = &dynos.workload {
            let key = keyspace_prefix(uid, &dynos.dyno_type, &commands.keyspace);
            for pattern in commands.key_patterns() {
                let (before, _) = pattern.split_once(MixedCommand::KEY).unwrap_or_default();
                let prefix = format!("{before}{key}");
                if !prefixes.contains(&prefix) {
                    prefixes.push(prefix);
                }
            }
        }
    }
    prefixes
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

/// What the names of the keyspace begin with that all dynos of a type share; a number follows.
pub fn keyspace_prefix(uid: &str, dyno_type: &str, keyspace: &Keyspace) -> String {
    prefixed(&keyspace.prefix, uid, dyno_type)
}

pub(crate) fn prefixed(prefix: &str, uid: &str, dyno_type: &str) -> String {
    // A dyno's name has a dot and a type's has none, so no worker's building is called so.
    format!("{prefix}{}:{dyno_type}:", short(uid))
}

/// The name of a key that a pattern of a mix makes of a key of the keyspace: `cache:test:building:...`
/// of `cache:{key}`.
pub fn rendered(pattern: &str, key: &str) -> String {
    pattern.replace(MixedCommand::KEY, key)
}

/// The patterns of an access rule that the target's user needs for all keys of the run, each once,
/// `redyno:*` first.
pub fn access_patterns(plan: &Plan) -> Vec<String> {
    let mut patterns = vec![format!("{COORDINATION_PREFIX}*")];
    for dynos in &plan.formation {
        let own = match &dynos.workload {
            Workload::ObjectGraph(_) => vec![format!("{}*", Keyspace::DEFAULT_PREFIX)],
            Workload::Commands(commands) => commands
                .key_patterns()
                .iter()
                .map(|pattern| access_pattern(&commands.keyspace, pattern))
                .collect(),
        };
        for pattern in own {
            if !patterns.contains(&pattern) {
                patterns.push(pattern);
            }
        }
    }
    patterns
}

/// The access rule's pattern for the keys that a pattern of a mix makes: `user:test:building:*` for
/// `user:{key}`. What differs from run to run, and what follows it, is left open.
pub fn access_pattern(keyspace: &Keyspace, pattern: &str) -> String {
    let before = pattern.split(MixedCommand::KEY).next().unwrap_or_default();
    format!("{}{}*", escaped(before), escaped(&keyspace.prefix))
}

/// Text that stands for itself in a glob of Redis. An access rule can hold no space: any one character
/// stands for it.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escape = matches!(character, '*' | '?' | '[' | ']' | '\\').then_some('\\');
            let is_space = character.is_ascii_whitespace() || matches!(character, '\u{b}' | '\0');
            let shown = if is_space { '?' } else { character };
            escape.into_iter().chain([shown])
        })
        .collect()
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
    fn access_rules_name_what_is_sent() {
        let keyspace = |prefix: &str| Keyspace {
            prefix: prefix.to_owned(),
            keys: 1,
            distribution: redyno_contract::plan::Distribution::Uniform,
        };
        for (prefix, pattern, expected) in [
            ("test:building:", "{key}", "test:building:*"),
            ("test:building:", "user:{key}", "user:test:building:*"),
            ("app:", "{key}:{key}", "app:*"),
            ("app:", "{{key}}:tag", "{app:*"),
            ("app:", "a*b?[c]:{key}", "a\\*b\\?\\[c\\]:app:*"),
        ] {
            assert_eq!(access_pattern(&keyspace(prefix), pattern), expected);
        }
        assert_eq!(rendered("a:{key}:{key}", "k7"), "a:k7:k7");
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
