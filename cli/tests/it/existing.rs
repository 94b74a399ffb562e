//! Runs on a Redis that is already there, with a password.

use redyno_test_redis::{Certificates, RedisServer};

use crate::command::{EASY, Ended, MANAGED, Redyno, Running, load_test, on_a_quiet_machine};

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

/// A server that wants a client certificate and has one of an authority that no system knows. The
/// report says how connections to it were encrypted.
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

/// A mix on an existing Redis; `workers` in its one dyno.
fn mix(duration_seconds: u32, keys: u32, workers: u32) -> String {
    load_test(EXISTING, duration_seconds, &format!("    workers: {workers}\n    tasksPerSecond: 20\n"))
        .replace(
            "workload: {objectGraph: {maxFlats: 5, itemPayloadBytes: 100}}",
            &format!(
                "workload: {{commands: {{keyspace: {{keys: {keys}, prefix: \"app:\"}}, valueBytes: 10, prefill: Full, \
                 mix: [{{name: get, command: [GET, \"cache:{{key}}\"]}}]}}}}"
            ),
        )
}

fn redis_cli(server: &RedisServer, words: &[&str]) -> String {
    let output = std::process::Command::new("redis-cli")
        .args(["-p", &server.port().to_string()])
        .args(words)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A run that is killed so that none of its processes can clean up. Its lock is removed by somebody
/// who knows that.
fn kill_a_run(redyno: &Redyno, server: &RedisServer) {
    let file = redyno.file(&mix(600, 1000, 2));
    let mut command = redyno.command();
    command
        .args(["run", "-o", "json"])
        .arg(file)
        .env("REDIS_URL", server.url());
    let mut running = Running::start(command);
    running.await_words("offered /s");
    redyno.signal_each("STOP", "runner dyno", 1);
    // The kernel sends SIGHUP to a stopped process when its parent dies. If that has not come yet,
    // this ends it.
    running.signal("KILL");
    redyno.kill_each("runner dyno");
    drop(running.ended());
    redyno.await_nothing_left();
    // Requests that were sent before the kill may still be on their way.
    assert_eq!(
        redis_cli(server, &["GETRANGE", "redyno:lock", "0", "8"]),
        "local/sma"
    );
}

fn clean(redyno: &Redyno, server: &RedisServer) -> Ended {
    let output = redyno
        .command()
        .args(["clean", "--redis-url", &server.url()])
        .output()
        .unwrap();
    Ended::of(output).expect(0)
}

#[tokio::test]
async fn what_a_killed_run_left_is_removed_by_a_clean_and_by_the_next_run() {
    let server = RedisServer::start(&[]).await.unwrap();
    let redyno = Redyno::new();
    assert_eq!(redis_cli(&server, &["SET", "cache:app:own", "data"]), "OK");

    kill_a_run(&redyno, &server);
    let there = redis_cli(&server, &["DBSIZE"]);
    let ended = clean(&redyno, &server);
    assert!(
        ended.out.contains("local/small is using it"),
        "{}",
        ended.out
    );
    assert_eq!(redis_cli(&server, &["DBSIZE"]), there);
    assert_eq!(redis_cli(&server, &["DEL", "redyno:lock"]), "1");
    let ended = clean(&redyno, &server);
    assert!(
        ended.out.contains("removed 1000 data keys of local/small"),
        "{}",
        ended.out
    );
    assert_eq!(redis_cli(&server, &["KEYS", "*"]), "cache:app:own");
    let ended = clean(&redyno, &server);
    assert!(
        ended.out.contains("no run that has ended left anything"),
        "{}",
        ended.out
    );

    kill_a_run(&redyno, &server);
    assert_eq!(redis_cli(&server, &["DEL", "redyno:lock"]), "1");
    let file = redyno.file(&mix(2, 100, 2));
    let ended = on_a_quiet_machine(0, || {
        redyno
            .command()
            .arg("run")
            .arg(&file)
            .env("REDIS_URL", server.url())
            .output()
            .unwrap()
    });
    drop(ended);
    assert_eq!(redis_cli(&server, &["KEYS", "*"]), "cache:app:own");
}

#[tokio::test]
async fn a_clean_says_what_it_cannot_do() {
    let redyno = Redyno::new();
    let run = |arguments: &[&str]| {
        Ended::of(
            redyno
                .command()
                .arg("clean")
                .args(arguments)
                .output()
                .unwrap(),
        )
    };
    let ended = run(&[]).expect(64);
    assert!(ended.err.contains("--redis-url"), "{}", ended.err);
    let ended = run(&["--redis-url", "http://user:geheim@cache"]).expect(64);
    assert!(!ended.err.contains("geheim"), "{}", ended.err);
    let mut server = RedisServer::start(&[]).await.unwrap();
    let url = server.url();
    server.kill().unwrap();
    let ended = run(&["--redis-url", &url]).expect(2);
    assert!(ended.err.contains("connection refused"), "{}", ended.err);
    redyno.expect_nothing_left();
}

#[tokio::test]
async fn a_run_that_is_refused_ends_at_once_and_touches_nothing() {
    let redyno = Redyno::new();
    let mut server = RedisServer::start(&["--maxclients", "20"]).await.unwrap();
    let run = |server: &RedisServer| {
        let file = redyno.file(&mix(2, 10_000_000, 16 * 4));
        let since = std::time::Instant::now();
        let ended = Ended::of(
            redyno
                .command()
                .args(["run", "-o", "json"])
                .arg(file)
                .env("REDIS_URL", server.url())
                .output()
                .unwrap(),
        )
        .expect(2);
        assert_eq!(ended.reason(), "PreflightFailed");
        (ended, since.elapsed())
    };
    let (ended, _) = run(&server);
    assert!(ended.out.contains("TooFewConnections"), "{}", ended.out);
    // These are the calls with which the preflight took its trial back, and no others.
    let unlinks = redis_cli(&server, &["INFO", "commandstats"]);
    let calls: u32 = unlinks
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_unlink:calls="))
        .and_then(|rest| rest.split(',').next()?.parse().ok())
        .unwrap_or(0);
    assert!(calls < 10, "{unlinks}");
    assert_eq!(redis_cli(&server, &["DBSIZE"]), "0");

    server.kill().unwrap();
    let (ended, took) = run(&server);
    assert!(ended.out.contains("ConnectionRefused"), "{}", ended.out);
    // The preflight gives a Redis that was made a moment ago some seconds; nobody waits after that.
    assert!(took < std::time::Duration::from_secs(15), "{took:?}");
    assert!(!ended.err.contains("cleanup"), "{}", ended.err);
    redyno.expect_nothing_left();
}

/// A target that answers late: nobody has to guess what takes so long.
#[tokio::test]
async fn who_waits_for_a_process_of_the_run_is_told_what_for() {
    let (server, url) = server().await;
    let redyno = Redyno::new();
    let file = redyno.file(&load_test(EXISTING, 1, EASY));
    let pause = ["client", "pause", "3000", "all"];
    let port = server.port().to_string();
    let status = std::process::Command::new("redis-cli")
        .args(["-p", &port, "--no-auth-warning", "-a", PASSWORD])
        .args(pause)
        .status()
        .unwrap();
    assert!(status.success());
    let ended = redyno
        .command()
        .arg("run")
        .arg(&file)
        .env("REDIS_URL", &url)
        .output()
        .unwrap();
    let ended = String::from_utf8(ended.stderr).unwrap();
    let told = "The preflight waits for the target to answer";
    assert!(ended.contains(told), "{ended}");
}
