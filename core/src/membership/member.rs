//! What members say of themselves and of each other, signed.

use crate::kernel::{
    address::Address,
    crypto::SignedBody,
    id::{Incarnation, InstanceId, NodeId, Role},
    text::{Name, Zone},
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The most addresses a member may announce.
pub const ADDRESSES_MAX: usize = 8;

/// What a member is believed to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberState {
    /// It answers.
    Alive,
    /// Someone's probe failed; it may still refute.
    Suspect,
    /// It did not refute in time.
    Dead,
    /// It said goodbye.
    Left,
    /// It announced its absence, or it is a tab that nobody holds.
    Parked,
}

/// What a member says of its own presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// It takes part.
    Present,
    /// It will be back; don't suspect it.
    Parked,
    /// It has left for good (it may join again with a higher incarnation).
    Left,
}

/// A place on earth, declared, only for display. In millionths of a degree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Latitude, −90 000 000 to 90 000 000.
    pub latitude: i32,
    /// Longitude, −180 000 000 to 180 000 000.
    pub longitude: i32,
}

/// A member's word about itself; the highest incarnation counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// Who.
    pub id: NodeId,
    /// Raised at every start and at every refutation.
    pub incarnation: Incarnation,
    /// The process that speaks; two with one incarnation are a copied identity.
    pub instance: InstanceId,
    /// Relay or tab.
    pub role: Role,
    /// Its name, for people.
    pub name: Name,
    /// Its failure domain.
    pub zone: Option<Zone>,
    /// Where it is, if it says so.
    pub location: Option<Location>,
    /// Where it accepts links; none for a tab, at most [`ADDRESSES_MAX`].
    pub addresses: Vec<Address>,
    /// Present, parked or left.
    pub standing: Standing,
}

impl SignedBody for MemberRecord {
    const DOMAIN: &'static str = "sporenet 2026 member record";

    fn signer(&self) -> NodeId {
        self.id
    }
}

/// Why a member is suspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Evidence {
    /// Neither it nor anyone asked on our behalf answered a probe.
    Silence,
    /// Its links broke and a new connection was refused: the process is gone.
    Crash,
    /// An operator says that it won't come back. It counts as silence until the member is dead, and as a
    /// goodbye from then on.
    Forgotten,
}

/// One member's word that another does not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accusation {
    /// Who accuses.
    pub accuser: NodeId,
    /// Who is accused.
    pub subject: NodeId,
    /// The incarnation that is accused; a higher one refutes.
    pub incarnation: Incarnation,
    /// Why.
    pub evidence: Evidence,
}

impl SignedBody for Accusation {
    const DOMAIN: &'static str = "sporenet 2026 accusation";

    fn signer(&self) -> NodeId {
        self.accuser
    }
}

/// A home relay's word that it holds a tab's link, or no longer does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The home relay.
    pub home: NodeId,
    /// The tab.
    pub tab: NodeId,
    /// The tab's incarnation.
    pub incarnation: Incarnation,
    /// Raised by the home with every lease it gives for this tab; the highest counts.
    pub sequence: u64,
    /// Whether the link is held.
    pub attached: bool,
    /// How long this word holds after it was heard, in milliseconds.
    pub ttl_ms: u32,
}

impl SignedBody for Lease {
    const DOMAIN: &'static str = "sporenet 2026 presence lease";

    fn signer(&self) -> NodeId {
        self.home
    }
}
