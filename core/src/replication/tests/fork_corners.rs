//! Corners of forks: answers that are late, empty or useless, a journal that is busy, timers that come early.

use super::{
    forks::in_epoch,
    hostile::{WALL, op, push, seal, unchecked},
    world::{NETWORK, World, key, keypair, ns, value},
};
use crate::{
    kernel::{
        component::Component,
        crypto::{Hash, Keypair, Signed, Verified, decode_exactly},
        id::{NodeId, RequestId, Role},
        machine::{Input, Machine, Output},
        persist::{Persist, PersistFailed, Persisted},
        rng::Rng,
        time::{Time, WallTime},
    },
    replication::{
        batch::{Batch, Record, Writer, hash_of, root_of, shard_of},
        config::Config,
        log::Head,
        message::Message,
        replica::{Command, Event, Replica},
        write::AckLevel,
    },
};
use alloc::{boxed::Box, collections::BTreeSet, format, vec, vec::Vec};
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A relay with a clock, and what its peers hear.
struct Relay {
    replica: Replica,
    now: Time,
    outputs: Vec<Output<Message, Event>>,
}

impl Relay {
    fn new(peers: &[(NodeId, Role)]) -> Self {
        let now = Time::from_millis(1);
        let (config, rng) = (Config::of(Role::Relay), Rng::from_number(1));
        let replica = Replica::new(config, keypair(0), NETWORK, Role::Relay, rng, now);
        let mut relay = Self {
            replica,
            now,
            outputs: Vec::new(),
        };
        relay.tell(Command::WallClock(WallTime::from_millis(WALL)));
        for (peer, role) in peers.iter().copied() {
            relay.tell(Command::PeerUp { peer, role });
        }
        relay
    }

    fn tell(&mut self, command: Command) {
        self.replica.handle_input(self.now, Input::Command(command));
        self.drain();
    }

    fn hear(&mut self, from: NodeId, message: Message) {
        self.replica
            .handle_input(self.now, Input::Message { from, message });
        self.drain();
    }

    /// Runs the timers of a span.
    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(due) = self.replica.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.replica.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
        assert_eq!(self.replica.check(), Ok(()));
    }

    fn drain(&mut self) {
        while let Some(output) = self.replica.poll_output() {
            self.outputs.push(output);
        }
    }

    /// Whether it said or told such a thing since the last question.
    fn said(&mut self, what: impl Fn(&Output<Message, Event>) -> bool) -> bool {
        core::mem::take(&mut self.outputs).iter().any(what)
    }

    /// The token of the only record that it asked to persist since the last question.
    fn token(&mut self) -> u64 {
        let outputs = core::mem::take(&mut self.outputs);
        let mut tokens = outputs.iter().filter_map(|output| match output {
            Output::Event(Event::Persist(Persist { token, .. })) => Some(*token),
            Output::Event(_) | Output::Send { .. } => None,
        });
        tokens.next().unwrap()
    }
}

/// The first batch of a chain of an author, in a writer epoch.
fn first_of(author: &Keypair, epoch: u32, text: &str) -> Signed<Batch> {
    let mut batch = seal(author, None, op("k", WALL, text)).claims().clone();
    batch.epoch = epoch;
    Verified::seal(batch, author, NETWORK).to_signed()
}

fn evidence(author: &Keypair, epoch: u32) -> Message {
    let [first, second] = ["left", "right"].map(|text| Box::new(first_of(author, epoch, text)));
    Message::Evidence { first, second }
}

fn named(author: NodeId, roots: Vec<u128>) -> Message {
    Message::NameBranches {
        shard: shard_of(&ns("n"), &key("k")),
        author,
        roots,
    }
}

fn asks_for(of: NodeId) -> impl Fn(&Output<Message, Event>) -> bool {
    move |output| match output {
        Output::Send {
            message: Message::FetchBranches { author, .. },
            ..
        } => *author == of,
        Output::Send { .. } | Output::Event(_) => false,
    }
}

#[test]
fn a_useless_answer_about_one_author_does_not_end_the_questions_about_others() {
    let peer = keypair(1).id();
    let mut relay = Relay::new(&[(peer, Role::Relay)]);
    let [one, other] = [keypair(7).id(), keypair(8).id()];
    relay.hear(peer, named(one, vec![1, 2]));
    relay.hear(peer, named(other, vec![3]));
    assert!(relay.said(asks_for(one)));
    let batches = Vec::new();
    relay.hear(peer, Message::BranchBatches { batches });
    assert!(relay.said(asks_for(other)));
    let batches = Vec::new();
    relay.hear(peer, Message::BranchBatches { batches });
    assert!(!relay.said(|output| asks_for(one)(output) || asks_for(other)(output)));
}
#[test]
fn an_answer_that_is_lost_does_not_end_the_questions_about_other_authors() {
    let peer = keypair(1).id();
    let (first, second) = (keypair(7).id(), keypair(8).id());
    let mut relay = Relay::new(&[(peer, Role::Relay)]);
    relay.hear(peer, named(first, vec![1]));
    relay.hear(peer, named(second, vec![2]));
    assert!(relay.said(asks_for(first)));
    relay.wait(Config::default().fetch_patience);
    assert!(
        relay.said(asks_for(second)),
        "the answer about the first is lost"
    );
}

#[test]
fn a_side_branch_that_contradicts_the_log_proves_the_fork() {
    let peer = keypair(1).id();
    let mut relay = Relay::new(&[(peer, Role::Relay)]);
    let author = keypair(7);
    let [held, other] = ["left", "right"].map(|text| first_of(&author, 0, text));
    let (batch, told) = (Box::new(held), Vec::new());
    relay.hear(peer, Message::Push { batch, told });
    let persisted = Persisted {
        token: relay.token(),
        sequence: Some(1),
    };
    relay.tell(Command::Persisted(persisted));
    relay.hear(peer, named(author.id(), vec![root_of(&other)]));
    let batches = vec![other];
    relay.hear(peer, Message::BranchBatches { batches });
    let forked =
        |output: &Output<_, _>| matches!(output, Output::Event(Event::Equivocation { .. }));
    assert!(relay.said(forked));
    assert_eq!(relay.replica.stats().side_branches, 2);
}
fn asks_tab(output: &Output<Message, Event>) -> bool {
    let message = match output {
        Output::Send { message, .. } => message,
        Output::Event(_) => return false,
    };
    matches!(message, Message::FetchTabCopy { .. })
}

fn asks_tab_within(relay: &mut Relay, seconds: u32) -> bool {
    (0..seconds).any(|_| {
        relay.wait(SECOND);
        relay.said(asks_tab)
    })
}

#[test]
fn a_tab_that_gave_nothing_is_asked_again_and_one_that_gave_all_is_not() {
    let (peer, tab) = (keypair(1).id(), keypair(2).id());
    let mut relay = Relay::new(&[(peer, Role::Relay), (tab, Role::Tab)]);
    let author = keypair(7);
    relay.hear(peer, evidence(&author, 0));
    let third = first_of(&author, 0, "third");
    let head = Head {
        writer: Writer::first(author.id()),
        sequence: 1,
        hash: hash_of(&third),
        forked_at: 0,
    };
    let shard = third.claims().shard;
    let subscribe = Message::Subscribe {
        namespace: ns("n"),
        digest: 0,
        heads: Some(vec![(shard, head)]),
    };
    relay.hear(tab, subscribe);
    assert!(asks_tab_within(&mut relay, 12));
    // Its journal is busy: not now.
    let batches = Vec::new();
    relay.hear(tab, Message::BranchBatches { batches });
    assert!(asks_tab_within(&mut relay, 60));
    // An answer to another question is none to this one.
    let batches = vec![first_of(&keypair(8), 0, "other")];
    relay.hear(tab, Message::BranchBatches { batches });
    assert!(asks_tab_within(&mut relay, 100));
    for batches in [vec![third], Vec::new()] {
        relay.hear(tab, Message::BranchBatches { batches });
    }
    assert_eq!(relay.replica.stats().side_branches, 3);
    relay.outputs.clear();
    assert!(!asks_tab_within(&mut relay, 1_000));
}
#[test]
fn what_the_busy_journal_could_not_give_is_issued_again_later() {
    let mut world = World::new(21, 2, 0);
    world.hosts[0].config.loads_max = 1;
    let mut shards = BTreeSet::new();
    let mut names = Vec::new();
    for name in (0..8).map(|number| format!("k{number}")) {
        if shards.insert(shard_of(&ns("n"), &key(&name))) {
            names.push(name);
        }
    }
    assert!(names.len() > 2, "more shards than loads");
    for text in ["1", "2"] {
        for name in &names {
            world.put(0, "n", name, text);
            world.run_for(SECOND);
        }
    }
    world.crash(0);
    let is_second = |body: &[u8]| match decode_exactly::<Record>(body) {
        Ok(Record::Batch(signed)) => signed.claims().sequence == 2,
        Ok(Record::Fork(_)) | Err(_) => false,
    };
    world.hosts[0].journal.retain(|(_, body)| is_second(body));
    world.start(0);
    world.weather.append_delay = SECOND;
    world.link_all();
    world.run_for(100 * SECOND);
    world.settle();
    for name in &names {
        assert_eq!(world.get(1, "n", name), value("2"), "{name}");
    }
}
/// A relay whose own chain has forked in its epoch 3 (eight seconds of pause), then in its epoch 1.
fn forked_twice() -> (Relay, NodeId, u16) {
    let peer = keypair(1).id();
    let mut relay = Relay::new(&[(peer, Role::Relay)]);
    for epoch in [3, 1] {
        relay.hear(peer, evidence(&keypair(0), epoch));
    }
    relay.outputs.clear();
    (relay, peer, shard_of(&ns("n"), &key("k")))
}

fn write(relay: &mut Relay) {
    relay.tell(Command::Write {
        request: RequestId(1),
        namespace: ns("n"),
        key: key("k"),
        value: value("v"),
        level: AckLevel::Local,
    });
}

fn persists(output: &Output<Message, Event>) -> bool {
    matches!(output, Output::Event(Event::Persist(_)))
}

#[test]
fn an_early_timer_does_not_forget_an_epoch_while_a_batch_is_with_the_journal() {
    let (mut relay, peer, _) = forked_twice();
    let (batch, told) = (Box::new(first_of(&keypair(0), 0, "old")), Vec::new());
    relay.hear(peer, Message::Push { batch, told });
    assert!(relay.said(persists));
    // Checks that the epoch still has a timer.
    relay.wait(2 * SECOND);
}

#[test]
fn an_epoch_that_is_put_off_does_not_begin_earlier_than_before() {
    let (mut relay, peer, shard) = forked_twice();
    let head = Head {
        writer: Writer::first(keypair(0).id()),
        sequence: 5,
        hash: hash_of(&first_of(&keypair(0), 0, "old")),
        forked_at: 0,
    };
    let heads = Message::Heads {
        shard,
        after: None,
        heads: vec![head],
        last: true,
        answer: false,
    };
    relay.hear(peer, heads);
    relay.wait(2 * SECOND);
    // It has been put off; then nothing comes.
    let outputs = core::mem::take(&mut relay.outputs);
    let request = outputs.iter().find_map(|output| match output {
        Output::Send {
            message: Message::Fetch { request, .. },
            ..
        } => Some(*request),
        Output::Send { .. } | Output::Event(_) => None,
    });
    let (request, batches) = (request.unwrap(), Vec::new());
    relay.hear(peer, Message::Batches { request, batches });
    relay.wait(2 * SECOND);
    write(&mut relay);
    assert!(!relay.said(persists), "after half of eight seconds");
    relay.wait(5 * SECOND);
    assert!(relay.said(persists));
}

#[test]
fn writes_go_on_when_a_batch_of_ours_from_a_peer_is_not_kept() {
    let peer = keypair(1).id();
    let mut relay = Relay::new(&[(peer, Role::Relay)]);
    let (batch, told) = (Box::new(first_of(&keypair(0), 0, "old")), Vec::new());
    relay.hear(peer, Message::Push { batch, told });
    let token = relay.token();
    write(&mut relay);
    assert!(!relay.said(persists));
    let full = false;
    relay.tell(Command::PersistFailed(PersistFailed { token, full }));
    assert!(relay.said(persists));
}

#[test]
fn a_later_epoch_needs_no_earlier_one() {
    let mut world = World::new(22, 2, 0);
    world.link_all();
    push(&mut world, 1, 0, &in_epoch(2, "v"));
    world.run_for(SECOND);
    world.put(0, "n", "k", "w");
    world.run_for(SECOND);
    let (shard, node) = (shard_of(&ns("n"), &key("k")), world.id(0));
    let head = world.replica(1).head(shard, Writer { node, epoch: 2 });
    assert_eq!(head.sequence, 2);
    assert_ne!(head.hash, Hash::ZERO);
    let proof = (in_epoch(2, "v"), in_epoch(2, "x"));
    let from = world.id(1);
    let (first, second) = (Box::new(unchecked(&proof.0)), Box::new(unchecked(&proof.1)));
    world.say(from, 0, Message::Evidence { first, second });
    world.settle();
    assert_eq!(world.get(1, "n", "k"), value("w"));
    world.assert_relays_agree();
}
