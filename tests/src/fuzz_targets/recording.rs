//! Recordings that disks and liars changed.

use crate::fuzz_targets::Script;
use sporenet_core::{
    kernel::{
        crypto::Hash,
        id::{Role, Ticket},
        machine::{Input, Machine as _, Output},
        store::Stored,
        text::Name,
        time::{Duration, Time, WallTime},
    },
    node::{
        Node,
        config::Config,
        contract::{Event, HostOutput, StoreInput, StoreOutput},
        recording::{BYTES_MAX_MIN, OpenError, Replay},
        setup::Setup,
    },
};
use std::sync::OnceLock;

/// The most inputs that are replayed: forged timers may be due without end.
const INPUTS_MAX: u64 = 200;

/// Opens any bytes, then a recording that the script damages, then one that it forges: with checksums
/// that hold.
///
/// # Panics
/// When opening or replaying panics, or what was only damaged is opened as whole.
pub fn recording(bytes: &[u8]) {
    let _ = Replay::open(bytes.to_vec());
    let whole = whole();
    let mut script = Script(bytes);
    let mut damaged = whole.to_vec();
    let mut forged = whole.to_vec();
    while !script.is_over() {
        let at = usize::from(script.word()) % whole.len();
        let change = script.byte();
        damaged[at] ^= change;
        forged[at] ^= change;
    }
    let opened = Replay::open(damaged.clone());
    assert!(opened.is_err() || damaged == whole, "damage went unnoticed");
    if matches!(opened, Err(OpenError::Damaged { .. })) {
        let _ = Replay::open_damaged(damaged);
    }
    if seal(&mut forged).is_some()
        && let Ok(mut replay) = Replay::open(forged)
    {
        while replay.position() < INPUTS_MAX && replay.step().is_some() {}
        replay.step_back();
        let _ = (replay.state_hash(), replay.outcome());
    }
}

/// A small recording: a node founds a network, its store answers, time passes.
fn whole() -> &'static [u8] {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let name = |text| Name::new(text).expect("a short name");
        let setup = Setup {
            may_found: true,
            config: Config {
                role: Role::Relay,
                name: name("recorded"),
                zone: None,
                location: None,
                addresses: Vec::new(),
                version: "0".into(),
                network_name: name("fuzz"),
                entries: vec!["tcp://127.0.0.1:7601".parse().expect("an address")],
                history_bytes_max: 0,
            },
            entropy: [7; 32],
            wall: WallTime::from_millis(1_790_000_000_000),
            stored: Stored::default(),
            join: None,
        };
        let mut node = Node::start(setup, Time::ZERO).expect("the setup is valid");
        let mut tickets = drain(&mut node);
        node.start_recording(BYTES_MAX_MIN);
        for number in 0..20 {
            let now = Time::ZERO + Duration::from_millis(200) * number;
            for ticket in tickets.drain(..) {
                node.handle_input(now, Input::Command(StoreInput::Persisted(ticket).into()));
            }
            node.handle_timeout(now);
            tickets = drain(&mut node);
        }
        node.save_recording().expect("it records").to_bytes()
    })
}

fn drain(node: &mut Node) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    while let Some(output) = node.poll_output() {
        if let Output::Event(Event::Host(HostOutput::Store(StoreOutput::Persist(batch)))) = output {
            tickets.push(batch.ticket);
        }
    }
    tickets
}

/// Makes the checksums hold again, as `docs/recording.md` says; `None` if the form is lost.
fn seal(bytes: &mut [u8]) -> Option<()> {
    let header = u32::from_le_bytes(*bytes.get(10..)?.first_chunk()?);
    let mut at = 14_usize.checked_add(usize::try_from(header).ok()?)?;
    let mut checksums = seal_part(bytes, 0, at)?;
    at += 32;
    while *bytes.get(at)? == 1 {
        let number = |from: usize| -> Option<usize> {
            let number = u64::from_le_bytes(*bytes.get(from..)?.first_chunk()?);
            usize::try_from(number).ok()
        };
        let head = at.checked_add(1 + 6 * 8 + 32)?;
        let end = head
            .checked_add(number(at + 33)?)?
            .checked_add(number(at + 41)?)?;
        checksums.extend(seal_part(bytes, at, end)?);
        at = end + 32;
    }
    let parts: Vec<&[u8]> = checksums.chunks(32).collect();
    let all = Hash::of("sporenet 2026 recording parts", &parts);
    let place = bytes.get_mut(at + 5..)?;
    (place.len() == 32).then(|| place.copy_from_slice(all.as_bytes()))
}

fn seal_part(bytes: &mut [u8], from: usize, end: usize) -> Option<Vec<u8>> {
    let checksum = Hash::of("sporenet 2026 recording part", &[bytes.get(from..end)?]);
    bytes
        .get_mut(end..end.checked_add(32)?)?
        .copy_from_slice(checksum.as_bytes());
    Some(checksum.as_bytes().to_vec())
}
