//! The document, read back.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use redyno_contract::{Judgement, Reason};

use super::*;
use crate::report::fixtures::{failed_by_backlog, passed, plan, report_of, sizes};

/// An element with all that is in it.
#[derive(Clone, Debug, Default)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Self>,
    text: String,
}

impl Element {
    fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

fn parsed(document: &str) -> Element {
    let mut reader = Reader::from_str(document);
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event().unwrap();
        let element = |start: &quick_xml::events::BytesStart<'_>| Element {
            name: start.name().as_ref().to_owned(),
            attributes: start
                .attributes()
                .map(|attribute| {
                    let attribute = attribute.unwrap();
                    (
                        attribute.key.as_ref().to_owned(),
                        attribute
                            .normalized_value(XmlVersion::Explicit1_0)
                            .unwrap()
                            .into_owned(),
                    )
                })
                .collect(),
            ..Element::default()
        };
        match event {
            Event::Start(start) => open.push(element(&start)),
            Event::Empty(start) => {
                let child = element(&start);
                open.last_mut().unwrap().children.push(child);
            }
            Event::End(_) => {
                let child = open.pop().unwrap();
                open.last_mut().unwrap().children.push(child);
            }
            Event::Text(text) => {
                open.last_mut().unwrap().text.push_str(&text);
            }
            Event::GeneralRef(reference) => {
                let text = quick_xml::escape::unescape(&format!("&{};", &*reference))
                    .unwrap()
                    .into_owned();
                open.last_mut().unwrap().text.push_str(&text);
            }
            Event::Decl(_) => {}
            Event::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(open.len(), 1, "an element is open");
    let mut roots = open.pop().unwrap().children;
    assert_eq!(roots.len(), 1);
    roots.pop().unwrap()
}

/// What Jenkins' schema allows: attributes and, in this order, children.
fn expect_valid(element: &Element) {
    let (attributes, required, children): (&[&str], &[&str], &[&str]) = match element.name.as_str()
    {
        "testsuites" => (
            &["name", "time", "tests", "failures", "disabled", "errors"],
            &[],
            &["testsuite"],
        ),
        "testsuite" => (
            &[
                "name",
                "tests",
                "failures",
                "errors",
                "group",
                "time",
                "skipped",
                "timestamp",
                "hostname",
                "id",
                "package",
                "file",
                "log",
                "url",
                "version",
            ],
            &["name"],
            &["properties", "testcase", "system-out"],
        ),
        "properties" => (&[], &[], &["property"]),
        "property" => (&["name", "value"], &["name", "value"], &[]),
        "testcase" => (
            &[
                "name",
                "assertions",
                "time",
                "classname",
                "status",
                "class",
                "file",
                "line",
            ],
            &["name"],
            &["skipped", "error", "failure", "system-out"],
        ),
        "skipped" | "error" | "failure" => (&["type", "message"], &[], &[]),
        "system-out" => (&[], &[], &[]),
        other => panic!("{other} is no element of JUnit"),
    };
    for name in element.attributes.keys() {
        assert!(attributes.contains(&name.as_str()), "{name} of {element:?}");
    }
    for name in required {
        assert!(
            element.attributes.contains_key(*name),
            "{name} of {element:?}"
        );
    }
    let order: Vec<Option<usize>> = element
        .children
        .iter()
        .map(|child| children.iter().position(|name| *name == child.name))
        .collect();
    assert!(
        order.iter().all(Option::is_some) && order.is_sorted(),
        "{element:?}"
    );
    for name in ["tests", "failures", "errors", "skipped"] {
        if let Some(count) = element.attributes.get(name) {
            count.parse::<u32>().unwrap();
        }
    }
    for child in &element.children {
        expect_valid(child);
    }
}

fn document_of(judgement: &Judgement) -> String {
    let (plan, sizes) = (plan(2), sizes());
    document(&report_of(judgement, &plan, &sizes)).unwrap()
}

/// Names of the cases with what became of them.
fn outcomes(suite: &Element) -> Vec<(String, &'static str)> {
    suite
        .named("testcase")
        .map(|case| {
            let outcome = match case.children.first().map(|child| child.name.as_str()) {
                None => "passed",
                Some("failure") => "failure",
                Some("error") => "error",
                Some("skipped") => "skipped",
                Some(other) => panic!("{other}"),
            };
            (case.attribute("name").to_owned(), outcome)
        })
        .collect()
}

/// Checks document, counts and cases, and returns the suite.
fn expect(document: &str, expected: &[(&str, &str)]) -> Element {
    let root = parsed(document);
    expect_valid(&root);
    assert_eq!(root.name, "testsuites");
    let suite = root.children[0].clone();
    let outcomes = outcomes(&suite);
    let expected: Vec<(String, &str)> = expected
        .iter()
        .map(|(name, outcome)| ((*name).to_owned(), *outcome))
        .collect();
    let found: Vec<(String, &str)> = outcomes.clone();
    assert_eq!(found, expected);
    for (attribute, outcome) in [
        ("failures", "failure"),
        ("errors", "error"),
        ("skipped", "skipped"),
    ] {
        let count = outcomes
            .iter()
            .filter(|(_, found)| *found == outcome)
            .count();
        assert_eq!(suite.attribute(attribute), count.to_string(), "{attribute}");
    }
    assert_eq!(suite.attribute("tests"), outcomes.len().to_string());
    suite
}

#[test]
fn passed_is_a_case_for_everything_that_was_judged() {
    let document = document_of(&passed(2));
    expect(
        &document,
        &[
            ("threshold p99", "passed"),
            ("threshold errors", "passed"),
            ("threshold rate", "passed"),
            ("backlog", "passed"),
            ("trust delivered", "passed"),
            ("trust lag p99", "passed"),
            ("trust skew", "passed"),
            ("trust reports", "passed"),
            ("verdict", "passed"),
        ],
    );
    insta::assert_snapshot!(document);
}

#[test]
fn failed_is_a_failure_with_its_numbers() {
    let suite = expect(
        &document_of(&failed_by_backlog()),
        &[
            ("threshold p99", "failure"),
            ("threshold errors", "passed"),
            ("threshold rate", "passed"),
            ("backlog", "failure"),
            // It did not come to its end.
            ("trust delivered", "skipped"),
            ("trust lag p99", "passed"),
            ("trust skew", "passed"),
            ("trust reports", "passed"),
            ("verdict", "failure"),
        ],
    );
    let messages: Vec<&str> = suite
        .named("testcase")
        .flat_map(|case| case.named("failure"))
        .map(|failure| failure.attribute("message"))
        .collect();
    assert_eq!(
        messages[0],
        "p99: observed > 250 ms (counted), limit response p99 250 ms (4,812 / 4,800)"
    );
    assert_eq!(
        messages[1],
        "backlog: observed 100, limit 100 waiting (web.2 worker 17 at 28.4 s)"
    );
    assert!(
        messages[2].starts_with("web.2 FAILED after 28.4 s"),
        "{messages:?}"
    );
    let verdict = suite.named("testcase").last().unwrap();
    assert_eq!(verdict.children[0].attribute("type"), "BacklogLimitReached");
    assert_eq!(verdict.attribute("time"), "28.611");
    assert_eq!(suite.attribute("timestamp"), "2026-09-21T14:13:20");
    // The tables are at hand.
    let tables = suite.named("system-out").next().unwrap();
    assert!(tables.text.contains("BUSIEST WORKERS"), "{}", tables.text);
    assert!(tables.text.contains("+ 2 rejected"), "{}", tables.text);
}

#[test]
fn inconclusive_is_an_error_wherever_it_shows() {
    let mut judgement = passed(2);
    judgement.verdict = Verdict::Inconclusive;
    judgement.reason = Reason::ScheduleLag;
    judgement.thresholds[0].holding = Holding::Unknown;
    judgement.thresholds[1].holding = Holding::Breached;
    if let Some(numbers) = &mut judgement.dynos[1].numbers {
        numbers.own.schedule_lag_p99_microseconds = 12_300;
    }
    expect(
        &document_of(&judgement),
        &[
            ("threshold p99", "error"),
            ("threshold errors", "error"),
            ("threshold rate", "passed"),
            ("backlog", "passed"),
            ("trust delivered", "passed"),
            ("trust lag p99", "error"),
            ("trust skew", "passed"),
            ("trust reports", "passed"),
            ("verdict", "error"),
        ],
    );
}

#[test]
fn errored_before_any_plan_is_the_verdict_alone() {
    let document = document(&TerminalReport {
        namespace: "team",
        name: "vertical-up-6",
        version: "0.1.0",
        uid: "",
        verdict: Verdict::Errored,
        message: "spec.formation[0].size is \"huge\" & <none>.",
        run: None,
    })
    .unwrap();
    let suite = expect(&document, &[("verdict", "error")]);
    let error = &suite.named("testcase").next().unwrap().children[0];
    assert_eq!(
        error.attribute("message"),
        "spec.formation[0].size is \"huge\" & <none>."
    );
    assert_eq!(error.text, error.attribute("message"));
    assert_eq!(suite.attribute("package"), "redyno.team");
}

#[test]
fn whatever_others_wrote_the_document_is_well_formed() {
    let evil = "\"'<>&]]>\u{0}\u{1b}[31m\u{ffff}\r\n</testsuite>";
    let mut judgement = failed_by_backlog();
    evil.clone_into(&mut judgement.message);
    for threshold in &mut judgement.thresholds {
        evil.clone_into(&mut threshold.name);
        evil.clone_into(&mut threshold.observed);
    }
    let document = document_of(&judgement);
    assert!(
        !document.contains(['\u{0}', '\u{1b}', '\u{ffff}', '\r']),
        "{document}"
    );
    let root = parsed(&document);
    expect_valid(&root);
    let name = root.children[0].named("testcase").next().unwrap();
    let name = name.attribute("name");
    assert!(name.starts_with("threshold \"'<>&]]>\u{fffd}"), "{name}");
}
