//! A hash over what all nodes did: what they sent and stored, and the connections that they made.
//!
//! What they told their owners is left out: a sentence may be worded otherwise, and the run is the same.

use crate::{
    kernel::{store::StoreOp, time::Time},
    node::{
        contract::{HostOutput, StoreOutput},
        endpoint::EndpointOutput,
    },
    sim::{host::HostId, shell::Shell},
};
use alloc::{format, string::String, vec::Vec};
use core::fmt::{self, Write as _};

/// Hashed at once when so many bytes wait: the hash works on many kilobytes side by side, and
/// several times slower on what comes in pieces of a packet's size.
const PENDING_MAX: usize = 1 << 16;

/// The trace of a world.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    hasher: blake3::Hasher,
    pending: Vec<u8>,
}

impl Trace {
    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PENDING_MAX {
            self.hasher.update(&self.pending);
            self.pending.clear();
        }
    }

    /// Adds an output of a host's node, with its time.
    pub(super) fn output<S: Shell>(
        &mut self,
        at: Time,
        host: HostId,
        output: &EndpointOutput<S::Packet>,
    ) {
        let is_store =
            |output: &HostOutput| matches!(output, HostOutput::Store(StoreOutput::Persist(_)));
        if matches!(output, EndpointOutput::Host(output) if !is_store(output)) {
            return;
        }
        self.add(&at.as_micros().to_le_bytes());
        self.add(&host.to_le_bytes());
        match output {
            EndpointOutput::Transmit { link, message } => {
                self.add(&link.0.to_le_bytes());
                S::trace(message, self);
            }
            EndpointOutput::Host(HostOutput::Store(StoreOutput::Persist(batch))) => {
                for op in &batch.ops {
                    match op {
                        StoreOp::Put { key, value } => {
                            self.add(key.as_bytes());
                            self.add(value);
                        }
                        StoreOp::Delete { key } => self.add(key.as_bytes()),
                        StoreOp::Append { sequence, record } => {
                            self.add(&sequence.to_le_bytes());
                            self.add(record);
                        }
                        StoreOp::Truncate { from: at } | StoreOp::DropBefore { before: at } => {
                            self.add(&at.to_le_bytes());
                        }
                    }
                }
            }
            EndpointOutput::Connect { link, address } => {
                let _ = write!(self, "Connect {{ link: {link:?}, address: {address:?} }}");
            }
            EndpointOutput::Disconnect { link, .. } => {
                let _ = write!(self, "Disconnect {{ link: {link:?} }}");
            }
            EndpointOutput::Host(_) => {}
        }
    }

    /// The hash of all bytes so far, in hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.pending);
        format!("{}", hasher.finalize())
    }
}

impl fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_hash_of_the_bytes_however_they_came() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
        let mut trace = Trace::default();
        let mut rest = &bytes[..];
        for length in (1..).take_while(|length| *length < 600) {
            let (now, later) = rest.split_at(length);
            trace.add(now);
            rest = later;
        }
        trace.add(rest);
        write!(trace, "and {}", 1).unwrap();
        let whole = [&bytes[..], b"and 1"].concat();
        assert_eq!(trace.hash(), format!("{}", blake3::hash(&whole)));
    }
}
