//! What all rooms share; knows nobody.
//!
//! | file | what lives there |
//! |---|---|
//! | `machine` | the `Machine` trait: four verbs, inputs, outputs |
//! | `component` | what a node asks of every machine alike: checks, gauges, metrics, settings |
//! | `outbox` | the bounded queue in which a machine leaves its outputs |
//! | `deadlines` | timers keyed by an enum, in deterministic order |
//! | `time` | `Time` (monotonic) and `WallTime` (only for clocks and certificates) |
//! | `rng` | one seed, forked per machine by label |
//! | `id` | node, network, link, request identities; incarnation, role |
//! | `text` | bounded, printable text: names, zones, namespaces, keys |
//! | `address` | where a relay accepts links |
//! | `bytes` | cheaply cloned immutable bytes |
//! | `crypto` | keys, signatures in a domain, `Signed<T>` and `Verified<T>`, hashes |
//! | `memo` | signatures that a simulation has seen (feature `sim`) |
//! | `metrics` | measured values under their names |
//! | `persist` | how a machine makes something durable: request and answer |
//! | `store` | the one storage effect: an atomic batch, then an acknowledgement |
//! | `table` | a map whose copies share memory: what all nodes of a mesh know alike |
//! | `bounded` | collections with a maximum, an overflow policy and a counter |
//! | `planted` | bugs that the simulator has to find |
//! | `laws` | what every machine must satisfy, as one generic check (feature `laws`) |
//!
//! Not here: anything that knows a peer protocol, a room or a host.

pub mod address;
pub mod bounded;
pub mod bytes;
pub mod component;
pub mod crypto;
pub mod deadlines;
pub mod id;
#[cfg(any(test, feature = "laws"))]
pub mod laws;
pub mod machine;
#[cfg(feature = "sim")]
pub(crate) mod memo;
pub mod metrics;
pub mod outbox;
pub mod persist;
pub mod planted;
pub mod rng;
pub mod store;
pub mod table;
pub mod text;
pub mod time;
