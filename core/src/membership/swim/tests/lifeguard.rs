//! The papers' claims, one test each.

use super::world::{World, ms, secs};
use crate::membership::{
    member::MemberState::{Alive, Dead, Suspect},
    swim::{Message, config::Config},
};

/// SWIM, section 3.2: the load on a member does not grow with the group. Here each relay observes at
/// most eight others. Guards against probing everyone.
#[test]
fn the_load_of_a_member_does_not_grow_with_the_group() {
    let rate = |count: usize| {
        let mut world = World::relays(40, count);
        world.run_for(secs(60));
        let before = world.messages;
        world.run_for(secs(60));
        (world.messages - before) / u64::try_from(count).unwrap() / 60
    };
    let (ten, forty) = (rate(12), rate(40));
    assert!(
        ten <= 12 && forty <= ten + 2,
        "{ten} and {forty} messages a second"
    );
}

/// SWIM, section 4.2: a falsely suspected member that answers is never declared failed.
#[test]
fn a_refuted_suspicion_is_forgotten() {
    let mut world = World::relays(41, 3);
    world.cuts.extend([(1, 0), (1, 2)]);
    world.run_for(secs(4));
    assert_eq!(world.state(0, 1), Some(Suspect));
    world.heal();
    world.run_for(secs(2));
    assert!(world.others_see(1, Alive));
    world.run_for(secs(60));
    assert!(world.changes_to(Dead).is_empty());
}

/// Lifeguard, section IV-A: a member that is slow itself stretches its own timeouts in place of
/// accusing the healthy. Guards against a slow observer evicting the cluster.
#[test]
fn lha_probe_a_slow_member_grows_patient() {
    let mut world = World::relays(42, 5);
    for _ in 0..6 {
        world.pause(0, ms(3_900));
        world.run_for(ms(4_500));
    }
    assert!(world.nodes[0].swim.health_multiplier() > 1);
    assert!(world.nodes[1].swim.health_multiplier() <= 3);
    let by_the_healthy = |n: usize| world.changes_to(Dead).iter().any(|(_, o, _)| *o == n);
    assert!(!by_the_healthy(0), "the slow member killed someone");
    world.run_for(secs(60));
    assert_eq!(world.nodes[0].swim.health_multiplier(), 1);
}

/// Lifeguard, section IV-B: a lone accuser waits longer than several independent ones.
#[test]
fn lha_suspicion_one_accuser_alone_waits_longer() {
    let time_to_death = |others_miss_it: bool| {
        let mut world = World::relays(43, 6);
        world.config = Config::default();
        let rest: &[usize] = if others_miss_it {
            &[0, 2, 3, 4, 5]
        } else {
            &[0]
        };
        for observer in rest {
            world.cuts.insert((1, *observer));
        }
        if !others_miss_it {
            for helper in 2..6 {
                world.cuts.insert((helper, 0));
                world.cuts.insert((0, helper));
            }
        }
        world.run_until(secs(60), |w| w.state(0, 1) == Some(Dead))
    };
    let (together, alone) = (time_to_death(true).unwrap(), time_to_death(false).unwrap());
    assert!(alone > together + secs(3), "{alone:?} against {together:?}");
}

/// Lifeguard, section IV-C: a suspect hears of its suspicion with the very next ping to it.
#[test]
fn buddy_a_ping_to_a_suspect_carries_the_suspicion() {
    let mut world = World::relays(44, 3);
    world.cuts.extend([(1, 0), (1, 2)]);
    world.run_for(ms(3_000));
    assert_eq!(world.state(0, 1), Some(Suspect));
    let before = world.nodes[1].swim.stats().refutations;
    assert!(before >= 1, "it heard of it although its answers are lost");
}

/// SWIM, section 3.1: a member behind one bad path is confirmed by helpers.
#[test]
fn ping_req_one_bad_path_accuses_nobody() {
    let mut world = World::relays(45, 5);
    world.cuts.extend([(0, 1), (1, 0)]);
    world.run_for(secs(120));
    assert!(world.changes_to(Suspect).is_empty());
    assert!(world.nodes[0].swim.stats().helpers_asked > 0);
}

/// Lifeguard, section IV-A: a helper says no in time, so that the asker knows that it is not the slow
/// one.
#[test]
fn nack_a_dead_target_does_not_make_its_prober_ill() {
    let mut world = World::relays(46, 5);
    world.vanish(1);
    world.run_for(secs(10));
    for observer in [0, 2, 3, 4] {
        assert_eq!(world.state(observer, 1), Some(Dead));
        assert_eq!(
            world.nodes[observer].swim.health_multiplier(),
            1,
            "{observer}"
        );
    }
}

/// SWIM, section 4.1: dissemination reaches everyone in O(log n) rounds; here a round is the gossip
/// delay. Guards against a rumour dying out.
#[test]
fn a_rumour_reaches_forty_relays_within_half_a_second() {
    let mut world = World::relays(47, 40);
    let before = world.nodes[3].swim.incarnation();
    let rumours = alloc::vec![super::hostile::accusation(0, 3, before)];
    world.say(0, 3, Message::Gossip { rumours });
    let id = world.id(3);
    let heard = |w: &World| {
        let knows = |n: &super::world::Node| n.swim.record(&id).unwrap().incarnation > before;
        w.nodes.iter().all(knows)
    };
    let took = world.run_until(secs(5), heard);
    assert!(took.is_some_and(|took| took <= ms(500)), "{took:?}");
}
