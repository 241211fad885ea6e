//! Crash, silence, pause, loss, partition, restart, goodbye.

use super::world::{World, durable, ms, not_durable, reserved, secs};
use crate::{
    kernel::id::{Incarnation, Role},
    membership::{
        member::MemberState::{Alive, Dead, Left, Parked, Suspect},
        swim::{Command, Event},
    },
};

#[test]
fn five_relays_see_five_alive_and_fall_quiet() {
    let mut world = World::relays(1, 5);
    world.run_for(secs(60));
    assert!(world.changes_to(Suspect).is_empty());
    assert_eq!(world.offences(), 0);
    for node in &world.nodes {
        assert_eq!(node.swim.ring_edges().len(), 10);
        assert_eq!(node.swim.relays_alive(), 5);
    }
}

#[test]
fn an_evident_crash_is_dead_everywhere_within_two_seconds() {
    for seed in 0..20 {
        let mut world = World::relays(seed, 5);
        world.crash(2);
        let took = world.run_until(secs(10), |w| w.others_see(2, Dead));
        assert!(took.is_some_and(|took| took <= secs(2)), "{took:?}");
        world.run_for(secs(60));
        assert!(world.others_see(2, Dead));
    }
}

#[test]
fn silence_without_evidence_of_a_crash_is_dead_within_eight_seconds_and_not_before_five() {
    for seed in 0..20 {
        let mut world = World::relays(seed, 5);
        world.vanish(2);
        let took = world
            .run_until(secs(20), |w| w.others_see(2, Dead))
            .unwrap();
        assert!(took <= secs(8), "{took:?}");
        let first = world.changes_to(Dead)[0].0;
        assert!(first.since(world.now - took) >= secs(5));
    }
}

#[test]
fn a_pause_of_three_seconds_is_never_shown_dead() {
    for seed in 0..20 {
        let mut world = World::relays(seed, 5);
        world.run_for(ms(37 * seed));
        world.pause(3, secs(3));
        world.run_for(secs(20));
        assert!(world.changes_to(Dead).is_empty());
        assert!(world.others_see(3, Alive));
        assert_eq!(world.counts(3), (5, 0, 0));
    }
}

/// A refutation travels once over each link; here every copy for one node is lost.
#[test]
fn who_missed_the_refutation_asks_before_the_window_ends() {
    for seed in 0..10 {
        let mut world = World::relays(seed, 5);
        let tab = world.add(Role::Tab);
        world.run_for(secs(10));
        world.cuts.extend((0..=tab).map(|n| (1, n)));
        let suspects = |w: &World| w.others_see(1, Suspect);
        assert!(world.run_until(secs(10), suspects).is_some(), "{seed}");
        world.cuts = (0..tab).map(|n| (n, tab)).collect();
        assert!(
            world
                .run_until(secs(3), |w| w.state(0, 1) == Some(Alive))
                .is_some()
        );
        world.run_for(ms(300));
        world.heal();
        world.run_for(secs(20));
        assert!(world.changes_to(Dead).is_empty(), "{seed}");
        assert!(world.others_see(1, Alive));
    }
}

#[test]
fn a_node_that_slept_for_an_hour_kills_nobody_and_comes_back() {
    let mut world = World::relays(3, 5);
    world.pause(1, secs(3_600));
    world.run_for(secs(3_599));
    assert!(world.others_see(1, Dead));
    world.history.clear();
    world.run_for(secs(10));
    assert!(world.changes_to(Dead).is_empty());
    assert!(
        world
            .history
            .iter()
            .any(|(_, n, e)| *n == 1 && matches!(e, Event::Stalled { .. }))
    );
    assert!((0..5).all(|n| world.counts(n) == (5, 0, 0)));
}

#[test]
fn five_percent_loss_for_two_hours_kills_nobody() {
    let mut world = World::relays(4, 5);
    world.loss_permille = 50;
    world.run_for(secs(2 * 3_600));
    assert!(world.changes_to(Dead).is_empty());
}

#[test]
fn a_lost_link_alone_makes_nobody_suspect() {
    let mut world = World::relays(5, 5);
    world.cut(0, 1);
    world.run_for(secs(120));
    assert!(world.changes_to(Suspect).is_empty());
    world.heal();
    world.run_for(secs(5));
    assert!(world.is_linked(0, 1));
}

#[test]
fn a_partition_of_any_age_heals() {
    for (seed, age) in [(6, 30), (7, 600), (8, 7_200)] {
        let mut world = World::relays(seed, 5);
        world.partition(&[0, 1]);
        world.run_for(secs(age));
        assert_eq!(world.counts(0), (2, 0, 3));
        assert_eq!(world.counts(4), (3, 0, 2));
        world.heal();
        let healed = |w: &World| (0..5).all(|n| w.counts(n) == (5, 0, 0));
        let took = world.run_until(secs(120), healed);
        assert!(took.is_some(), "seed {seed}");
        world.history.clear();
        world.run_for(secs(60));
        assert!(world.changes_to(Suspect).is_empty() && world.changes_to(Dead).is_empty());
        assert_eq!(world.offences(), 0);
    }
}

#[test]
fn a_restarted_relay_comes_back_with_a_higher_incarnation() {
    let mut world = World::relays(9, 5);
    let before = world.nodes[2].swim.incarnation();
    world.crash(2);
    world.run_for(secs(5));
    world.restart(2);
    let back = world.run_until(secs(5), |w| (0..5).all(|n| w.counts(n) == (5, 0, 0)));
    assert!(back.is_some());
    assert!(world.nodes[2].swim.incarnation() > before);
    assert!(
        world.nodes[0]
            .swim
            .record(&world.id(2))
            .unwrap()
            .incarnation
            > before
    );
}

#[test]
fn a_relay_that_restarts_at_once_is_never_dead() {
    let mut world = World::relays(10, 5);
    world.crash(2);
    world.run_for(ms(400));
    world.restart(2);
    world.run_for(secs(20));
    assert!(world.changes_to(Dead).is_empty());
    assert!((0..5).all(|n| world.counts(n) == (5, 0, 0)));
}

#[test]
fn goodbye_is_left_at_once_and_never_suspect() {
    let mut world = World::relays(11, 5);
    world.command(1, Command::Leave);
    let took = world.run_until(secs(5), |w| w.others_see(1, Left));
    assert!(took.is_some_and(|took| took <= ms(500)));
    world.run_for(ms(500));
    let departed = |(_, n, event): &(_, usize, Event)| *n == 1 && *event == Event::Departed;
    assert_eq!(world.history.iter().filter(|h| departed(h)).count(), 1);
    world.stop(1, false);
    world.run_for(secs(30));
    assert!(world.changes_to(Suspect).is_empty() && world.changes_to(Dead).is_empty());
    world.restart(1);
    world.run_for(secs(10));
    assert!((0..5).all(|n| world.counts(n) == (5, 0, 0)));
}

#[test]
fn a_parked_relay_is_not_suspected_however_long_it_is_silent() {
    let mut world = World::relays(12, 5);
    world.command(1, Command::Park);
    world.run_for(secs(1));
    assert!(world.others_see(1, Parked));
    world.pause(1, secs(600));
    world.run_for(secs(610));
    assert!(world.changes_to(Suspect).is_empty());
    world.command(1, Command::Unpark);
    world.run_for(secs(10));
    assert!((0..5).all(|n| world.counts(n) == (5, 0, 0)));
}

#[test]
fn a_late_joiner_learns_the_dead_the_left_and_the_suspects() {
    let mut world = World::relays(13, 5);
    world.crash(2);
    world.command(3, Command::Leave);
    world.run_for(secs(1));
    world.stop(3, false);
    world.run_for(secs(10));
    let late = world.add(Role::Relay);
    let took = world.run_until(secs(5), |w| {
        w.state(late, 2) == Some(Dead) && w.state(late, 3) == Some(Left)
    });
    assert!(took.is_some());
    world.run_for(secs(10));
    assert_eq!(world.counts(late), (4, 0, 1));
}

#[test]
fn a_table_of_many_pages_is_compared_page_by_page() {
    for (entries, bytes) in [(2, 40_960), (256, 300), (1, 1)] {
        let mut world = World::new(17);
        world.config.page_entries_max = entries;
        world.config.page_bytes_max = bytes;
        let mut world = world.with_relays(8);
        world.crash(2);
        world.run_for(secs(10));
        let late = world.add(Role::Relay);
        let took = world.run_until(secs(5), |w| w.counts(late) == (8, 0, 1));
        assert!(took.is_some(), "{entries} entries, {bytes} bytes");
    }
}

#[test]
fn a_refutation_waits_until_its_incarnation_is_durable() {
    let mut world = World::relays(14, 3);
    world.nodes[1].durable = false;
    let limit = Incarnation(65);
    for _ in 0..70 {
        let incarnation = world.nodes[1].swim.incarnation();
        let word = super::hostile::accusation(0, 1, incarnation);
        let rumours = alloc::vec![word];
        world.say(0, 1, crate::membership::swim::Message::Gossip { rumours });
        world.run_for(ms(300));
        assert!(world.nodes[1].swim.incarnation() <= limit);
    }
    assert_eq!(world.nodes[1].swim.incarnation(), limit);
    let asked =
        |(_, n, e): &(_, usize, Event)| *n == 1 && reserved(e).is_some_and(|bound| bound > limit);
    assert!(world.history.iter().any(asked));
    for _ in 0..3 {
        let before = world.history.iter().filter(|entry| asked(entry)).count();
        world.command(1, not_durable(81));
        world.run_for(secs(2));
        let again = world.history.iter().filter(|entry| asked(entry)).count();
        assert_eq!(again, before + 1, "a full store is asked again");
    }
    world.command(1, durable(200));
    assert_eq!(world.nodes[1].swim.incarnation(), limit.next());
}

#[test]
fn nothing_is_said_of_oneself_before_the_first_incarnation_is_durable() {
    let mut world = World::relays(15, 2);
    let mute = world.nodes.len();
    world.durable = false;
    world.add(Role::Relay);
    world.run_for(secs(5));
    world.link(mute, 0);
    world.run_for(secs(5));
    assert_eq!(world.counts(0).0, 2);
}

#[test]
fn thirty_relays_on_rings_notice_a_crash_and_a_silent_death() {
    let mut world = World::relays(16, 30);
    assert!(
        world
            .nodes
            .iter()
            .all(|node| node.swim.ring_edges().len() <= 120)
    );
    world.crash(7);
    let took = world.run_until(secs(10), |w| w.others_see(7, Dead));
    assert!(took.is_some_and(|took| took <= ms(2_500)), "{took:?}");
    world.vanish(8);
    let took = world.run_until(secs(20), |w| w.others_see(8, Dead));
    assert!(took.is_some_and(|took| took <= secs(9)), "{took:?}");
}
