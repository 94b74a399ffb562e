//! A managed Redis without a cluster: a redis-server or valkey-server of our own on a free port of loopback.

use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use redyno_crds::{Engine, ResolvedRedis};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::folder::{RunFolder, last_words, private_file};
use super::process::{RunProcess, this_executable};

/// How often another port is tried, since somebody else may take the free one first.
const ATTEMPTS: u32 = 3;

/// How long a Redis may take to answer. An empty one takes milliseconds; this leaves room for a
/// loaded machine.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// How long one request to our own Redis may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How many bytes of an answer are read. Any answer to our requests is much shorter.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Why there is no managed Redis.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRedis {
    /// The program is not installed.
    #[error(
        "{} is not installed: install it ({}), or name a server with --redis-url",
        .0.program(),
        how_to_install(*.0)
    )]
    NotInstalled(Engine),
    /// The server ended before it answered.
    #[error("{} ended at once: {words}", .engine.program())]
    Ended {
        /// Which server it was.
        engine: Engine,
        /// Its last words.
        words: String,
    },
    /// The server did not answer in time.
    #[error("{} did not answer within {} s", .0.program(), READY_WITHIN.as_secs())]
    Silent(Engine),
    /// Any other error of the system.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A running server. It ends when this value is dropped, or when this command ends.
#[derive(Debug)]
pub(super) struct RedisServer {
    engine: Engine,
    process: RunProcess,
    address: SocketAddr,
}

impl RedisServer {
    /// Starts one and waits until it answers.
    pub(super) async fn start(
        folder: &RunFolder,
        redis: &ResolvedRedis,
        maxmemory_bytes: u64,
    ) -> Result<Self, NoRedis> {
        let engine = redis.engine;
        if !is_installed(engine) {
            return Err(NoRedis::NotInstalled(engine));
        }
        let mut outcome = Err(NoRedis::Silent(engine));
        for attempt in 1..=ATTEMPTS {
            outcome = Self::attempt(folder, redis, maxmemory_bytes, attempt).await;
            if !matches!(outcome, Err(NoRedis::Ended { .. })) {
                break;
            }
        }
        outcome
    }

    async fn attempt(
        folder: &RunFolder,
        redis: &ResolvedRedis,
        maxmemory_bytes: u64,
        attempt: u32,
    ) -> Result<Self, NoRedis> {
        let engine = redis.engine;
        let address = free_address()?;
        let configuration = folder.path().join(format!("redis-{attempt}.conf"));
        private_file(&configuration)?.write_all(
            configured(address, redis.maxclients, maxmemory_bytes, folder.path()).as_bytes(),
        )?;
        let log = folder.log(&format!("redis-{attempt}"));
        let mut command = this_executable()?;
        command
            .arg("guard")
            .arg("--folder")
            .arg(folder.path())
            .arg("--")
            .arg(engine.program())
            .arg(&configuration)
            .stdout(private_file(&log)?);
        let process = RunProcess::start(command, &folder.log(&format!("guard-{attempt}")))?;
        let mut server = Self {
            engine,
            process,
            address,
        };
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            tokio::select! {
                ended = server.process.ended() => {
                    ended?;
                    return Err(NoRedis::Ended {
                        engine,
                        words: last_words(&log).unwrap_or_else(|| "it said nothing".to_owned()),
                    });
                }
                () = sleep(Duration::from_millis(20)) => {}
            }
            if server.is_ready(&configuration).await {
                return Ok(server);
            }
            if Instant::now() > deadline {
                // Dropping the process would kill the guard and leave its Redis behind.
                server.end().await;
                return Err(NoRedis::Silent(engine));
            }
        }
    }

    /// Whether our own server answers, and not one of somebody who took the port first.
    async fn is_ready(&self, configuration: &Path) -> bool {
        let ours = format!("\r\nconfig_file:{}\r\n", configuration.display());
        // The answer is read until it proves to be ours, or until another server falls silent.
        request(self.address, "INFO server", &ours).await.is_ok()
    }

    /// The URL for the run's processes.
    pub(super) fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// The address that it listens on.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it ends by itself, and says what was seen.
    pub(super) async fn ended(&mut self) -> String {
        let program = self.engine.program();
        match self.process.ended().await {
            Ok(status) => format!("{program} ended by itself ({status})"),
            Err(error) => format!("{program} was lost: {error}"),
        }
    }

    /// Ends the server.
    pub(super) async fn end(mut self) {
        // Whatever this returns, the server is gone or was killed.
        drop(self.process.end(ANSWER_WITHIN).await);
    }
}

/// A guard for a run's folder alone, where no Redis is started.
pub(super) fn folder_guard(folder: &RunFolder) -> io::Result<RunProcess> {
    let mut command = this_executable()?;
    command.arg("guard").arg("--folder").arg(folder.path());
    RunProcess::start(command, &folder.log("guard"))
}

/// Stalls a Redis, so that it answers nobody for this long.
pub(super) async fn stall(address: SocketAddr, length: Duration) -> io::Result<()> {
    request(
        address,
        &format!("CLIENT PAUSE {} ALL", length.as_millis()),
        "+OK\r\n",
    )
    .await
}

/// Sends one inline command to our own Redis, which needs neither TLS nor a password. It fails
/// unless the answer contains the expected text.
async fn request(address: SocketAddr, command: &str, expected: &str) -> io::Result<()> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .await?;
        let mut answer = Vec::new();
        while answer.len() < LONGEST_ANSWER {
            if String::from_utf8_lossy(&answer).contains(expected) {
                return Ok(());
            }
            if stream.read_buf(&mut answer).await? == 0 {
                break;
            }
        }
        Err(io::Error::other("an unexpected answer"))
    };
    timeout(ANSWER_WITHIN, exchange)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The packages that have it.
const fn how_to_install(engine: Engine) -> &'static str {
    match engine {
        Engine::Redis => {
            "Debian and Ubuntu: apt-get install redis-server; macOS: brew install redis"
        }
        Engine::Valkey => {
            "Debian 13, Ubuntu 24.04 and later: apt-get install valkey-server; macOS: brew install \
             valkey"
        }
    }
}

/// Whether its program is in PATH.
fn is_installed(engine: Engine) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| {
            fs::metadata(folder.join(engine.program())).is_ok_and(|metadata| metadata.is_file())
        })
    })
}

/// The server's configuration: no persistence, no eviction, and only this machine may connect. Every
/// engine understands it alike.
fn configured(address: SocketAddr, maxclients: u32, maxmemory_bytes: u64, folder: &Path) -> String {
    // The path is quoted as redis.conf requires, since a temporary folder may have any name.
    let folder: String = folder
        .to_string_lossy()
        .chars()
        .flat_map(|character| {
            let escape = matches!(character, '"' | '\\').then_some('\\');
            escape.into_iter().chain([character])
        })
        .collect();
    format!(
        "bind {}\nport {}\nprotected-mode yes\ndaemonize no\nlogfile \"\"\nloglevel warning\n\
         dir \"{folder}\"\nsave \"\"\nappendonly no\nmaxmemory {maxmemory_bytes}\n\
         maxmemory-policy noeviction\nmaxclients {maxclients}\n",
        address.ip(),
        address.port(),
    )
}
