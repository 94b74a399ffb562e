//! Connecting, and every way of being turned away.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redyno_contract::message::Refusal;
use redyno_contract::plan::TlsVerification;
use redyno_target::{ByteCounters, ConnectFailure, ConnectOptions, SystemNetwork, Target};
use redyno_test_redis::{Folder, RedisServer};

use crate::run::{connect, say, target};

async fn refused(url: &str) -> ConnectFailure {
    target(url)
        .connect(&ConnectOptions::patient("redyno-test"))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn an_open_server_in_a_database_of_its_own() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&format!("{}/3", server.url()));
    assert_eq!(target.to_string(), format!("127.0.0.1:{}/3", server.port()));
    let mut connection = connect(&target).await;
    say(&mut connection, "SET here 1").await;
    let info = redyno_target::Info::read(&mut connection).await.unwrap();
    assert_eq!(info.keys(3), Some(1));
    assert_eq!(info.tcp_port, Some(server.port().into()));
    let name: String =
        redis::from_redis_value(say(&mut connection, "CLIENT GETNAME").await).unwrap();
    assert_eq!(name, "redyno-test");
}

#[tokio::test]
async fn passwords_and_users() {
    let server = RedisServer::start(&[
        "--requirepass",
        "d@fault/",
        "--user",
        "anna",
        "on",
        ">s3cret",
        "~*",
        "+@all",
    ])
    .await
    .unwrap();
    let url = |credentials: &str| format!("redis://{credentials}127.0.0.1:{}", server.port());
    for credentials in [
        ":d@fault/@",
        ":d%40fault%2F@",
        "default:d@fault/@",
        "anna:s3cret@",
    ] {
        let mut connection = connect(&target(&url(credentials))).await;
        say(&mut connection, "PING").await;
    }
    for (credentials, words) in [
        ("", "the URL has none"),
        ("anna:wr0ng@", "does not accept"),
        ("nobody:wr0ng@", "does not accept"),
        (":wr0ng@", "does not accept"),
    ] {
        let failure = refused(&url(credentials)).await;
        assert_eq!(
            failure.refusal,
            Refusal::AuthenticationFailed,
            "{credentials}"
        );
        assert!(failure.message.contains(words), "{failure}");
        assert!(!failure.message.contains("wr0ng"), "{failure}");
    }
    let open = RedisServer::start(&[]).await.unwrap();
    let failure = refused(&format!("redis://:wr0ng@127.0.0.1:{}", open.port())).await;
    assert_eq!(failure.refusal, Refusal::AuthenticationFailed);
    assert!(
        failure.message.contains("none for the default user"),
        "{failure}"
    );
}

#[tokio::test]
async fn databases_that_are_not_there_or_not_allowed() {
    let server = RedisServer::start(&[
        "--databases",
        "2",
        "--user",
        "anna",
        "on",
        ">s3cret",
        "~*",
        "+@all",
        "-select",
    ])
    .await
    .unwrap();
    let failure = refused(&format!("{}/2", server.url())).await;
    assert_eq!(failure.refusal, Refusal::Other);
    assert!(failure.message.contains("no database 2"), "{failure}");
    let failure = refused(&format!(
        "redis://anna:s3cret@127.0.0.1:{}/1",
        server.port()
    ))
    .await;
    assert_eq!(failure.refusal, Refusal::PermissionDenied);
    assert!(failure.message.contains("SELECT"), "{failure}");
}

#[tokio::test]
async fn nobody_there() {
    let mut server = RedisServer::start(&[]).await.unwrap();
    server.kill().unwrap();
    assert_eq!(
        refused(&server.url()).await.refusal,
        Refusal::ConnectionRefused
    );
    // Reserved for names that never resolve (RFC 6761).
    let failure = refused("redis://redis.invalid").await;
    assert_eq!(failure.refusal, Refusal::HostNotFound);
    assert!(failure.message.contains("redis.invalid"), "{failure}");
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let options = ConnectOptions {
        connect_timeout: Duration::from_millis(200),
        ..ConnectOptions::patient("redyno-test")
    };
    let failure = target(&url).connect(&options).await.unwrap_err();
    assert_eq!(failure.refusal, Refusal::ConnectionTimeout);
}

#[tokio::test]
async fn a_server_at_its_limit_of_connections() {
    let server = RedisServer::start(&["--maxclients", "3"]).await.unwrap();
    let target = target(&server.url());
    let mut connections = Vec::new();
    let failure = loop {
        match target
            .connect(&ConnectOptions::patient("redyno-test"))
            .await
        {
            Ok(connection) => connections.push(connection),
            Err(failure) => break failure,
        }
        assert!(connections.len() <= 3);
    };
    assert_eq!(connections.len(), 3);
    assert_eq!(failure.refusal, Refusal::TooFewConnections);
    // Dropping a connection closes it at once, clones or not.
    let clone = connections.pop();
    drop(clone);
    target
        .connect_patiently(
            &ConnectOptions::patient("redyno-test"),
            Duration::from_secs(10),
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn something_that_is_not_redis() {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"SSH-2.0-OpenSSH\r\n").await.unwrap();
        }
    });
    let failure = refused(&url).await;
    assert_eq!(failure.refusal, Refusal::Other);
    assert!(
        failure
            .message
            .contains("does not speak the protocol of Redis"),
        "{failure}"
    );
}

#[tokio::test]
async fn no_answer_is_waited_for_longer_than_was_said() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let mut other = connect(&target).await;
    let options = ConnectOptions {
        response_timeout: Some(Duration::from_millis(50)),
        ..ConnectOptions::patient("redyno-test")
    };
    let mut impatient = target.connect(&options).await.unwrap();
    let options = ConnectOptions {
        response_timeout: None,
        ..ConnectOptions::patient("redyno-test")
    };
    let mut patient = target.connect(&options).await.unwrap();
    say(&mut other, "CLIENT PAUSE 60000 WRITE").await;
    let error = impatient
        .send(redis::cmd("SET").arg("key").arg(1))
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let answer =
        tokio::spawn(async move { patient.send(redis::cmd("SET").arg("key").arg(2)).await });
    // Longer than the client library's own default of half a second.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!answer.is_finished());
    say(&mut other, "CLIENT UNPAUSE").await;
    answer.await.unwrap().unwrap();
}

#[tokio::test]
async fn bytes_are_counted() {
    let server = RedisServer::start(&[]).await.unwrap();
    let counters = Arc::new(ByteCounters::default());
    let options = ConnectOptions {
        counters: Some(Arc::clone(&counters)),
        ..ConnectOptions::patient("redyno-test")
    };
    let mut connection = target(&server.url()).connect(&options).await.unwrap();
    let count = || {
        (
            counters.bytes_in.load(Ordering::Relaxed),
            counters.bytes_out.load(Ordering::Relaxed),
        )
    };
    let before = count();
    let pipeline = redis::pipe()
        .cmd("PING")
        .cmd("ECHO")
        .arg("hello")
        .to_owned();
    connection.send_pipeline(&pipeline).await.unwrap();
    let after = count();
    assert_eq!(after.0 - before.0, "+PONG\r\n$5\r\nhello\r\n".len() as u64);
    assert_eq!(
        after.1 - before.1,
        "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n".len() as u64
    );
}

#[tokio::test]
async fn error_replies_are_errors() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut connection = connect(&target(&server.url())).await;
    say(&mut connection, "SET text 1").await;
    let error = connection
        .send(redis::cmd("LPUSH").arg("text").arg(1))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("WRONGTYPE"));
    let transaction = redis::pipe()
        .atomic()
        .cmd("SET")
        .arg("a")
        .arg(1)
        .cmd("LPUSH")
        .arg("text")
        .arg(1)
        .to_owned();
    connection.send_pipeline(&transaction).await.unwrap_err();
}

#[test]
fn folders_that_are_no_target() {
    let message = |files: &[(&str, &[u8])]| {
        let folder = Folder::with(files).unwrap();
        let error = Target::from_directory(
            folder.path(),
            TlsVerification::VerifyFull,
            Arc::new(SystemNetwork),
        )
        .unwrap_err();
        error.to_string()
    };
    assert!(message(&[]).contains("needs the key url"));
    assert!(message(&[("url", b" \n")]).contains("needs the key url"));
    assert!(message(&[("url", b"\xff\xfe")]).contains("not UTF-8"));
    let bad = message(&[("url", b"redis://anna:tops3cret@cache:port")]);
    assert!(
        bad.contains("port is not a number") && !bad.contains("tops3cret"),
        "{bad}"
    );
    assert!(message(&[("url", &vec![b'x'; 2_000_000])]).contains("longer than"));
    let tls: (&str, &[u8]) = ("url", b"rediss://cache");
    assert!(message(&[tls, ("ca.crt", b"rubbish")]).contains("ca.crt"));
    assert!(message(&[tls, ("tls.crt", b"rubbish")]).contains("not both"));
    assert!(message(&[tls, ("tls.key", b"rubbish")]).contains("not both"));
    assert!(message(&[tls, ("tls.key", b"rubbish"), ("tls.crt", b"rubbish")]).contains("tls.crt"));
}

/// Heroku's old URLs have a user `h`, who is nobody.
#[tokio::test]
async fn the_user_of_old_urls_is_nobody() {
    let server = RedisServer::start(&["--requirepass", "s3cret"])
        .await
        .unwrap();
    let url = |user: &str| format!("redis://{user}:s3cret@127.0.0.1:{}", server.port());
    let options = ConnectOptions::patient("redyno-test");
    target(&url("h")).connect(&options).await.unwrap();
    let failure = refused(&url("anna")).await;
    assert_eq!(failure.refusal, Refusal::AuthenticationFailed);
    let failure = refused(&url("h").replace("s3cret", "wr%6Fng")).await;
    assert!(failure.message.contains("written %25"), "{failure}");
    assert!(!failure.message.contains("wrong"), "{failure}");
}

/// A database that is not there stays so: nobody waits for it.
#[tokio::test]
async fn a_database_that_is_not_there_is_refused_at_once_by_its_number() {
    let server = RedisServer::start(&[]).await.unwrap();
    let begun = std::time::Instant::now();
    let failure = target(&format!("{}/16", server.url()))
        .connect_patiently(
            &ConnectOptions::patient("redyno-test"),
            std::time::Duration::from_mins(1),
        )
        .await
        .unwrap_err();
    assert!(begun.elapsed() < std::time::Duration::from_secs(30));
    assert!(failure.message.contains("has no database 16"), "{failure}");
}
