//! A folder that is removed after the test.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A new, empty folder, removed with everything in it when dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it among the system's temporary files.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn new() -> io::Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("redyno-test-{}-{number}", std::process::id()));
        // A killed test of the same process id may have left the folder.
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// A folder with these files in it.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn with(files: &[(&str, &[u8])]) -> io::Result<Self> {
        let folder = Self::new()?;
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content)?;
        }
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody can be told; the system clears its temporary files by itself.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
