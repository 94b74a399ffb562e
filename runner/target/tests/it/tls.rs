//! TLS: whom we trust, and what it is called when we do not.

use std::sync::Arc;

use redyno_contract::message::Refusal;
use redyno_contract::plan::TlsVerification::{self, SkipVerification, VerifyCa, VerifyFull};
use redyno_target::{ConnectFailure, ConnectOptions, Connection, SystemNetwork, Target};
use redyno_test_redis::{Certificates, Folder, RedisServer};

use crate::run::say;

async fn attempt(
    url: &str,
    verification: TlsVerification,
    files: &[(&str, &[u8])],
) -> Result<Connection, ConnectFailure> {
    let mut all = vec![("url", url.as_bytes())];
    all.extend(files);
    let folder = Folder::with(&all).unwrap();
    Target::from_directory(folder.path(), verification, Arc::new(SystemNetwork))
        .unwrap()
        .connect(&ConnectOptions::patient("redyno-test"))
        .await
}

#[tokio::test]
async fn a_server_is_verified_as_asked() {
    let certificates = Certificates::make().unwrap();
    let strangers = Certificates::make().unwrap();
    let server = RedisServer::start_tls(&certificates, &["--requirepass", "s3cret"])
        .await
        .unwrap();
    let (ours, theirs) = (
        certificates.read("ca.crt").unwrap(),
        strangers.read("ca.crt").unwrap(),
    );
    let right = format!("rediss://:s3cret@localhost:{}", server.port());
    let by_address = format!("rediss://:s3cret@127.0.0.1:{}", server.port());
    // Resolves to the loopback interface everywhere, and no certificate is for it.
    let wrong_name = format!("rediss://:s3cret@[::ffff:127.0.0.1]:{}", server.port());
    for (url, verification, authority, expected) in [
        (&right, VerifyFull, Some(&ours), None),
        (&by_address, VerifyFull, Some(&ours), None),
        (
            &wrong_name,
            VerifyFull,
            Some(&ours),
            Some("VerifyCa would accept"),
        ),
        (&wrong_name, VerifyCa, Some(&ours), None),
        (&wrong_name, SkipVerification, None, None),
        (
            &right,
            VerifyFull,
            Some(&theirs),
            Some("not signed by any authority in ca.crt"),
        ),
        (
            &right,
            VerifyCa,
            Some(&theirs),
            Some("not signed by any authority in ca.crt"),
        ),
        (&right, SkipVerification, Some(&theirs), None),
        (&right, VerifyFull, None, Some("as ca.crt")),
        (&right, VerifyCa, None, Some("as ca.crt")),
    ] {
        let files: Vec<(&str, &[u8])> = authority
            .iter()
            .map(|pem| ("ca.crt", pem.as_slice()))
            .collect();
        let found = attempt(url, verification, &files).await;
        match (found, expected) {
            (Ok(mut connection), None) => {
                say(&mut connection, "SET key value").await;
            }
            (Err(failure), Some(words)) => {
                assert_eq!(failure.refusal, Refusal::TlsVerificationFailed);
                assert!(failure.message.contains(words), "{failure}");
            }
            (found, expected) => panic!("{verification:?} {expected:?}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn a_self_signed_certificate_given_as_its_own_authority() {
    let certificates = Certificates::make().unwrap();
    let file = |name: &str| certificates.path(name).to_string_lossy().into_owned();
    let server = RedisServer::start_tls(
        &certificates,
        &[
            "--tls-cert-file",
            &file("self.crt"),
            "--tls-key-file",
            &file("self.key"),
        ],
    )
    .await
    .unwrap();
    let own = certificates.read("self.crt").unwrap();
    attempt(&server.tls_url(), VerifyFull, &[("ca.crt", &own)])
        .await
        .unwrap();
    let other = certificates.read("ca.crt").unwrap();
    let failure = attempt(&server.tls_url(), VerifyCa, &[("ca.crt", &other)])
        .await
        .unwrap_err();
    assert_eq!(failure.refusal, Refusal::TlsVerificationFailed);
}

#[tokio::test]
async fn a_server_that_wants_a_client_certificate() {
    let certificates = Certificates::make().unwrap();
    let server = RedisServer::start_tls(&certificates, &["--tls-auth-clients", "yes"])
        .await
        .unwrap();
    let read = |name: &str| certificates.read(name).unwrap();
    let (authority, certificate, key) = (read("ca.crt"), read("client.crt"), read("client.key"));
    attempt(
        &server.tls_url(),
        VerifyFull,
        &[
            ("ca.crt", &authority),
            ("tls.crt", &certificate),
            ("tls.key", &key),
        ],
    )
    .await
    .unwrap();
    let failure = attempt(&server.tls_url(), VerifyFull, &[("ca.crt", &authority)])
        .await
        .unwrap_err();
    assert_eq!(failure.refusal, Refusal::AuthenticationFailed, "{failure}");
    assert!(failure.message.contains("tls.crt and tls.key"), "{failure}");
}

#[tokio::test]
async fn one_side_speaks_tls_and_the_other_does_not() {
    let certificates = Certificates::make().unwrap();
    let encrypted = RedisServer::start_tls(&certificates, &[]).await.unwrap();
    let failure = attempt(&encrypted.url(), VerifyFull, &[])
        .await
        .unwrap_err();
    assert_eq!(failure.refusal, Refusal::TlsRequired, "{failure}");
    let plain = RedisServer::start(&[]).await.unwrap();
    let authority = certificates.read("ca.crt").unwrap();
    let failure = attempt(&plain.tls_url(), VerifyFull, &[("ca.crt", &authority)])
        .await
        .unwrap_err();
    assert_eq!(failure.refusal, Refusal::TlsNotOffered, "{failure}");
}

/// SkipVerification looks at nothing, not even at whether the certificate can be read; who verifies
/// is told what is wrong with it and how to mend it.
#[tokio::test]
async fn a_certificate_of_version_1() {
    let certificates = Certificates::make().unwrap();
    let text = std::process::Command::new("openssl")
        .args(["x509", "-noout", "-text", "-in"])
        .arg(certificates.path("v1.crt"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("Version: 1 "), "{text}");
    let file = |name: &str| certificates.path(name).to_string_lossy().into_owned();
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let server = RedisServer::start_tls(
            &certificates,
            &[
                "--tls-cert-file",
                &file("v1.crt"),
                "--tls-key-file",
                &file("v1.key"),
                "--tls-protocols",
                protocol,
            ],
        )
        .await
        .unwrap();
        let authority = certificates.read("ca.crt").unwrap();
        let mut connection = attempt(&server.tls_url(), SkipVerification, &[])
            .await
            .unwrap();
        say(&mut connection, "SET key value").await;
        for verification in [VerifyFull, VerifyCa] {
            let failure = attempt(&server.tls_url(), verification, &[("ca.crt", &authority)])
                .await
                .unwrap_err();
            assert_eq!(failure.refusal, Refusal::TlsVerificationFailed);
            assert!(
                failure.message.contains("of X.509 version 1")
                    && failure.message.contains("SkipVerification"),
                "{failure}"
            );
        }
    }
}

/// What `openssl req -x509` makes is an authority's certificate; and some servers are very old.
#[tokio::test]
async fn what_cannot_be_verified_or_spoken_with_is_said_in_words_of_its_owner() {
    let certificates = Certificates::make().unwrap();
    let file = |name: &str| certificates.path(name).to_string_lossy().into_owned();
    let (certificate, key) = (file("self.crt"), file("self.key"));
    let own = ["--tls-cert-file", &certificate, "--tls-key-file", &key];
    let old = ["--tls-protocols", "TLSv1.1"];
    for (arguments, authority, refusal, words) in [
        (
            &own[..],
            "ca.crt",
            Refusal::TlsVerificationFailed,
            "give that very certificate as ca.crt",
        ),
        (
            &old,
            "ca.crt",
            Refusal::TlsNotOffered,
            "speaks neither TLS 1.2 nor TLS 1.3",
        ),
    ] {
        let server = RedisServer::start_tls(&certificates, arguments)
            .await
            .unwrap();
        let authority = certificates.read(authority).unwrap();
        let failure = attempt(&server.tls_url(), VerifyFull, &[("ca.crt", &authority)])
            .await
            .unwrap_err();
        assert_eq!(failure.refusal, refusal, "{failure}");
        assert!(failure.message.contains(words), "{failure}");
    }
    let server = RedisServer::start_tls(&certificates, &own).await.unwrap();
    let itself = certificates.read("self.crt").unwrap();
    attempt(&server.tls_url(), VerifyFull, &[("ca.crt", &itself)])
        .await
        .unwrap();
}
