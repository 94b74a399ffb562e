//! INFO: what runs look at of what a real server says.

use std::fmt::Write;

use super::call::Call;
use super::eviction;
use super::reply::Reply;
use super::server::Server;

/// INFO, whole or some sections of it.
pub(super) fn info(call: &mut Call<'_>) -> Reply {
    let wanted: Vec<String> = (1..call.words.len())
        .map(|at| call.option(at).to_lowercase())
        .collect();
    let whole = wanted.is_empty()
        || wanted
            .iter()
            .any(|name| ["all", "default", "everything"].contains(&name.as_str()));
    let mut text = String::new();
    for (section, fields) in sections(call.server) {
        if !(whole || wanted.contains(&section.to_lowercase())) {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        write!(text, "# {section}\r\n").expect("memory can be written to");
        for (name, value) in fields {
            if !call.server.settings.info_without.contains(&name) {
                write!(text, "{name}:{value}\r\n").expect("memory can be written to");
            }
        }
    }
    Reply::Bulk(text.into_bytes())
}

type Section = (&'static str, Vec<(String, String)>);

fn sections(server: &Server) -> Vec<Section> {
    let field = |name: &str, value: String| (name.to_owned(), value);
    let settings = &server.settings;
    let cpu = format!(
        "{}.{:06}",
        server.cpu_microseconds / 1_000_000,
        server.cpu_microseconds % 1_000_000
    );
    let used = eviction::used(server);
    vec![
        (
            "Server",
            vec![
                field("redis_version", "7.0.15".to_owned()),
                field("redis_mode", "standalone".to_owned()),
                field("run_id", server.run_id.clone()),
                field("tcp_port", "6379".to_owned()),
            ],
        ),
        (
            "Clients",
            vec![
                field("connected_clients", server.sessions.len().to_string()),
                field("maxclients", settings.maxclients.to_string()),
            ],
        ),
        (
            "Memory",
            vec![
                field("used_memory", used.to_string()),
                field("used_memory_startup", eviction::OWN_BYTES.to_string()),
                field("maxmemory", settings.maxmemory.to_string()),
                field("maxmemory_policy", settings.policy.name().to_owned()),
            ],
        ),
        (
            "Persistence",
            vec![
                field("loading", u8::from(settings.loading).to_string()),
                field("aof_enabled", "0".to_owned()),
            ],
        ),
        (
            "Stats",
            vec![
                field("total_commands_processed", server.commands.to_string()),
                field("rejected_connections", server.rejected.to_string()),
                field("evicted_keys", server.evicted.to_string()),
            ],
        ),
        (
            "Replication",
            vec![
                field(
                    "role",
                    if settings.replica { "slave" } else { "master" }.to_owned(),
                ),
                field("connected_slaves", "0".to_owned()),
            ],
        ),
        (
            "CPU",
            vec![
                field("used_cpu_sys_main_thread", "0.000000".to_owned()),
                field("used_cpu_user_main_thread", cpu),
            ],
        ),
        ("Cluster", vec![field("cluster_enabled", "0".to_owned())]),
        (
            "Keyspace",
            server
                .databases
                .iter()
                .enumerate()
                .filter(|(_, database)| !database.is_empty())
                .map(|(number, database)| {
                    field(
                        &format!("db{number}"),
                        format!(
                            "keys={},expires={},avg_ttl=0",
                            database.len(),
                            database.expiring()
                        ),
                    )
                })
                .collect(),
        ),
    ]
}
