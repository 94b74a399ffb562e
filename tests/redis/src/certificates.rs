//! An authority of a test's own and what it signs, made by openssl.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::folder::Folder;

/// `ca.crt` and `ca.key`; `server.crt` and `server.key` for `localhost` and 127.0.0.1;
/// `client.crt` and `client.key`; `self.crt` and `self.key`: a server's certificate signed by
/// itself, as `openssl req -x509` makes it; `v1.crt` and `v1.key`: of X.509 version 1, as a plain
/// `openssl x509 -req` made it before version 3.4. Valid for two days.
#[derive(Debug)]
pub struct Certificates(Folder);

impl Certificates {
    /// Makes them.
    ///
    /// # Errors
    /// If openssl is missing or fails.
    pub fn make() -> io::Result<Self> {
        let folder = Folder::new()?;
        let own = |name: &str, subject: &str, extensions: &[&str]| {
            make(folder.path(), name, subject, extensions, None)
        };
        let signed = |name: &str, subject: &str, extensions: &[&str]| {
            make(folder.path(), name, subject, extensions, Some("ca"))
        };
        let for_localhost = "subjectAltName=DNS:localhost,IP:127.0.0.1";
        own("ca", "/CN=redyno test authority", &[])?;
        own("self", "/CN=localhost", &[for_localhost])?;
        let leaf = "basicConstraints=critical,CA:FALSE";
        signed("server", "/CN=localhost", &[leaf, for_localhost])?;
        signed("client", "/CN=redyno test client", &[leaf])?;
        make_v1(folder.path())?;
        Ok(Self(folder))
    }

    /// Where a file is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What a file holds.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.path(name))
    }
}

fn make_v1(folder: &Path) -> io::Result<()> {
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .current_dir(folder)
            .args(arguments)
            .stdin(Stdio::null())
            .output()?;
        if output.status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!(
                "openssl made no v1.crt: {}",
                String::from_utf8_lossy(&output.stderr)
            )))
        }
    };
    openssl(&[
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-noenc",
        "-subj",
        "/CN=localhost",
        "-keyout",
        "v1.key",
        "-out",
        "v1.csr",
    ])?;
    openssl(&[
        "x509",
        "-req",
        "-in",
        "v1.csr",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-out",
        "v1.crt",
    ])
}

fn make(
    folder: &Path,
    name: &str,
    subject: &str,
    extensions: &[&str],
    authority: Option<&str>,
) -> io::Result<()> {
    let mut command = Command::new("openssl");
    command
        .current_dir(folder)
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args(["-noenc", "-days", "2", "-subj", subject])
        .args([
            "-keyout",
            &format!("{name}.key"),
            "-out",
            &format!("{name}.crt"),
        ]);
    for extension in extensions {
        command.args(["-addext", extension]);
    }
    if let Some(authority) = authority {
        command
            .args(["-CA", &format!("{authority}.crt")])
            .args(["-CAkey", &format!("{authority}.key")]);
    }
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "openssl made no {name}.crt: {}",
            String::from_utf8_lossy(&output.stderr)
        )))
    }
}
