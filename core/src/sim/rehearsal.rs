//! One recorded run of several nodes: the same seed must give the same trace hash natively and in
//! wasm.

use crate::{
    kernel::{id::Role, time::Duration},
    node::{endpoint::Endpoint, setup::StartError},
    replication::write::AckLevel,
    sim::{
        plan::{Plan, Wish},
        run,
        world::World,
    },
};
use alloc::{format, string::String};

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// A hash over every output of every node, with its time.
    pub trace: String,
    /// How many outputs there were.
    pub outputs: u64,
    /// Whether all nodes ended with the same data.
    pub converged: bool,
}

/// Three relays and a tab: they join, write, are cut apart, crash, return and agree again.
///
/// # Errors
/// [`StartError`] if a node does not start; it always does unless the core is broken.
pub fn run(seed: u64) -> Result<Outcome, StartError> {
    let mut mesh = World::<Endpoint>::new(seed);
    let first = mesh.launch(Role::Relay, None)?;
    mesh.run_for(Duration::from_secs(1));
    let link = mesh.invite(first, None);
    let second = mesh.launch(Role::Relay, link.clone())?;
    let third = mesh.launch(Role::Relay, link.clone())?;
    let tab = mesh.launch(Role::Tab, link)?;
    mesh.run_for(Duration::from_secs(5));
    for round in 0..20_u8 {
        let key = format!("key-{}", round % 7);
        for host in [first, second, third, tab] {
            mesh.write(host, "rehearsal", &key, Some(&[round]), AckLevel::Local);
        }
        mesh.run_for(Duration::from_millis(300));
    }
    mesh.cut(first, second);
    mesh.crash(third);
    mesh.run_for(Duration::from_secs(12));
    mesh.write(first, "rehearsal", "one", Some(b"apart"), AckLevel::Local);
    mesh.write(
        second,
        "rehearsal",
        "one",
        Some(b"also apart"),
        AckLevel::Local,
    );
    mesh.run_for(Duration::from_secs(3));
    mesh.heal(first, second);
    mesh.start(third)?;
    mesh.run_for(Duration::from_secs(90));
    let view = |host| {
        mesh.node(host)
            .map(|node| node.list("rehearsal", "", None, 100))
    };
    let expected = view(first);
    let converged = expected.is_some()
        && [second, third, tab]
            .into_iter()
            .all(|host| view(host) == expected);
    Ok(Outcome {
        trace: mesh.trace_hash(),
        outputs: mesh.outputs(),
        converged,
    })
}

/// A hash over the traces of `count` short runs with faults, from seed `first` on: four nodes, six
/// seconds of chaos. The same on every target.
#[must_use]
pub fn short_runs(first: u64, count: u64) -> String {
    let mut hasher = blake3::Hasher::new();
    for seed in first..first + count {
        let wish = Wish {
            nodes: Some(4),
            ..Wish::default()
        };
        let mut plan = Plan::draw(seed, wish);
        for fault in &mut plan.faults {
            fault.at /= 10;
        }
        plan.chaos = Duration::from_secs(6);
        hasher.update(run::run(&plan).trace.as_bytes());
    }
    format!("{}", hasher.finalize())
}
