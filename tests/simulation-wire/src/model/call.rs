//! One command on its way through the server: what it may look at and change.

use super::access::User;
use super::database::Entry;
use super::reply::Reply;
use super::request::Words;
use super::server::{Change, ChangeKind, Server};
use super::value::Value;

/// What the server knows of one connection.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Its number.
    pub id: u64,
    /// As CLIENT SETNAME set it.
    pub name: Vec<u8>,
    /// The selected database.
    pub database: usize,
    /// Who it is; None before it has said so, where that is asked for.
    pub user: Option<User>,
    /// The commands of a transaction that was begun.
    pub transaction: Option<Transaction>,
    /// Whether it is a script's.
    pub in_script: bool,
    /// Whether it is hung up on after the reply.
    pub closing: bool,
}

/// A transaction that was begun.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// Its commands so far.
    pub queued: Vec<Words>,
    /// Whether one of them was refused.
    pub spoiled: bool,
}

/// A command on its way.
pub struct Call<'a> {
    /// All of the server.
    pub server: &'a mut Server,
    /// Whose command it is.
    pub session: &'a mut Session,
    /// The command.
    pub words: &'a [Vec<u8>],
}

/// What is said of a key that holds something else.
pub(super) const WRONG_TYPE: &str =
    "WRONGTYPE Operation against a key holding the wrong kind of value";

impl Call<'_> {
    /// The word at a place; empty if there is none.
    pub fn word(&self, at: usize) -> &[u8] {
        self.words.get(at).map_or(&[], Vec::as_slice)
    }

    /// The word at a place in capitals.
    pub fn option(&self, at: usize) -> String {
        String::from_utf8_lossy(self.word(at)).to_ascii_uppercase()
    }

    /// The word at a place as a number.
    pub fn integer(&self, at: usize) -> Result<i64, Reply> {
        integer(self.word(at))
            .ok_or_else(|| Reply::error("value is not an integer or out of range"))
    }

    /// What a key holds.
    pub fn look(&mut self, key: &[u8]) -> Option<&Entry> {
        let clock = self.server.commands;
        let database = self.server.database(self.session.database);
        database.touch(key, clock);
        database.get(key)
    }

    /// Takes a key out, to be changed and put back.
    pub fn take(&mut self, key: &[u8]) -> Option<Entry> {
        self.server.database(self.session.database).remove(key)
    }

    /// Puts a key where it was taken out, changed or not. Nothing is noted.
    pub fn put_back(&mut self, key: &[u8], entry: Entry) {
        self.server.database(self.session.database).put(key, entry);
    }

    /// Sets a key.
    pub fn put(&mut self, key: &[u8], value: Value, expires: Option<u64>) {
        let used = self.server.commands;
        let emptied = value.is_empty();
        self.put_back(
            key,
            Entry {
                value,
                expires,
                used,
            },
        );
        self.note(
            key,
            if emptied {
                ChangeKind::Removed
            } else {
                ChangeKind::Written
            },
        );
    }

    /// Removes a key; whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let was_there = self.take(key).is_some();
        if was_there {
            self.note(key, ChangeKind::Removed);
        }
        was_there
    }

    /// Notes what was done to a key.
    pub fn note(&mut self, key: &[u8], kind: ChangeKind) {
        let change = Change {
            at: self.server.now,
            by: String::from_utf8_lossy(&self.session.name).into_owned(),
            database: self.session.database,
            key: key.to_vec(),
            kind,
        };
        self.server.changes.push(change);
    }
}

/// A number as the server reads it.
pub(super) fn integer(word: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(word).ok()?;
    let plain = text == "0"
        || text
            .strip_prefix('-')
            .unwrap_or(text)
            .starts_with(|digit: char| ('1'..='9').contains(&digit));
    if plain { text.parse().ok() } else { None }
}
