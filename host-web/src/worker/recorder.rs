//! Recording the node of this tab, from its first input on.

use crate::protocol::{Answer, Failure};
use sporenet_core::node::endpoint::Endpoint;

/// The most bytes that a tab keeps of a recording: some hours of a small mesh.
const BYTES_MAX: u64 = 16 << 20;

/// The node, which is recorded from now on.
pub(crate) fn started(mut endpoint: Endpoint) -> Endpoint {
    endpoint.node_mut().start_recording(BYTES_MAX);
    endpoint
}

/// How long a recording would be, in bytes, or why there is none any more.
pub(crate) fn status(endpoint: &Endpoint) -> Option<Result<u64, String>> {
    let status = endpoint.node().recording_status();
    match status.reason {
        Some(why) => Some(Err(why)),
        None => status.running.then_some(Ok(status.bytes)),
    }
}

/// The recording so far.
pub(crate) fn save(endpoint: &mut Endpoint) -> Result<Answer, Failure> {
    let saving = endpoint.node_mut().save_recording();
    let saving = saving.ok_or_else(|| Failure::new("not_recording", "nothing is recorded"))?;
    Ok(Answer::Recording(saving.to_bytes()))
}
