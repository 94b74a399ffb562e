//! What the model says of itself: the same fields as a real server, about the same sizes.

use std::collections::{BTreeMap, BTreeSet};

use redyno_simulation_wire::model::{Policy, Reply, Server, Settings};

use crate::real::{self, Connection};

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// The names of the fields of each section.
fn fields(info: &Reply) -> BTreeMap<String, BTreeSet<String>> {
    let Reply::Bulk(text) = info else {
        panic!("INFO is text, not {info:?}");
    };
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in String::from_utf8_lossy(text).lines() {
        if let Some(title) = line.strip_prefix("# ") {
            title.clone_into(&mut section);
        } else if let Some((name, _)) = line.split_once(':') {
            sections
                .entry(section.clone())
                .or_default()
                .insert(name.to_owned());
        }
    }
    sections
}

#[test]
fn every_field_of_info_is_one_of_a_real_server() {
    let real = real::start(&[]);
    let mut line = Connection::to(&real);
    let mut model = Server::new(Settings::default(), "0");
    let id = model.connect().unwrap();
    for question in [
        &["INFO"][..],
        &["INFO", "clients"],
        &["info", "keyspace", "CPU"],
        &["INFO", "x"],
    ] {
        for command in [
            &["SET", "key", "value"][..],
            &["SELECT", "3"],
            &["SET", "key", "value"],
        ] {
            line.ask(command);
            model.command(id, &words(command), 1).unwrap();
        }
        let wanted = fields(&line.ask(question));
        let found = fields(&model.command(id, &words(question), 1).unwrap());
        assert!(question.len() > 1 || !found.is_empty());
        for (section, names) in found {
            let known = wanted.get(&section).cloned().unwrap_or_default();
            let unknown: Vec<_> = names.difference(&known).collect();
            assert!(unknown.is_empty(), "{question:?} {section}: {unknown:?}");
        }
    }
}

fn used(line: &mut Connection) -> f64 {
    let Reply::Bulk(text) = line.ask(&["INFO", "memory"]) else {
        panic!("INFO is text");
    };
    String::from_utf8_lossy(&text)
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:")?.parse().ok())
        .unwrap()
}

/// What a run writes takes about as much memory as in a real server.
#[test]
fn sizes_are_about_those_of_a_real_server() {
    let real = real::start(&[]);
    let mut line = Connection::to(&real);
    let mut model = Server::new(Settings::default(), "0");
    let id = model.connect().unwrap();
    let document = "x".repeat(250);
    let before = used(&mut line);
    let model_before = redyno_simulation_wire::model::used(&model);
    for building in 0..40 {
        for flat in 0..50 {
            let (hash, list) = (
                format!("building:{building}"),
                format!("mail:{building}:{flat}"),
            );
            let field = format!("{building:06}{flat:06}");
            for command in [
                &["HSET", &hash, &field, &document][..],
                &["RPUSH", &list, &document, &document],
                &["SET", &field, &document],
            ] {
                line.ask(command);
                model.command(id, &words(command), 1).unwrap();
            }
        }
    }
    let real = used(&mut line) - before;
    #[expect(clippy::cast_precision_loss)]
    let found = (redyno_simulation_wire::model::used(&model) - model_before) as f64;
    assert!(
        (0.75..1.33).contains(&(found / real)),
        "the model's {found} of a real server's {real}"
    );
}

#[test]
fn keys_go_by_the_policy() {
    let setup = |policy| {
        let mut model = Server::new(
            Settings {
                policy,
                maxmemory: 1_000_000,
                ..Settings::default()
            },
            "0",
        );
        let id = model.connect().unwrap();
        let mut say = |text: &[&str]| model.command(id, &words(text), 1_000_000).unwrap();
        say(&["SET", "old", &"x".repeat(20_000)]);
        say(&["SET", "mortal", &"x".repeat(20_000), "EX", "100"]);
        say(&["GET", "old"]);
        let refused = (0..10)
            .filter(|at| say(&["SET", &format!("new:{at}"), &"x".repeat(20_000)]).is_error())
            .count();
        let there = ["old", "mortal"].map(|key| say(&["EXISTS", key]));
        (refused > 0, there)
    };
    let (yes, no) = (Reply::Integer(1), Reply::Integer(0));
    assert_eq!(
        setup(Policy::NoEviction),
        (true, [yes.clone(), yes.clone()])
    );
    assert_eq!(setup(Policy::AllKeysLru), (false, [no.clone(), no.clone()]));
    assert_eq!(setup(Policy::VolatileLru), (true, [yes, no]));
    assert!(!setup(Policy::AllKeysRandom).0);
}

#[test]
fn keys_expire_on_time() {
    let mut model = Server::new(Settings::default(), "0");
    let id = model.connect().unwrap();
    let mut say = |text: &[&str], at| model.command(id, &words(text), at).unwrap();
    say(&["SET", "key", "value", "EX", "2"], 10_000_000);
    assert_eq!(say(&["PTTL", "key"], 11_000_000), Reply::Integer(1000));
    assert_eq!(say(&["EXISTS", "key"], 11_999_000), Reply::Integer(1));
    assert_eq!(say(&["EXISTS", "key"], 12_000_000), Reply::Integer(0));
}

#[test]
fn who_comes_when_it_is_full_is_turned_away() {
    let mut model = Server::new(
        Settings {
            maxclients: 1,
            ..Settings::default()
        },
        "0",
    );
    let first = model.connect().unwrap();
    assert_eq!(
        model.connect().unwrap_err(),
        Reply::Error("ERR max number of clients reached".to_owned())
    );
    model.disconnect(first);
    assert!(model.connect().is_ok());
    assert_eq!(model.rejected, 1);
}
