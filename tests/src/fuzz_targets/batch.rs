//! Batches and all that replicas say about them, from a peer that lies.

use crate::fuzz_targets::Script;
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        crypto::{Hash, Keypair, Signed, Verified, decode_exactly, encode},
        id::{NetworkId, NodeId, Role},
        machine::{Input, Machine, Output},
        persist::{Persist, PersistOp, Persisted},
        rng::Rng,
        text::{Key, Namespace},
        time::{Time, WallTime},
    },
    replication::{
        batch::{Batch, Op, Record, Writer, hash_of, shard_of},
        clock::Hlc,
        config::Config,
        log::Head,
        message::{Dot, Message},
        replica::{Command, Event, Replica},
    },
};
use std::{collections::BTreeSet, time::Duration};

const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
const WALL_MS: u64 = 1_790_000_000_000;
/// What one message may cause at most.
const OUTPUTS_MAX: usize = 4_096;

/// Decodes bytes as all that carries batches, then plays a script of a lying peer to a replica.
///
/// # Panics
/// When a promise is broken: a value appears that nobody signed, or one message causes a flood.
pub fn batch(bytes: &[u8]) {
    if let Ok(signed) = decode_exactly::<Signed<Batch>>(bytes) {
        let _ = signed.claims().check(bytes.len());
        let _ = hash_of(&signed);
        let again = decode_exactly::<Signed<Batch>>(&encode(&signed));
        assert_eq!(again.as_ref(), Ok(&signed), "a batch encodes differently");
        let _ = signed.verify(NETWORK);
    }
    let _ = decode_exactly::<Record>(bytes);
    if let Ok(message) = decode_exactly::<Message>(bytes) {
        assert_eq!(
            decode_exactly(&encode(&message)),
            Ok(message),
            "a message encodes differently"
        );
    }
    Victim::new().play(&mut Script(bytes));
}

/// A replica, and the peer that talks to it.
struct Victim {
    replica: Replica,
    now: Time,
    liar: Keypair,
    other: Keypair,
    /// Every value that was validly signed.
    signed: BTreeSet<Vec<u8>>,
    /// The last batch that the liar signed validly, to go on from.
    last: Option<Signed<Batch>>,
    journal: Vec<(u64, Bytes)>,
}

impl Victim {
    fn new() -> Self {
        let keypair = Keypair::from_seed(&[1; 32]);
        let (rng, now) = (Rng::from_number(1), Time::from_millis(1));
        let config = Config::of(Role::Relay);
        let replica = Replica::new(config, keypair, NETWORK, Role::Relay, rng, now);
        let mut victim = Self {
            replica,
            now,
            liar: Keypair::from_seed(&[2; 32]),
            other: Keypair::from_seed(&[3; 32]),
            signed: BTreeSet::new(),
            last: None,
            journal: Vec::new(),
        };
        victim.command(Command::WallClock(WallTime::from_millis(WALL_MS)));
        let peer = victim.liar.id();
        victim.command(Command::PeerUp {
            peer,
            role: Role::Relay,
        });
        victim
    }

    fn play(&mut self, script: &mut Script<'_>) {
        for _ in 0..60 {
            if script.is_over() {
                break;
            }
            self.step(script);
        }
        self.check();
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let message = match script.byte() % 12 {
            0..=3 => Message::Push {
                batch: Box::new(self.craft(script)),
                told: vec![1, 2],
            },
            4 => Message::Batches {
                request: u64::from(script.byte()),
                batches: (0..script.byte() % 4).map(|_| self.craft(script)).collect(),
            },
            5 => Message::Heads {
                shard: script.word() % 80,
                after: None,
                heads: vec![head(self.liar.id(), script), head(self.other.id(), script)],
                last: script.byte().is_multiple_of(2),
                answer: script.byte().is_multiple_of(2),
            },
            6 => Message::Evidence {
                first: Box::new(self.craft(script)),
                second: Box::new(self.craft(script)),
            },
            7 => {
                let dot = Dot {
                    shard: script.word(),
                    writer: Writer {
                        node: self.liar.id(),
                        epoch: u32::from(script.byte() % 3),
                    },
                    sequence: number(script),
                };
                Message::Stored { dots: vec![dot] }
            }
            8 => {
                self.now = self.now + Duration::from_millis(u64::from(script.word()));
                self.replica.handle_timeout(self.now);
                self.drain();
                return;
            }
            9 => Message::NameBranches {
                shard: script.word() % 80,
                author: self.liar.id(),
                roots: vec![0, u128::from(script.word()), u128::MAX],
            },
            10 => Message::BranchBatches {
                batches: (0..script.byte() % 4).map(|_| self.craft(script)).collect(),
            },
            _ => {
                let length = usize::from(script.byte());
                let Ok(message) = decode_exactly(script.bytes(length)) else {
                    return;
                };
                message
            }
        };
        let from = self.liar.id();
        self.replica
            .handle_input(self.now, Input::Message { from, message });
        self.drain();
    }

    /// A batch with fields from the script; often nearly right, so that it gets far.
    fn craft(&mut self, script: &mut Script<'_>) -> Signed<Batch> {
        let lies = script.byte();
        let author = if lies & 1 == 0 {
            self.liar.clone()
        } else {
            self.other.clone()
        };
        let namespace = Namespace::new("n").expect("a namespace");
        let key = Key::new(if lies & 2 == 0 { "a" } else { "b" }).expect("a key");
        let value = vec![script.byte(); usize::from(script.byte() % 4)];
        let last = self
            .last
            .as_ref()
            .filter(|last| last.claims().author == author.id());
        let (sequence, previous) = last.map_or((1, Hash::ZERO), |last| {
            (last.claims().sequence.wrapping_add(1), hash_of(last))
        });
        let stamp = Hlc {
            millis: WALL_MS + u64::from(script.word()),
            counter: 0,
        };
        let mut batch = Batch {
            shard: shard_of(&namespace, &key),
            author: author.id(),
            epoch: 0,
            sequence,
            previous,
            namespace,
            namespace_previous: sequence.wrapping_sub(1),
            reissue: None,
            ops: vec![Op {
                key,
                stamp,
                value: Some(Bytes::from(&value[..])),
                seen: Vec::new(),
            }],
            closed: 0,
        };
        if lies & 4 != 0 {
            batch.sequence = number(script);
        }
        if lies & 8 != 0 {
            batch.shard = script.word();
        }
        if lies & 16 != 0 {
            batch.ops[0].stamp = Hlc {
                millis: number(script),
                counter: u32::MAX,
            };
        }
        if lies & 32 != 0 {
            batch.namespace_previous = number(script);
        }
        if lies & 128 != 0 {
            batch.epoch = u32::from(script.byte() % 80);
            batch.closed = u32::from(script.byte() % 80);
            batch.reissue = last.map(hash_of);
        }
        let forged = lies & 64 != 0;
        let keypair = if forged {
            Keypair::from_seed(&[9; 32])
        } else {
            author
        };
        let sealed = Verified::seal(batch, &keypair, NETWORK).to_signed();
        // What arrives has been decoded: nothing is proven yet.
        let received: Signed<Batch> = decode_exactly(&encode(&sealed)).expect("a batch decodes");
        if !forged {
            self.signed.insert(value);
            self.last = Some(received.clone());
        }
        received
    }

    fn command(&mut self, command: Command) {
        self.replica.handle_input(self.now, Input::Command(command));
        self.drain();
    }

    /// Does what a host does, with a disk that keeps everything.
    fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.replica.poll_output() {
            outputs += 1;
            assert!(outputs < OUTPUTS_MAX, "one message caused a flood");
            match output {
                Output::Event(Event::Persist(Persist {
                    token,
                    op: PersistOp::Append(body),
                })) => {
                    let sequence = self.journal.len() as u64 + 1;
                    self.journal.push((sequence, body));
                    let sequence = Some(sequence);
                    let durable = Command::Persisted(Persisted { token, sequence });
                    self.replica.handle_input(self.now, Input::Command(durable));
                }
                Output::Event(Event::Load { token, sequences }) => {
                    let journal = self.journal.iter();
                    let records = journal.filter(|(at, _)| sequences.contains(at)).cloned();
                    let loaded = Command::Loaded {
                        token,
                        records: records.collect(),
                    };
                    self.replica.handle_input(self.now, Input::Command(loaded));
                }
                Output::Event(_) | Output::Send { .. } => {}
            }
        }
    }

    /// Every value that is visible was signed by its author.
    fn check(&self) {
        let authors = [self.liar.id(), self.other.id()];
        for key in ["a", "b"] {
            let Some(entry) = self.replica.entry("n", key) else {
                continue;
            };
            assert!(authors.contains(&entry.author), "a value by nobody");
            let value = entry.value.as_deref().unwrap_or_default();
            assert!(self.signed.contains(value), "a value that nobody signed");
        }
    }
}

fn head(author: NodeId, script: &mut Script<'_>) -> Head {
    Head {
        writer: Writer {
            node: author,
            epoch: u32::from(script.byte() % 3),
        },
        sequence: number(script),
        hash: Hash::from_bytes([script.byte(); 32]),
        forked_at: number(script),
    }
}

/// A number that a peer might send: small, or at one of the edges.
fn number(script: &mut Script<'_>) -> u64 {
    match script.byte() {
        0 => u64::MAX,
        1 => u64::MAX - 1,
        2 => 1 << 63,
        3 => u64::from(u32::MAX),
        4 => 1 << 32,
        small => u64::from(small - 5),
    }
}
