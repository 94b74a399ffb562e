//! Making room in a full server.

use super::server::{ChangeKind, Server};

/// What is done at maxmemory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Nothing: what needs memory is refused.
    NoEviction,
    /// The key that was not used for the longest time goes.
    AllKeysLru,
    /// Any key goes.
    AllKeysRandom,
    /// Of those that expire, the one that was not used for the longest time goes.
    VolatileLru,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::NoEviction,
        Self::AllKeysLru,
        Self::AllKeysRandom,
        Self::VolatileLru,
    ];

    /// As CONFIG and INFO name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoEviction => "noeviction",
            Self::AllKeysLru => "allkeys-lru",
            Self::AllKeysRandom => "allkeys-random",
            Self::VolatileLru => "volatile-lru",
        }
    }
}

/// What the server takes for itself.
pub(super) const OWN_BYTES: u64 = 900_000;

/// What an established connection takes.
const BYTES_PER_CONNECTION: u64 = 20_000;

/// Memory in use.
pub fn used(server: &Server) -> u64 {
    let keys: usize = server.databases.iter().map(super::Database::bytes).sum();
    OWN_BYTES + server.sessions.len() as u64 * BYTES_PER_CONNECTION + keys as u64
}

/// Evicts until what is used is below the limit; whether it is still full then.
pub(super) fn make_room(server: &mut Server) -> bool {
    let limit = server.settings.maxmemory;
    while limit > 0 && used(server) > limit {
        let Some((database, key)) = victim(server) else {
            return true;
        };
        server.database(database).remove(&key);
        server.evicted += 1;
        server.lost(database, key, ChangeKind::Evicted);
    }
    false
}

fn victim(server: &Server) -> Option<(usize, Vec<u8>)> {
    let policy = server.settings.policy;
    let candidates = server
        .databases
        .iter()
        .enumerate()
        .flat_map(|(number, of)| of.keys().map(move |(key, entry)| (number, key, entry)));
    let order = |key: &[u8], used: u64| match policy {
        Policy::NoEviction => None,
        Policy::AllKeysLru | Policy::VolatileLru => Some(used),
        // Chosen by the state, so that the same run evicts the same keys.
        Policy::AllKeysRandom => Some(scrambled(key, server.evicted)),
    };
    candidates
        .filter(|(_, _, entry)| policy != Policy::VolatileLru || entry.expires.is_some())
        .filter_map(|(number, key, entry)| Some((order(key, entry.used)?, number, key)))
        .min()
        .map(|(_, number, key)| (number, key.clone()))
}

fn scrambled(key: &[u8], salt: u64) -> u64 {
    key.iter().fold(
        0xcbf2_9ce4_8422_2325 ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3),
    )
}
