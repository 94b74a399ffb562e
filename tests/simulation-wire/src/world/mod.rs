//! What a run finds around itself: a network and servers, on tokio's paused clock.

mod host;
mod line;
mod network;
mod weather;

pub use host::{Hosted, Incident};
pub use network::{Door, Forecast, Host, Network};
pub use weather::{Fate, Weather};
