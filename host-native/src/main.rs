//! The `sporenet` program: a relay node of the mesh, with its console, API and command line.
//!
//! The host is thin: it moves bytes, reads clocks, stores records and renders. Every decision is the
//! core's (`sporenet_core`).
//!
//! | file | what lives there |
//! |---|---|
//! | `run` | from settings to a running relay, and to its orderly end |
//! | `join_links` | what `--join` takes |
//! | `driver` | the core task |
//! | `links` | sockets on one side, typed messages on the other |
//! | `store`, `reserve` | SQLite behind one thread, and space for what must be written |
//! | `history` | what happened, kept beyond the node's memory: `history.db` and PostgreSQL |
//! | `vitals` | what the node measures of itself and its machine |
//! | `channels` | how people are told of incidents |
//! | `values` | values as lines of JSON, many at once, and savepoints |
//! | `http` | probes, metrics, API, console |
//! | `cli` | the command line |
//! | `config`, `data_dir`, `descriptors`, `logging`, `log_sink`, `clock`, `exit` | what all of them need |
//! | `assets` | the embedded web bundle |

#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic where the output fails: `cli::print` and `log_sink` don't"
)]

mod assets;
mod calling;
mod channels;
mod cli;
mod clock;
mod config;
mod data_dir;
mod descriptors;
mod driver;
mod exit;
mod history;
mod http;
mod join_links;
mod links;
mod log_sink;
mod logging;
mod reserve;
mod run;
mod store;
mod values;
mod vitals;
mod welcome;

use std::process::ExitCode;

fn main() -> ExitCode {
    let code = exit::report(cli::main());
    log_sink::flush();
    code
}
