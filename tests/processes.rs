//! The real program in real processes, killed for real.
//!
//! Figures that the project promises are printed beside the promise (`figure: …`); a test fails when
//! one takes three times as long, because test machines are shared.

#[path = "processes/addresses.rs"]
mod addresses;
#[path = "processes/alerts.rs"]
mod alerts;
#[path = "processes/backups.rs"]
mod backups;
#[path = "processes/behind_nginx.rs"]
mod behind_nginx;
#[path = "processes/broken_output.rs"]
mod broken_output;
#[path = "processes/catching_up.rs"]
mod catching_up;
#[path = "processes/clocks.rs"]
mod clocks;
#[path = "processes/compaction.rs"]
mod compaction;
#[path = "processes/copies.rs"]
mod copies;
#[path = "processes/deaths.rs"]
mod deaths;
#[path = "processes/doctor.rs"]
mod doctor;
#[path = "processes/durability.rs"]
mod durability;
#[path = "processes/errors.rs"]
mod errors;
#[path = "processes/faulty_paths.rs"]
mod faulty_paths;
#[path = "processes/finding.rs"]
mod finding;
#[path = "processes/following.rs"]
mod following;
#[path = "processes/ghosts.rs"]
mod ghosts;
#[path = "processes/history.rs"]
mod history;
#[path = "processes/hostile.rs"]
mod hostile;
#[path = "processes/http_guard.rs"]
mod http_guard;
#[path = "processes/imports.rs"]
mod imports;
#[path = "processes/joining.rs"]
mod joining;
#[path = "processes/large_answers.rs"]
mod large_answers;
#[path = "processes/linearizable.rs"]
mod linearizable;
#[path = "processes/live.rs"]
mod live;
#[path = "processes/lost_stores.rs"]
mod lost_stores;
#[path = "processes/notify.rs"]
mod notify;
#[path = "processes/recordings.rs"]
mod recordings;
#[path = "processes/savepoints.rs"]
mod savepoints;
#[path = "processes/series.rs"]
mod series;
#[path = "processes/slow_readers.rs"]
mod slow_readers;
#[path = "processes/strangers.rs"]
mod strangers;
#[path = "processes/typed.rs"]
mod typed;
#[path = "processes/unknown_words.rs"]
mod unknown_words;
#[path = "processes/values.rs"]
mod values;
#[path = "processes/verify.rs"]
mod verify;
#[path = "processes/vitals.rs"]
mod vitals;
#[path = "processes/watching.rs"]
mod watching;
