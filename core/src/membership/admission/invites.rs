//! The limited invites that this relay issued, and who used them.
//!
//! A use is bound to the newcomer's identity: the same newcomer may come again as long as the invite
//! lasts, and takes no second use. The identities remembered are the uses themselves, so there are
//! never more than `uses_max` (at most [`USES_MAX`]) of them.

use crate::kernel::{
    bytes::Bytes,
    crypto::{decode_exactly, encode},
    id::NodeId,
    time::{Time, WallTime},
};
use crate::wire::invitation::Invitation;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use serde::{Deserialize, Serialize};

/// What the keys of stored invites begin with; the serial follows in hexadecimal.
pub const INVITE_PREFIX: &str = "invite/";

/// The most newcomers that a limited invite lets in.
pub const USES_MAX: u16 = 1_000;

/// The version of the stored form.
const STORED_VERSION: u8 = 1;

pub(super) type Serial = [u8; 16];

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    invitation: Invitation,
    uses: Vec<NodeId>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    invitation: Invitation,
    /// Who used it, or is about to.
    uses: BTreeSet<NodeId>,
    /// Until when it opens handshakes although it is used up.
    grace_until: Time,
}

impl Open {
    fn is_used_up(&self) -> bool {
        let max = self.invitation.uses_max.map_or(0, usize::from);
        self.uses.len() >= max
    }
}

/// What became of an attempt to take a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was free, and is now this newcomer's.
    New,
    /// It has been this newcomer's already.
    Again,
    /// There is none left, or the invite is not known.
    None,
}

/// The limited invites by serial.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Invites {
    open: BTreeMap<Serial, Open>,
}

impl Invites {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Reads the stored invites of `issuer`; answers how many could not be read. At most `max` are
    /// taken, those that expire last.
    pub(super) fn load(
        stored: &[(String, Bytes)],
        issuer: NodeId,
        max: u32,
        grace_until: Time,
    ) -> (Self, u64) {
        let mut open = BTreeMap::new();
        let mut unreadable = 0_u64;
        for (key, value) in stored {
            let read = decode_exactly::<Stored>(value).ok().filter(|stored| {
                // Only limited invites are stored, so 0 marks what is not one, and the range
                // refuses it.
                let uses_max = stored.invitation.uses_max.unwrap_or(0);
                stored.version == STORED_VERSION
                    // Under a wrong key it could take the place of the true entry, with fewer uses.
                    && *key == key_of(&stored.invitation.serial)
                    // A store copied from another relay: its invites are honoured there.
                    && stored.invitation.issuer == issuer
                    && (1..=USES_MAX).contains(&uses_max)
                    && stored.uses.len() <= usize::from(uses_max)
            });
            if let Some(Stored {
                invitation, uses, ..
            }) = read
            {
                let uses = uses.into_iter().collect();
                open.insert(
                    invitation.serial,
                    Open {
                        invitation,
                        uses,
                        grace_until,
                    },
                );
            } else {
                // Not honoured: an unknown number of uses counts as all of them.
                unreadable = unreadable.saturating_add(1);
            }
        }
        let mut invites = Self { open };
        while invites.count() > max && invites.drop_first_to_expire() {}
        (invites, unreadable)
    }

    fn drop_first_to_expire(&mut self) -> bool {
        let first = self
            .open
            .iter()
            .min_by_key(|(serial, open)| (open.invitation.expires_at, **serial))
            .map(|(serial, _)| *serial);
        first.is_some_and(|serial| self.open.remove(&serial).is_some())
    }

    /// Whether no invite was used more often than it may be.
    pub(super) fn are_within_their_uses(&self) -> bool {
        let fits = |open: &Open| {
            let max = open.invitation.uses_max.map_or(0, usize::from);
            open.uses.len() <= max
        };
        self.open.values().all(fits)
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.open.len()).unwrap_or(u32::MAX)
    }

    /// Adds an invite that nobody used.
    pub(super) fn add(&mut self, invitation: Invitation) {
        let open = Open {
            uses: BTreeSet::new(),
            grace_until: Time::ZERO,
            invitation,
        };
        self.open.insert(open.invitation.serial, open);
    }

    pub(super) fn invitation(&self, serial: &Serial) -> Option<&Invitation> {
        self.open.get(serial).map(|open| &open.invitation)
    }

    pub(super) fn remove(&mut self, serial: &Serial) {
        self.open.remove(serial);
    }

    /// Whether a handshake under this invite can still lead to something.
    pub(super) fn opens_handshake(&self, invitation: &Invitation, now: Time) -> bool {
        self.open.get(&invitation.serial).is_some_and(|open| {
            // The whole description, not the serial alone: another lifetime under this serial is
            // another invite.
            open.invitation == *invitation && (!open.is_used_up() || now <= open.grace_until)
        })
    }

    /// Takes a use for `peer`.
    pub(super) fn take(
        &mut self,
        invitation: &Invitation,
        peer: NodeId,
        grace_until: Time,
    ) -> Taken {
        match self.open.get_mut(&invitation.serial) {
            Some(open) if open.invitation == *invitation => {
                // Before the bound is looked at: whose welcome was lost may come again to an invite
                // that is used up.
                if open.uses.contains(&peer) {
                    Taken::Again
                } else if open.is_used_up() {
                    Taken::None
                } else {
                    open.uses.insert(peer);
                    // Every use starts the grace anew, so that the last newcomer has all of it.
                    open.grace_until = grace_until;
                    Taken::New
                }
            }
            Some(_) | None => Taken::None,
        }
    }

    /// Gives a use back.
    pub(super) fn release(&mut self, serial: &Serial, peer: NodeId) {
        if let Some(open) = self.open.get_mut(serial) {
            open.uses.remove(&peer);
        }
    }

    /// The stored form of an invite.
    pub(super) fn stored(&self, serial: &Serial) -> Option<(String, Bytes)> {
        let open = self.open.get(serial)?;
        let stored = Stored {
            version: STORED_VERSION,
            invitation: open.invitation.clone(),
            uses: open.uses.iter().copied().collect(),
        };
        Some((key_of(serial), encode(&stored).into()))
    }

    /// Those that expired before `moment`.
    pub(super) fn expired_before(&self, moment: WallTime) -> Vec<Serial> {
        self.open
            .iter()
            .filter(|(_, open)| open.invitation.expires_at < moment)
            .map(|(serial, _)| *serial)
            .collect()
    }
}

/// The key under which an invite is stored.
pub(super) fn key_of(serial: &Serial) -> String {
    serial
        .iter()
        .fold(String::from(INVITE_PREFIX), |key, byte| {
            format!("{key}{byte:02x}")
        })
}
