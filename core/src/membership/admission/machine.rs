//! The machine: its state, the constructor, the questions, its steps and the four verbs.
//!
//! Source: the papers on the page of [`admission`](super).

use super::blind;
use super::{
    Command, Config, Credentials, Event, GENESIS_KEY, InviteRefusal, Message, Offence, Own, Stats,
    TTL_MAX, TTL_MIN, USES_MAX,
    invites::{self, Invites, Serial, Taken},
    isolation_key_name,
};
use crate::{
    kernel::{
        bytes::Bytes,
        crypto::Secret,
        deadlines::Deadlines,
        id::{LinkId, NodeId, RequestId, Role},
        machine::{Input, Machine, Output},
        outbox::Outbox,
        persist::{Persist, PersistFailed, Persisted},
        rng::Rng,
        time::{Time, WallTime},
    },
    membership::{genesis, spore::Spore},
    wire::{
        close::CloseReason,
        identity::PeerIdentity,
        invitation::{Invitation, KeyHint},
    },
};
use alloc::{collections::BTreeMap, string::String};
use core::time::Duration;

/// Sends that may wait to be fetched; a lost welcome is fetched again by the newcomer.
const SENDS_MAX: usize = 1_024;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub(super) enum Timer {
    /// Store again what a welcome brought.
    StoreWelcome,
}

/// What waits for the store.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) enum Waiting {
    /// An invite's counter, before the invite is given out.
    Issue { request: RequestId, serial: Serial },
    /// A use, before anything is handed over.
    Redeem(Redemption),
    /// The next entry that a welcome brought.
    Join,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Redemption {
    pub(super) serial: Serial,
    pub(super) newcomer: NodeId,
    /// The newcomer's links, with who is at each: it may dial again while the store is busy.
    pub(super) links: BTreeMap<LinkId, PeerIdentity>,
}

/// What a welcome brought, until it is durable.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Welcome {
    pub(super) genesis: Bytes,
    pub(super) epoch: u32,
    pub(super) isolation_key: Secret,
    pub(super) spore: Spore,
    /// The document is durable; the key goes after it.
    pub(super) genesis_stored: bool,
}

/// Admission of one node. See the module's page.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Admission {
    pub(super) config: Config,
    pub(super) own: Own,
    /// The isolation key with its epoch; `None` in a newcomer.
    pub(super) isolation: Option<(u32, Secret)>,
    pub(super) invitation: Option<(Invitation, Secret)>,
    pub(super) genesis: Option<Bytes>,
    pub(super) spore: Spore,
    pub(super) invites: Invites,
    pub(super) rng: Rng,
    pub(super) now: Time,
    pub(super) wall: WallTime,
    /// The next token for the store; 0 means that nothing waits for the answer.
    pub(super) next_token: u64,
    pub(super) waiting: BTreeMap<u64, Waiting>,
    /// Links that we dialled under our invite, with who answered.
    pub(super) entrances: BTreeMap<LinkId, NodeId>,
    pub(super) welcome: Option<Welcome>,
    pub(super) deadlines: Deadlines<Timer>,
    pub(super) outbox: Outbox<Message, Event>,
    pub(super) stats: Stats,
    /// Whether it is replayed: what it holds in place of secrets proves nothing.
    #[serde(skip)]
    pub(super) blind: bool,
}

impl Admission {
    /// Admission with what the node has to show. `entropy` draws the serials of invites.
    #[must_use]
    pub fn new(
        config: Config,
        own: Own,
        credentials: Credentials,
        entropy: Rng,
        wall: WallTime,
    ) -> Self {
        let grace_until = Time::ZERO + config.retry_grace;
        let (invites, unreadable) = Invites::load(
            &credentials.invites,
            own.id,
            config.invites_max,
            grace_until,
        );
        Self {
            config,
            own,
            isolation: credentials.isolation,
            invitation: credentials.invitation,
            genesis: credentials.genesis,
            spore: Spore::new(own.network),
            invites,
            rng: entropy,
            now: Time::ZERO,
            wall,
            next_token: 1,
            waiting: BTreeMap::new(),
            entrances: BTreeMap::new(),
            welcome: None,
            deadlines: Deadlines::new(),
            outbox: Outbox::new(SENDS_MAX),
            stats: Stats {
                unreadable,
                ..Stats::default()
            },
            blind: false,
        }
    }

    /// What this node offers when it dials: the isolation key of a member, the invite of a newcomer.
    #[must_use]
    pub fn credential(&self) -> Option<(KeyHint, Secret)> {
        match (&self.isolation, &self.invitation) {
            (Some((epoch, key)), _) => Some((KeyHint::Isolation { epoch: *epoch }, key.clone())),
            (None, Some((invitation, key))) => {
                Some((KeyHint::Invite(invitation.clone()), key.clone()))
            }
            (None, None) => None,
        }
    }

    /// Whether this node holds the isolation key.
    #[must_use]
    pub const fn is_member(&self) -> bool {
        self.isolation.is_some()
    }

    /// Limited invites that are open or expired less than a day ago.
    #[must_use]
    pub fn invites_open(&self) -> u32 {
        self.invites.count()
    }

    /// Counters since the start.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    fn on_invite(
        &mut self,
        request: RequestId,
        ttl: Duration,
        uses_max: Option<u16>,
        role: Option<Role>,
    ) {
        match self.draft_invitation(ttl, uses_max, role) {
            Err(refusal) => self.refuse_invite(request, refusal),
            // Nothing is counted, so nothing has to be durable first.
            Ok(invitation) if uses_max.is_none() => self.give_out(request, invitation),
            Ok(invitation) => {
                let serial = invitation.serial;
                // Known here before it is durable, but given out only after it: a counter that a
                // crash lost would let in the same number again.
                self.invites.add(invitation);
                self.store_invite(&serial, Some(Waiting::Issue { request, serial }));
            }
        }
    }

    fn draft_invitation(
        &mut self,
        ttl: Duration,
        uses_max: Option<u16>,
        role: Option<Role>,
    ) -> Result<Invitation, InviteRefusal> {
        let (Some((epoch, _)), Role::Relay) = (&self.isolation, self.own.role) else {
            return Err(InviteRefusal::CannotInvite);
        };
        let uses_fit = uses_max.is_none_or(|uses| (1..=USES_MAX).contains(&uses));
        if !(TTL_MIN..=TTL_MAX).contains(&ttl) || !uses_fit {
            return Err(InviteRefusal::OutOfRange);
        }
        let epoch = *epoch;
        if uses_max.is_some() && !self.has_room_for_invite() {
            return Err(InviteRefusal::TooMany);
        }
        // 16 random bytes: no two invites ever share a serial, so none has to be looked up.
        let mut serial = [0; 16];
        self.rng.fill(&mut serial);
        Ok(Invitation {
            serial,
            issuer: self.own.id,
            expires_at: self.wall.plus(ttl),
            uses_max,
            role,
            epoch,
        })
    }

    /// Makes room by removing expired invites before their day is over, if need be.
    fn has_room_for_invite(&mut self) -> bool {
        if self.invites.count() >= self.config.invites_max {
            self.sweep(Duration::ZERO);
        }
        let issuing = self.waiting.values().filter(|waiting| match waiting {
            Waiting::Issue { .. } => true,
            Waiting::Redeem(_) | Waiting::Join => false,
        });
        let max = self.config.invites_max;
        // Invites that wait for the store are bounded too. An expired one may be swept meanwhile,
        // and its waiting goes on.
        self.invites.count() < max && u32::try_from(issuing.count()).is_ok_and(|count| count < max)
    }

    fn refuse_invite(&mut self, request: RequestId, refusal: InviteRefusal) {
        self.outbox.event(Event::InviteRefused { request, refusal });
    }

    fn give_out(&mut self, request: RequestId, invitation: Invitation) {
        let Some((_, isolation_key)) = &self.isolation else {
            return;
        };
        self.stats.issued = self.stats.issued.saturating_add(1);
        let key = invitation.key(isolation_key);
        self.outbox.event(Event::Issued {
            request,
            invitation,
            key,
        });
    }

    fn on_key_wanted(&mut self, link: LinkId, hint: &KeyHint) {
        let key = self.key_for(hint);
        if key.is_err() {
            self.stats.keys_refused = self.stats.keys_refused.saturating_add(1);
        }
        self.outbox.event(Event::Key { link, key });
    }

    fn key_for(&self, hint: &KeyHint) -> Result<Secret, CloseReason> {
        let Some((own_epoch, isolation_key)) = &self.isolation else {
            return self.key_as_newcomer(hint);
        };
        match hint {
            KeyHint::Isolation { epoch } if epoch == own_epoch => Ok(isolation_key.clone()),
            KeyHint::Isolation { .. } => Err(CloseReason::WrongEpoch),
            KeyHint::Invite(invitation) => {
                self.check_invitation(invitation)?;
                let limited = invitation.uses_max.is_some();
                // Refused before the handshake goes on: a used-up invite must not cost this node a
                // key exchange for everyone who holds it.
                if limited && !self.invites.opens_handshake(invitation, self.now) {
                    return Err(CloseReason::InviteUsed);
                }
                // Derived from the whole description: whoever changed the lifetime or the uses has
                // another key, and the handshake fails (Noise, section 9, pre-shared keys).
                Ok(invitation.key(isolation_key))
            }
        }
    }

    /// A newcomer can't check anybody; it may be a member soon. Who comes under the newcomer's own
    /// invite may be the newcomer itself, by an address that leads back here: the handshake goes on
    /// until that shows. Anyone else under that invite is turned away after it.
    fn key_as_newcomer(&self, hint: &KeyHint) -> Result<Secret, CloseReason> {
        match (hint, &self.invitation) {
            (KeyHint::Invite(asked), Some((own, key))) if asked == own => Ok(key.clone()),
            (KeyHint::Invite(_) | KeyHint::Isolation { .. }, _) => Err(CloseReason::Busy),
        }
    }

    /// Whether an invite is honoured here and now, its uses aside.
    fn check_invitation(&self, invitation: &Invitation) -> Result<(), CloseReason> {
        let Some((epoch, _)) = &self.isolation else {
            return Err(CloseReason::Busy);
        };
        if self.wall >= invitation.expires_at {
            return Err(CloseReason::InviteExpired);
        }
        if invitation.epoch != *epoch {
            return Err(CloseReason::WrongEpoch);
        }
        // Uses are counted in one place; two counters could let in twice as many.
        if invitation.uses_max.is_some() && invitation.issuer != self.own.id {
            let issuer = invitation.issuer;
            return Err(CloseReason::InviteElsewhere { issuer });
        }
        Ok(())
    }

    fn on_arrived(&mut self, link: LinkId, peer: PeerIdentity, invitation: &Invitation) {
        // Once more: the invite may have expired during the handshake.
        if let Err(reason) = self.check_invitation(invitation) {
            return self.reject(link, reason);
        }
        if invitation.role.is_some_and(|role| role != peer.role) {
            return self.reject(link, CloseReason::InviteRole);
        }
        if invitation.uses_max.is_none() {
            return self.let_in(core::iter::once((link, peer)));
        }
        if self.redemptions() >= self.config.redemptions_max {
            return self.reject(link, CloseReason::Busy);
        }
        let grace_until = self.now + self.config.retry_grace;
        // The use is taken at once and not when it is durable, or a crowd would be let in during
        // the write.
        match self.invites.take(invitation, peer.id, grace_until) {
            Taken::None => self.reject(link, CloseReason::InviteUsed),
            Taken::Again => self.redeem_again(link, peer, invitation.serial),
            Taken::New => {
                let redemption = Redemption {
                    serial: invitation.serial,
                    newcomer: peer.id,
                    links: BTreeMap::from([(link, peer)]),
                };
                self.store_invite(&invitation.serial, Some(Waiting::Redeem(redemption)));
            }
        }
    }

    /// Links that wait for their use to become durable.
    pub(super) fn redemptions(&self) -> u32 {
        let links = self.waiting.values().map(|waiting| match waiting {
            // A use whose link is gone still waits for the store.
            Waiting::Redeem(redemption) => redemption.links.len().max(1),
            Waiting::Issue { .. } | Waiting::Join => 0,
        });
        u32::try_from(links.sum::<usize>()).unwrap_or(u32::MAX)
    }

    /// The use is this newcomer's already; if it is not durable yet, the link waits with the first.
    fn redeem_again(&mut self, link: LinkId, peer: PeerIdentity, serial: Serial) {
        for waiting in self.waiting.values_mut() {
            if let Waiting::Redeem(redemption) = waiting
                && redemption.serial == serial
                && redemption.newcomer == peer.id
            {
                redemption.links.insert(link, peer);
                return;
            }
        }
        self.let_in(core::iter::once((link, peer)));
    }

    fn reject(&mut self, link: LinkId, reason: CloseReason) {
        self.stats.rejected = self.stats.rejected.saturating_add(1);
        self.outbox.event(Event::Reject { link, reason });
    }

    fn let_in(&mut self, links: impl Iterator<Item = (LinkId, PeerIdentity)>) {
        for (link, peer) in links {
            // The genesis document is stored before the key, so a member has both.
            let (Some((epoch, isolation_key)), Some(genesis)) = (&self.isolation, &self.genesis)
            else {
                self.reject(link, CloseReason::Busy);
                continue;
            };
            // Before `Admit`: the link becomes an ordinary one with it, and the welcome must be the
            // first word.
            self.outbox.send(
                peer.id,
                Message::Welcome {
                    genesis: genesis.clone(),
                    epoch: *epoch,
                    isolation_key: isolation_key.clone(),
                    spore: self.spore.clone(),
                },
            );
            self.stats.admitted = self.stats.admitted.saturating_add(1);
            self.outbox.event(Event::Admit { link, peer });
        }
    }

    fn on_link_down(&mut self, link: LinkId) {
        self.entrances.remove(&link);
        for waiting in self.waiting.values_mut() {
            if let Waiting::Redeem(redemption) = waiting {
                // The use stays taken until the store has answered; only then it is known whether
                // to give it back.
                redemption.links.remove(&link);
            }
        }
    }

    fn on_persisted(&mut self, done: Persisted) {
        match self.waiting.remove(&done.token) {
            Some(Waiting::Issue { request, serial }) => {
                let invitation = self.invites.invitation(&serial).cloned();
                // It may have expired and been swept while the store was busy.
                match invitation {
                    Some(invitation) => self.give_out(request, invitation),
                    None => self.refuse_invite(request, InviteRefusal::NotStored),
                }
            }
            Some(Waiting::Redeem(redemption)) if redemption.links.is_empty() => {
                // The newcomer went away before it got anything: its use is given back.
                self.stats.released = self.stats.released.saturating_add(1);
                self.invites
                    .release(&redemption.serial, redemption.newcomer);
                // Should this write fail, the use stays taken in the store: too few are let in,
                // never too many.
                self.store_invite(&redemption.serial, None);
            }
            Some(Waiting::Redeem(redemption)) => self.let_in(redemption.links.into_iter()),
            Some(Waiting::Join) => self.on_welcome_stored(),
            None => {}
        }
    }

    fn on_persist_failed(&mut self, failed: PersistFailed) {
        match self.waiting.remove(&failed.token) {
            Some(Waiting::Issue { request, serial }) => {
                // Nobody has the invite yet, so it can be forgotten.
                self.invites.remove(&serial);
                self.refuse_invite(request, InviteRefusal::NotStored);
            }
            Some(Waiting::Redeem(redemption)) => {
                self.invites
                    .release(&redemption.serial, redemption.newcomer);
                for link in redemption.links.into_keys() {
                    self.reject(link, CloseReason::Busy);
                }
            }
            Some(Waiting::Join) => {
                // The welcome is kept: a full store may have room soon, and the newcomer need not
                // knock again.
                let again = self.now + self.config.store_retry;
                self.deadlines.set(Timer::StoreWelcome, again);
            }
            None => {}
        }
    }

    fn on_welcome(&mut self, from: NodeId, welcome: Welcome) {
        // Only relays that this node dialled under its invite were asked for a welcome.
        if !self.entrances.values().any(|peer| *peer == from) {
            return self.offend(from, Offence::UnexpectedWelcome);
        }
        if self.invitation.is_none() {
            return self.offend(from, Offence::UnexpectedWelcome);
        }
        // The invite's key came from the operator, so an isolation key that leads to it is the
        // right one.
        if !self.is_origin_of_invite(welcome.epoch, &welcome.isolation_key) {
            return self.offend(from, Offence::WrongKey);
        }
        // The network's identity came with the invite, and is the hash of the document.
        if genesis::verify(&welcome.genesis, self.own.network).is_err() {
            return self.offend(from, Offence::WrongGenesis);
        }
        if welcome.spore.network() != self.own.network {
            return self.offend(from, Offence::WrongSpore);
        }
        // Two relays may both have let us in; the first word is kept.
        if self.isolation.is_none() && self.welcome.is_none() {
            self.welcome = Some(welcome);
            self.store_welcome();
        }
    }

    /// Whether our invite was made from this isolation key.
    pub(super) fn is_origin_of_invite(&self, epoch: u32, isolation_key: &Secret) -> bool {
        let Some((invitation, invite_key)) = &self.invitation else {
            return false;
        };
        if self.blind {
            return epoch == invitation.epoch && !blind::is_wrong(isolation_key);
        }
        epoch == invitation.epoch && invitation.key(isolation_key) == *invite_key
    }

    fn offend(&mut self, peer: NodeId, offence: Offence) {
        self.stats.offences = self.stats.offences.saturating_add(1);
        self.outbox.event(Event::Offence { peer, offence });
    }

    /// One entry after the other, the isolation key last: a node that finds it in its store is a
    /// member and has the genesis document too.
    fn store_welcome(&mut self) {
        let Some(welcome) = &self.welcome else {
            return;
        };
        let (key, value) = if welcome.genesis_stored {
            let secret = welcome.isolation_key.expose().as_slice();
            (isolation_key_name(welcome.epoch), Bytes::from(secret))
        } else {
            (GENESIS_KEY.into(), welcome.genesis.clone())
        };
        self.put(key, value, Some(Waiting::Join));
    }

    fn on_welcome_stored(&mut self) {
        match self.welcome.take() {
            Some(welcome) if welcome.genesis_stored => {
                let isolation = (welcome.epoch, welcome.isolation_key);
                self.isolation = Some(isolation.clone());
                self.genesis = Some(welcome.genesis);
                // The peer could say what it liked: its pointers count as hearsay.
                let spore = welcome.spore.as_gossip(self.wall);
                self.outbox.event(Event::Joined { isolation, spore });
            }
            Some(welcome) => {
                self.welcome = Some(Welcome {
                    genesis_stored: true,
                    ..welcome
                });
                self.store_welcome();
            }
            None => {}
        }
    }

    fn on_entered(&mut self, link: LinkId, peer: NodeId) {
        let count = u32::try_from(self.entrances.len()).unwrap_or(u32::MAX);
        // Beyond the bound the link stays, but a welcome over it would count as an offence.
        if count < self.config.entrances_max {
            self.entrances.insert(link, peer);
        }
    }

    fn on_wall_clock(&mut self, wall: WallTime) {
        self.wall = wall;
        self.sweep(self.config.expired_kept);
    }

    /// Removes limited invites that expired longer than `kept` ago.
    fn sweep(&mut self, kept: Duration) {
        let kept = u64::try_from(kept.as_millis()).unwrap_or(u64::MAX);
        // A clock that stands near zero has not been set: nothing has expired then.
        let before = WallTime::from_millis(self.wall.as_millis().saturating_sub(kept));
        for serial in self.invites.expired_before(before) {
            self.invites.remove(&serial);
            // Should it stay in the store, it is swept again after the next start.
            let request = Persist::delete(0, invites::key_of(&serial));
            self.outbox.event(Event::Persist(request));
        }
    }

    fn store_invite(&mut self, serial: &Serial, waiting: Option<Waiting>) {
        if let Some((key, value)) = self.invites.stored(serial) {
            self.put(key, value, waiting);
        }
    }

    fn put(&mut self, key: String, value: Bytes, waiting: Option<Waiting>) {
        let token = waiting.map_or(0, |waiting| self.wait(waiting));
        let request = Persist::put(token, key, value);
        self.outbox.event(Event::Persist(request));
    }

    /// A token for the store's answer, which `waiting` depends on.
    fn wait(&mut self, waiting: Waiting) -> u64 {
        let token = self.next_token;
        self.next_token = token.saturating_add(1);
        self.waiting.insert(token, waiting);
        token
    }
}

impl Machine for Admission {
    type Message = Message;
    type Command = Command;
    type Event = Event;

    fn handle_input(&mut self, now: Time, input: Input<Message, Command>) {
        self.now = self.now.max(now);
        let command = match input {
            Input::Message { from, message } => {
                let Message::Welcome {
                    genesis,
                    epoch,
                    isolation_key,
                    spore,
                } = message;
                let welcome = Welcome {
                    genesis,
                    epoch,
                    isolation_key,
                    spore,
                    genesis_stored: false,
                };
                return self.on_welcome(from, welcome);
            }
            Input::Command(command) => command,
        };
        match command {
            Command::Invite {
                request,
                ttl,
                uses_max,
                role,
            } => self.on_invite(request, ttl, uses_max, role),
            Command::KeyWanted { link, hint } => self.on_key_wanted(link, &hint),
            Command::Arrived {
                link,
                peer,
                invitation,
            } => self.on_arrived(link, peer, &invitation),
            Command::Entered { link, peer } => self.on_entered(link, peer),
            Command::LinkDown { link } => self.on_link_down(link),
            Command::Persisted(done) => self.on_persisted(done),
            Command::PersistFailed(failed) => self.on_persist_failed(failed),
            Command::SporeChanged(spore) => {
                if spore.network() == self.own.network {
                    self.spore = spore;
                }
            }
            Command::WallClock(wall) => self.on_wall_clock(wall),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        while let Some(timer) = self.deadlines.pop_due(self.now) {
            match timer {
                Timer::StoreWelcome => self.store_welcome(),
            }
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.outbox.or_timer(self.deadlines.next())
    }

    fn poll_output(&mut self) -> Option<Output<Message, Event>> {
        self.outbox.pop()
    }
}
