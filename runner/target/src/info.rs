//! What INFO says. The server may be anything: every field may be missing, absurd or endless.

use redis::RedisResult;

use crate::connect::Connection;

/// The fields of INFO that anybody here looks at. None where the server does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// `redis_version`: which Redis it behaves like. A Valkey says 7.2.4, whatever it is itself.
    pub version: Option<String>,
    /// `server_name`: what it is where that is not Redis, `valkey`.
    pub server_name: Option<String>,
    /// `valkey_version`: the version of a Valkey.
    pub valkey_version: Option<String>,
    /// `redis_mode`, or `server_mode` of a Valkey: `standalone`, `cluster` or `sentinel`.
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
    /// `total_system_memory` in bytes: of the machine, whatever limit the server's container has.
    pub total_system_memory: Option<u64>,
    /// `maxclients`.
    pub maxclients: Option<u64>,
    /// `connected_clients`: all but replicas, our own included.
    pub connected_clients: Option<u64>,
    /// CPU time of the main thread in microseconds: `used_cpu_user_main_thread` and
    /// `used_cpu_sys_main_thread`; of the whole process where these are not given.
    pub main_thread_cpu_microseconds: Option<u64>,
    /// CPU time of all threads in microseconds: `used_cpu_user` and `used_cpu_sys`.
    pub process_cpu_microseconds: Option<u64>,
    /// Time in microseconds for which the event loop had something to do, on a CPU or kept from
    /// it: `used_active_time_main_thread` of Valkey 9.1, else `eventloop_duration_sum` (Redis 7.2).
    pub event_loop_microseconds: Option<u64>,
    /// Time in microseconds for which commands were executing, on a CPU or kept from it:
    /// `eventloop_duration_cmd_sum`.
    pub executing_microseconds: Option<u64>,
    /// Time in microseconds for which each I/O thread had something to do, by its number:
    /// `used_active_time_io_thread_<n>`.
    pub io_threads_microseconds: Vec<(u32, u64)>,
    /// `io_threads_active`: whether I/O threads were serving clients at that moment.
    pub io_threads_active: Option<bool>,
    /// Reads and writes for clients by other threads than the main thread:
    /// `io_threaded_reads_processed` and `io_threaded_writes_processed`.
    pub io_threaded_operations: Option<u64>,
    /// `total_commands_processed`.
    pub commands: Option<u64>,
    /// `evicted_keys`.
    pub evicted_keys: Option<u64>,
    /// `rejected_connections`.
    pub rejected_connections: Option<u64>,
    /// `connected_slaves`.
    pub connected_slaves: Option<u64>,
    /// `aof_enabled`.
    pub aof_enabled: Option<bool>,
    /// `cluster_enabled`.
    pub cluster_enabled: bool,
    /// `loading`.
    pub loading: bool,
    /// `db<number>:keys=<count>,...`: the databases that are not empty, in the server's order.
    pub databases: Vec<(u32, u64)>,
    /// Whether there is a section of databases: one that is not listed there is empty.
    pub tells_databases: bool,
    /// `cmdstat_<name>:calls=<count>,usec=<microseconds>,...`: what was spent on each command. None
    /// where it was not asked for, or the server does not say.
    pub commands_spent: Option<Vec<CommandSpent>>,
}

/// What a server has spent on one command since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandSpent {
    /// The command, `get` or `config|get`.
    pub name: String,
    /// How often it was executed.
    pub calls: u64,
    /// Time for which it was executing, in microseconds.
    pub microseconds: u64,
}

/// Longer than any INFO: what follows is not looked at.
const LONGEST: usize = 1024 * 1024;

/// Longer than any text in INFO that is of interest: it goes into reports of limited size.
const LONGEST_TEXT: usize = 64;

/// No more databases than this are remembered; servers have 16 unless configured otherwise.
const MOST_DATABASES: usize = 16 * 1024;

/// No server has more I/O threads than this.
const MOST_IO_THREADS: usize = 256;

/// More commands than any server has, subcommands included.
const MOST_COMMANDS: usize = 2 * 1024;

impl Info {
    /// Whether any key may be evicted when the memory is full; false where that is not known.
    pub fn evicts_any_key(&self) -> bool {
        self.policy
            .as_deref()
            .is_some_and(|policy| policy.starts_with("allkeys"))
            && self.maxmemory != Some(0)
    }

    /// Asks for INFO and reads it.
    ///
    /// # Errors
    /// What the server answered, or how the connection failed.
    pub async fn read(connection: &mut Connection) -> RedisResult<Self> {
        let text: Vec<u8> = redis::cmd("INFO").query_async(connection).await?;
        Ok(Self::parse(&text))
    }

    /// Asks for INFO with what was spent on each command, which only some servers tell and some
    /// users may not ask for.
    ///
    /// # Errors
    /// What the server answered to the first question, or how the connection failed.
    pub async fn read_with_commands(connection: &mut Connection) -> RedisResult<Self> {
        let mut info = Self::read(connection).await?;
        let asked: RedisResult<Vec<u8>> = redis::cmd("INFO")
            .arg("commandstats")
            .query_async(connection)
            .await;
        match asked {
            Ok(text) => info.commands_spent = Self::parse(&text).commands_spent,
            Err(refused) if refused.is_io_error() => return Err(refused),
            Err(refused) => tracing::debug!(%refused, "no times of commands"),
        }
        Ok(info)
    }

    /// Reads the reply of INFO.
    pub fn parse(reply: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&reply[..reply.len().min(LONGEST)]);
        let mut info = Self::default();
        let mut cpu = Cpu::default();
        let mut loops = Loops::default();
        for line in text.lines() {
            if line.trim_end() == "# Keyspace" {
                info.tells_databases = true;
            }
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name {
                "redis_version" => info.version = words(value),
                "server_name" => info.server_name = words(value),
                "valkey_version" => info.valkey_version = words(value),
                "redis_mode" | "server_mode" => info.mode = words(value),
                "role" => info.role = words(value),
                "run_id" => info.run_id = words(value),
                "tcp_port" => info.tcp_port = number(value),
                "maxmemory" => info.maxmemory = number(value),
                "maxmemory_policy" => info.policy = words(value),
                "used_memory" => info.used_memory = number(value),
                "used_memory_startup" => info.used_memory_startup = number(value),
                "total_system_memory" => info.total_system_memory = number(value),
                "maxclients" => info.maxclients = number(value),
                "connected_clients" => info.connected_clients = number(value),
                "total_commands_processed" => info.commands = number(value),
                "evicted_keys" => info.evicted_keys = number(value),
                "rejected_connections" => info.rejected_connections = number(value),
                "connected_slaves" => info.connected_slaves = number(value),
                "aof_enabled" => info.aof_enabled = flag(value),
                "cluster_enabled" => info.cluster_enabled = value == "1",
                "loading" => info.loading = value == "1",
                "used_cpu_sys_main_thread" => cpu.main_system = microseconds(value),
                "used_cpu_user_main_thread" => cpu.main_user = microseconds(value),
                "used_cpu_sys" => cpu.system = microseconds(value),
                "used_cpu_user" => cpu.user = microseconds(value),
                "eventloop_duration_sum" => loops.duration = number(value),
                "eventloop_duration_cmd_sum" => info.executing_microseconds = number(value),
                "used_active_time_main_thread" => loops.active = microseconds(value),
                "io_threads_active" => info.io_threads_active = flag(value),
                "io_threaded_reads_processed" => loops.reads = number(value),
                "io_threaded_writes_processed" => loops.writes = number(value),
                _ => info.add_numbered(name, value),
            }
        }
        info.main_thread_cpu_microseconds = cpu.main_thread();
        info.process_cpu_microseconds = cpu.process();
        info.event_loop_microseconds = loops.active.or(loops.duration);
        info.io_threaded_operations = sum(loops.reads, loops.writes);
        info
    }

    /// Adds a field of which there may be many: a database, a thread, a command.
    fn add_numbered(&mut self, name: &str, value: &str) {
        if let Some(found) = database(name, value) {
            if self.databases.len() < MOST_DATABASES {
                self.databases.push(found);
            }
        } else if let Some(found) = io_thread(name, value) {
            if self.io_threads_microseconds.len() < MOST_IO_THREADS {
                self.io_threads_microseconds.push(found);
            }
        } else if let Some(found) = command(name, value) {
            let commands = self.commands_spent.get_or_insert_default();
            if commands.len() < MOST_COMMANDS {
                commands.push(found);
            }
        }
    }

    /// Its own version: a Valkey's is not the one of the Redis that it behaves like.
    pub fn own_version(&self) -> Option<&str> {
        self.valkey_version.as_deref().or(self.version.as_deref())
    }

    /// Keys in a database; None where the server does not tell of databases.
    pub fn keys(&self, database: u32) -> Option<u64> {
        self.databases
            .iter()
            .find(|(number, _)| *number == database)
            .map(|(_, keys)| *keys)
            .or_else(|| self.tells_databases.then_some(0))
    }

    /// Clients connected, one of our own excluded; replicas are not among them.
    pub fn other_clients(&self) -> Option<u64> {
        Some(self.connected_clients?.saturating_sub(1))
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
        sum(self.main_system, self.main_user).or_else(|| self.process())
    }

    fn process(&self) -> Option<u64> {
        sum(self.system, self.user)
    }
}

/// Times of the event loop in microseconds, and what I/O threads did.
#[derive(Default)]
struct Loops {
    duration: Option<u64>,
    active: Option<u64>,
    reads: Option<u64>,
    writes: Option<u64>,
}

/// The sum of two, if both are known.
fn sum(left: Option<u64>, right: Option<u64>) -> Option<u64> {
    Some(left?.saturating_add(right?))
}

fn flag(value: &str) -> Option<bool> {
    match value {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
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

/// `used_active_time_io_thread_1:0.000017`
fn io_thread(name: &str, value: &str) -> Option<(u32, u64)> {
    let number = name.strip_prefix("used_active_time_io_thread_")?;
    Some((number.parse().ok()?, microseconds(value)?))
}

/// `cmdstat_get:calls=4,usec=13,usec_per_call=3.25,rejected_calls=0,failed_calls=0`
fn command(name: &str, value: &str) -> Option<CommandSpent> {
    let name = words(name.strip_prefix("cmdstat_")?)?;
    let field = |wanted: &str| {
        value
            .split(',')
            .filter_map(|field| field.split_once('='))
            .find(|(name, _)| *name == wanted)
            .and_then(|(_, value)| number(value))
    };
    Some(CommandSpent {
        name,
        calls: field("calls")?,
        microseconds: field("usec")?,
    })
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
              total_system_memory:8000000000\r\n\
              maxmemory_policy:noeviction\r\n# Persistence\r\nloading:0\r\naof_enabled:1\r\n\
              # Stats\r\ntotal_commands_processed:41\r\nevicted_keys:5\r\nrejected_connections:7\r\n# Replication\r\n\
              eventloop_duration_sum:1562\r\neventloop_duration_cmd_sum:16\r\nio_threads_active:1\r\n\
              io_threaded_reads_processed:3\r\nio_threaded_writes_processed:4\r\n\
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
                server_name: None,
                valkey_version: None,
                mode: text("standalone"),
                role: text("master"),
                run_id: text("0123abcd"),
                tcp_port: Some(6379),
                maxmemory: Some(0),
                policy: text("noeviction"),
                used_memory: Some(1_048_576),
                used_memory_startup: Some(862_000),
                total_system_memory: Some(8_000_000_000),
                maxclients: Some(10_000),
                connected_clients: Some(3),
                main_thread_cpu_microseconds: Some(1_750_000),
                process_cpu_microseconds: Some(198_000_000),
                event_loop_microseconds: Some(1562),
                executing_microseconds: Some(16),
                io_threads_microseconds: Vec::new(),
                io_threads_active: Some(true),
                io_threaded_operations: Some(7),
                commands: Some(41),
                evicted_keys: Some(5),
                rejected_connections: Some(7),
                connected_slaves: Some(2),
                aof_enabled: Some(true),
                cluster_enabled: false,
                loading: false,
                databases: vec![(0, 17), (15, 1)],
                tells_databases: true,
                commands_spent: None,
            }
        );
        assert_eq!((info.keys(15), info.keys(3)), (Some(1), Some(0)));
        assert_eq!(info.other_clients(), Some(2));
        assert_eq!(info.own_version(), Some("7.0.15"));
    }

    /// As Valkey 9.1.2 writes it.
    #[test]
    fn a_valkey_is_one_and_tells_of_each_thread() {
        let info = Info::parse(
            b"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n\
              server_mode:sentinel\r\neventloop_duration_sum:759\r\n\
              used_active_time_main_thread:0.000272\r\nused_active_time_io_thread_1:0.000017\r\n\
              used_active_time_io_thread_2:2.5\r\n",
        );
        assert_eq!(info.own_version(), Some("9.1.2"));
        assert_eq!(info.server_name.as_deref(), Some("valkey"));
        assert_eq!(info.mode.as_deref(), Some("sentinel"));
        assert_eq!(info.event_loop_microseconds, Some(272));
        assert_eq!(info.io_threads_microseconds, [(1, 17), (2, 2_500_000)]);
    }

    #[test]
    fn what_was_spent_on_each_command_is_read() {
        let info = Info::parse(
            b"# Commandstats\r\n\
              cmdstat_config|get:calls=2,usec=13,usec_per_call=6.50,rejected_calls=0,failed_calls=0\r\n\
              cmdstat_get:calls=7,usec=9,usec_per_call=1.29\r\ncmdstat_set:calls=x,usec=9\r\n",
        );
        let spent = |name: &str, calls, microseconds| CommandSpent {
            name: name.to_owned(),
            calls,
            microseconds,
        };
        assert_eq!(
            info.commands_spent,
            Some(vec![spent("config|get", 2, 13), spent("get", 7, 9)])
        );
    }

    #[test]
    fn what_is_not_told_is_not_known() {
        let info = Info::parse(b"redis_version:6.2.6\r\n");
        assert_eq!((info.keys(0), info.other_clients()), (None, None));
        assert_eq!((info.aof_enabled, info.commands_spent), (None, None));
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
