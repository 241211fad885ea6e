//! How a node starts from its store, a join link, or nothing.
//!
//! | stored | join link | then |
//! |---|---|---|
//! | a network and its key | none, or of the same network | the node goes on |
//! | a network and its key | of another network | refused |
//! | a network without its key (never let in) | none | it asks again with the stored invite |
//! | nothing, or a network without its key | given | it begins to join |
//! | nothing | none | a relay founds a network if it may; a tab is refused |
//!
//! | file | what lives there |
//! |---|---|
//! | `config`, `setup`, `tuning` | what a host decides; what a start needs; how machines are set |
//! | this file | restoring, belonging, building |

pub mod config;
pub mod setup;
pub mod tuning;

use self::{
    config::Config,
    setup::{Setup, StartError},
    tuning::Tuning,
};
use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Keypair, Secret, Signed, decode_exactly, encode},
        id::{Incarnation, InstanceId, NetworkId, Role},
        machine::{Input, Machine},
        outbox::Outbox,
        rng::Rng,
        store::Stored,
        time::Time,
    },
    membership::{
        admission::{self, Admission},
        genesis,
        join_link::JoinLink,
        member::MemberRecord,
        spore::Spore,
        swim::{self, Swim},
    },
    node::{
        contract::{Notice, Signal},
        life::{ClockWatch, History, Measured, Phase, Unsaved},
        machine::{Counters, Node},
        read::timeline::Timeline,
        route::OwnWrites,
    },
    observe::{alerts::Alerts, vitals::Vitals},
    overlay::{
        links::{self, Links},
        reach::Reach,
        remembered::Remembered,
    },
    recovery::{
        entry,
        journal::{self, Journal},
        record::Origin,
        replay::Replay,
    },
    replication::{
        replica::{self, Replica},
        write::WriteBlock,
    },
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// The identity's secret seed.
pub(crate) const KEY_IDENTITY: &str = "node/identity";
/// The network it belongs to or tries to join.
const KEY_NETWORK: &str = "node/network";
/// The link under which it tries to join, until it is let in and its members are stored.
pub(super) const KEY_JOIN: &str = "node/join";
/// What the relay that let it in said of where members are, until its members are stored.
pub(super) const KEY_SPORE: &str = "node/spore";

/// The epoch of a new network's isolation key.
const FIRST_EPOCH: u32 = 0;

/// The most sends that wait in the node's own outbox; the machines bound their own before.
const SENDS_MAX: usize = 65_536;

/// What the store said, decoded.
struct Restored {
    keypair: Keypair,
    is_new: bool,
    network: Option<NetworkId>,
    join: Option<JoinLink>,
    spore: Option<Spore>,
    incarnation: Incarnation,
    known: Vec<Signed<MemberRecord>>,
    backoffs: Remembered,
    replay: Replay,
}

/// How the node belongs.
struct Belonging {
    network: NetworkId,
    isolation: Option<(u32, Secret)>,
    document: Option<Bytes>,
    join: Option<JoinLink>,
    /// What has to be stored of it.
    puts: Vec<(String, Bytes)>,
    founded: bool,
}

pub(super) fn start(mut setup: Setup, mut tuning: Tuning, now: Time) -> Result<Node, StartError> {
    setup.config.validate().map_err(StartError::Config)?;
    let tuned = tuning.validate();
    tuned.map_err(|which| StartError::Config(which.into()))?;
    let (stored, hurt) = entry::open_all(setup.stored);
    setup.stored = stored;
    // Without its identity, its keys or its incarnation bound the node would be another one, or
    // say again what it has said before.
    if let Some(key) = hurt.iter().find(|key| !is_dispensable(key)) {
        return Err(damaged(key));
    }
    // Every use has a fork of its own. A recording shows the seeds of `machines`, from which its
    // siblings (identity, genesis, instance) can't be derived (ADR 0013).
    let entropy = Rng::from_seed(setup.entropy);
    // Where the journal begins shows in itself, though a front that is missing does not.
    let is_front_hurt = hurt.iter().any(|key| key == journal::FRONT_KEY);
    let restored = restore(&setup.stored, &entropy, is_front_hurt)?;
    let belonging = belong(&setup, &restored, &entropy)?;
    let rng = entropy.fork("machines");
    let instance = InstanceId(entropy.fork("instance").next_u64());
    let report = restored.replay.report.clone();
    let mut node = build(&setup, tuning, &restored, &belonging, &rng, (instance, now));
    let unusable = restore_replica(&mut node, &restored);
    node.read_reserved();
    node.tell_spore();
    // Before anything else is stored: the identity is in the first batch that the store gets.
    node.store_beginnings(&restored, &belonging);
    node.tell_beginnings(&setup, &restored);
    node.note_start(&report, &belonging);
    if unusable > 0 {
        node.note(Notice::JournalUnusable { records: unusable });
    }
    for key in hurt {
        node.note(Notice::EntryDamaged { key });
    }
    node.pump();
    Ok(node)
}

/// Entries without which a node can start: the mesh tells it again, or nothing but a courtesy is
/// lost. An invite that is gone lets nobody in.
fn is_dispensable(key: &str) -> bool {
    let dispensable = [
        KEY_JOIN,
        KEY_SPORE,
        swim::MEMBERS_KEY,
        links::BACKOFFS_KEY,
        journal::PROBE_KEY,
        journal::FRONT_KEY,
    ];
    dispensable.contains(&key) || key.starts_with(admission::INVITE_PREFIX)
}

fn damaged(what: &str) -> StartError {
    StartError::Damaged(format!(
        "the entry {what} can't be read; restore the data directory from a backup, \
         or start with a new one and join again"
    ))
}

fn read<T: serde::de::DeserializeOwned>(
    stored: &Stored,
    key: &str,
) -> Result<Option<T>, StartError> {
    let Some(bytes) = stored.entry(key) else {
        return Ok(None);
    };
    decode_exactly(bytes).map(Some).map_err(|_| damaged(key))
}

fn restore(stored: &Stored, entropy: &Rng, is_front_hurt: bool) -> Result<Restored, StartError> {
    let seed: Option<Secret> = read(stored, KEY_IDENTITY)?;
    let is_new = seed.is_none();
    let has_data = !stored.entries.is_empty() || !stored.journal.is_empty();
    // There was an identity and it is lost. A new one would orphan what is stored.
    if is_new && has_data {
        return Err(damaged(KEY_IDENTITY));
    }
    let seed = seed.unwrap_or_else(|| Secret::from_bytes(entropy.fork("identity").bytes32()));
    let bound: Option<Incarnation> = read(stored, swim::INCARNATION_KEY)?;
    let front = match stored.entry(journal::FRONT_KEY) {
        None if is_front_hurt => stored.journal.first().map_or(1, |(first, _)| *first),
        None => 1,
        Some(bytes) => {
            let bytes: [u8; 8] = (&**bytes)
                .try_into()
                .map_err(|_| damaged(journal::FRONT_KEY))?;
            u64::from_le_bytes(bytes)
        }
    };
    let replay = Journal::replay(&stored.journal, front)
        .map_err(|error| StartError::Damaged(error.to_string()))?;
    Ok(Restored {
        keypair: Keypair::from_seed(seed.expose()),
        is_new,
        network: read(stored, KEY_NETWORK)?,
        join: read(stored, KEY_JOIN)?,
        spore: read(stored, KEY_SPORE)?,
        // The stored bound is the highest that earlier runs may have announced.
        incarnation: bound.map_or(Incarnation(1), Incarnation::next),
        known: read(stored, swim::MEMBERS_KEY)?.unwrap_or_default(),
        backoffs: or_none(stored, links::BACKOFFS_KEY),
        replay,
    })
}

/// The waits of dials only spare others: unreadable ones must not keep the node from starting.
pub(super) fn or_none<T: serde::de::DeserializeOwned + Default>(stored: &Stored, key: &str) -> T {
    stored
        .entry(key)
        .and_then(|bytes| decode_exactly(bytes).ok())
        .unwrap_or_default()
}

fn belong(setup: &Setup, restored: &Restored, entropy: &Rng) -> Result<Belonging, StartError> {
    let isolation = stored_isolation_key(&setup.stored)?;
    let asked = setup.join.as_ref().map(|link| link.spore.network());
    if let (Some(network), Some(isolation)) = (restored.network, isolation) {
        if asked.is_some_and(|asked| asked != network) {
            return Err(StartError::OtherNetwork);
        }
        return Ok(Belonging {
            network,
            isolation: Some(isolation),
            document: setup.stored.entry(admission::GENESIS_KEY).cloned(),
            join: None,
            puts: Vec::new(),
            founded: false,
        });
    }
    // A link given now wins: the stored one may have expired or be used up.
    let join = setup.join.clone().or_else(|| restored.join.clone());
    if join.is_none() && restored.network.is_some() {
        // It belonged to a network: to found another one would hide that.
        return Err(damaged(admission::ISOLATION_PREFIX));
    }
    if let Some(join) = join {
        let network = join.spore.network();
        let puts = alloc::vec![
            (KEY_NETWORK.to_string(), encode(&network).into()),
            (KEY_JOIN.to_string(), encode(&join).into()),
        ];
        return Ok(Belonging {
            network,
            isolation: None,
            document: None,
            join: Some(join),
            puts,
            founded: false,
        });
    }
    match setup.config.role {
        Role::Tab => Err(StartError::NoNetwork),
        Role::Relay if !setup.may_found => Err(StartError::NotAMember),
        Role::Relay => Ok(found(setup, restored, entropy)),
    }
}

fn found(setup: &Setup, restored: &Restored, entropy: &Rng) -> Belonging {
    let mut secrets = entropy.fork("genesis");
    let name = setup.config.network_name.clone();
    let founded = genesis::found(name, &restored.keypair, setup.wall, &mut secrets);
    let isolation = (FIRST_EPOCH, founded.isolation_key);
    let puts = alloc::vec![
        (KEY_NETWORK.to_string(), encode(&founded.network).into()),
        (admission::GENESIS_KEY.to_string(), founded.document.clone()),
        (
            admission::isolation_key_name(isolation.0),
            encode(&isolation.1).into()
        ),
    ];
    Belonging {
        network: founded.network,
        isolation: Some(isolation),
        document: Some(founded.document),
        join: None,
        puts,
        founded: true,
    }
}

/// The stored isolation key of the newest epoch.
fn stored_isolation_key(stored: &Stored) -> Result<Option<(u32, Secret)>, StartError> {
    let mut newest: Option<(u32, Secret)> = None;
    for (key, value) in &stored.entries {
        let Some(epoch) = key.strip_prefix(admission::ISOLATION_PREFIX) else {
            continue;
        };
        let epoch: u32 = epoch.parse().map_err(|_| damaged(key))?;
        let secret = decode_exactly(value).map_err(|_| damaged(key))?;
        // Compared as numbers: the entries are in the order of their names.
        if newest.as_ref().is_none_or(|(known, _)| epoch > *known) {
            newest = Some((epoch, secret));
        }
    }
    Ok(newest)
}

fn build(
    setup: &Setup,
    tuning: Tuning,
    restored: &Restored,
    belonging: &Belonging,
    rng: &Rng,
    (instance, now): (InstanceId, Time),
) -> Node {
    let Setup { config, wall, .. } = setup;
    let (network, keypair, role) = (belonging.network, &restored.keypair, config.role);
    let swim = Swim::new(
        tuning.swim,
        identity(config, keypair, network, instance),
        restored.incarnation,
        restored.known.clone(),
        rng.fork("swim"),
        now,
    );
    let replica = Replica::new(
        tuning.replica,
        keypair.clone(),
        network,
        role,
        rng.fork("replica"),
        now,
    );
    // A node that holds the isolation key is a member: it founded the network or was let in.
    let joining = belonging.isolation.is_none();
    Node {
        config: config.clone(),
        keypair: keypair.clone(),
        network,
        instance,
        journal: Journal::new(tuning.journal, restored.replay.tail),
        links: Links::new(
            tuning.links,
            keypair.id(),
            instance,
            role,
            rng.fork("links"),
        ),
        admission: admission(tuning.admission, setup, restored, belonging, rng),
        swim,
        replica,
        reach: Reach::new(tuning.reach, role, rng.fork("reach")),
        vitals: Vitals::new(tuning.vitals, keypair.clone(), network, rng.fork("vitals")),
        alerts: Alerts::new(tuning.alerts, keypair.id(), role, now),
        phase: if joining {
            Phase::Joining
        } else {
            Phase::Running
        },
        acquainted_by: None,
        unsaved: Unsaved::default(),
        store_lost: false,
        timeline: Timeline::new(),
        wall: *wall,
        wall_at: now,
        clock: ClockWatch::default(),
        history: History::new(config.history_bytes_max),
        measured: Measured::default(),
        own_writes: OwnWrites::default(),
        now,
        started_at: now,
        counters: Counters::default(),
        outbox: Outbox::new(SENDS_MAX),
        recorder: None,
        #[cfg(any(test, feature = "sim"))]
        mask: crate::node::mask::Mask::default(),
    }
}

fn admission(
    config: admission::Config,
    setup: &Setup,
    restored: &Restored,
    belonging: &Belonging,
    rng: &Rng,
) -> Admission {
    let (id, role, network) = (restored.keypair.id(), setup.config.role, belonging.network);
    Admission::new(
        config,
        admission::Own { id, role, network },
        admission::Credentials {
            isolation: belonging.isolation.clone(),
            invitation: belonging
                .join
                .as_ref()
                .map(|j| (j.invitation.clone(), j.key.clone())),
            genesis: belonging.document.clone(),
            invites: setup.stored.under(admission::INVITE_PREFIX),
        },
        rng.fork("admission"),
        setup.wall,
    )
}

fn identity(
    config: &Config,
    keypair: &Keypair,
    network: NetworkId,
    instance: InstanceId,
) -> swim::Identity {
    swim::Identity {
        keypair: keypair.clone(),
        network,
        instance,
        role: config.role,
        name: config.name.clone(),
        zone: config.zone.clone(),
        location: config.location,
        addresses: config.addresses.clone(),
    }
}

/// Gives the replica its records back; answers how many were intact but of no use to it. They stay in
/// the journal.
fn restore_replica(node: &mut Node, restored: &Restored) -> u64 {
    let mut unusable = 0_u64;
    for record in &restored.replay.records {
        match record.origin {
            Origin::Replica => {
                // A record that checks out but does not decode is of another version: it is kept.
                let taken = node.replica.restore(record.sequence, &record.body);
                unusable = unusable.saturating_add(u64::from(taken.is_err()));
            }
            Origin::Node | Origin::Swim | Origin::Admission | Origin::Links => {}
        }
    }
    node.replica.finish_restore();
    unusable
}

impl Node {
    fn store_beginnings(&mut self, restored: &Restored, belonging: &Belonging) {
        if restored.is_new {
            let seed = encode(&restored.keypair.expose_seed());
            self.put_for_good(KEY_IDENTITY, seed.into());
        }
        for (key, value) in belonging.puts.clone() {
            self.put_for_good(&key, value);
        }
    }

    fn tell_beginnings(&mut self, setup: &Setup, restored: &Restored) {
        // A join link given now is to be tried now: waits of earlier runs are not taken over.
        if self.phase != Phase::Joining || setup.join.is_none() {
            let backoffs = restored.backoffs.clone().read(self.now, setup.wall);
            self.tell_links(links::Command::Remember(backoffs));
        }
        if self.phase == Phase::Joining {
            self.tell_replica(replica::Command::Block(WriteBlock::NotAdmitted));
        }
        let wall = Signal::WallClock(setup.wall).into();
        self.handle_input(self.now, Input::Command(wall));
        let mut entries = setup.config.entries.clone();
        // A node that ended right after it was let in has stored no members yet. The stored join
        // link and spore then name the only relays that it knows.
        let links = [&setup.join, &restored.join].into_iter().flatten();
        let spores = links.map(|link| &link.spore).chain(&restored.spore);
        entries.extend(spores.flat_map(Spore::addresses).cloned());
        for entry in entries {
            self.tell_links(links::Command::Entry(entry));
        }
    }

    fn note_start(&mut self, report: &crate::recovery::replay::Report, belonging: &Belonging) {
        self.note(if belonging.founded {
            Notice::Founded {
                network: self.config.network_name.clone(),
            }
        } else if self.phase == Phase::Joining {
            Notice::StartedJoining
        } else {
            Notice::Started {
                incarnation: self.swim.incarnation(),
                records: report.records,
            }
        });
        if let Some(from) = report.torn_tail {
            self.note(Notice::JournalTorn { from });
        }
        if !report.damaged.is_empty() {
            self.note(Notice::JournalDamaged {
                records: u64::try_from(report.damaged.len()).unwrap_or(u64::MAX),
                at_start: true,
            });
        }
    }
}
