//! The Redis under test: its address and how its certificate is verified.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use redyno_contract::files;
use redyno_contract::plan::TlsVerification;

use crate::address::{Address, InvalidAddress, Scheme};
use crate::network::Network;
use crate::tls::{InvalidCertificates, Tls};

/// The longest file that is read from the target's directory: a bundle of all public roots has
/// about 250 KB.
const LONGEST_FILE: u64 = 1024 * 1024;

/// The Redis under test. Prints as `host:port/database`, never with its credentials.
#[derive(Clone)]
pub struct Target {
    address: Address,
    tls: Option<Arc<Tls>>,
    network: Arc<dyn Network>,
}

impl Target {
    /// Reads `url` and, for a `rediss://` URL, the optional `ca.crt`, `tls.crt` and `tls.key`.
    /// Without `ca.crt` the system's roots are used. It is looked for in `network`.
    ///
    /// # Errors
    /// [`InvalidTarget`] names the file and what is wrong with it, never what stands in it.
    pub fn from_directory(
        directory: &Path,
        verification: TlsVerification,
        network: Arc<dyn Network>,
    ) -> Result<Self, InvalidTarget> {
        let url = read(directory, files::URL)?.ok_or(InvalidTarget::NoUrl)?;
        let url = String::from_utf8(url).map_err(|_| InvalidTarget::UrlNotText)?;
        let address = Address::parse(&url)?;
        let tls = match address.scheme {
            Scheme::Plain | Scheme::Unix => None,
            Scheme::Tls => Some(Arc::new(Tls::new(
                verification,
                &address.host,
                read(directory, files::CA)?.as_deref(),
                read(directory, files::CERTIFICATE)?.as_deref(),
                read(directory, files::KEY)?.as_deref(),
            )?)),
        };
        Ok(Self {
            address,
            tls,
            network,
        })
    }

    /// Where it is.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_deref()
    }

    pub(crate) fn network(&self) -> &dyn Network {
        &*self.network
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            tls: _,
            network: _,
        } = self;
        address.fmt(formatter)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Target({self})")
    }
}

/// A target that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTarget {
    /// The file `url` is not there.
    #[error(
        "the target has no url: its Secret needs the key url, such as redis://user:password@host:6379/0"
    )]
    NoUrl,
    /// The file `url` is not text.
    #[error("the target's url is not UTF-8 text")]
    UrlNotText,
    /// The URL cannot be used.
    #[error("invalid target: {0}")]
    Url(#[from] InvalidAddress),
    /// A file cannot be read.
    #[error("cannot read the target's {file}: {error}")]
    File {
        /// Which.
        file: &'static str,
        /// Why.
        error: io::Error,
    },
    /// A file is longer than any certificate bundle.
    #[error("the target's {0} is longer than {LONGEST_FILE} bytes")]
    FileTooLong(&'static str),
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Certificates(#[from] InvalidCertificates),
}

/// None if there is no such file, or nothing in it: a Secret may carry empty optional keys.
fn read(directory: &Path, file: &'static str) -> Result<Option<Vec<u8>>, InvalidTarget> {
    let path = directory.join(file);
    let failed = |error| InvalidTarget::File { file, error };
    let length = match std::fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if length > LONGEST_FILE {
        return Err(InvalidTarget::FileTooLong(file));
    }
    let content = std::fs::read(&path).map_err(failed)?;
    Ok((!content.trim_ascii().is_empty()).then_some(content))
}
