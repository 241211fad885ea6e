//! What was acknowledged survives `kill -9` at any moment.

use sporenet_core::kernel::rng::Rng;
use sporenet_tests::{relay::Relay, wait};
use std::{
    collections::BTreeSet,
    env,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const PUTS: usize = 1_000;
const WRITERS: usize = 8;

/// Puts until `PUTS` are acknowledged or the relay is gone; answers the keys that were acknowledged.
fn put_until_killed(relay: &Relay, round: usize, acknowledged: &AtomicUsize) -> BTreeSet<String> {
    let lists = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    let mut mine = Vec::new();
                    for number in (writer..PUTS).step_by(WRITERS) {
                        let key = format!("{round:02}-{number:04}");
                        match relay.try_put("kept", &key, &key, "local") {
                            Ok(answer) if answer.status < 300 => mine.push(key),
                            _ => break,
                        }
                        acknowledged.fetch_add(1, Ordering::SeqCst);
                    }
                    mine
                })
            })
            .collect();
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
            .collect::<Vec<_>>()
    });
    lists.into_iter().collect()
}

#[test]
fn acknowledged_puts_survive_kill_9_at_a_random_moment() {
    let rounds: usize = env::var("SPORENET_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(50);
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    println!("{rounds} rounds with seed {seed}");
    let mut rng = Rng::from_number(seed);
    let mut relay = Relay::found("alone");
    let mut kept = BTreeSet::new();
    for round in 0..rounds {
        let moment = usize::try_from(rng.below(PUTS as u64)).unwrap();
        let acknowledged = AtomicUsize::new(0);
        let pid = relay.pid();
        let fresh = thread::scope(|scope| {
            let writers = scope.spawn(|| put_until_killed(&relay, round, &acknowledged));
            wait::until("puts are acknowledged", Duration::from_secs(60), || {
                acknowledged.load(Ordering::SeqCst) >= moment
            });
            sporenet_tests::relay::kill_process(pid);
            writers.join().unwrap()
        });
        relay.kill();
        println!(
            "round {round}: killed after {} acknowledged puts",
            fresh.len()
        );
        kept.extend(fresh);
        relay.start();
        let there: BTreeSet<String> = relay.keys("kept").into_iter().collect();
        let lost: Vec<_> = kept.difference(&there).collect();
        assert!(
            lost.is_empty(),
            "round {round} lost {} of {}: {lost:?}",
            lost.len(),
            kept.len()
        );
    }
    println!(
        "figure: {} acknowledged puts over {rounds} kills, none lost",
        kept.len()
    );
}

#[test]
fn a_put_acknowledged_by_another_relay_survives_the_loss_of_its_author() {
    let mut mesh = sporenet_tests::mesh::Mesh::of(2);
    for number in 0..50 {
        mesh.relays[0]
            .put("kept", &format!("key-{number}"), "value", "relay")
            .unwrap();
    }
    mesh.relays[0].kill();
    assert_eq!(mesh.relays[1].keys("kept").len(), 50);
}
