//! TLS to the target: roots, the client's own certificate, and what a failure means.

mod verifier;

use std::sync::Arc;

use redyno_contract::message::Refusal;
use redyno_contract::plan::TlsVerification;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};

use crate::tls::verifier::Verifier;

/// How to speak TLS with the target.
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    server_name: ServerName<'static>,
    roots: Roots,
    own_certificate: bool,
}

/// Where the roots came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Roots {
    /// `ca.crt`.
    Given,
    /// The system's own.
    System,
    /// There are none: an image without a system.
    None,
}

/// A certificate or key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCertificates {
    /// No PEM certificate in `ca.crt`.
    #[error("the target's ca.crt holds no usable PEM certificate")]
    Authorities,
    /// Only one of `tls.crt` and `tls.key`.
    #[error("the target has tls.crt or tls.key but not both: a client certificate needs both")]
    HalfAPair,
    /// No PEM certificate in `tls.crt`.
    #[error("the target's tls.crt holds no PEM certificate")]
    OwnCertificate,
    /// No PEM key in `tls.key`.
    #[error("the target's tls.key holds no PEM private key")]
    OwnKey,
    /// They do not belong together, or the key is of an unknown kind.
    #[error("the target's tls.crt and tls.key cannot be used: {0}")]
    OwnPair(String),
    /// Not a name that a certificate could be for.
    #[error("the URL's host is neither a DNS name nor an IP address")]
    ServerName,
}

impl Tls {
    pub(crate) fn new(
        verification: TlsVerification,
        host: &str,
        authorities: Option<&[u8]>,
        own_certificate: Option<&[u8]>,
        own_key: Option<&[u8]>,
    ) -> Result<Self, InvalidCertificates> {
        let server_name =
            ServerName::try_from(host.to_owned()).map_err(|_| InvalidCertificates::ServerName)?;
        let (roots, trusted) = match (verification, authorities) {
            (TlsVerification::SkipVerification, _) => (Roots::None, Vec::new()),
            (_, Some(pem)) => (
                Roots::Given,
                certificates(pem).ok_or(InvalidCertificates::Authorities)?,
            ),
            (_, None) => match rustls_native_certs::load_native_certs().certs {
                none if none.is_empty() => (Roots::None, none),
                system => (Roots::System, system),
            },
        };
        let mut store = RootCertStore::empty();
        let (usable, _) = store.add_parsable_certificates(trusted.iter().cloned());
        if roots == Roots::Given && usable == 0 {
            return Err(InvalidCertificates::Authorities);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = Arc::new(Verifier::new(
            verification,
            store,
            // The system's roots are authorities; only what was given can be meant as the
            // server's own certificate.
            if roots == Roots::Given {
                trusted
            } else {
                Vec::new()
            },
            provider.signature_verification_algorithms,
        ));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| InvalidCertificates::OwnPair(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let own = match (own_certificate, own_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((
                certificates(certificate).ok_or(InvalidCertificates::OwnCertificate)?,
                PrivateKeyDer::from_pem_slice(key).map_err(|_| InvalidCertificates::OwnKey)?,
            )),
            (Some(_), None) | (None, Some(_)) => return Err(InvalidCertificates::HalfAPair),
        };
        let has_own = own.is_some();
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| InvalidCertificates::OwnPair(error.to_string()))?,
        };
        Ok(Self {
            config: Arc::new(config),
            server_name,
            roots,
            own_certificate: has_own,
        })
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    pub(crate) fn server_name(&self) -> ServerName<'static> {
        self.server_name.clone()
    }

    /// What a failed handshake means.
    pub(crate) fn explain(&self, error: &rustls::Error) -> (Refusal, String) {
        match error {
            rustls::Error::InvalidCertificate(reason) => (
                Refusal::TlsVerificationFailed,
                self.explain_certificate(reason),
            ),
            rustls::Error::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnknownCA
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateExpired
                | AlertDescription::AccessDenied
                | AlertDescription::HandshakeFailure,
            ) => (
                Refusal::AuthenticationFailed,
                if self.own_certificate {
                    format!(
                        "the server does not accept the client certificate in tls.crt: {}",
                        in_words(error)
                    )
                } else {
                    format!(
                        "the server ended the TLS handshake, it probably wants a client certificate (tls.crt and tls.key in the Secret; --tls-cert and --tls-key without a cluster): {}",
                        in_words(error)
                    )
                },
            ),
            rustls::Error::InvalidMessage(_) => (
                Refusal::TlsNotOffered,
                "what listens there does not speak TLS: use redis:// or its TLS port".to_owned(),
            ),
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
            | rustls::Error::PeerIncompatible(_) => (
                Refusal::TlsNotOffered,
                format!(
                    "the server speaks neither TLS 1.2 nor TLS 1.3 in a way that is secure today, see its tls-protocols and tls-ciphers: {}",
                    in_words(error)
                ),
            ),
            other => (
                Refusal::Other,
                format!("the TLS handshake failed: {}", in_words(other)),
            ),
        }
    }

    fn explain_certificate(&self, reason: &CertificateError) -> String {
        match reason {
            // A bad signature: an authority of the same name, but another one.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => match self.roots {
                Roots::Given => {
                    "the server's certificate is not signed by any authority in ca.crt".to_owned()
                }
                Roots::System => format!(
                    "the server's certificate is not signed by any authority that this system \
                     trusts: {GIVE_AUTHORITY}"
                ),
                Roots::None => format!(
                    "there are no root certificates to verify the server's certificate with: \
                     {GIVE_AUTHORITY}"
                ),
            },
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!(
                    "the server's certificate is not for the host {}: VerifyCa would accept any \
                     host name",
                    self.server_name.to_str()
                )
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet: compare the clocks".to_owned()
            }
            CertificateError::Revoked => "the server's certificate was revoked".to_owned(),
            other if format!("{other:?}").contains("UnsupportedCertVersion") => format!(
                "the server's certificate is of X.509 version 1, which cannot be verified: make \
                 one of version 3 (openssl x509 -req with -extfile), or {DO_NOT_VERIFY}"
            ),
            other if format!("{other:?}").contains("CaUsedAsEndEntity") => format!(
                "the server's certificate is that of an authority, as openssl req -x509 makes it: give \
                 that very certificate as ca.crt in the Secret (--tls-ca without a cluster), or \
                 {DO_NOT_VERIFY}"
            ),
            other => format!(
                "the server's certificate does not verify: {}",
                in_words(other)
            ),
        }
    }
}

/// What to do about an authority that nobody knows.
const GIVE_AUTHORITY: &str = "give its authority as ca.crt in the Secret (--tls-ca or SSL_CERT_FILE \
    without a cluster), or do not verify, as Heroku's documentation prescribes for its self-signed \
    certificates (tls: SkipVerification, or --tls SkipVerification)";

const DO_NOT_VERIFY: &str = "do not verify (tls: SkipVerification, or --tls SkipVerification)";

/// An error of the TLS library as words: it names kinds as they stand in its code.
fn in_words(error: &impl std::fmt::Display) -> String {
    let mut words = String::new();
    let mut last = ' ';
    for character in error.to_string().chars() {
        let character = if matches!(character, '(' | ')' | '{' | '}' | '"') {
            ' '
        } else {
            character
        };
        if character.is_ascii_uppercase() && last.is_ascii_lowercase() {
            words.push(' ');
            words.push(character.to_ascii_lowercase());
        } else {
            words.push(character);
        }
        last = character;
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All certificates of a PEM file; None if there is none, or one that cannot be read.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .ok()?;
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_put_into_words() {
        for (error, words) in [
            (
                rustls::Error::AlertReceived(AlertDescription::CertificateRequired),
                "received fatal alert: Certificate required",
            ),
            (
                rustls::Error::PeerIncompatible(rustls::PeerIncompatible::NoCipherSuitesInCommon),
                "peer is incompatible: No cipher suites in common",
            ),
        ] {
            assert!(
                in_words(&error).contains(words.rsplit(": ").next().unwrap()),
                "{}",
                in_words(&error)
            );
        }
        assert_eq!(
            in_words(&"Other(OtherError(UnsupportedVersion))"),
            "Other Other error Unsupported version"
        );
    }
}
