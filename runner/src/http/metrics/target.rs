//! What the target says of itself. Only one dyno of a run asks.

use redyno_target::Info;

use super::families::{Families, number, seconds};

/// Adds what it said last; what it did not say is not there.
pub(super) fn add(families: &mut Families<'_>, info: &Info) {
    let count = |value: Option<u64>| value.map(number);
    for (name, help, value) in [
        (
            "redyno_redis_main_thread_cpu_seconds_total",
            "CPU time of the thread that executes all commands, user and system.",
            info.main_thread_cpu_microseconds.map(seconds),
        ),
        (
            "redyno_redis_commands_total",
            "Commands executed, those of other clients among them.",
            count(info.commands),
        ),
        (
            "redyno_redis_evicted_keys_total",
            "Keys thrown away for lack of memory.",
            count(info.evicted_keys),
        ),
        (
            "redyno_redis_rejected_connections_total",
            "Connections refused for maxclients.",
            count(info.rejected_connections),
        ),
    ] {
        if let Some(value) = value {
            families.counter(name, help, value);
        }
    }
    for (name, help, value) in [
        (
            "redyno_redis_memory_used_bytes",
            "Memory used.",
            info.used_memory,
        ),
        (
            "redyno_redis_memory_max_bytes",
            "maxmemory; 0 if there is none.",
            info.maxmemory,
        ),
        (
            "redyno_redis_connected_clients",
            "Connected clients, others among them.",
            info.connected_clients,
        ),
        ("redyno_redis_max_clients", "maxclients.", info.maxclients),
    ] {
        if let Some(value) = count(value) {
            families.gauge(name, help, value);
        }
    }
}
