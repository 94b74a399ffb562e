//! Which Redis a run without a cluster loads. Nothing is flushed by accident.

use redyno_contract::plan::{Flush, TargetKind, TlsVerification};
use redyno_contract::{Plan, files};
use redyno_crds::ResolvedRedis;
use redyno_target::{Address, Scheme};

use crate::arguments::{TlsArguments, Verification};

/// What the arguments and the environment say.
#[derive(Clone, Default)]
pub(crate) struct Wishes {
    /// `--redis-url`.
    pub(crate) redis_url: Option<String>,
    /// `REDIS_URL`.
    pub(crate) environment_url: Option<String>,
    /// `--confirm-flush`.
    pub(crate) confirm_flush: Option<String>,
    /// `--tls` and what belongs to it.
    pub(crate) tls: TlsArguments,
}

/// Names and contents of files.
pub(super) type Files = Vec<(&'static str, Vec<u8>)>;

/// The Redis to load.
pub(super) enum LocalTarget {
    /// A Redis that is started for this run alone.
    Managed(ResolvedRedis),
    /// A Redis that is already there.
    Existing {
        /// Its URL, with the password.
        url: String,
        /// The files that belong to it: their names and contents.
        files: Files,
    },
}

/// Decides on the Redis, and makes the plan say what it is.
///
/// # Errors
/// A sentence that says what is missing.
pub(super) fn choose(
    plan: &mut Plan,
    managed: Option<ResolvedRedis>,
    wishes: &Wishes,
) -> Result<LocalTarget, String> {
    let Wishes {
        redis_url,
        environment_url,
        confirm_flush,
        tls,
    } = wishes;
    let url = match (&managed, redis_url, environment_url) {
        (_, Some(url), _) | (None, None, Some(url)) => url,
        // REDIS_URL may be set for another purpose, so it never replaces a managed Redis.
        (Some(managed), None, _) => return Ok(LocalTarget::Managed(managed.clone())),
        (None, None, None) => {
            return Err(
                "spec.target.existing: without a cluster its Secret cannot be read: set REDIS_URL, \
                 or give --redis-url, such as redis://user:password@host:6379/0"
                    .to_owned(),
            );
        }
    };
    let name = if redis_url.is_some() {
        "--redis-url"
    } else {
        "REDIS_URL"
    };
    let address = Address::parse(url).map_err(|error| format!("{name}: {error}"))?;
    let (files, verification) = certificates(tls, &address)?;
    if let Some(verification) = verification {
        plan.target.tls = verification;
    }
    if managed.is_some() {
        // This is somebody's Redis in place of our own, so only what the run wrote is removed from
        // it.
        plan.target.kind = TargetKind::Existing {
            flush: Flush::RunKeys,
        };
        plan.target.title = format!("--redis-url in place of {}", plan.target.title);
    }
    if let TargetKind::Existing {
        flush: flush @ (Flush::Database | Flush::AllDatabases),
    } = plan.target.kind
    {
        if confirm_flush.as_deref() == Some(address.to_string().as_str()) {
            plan.target.flush_hosts = vec![address.host.clone()];
            return Ok(LocalTarget::Existing {
                url: url.trim().to_owned(),
                files,
            });
        }
        let command = if flush == Flush::Database {
            "FLUSHDB"
        } else {
            "FLUSHALL"
        };
        return Err(format!(
            "spec.target.existing.flush asks for {command} on {address}: confirm that with \
             --confirm-flush {address}"
        ));
    }
    Ok(LocalTarget::Existing {
        url: url.trim().to_owned(),
        files,
    })
}

/// What the arguments say of TLS: the files, read, and what is verified, if they say so.
pub(super) fn certificates(
    tls: &TlsArguments,
    address: &Address,
) -> Result<(Files, Option<TlsVerification>), String> {
    let TlsArguments {
        ca,
        cert,
        key,
        verification,
    } = tls;
    let mut files = Vec::new();
    for (argument, name, path) in [
        ("--tls-ca", files::CA, ca),
        ("--tls-cert", files::CERTIFICATE, cert),
        ("--tls-key", files::KEY, key),
    ] {
        if let Some(path) = path {
            let content = std::fs::read(path)
                .map_err(|error| format!("{argument} {}: {error}", path.display()))?;
            files.push((name, content));
        }
    }
    let verification = verification.map(|verification| match verification {
        Verification::VerifyFull => TlsVerification::VerifyFull,
        Verification::VerifyCa => TlsVerification::VerifyCa,
        Verification::SkipVerification => TlsVerification::SkipVerification,
    });
    if address.scheme != Scheme::Tls && (verification.is_some() || !files.is_empty()) {
        return Err(format!(
            "--tls, --tls-ca, --tls-cert and --tls-key are for a URL that begins with rediss://, \
             and that of {address} does not"
        ));
    }
    Ok((files, verification))
}

#[cfg(test)]
mod tests {
    use redyno_crds::Engine;

    use super::*;
    use crate::report::fixtures;

    const REDIS: &str = "redis://user:geheim@cache:7000/3";

    fn wishes(
        redis_url: Option<&str>,
        environment_url: Option<&str>,
        confirm_flush: Option<&str>,
    ) -> Wishes {
        Wishes {
            redis_url: redis_url.map(str::to_owned),
            environment_url: environment_url.map(str::to_owned),
            confirm_flush: confirm_flush.map(str::to_owned),
            tls: TlsArguments::default(),
        }
    }

    fn managed() -> ResolvedRedis {
        ResolvedRedis {
            plan_name: "premium-14".to_owned(),
            engine: Engine::Redis,
            cpu_millis: 4000,
            memory_limit_bytes: 1 << 31,
            maxmemory_bytes: 1 << 30,
            maxclients: 65_000,
            scale_percent: 100,
        }
    }

    fn existing(flush: Flush) -> Plan {
        let mut plan = fixtures::plan(1);
        plan.target.kind = TargetKind::Existing { flush };
        plan
    }

    #[test]
    fn the_environment_never_replaces_a_managed_redis() {
        let mut plan = fixtures::plan(1);
        let target = choose(&mut plan, Some(managed()), &wishes(None, Some(REDIS), None));
        assert!(matches!(target, Ok(LocalTarget::Managed(_))));
        assert_eq!(plan, fixtures::plan(1));
    }

    #[test]
    fn an_explicit_url_replaces_a_managed_redis_and_only_its_own_keys_are_removed() {
        let mut plan = fixtures::plan(1);
        let target = choose(&mut plan, Some(managed()), &wishes(Some(REDIS), None, None));
        assert!(matches!(target, Ok(LocalTarget::Existing { url, .. }) if url == REDIS));
        assert_eq!(
            plan.target.kind,
            TargetKind::Existing {
                flush: Flush::RunKeys
            }
        );
        assert!(!plan.target.title.contains("cache"), "never an address");
    }

    #[test]
    fn an_existing_redis_is_found_in_the_arguments_then_in_the_environment() {
        let url_of = |wishes: &Wishes| match choose(&mut existing(Flush::RunKeys), None, wishes) {
            Ok(LocalTarget::Existing { url, .. }) => Ok(url),
            Ok(LocalTarget::Managed(_)) => Err("managed".to_owned()),
            Err(sentence) => Err(sentence),
        };
        assert_eq!(
            url_of(&wishes(Some("redis://one"), Some("redis://two"), None)),
            Ok("redis://one".to_owned())
        );
        assert_eq!(
            url_of(&wishes(None, Some("redis://two"), None)),
            Ok("redis://two".to_owned())
        );
        assert!(
            url_of(&wishes(None, None, None))
                .unwrap_err()
                .contains("REDIS_URL")
        );
        let error = url_of(&wishes(Some("http://user:geheim@cache"), None, None)).unwrap_err();
        assert!(error.starts_with("--redis-url: "), "{error}");
        assert!(!error.contains("geheim"), "{error}");
    }

    #[test]
    fn a_flush_needs_the_very_database_confirmed() {
        for flush in [Flush::Database, Flush::AllDatabases] {
            for confirmed in [None, Some("cache:7000/0"), Some("cache"), Some("")] {
                let error = choose(
                    &mut existing(flush),
                    None,
                    &wishes(Some(REDIS), None, confirmed),
                )
                .err()
                .unwrap();
                assert!(error.contains("--confirm-flush cache:7000/3"), "{error}");
                assert!(!error.contains("geheim"), "{error}");
            }
            let mut plan = existing(flush);
            let confirmed = wishes(Some(REDIS), None, Some("cache:7000/3"));
            assert!(choose(&mut plan, None, &confirmed).is_ok());
            assert_eq!(plan.target.flush_hosts, ["cache"]);
        }
    }
}
