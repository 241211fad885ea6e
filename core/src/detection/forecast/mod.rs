//! What comes next, when a threshold is reached, and how good past answers were.
//!
//! | file | what |
//! |---|---|
//! | `holt` | the smoothing: level, trend, season of the day |
//! | `record` | past forecasts against what came: the error at each distance |
//! | `ahead` | the forecast, its interval, and the time to a threshold |

mod ahead;
mod holt;
mod record;

pub use ahead::{Expected, Forecast, Reached};
pub use holt::{Config, Season, Trend};
pub use record::Scored;
