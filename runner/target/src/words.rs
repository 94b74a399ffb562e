//! What of a server's words may be shown.

use redis::RedisError;
use redyno_contract::text;

use crate::address::Credentials;
use crate::target::Target;

/// Longest words of a server that are shown, in bytes.
const LONGEST: usize = 200;

/// So much of them is looked at: what comes later is not shown whatever it is.
const LOOKED_AT: usize = 8 * LONGEST;

/// A secret that is part of a longer word is taken for chance unless it is as long as this.
const LONG_SECRET: usize = 8;

const HIDDEN: &str = "***";

impl Target {
    /// A server's words as they may be shown: printable, on one line, not endless, and without
    /// anything that was sent in confidence.
    pub fn presentable(&self, words: &str) -> String {
        presentable(words, self.address().credentials())
    }
}

/// The same for what was said by a server with these credentials.
pub(crate) fn presentable(words: &str, credentials: Option<&Credentials>) -> String {
    let seen = &words[..words.floor_char_boundary(LOOKED_AT)];
    let mut shown = text::one_line(seen);
    if let Some(Credentials {
        user,
        password,
        was_encoded: _,
    }) = credentials
    {
        shown = without(&shown, password);
        // Every Redis has a user of this name.
        if let Some(user) = user.as_deref().filter(|user| *user != "default") {
            shown = without(&shown, user);
        }
    }
    text::shortened(&shown, LONGEST)
}

/// What a server answered, in its own words, or how the connection to it failed.
pub(crate) fn of_error(error: &RedisError, credentials: Option<&Credentials>) -> String {
    let words = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    };
    presentable(&words, credentials)
}

/// The words without the secret, wherever it stands alone; a long one wherever it stands.
fn without(words: &str, secret: &str) -> String {
    if secret.is_empty() {
        return words.to_owned();
    }
    let mut shown = String::with_capacity(words.len());
    let mut rest = words;
    while let Some(at) = rest.find(secret) {
        let (before, found) = rest.split_at(at);
        let behind = &found[secret.len()..];
        let stands_alone = !shown
            .chars()
            .chain(before.chars())
            .next_back()
            .is_some_and(char::is_alphanumeric)
            && !behind.starts_with(char::is_alphanumeric);
        shown.push_str(before);
        shown.push_str(if stands_alone || secret.len() >= LONG_SECRET {
            HIDDEN
        } else {
            secret
        });
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(words: &str, user: Option<&str>, password: &str) -> String {
        let credentials = Credentials {
            user: user.map(str::to_owned),
            password: password.to_owned(),
            was_encoded: false,
        };
        presentable(words, Some(&credentials))
    }

    #[test]
    fn words_of_a_server_are_made_presentable() {
        for (words, expected) in [
            ("ERR no\r\n", "ERR no"),
            ("a\u{1b}[2Jb\nc", "a [2Jb c"),
            (
                "unknown command 'AUTH', args 'hunter2'",
                "unknown command 'AUTH', args '***'",
            ),
            (
                "NOPERM User anna has no permissions",
                "NOPERM User *** has no permissions",
            ),
            ("ERR annabel", "ERR annabel"),
        ] {
            assert_eq!(shown(words, Some("anna"), "hunter2"), expected);
        }
        assert_eq!(presentable(&"x".repeat(5000), None).len(), LONGEST);
        assert_eq!(shown("User default", Some("default"), "p"), "User default");
        // Short secrets do not garble what they happen to be part of.
        assert_eq!(shown("a set of sets", None, "set"), "a *** of sets");
        assert_eq!(shown("xtops3cretx", None, "tops3cret"), "x***x");
    }

    proptest! {
        #[test]
        fn no_long_secret_comes_through(
            before in "[a-z ]{0,30}",
            secret in "[!-~]{8,20}",
            behind in "[a-z ]{0,30}",
        ) {
            let words = format!("{before}{secret}{behind}");
            prop_assume!(!format!("{before}{HIDDEN}{behind}").contains(&secret));
            prop_assert!(!shown(&words, None, &secret).contains(&secret));
        }
    }
}
