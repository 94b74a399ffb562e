//! The page of `-o html` in a real browser. It loads nothing from elsewhere, has no faults, is
//! complete, and can be read on a desk, on a phone and on paper, by day and by night.
//!
//! The pages are those of the command line's own snapshots and, where the command is at hand
//! (`REDYNO_COMMAND`), one of a real run. With `REDYNO_PICTURES` a folder, pictures are kept there.

use std::fs;
use std::path::{Path, PathBuf};

use redyno_tests::browser::{Browser, Page, View};
use redyno_tests::command::run;
use redyno_tests::repository::{files, root};
use redyno_tests::tools::Tool;
use serde_json::Value;

/// A desk, a phone, and a sheet of A4 with its margins.
const VIEWS: [View; 5] = [
    screen(1280, false),
    screen(1280, true),
    screen(390, false),
    screen(390, true),
    View {
        width: 688,
        dark: true,
        paper: true,
    },
];

const fn screen(width: u32, dark: bool) -> View {
    View {
        width,
        dark,
        paper: false,
    }
}

/// Everything that a reader would stumble over, as sentences. The least contrast is that of the Web
/// Content Accessibility Guidelines 2.1, 1.4.3: 4.5 to 1, and 3 to 1 for large text.
const STUMBLES: &str = include_str!("html_stumbles.js");

/// A folder of the test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("redyno-html-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file that can be written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn texts(page: &mut Page<'_>, selector: &str) -> Vec<String> {
    let expression = format!(
        "[...document.querySelectorAll({selector:?})].map(element => element.textContent.trim())"
    );
    strings(&page.evaluate(&expression))
}

fn strings(value: &Value) -> Vec<String> {
    value
        .as_array()
        .expect("a list of texts")
        .iter()
        .map(|text| text.as_str().expect("a text").to_owned())
        .collect()
}

/// Asserts what holds for every page.
fn expect_good(page: &mut Page<'_>, file: &Path, verdict: &str, dynos: &[&str]) {
    let name = file.file_name().expect("a file").to_string_lossy();
    assert_eq!(texts(page, ".verdict .word"), [verdict], "{name}");
    assert_eq!(texts(page, "h1").len(), 1, "{name}");
    let rows = texts(page, "tbody th");
    for dyno in dynos {
        assert!(
            rows.iter().any(|row| row == dyno),
            "{name}: {dyno} in {rows:?}"
        );
    }
    for view in VIEWS {
        page.show(view);
        assert_eq!(
            strings(&page.evaluate(STUMBLES)),
            [""; 0],
            "{name}, {view:?}"
        );
        if let Ok(pictures) = std::env::var("REDYNO_PICTURES") {
            let View { width, dark, paper } = view;
            let scheme = match (paper, dark) {
                (true, _) => "paper",
                (false, true) => "dark",
                (false, false) => "light",
            };
            let picture = Path::new(&pictures).join(format!("{name}-{width}-{scheme}.png"));
            fs::write(picture, page.picture()).expect("a folder for pictures");
        }
    }
    assert_eq!(page.complaints(), [""; 0], "{name}");
    assert_eq!(
        page.requests(),
        [format!("file://{}", file.display())],
        "{name}"
    );
}

#[test]
fn pages_of_all_kinds_are_whole_and_readable() {
    let folder = Folder::new("snapshots");
    let mut browser = Browser::start();
    for (name, verdict, dynos) in [
        ("passed_with_all_charts", "PASSED", ["web.1", "web.2"]),
        ("failed_early", "FAILED", ["web.1", "web.2"]),
        ("errored_with_a_lost_dyno", "ERRORED", ["web.1", "web.2"]),
    ] {
        let snapshots = files("cli/src/report/html", &format!("__{name}.snap"));
        let [snapshot] = snapshots.as_slice() else {
            panic!("{name}: {snapshots:?}");
        };
        let snapshot = fs::read_to_string(snapshot).unwrap();
        // A snapshot begins with a header of its own.
        let (_, html) = snapshot.split_once("\n---\n").unwrap();
        let file = folder.file(&format!("{name}.html"), html);
        let mut page = browser.open(&file);
        expect_good(&mut page, &file, verdict, &dynos);
        // The distribution is drawn only if the evidence is whole, the course from whatever is
        // known.
        let drawings = texts(&mut page, "svg[role=img] > title").len();
        let expected = match verdict {
            "PASSED" => 5,
            _ => 4,
        };
        assert_eq!(drawings, expected, "{name}");
    }
}

#[test]
fn the_page_of_a_real_run_is_whole_and_readable() {
    if !Tool::CommandLine.is_there() {
        return;
    }
    let redyno = std::env::var("REDYNO_COMMAND").expect("it was found");
    let folder = Folder::new("run");
    let example = root().join("examples/quickstart.yaml");
    let outcome = run(
        &redyno,
        &[
            "run",
            &example.to_string_lossy(),
            "--duration-seconds",
            "4",
            "-o",
            "html",
        ],
    );
    // On a busy machine the numbers may carry no verdict; the page is there in any case.
    let verdict = match outcome.code {
        Some(0) => "PASSED",
        Some(1) => "FAILED",
        Some(3) => "INCONCLUSIVE",
        other => panic!("{other:?}\n{}", outcome.errors),
    };
    let file = folder.file("quickstart.html", &outcome.output);
    let mut browser = Browser::start();
    let mut page = browser.open(&file);
    expect_good(&mut page, &file, verdict, &["web.1", "web.2"]);
}

/// The checks above find faults where there are some.
#[test]
fn what_is_wrong_with_a_page_is_seen() {
    let folder = Folder::new("wrong");
    let file = folder.file(
        "wrong.html",
        "<!doctype html><title>wrong</title><img src='http://127.0.0.1:9/x.png' alt=''>\
         <p style='color:#999;background:#fff'>faint</p><p style='width:2000px'>wide</p>\
         <script>console.error('aloud')</script>",
    );
    let mut browser = Browser::start();
    let mut page = browser.open(&file);
    page.show(VIEWS[0]);
    let stumbles = strings(&page.evaluate(STUMBLES)).join("\n");
    assert!(stumbles.contains("faint"), "{stumbles}");
    assert!(stumbles.contains("2008 wide"), "{stumbles}");
    let requests = page.requests();
    assert!(
        requests.iter().any(|url| url.ends_with("x.png")),
        "{requests:?}"
    );
    let complaints = page.complaints();
    assert!(
        complaints.iter().any(|text| text.contains("aloud")),
        "{complaints:?}"
    );
}
