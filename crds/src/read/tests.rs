use super::*;

const MINIMAL: &str = "
apiVersion: redyno.dev/v1alpha1
kind: LoadTest
metadata:
  name: minimal
spec:
  target:
    managed: {plan: mini}
  durationSeconds: 10
  formation:
  - type: web
    size: basic
    tasksPerSecond: 10
    workload: {objectGraph: {}}
";

fn error(yaml: &str) -> String {
    read_load_tests(yaml).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn one_or_more_documents() {
    let read = read_load_tests(MINIMAL).unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].metadata.name.as_deref(), Some("minimal"));
    assert_eq!(read[0].spec.warmup_seconds, 5);
    let two = format!("# first\n---{MINIMAL}---{MINIMAL}---\n");
    assert_eq!(read_load_tests(&two).unwrap().len(), 2);
}

#[test]
fn an_object_as_the_cluster_shows_it_can_be_read() {
    let yaml = MINIMAL.replace(
        "  name: minimal",
        "  name: minimal\n  creationTimestamp: 2026-01-01T00:00:00Z\n  generation: 1\n  uid: abc\n  \
         managedFields: [{manager: kubectl}]",
    ) + "status:\n  state: Finished\n  somethingOfALaterVersion: 1\n";
    let read = read_load_tests(&yaml).unwrap();
    assert_eq!(read[0].status, None);
}

#[test]
fn nulls_count_as_left_out() {
    let yaml = MINIMAL.to_owned()
        + "  retention: {podSeconds: null, ttlSecondsAfterFinished: null}\n  warmupSeconds:\n";
    let spec = &read_load_tests(&yaml).unwrap()[0].spec;
    assert_eq!(spec.retention.pod_seconds, 600);
    assert_eq!(spec.warmup_seconds, 5);
    let yaml = MINIMAL.replace("durationSeconds: 10", "durationSeconds:");
    assert_eq!(error(&yaml), "document 1: spec.durationSeconds: is missing");
}

#[test]
fn unknown_fields_are_named_with_the_nearest_known_one() {
    let yaml = MINIMAL
        .replace("tasksPerSecond", "tasksPerSec")
        .replace("  name: minimal", "  nam: minimal")
        .replace("durationSeconds", "durationSecond");
    assert_eq!(
        error(&yaml),
        "document 1: metadata.nam: not a field; did you mean name?; \
         spec.durationSecond: not a field; did you mean durationSeconds?; \
         spec.formation[0].tasksPerSec: not a field; did you mean tasksPerSecond?; \
         spec.durationSeconds: is missing"
    );
    let yaml = MINIMAL.replace("objectGraph", "script");
    assert_eq!(
        error(&yaml),
        "document 1: spec.formation[0].workload.script: not a field; known fields: \
         applicationCpuMicroseconds, commands, objectGraph"
    );
}

#[test]
fn wrong_types_are_named_with_what_is_right() {
    let yaml = MINIMAL
        .replace("durationSeconds: 10", "durationSeconds: 4m")
        .replace("tasksPerSecond: 10", "tasksPerSecond: 2.5")
        .replace("size: basic", "size: basic\n    arrivals: constant")
        + "  thresholds:\n  - {name: p, latency: {of: Response, percentile: 99, maxMicroseconds: 5}}\n";
    let error = error(&yaml);
    for expected in [
        "spec.durationSeconds: \"4m\" is not possible, must be a whole number",
        "spec.formation[0].tasksPerSecond: 2.5 is not possible, must be a whole number",
        "spec.formation[0].arrivals: \"constant\" is not possible, must be one of Constant",
        "spec.thresholds[0].latency.percentile: 99 is not possible, must be a string (in quotes if it looks like a number)",
    ] {
        assert!(error.contains(expected), "{expected} is not in {error}");
    }
}

#[test]
fn a_whole_number_with_an_exponent_is_told_how_it_is_written() {
    for number in ["1e3", "1000.0"] {
        let yaml = MINIMAL.replace("tasksPerSecond: 10", &format!("tasksPerSecond: {number}"));
        let error = error(&yaml);
        assert!(
            error.contains("with digits alone, without a point or an exponent"),
            "{error}"
        );
    }
}

#[test]
fn numbers_too_large_to_be_read_are_named() {
    let yaml = MINIMAL.replace("durationSeconds: 10", "durationSeconds: 3000000000");
    assert_eq!(
        error(&yaml),
        "document 1: spec.durationSeconds: is 3000000000, must be 1 to 604800"
    );
}

#[test]
fn placeholders_without_quotes_are_explained() {
    let with = |command: &str| {
        let commands =
            format!("workload: {{commands: {{mix: [{{name: x, command: {command}}}]}}}}");
        let line = MINIMAL
            .lines()
            .find(|line| line.contains("workload:"))
            .unwrap();
        let indent = &line[..line.find('w').unwrap()];
        error(&MINIMAL.replace(line, &format!("{indent}{commands}")))
    };
    for (command, name) in [
        ("[GET, {key}]", "key"),
        ("[SET, '{key}', {value}]", "value"),
        ("[GET, cache: {key}]", "key"),
        ("[SET, {key}, {value}, EX, '60']", "value"),
    ] {
        let error = with(command);
        let words = format!("write \"{{{name}}}\", with quotes around the whole word");
        assert!(error.contains(&words), "{command}: {error}");
    }
    // An object of another kind is no LoadTest.
    assert!(with("[GET, {name: x}]").contains("an object is not possible"));
}

#[test]
fn what_is_no_load_test_is_refused() {
    assert_eq!(error(""), "no LoadTest in it");
    assert_eq!(error("# nothing\n---\n"), "no LoadTest in it");
    assert!(error("just text").starts_with("document 1: not an object"));
    assert_eq!(
        error(&MINIMAL.replace("kind: LoadTest", "kind: Secret")),
        "document 1: kind is \"Secret\", must be LoadTest"
    );
    assert_eq!(
        error(&MINIMAL.replace("v1alpha1", "v1")),
        "document 1: apiVersion is \"redyno.dev/v1\", must be redyno.dev/v1alpha1"
    );
    let syntax = error(&MINIMAL.replace("  target:", "  target: ["));
    assert!(syntax.starts_with("not valid YAML: "), "{syntax}");
    assert!(syntax.contains("line "), "{syntax}");
    let duplicate = error(&(MINIMAL.to_owned() + "  durationSeconds: 20\n"));
    assert!(duplicate.starts_with("not valid YAML: "), "{duplicate}");
}

#[test]
fn the_example_files_are_valid() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut seen = 0;
    for folder in [folder.clone(), folder.join("vertical-up")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for load_test in read_load_tests(&text).unwrap() {
                seen += 1;
                assert_eq!(
                    crate::validate::validate(&load_test),
                    [],
                    "{}",
                    path.display()
                );
                let run = redyno_contract::plan::RunIdentity {
                    namespace: "default".to_owned(),
                    name: "example".to_owned(),
                    uid: "12345678".to_owned(),
                };
                let catalogue = crate::Catalogue::built_in();
                let resolved = crate::resolve(&load_test.spec, run, &catalogue, 0);
                assert!(resolved.is_ok(), "{}: {resolved:?}", path.display());
            }
        }
    }
    assert!(seen >= 10, "{seen}");
}
