//! The name of a dyno.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A dyno's name: type and number from 1, `web.2`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct DynoName {
    /// The type.
    #[serde(rename = "type")]
    pub dyno_type: String,
    /// The completion index, from 0: `web.1` has index 0.
    pub index: u32,
}

impl fmt::Display for DynoName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}.{}",
            self.dyno_type,
            u64::from(self.index) + 1
        )
    }
}
