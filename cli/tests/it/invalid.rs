//! Files and arguments that never become a run: exit code 64, nothing on standard output, and
//! nothing started.

use crate::command::{EASY, Ended, MANAGED, Redyno, load_test};

fn refused(redyno: &Redyno, arguments: &[&str], named: &[&str]) {
    let ended = Ended::of(redyno.command().args(arguments).output().unwrap()).expect(64);
    assert_eq!(ended.out, "");
    for words in named {
        assert!(
            ended.err.contains(words),
            "{words:?} is not in {}",
            ended.err
        );
    }
    redyno.expect_nothing_left();
}

#[test]
fn an_invalid_file_is_named_with_its_fields() {
    let good = load_test(MANAGED, 3, EASY);
    for (text, named) in [
        (
            good.replace("tasksPerSecond: 20", "tasksPerSecond: -1"),
            "tasksPerSecond",
        ),
        (good.replace("workers: 4", "wokers: 4"), "wokers"),
        (
            good.replace("size: standard-1x", "size: huge"),
            "spec.formation[0].size",
        ),
        (
            good.replace("plan: premium-0", "plan: premium-99"),
            "premium-99",
        ),
        (
            good.replace("durationSeconds: 3", "durationSeconds: soon"),
            "durationSeconds",
        ),
        (good.replace("kind: LoadTest", "kind: Job"), "LoadTest"),
        (format!("{good}---\n{good}"), "2 LoadTests"),
        ("{".to_owned(), "YAML"),
        (String::new(), "no LoadTest"),
    ] {
        let redyno = Redyno::new();
        let file = redyno.file(&text);
        let file = file.to_str().unwrap();
        for output in ["table", "json"] {
            refused(&redyno, &["run", "-o", output, file], &[file, named]);
        }
    }
}

#[test]
fn usage_is_refused_alike() {
    let redyno = Redyno::new();
    refused(&redyno, &["run"], &["<FILE>"]);
    refused(&redyno, &["run", "/nowhere.yaml"], &["/nowhere.yaml"]);
    refused(&redyno, &["explode"], &["explode"]);
    let existing = redyno.file(&load_test(
        "{existing: {secretRef: {name: my-redis}}}",
        3,
        EASY,
    ));
    refused(
        &redyno,
        &["run", existing.to_str().unwrap()],
        &["REDIS_URL", "--redis-url"],
    );
    refused(
        &redyno,
        &["demo", existing.to_str().unwrap()],
        &["must be managed"],
    );
}

#[test]
fn a_flush_needs_confirmation() {
    let redyno = Redyno::new();
    let target = "{existing: {secretRef: {name: r}, flush: Database, confirmFlush: r}}";
    let file = redyno.file(&load_test(target, 3, EASY));
    refused(
        &redyno,
        &[
            "run",
            file.to_str().unwrap(),
            "--redis-url",
            "redis://:geheim@127.0.0.1:1/2",
        ],
        &["FLUSHDB", "--confirm-flush 127.0.0.1:1/2"],
    );
}

#[test]
fn validate_says_what_the_api_server_would() {
    let redyno = Redyno::new();
    let good = redyno.file(&load_test(MANAGED, 3, EASY));
    let ended = Ended::of(
        redyno
            .command()
            .arg("validate")
            .arg(&good)
            .output()
            .unwrap(),
    )
    .expect(0);
    assert!(ended.out.contains("valid (small)"), "{}", ended.out);
    let bad = redyno.file(&load_test(MANAGED, 0, EASY));
    refused(
        &redyno,
        &["validate", bad.to_str().unwrap()],
        &["spec.durationSeconds"],
    );
}
