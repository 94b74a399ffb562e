//! What dynos do in Redis to begin together, to end together, and to leave nothing.
//!
//! Each step is one command or one Lua script, so that no two dynos can see it half done. After
//! the common start none of them is needed: whoever runs them notes a failure and goes on, since
//! a Redis on its knees is what the test came to see.

mod barrier;
mod claim;
mod clock;
mod leave;
mod ready;
mod release;
mod reply;
mod seat;
mod stop;
mod surroundings;

pub use barrier::{Barrier, poll_barrier};
pub use claim::{Claim, claim};
pub use clock::{ClockMapping, map_clock};
pub use leave::{Leave, leave, tell_removed};
pub use ready::{Ready, mark_ready};
pub use release::{Released, release, release_lock};
pub(crate) use reply::{reply, unexpected};
pub use seat::Seat;
pub(crate) use stop::end;
pub use stop::{Watch, set_stop, watch_stop};
pub use surroundings::{Evictions, Surroundings, evictions, look_around};

/// Lua that the scripts touching the lock begin with.
pub(crate) const AT_LOCK: &str = include_str!("at_lock.lua");
