//! Real tabs in real headless Chromium, with real relays behind them.

#[path = "browser/behind_nginx.rs"]
mod behind_nginx;
#[path = "browser/deaths.rs"]
mod deaths;
#[path = "browser/joining.rs"]
mod joining;
#[path = "browser/keeping.rs"]
mod keeping;
#[path = "browser/limits.rs"]
mod limits;
#[path = "browser/looks.rs"]
mod looks;
#[path = "browser/recordings.rs"]
mod recordings;
#[path = "browser/typed.rs"]
mod typed;
#[path = "browser/values.rs"]
mod values;
#[path = "browser/views.rs"]
mod views;
