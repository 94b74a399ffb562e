//! The server as a state machine: a command and the time go in, a reply comes out.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::access::{Denied, User};
use super::call::{Call, Session, Transaction};
use super::database::{Database, Microseconds};
use super::eviction::{self, Policy};
use super::reply::Reply;
use super::request::Words;
use super::script::Scripts;
use super::table::{self, Command, Flag};

/// What is said of a full server.
pub(super) const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";
/// What is said of a replica.
pub(super) const READ_ONLY: &str = "READONLY You can't write against a read only replica.";

/// How a server is set up, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes that keys and the server itself may take; 0 for no limit.
    pub maxmemory: u64,
    /// What is done at that limit.
    pub policy: Policy,
    /// Connections at one time.
    pub maxclients: usize,
    /// Databases.
    pub databases: usize,
    /// Who there is; the first is who says nothing.
    pub users: Vec<User>,
    /// Whether it follows another server and takes no writes.
    pub replica: bool,
    /// Whether it still reads its data.
    pub loading: bool,
    /// Fields that INFO does not have.
    pub info_without: Vec<String>,
    /// Commands that this server does not have.
    pub without: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            maxmemory: 0,
            policy: Policy::NoEviction,
            maxclients: 10_000,
            databases: 16,
            users: vec![User::anybody()],
            replica: false,
            loading: false,
            info_without: Vec::new(),
            without: Vec::new(),
        }
    }
}

/// Something that happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Microseconds,
    /// The name of the connection that did it; empty for the server itself.
    pub by: String,
    /// The database.
    pub database: usize,
    /// The key.
    pub key: Vec<u8>,
    /// What.
    pub kind: ChangeKind,
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was made or changed.
    Written,
    /// How long it lives was changed.
    Renewed,
    /// A command took it away.
    Removed,
    /// Its time had come.
    Expired,
    /// It had to make room.
    Evicted,
    /// It went with all the others.
    Flushed,
}

/// The server.
#[derive(Debug)]
pub struct Server {
    /// How it is set up.
    pub settings: Settings,
    /// Its databases.
    pub databases: Vec<Database>,
    /// Who is connected.
    pub sessions: BTreeMap<u64, Session>,
    /// Its scripts.
    pub scripts: Scripts,
    /// The time of the command under way.
    pub now: Microseconds,
    /// Commands carried out, those of scripts among them: the clock of what was used last.
    pub commands: u64,
    /// Keys evicted.
    pub evicted: u64,
    /// Connections that were turned away.
    pub rejected: u64,
    /// CPU time used, in microseconds.
    pub cpu_microseconds: u64,
    /// Another one after each restart.
    pub run_id: String,
    /// What happened to keys, in order.
    pub changes: Vec<Change>,
    /// When databases were flushed, and by whom.
    pub flushes: Vec<(Microseconds, String)>,
    /// Whether it was full before the command under way, and the eviction for it, had begun.
    pub full: bool,
    next_session: u64,
}

impl Server {
    /// An empty server.
    pub fn new(settings: Settings, run_id: &str) -> Self {
        Self {
            databases: vec![Database::default(); settings.databases],
            settings,
            sessions: BTreeMap::new(),
            scripts: Scripts::default(),
            now: 0,
            commands: 0,
            evicted: 0,
            rejected: 0,
            cpu_microseconds: 0,
            run_id: run_id.to_owned(),
            changes: Vec::new(),
            flushes: Vec::new(),
            full: false,
            next_session: 1,
        }
    }

    /// One of its databases.
    pub fn database(&mut self, number: usize) -> &mut Database {
        &mut self.databases[number]
    }

    /// Somebody connects.
    ///
    /// # Errors
    /// What is said before it is hung up on.
    pub fn connect(&mut self) -> Result<u64, Reply> {
        if self.sessions.len() >= self.settings.maxclients {
            self.rejected += 1;
            return Err(Reply::error("max number of clients reached"));
        }
        let id = self.next_session;
        self.next_session += 1;
        let user = self
            .settings
            .users
            .first()
            .filter(|user| user.password.is_none())
            .cloned();
        self.sessions.insert(
            id,
            Session {
                id,
                user,
                ..Session::default()
            },
        );
        Ok(id)
    }

    /// Somebody is gone.
    pub fn disconnect(&mut self, id: u64) {
        self.sessions.remove(&id);
    }

    /// Whether this connection is to be closed, once it has its reply.
    pub fn is_closing(&self, id: u64) -> bool {
        self.sessions.get(&id).is_none_or(|session| session.closing)
    }

    /// Carries out a command of this connection. None if there is no such connection.
    pub fn command(&mut self, id: u64, words: &[Vec<u8>], now: Microseconds) -> Option<Reply> {
        let mut session = self.sessions.get(&id)?.clone();
        self.now = now;
        self.remove_expired();
        let reply = self.process(&mut session, words);
        self.sessions.insert(id, session);
        Some(reply)
    }

    /// Keys whose time has come are gone at the first look at the server after it.
    pub fn remove_expired(&mut self) {
        for number in 0..self.databases.len() {
            for key in self.databases[number].expired(self.now) {
                self.databases[number].remove(&key);
                self.lost(number, key, ChangeKind::Expired);
            }
        }
    }

    /// Notes what the server itself did to a key.
    pub fn lost(&mut self, database: usize, key: Vec<u8>, kind: ChangeKind) {
        self.changes.push(Change {
            at: self.now,
            by: String::new(),
            database,
            key,
            kind,
        });
    }

    /// A command by its words, if this server has it.
    fn find(&self, words: &[Vec<u8>]) -> Option<&'static Command> {
        let command = table::find(words)?;
        let container = command.name.split('|').next().unwrap_or_default();
        let without = &self.settings.without;
        let missing = without
            .iter()
            .any(|name| name == command.name || name == container);
        (!missing).then_some(command)
    }

    /// From the words of a connection to the reply.
    fn process(&mut self, session: &mut Session, words: &[Vec<u8>]) -> Reply {
        if session.user.is_none()
            && let Some(too_much) = too_much_of_a_stranger(words)
        {
            session.closing = true;
            return Reply::error(format!("Protocol error: {too_much}"));
        }
        let Some(command) = self.find(words) else {
            return spoil(session, unknown(words));
        };
        let refuse = |session: &mut Session, reply: Reply| {
            if command.name == "exec"
                && let Reply::Error(error) = &reply
            {
                session.transaction = None;
                let why = error.strip_prefix("ERR ").unwrap_or(error);
                return Reply::Error(format!("EXECABORT Transaction discarded because of: {why}"));
            }
            spoil(session, reply)
        };
        if !has_arity(command, words) {
            return refuse(
                session,
                Reply::error(format!(
                    "wrong number of arguments for '{}' command",
                    command.name
                )),
            );
        }
        if table::is_container(command) {
            return refuse(session, unknown_subcommand(words));
        }
        let Some(user) = session.user.clone() else {
            if !command.is(Flag::NoAuthentication) {
                return refuse(
                    session,
                    Reply::Error("NOAUTH Authentication required.".to_owned()),
                );
            }
            return self.carry_out(session, command, words);
        };
        match user.may(command, words) {
            Ok(()) => {}
            Err(Denied::Command) => {
                let name = command.name;
                return refuse(
                    session,
                    Reply::Error(format!(
                        "NOPERM this user has no permissions to run the '{name}' command"
                    )),
                );
            }
            Err(Denied::Key) => {
                return refuse(
                    session,
                    Reply::Error("NOPERM this user has no permissions to access one of the keys used as arguments".to_owned()),
                );
            }
        }
        let queued: Vec<&Command> = match (&session.transaction, command.name) {
            (Some(Transaction { queued, .. }), "exec") => queued
                .iter()
                .filter_map(|words| table::find(words))
                .collect(),
            _ => Vec::new(),
        };
        let is_or_has = |flag| command.is(flag) || queued.iter().any(|command| command.is(flag));
        let is_for_later = session.transaction.is_some()
            && !matches!(command.name, "exec" | "discard" | "multi" | "quit");
        self.full = eviction::make_room(self);
        if self.full
            && (is_or_has(Flag::DenyOutOfMemory)
                || (session.transaction.is_some()
                    && !matches!(command.name, "exec" | "discard" | "quit")))
        {
            return refuse(session, Reply::Error(OUT_OF_MEMORY.to_owned()));
        }
        if self.settings.replica && is_or_has(Flag::Write) {
            return refuse(session, Reply::Error(READ_ONLY.to_owned()));
        }
        if self.settings.loading && !command.is(Flag::Loading) {
            return refuse(
                session,
                Reply::Error("LOADING Redis is loading the dataset in memory".to_owned()),
            );
        }
        if is_for_later && let Some(transaction) = &mut session.transaction {
            transaction.queued.push(words.to_vec());
            return Reply::Status("QUEUED");
        }
        self.carry_out(session, command, words)
    }

    /// A command of a transaction, looked at when it was queued.
    pub fn carry_out_queued(&mut self, session: &mut Session, words: &Words) -> Reply {
        let Some(command) = self.find(words) else {
            return unknown(words);
        };
        self.carry_out(session, command, words)
    }

    /// Carries out what was looked at before.
    pub fn carry_out(
        &mut self,
        session: &mut Session,
        command: &Command,
        words: &[Vec<u8>],
    ) -> Reply {
        self.commands += 1;
        (command.run)(&mut Call {
            server: self,
            session,
            words,
        })
    }

    /// A command as a script runs it: other words for what is refused.
    pub fn from_script(&mut self, session: &mut Session, words: &[Vec<u8>], dirty: bool) -> Reply {
        let Some(command) = self.find(words) else {
            return Reply::error("Unknown Redis command called from script");
        };
        if !has_arity(command, words) {
            return Reply::error("Wrong number of args calling Redis command from script");
        }
        if command.is(Flag::NoScript) {
            return Reply::error("This Redis command is not allowed from script");
        }
        if let Some(user) = &session.user {
            match user.may(command, words) {
                Ok(()) => {}
                Err(Denied::Command) => {
                    return Reply::error(
                        "The user executing the script can't run this command or subcommand",
                    );
                }
                Err(Denied::Key) => {
                    return Reply::error(
                        "The user executing the script can't access at least one of the keys mentioned in the command arguments",
                    );
                }
            }
        }
        if self.settings.replica && command.is(Flag::Write) {
            return Reply::Error(READ_ONLY.to_owned());
        }
        if self.full && !dirty && command.is(Flag::DenyOutOfMemory) {
            return Reply::Error(OUT_OF_MEMORY.to_owned());
        }
        self.carry_out(session, command, words)
    }

    /// Whether a command changes data.
    pub fn is_write(words: &[Vec<u8>]) -> bool {
        table::find(words).is_some_and(|command| command.is(Flag::Write))
    }
}

/// Who has not said who he is may say little.
fn too_much_of_a_stranger(words: &[Vec<u8>]) -> Option<&'static str> {
    if words.len() > 10 {
        Some("unauthenticated multibulk length")
    } else if words.iter().any(|word| word.len() > 16_384) {
        Some("unauthenticated bulk length")
    } else {
        None
    }
}

/// A command that is refused takes the transaction along.
fn spoil(session: &mut Session, reply: Reply) -> Reply {
    if let Some(transaction) = &mut session.transaction {
        transaction.spoiled = true;
    }
    reply
}

fn has_arity(command: &Command, words: &[Vec<u8>]) -> bool {
    let count = i32::try_from(words.len()).unwrap_or(i32::MAX);
    if command.arity < 0 {
        count >= -command.arity
    } else {
        count == command.arity
    }
}

fn unknown_subcommand(words: &[Vec<u8>]) -> Reply {
    let text = |at: usize| String::from_utf8_lossy(words.get(at).map_or(&[], Vec::as_slice));
    Reply::error(format!(
        "unknown subcommand '{}'. Try {} HELP.",
        text(1),
        text(0).to_uppercase()
    ))
}

fn unknown(words: &[Vec<u8>]) -> Reply {
    const LONGEST: usize = 128;
    let text = |word: &[u8], longest: usize| {
        String::from_utf8_lossy(&word[..word.len().min(longest)]).into_owned()
    };
    let mut arguments = String::new();
    for word in words.iter().skip(1) {
        if arguments.len() >= LONGEST {
            break;
        }
        let shown = text(word, LONGEST - arguments.len());
        write!(arguments, "'{shown}' ").expect("memory can be written to");
    }
    let name = text(words.first().map_or(&[], Vec::as_slice), LONGEST);
    Reply::error(format!(
        "unknown command '{name}', with args beginning with: {arguments}"
    ))
}
