//! Numbers for people; what formats them is [`redyno_contract::figures`].

pub use redyno_contract::figures::{bytes, cpu};
