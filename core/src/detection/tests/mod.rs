//! What holds for every series, and forecasts whose future is known.

mod forecasts;
mod laws;
