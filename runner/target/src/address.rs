//! Where the Redis is and who we are there: what a `url` says.

use std::fmt;

use percent_encoding::percent_decode_str;

/// The port where the URL names none.
const DEFAULT_PORT: u16 = 6379;

/// Plain or encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `redis://`
    Plain,
    /// `rediss://`
    Tls,
}

/// Where the Redis is and who we are there. Prints as `host:port/database`.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Plain or encrypted.
    pub scheme: Scheme,
    /// Name or IP address, without the brackets of IPv6.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Number of the database, 0 unless the URL says otherwise.
    pub database: u32,
    credentials: Option<Credentials>,
}

/// What AUTH is called with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Option<String>,
    pub(crate) password: String,
}

/// A URL that cannot be used. Says what is wrong without repeating any part of it: a part that
/// was taken for the port may be half a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Nothing is there.
    #[error("the URL is empty; it must look like redis://user:password@host:6379/0")]
    Empty,
    /// Neither `redis://` nor `rediss://`.
    #[error("the URL must begin with redis:// or, for TLS, with rediss://")]
    Scheme,
    /// No host.
    #[error("the URL names no host; it must look like redis://user:password@host:6379/0")]
    Host,
    /// The port is not 1 to 65535.
    #[error("the URL's port is not a number from 1 to 65535")]
    Port,
    /// The database is not a number.
    #[error(
        "what follows the URL's host and port is not the number of a database, such as /0; options after ? are not understood"
    )]
    Database,
    /// A user without a password.
    #[error(
        "the URL has a user but no password: write redis://user:password@host, or redis://:password@host for the default user"
    )]
    Password,
    /// The user or password is not text.
    #[error("the URL's user or password is not UTF-8 after percent-decoding")]
    Text,
}

impl Address {
    /// Reads `redis://user:password@host:port/database`, all but the host optional.
    ///
    /// User and password are percent-decoded. They end at the last `@`, so that a password with
    /// an unencoded `/`, `?`, `#` or `@` in it is understood, too.
    ///
    /// # Errors
    /// [`InvalidAddress`] says what is wrong, without repeating any of it.
    pub fn parse(url: &str) -> Result<Self, InvalidAddress> {
        let url = url.trim();
        if url.is_empty() {
            return Err(InvalidAddress::Empty);
        }
        let (scheme, rest) = url.split_once("://").ok_or(InvalidAddress::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "redis" => Scheme::Plain,
            "rediss" => Scheme::Tls,
            _ => return Err(InvalidAddress::Scheme),
        };
        let (user_and_password, place) = match rest.rsplit_once('@') {
            Some((user_and_password, place)) => (Some(user_and_password), place),
            None => (None, rest),
        };
        let (authority, path) = match place.find(['/', '?', '#']) {
            Some(end) => place.split_at(end),
            None => (place, ""),
        };
        let (host, port) = host_and_port(authority)?;
        Ok(Self {
            scheme,
            host,
            port,
            database: database(path)?,
            credentials: user_and_password.map(credentials).transpose()?.flatten(),
        })
    }

    pub(crate) const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

fn host_and_port(authority: &str) -> Result<(String, u16), InvalidAddress> {
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or(InvalidAddress::Host)?;
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port),
            None if rest.is_empty() => None,
            None => return Err(InvalidAddress::Port),
        };
        (host, port)
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if host.is_empty() || host.contains(|character: char| !is_of_a_host(character)) {
        return Err(InvalidAddress::Host);
    }
    let port = match port {
        None | Some("") => DEFAULT_PORT,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or(InvalidAddress::Port)?,
    };
    Ok((host.to_owned(), port))
}

const fn is_of_a_host(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_' | ':' | '%')
}

fn database(path: &str) -> Result<u32, InvalidAddress> {
    match path.strip_prefix('/') {
        None if path.is_empty() => Ok(0),
        Some("") => Ok(0),
        Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            number.parse().map_err(|_| InvalidAddress::Database)
        }
        _ => Err(InvalidAddress::Database),
    }
}

fn credentials(user_and_password: &str) -> Result<Option<Credentials>, InvalidAddress> {
    let (user, password) = user_and_password
        .split_once(':')
        .unwrap_or((user_and_password, ""));
    let decode = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| InvalidAddress::Text)
    };
    let (user, password) = (decode(user)?, decode(password)?);
    match (user.is_empty(), password.is_empty()) {
        (true, true) => Ok(None),
        (false, true) => Err(InvalidAddress::Password),
        (no_user, false) => Ok(Some(Credentials {
            user: (!no_user).then_some(user),
            password,
        })),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme: _,
            host,
            port,
            database,
            credentials: _,
        } = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}/{database}")
        } else {
            write!(formatter, "{host}:{port}/{database}")
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;

    fn user_and_password(address: &Address) -> Option<(Option<&str>, &str)> {
        address
            .credentials()
            .map(|Credentials { user, password }| (user.as_deref(), password.as_str()))
    }

    #[test]
    fn urls_are_understood() {
        for (url, scheme, shown, credentials) in [
            ("redis://cache", Scheme::Plain, "cache:6379/0", None),
            ("  rediss://cache/\n", Scheme::Tls, "cache:6379/0", None),
            (
                "REDIS://10.0.0.7:7000/3",
                Scheme::Plain,
                "10.0.0.7:7000/3",
                None,
            ),
            (
                "redis://[::1]:7000/15",
                Scheme::Plain,
                "[::1]:7000/15",
                None,
            ),
            ("redis://[fe80::1]", Scheme::Plain, "[fe80::1]:6379/0", None),
            (
                "redis://:secret@cache:7000",
                Scheme::Plain,
                "cache:7000/0",
                Some((None, "secret")),
            ),
            (
                "redis://ann:secret@cache",
                Scheme::Plain,
                "cache:6379/0",
                Some((Some("ann"), "secret")),
            ),
            (
                "redis://a%40b:p%2Fw%3a%25@cache",
                Scheme::Plain,
                "cache:6379/0",
                Some((Some("a@b"), "p/w:%")),
            ),
            (
                "redis://:a/b?c#d@e:f@cache:1/2",
                Scheme::Plain,
                "cache:1/2",
                Some((None, "a/b?c#d@e:f")),
            ),
            ("redis://@cache", Scheme::Plain, "cache:6379/0", None),
            ("redis://:@cache", Scheme::Plain, "cache:6379/0", None),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.scheme, scheme, "{url}");
            assert_eq!(address.to_string(), shown, "{url}");
            assert_eq!(user_and_password(&address), credentials, "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused_with_their_reason() {
        for (url, reason) in [
            ("", InvalidAddress::Empty),
            (" \n", InvalidAddress::Empty),
            ("cache:6379", InvalidAddress::Scheme),
            ("http://cache", InvalidAddress::Scheme),
            ("unix:///run/redis.sock", InvalidAddress::Scheme),
            ("redis://", InvalidAddress::Host),
            ("redis://:6379", InvalidAddress::Host),
            ("redis://ca che", InvalidAddress::Host),
            ("redis://[::1", InvalidAddress::Host),
            ("redis://[::1]7000", InvalidAddress::Port),
            ("redis://cache:0", InvalidAddress::Port),
            ("redis://cache:65536", InvalidAddress::Port),
            ("redis://cache:port", InvalidAddress::Port),
            ("redis://cache/one", InvalidAddress::Database),
            ("redis://cache/-1", InvalidAddress::Database),
            ("redis://cache/+1", InvalidAddress::Database),
            ("redis://cache/1/2", InvalidAddress::Database),
            ("redis://cache/99999999999", InvalidAddress::Database),
            ("redis://cache?db=1", InvalidAddress::Database),
            ("redis://cache#1", InvalidAddress::Database),
            ("redis://ann@cache", InvalidAddress::Password),
            ("redis://ann:%ff@cache", InvalidAddress::Text),
        ] {
            assert_eq!(Address::parse(url), Err(reason), "{url}");
        }
    }

    #[test]
    fn nothing_printed_holds_a_credential() {
        let address = Address::parse("redis://anna:tops3cret@cache").unwrap();
        let printed = format!("{address} {address:?} {:?}", address.credentials());
        assert!(
            !printed.contains("anna") && !printed.contains("tops3cret"),
            "{printed}"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(url in "(rediss?://)?.{0,80}") {
            if let Ok(address) = Address::parse(&url) {
                prop_assert!(!address.host.is_empty());
                prop_assert_ne!(address.port, 0);
            }
        }

        #[test]
        fn any_encoded_password_comes_back(password in "\\PC{1,40}") {
            let mut encoded = String::new();
            for byte in password.bytes() {
                write!(encoded, "%{byte:02X}").unwrap();
            }
            let address = Address::parse(&format!("redis://u:{encoded}@cache")).unwrap();
            prop_assert_eq!(user_and_password(&address), Some((Some("u"), password.as_str())));
        }
    }
}
