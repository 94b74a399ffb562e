//! The pages as a person finds them. They have no gaps or overlaps, are numbered by row and show
//! nothing twice, and every reference leads to something that exists.

use std::collections::{BTreeMap, BTreeSet};

use redyno_tests::dashboards::{dashboards, list, text};
use serde_json::Value;

fn number(value: &Value, pointer: &str) -> u64 {
    value
        .pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("no number {pointer} in {value}"))
}

fn is_row(panel: &Value) -> bool {
    panel["type"] == "row"
}

#[test]
fn both_pages_and_the_rows_of_the_run_are_there() {
    let pages = dashboards();
    let uids: Vec<&str> = pages.iter().map(|(_, page)| text(page, "uid")).collect();
    assert_eq!(uids, ["redyno-operator", "redyno-run"]);
    let rows: Vec<&str> = list(&pages[1].1, "/panels")
        .iter()
        .filter(|panel| is_row(panel))
        .map(|row| text(row, "title"))
        .collect();
    assert_eq!(
        rows,
        [
            "Verdict", "Load", "Latency", "Backlog", "Dyno", "Redis", "Compare"
        ]
    );
}

#[test]
fn panels_cover_the_page_without_overlap_and_are_numbered_by_row() {
    for (file, page) in dashboards() {
        let mut covered: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        let mut row = 0;
        for panel in list(&page, "/panels") {
            let id = number(panel, "/id");
            assert!(ids.insert(id), "{file}: {id} twice");
            if is_row(panel) {
                row = id;
                assert_eq!(row % 100, 0, "{file}: rows are numbered 100, 200, ...");
                assert_eq!(panel["collapsed"], false, "{file}: {id}");
            }
            assert_eq!(
                id - id % 100,
                row,
                "{file}: {id} has the number of another row"
            );
            let (x, y) = (number(panel, "/gridPos/x"), number(panel, "/gridPos/y"));
            let (w, h) = (number(panel, "/gridPos/w"), number(panel, "/gridPos/h"));
            assert!(w > 0 && h > 0 && x + w <= 24, "{file}: {id}");
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                let other = covered.insert(cell, id);
                assert_eq!(other, None, "{file}: {id} lies over another at {cell:?}");
            }
        }
        let bottom = covered.keys().map(|cell| cell.1).max().unwrap_or(0) + 1;
        assert_eq!(
            covered.len() as u64,
            24 * bottom,
            "{file}: the page has a gap"
        );
    }
}

#[test]
fn no_panel_is_there_twice() {
    for (file, page) in dashboards() {
        let mut titles = BTreeSet::new();
        let mut queries = BTreeSet::new();
        for panel in list(&page, "/panels").iter().filter(|it| !is_row(it)) {
            let title = text(panel, "title");
            // Memory is a title of the dyno's row and of Redis'.
            let row = number(panel, "/id") / 100;
            assert!(titles.insert((row, title)), "{file}: {title} twice");
            let all: Vec<&str> = list(panel, "/targets")
                .iter()
                .map(|target| text(target, "expr"))
                .collect();
            let kind = text(panel, "type");
            assert!(
                queries.insert((kind, all)),
                "{file}: {title} shows what another panel shows"
            );
        }
    }
}

/// The letter of each query and the columns that tables make of them are used consistently.
#[test]
fn columns_and_overrides_refer_to_what_is_there() {
    for (file, page) in dashboards() {
        for panel in list(&page, "/panels") {
            let title = text(panel, "title");
            let references: Vec<String> = list(panel, "/targets")
                .iter()
                .map(|target| text(target, "refId").to_owned())
                .collect();
            let expected: Vec<String> = ('A'..='Z')
                .take(references.len())
                .map(String::from)
                .collect();
            assert_eq!(references, expected, "{file}: {title}");
            if panel["type"] != "table" {
                continue;
            }
            let organize = list(panel, "/transformations")
                .iter()
                .find(|it| it["id"] == "organize")
                .unwrap_or_else(|| panic!("{file}: {title}: a table names its columns"));
            let keys = |field: &str| -> BTreeSet<&str> {
                organize["options"][field]
                    .as_object()
                    .unwrap_or_else(|| panic!("{file}: {title}: no {field}"))
                    .keys()
                    .map(String::as_str)
                    .collect()
            };
            let (shown, hidden) = (keys("indexByName"), keys("excludeByName"));
            assert_eq!(shown, keys("renameByName"), "{file}: {title}");
            assert!(shown.is_disjoint(&hidden), "{file}: {title}");
            // Grafana names the column of values so when a table has several queries.
            if references.len() > 1 {
                for reference in &references {
                    let column = format!("Value #{reference}");
                    assert!(
                        shown.contains(column.as_str()) || hidden.contains(column.as_str()),
                        "{file}: {title}: {column} is neither shown nor hidden"
                    );
                }
            }
            let headings: BTreeSet<&str> = organize["options"]["renameByName"]
                .as_object()
                .into_iter()
                .flat_map(|renamed| renamed.values().filter_map(Value::as_str))
                .collect();
            let overridden = list(panel, "/fieldConfig/overrides")
                .iter()
                .map(|it| text(&it["matcher"], "options"));
            let sorted = list(panel, "/options/sortBy")
                .iter()
                .map(|it| text(it, "displayName"));
            for column in overridden.chain(sorted) {
                assert!(
                    headings.contains(column),
                    "{file}: {title}: no column {column}"
                );
            }
        }
    }
}

/// Links go to pages that are there, and take along what is chosen.
#[test]
fn links_lead_somewhere() {
    let pages = dashboards();
    let uids: BTreeSet<&str> = pages.iter().map(|(_, page)| text(page, "uid")).collect();
    let mut followed = 0;
    for (file, page) in &pages {
        let links = list(page, "/links");
        assert!(!links.is_empty(), "{file}");
        for link in links {
            assert_eq!(link["includeVars"], true, "{file}");
            assert_eq!(link["keepTime"], true, "{file}");
            for tag in list(link, "/tags") {
                let tagged = pages
                    .iter()
                    .filter(|(_, page)| list(page, "/tags").contains(tag))
                    .count();
                assert_eq!(tagged, pages.len(), "{file}: the link finds all pages");
            }
        }
        for url in list(page, "/panels")
            .iter()
            .flat_map(|panel| list(panel, "/fieldConfig/overrides"))
            .flat_map(|it| list(it, "/properties"))
            .filter(|property| property["id"] == "links")
            .flat_map(|property| list(property, "/value"))
            .map(|link| text(link, "url"))
        {
            let uid = url
                .strip_prefix("/d/")
                .and_then(|rest| rest.split('?').next())
                .unwrap_or_default();
            assert!(uids.contains(uid), "{file}: {url}");
            assert!(url.contains("${__url_time_range}"), "{file}: {url}");
            followed += 1;
        }
    }
    assert!(followed >= 2, "tables of runs lead to the runs");
}

/// Some tools apply a ConfigMap with its whole text in an annotation, which may have 256 KiB.
#[test]
fn pages_fit_into_a_config_map_and_its_annotation() {
    for (file, page) in dashboards() {
        let text = serde_json::to_string_pretty(&page).expect("JSON");
        assert!(
            text.len() < 200 * 1024,
            "{file} has {} characters",
            text.len()
        );
        assert_eq!(page["id"], Value::Null, "{file}: each Grafana numbers it");
        assert_eq!(page["schemaVersion"], 42, "{file}");
        assert_eq!(
            page["graphTooltip"], 1,
            "{file}: one crosshair over all panels"
        );
        assert!(page["__inputs"].is_null(), "{file}: provisioned as it is");
    }
}
