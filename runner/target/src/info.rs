//! What INFO says. The server may be anything: every field may be missing, absurd or endless.

/// The fields of INFO that anybody here looks at. None where the server does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// `redis_version`.
    pub version: Option<String>,
    /// `redis_mode`: `standalone`, `cluster` or `sentinel`.
    pub mode: Option<String>,
    /// `role`: `master` or `slave`.
    pub role: Option<String>,
    /// `run_id`: another one after every restart.
    pub run_id: Option<String>,
    /// `tcp_port`.
    pub tcp_port: Option<u64>,
    /// `maxmemory` in bytes, 0 for none.
    pub maxmemory: Option<u64>,
    /// `maxmemory_policy`.
    pub policy: Option<String>,
    /// `used_memory` in bytes.
    pub used_memory: Option<u64>,
    /// `used_memory_startup` in bytes: what an empty server uses.
    pub used_memory_startup: Option<u64>,
    /// `maxclients`.
    pub maxclients: Option<u64>,
    /// `connected_clients`: all but replicas, our own included.
    pub connected_clients: Option<u64>,
    /// CPU time of the main thread in microseconds: `used_cpu_user_main_thread` and
    /// `used_cpu_sys_main_thread`; of the whole process where these are not given.
    pub main_thread_cpu_microseconds: Option<u64>,
    /// `evicted_keys`.
    pub evicted_keys: Option<u64>,
    /// `rejected_connections`.
    pub rejected_connections: Option<u64>,
    /// `connected_slaves`.
    pub connected_slaves: Option<u64>,
    /// `aof_enabled`.
    pub aof_enabled: bool,
    /// `cluster_enabled`.
    pub cluster_enabled: bool,
    /// `loading`.
    pub loading: bool,
    /// `db<number>:keys=<count>,...`: the databases that are not empty, in the server's order.
    pub databases: Vec<(u32, u64)>,
}

impl Info {
    /// Reads the reply of INFO.
    pub fn parse(text: &str) -> Self {
        unimplemented!("{}", text.len())
    }
}
