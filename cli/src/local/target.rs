//! Which Redis a run without a cluster loads. Nothing is flushed by accident.

use redyno_contract::Plan;
use redyno_contract::plan::{Flush, TargetKind};
use redyno_crds::ResolvedRedis;
use redyno_target::Address;

/// What the arguments and the environment say.
#[derive(Clone, Default)]
pub(crate) struct Wishes {
    /// `--redis-url`.
    pub(crate) redis_url: Option<String>,
    /// `REDIS_URL`.
    pub(crate) environment_url: Option<String>,
    /// `--confirm-flush`.
    pub(crate) confirm_flush: Option<String>,
}

/// The Redis to load.
pub(super) enum LocalTarget {
    /// One that is started for this run alone.
    Managed(ResolvedRedis),
    /// One that is there.
    Existing {
        /// With its password.
        url: String,
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
    } = wishes;
    let url = match (&managed, redis_url, environment_url) {
        (_, Some(url), _) | (None, None, Some(url)) => url,
        // REDIS_URL may be set for another purpose: it never stands in for a managed Redis.
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
    if let Some(managed) = managed {
        // Somebody's Redis in place of our own: only what the run wrote is removed from it.
        plan.target.kind = TargetKind::Existing {
            flush: Flush::RunKeys,
        };
        plan.target.title = format!("--redis-url in place of managed {}", managed.plan_name);
    }
    if let TargetKind::Existing {
        flush: flush @ (Flush::Database | Flush::AllDatabases),
    } = plan.target.kind
    {
        if confirm_flush.as_deref() == Some(address.to_string().as_str()) {
            plan.target.flush_hosts = vec![address.host.clone()];
            return Ok(LocalTarget::Existing {
                url: url.trim().to_owned(),
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
    })
}

#[cfg(test)]
mod tests {
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
        }
    }

    fn managed() -> ResolvedRedis {
        ResolvedRedis {
            plan_name: "premium-14".to_owned(),
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
        assert!(matches!(target, Ok(LocalTarget::Existing { url }) if url == REDIS));
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
            Ok(LocalTarget::Existing { url }) => Ok(url),
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
