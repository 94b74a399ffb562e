//! The private folder of a run. It holds what a cluster would mount into pods, and what a cluster
//! would collect from them. Its name follows from the run's uid, by which the guard knows what it
//! may remove, so a crate for temporary folders would not do.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use redyno_contract::plan::DynoName;
use redyno_contract::{Plan, files};

/// What the folder's name begins with. A guard removes no folder of another name.
pub(super) const PREFIX: &str = "redyno-";

/// The folder. It is removed when this is dropped.
#[derive(Debug)]
pub(super) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a run, readable by its owner alone.
    pub(super) fn create(uid: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("{PREFIX}{uid}"));
        // This fails if the folder exists: in a shared temporary folder somebody else may have made
        // it.
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        let folder = Self { path };
        fs::create_dir(folder.path.join(files::TARGET))?;
        fs::create_dir(folder.path.join("reports"))?;
        Ok(folder)
    }

    /// Writes what the run's processes read.
    pub(super) fn write_plan(
        &self,
        plan: &Plan,
        url: &str,
        files: &[(&'static str, Vec<u8>)],
    ) -> io::Result<()> {
        let plan = serde_json::to_string(plan).map_err(io::Error::other)?;
        private_file(&self.path.join(files::PLAN))?.write_all(plan.as_bytes())?;
        self.write_target(url, files)
    }

    /// Writes the URL of the Redis, which holds its password, and the files that belong to it.
    pub(super) fn write_target(
        &self,
        url: &str,
        files: &[(&'static str, Vec<u8>)],
    ) -> io::Result<()> {
        let target = self.path.join(files::TARGET);
        for (name, content) in files {
            private_file(&target.join(name))?.write_all(content)?;
        }
        private_file(&target.join(files::URL))?.write_all(url.as_bytes())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a process writes its report: `web.1`, `preflight`, `finish`.
    pub(super) fn report(&self, process: &str) -> PathBuf {
        self.path.join("reports").join(process)
    }

    /// Where a dyno writes its report.
    pub(super) fn dyno_report(&self, dyno: &DynoName) -> PathBuf {
        self.report(&dyno.to_string())
    }

    /// Where a process' messages for people go. They are quoted if it fails.
    pub(super) fn log(&self, process: &str) -> PathBuf {
        self.path.join(format!("{process}.log"))
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // The guard removes what is left if this fails.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// Makes a file that only its owner can read.
pub(super) fn private_file(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// The last lines of a log as one line; None if the log is empty.
pub(super) fn last_words(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = lines
        .iter()
        .rev()
        .take(3)
        .rev()
        .copied()
        .collect::<Vec<_>>();
    (!last.is_empty()).then(|| last.join("; "))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::report::fixtures;

    #[test]
    fn nobody_else_can_read_it_and_nothing_is_left() {
        let uid = crate::local::identity::random_uid();
        let path = {
            let folder = RunFolder::create(&uid).unwrap();
            folder
                .write_plan(
                    &fixtures::plan(1),
                    "redis://127.0.0.1:1/0",
                    &[("ca.crt", b"pem".to_vec())],
                )
                .unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(folder.path()), 0o700);
            assert_eq!(mode(&folder.path().join("target/url")), 0o600);
            assert!(RunFolder::create(&uid).is_err());
            folder.path().to_owned()
        };
        assert!(!path.exists());
    }
}
