//! The first words on a new connection: AUTH, SELECT, CLIENT SETNAME, PING, and GET of a key that
//! has to be there, if there is one.
//!
//! Spoken by us and not by the client library, so that every way of being turned away can be told
//! from the others: a server at its limit answers before it was asked and hangs up, one that wants
//! TLS answers nothing that is Redis' protocol.

use std::io;

use redyno_contract::message::Refusal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::address::{Address, Credentials};
use crate::connect::failure::ConnectFailure;
use crate::connect::options::ConnectOptions;
use crate::words::presentable;

/// Every answer to these commands is one line; all of them together are much shorter than this.
const LONGEST_ANSWER: usize = 8 * 1024;

/// A text that is not there.
const NIL: &str = "$-1";

/// How the first words ended.
#[derive(Debug)]
pub(super) enum Unwelcome {
    /// The server turned us away in its own words.
    Refused(ConnectFailure),
    /// The server hung up, or the connection broke.
    Broken(io::Error),
    /// What came back is not Redis' protocol.
    NotRedis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Auth,
    Select,
    Name,
    Ping,
    ExpectedKey,
}

/// Says the first words and hears the answers.
pub(super) async fn greet<S>(
    stream: &mut S,
    address: &Address,
    options: &ConnectOptions,
) -> Result<(), Unwelcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match converse(stream, address, options, true).await? {
        Outcome::Welcome => Ok(()),
        // Before version 6 there were no users.
        Outcome::NoUsers => match converse(stream, address, options, false).await? {
            Outcome::Welcome => Ok(()),
            Outcome::NoUsers => Err(Unwelcome::Refused(ConnectFailure::new(
                Refusal::AuthenticationFailed,
                format!("{address} does not accept AUTH with a password"),
            ))),
        },
    }
}

enum Outcome {
    Welcome,
    NoUsers,
}

async fn converse<S>(
    stream: &mut S,
    address: &Address,
    options: &ConnectOptions,
    with_user: bool,
) -> Result<Outcome, Unwelcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (bytes, words) = said(address, options, with_user);
    // A server at its limit has hung up already; what it said is still to be read.
    let written = match stream.write_all(&bytes).await {
        Ok(()) => stream.flush().await,
        Err(error) => Err(error),
    };
    let mut heard = Vec::new();
    let mut outcome = Outcome::Welcome;
    for word in words {
        let line = match next_answer(stream, &mut heard, word).await {
            Ok(line) => line,
            Err(Unwelcome::Broken(error)) => {
                return Err(Unwelcome::Broken(written.err().unwrap_or(error)));
            }
            Err(other) => return Err(other),
        };
        match meaning(word, &line, address, with_user) {
            Meaning::Fine => {}
            Meaning::NoUsers => outcome = Outcome::NoUsers,
            Meaning::KeyMissing => {
                let key = options.expects_key.as_deref().unwrap_or_default();
                return Err(Unwelcome::Refused(ConnectFailure::key_missing(
                    address, key,
                )));
            }
            // After a failed AUTH every other answer is a consequence of it.
            Meaning::Refused(_) if matches!(outcome, Outcome::NoUsers) => {}
            Meaning::Refused(failure) => return Err(Unwelcome::Refused(failure)),
            Meaning::NotRedis => return Err(Unwelcome::NotRedis),
        }
    }
    if heard.is_empty() {
        Ok(outcome)
    } else {
        Err(Unwelcome::NotRedis)
    }
}

fn said(address: &Address, options: &ConnectOptions, with_user: bool) -> (Vec<u8>, Vec<Word>) {
    let mut bytes = Vec::new();
    let mut words = Vec::new();
    let mut say = |word: Word, arguments: &[&str]| {
        let mut command = redis::Cmd::new();
        for argument in arguments {
            command.arg(*argument);
        }
        bytes.extend(command.get_packed_command());
        words.push(word);
    };
    match address.credentials() {
        Some(Credentials {
            user: Some(user),
            password,
            was_encoded: _,
        }) if with_user => say(Word::Auth, &["AUTH", user, password]),
        Some(Credentials {
            user: _,
            password,
            was_encoded: _,
        }) => say(Word::Auth, &["AUTH", password]),
        None => {}
    }
    if address.database != 0 {
        say(Word::Select, &["SELECT", &address.database.to_string()]);
    }
    // CLIENT SETNAME refuses spaces and line breaks.
    let name: String = options
        .name
        .chars()
        .map(|character| {
            if character.is_ascii_graphic() {
                character
            } else {
                '-'
            }
        })
        .collect();
    say(Word::Name, &["CLIENT", "SETNAME", &name]);
    say(Word::Ping, &["PING"]);
    if let Some(key) = &options.expects_key {
        say(Word::ExpectedKey, &["GET", key]);
    }
    (bytes, words)
}

/// The answer to a word: its line, and of a text only the first, which says how long it is.
async fn next_answer<S>(
    stream: &mut S,
    heard: &mut Vec<u8>,
    word: Word,
) -> Result<String, Unwelcome>
where
    S: AsyncRead + Unpin,
{
    let kinds: &[u8] = match word {
        Word::ExpectedKey => b"+-$",
        Word::Auth | Word::Select | Word::Name | Word::Ping => b"+-",
    };
    let line = next_line(stream, heard, Some(kinds)).await?;
    if line.starts_with('$') && line != NIL {
        // What a run's phase says has no line end in it.
        next_line(stream, heard, None).await?;
    }
    Ok(line)
}

/// A line, which begins with one of these bytes, if any are given.
async fn next_line<S>(
    stream: &mut S,
    heard: &mut Vec<u8>,
    kinds: Option<&[u8]>,
) -> Result<String, Unwelcome>
where
    S: AsyncRead + Unpin,
{
    loop {
        if let (Some(first), Some(kinds)) = (heard.first(), kinds)
            && !kinds.contains(first)
        {
            return Err(Unwelcome::NotRedis);
        }
        if let Some(end) = heard.windows(2).position(|pair| pair == b"\r\n") {
            let line: Vec<u8> = heard.drain(..end + 2).take(end).collect();
            return Ok(String::from_utf8_lossy(&line).into_owned());
        }
        if heard.len() > LONGEST_ANSWER {
            return Err(Unwelcome::NotRedis);
        }
        let read = stream.read_buf(heard).await.map_err(Unwelcome::Broken)?;
        if read == 0 {
            return Err(Unwelcome::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Fine,
    KeyMissing,
    NoUsers,
    Refused(ConnectFailure),
    NotRedis,
}

fn meaning(word: Word, line: &str, address: &Address, with_user: bool) -> Meaning {
    let Some(error) = line.strip_prefix('-') else {
        return if line == NIL {
            Meaning::KeyMissing
        } else if line.starts_with(['+', '$']) {
            Meaning::Fine
        } else {
            Meaning::NotRedis
        };
    };
    let refused =
        |refusal, message: String| Meaning::Refused(ConnectFailure::new(refusal, message));
    let shown = presentable(error, address.credentials());
    let code = error.split(' ').next().unwrap_or_default();
    if error.contains("max number of clients") {
        return refused(
            Refusal::TooFewConnections,
            format!("{address} has reached its limit of connections (maxclients)"),
        );
    }
    match (code, word) {
        ("DENIED", _) => refused(
            Refusal::AuthenticationFailed,
            format!(
                "{address} is in protected mode: it accepts no connection from other machines until it has a password"
            ),
        ),
        ("LOADING" | "MASTERDOWN" | "BUSY", _) => Meaning::Refused(
            ConnectFailure::new(
                Refusal::Other,
                match code {
                    "LOADING" => format!("{address} is still loading its data"),
                    _ => format!("{address} does not answer yet: {shown}"),
                },
            )
            .that_may_heal(),
        ),
        ("NOAUTH", _) => refused(
            Refusal::AuthenticationFailed,
            format!("{address} wants a password and the URL has none"),
        ),
        (_, Word::Auth) if with_user && error.contains("wrong number of arguments") => {
            Meaning::NoUsers
        }
        // Old URLs of Heroku have a user who was never one.
        ("WRONGPASS", Word::Auth) if with_user && address.has_user_of_old_heroku() => {
            Meaning::NoUsers
        }
        (_, Word::Auth)
            if error.contains("without any password") || error.contains("no password is set") =>
        {
            refused(
                Refusal::AuthenticationFailed,
                format!("the URL has a password, but {address} has none for the default user"),
            )
        }
        // Some servers repeat the arguments of a command that they do not know.
        (_, Word::Auth) => refused(
            Refusal::AuthenticationFailed,
            format!(
                "{address} does not accept the URL's user and password{}",
                address.advice_on_encoding()
            ),
        ),
        ("NOPERM", Word::Select) => refused(
            Refusal::PermissionDenied,
            format!(
                "the URL's user may not run SELECT at {address}: grant +select, or use database 0"
            ),
        ),
        (_, Word::Select) if error.contains("cluster mode") => refused(
            Refusal::ClusterModeUnsupported,
            format!("{address} is a Redis Cluster, which redyno cannot test"),
        ),
        (_, Word::Select) => refused(
            Refusal::Other,
            format!("{address} has no database {}: {shown}", address.database),
        ),
        (_, Word::ExpectedKey) => refused(
            Refusal::Other,
            format!("{address} does not say whether it is this run's: {shown}"),
        ),
        // A name is a courtesy, and not everybody may set one. Whether PING is allowed is the
        // preflight's question.
        (_, Word::Name | Word::Ping) => Meaning::Fine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        Address::parse("redis://anna:tops3cret@cache/3").unwrap()
    }

    #[test]
    fn answers_are_told_apart() {
        for (word, line, refusal) in [
            (
                Word::Auth,
                "-WRONGPASS invalid username-password pair or user is disabled.",
                Refusal::AuthenticationFailed,
            ),
            (
                Word::Auth,
                "-ERR invalid password",
                Refusal::AuthenticationFailed,
            ),
            (
                Word::Auth,
                "-ERR max number of clients reached",
                Refusal::TooFewConnections,
            ),
            (
                Word::Ping,
                "-ERR max number of clients reached",
                Refusal::TooFewConnections,
            ),
            (
                Word::Ping,
                "-NOAUTH Authentication required.",
                Refusal::AuthenticationFailed,
            ),
            (
                Word::Name,
                "-NOAUTH Authentication required.",
                Refusal::AuthenticationFailed,
            ),
            (
                Word::Name,
                "-DENIED Redis is running in protected mode because",
                Refusal::AuthenticationFailed,
            ),
            (
                Word::Ping,
                "-LOADING Redis is loading the dataset in memory",
                Refusal::Other,
            ),
            (
                Word::Select,
                "-NOPERM this user has no permissions to run the 'select' command",
                Refusal::PermissionDenied,
            ),
            (
                Word::Select,
                "-ERR DB index is out of range",
                Refusal::Other,
            ),
            (
                Word::Select,
                "-ERR SELECT is not allowed in cluster mode",
                Refusal::ClusterModeUnsupported,
            ),
        ] {
            let Meaning::Refused(failure) = meaning(word, line, &address(), true) else {
                panic!("{line} is refused");
            };
            assert_eq!(failure.refusal, refusal, "{line}");
        }
        for (word, line) in [
            (Word::Auth, "+OK"),
            (Word::Name, "-ERR unknown command 'CLIENT'"),
            (Word::Name, "-NOPERM this user has no permissions"),
            (Word::Ping, "-NOPERM this user has no permissions"),
            (Word::Ping, "+PONG"),
        ] {
            assert_eq!(
                meaning(word, line, &address(), true),
                Meaning::Fine,
                "{line}"
            );
        }
        let line = "-ERR wrong number of arguments for 'auth' command";
        assert_eq!(
            meaning(Word::Auth, line, &address(), true),
            Meaning::NoUsers
        );
    }

    #[test]
    fn no_answer_brings_the_password_into_a_message() {
        for word in [Word::Auth, Word::Select] {
            let line = "-ERR unknown command 'AUTH', with args: 'anna' 'tops3cret'";
            let Meaning::Refused(failure) = meaning(word, line, &address(), true) else {
                panic!("refused");
            };
            assert!(!failure.message.contains("tops3cret"), "{failure}");
            assert!(!failure.message.contains("anna"), "{failure}");
        }
    }

    async fn greeted_with(answer: &[u8]) -> Result<(), Unwelcome> {
        let (mut ours, mut theirs) = tokio::io::duplex(16 * 1024);
        theirs.write_all(answer).await.unwrap();
        theirs.shutdown().await.unwrap();
        greet(
            &mut ours,
            &address(),
            &ConnectOptions::patient("redyno web.1"),
        )
        .await
    }

    #[tokio::test]
    async fn a_server_without_users_is_asked_again() {
        let answer = b"-ERR wrong number of arguments for 'auth' command\r\n\
            -NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n\
            -NOAUTH Authentication required.\r\n+OK\r\n+OK\r\n+OK\r\n+PONG\r\n";
        let (mut ours, mut theirs) = tokio::io::duplex(4096);
        let server = tokio::spawn(async move {
            let first = answer.windows(3).position(|part| part == b"+OK").unwrap();
            let mut said = vec![0; 4096];
            theirs.write_all(&answer[..first]).await.unwrap();
            let _count = theirs.read(&mut said).await.unwrap();
            let count = theirs.read(&mut said).await.unwrap();
            theirs.write_all(&answer[first..]).await.unwrap();
            String::from_utf8(said[..count].to_vec()).unwrap()
        });
        greet(
            &mut ours,
            &address(),
            &ConnectOptions::patient("redyno web.1"),
        )
        .await
        .unwrap();
        let second = server.await.unwrap();
        assert!(
            second.starts_with("*2\r\n$4\r\nAUTH\r\n$9\r\ntops3cret\r\n"),
            "{second}"
        );
        assert!(second.contains("redyno-web.1"), "{second}");
    }

    #[tokio::test]
    async fn what_is_not_redis_is_noticed() {
        for answer in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            b"\x15\x03\x01\x00\x02\x02\x46",
            b"+OK\r\n+OK\r\n+OK\r\n+PONG\r\nand more",
            &[b'+'; 10_000],
        ] {
            let result = greeted_with(answer).await;
            assert!(matches!(result, Err(Unwelcome::NotRedis)), "{result:?}");
        }
        let result = greeted_with(b"+OK\r\n").await;
        assert!(matches!(result, Err(Unwelcome::Broken(_))), "{result:?}");
    }

    #[tokio::test]
    async fn a_key_that_has_to_be_there_is_asked_for_in_the_same_round_trip() {
        for (answer, found) in [
            ("$7\r\nrunning\r\n", Ok(())),
            ("$0\r\n\r\n", Ok(())),
            ("$-1\r\n", Err(true)),
            ("-WRONGTYPE Operation against a key\r\n", Err(false)),
            ("-NOPERM this user has no permissions\r\n", Err(false)),
        ] {
            let (mut ours, mut theirs) = tokio::io::duplex(4096);
            theirs
                .write_all(format!("+OK\r\n+OK\r\n+OK\r\n+PONG\r\n{answer}").as_bytes())
                .await
                .unwrap();
            let options = ConnectOptions {
                expects_key: Some("redyno:{1}:phase".to_owned()),
                ..ConnectOptions::patient("redyno web.1")
            };
            let result = greet(&mut ours, &address(), &options).await;
            let found_there = result.map_err(|unwelcome| match unwelcome {
                Unwelcome::Refused(failure) => failure.key_missing,
                other => panic!("{other:?}"),
            });
            assert_eq!(found_there, found, "{answer}");
            let mut said = vec![0; 4096];
            let count = theirs.read(&mut said).await.unwrap();
            assert!(said[..count].ends_with(b"GET\r\n$16\r\nredyno:{1}:phase\r\n"));
        }
    }
}
