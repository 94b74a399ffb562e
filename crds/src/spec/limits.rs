//! Patterns, bounds and defaults that several fields share.

/// Most dynos of a LoadTest. Heroku allows 100 dynos per Cedar app
/// (Dev Center, dyno-scaling-and-process-limits).
pub(crate) const DYNOS_AT_MOST: i64 = 100;

/// A dyno type: it is part of names, labels and keys.
pub(crate) const TYPE_NAME: &str = "^[a-z][a-z0-9]{0,14}$";

/// A size or a plan; Fir sizes have a dot in their names.
pub(crate) const SIZE_NAME: &str = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$";

/// A threshold.
pub(crate) const THRESHOLD_NAME: &str = "^[a-z]([-a-z0-9]*[a-z0-9])?$";

/// A command of a mix.
pub(crate) const COMMAND_NAME: &str = "^[a-z]([-a-z0-9]*[a-z0-9])?$";

/// The whole task, or one step of it.
pub(crate) const STEP_NAME: &str = "^(Task|Fetch|Save|Ping|[a-z]([-a-z0-9]*[a-z0-9])?)$";

/// A Secret: a DNS subdomain.
pub(crate) const SECRET_NAME: &str =
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// A label's value.
pub(crate) const LABEL_VALUE: &str = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";

/// A default, for serde.
pub(crate) const fn number<const N: i32>() -> i32 {
    N
}

/// The seed's default.
pub(crate) const fn seed() -> i64 {
    1
}
