//! Who may do what.

use std::collections::BTreeSet;

use super::table::Command;

/// A user as ACL SETUSER made it: everything but some commands, on keys that begin so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name; `default` is who gives none.
    pub name: String,
    /// What it has to give; None if anything will do.
    pub password: Option<String>,
    /// Commands that it may not run; a subcommand stands behind a bar.
    pub denied: BTreeSet<String>,
    /// What the names of its keys begin with; None for all keys.
    pub keys: Option<Vec<String>>,
}

/// Why a user may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The command.
    Command,
    /// One of the keys.
    Key,
}

impl User {
    /// Who may do everything without a password.
    pub fn anybody() -> Self {
        Self {
            name: "default".to_owned(),
            password: None,
            denied: BTreeSet::new(),
            keys: None,
        }
    }

    /// The words that make a real server have this user.
    pub fn acl(&self) -> Vec<String> {
        let Self {
            name,
            password,
            denied,
            keys,
        } = self;
        let mut words = vec![name.clone(), "reset".to_owned(), "on".to_owned()];
        words.push(
            password
                .as_ref()
                .map_or("nopass".to_owned(), |password| format!(">{password}")),
        );
        match keys {
            None => words.push("~*".to_owned()),
            Some(prefixes) => words.extend(prefixes.iter().map(|prefix| format!("~{prefix}*"))),
        }
        words.push("+@all".to_owned());
        words.extend(denied.iter().map(|command| format!("-{command}")));
        words
    }

    /// Whether it may run this.
    ///
    /// # Errors
    /// What it may not.
    pub fn may(&self, command: &Command, words: &[Vec<u8>]) -> Result<(), Denied> {
        let container = command.name.split('|').next().unwrap_or_default();
        // Who may not run these could never say who he is.
        let always = matches!(command.name, "auth" | "quit");
        if !always && (self.denied.contains(command.name) || self.denied.contains(container)) {
            return Err(Denied::Command);
        }
        let Some(prefixes) = &self.keys else {
            return Ok(());
        };
        let all_allowed = command.keys_in(words).iter().all(|key| {
            prefixes
                .iter()
                .any(|prefix| key.starts_with(prefix.as_bytes()))
        });
        if all_allowed {
            Ok(())
        } else {
            Err(Denied::Key)
        }
    }
}
