//! What the tests share.
//!
//! | file | what lives there |
//! |---|---|
//! | `tree` | the repository's files, as the tidy test reads them |
//! | `wait` | waiting on conditions, promised figures |
//! | `program` | the real program: where it is, one run of a client command |
//! | `relay` | a real relay process |
//! | `mesh` | several relays of one network |
//! | `proxy` | a bad path before a relay |
//! | `nginx` | a real nginx before a relay |
//! | `postgres` | a real PostgreSQL with a cluster of its own |
//! | `faketime` | a wrong wall clock for a real process |
//! | `sink` | a web server and a mail server that keep what they get |
//! | `store` | what every store must do, as cases and a judge |
//! | `fuzz_targets` | bytes from strangers against the real decoders |
//! | `http` | a plain HTTP client that may break the rules |
//! | `newcomer` | a real node in this process, over real sockets |
//! | `stranger` | a hand-made initiator with settings that no honest node has |
//! | `webdriver` | a real browser, driven through chromedriver |
//! | `page` | the console in a tab, as a person uses it |
//!
//! Not here: the tests themselves (the `*.rs` files beside this folder).

#[cfg(not(target_arch = "wasm32"))]
pub mod faketime;
#[cfg(not(target_arch = "wasm32"))]
pub mod fuzz_targets;
#[cfg(not(target_arch = "wasm32"))]
pub mod http;
#[cfg(not(target_arch = "wasm32"))]
pub mod mesh;
#[cfg(not(target_arch = "wasm32"))]
pub mod newcomer;
#[cfg(not(target_arch = "wasm32"))]
pub mod nginx;
#[cfg(not(target_arch = "wasm32"))]
pub mod page;
#[cfg(not(target_arch = "wasm32"))]
pub mod postgres;
#[cfg(not(target_arch = "wasm32"))]
pub mod program;
#[cfg(not(target_arch = "wasm32"))]
pub mod proxy;
#[cfg(not(target_arch = "wasm32"))]
pub mod relay;
#[cfg(not(target_arch = "wasm32"))]
pub mod sink;
pub mod store;
#[cfg(not(target_arch = "wasm32"))]
pub mod stranger;
#[cfg(not(target_arch = "wasm32"))]
pub mod tree;
#[cfg(not(target_arch = "wasm32"))]
pub mod wait;
#[cfg(not(target_arch = "wasm32"))]
pub mod webdriver;
