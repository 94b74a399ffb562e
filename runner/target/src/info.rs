//! What INFO says. The server may be anything: every field may be missing, absurd or endless.

use redis::RedisResult;

use crate::connect::Connection;

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
    /// `total_commands_processed`.
    pub commands: Option<u64>,
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

/// Longer than any INFO: what follows is not looked at.
const LONGEST: usize = 1024 * 1024;

/// Longer than any text in INFO that is of interest: it goes into reports of limited size.
const LONGEST_TEXT: usize = 64;

/// No more databases than this are remembered; servers have 16 unless configured otherwise.
const MOST_DATABASES: usize = 16 * 1024;

impl Info {
    /// Asks for INFO and reads it.
    ///
    /// # Errors
    /// What the server answered, or how the connection failed.
    pub async fn read(connection: &mut Connection) -> RedisResult<Self> {
        let text: Vec<u8> = redis::cmd("INFO").query_async(connection).await?;
        Ok(Self::parse(&text))
    }

    /// Reads the reply of INFO.
    pub fn parse(reply: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&reply[..reply.len().min(LONGEST)]);
        let mut info = Self::default();
        let mut cpu = Cpu::default();
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name {
                "redis_version" => info.version = words(value),
                "redis_mode" => info.mode = words(value),
                "role" => info.role = words(value),
                "run_id" => info.run_id = words(value),
                "tcp_port" => info.tcp_port = number(value),
                "maxmemory" => info.maxmemory = number(value),
                "maxmemory_policy" => info.policy = words(value),
                "used_memory" => info.used_memory = number(value),
                "used_memory_startup" => info.used_memory_startup = number(value),
                "maxclients" => info.maxclients = number(value),
                "connected_clients" => info.connected_clients = number(value),
                "total_commands_processed" => info.commands = number(value),
                "evicted_keys" => info.evicted_keys = number(value),
                "rejected_connections" => info.rejected_connections = number(value),
                "connected_slaves" => info.connected_slaves = number(value),
                "aof_enabled" => info.aof_enabled = value == "1",
                "cluster_enabled" => info.cluster_enabled = value == "1",
                "loading" => info.loading = value == "1",
                "used_cpu_sys_main_thread" => cpu.main_system = microseconds(value),
                "used_cpu_user_main_thread" => cpu.main_user = microseconds(value),
                "used_cpu_sys" => cpu.system = microseconds(value),
                "used_cpu_user" => cpu.user = microseconds(value),
                _ => {
                    if let Some(found) = database(name, value)
                        && info.databases.len() < MOST_DATABASES
                    {
                        info.databases.push(found);
                    }
                }
            }
        }
        info.main_thread_cpu_microseconds = cpu.main_thread();
        info
    }

    /// Keys in a database.
    pub fn keys(&self, database: u32) -> u64 {
        self.databases
            .iter()
            .find(|(number, _)| *number == database)
            .map_or(0, |(_, keys)| *keys)
    }

    /// Clients connected, one of our own excluded; replicas are not among them.
    pub fn other_clients(&self) -> u64 {
        self.connected_clients.unwrap_or(1).saturating_sub(1)
    }
}

/// CPU times in microseconds.
#[derive(Default)]
struct Cpu {
    main_system: Option<u64>,
    main_user: Option<u64>,
    system: Option<u64>,
    user: Option<u64>,
}

impl Cpu {
    /// Before Redis 6.2 only the whole process is known, whose work is nearly all the main thread's.
    fn main_thread(&self) -> Option<u64> {
        let Self {
            main_system,
            main_user,
            system,
            user,
        } = self;
        let sum = |left: &Option<u64>, right: &Option<u64>| {
            Some(left.as_ref()?.saturating_add(*right.as_ref()?))
        };
        sum(main_system, main_user).or_else(|| sum(system, user))
    }
}

fn number(value: &str) -> Option<u64> {
    value.parse().ok()
}

/// Seconds with decimals, without going through a float: `12.345678`.
fn microseconds(value: &str) -> Option<u64> {
    let (seconds, decimals) = value.split_once('.').unwrap_or((value, ""));
    let digits: String = decimals.chars().chain("000000".chars()).take(6).collect();
    seconds
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(digits.parse().ok()?)
}

/// Short printable text; None for anything else.
fn words(value: &str) -> Option<String> {
    (!value.is_empty()
        && value.len() <= LONGEST_TEXT
        && value
            .chars()
            .all(|character| character.is_ascii_graphic() || character == ' '))
    .then(|| value.to_owned())
}

/// `db3:keys=17,expires=0,avg_ttl=0`
fn database(name: &str, value: &str) -> Option<(u32, u64)> {
    let database = name.strip_prefix("db")?.parse().ok()?;
    let keys = value
        .strip_prefix("keys=")?
        .split(',')
        .next()?
        .parse()
        .ok()?;
    Some((database, keys))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reply_of_redis_is_read() {
        let info = Info::parse(
            b"# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:0123abcd\r\n\
              tcp_port:6379\r\n\r\n# Clients\r\nconnected_clients:3\r\nmaxclients:10000\r\n\
              # Memory\r\nused_memory:1048576\r\nused_memory_startup:862000\r\nmaxmemory:0\r\n\
              maxmemory_policy:noeviction\r\n# Persistence\r\nloading:0\r\naof_enabled:1\r\n\
              # Stats\r\ntotal_commands_processed:41\r\nevicted_keys:5\r\nrejected_connections:7\r\n# Replication\r\n\
              role:master\r\nconnected_slaves:2\r\n# CPU\r\nused_cpu_sys:99.000000\r\n\
              used_cpu_user:99.000000\r\nused_cpu_sys_main_thread:1.250000\r\n\
              used_cpu_user_main_thread:0.5\r\n# Cluster\r\ncluster_enabled:0\r\n# Keyspace\r\n\
              db0:keys=17,expires=0,avg_ttl=0\r\ndb15:keys=1,expires=1,avg_ttl=5\r\n",
        );
        let text = |value: &str| Some(value.to_owned());
        assert_eq!(
            info,
            Info {
                version: text("7.0.15"),
                mode: text("standalone"),
                role: text("master"),
                run_id: text("0123abcd"),
                tcp_port: Some(6379),
                maxmemory: Some(0),
                policy: text("noeviction"),
                used_memory: Some(1_048_576),
                used_memory_startup: Some(862_000),
                maxclients: Some(10_000),
                connected_clients: Some(3),
                main_thread_cpu_microseconds: Some(1_750_000),
                commands: Some(41),
                evicted_keys: Some(5),
                rejected_connections: Some(7),
                connected_slaves: Some(2),
                aof_enabled: true,
                cluster_enabled: false,
                loading: false,
                databases: vec![(0, 17), (15, 1)],
            }
        );
        assert_eq!((info.keys(15), info.keys(3)), (1, 0));
        assert_eq!(info.other_clients(), 2);
    }

    #[test]
    fn the_whole_process_stands_in_for_the_main_thread() {
        let info = Info::parse(b"used_cpu_sys:2.5\nused_cpu_user:1\nused_cpu_sys_main_thread:9\n");
        assert_eq!(info.main_thread_cpu_microseconds, Some(3_500_000));
    }

    #[test]
    fn absurd_fields_are_as_good_as_none() {
        let info = Info::parse(
            b"redis_version:\r\nrole:\x1b[2J\r\nmaxmemory:-1\r\nmaxclients:1e9\r\nused_memory:99999999999999999999\r\n\
              used_cpu_sys:nan\r\nused_cpu_user:18446744073709551615.9\r\ndb:keys=1\r\ndbx:keys=1\r\ndb1:key=1\r\nno colon",
        );
        assert_eq!(info, Info::default());
        assert_eq!(Info::parse(&vec![b'x'; 3 * LONGEST]), Info::default());
    }

    proptest! {
        #[test]
        fn any_reply_is_read(reply: Vec<u8>) {
            Info::parse(&reply);
        }

        #[test]
        fn any_values_are_read(values in prop::collection::vec("[a-z_]{1,20}:\\PC{0,80}", 0..20)) {
            let info = Info::parse(values.join("\r\n").as_bytes());
            prop_assert!(info.version.is_none_or(|version| version.len() <= LONGEST_TEXT));
        }
    }
}
