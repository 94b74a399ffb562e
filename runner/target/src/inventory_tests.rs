use std::collections::HashSet;

use super::*;

const UID: &str = "0d3b9c1e-3c44-4f7e-9b39-2b8a2c0a7a51";

fn inventory() -> Inventory {
    let own = |dyno_type: &str, quantity, workers, data| TypeInventory {
        dyno_type: dyno_type.to_owned(),
        quantity,
        workers,
        data,
    };
    Inventory {
        version: VERSION,
        uid: UID.to_owned(),
        name: "team/nightly".to_owned(),
        seed: 7,
        types: vec![
            own("web", 2, 3, Data::Buildings { flats: 5 }),
            own(
                "cache",
                3,
                4,
                Data::Keyspace {
                    prefix: "app:".to_owned(),
                    keys: 10,
                    patterns: vec!["{key}".to_owned(), "hash:{key}".to_owned()],
                },
            ),
            own(
                "idle",
                1,
                1,
                Data::Keyspace {
                    prefix: "app:".to_owned(),
                    keys: 10,
                    patterns: Vec::new(),
                },
            ),
        ],
    }
}

#[test]
fn every_key_is_named_once_and_the_parts_make_the_whole() {
    let inventory = inventory();
    let all: Vec<String> = inventory.keys().collect();
    assert_eq!(all.len(), 2 * 3 * (5 + 2) + 10 * 2);
    let whole: HashSet<&String> = all.iter().collect();
    assert_eq!(whole.len(), all.len());
    assert!(whole.contains(&"hash:app:0d3b9c1e:cache:9".to_owned()));
    assert!(whole.contains(&"app:0d3b9c1e:cache:0".to_owned()));
    let parts: Vec<String> = inventory
        .dynos()
        .flat_map(|dyno| inventory.part_of(&dyno).collect::<Vec<_>>())
        .collect();
    assert_eq!(parts.len(), all.len());
    assert_eq!(parts.iter().collect::<HashSet<_>>(), whole);
}

#[test]
fn it_reads_back() {
    let inventory = inventory();
    let json = inventory.to_json();
    assert_eq!(
        Inventory::from_json(UID, json.as_bytes()).unwrap(),
        inventory
    );
    assert!(json.len() < 500, "{json}");
}

#[test]
fn what_is_no_inventory_is_refused() {
    let json = inventory().to_json();
    for (from, to, why) in [
        ("\"version\":1", "\"version\":2", "version 2"),
        ("hash:{key}", "somebodys", "not of a keyspace"),
        ("\"idle\"", "\"Idle*\"", "type that no dynos"),
        ("\"quantity\":2", "\"quantity\":101", "more dynos"),
        ("\"seed\":7", "\"seed\":-7", "invalid value"),
        ("\"seed\":7", "\"seed\":7,\"more\":1", "unknown field"),
    ] {
        assert!(json.contains(from), "{from}");
        let changed = json.replace(from, to);
        let error = Inventory::from_json(UID, changed.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    for uid in ["short", "with:colon-3c44", "*-0d3b9c1e-3c44"] {
        assert!(Inventory::from_json(uid, json.as_bytes()).is_err(), "{uid}");
    }
    assert!(Inventory::from_json(UID, &vec![b' '; LONGEST + 1]).is_err());
}

#[test]
fn names_stay_within_the_run_whatever_it_says() {
    let hostile = r#"{"version":1,"name":"x","seed":0,"types":[{"type":"a","quantity":1,
        "workers":1,"data":{"keyspace":{"prefix":"","keys":3,"patterns":["{key}"]}}}]}"#;
    let inventory = Inventory::from_json(UID, hostile.as_bytes()).unwrap();
    for key in inventory.keys() {
        assert!(key.starts_with("0d3b9c1e:a:"), "{key}");
    }
}
