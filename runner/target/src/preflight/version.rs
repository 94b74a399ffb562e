//! Whether the server is new enough.

use redyno_contract::message::Refusal;

use crate::info::Info;
use crate::preflight::refused::Refused;

/// Scripts that ask for the time and then write need the replication of effects, the default
/// since 5.0.
const OLDEST: u32 = 5;

pub(super) fn check(info: &Info) -> Result<(), Refused> {
    let Some(version) = &info.version else {
        return Ok(());
    };
    let major: Option<u32> = version.split('.').next().and_then(|part| part.parse().ok());
    match major {
        Some(major) if major < OLDEST => Err(Refused::new(
            Refusal::Other,
            format!("the target is Redis {version}, redyno needs {OLDEST}.0 or newer"),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_too_old_is_refused() {
        for (version, fine) in [
            (Some("4.0.14"), false),
            (Some("5.0.0"), true),
            (Some("7.0.15"), true),
            (Some("255.255.255"), true),
            (Some("unstable"), true),
            (None, true),
        ] {
            let info = Info {
                version: version.map(str::to_owned),
                ..Info::default()
            };
            assert_eq!(check(&info).is_ok(), fine, "{version:?}");
        }
    }
}
