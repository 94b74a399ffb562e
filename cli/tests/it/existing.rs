//! Runs on a Redis that is there, with a password.

use redyno_test_redis::{Certificates, RedisServer};

use crate::command::{EASY, Ended, MANAGED, Redyno, load_test, on_a_quiet_machine};

const PASSWORD: &str = "streng-geheim-4711";
const EXISTING: &str = "{existing: {secretRef: {name: my-redis}}}";

async fn server() -> (RedisServer, String) {
    let server = RedisServer::start(&["--requirepass", PASSWORD])
        .await
        .unwrap();
    let url = server
        .url()
        .replace("redis://", &format!("redis://:{PASSWORD}@"));
    (server, url)
}

/// Keys in the database, asked with the tool of the server's own package.
fn keys(server: &RedisServer) -> String {
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    let output = std::process::Command::new("redis-cli")
        .args([
            "-p",
            &port,
            "--no-auth-warning",
            "-a",
            PASSWORD,
            "keys",
            "*",
        ])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn the_environment_names_it_and_nothing_is_left_in_it() {
    let (server, url) = server().await;
    for output in ["table", "json", "yaml"] {
        let redyno = Redyno::new();
        let file = redyno.file(&load_test(EXISTING, 2, EASY));
        let ended = on_a_quiet_machine(0, || {
            redyno
                .command()
                .args(["run", "-o", output])
                .arg(&file)
                .env("REDIS_URL", &url)
                .output()
                .unwrap()
        });
        for text in [&ended.out, &ended.err] {
            assert!(!text.contains(PASSWORD), "{text}");
        }
        assert_eq!(keys(&server), "");
        redyno.expect_nothing_left();
    }
}

#[tokio::test]
async fn an_explicit_url_replaces_a_managed_redis() {
    let (server, url) = server().await;
    let redyno = Redyno::new();
    let file = redyno.file(&load_test(MANAGED, 2, EASY));
    let ended = on_a_quiet_machine(0, || {
        redyno
            .command()
            .args(["run", "--redis-url", &url])
            .arg(&file)
            .output()
            .unwrap()
    });
    assert!(
        ended
            .out
            .contains("--redis-url in place of managed premium-0"),
        "{}",
        ended.out
    );
    assert!(!ended.out.contains(PASSWORD) && !ended.err.contains(PASSWORD));
    assert_eq!(keys(&server), "");
}

#[tokio::test]
async fn a_wrong_password_is_refused_by_the_preflight() {
    let (server, url) = server().await;
    let redyno = Redyno::new();
    let file = redyno.file(&load_test(EXISTING, 2, EASY));
    let wrong = url.replace(PASSWORD, "wrong-4712");
    let ended = Ended::of(
        redyno
            .command()
            .args(["run", "-o", "json"])
            .arg(file)
            .env("REDIS_URL", wrong)
            .output()
            .unwrap(),
    )
    .expect(2);
    assert_eq!(ended.reason(), "PreflightFailed");
    assert!(ended.out.contains("AuthenticationFailed"), "{}", ended.out);
    assert!(!ended.out.contains("wrong-4712") && !ended.err.contains("wrong-4712"));
    assert_eq!(keys(&server), "");
    redyno.expect_nothing_left();
}

/// A server that wants a client certificate, signed by an authority that no system knows; and what
/// the report says of how it was spoken with.
#[tokio::test]
async fn an_encrypted_redis_with_certificates_of_its_own() {
    let certificates = Certificates::make().unwrap();
    let server = RedisServer::start_tls(&certificates, &["--tls-auth-clients", "yes"])
        .await
        .unwrap();
    let file = |name: &str| certificates.path(name).to_string_lossy().into_owned();
    let own = [
        "--tls-cert",
        &file("client.crt"),
        "--tls-key",
        &file("client.key"),
    ];
    let run = |output: &str, more: &[&str]| {
        let redyno = Redyno::new();
        let path = redyno.file(&load_test(EXISTING, 1, EASY));
        redyno
            .command()
            .args(["run", "-o", output])
            .args(more)
            .arg(&path)
            .env("REDIS_URL", server.tls_url())
            .env_remove("SSL_CERT_FILE")
            .output()
            .unwrap()
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let authority = file("ca.crt");
    let verified = run("table", &[&["--tls-ca", &authority][..], &own].concat());
    let (out, err) = (text(verified.stdout), text(verified.stderr));
    assert!(
        out.contains("TLS (certificate and host name verified)"),
        "{out}{err}"
    );
    for (output, words) in [
        ("table", "TLS (certificate NOT verified: SkipVerification)"),
        ("html", "TLS (certificate NOT verified: SkipVerification)"),
        ("junit", r#"name="encryption" value="TlsSkipVerification""#),
        ("json", r#""encryption": "TlsSkipVerification""#),
    ] {
        let ended = run(output, &[&["--tls", "SkipVerification"][..], &own].concat());
        let out = text(ended.stdout);
        assert!(out.contains(words), "{output}: {out}");
    }
    let refused = run("table", &[]);
    let out = text(refused.stdout);
    assert!(
        out.contains("--tls-ca"),
        "advice that works where it is given: {out}"
    );
    assert!(!out.contains("Other("), "{out}");
}

#[tokio::test]
async fn what_is_said_of_tls_must_fit_the_url() {
    let (_server, url) = server().await;
    let redyno = Redyno::new();
    let file = redyno.file(&load_test(EXISTING, 1, EASY));
    let ended = redyno
        .command()
        .args(["run", "--tls", "SkipVerification"])
        .arg(&file)
        .env("REDIS_URL", &url)
        .output()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(
        said.contains("for a URL that begins with rediss://"),
        "{said}"
    );
    assert!(!said.contains(PASSWORD), "{said}");
}

#[tokio::test]
async fn a_socket_of_this_machine_is_loaded_too() {
    let folder = redyno_test_redis::Folder::new().unwrap();
    let socket = folder.path().join("redis.sock");
    let path = socket.to_string_lossy().into_owned();
    let _server = RedisServer::start(&["--unixsocket", &path]).await.unwrap();
    let redyno = Redyno::new();
    let file = redyno.file(&load_test(EXISTING, 1, EASY));
    let ended = on_a_quiet_machine(0, || {
        redyno
            .command()
            .args(["run", "-o", "table"])
            .arg(&file)
            .env("REDIS_URL", format!("redis+unix://{path}"))
            .output()
            .unwrap()
    });
    assert!(ended.out.contains("PASSED"), "{}{}", ended.out, ended.err);
}
