//! What a run writes into a Redis, in as few words as an enumeration of its keys needs.
//!
//! Data keys have no time to live: every plain SET of a task would drop it, and under a policy that
//! evicts what expires the data would be the first to go. Instead the inventory is kept beside them,
//! in a key of its own that does not expire either, so that whoever comes after a run that was
//! killed can name all of its keys without looking through somebody's database.

use redyno_contract::Plan;
use redyno_contract::plan::{DynoName, DynoTypePlan, MOST_DYNOS, MixedCommand, Workload};
use serde::{Deserialize, Serialize};

use crate::keys::{self, BuildingKeys};

/// The version that this code writes and the only one it reads.
const VERSION: u32 = 1;

/// The longest inventory that is read, in bytes: a LoadTest of the largest mixes has less.
const LONGEST: usize = 2 * 1024 * 1024;

/// Everything that the names of a run's data are a function of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inventory {
    version: u32,
    /// The run's uid. Not in the document: it is in the name of the key that holds it.
    #[serde(skip)]
    uid: String,
    /// `namespace/name`.
    name: String,
    seed: u64,
    types: Vec<TypeInventory>,
}

/// The data of one type of dynos.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TypeInventory {
    #[serde(rename = "type")]
    dyno_type: String,
    quantity: u32,
    workers: u32,
    data: Data,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
enum Data {
    /// A building per worker, of at most so many flats.
    Buildings { flats: u32 },
    /// A keyspace of so many keys for all dynos of the type, each in every pattern.
    Keyspace {
        prefix: String,
        keys: u32,
        patterns: Vec<String>,
    },
}

/// A document that is no inventory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoInventory(String);

impl Inventory {
    /// Of a run.
    pub fn of(plan: &Plan) -> Self {
        let run = &plan.run;
        Self {
            version: VERSION,
            uid: run.uid.clone(),
            name: format!("{}/{}", run.namespace, run.name),
            seed: plan.seed,
            types: plan.formation.iter().map(TypeInventory::of).collect(),
        }
    }

    /// As it is kept.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads one that was found in the key of the run with this uid. It may have been written by
    /// anybody: whatever it says, every name that it leads to contains a part of the uid, a type and
    /// a number, as only names of a run do.
    ///
    /// # Errors
    /// [`NoInventory`] says what is wrong with it.
    pub fn from_json(uid: &str, json: &[u8]) -> Result<Self, NoInventory> {
        let fail = |why: &str| Err(NoInventory(why.to_owned()));
        if uid.len() < 8
            || !uid
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return fail("no run has such a uid");
        }
        if json.len() > LONGEST {
            return fail("it is longer than that of any run");
        }
        let inventory: Self =
            serde_json::from_slice(json).map_err(|error| NoInventory(error.to_string()))?;
        let Self {
            version,
            uid: _,
            name: _,
            seed: _,
            types,
        } = &inventory;
        if *version != VERSION {
            return Err(NoInventory(format!(
                "it is of version {version}, this redyno reads {VERSION}"
            )));
        }
        let dynos: u64 = types.iter().map(|own| u64::from(own.quantity)).sum();
        if dynos > MOST_DYNOS {
            return fail("it has more dynos than any run");
        }
        for own in types {
            if !own
                .dyno_type
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
                || own.dyno_type.is_empty()
            {
                return fail("it names a type that no dynos can have");
            }
            if let Data::Keyspace { patterns, .. } = &own.data
                && !patterns
                    .iter()
                    .all(|pattern| pattern.contains(MixedCommand::KEY))
            {
                return fail("it names a key that is not of a keyspace");
            }
        }
        Ok(Self {
            uid: uid.to_owned(),
            ..inventory
        })
    }

    /// The run's uid.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// `namespace/name` of the run.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Every dyno of the run.
    pub fn dynos(&self) -> impl Iterator<Item = DynoName> + '_ {
        self.types.iter().flat_map(TypeInventory::dynos)
    }

    /// Every key of data that the run can have made, each once.
    pub fn keys(&self) -> impl Iterator<Item = String> + '_ {
        self.types.iter().flat_map(move |own| {
            own.dynos()
                .flat_map(move |dyno| own.buildings(self, dyno))
                .chain(own.keyspace(self, 0, 1, 1))
        })
    }

    /// The part of [`Self::keys`] that is one dyno's: its own buildings, and of what all dynos of the
    /// type share the keys that its workers fill before the start.
    pub fn part_of(&self, dyno: &DynoName) -> impl Iterator<Item = String> + '_ {
        let dyno = dyno.clone();
        self.types
            .iter()
            .filter({
                let dyno_type = dyno.dyno_type.clone();
                move |own| own.dyno_type == dyno_type
            })
            .flat_map(move |own| {
                own.buildings(self, dyno.clone()).chain(own.keyspace(
                    self,
                    dyno.index,
                    own.quantity,
                    own.workers,
                ))
            })
    }
}

impl TypeInventory {
    fn of(dynos: &DynoTypePlan) -> Self {
        Self {
            dyno_type: dynos.dyno_type.clone(),
            quantity: dynos.quantity,
            workers: dynos.workers,
            data: match &dynos.workload {
                Workload::ObjectGraph(graph) => Data::Buildings {
                    flats: graph.max_flats,
                },
                Workload::Commands(commands) => Data::Keyspace {
                    prefix: commands.keyspace.prefix.clone(),
                    keys: commands.keyspace.keys,
                    patterns: commands
                        .key_patterns()
                        .into_iter()
                        .map(str::to_owned)
                        .collect(),
                },
            },
        }
    }

    fn dynos(&self) -> impl Iterator<Item = DynoName> + '_ {
        (0..self.quantity).map(|index| DynoName {
            dyno_type: self.dyno_type.clone(),
            index,
        })
    }

    /// The keys of a dyno's buildings, in the order in which they are best removed: the mail before
    /// the building.
    fn buildings<'a>(
        &'a self,
        inventory: &'a Inventory,
        dyno: DynoName,
    ) -> impl Iterator<Item = String> + 'a {
        let flats = match self.data {
            Data::Buildings { flats } => Some(flats),
            Data::Keyspace { .. } => None,
        };
        let workers = flats.map_or(0, |_| self.workers);
        (0..workers).flat_map(move |worker| {
            let keys = BuildingKeys::new(&inventory.uid, &dyno, worker);
            let own = [keys.flats(), keys.root().to_owned()];
            let dyno = dyno.clone();
            (0..flats.unwrap_or(0))
                .map(move |position| {
                    keys.mail(&keys::flat_id(inventory.seed, &dyno, worker, position))
                })
                .chain(own)
        })
    }

    /// The keys of the keyspace, in all of its patterns, that this one of so many dynos of so many
    /// workers each fills: see [`KeyspacePart`].
    fn keyspace<'a>(
        &'a self,
        inventory: &'a Inventory,
        index: u32,
        quantity: u32,
        workers: u32,
    ) -> impl Iterator<Item = String> + 'a {
        let (before, count, patterns) = match &self.data {
            Data::Buildings { .. } => (String::new(), 0, &[][..]),
            Data::Keyspace {
                prefix,
                keys,
                patterns,
            } => (
                keys::prefixed(prefix, &inventory.uid, &self.dyno_type),
                *keys,
                patterns.as_slice(),
            ),
        };
        (0..workers)
            .flat_map(move |worker| {
                let part = KeyspacePart {
                    index,
                    quantity,
                    worker,
                    workers,
                };
                part.numbers(count)
            })
            .flat_map(move |number| {
                let key = format!("{before}{number}");
                patterns
                    .iter()
                    .map(move |pattern| keys::rendered(pattern, &key))
            })
    }
}

/// Which worker of which dyno of a type somebody is, and so which part of a keyspace it fills before
/// the start: all workers of all dynos of the type fill all of it together.
#[derive(Clone, Copy, Debug)]
pub struct KeyspacePart {
    /// The dyno, from 0.
    pub index: u32,
    /// Dynos of the type.
    pub quantity: u32,
    /// The worker, from 0.
    pub worker: u32,
    /// Workers of each dyno.
    pub workers: u32,
}

impl KeyspacePart {
    /// The numbers of its keys, of a keyspace of so many.
    pub fn numbers(self, count: u32) -> impl ExactSizeIterator<Item = u32> {
        let Self {
            index,
            quantity,
            worker,
            workers,
        } = self;
        let first = index.saturating_mul(workers).saturating_add(worker);
        let every = quantity.saturating_mul(workers).max(1);
        (first..count).step_by(every as usize)
    }
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
