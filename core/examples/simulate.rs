//! A mesh in the simulator: a relay loses its power, the others notice, and no value is lost.
//!
//! Everything runs in this thread under virtual time, down to the encrypted bytes. The same seed gives
//! the same run, byte for byte.
use sporenet_core::kernel::{id::Role, time::Duration};
use sporenet_core::membership::member::MemberState::{self, Alive, Dead};
use sporenet_core::sim::world::World;
use sporenet_core::{node::endpoint::Endpoint, replication::write::AckLevel};
use std::error::Error;

type Mesh = World<Endpoint>;

/// Lets time pass until it holds, and says when that was.
fn wait(mesh: &mut Mesh, what: &str, holds: impl Fn(&Mesh) -> bool) -> Result<(), Box<dyn Error>> {
    if !mesh.run_until(Duration::from_secs(30), holds) {
        return Err(format!("not within 30 s: {what}").into());
    }
    println!("{}: {what}", mesh.now());
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut mesh = Mesh::new(7);
    let first = mesh.launch(Role::Relay, None)?;
    mesh.run_for(Duration::from_secs(1));
    let invite = mesh.invite(first, None).ok_or("the relay gave no invite")?;
    let second = mesh.launch(Role::Relay, Some(invite.clone()))?;
    let third = mesh.launch(Role::Relay, Some(invite.clone()))?;
    let tab = mesh.launch(Role::Tab, Some(invite))?;
    let id = mesh.id(third).ok_or("the third relay has no identity")?;

    let others = [first, second, tab];
    let all_believe = |state: MemberState| {
        move |mesh: &Mesh| {
            others
                .iter()
                .all(|host| mesh.believes(*host, id) == Some(state))
        }
    };
    let holds = |mesh: &Mesh, host: u16| mesh.read(host, "notes", "today").is_some();

    wait(&mut mesh, "all know the third relay", all_believe(Alive))?;
    mesh.write(third, "notes", "today", Some(b"sow"), AckLevel::Local);
    wait(&mut mesh, "the others hold what it wrote", |mesh| {
        holds(mesh, first) && holds(mesh, second)
    })?;
    mesh.power_off(third);
    wait(&mut mesh, "all know that it is dead", all_believe(Dead))?;
    mesh.start(third)?;
    wait(&mut mesh, "all know that it is back", all_believe(Alive))?;
    wait(&mut mesh, "it has its value", |mesh| holds(mesh, third))?;
    println!("the run's hash: {}", mesh.trace_hash());
    Ok(())
}
