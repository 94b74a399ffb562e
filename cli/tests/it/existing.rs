//! Runs on a Redis that is there, with a password.

use redyno_test_redis::RedisServer;

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
