//! Whether the administrator lets this host be flushed: asked before anything is sent to it.

use std::net::IpAddr;

use redyno_contract::message::Refusal;
use redyno_contract::plan::{Flush, TargetPlan};

use crate::preflight::enter;
use crate::preflight::refused::Refused;

/// The host is compared as the URL names it: who may be flushed under one name is not looked for
/// under others.
pub(super) fn check(target: &TargetPlan, host: &str) -> Result<(), Refused> {
    let command = match enter::flush(target.kind) {
        Flush::None | Flush::RunKeys => return Ok(()),
        Flush::Database => "FLUSHDB",
        Flush::AllDatabases => "FLUSHALL",
    };
    let allowed = &target.flush_hosts;
    if allowed.iter().any(|pattern| matches(pattern, host)) {
        return Ok(());
    }
    let which = if allowed.is_empty() {
        "on no host".to_owned()
    } else {
        format!("on {} only, not on {host}", allowed.join(", "))
    };
    Err(Refused::new(
        Refusal::FlushNotAllowed,
        format!(
            "{command} was asked for, but the administrator of redyno allows it {which}: use flush: RunKeys"
        ),
    ))
}

fn matches(pattern: &str, host: &str) -> bool {
    let plain = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let (pattern, host) = (plain(pattern), plain(host));
    match pattern.strip_prefix('*') {
        Some("") => true,
        // With its dot, so that `*.example.com` is not `badexample.com`.
        Some(domain) => {
            domain.starts_with('.') && host.len() > domain.len() && host.ends_with(domain)
        }
        None => {
            pattern == host
                || matches!(
                    (pattern.parse::<IpAddr>(), host.parse::<IpAddr>()),
                    (Ok(pattern), Ok(host)) if pattern == host
                )
        }
    }
}

#[cfg(test)]
mod tests {
    use redyno_contract::plan::{TargetKind, TlsVerification};

    use super::*;

    fn target(flush: Flush, hosts: &[&str]) -> TargetPlan {
        TargetPlan {
            title: "existing my-redis".to_owned(),
            kind: TargetKind::Existing { flush },
            tls: TlsVerification::VerifyFull,
            connections: 10,
            flush_hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            cpu_millis: None,
        }
    }

    #[test]
    fn hosts_are_allowed_by_name_by_domain_or_all() {
        for (pattern, host, expected) in [
            ("*", "anything", true),
            ("*", "10.0.0.1", true),
            ("redis.test", "redis.test", true),
            ("redis.test", "REDIS.test.", true),
            ("redis.test", "redis.test.evil.example", false),
            ("redis.test", "my-redis.test", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.Example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "badexample.com", false),
            ("*example.com", "badexample.com", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.10", false),
            ("fd00::1", "fd00:0:0::1", true),
        ] {
            let fine = check(&target(Flush::Database, &[pattern]), host).is_ok();
            assert_eq!(fine, expected, "{pattern} {host}");
        }
    }

    #[test]
    fn only_a_flush_is_asked_about() {
        for flush in [Flush::None, Flush::RunKeys] {
            assert_eq!(check(&target(flush, &[]), "redis"), Ok(()));
        }
        let managed = TargetPlan {
            kind: TargetKind::Managed,
            ..target(Flush::None, &[])
        };
        assert_eq!(check(&managed, "redis"), Ok(()));
    }

    #[test]
    fn a_refusal_says_who_allows_what() {
        for (flush, hosts, message) in [
            (
                Flush::AllDatabases,
                &[][..],
                "FLUSHALL was asked for, but the administrator of redyno allows it on no host: use flush: RunKeys",
            ),
            (
                Flush::Database,
                &["a", "*.b"][..],
                "FLUSHDB was asked for, but the administrator of redyno allows it on a, *.b only, not on till: use flush: RunKeys",
            ),
        ] {
            let refused = check(&target(flush, hosts), "till").unwrap_err();
            assert_eq!(refused.reason, Refusal::FlushNotAllowed);
            assert_eq!(refused.message, message);
        }
    }
}
