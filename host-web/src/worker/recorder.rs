//! Recording the node of this tab.

use crate::protocol::{Answer, Failure, Recording};
use sporenet_core::node::endpoint::Endpoint;

/// The most bytes that a tab keeps of a recording: some hours of a small mesh.
const BYTES_MAX: u64 = 16 << 20;

/// Does what the page asks of the recorder.
pub(crate) fn ask(endpoint: &mut Endpoint, asked: Recording) -> Result<Answer, Failure> {
    let node = endpoint.node_mut();
    match asked {
        Recording::Start => node.start_recording(BYTES_MAX),
        Recording::Stop => node.stop_recording(),
        Recording::Save => {
            let saving = node.save_recording();
            let saving =
                saving.ok_or_else(|| Failure::new("not_recording", "nothing is recorded"))?;
            return Ok(Answer::Recording(Some(saving.to_bytes())));
        }
    }
    Ok(Answer::Recording(None))
}
