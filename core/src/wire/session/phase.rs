//! Where a session stands, and how it can still say why it ends.

use super::{
    handshake::{Asking, Ciphering, Opening, Unproven},
    trust::Trust,
};
use crate::{
    kernel::crypto::Secret,
    wire::{close::CloseReason, noise::Cipher},
};

/// Where a session stands. An initiator goes `AwaitAnswer`, `AwaitSecond`, `AwaitProof`, `Up`; a
/// responder `AwaitHello`, `AwaitKey`, `AwaitFirst`, `AwaitThird`, `AwaitProof`, `Up`.
pub(super) enum Phase {
    AwaitAnswer(Opening),
    AwaitSecond(Ciphering),
    AwaitHello {
        entropy: Secret,
    },
    AwaitKey(Asking),
    AwaitFirst(Ciphering),
    AwaitThird(Ciphering),
    AwaitProof(Unproven),
    Up(Cipher),
    /// Closed in good order: what is queued still leaves, then the reason.
    Draining {
        cipher: Cipher,
        reason: CloseReason,
    },
    Closed,
}

/// How this side can still say why it ends.
pub(super) enum Voice {
    Mute,
    Clear,
    Sealed(Cipher),
}

/// The end of a session.
pub(super) struct Failure {
    pub(super) reason: CloseReason,
    pub(super) voice: Voice,
}

pub(super) type Step = Result<Phase, Failure>;

impl Phase {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::AwaitAnswer(_) => "AwaitAnswer",
            Self::AwaitSecond(_) => "AwaitSecond",
            Self::AwaitHello { .. } => "AwaitHello",
            Self::AwaitKey(_) => "AwaitKey",
            Self::AwaitFirst(_) => "AwaitFirst",
            Self::AwaitThird(_) => "AwaitThird",
            Self::AwaitProof(_) => "AwaitProof",
            Self::Up(_) => "Up",
            Self::Draining { .. } => "Draining",
            Self::Closed => "Closed",
        }
    }

    /// Whether a refusal in the clear means something here: after the first word was said, and
    /// before the peer's identity is proven.
    pub(super) const fn takes_refusals(&self) -> bool {
        match self {
            Self::AwaitAnswer(_)
            | Self::AwaitSecond(_)
            | Self::AwaitKey(_)
            | Self::AwaitFirst(_)
            | Self::AwaitThird(_)
            | Self::AwaitProof(_) => true,
            // Once the peer has proved itself only the cipher counts: anyone on the path could send
            // this.
            Self::AwaitHello { .. } | Self::Up(_) | Self::Draining { .. } | Self::Closed => false,
        }
    }

    pub(super) fn voice(self) -> Voice {
        match self {
            Self::AwaitAnswer(_)
            | Self::AwaitSecond(_)
            | Self::AwaitHello { .. }
            | Self::AwaitKey(_)
            | Self::AwaitFirst(_)
            | Self::AwaitThird(_) => Voice::Clear,
            // From here on both sides have the cipher, so nothing more is said in the clear.
            Self::AwaitProof(unproven) => Voice::Sealed(unproven.cipher),
            Self::Up(cipher) => Voice::Sealed(cipher),
            Self::Draining { .. } | Self::Closed => Voice::Mute,
        }
    }
}

impl Failure {
    /// The other side said why.
    pub(super) fn told(proved: Trust, reason: CloseReason) -> Self {
        Self::mute(proved.believed(reason))
    }

    /// Ends without a word.
    pub(super) const fn mute(reason: CloseReason) -> Self {
        Self {
            reason,
            voice: Voice::Mute,
        }
    }

    /// Ends, and says so in the clear.
    pub(super) const fn clear(reason: CloseReason) -> Self {
        Self {
            reason,
            voice: Voice::Clear,
        }
    }

    /// Ends, and says so inside the cipher.
    pub(super) const fn sealed(reason: CloseReason, cipher: Cipher) -> Self {
        Self {
            reason,
            voice: Voice::Sealed(cipher),
        }
    }
}
