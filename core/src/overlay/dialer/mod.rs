//! Where to dial next, and what became of each dial.
//!
//! | file | what lives there |
//! |---|---|
//! | `config` | settings |
//! | `destination` | one destination with its addresses, its backoff and its running dial |
//! | `destinations` | all of them; the budget, the backoffs of an earlier run |
//! | `check` | what must hold, gauges |
//!
//! Not here: links and their ends (`links`), waits (`backoff`), the rate of all dials (`budget`).

mod check;
mod config;
mod destination;
mod destinations;
#[cfg(test)]
mod tests;

pub use config::DialerConfig;
pub use destination::{Attempts, Destination, Dial};
pub(crate) use destinations::COURTESY;
pub use destinations::Dialer;
