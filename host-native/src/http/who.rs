//! Who asks, for the audit log: there is one token, so it is where the request came from.

use crate::http::{Api, problem::Problem};
use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use sporenet_core::kernel::id::NodeId;
use std::{convert::Infallible, net::SocketAddr};

/// The longest name of a program that is kept, in characters.
const PROGRAM_CHARS_MAX: usize = 100;

/// The address that a connection came from; a proxy's own, behind one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Who asks, in words: an address, and what its program calls itself.
#[derive(Clone, Debug)]
pub(crate) struct Who(String);

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<Peer>();
        let peer = peer.map_or_else(|| "unknown".to_owned(), |peer| peer.0.to_string());
        let program = parts.headers.get(header::USER_AGENT);
        let program = program.and_then(|program| program.to_str().ok());
        let who = match program {
            Some(program) => {
                let program: String = program.chars().take(PROGRAM_CHARS_MAX).collect();
                format!("{peer}, {program}")
            }
            None => peer,
        };
        std::future::ready(Ok(Self(who))).await
    }
}

/// What somebody wanted of the node.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    /// A stable word.
    pub(crate) action: &'static str,
    /// The member that it is about.
    pub(crate) node: Option<NodeId>,
    /// What exactly; never a secret.
    pub(crate) detail: String,
}

impl Api {
    /// Puts an act and what came of it into the audit log.
    pub(crate) fn audit<T>(&self, who: &Who, act: Act, outcome: &Result<T, Problem>) {
        let outcome = match outcome {
            Ok(_) => "done",
            Err(problem) => problem.code,
        };
        self.history
            .audit(act.action, &who.0, act.node, act.detail, outcome);
    }
}
