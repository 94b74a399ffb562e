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
    /// `redis+unix://`: a socket of this machine, whose path is the host.
    Unix,
}

/// Where the Redis is and who we are there. Prints as `host:port/database`, a socket as its path.
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
    /// It was written with a percent sign, which may have been meant as it stands.
    pub(crate) was_encoded: bool,
}

/// A URL that cannot be used. Says what is wrong without repeating any part of it: a part that
/// was taken for the port may be half a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Nothing is there.
    #[error("the URL is empty; it must look like redis://user:password@host:6379/0")]
    Empty,
    /// None of the schemes.
    #[error(
        "the URL must begin with redis:// or, for TLS, with rediss://; a socket's with redis+unix://"
    )]
    Scheme,
    /// The address of what leads to a Redis, or to several.
    #[error(
        "the URL is that of a Sentinel or of a cluster: a run loads one server, give the URL of the master alone, such as redis://host:6379"
    )]
    SentinelOrCluster,
    /// `redis-cli -u ...`, or an assignment.
    #[error(
        "this is a line for a shell, not a URL: give only the URL in it, such as redis://user:password@host:6379/0 (rediss:// where it says --tls)"
    )]
    ShellLine,
    /// Several hosts.
    #[error(
        "the URL names several hosts: a run loads one server, give the URL of the master alone"
    )]
    SeveralHosts,
    /// An IPv6 address without brackets.
    #[error("an IPv6 address stands in brackets, so that its port can be told: redis://[::1]:6379")]
    BareIpv6,
    /// `?db=` where a path is meant.
    #[error(
        "the number of the database stands after host and port, such as redis://host:6379/1, not after ?db="
    )]
    DatabaseAsOption,
    /// `?ssl_cert_reqs=` and its like.
    #[error(
        "what is verified of the server's certificate does not stand in the URL: say tls: SkipVerification in the target, or --tls SkipVerification without a cluster, and leave out what follows the ?"
    )]
    VerificationAsOption,
    /// `?` and anything else.
    #[error("what follows the ? of the URL is for other clients: leave it out")]
    Options,
    /// A path that is none.
    #[error("a socket's URL needs its whole path, such as redis+unix:///run/redis.sock")]
    Path,
    /// No host.
    #[error("the URL names no host; it must look like redis://user:password@host:6379/0")]
    Host,
    /// The port is not 1 to 65535.
    #[error("the URL's port is not a number from 1 to 65535")]
    Port,
    /// The database is not a number.
    #[error("what follows the URL's host and port is not the number of a database, such as /0")]
    Database,
    /// A user without a password.
    #[error(
        "the URL has a user but no password: write redis://user:password@host, or redis://:password@host for the default user"
    )]
    Password,
}

impl Address {
    /// Reads `redis://user:password@host:port/database`, all but the host optional.
    ///
    /// User and password are percent-decoded. They end at the last `@`, so that a password with
    /// an unencoded `/`, `?`, `#` or `@` in it is understood, too, and so is one whose `%` is meant
    /// as it stands, if it cannot be meant otherwise. Quotes around it all are passed over.
    ///
    /// # Errors
    /// [`InvalidAddress`] says what is wrong, without repeating any of it.
    pub fn parse(url: &str) -> Result<Self, InvalidAddress> {
        let url = without_quotes(url.trim());
        if url.is_empty() {
            return Err(InvalidAddress::Empty);
        }
        let (scheme, rest) = match url.split_once("://") {
            Some(parts) => parts,
            None if url.starts_with("redis-cli ") || url.starts_with("valkey-cli ") => {
                return Err(InvalidAddress::ShellLine);
            }
            None => return Err(InvalidAddress::Scheme),
        };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "redis" | "valkey" => Scheme::Plain,
            "rediss" | "valkeys" => Scheme::Tls,
            "redis+unix" | "valkey+unix" | "unix" | "redis-socket" => return Self::socket(rest),
            other if other.contains("sentinel") || other.contains("cluster") => {
                return Err(InvalidAddress::SentinelOrCluster);
            }
            other if other.contains(['=', ' ']) => return Err(InvalidAddress::ShellLine),
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
        let path = match path.split_once('?') {
            Some((_, options)) => return Err(of_options(options)),
            None => path,
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

    /// What follows `redis+unix://`: user and password, the path, and `?db=`, for which a path has
    /// no other place.
    fn socket(rest: &str) -> Result<Self, InvalidAddress> {
        let (user_and_password, path) = match rest.split_once("@/") {
            Some((user_and_password, path)) => (Some(user_and_password), format!("/{path}")),
            None => (None, rest.to_owned()),
        };
        let (path, database) = match path.split_once('?') {
            Some((path, options)) => {
                let number = options.strip_prefix("db=").ok_or(InvalidAddress::Options)?;
                (path.to_owned(), database(&format!("/{number}"))?)
            }
            None => (path, 0),
        };
        if !path.starts_with('/') || path.len() < 2 {
            return Err(InvalidAddress::Path);
        }
        Ok(Self {
            scheme: Scheme::Unix,
            host: decoded(&path),
            port: 0,
            database,
            credentials: user_and_password.map(credentials).transpose()?.flatten(),
        })
    }

    /// Whether the user is `h`, as in URLs that Heroku made before Redis had users.
    pub(crate) fn has_user_of_old_heroku(&self) -> bool {
        self.credentials
            .as_ref()
            .is_some_and(|credentials| credentials.user.as_deref() == Some("h"))
    }

    /// What may be wrong with a password that is not accepted, as a clause.
    pub(crate) fn advice_on_encoding(&self) -> &'static str {
        let has_percent = self
            .credentials
            .as_ref()
            .is_some_and(|credentials| credentials.was_encoded);
        if has_percent {
            ": a % in a password is written %25 in a URL"
        } else {
            ""
        }
    }

    pub(crate) const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

/// Shells and files keep quotes that were meant for them.
fn without_quotes(url: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| url.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(url)
}

/// What is wrong with what follows a `?`.
fn of_options(options: &str) -> InvalidAddress {
    let is_one_of = |names: &[&str]| {
        options
            .split('&')
            .filter_map(|option| option.split('=').next())
            .any(|option| names.contains(&option))
    };
    if is_one_of(&[
        "ssl_cert_reqs",
        "ssl",
        "ssl_check_hostname",
        "tls",
        "insecure",
        "skip_verify",
        "sslmode",
    ]) {
        InvalidAddress::VerificationAsOption
    } else if is_one_of(&["db", "database"]) {
        InvalidAddress::DatabaseAsOption
    } else {
        InvalidAddress::Options
    }
}

fn host_and_port(authority: &str) -> Result<(String, u16), InvalidAddress> {
    if authority.contains(',') {
        return Err(InvalidAddress::SeveralHosts);
    }
    // Only the whole can be meant: of an address and a port nobody knows where one ends.
    if !authority.starts_with('[') && authority.matches(':').count() > 1 {
        return match authority.parse::<std::net::Ipv6Addr>() {
            Ok(_) if !ends_like_a_port(authority) => Ok((authority.to_owned(), DEFAULT_PORT)),
            _ => Err(InvalidAddress::BareIpv6),
        };
    }
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
    // The zone of an address that is of one network only: `fe80::1%25eth0`.
    Ok((host.replacen("%25", "%", 1), port))
}

/// Whether what follows the last colon may be meant as a port.
fn ends_like_a_port(authority: &str) -> bool {
    authority
        .rsplit(':')
        .next()
        .is_some_and(|last| last.len() > 3 && last.bytes().all(|byte| byte.is_ascii_digit()))
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
    let (user, password) = (decoded(user), decoded(password));
    match (user.is_empty(), password.is_empty()) {
        (true, true) => Ok(None),
        // Who says nothing is that user anyway.
        (false, true) if user == "default" => Ok(None),
        (false, true) => Err(InvalidAddress::Password),
        (no_user, false) => Ok(Some(Credentials {
            user: (!no_user).then_some(user),
            password,
            was_encoded: user_and_password.contains('%'),
        })),
    }
}

/// What is no text when it is decoded was not encoded.
fn decoded(text: &str) -> String {
    percent_decode_str(text)
        .decode_utf8()
        .map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme,
            host,
            port,
            database,
            credentials: _,
        } = self;
        if *scheme == Scheme::Unix {
            write!(formatter, "{host}")?;
            return match database {
                0 => Ok(()),
                number => write!(formatter, "?db={number}"),
            };
        }
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
            .map(|Credentials { user, password, .. }| (user.as_deref(), password.as_str()))
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
            ("\"redis://cache\"", Scheme::Plain, "cache:6379/0", None),
            (" 'rediss://cache:1' ", Scheme::Tls, "cache:1/0", None),
            ("redis://::1", Scheme::Plain, "[::1]:6379/0", None),
            ("redis://fe80::1/2", Scheme::Plain, "[fe80::1]:6379/2", None),
            (
                "redis://h:pass@ec2-1-2-3-4.compute.amazonaws.com:7000",
                Scheme::Plain,
                "ec2-1-2-3-4.compute.amazonaws.com:7000/0",
                Some((Some("h"), "pass")),
            ),
            (
                "redis://:50%off@cache",
                Scheme::Plain,
                "cache:6379/0",
                Some((None, "50%off")),
            ),
            (
                "redis://:a%ffb@cache",
                Scheme::Plain,
                "cache:6379/0",
                Some((None, "a%ffb")),
            ),
            (
                "redis+unix:///run/redis.sock",
                Scheme::Unix,
                "/run/redis.sock",
                None,
            ),
            (
                "redis+unix://:s3cret@/run/redis.sock?db=3",
                Scheme::Unix,
                "/run/redis.sock?db=3",
                Some((None, "s3cret")),
            ),
            (
                "redis+unix:///run/my%20redis/a%2Fb.sock?db=1",
                Scheme::Unix,
                "/run/my redis/a/b.sock?db=1",
                None,
            ),
            ("valkey://cache/1", Scheme::Plain, "cache:6379/1", None),
            ("valkeys://cache", Scheme::Tls, "cache:6379/0", None),
            (
                "redis://default:@cache",
                Scheme::Plain,
                "cache:6379/0",
                None,
            ),
            (
                "redis://[fe80::1%25eth0]:7000",
                Scheme::Plain,
                "[fe80::1%eth0]:7000/0",
                None,
            ),
            (
                "unix:///run/redis.sock",
                Scheme::Unix,
                "/run/redis.sock",
                None,
            ),
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
            (
                "redis-sentinel://cache:26379/mymaster",
                InvalidAddress::SentinelOrCluster,
            ),
            (
                "rediss+cluster://cache:6379",
                InvalidAddress::SentinelOrCluster,
            ),
            ("REDIS_URL=redis://cache", InvalidAddress::ShellLine),
            ("export REDIS_URL=redis://cache", InvalidAddress::ShellLine),
            (
                "redis-cli --tls -u redis://default:secret@cache:6379",
                InvalidAddress::ShellLine,
            ),
            ("redis-cli -h cache -a secret", InvalidAddress::ShellLine),
            ("redis+unix://", InvalidAddress::Path),
            ("redis+unix://redis.sock", InvalidAddress::Path),
            (
                "redis+unix:///run/redis.sock?ssl=1",
                InvalidAddress::Options,
            ),
            ("redis://a:6379,b:6379", InvalidAddress::SeveralHosts),
            ("redis://:secret@a,b/0", InvalidAddress::SeveralHosts),
            ("redis://::1:6379", InvalidAddress::BareIpv6),
            ("redis://fe80::1:7000/1", InvalidAddress::BareIpv6),
            ("redis://a:b:c", InvalidAddress::BareIpv6),
            (
                "rediss://cache:6379/0?ssl_cert_reqs=none",
                InvalidAddress::VerificationAsOption,
            ),
            (
                "rediss://cache?family=0&ssl_cert_reqs=CERT_NONE",
                InvalidAddress::VerificationAsOption,
            ),
            ("redis://cache?protocol=3", InvalidAddress::Options),
            ("redis://cache/2?timeout=5", InvalidAddress::Options),
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
            ("redis://cache?db=1", InvalidAddress::DatabaseAsOption),
            ("redis://cache#1", InvalidAddress::Database),
            ("redis://ann@cache", InvalidAddress::Password),
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
                prop_assert!(address.port != 0 || address.scheme == Scheme::Unix);
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
