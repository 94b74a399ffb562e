//! LoadTests from files: read, changed by arguments, checked as the API server would.

use std::io::Read;
use std::path::Path;

use redyno_crds::read::read_load_tests;
use redyno_crds::validate::validate;
use redyno_crds::{Invalid, LoadTest};

use crate::arguments::Changes;
use crate::exit::Failure;

/// The one LoadTest of a file, changed and valid.
///
/// # Errors
/// [`Failure::Usage`] names the file and everything that is wrong with it.
pub(crate) fn load(path: &Path, changes: Changes) -> Result<LoadTest, Failure> {
    of_text(&text(path)?, changes).map_err(|problem| in_file(path, &problem))
}

/// Every LoadTest of a file, valid.
///
/// # Errors
/// [`Failure::Usage`] names the file and everything that is wrong with it.
pub(crate) fn load_all(path: &Path) -> Result<Vec<LoadTest>, Failure> {
    let load_tests =
        read_load_tests(&text(path)?).map_err(|error| in_file(path, &error.to_string()))?;
    for load_test in &load_tests {
        check(load_test).map_err(|problem| in_file(path, &problem))?;
    }
    Ok(load_tests)
}

/// The one LoadTest of a text, changed and valid. The error says everything that is wrong.
pub(crate) fn of_text(text: &str, changes: Changes) -> Result<LoadTest, String> {
    let mut load_tests = read_load_tests(text).map_err(|error| error.to_string())?;
    let count = load_tests.len();
    let (Some(mut load_test), 1) = (load_tests.pop(), count) else {
        return Err(format!(
            "{count} LoadTests, must be one: put each into a file of its own"
        ));
    };
    change(&mut load_test, changes);
    check(&load_test)?;
    Ok(load_test)
}

fn text(path: &Path) -> Result<String, Failure> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| in_file(path, &error.to_string()))?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(|error| in_file(path, &error.to_string()))
}

fn in_file(path: &Path, problem: &str) -> Failure {
    Failure::Usage(format!("{}: {problem}", path.display()))
}

/// Everything that the API server would refuse.
pub(crate) fn check(load_test: &LoadTest) -> Result<(), String> {
    let problems = validate(load_test);
    if problems.is_empty() {
        return Ok(());
    }
    let name = load_test.metadata.name.as_deref().unwrap_or("LoadTest");
    Err(format!("{name} is invalid: {}", Invalid::list(&problems)))
}

fn change(load_test: &mut LoadTest, changes: Changes) {
    let Changes {
        duration_seconds,
        load_percent,
        scale_percent,
    } = changes;
    let spec = &mut load_test.spec;
    if let Some(seconds) = duration_seconds {
        spec.duration_seconds = seconds;
    }
    if let Some(percent) = load_percent {
        spec.load_percent = percent;
    }
    if let Some(percent) = scale_percent {
        for dynos in &mut spec.formation {
            dynos.scale_percent = percent;
        }
        if let Some(managed) = &mut spec.target.managed {
            managed.scale_percent = percent;
        }
    }
}
