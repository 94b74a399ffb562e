//! The entries of the catalogue.

/// A size of a dyno.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    /// Its name, `performance-2xl`.
    pub name: String,
    /// CPU request, in thousandths of a core.
    pub cpu_request_millis: u32,
    /// CPU limit, in thousandths of a core; above the request where the size shares its cores.
    pub cpu_limit_millis: u32,
    /// Memory, request and limit alike, in bytes.
    pub memory_bytes: u64,
    /// Most processes and threads; None where none is known.
    pub process_limit: Option<u32>,
    /// Workers if the LoadTest names none: the platform's WEB_CONCURRENCY for Node.
    pub default_workers: u32,
}

/// A plan of a managed Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisPlan {
    /// Its name, `premium-14`.
    pub name: String,
    /// Its maxmemory, in bytes.
    pub memory_bytes: u64,
    /// Its maxclients.
    pub connections: u32,
    /// Its CPU, in thousandths of a core.
    pub cpu_millis: u32,
}
