//! One machine alone: the failure detector, without links, store or the rest of a node.
//!
//! Two relays talk under virtual time. After ten seconds one is silent; the other says what it thinks.
use sporenet_core::kernel::{crypto::*, id::*, machine::*, persist::*, rng::Rng, text::*, time::*};
use sporenet_core::membership::member::{MemberRecord, MemberState};
use sporenet_core::membership::swim::{Command, Config, Event, Identity, Message, Swim};
use std::error::Error;

const SILENT_FROM: Time = Time::from_millis(10_000);
const END: Time = Time::from_millis(60_000);

fn start(number: u8, known: Vec<Signed<MemberRecord>>) -> Result<Swim, Box<dyn Error>> {
    let me = Identity {
        keypair: Keypair::from_seed(&[number; 32]),
        network: NetworkId::from_bytes([9; 32]),
        instance: InstanceId(number.into()),
        role: Role::Relay,
        name: Name::new(&format!("relay {number}"))?,
        zone: None,
        location: None,
        addresses: vec![format!("tcp://127.0.0.1:760{number}").parse()?],
    };
    let (config, rng) = (Config::default(), Rng::from_number(number.into()));
    let run = Incarnation(1);
    Ok(Swim::new(config, me, run, known, rng, Time::ZERO))
}

/// Does what a machine asks, prints what it finds, and answers what it says to the other one.
fn drain(swim: &mut Swim, now: Time) -> Vec<Message> {
    let mut said = Vec::new();
    while let Some(output) = swim.poll_output() {
        match output {
            Output::Send { to: _, message } => said.push(message),
            // A real owner stores it first: no later run may use these incarnations again.
            Output::Event(Event::Persist(Persist { token, op: _ })) => {
                let sequence = None;
                tell(swim, now, Command::Persisted(Persisted { token, sequence }));
            }
            Output::Event(Event::Changed { to, why, .. }) => {
                let (me, why) = (&swim.own_record().name, why.in_words(|id| id.short()));
                println!("{now}: {me} takes the other for {to:?}: {why}");
            }
            Output::Event(_) => {}
        }
    }
    said
}

fn tell(swim: &mut Swim, now: Time, command: Command) {
    swim.handle_input(now, Input::Command(command));
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut first = start(1, vec![])?;
    let mut second = start(2, vec![first.own_record().to_signed()])?;
    let (one, two, role) = (first.own_record().id, second.own_record().id, Role::Relay);
    tell(&mut first, Time::ZERO, Command::PeerUp { peer: two, role });
    tell(&mut second, Time::ZERO, Command::PeerUp { peer: one, role });
    let mut now = Time::ZERO;
    while now < END && first.state(&two) != Some(MemberState::Dead) {
        for message in drain(&mut first, now) {
            second.handle_input(now, Input::Message { from: one, message });
        }
        for message in drain(&mut second, now) {
            if now < SILENT_FROM {
                first.handle_input(now, Input::Message { from: two, message });
            }
        }
        // Both sleep until the next timer; while one of them has output, that is at once.
        let due = |swim: &Swim| swim.poll_timeout().unwrap_or(END);
        now = now.max(due(&first).min(due(&second)));
        first.handle_timeout(now);
        second.handle_timeout(now);
    }
    drain(&mut first, now);
    assert!(now < END, "nobody noticed");
    Ok(())
}
