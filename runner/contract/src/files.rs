//! The names of what lies in the folder that a runner reads its run from.

/// The plan.
pub const PLAN: &str = "plan.json";

/// The folder of the target's files: those below.
pub const TARGET: &str = "target";

/// The target's URL, with its credentials.
pub const URL: &str = "url";

/// The certificates of the authorities that the target's own may come from. Without it the system's
/// roots count.
pub const CA: &str = "ca.crt";

/// The certificate by which the target knows us.
pub const CERTIFICATE: &str = "tls.crt";

/// The key to that certificate.
pub const KEY: &str = "tls.key";
