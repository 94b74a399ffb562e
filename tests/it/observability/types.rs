//! The pages have the types that Grafana publishes as the package `@grafana/schema`. Only
//! TypeScript can read those, so this needs Node.js with npm, and says so where there is none.

use std::path::{Path, PathBuf};
use std::process::Command;

use redyno_tests::dashboards::dashboards;
use redyno_tests::repository::{read, root};
use redyno_tests::tools::Tool;

const FOLDER: &str = "tests/it/observability/schema";

fn run(folder: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?} in {}:\n{}{}",
        folder.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A folder outside the sources with the packages that the lock file names.
fn with_packages() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("dashboard-types");
    std::fs::create_dir_all(&folder).expect("a writable folder");
    for entry in std::fs::read_dir(root().join(FOLDER)).expect("the sources") {
        let name = entry.expect("a readable entry").file_name();
        let text = read(&format!("{FOLDER}/{}", name.to_string_lossy()));
        std::fs::write(folder.join(name), text).expect("a writable folder");
    }
    let lock = read(&format!("{FOLDER}/package-lock.json"));
    let installed = folder.join("installed.json");
    if std::fs::read_to_string(&installed).is_ok_and(|before| before == lock) {
        return folder;
    }
    run(&folder, "npm", &["ci", "--no-audit", "--no-fund"]);
    std::fs::write(installed, lock).expect("a writable folder");
    folder
}

#[test]
fn pages_have_the_types_that_grafana_publishes() {
    if !Tool::Node.is_there() {
        return;
    }
    let folder = with_packages();
    for (file, page) in dashboards() {
        let text = serde_json::to_string_pretty(&page).expect("JSON");
        let source =
            format!("import type {{ Page }} from \"./page\";\nexport const page: Page = {text};\n");
        std::fs::write(folder.join(file).with_extension("ts"), source).expect("a writable folder");
    }
    run(
        &folder,
        "node",
        &["node_modules/typescript/bin/tsc", "--project", "."],
    );
}
