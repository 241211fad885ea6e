//! Bodies waiting to be sent: four queues bounded in bytes, and who goes next.
//!
//! The link is shared 8 : 4 : 2 : 1 by bytes while all classes wait (critical gets up to an eighth
//! more, where the others' next frame does not fit the rest of their round), and an idle class's
//! share goes to the others. Deficit round robin alone would let a critical message wait for three quanta, so
//! it is used twice, in two levels of credit:
//!
//! 1. Critical against the other three. In each round critical may send 8/7 Q bytes, the others Q,
//!    critical first. Q is the longest frame.
//! 2. High, normal and low among themselves: 4 Q, 2 Q and Q a round, most urgent first.
//!
//! A round ends when no waiting class has credit; credit overdrawn is carried over, unused credit is
//! not. From this follow, and are tested as properties:
//!
//! - *Critical* waits behind at most Q bytes of the other classes, which is one fragment.
//! - *Starvation bound*: between two frames of a class that waits, at most 12 Q + 4 Q bytes of the
//!   two others of its level leave. Any two rounds carry more than Q of them, so that is at most 33
//!   rounds, each with at most 8/7 Q + Q bytes of critical. So any class's next frame leaves after at
//!   most 16 Q + 71 Q = 87 Q bytes (`STARVATION_QUANTA`): 1.4 MiB at the default fragment.
//!
//! Source: Shreedhar and Varghese, "Efficient Fair Queueing Using Deficit Round Robin", SIGCOMM 1995,
//! section 3; credit may go below zero by one frame at level 1 (critical) and level 2, as in its
//! "surplus" variant, so that no frame has to wait for credit over several rounds.

use crate::wire::{
    class::{Class, PerClass},
    frame::{FrameHeader, HEADER_BYTES, HEADER_BYTES_MAX, Part},
    session::limits::{SendError, SessionLimits},
};
use alloc::{collections::VecDeque, vec::Vec};

/// The starvation bound in quanta (longest frames); see the module's doc.
#[cfg(test)]
pub(super) const STARVATION_QUANTA: u32 = 87;

const REST: [Class; 3] = [Class::High, Class::Normal, Class::Low];

/// A body on its way, and how much of it has left.
struct Departure {
    kind: u16,
    body: Vec<u8>,
    sent: u32,
}

impl Departure {
    fn length(&self) -> u32 {
        u32::try_from(self.body.len()).unwrap_or(u32::MAX)
    }

    /// The header of its next frame, whose payload is at most `fragment` bytes.
    fn next_header(&self, class: Class, fragment: u32) -> FrameHeader {
        let left = self.length().saturating_sub(self.sent);
        let part = match (self.sent == 0, left <= fragment) {
            // An empty body has nothing left from the start: it is a whole frame too.
            (true, true) => Part::Whole,
            (true, false) => Part::First {
                total: self.length(),
            },
            (false, false) => Part::Middle,
            (false, true) => Part::Last,
        };
        FrameHeader {
            kind: self.kind,
            part,
            class,
            length: left.min(fragment),
        }
    }
}

const fn frame_bytes(header: &FrameHeader) -> u32 {
    header.length.saturating_add(header.part.header_bytes())
}

/// One class's queue and its share of the link.
struct Lane {
    waiting: VecDeque<Departure>,
    bytes: u32,
    bytes_max: u32,
    credit: i64,
    credit_max: i64,
}

impl Lane {
    /// Ends the round: what was overdrawn is carried over, what was unused is not.
    const fn refill(&mut self) {
        refill(&mut self.credit, self.credit_max);
    }
}

const fn refill(credit: &mut i64, max: i64) {
    // `max` at most: credit that was not used is not saved for a burst.
    let fresh = credit.saturating_add(max);
    *credit = if fresh < max { fresh } else { max };
}

/// What is packed into one message.
pub(super) struct Packed {
    pub(super) plaintext: Vec<u8>,
    pub(super) frames: u64,
    pub(super) bodies: u64,
}

/// The four queues.
pub(super) struct SendQueues {
    lanes: PerClass<Lane>,
    fragment_bytes_max: u32,
    rest_credit: i64,
}

impl SendQueues {
    pub(super) fn new(limits: &SessionLimits, fragment_bytes_max: u32) -> Self {
        let [critical, high, normal, low] = limits.queue_bytes_max;
        let quantum = i64::from(fragment_bytes_max.saturating_add(HEADER_BYTES_MAX));
        let lanes = PerClass::from_fn(|class| {
            let (bytes_max, credit_max) = match class {
                // 8 of 15 for critical against 7 of 15 for the rest, as 8/7 to 1.
                Class::Critical => (critical, quantum.saturating_mul(8) / 7),
                Class::High => (high, quantum.saturating_mul(4)),
                Class::Normal => (normal, quantum.saturating_mul(2)),
                Class::Low => (low, quantum),
            };
            Lane {
                waiting: VecDeque::new(),
                bytes: 0,
                bytes_max,
                credit: credit_max,
                credit_max,
            }
        });
        Self {
            lanes,
            fragment_bytes_max,
            rest_credit: quantum,
        }
    }

    /// The bytes of the longest frame, and of a message's frames together.
    pub(super) const fn quantum(&self) -> u32 {
        self.fragment_bytes_max.saturating_add(HEADER_BYTES_MAX)
    }

    /// Queues a body.
    pub(super) fn push(&mut self, class: Class, kind: u16, body: Vec<u8>) -> Result<(), SendError> {
        let lane = self.lanes.of_mut(class);
        // One header for each body: those that fragments add later are not counted.
        let cost = u32::try_from(body.len())
            .ok()
            .and_then(|length| length.checked_add(HEADER_BYTES))
            // It would never fit, not even into an empty queue.
            .filter(|cost| *cost <= lane.bytes_max)
            .ok_or(SendError::TooLarge)?;
        let bytes = lane.bytes.saturating_add(cost);
        if bytes > lane.bytes_max {
            return Err(SendError::Full { class });
        }
        lane.bytes = bytes;
        lane.waiting.push_back(Departure {
            kind,
            body,
            sent: 0,
        });
        Ok(())
    }

    /// Bytes waiting, one header for each body included.
    pub(super) fn bytes(&self) -> u32 {
        Class::ALL.iter().fold(0, |sum: u32, class| {
            sum.saturating_add(self.lanes.of(*class).bytes)
        })
    }

    /// Drops everything; answers how many bodies.
    pub(super) fn clear(&mut self) -> u64 {
        let mut dropped: u64 = 0;
        for class in Class::ALL {
            let lane = self.lanes.of_mut(class);
            let bodies = u64::try_from(lane.waiting.len()).unwrap_or(u64::MAX);
            dropped = dropped.saturating_add(bodies);
            lane.waiting = VecDeque::new();
            lane.bytes = 0;
        }
        dropped
    }

    /// The frames of the next message, chosen now; `None` if nothing waits.
    ///
    /// Small frames are packed together, up to the length of one longest frame, so that a message
    /// handed to the socket never delays a critical one by more than that.
    pub(super) fn pack(&mut self) -> Option<Packed> {
        let budget = usize::try_from(self.quantum()).unwrap_or(usize::MAX);
        let mut packed = Packed {
            plaintext: Vec::new(),
            frames: 0,
            bodies: 0,
        };
        // Every frame has a header, so the budget bounds the rounds.
        while let Some((class, header)) = self.choose() {
            let bytes = usize::try_from(frame_bytes(&header)).unwrap_or(usize::MAX);
            // The first frame always fits: the budget is the longest frame.
            if packed.plaintext.len().saturating_add(bytes) > budget {
                break;
            }
            self.take(class, &header, &mut packed);
        }
        (packed.frames > 0).then_some(packed)
    }

    /// Which class sends its next frame now. Starts a new round where nobody waiting has credit; that
    /// changes nothing if the frame is not taken after all.
    fn choose(&mut self) -> Option<(Class, FrameHeader)> {
        // Level 1 of the scheme: critical against the rest.
        let critical = self.head(Class::Critical);
        let Some((class, header)) = self.choose_among_rest() else {
            self.refill_critical();
            return Some((Class::Critical, critical?));
        };
        let Some(critical) = critical else {
            self.refill_critical();
            return Some((class, header));
        };
        // Overdrawing by one frame is allowed here (the paper's surplus); it is carried over.
        if self.lanes.of(Class::Critical).credit > 0 {
            return Some((Class::Critical, critical));
        }
        // The rest may not overdraw: critical would wait for more than one fragment.
        if i64::from(frame_bytes(&header)) <= self.rest_credit {
            return Some((class, header));
        }
        self.refill_critical();
        Some((Class::Critical, critical))
    }

    fn choose_among_rest(&mut self) -> Option<(Class, FrameHeader)> {
        if REST.iter().all(|class| self.head(*class).is_none()) {
            return None;
        }
        // Level 2: a new round once no class that waits has credit left.
        if !REST.iter().any(|class| self.is_creditworthy(*class)) {
            for class in REST {
                self.lanes.of_mut(class).refill();
            }
        }
        let class = REST
            .into_iter()
            .find(|class| self.is_creditworthy(*class))?;
        Some((class, self.head(class)?))
    }

    fn is_creditworthy(&self, class: Class) -> bool {
        self.head(class).is_some() && self.lanes.of(class).credit > 0
    }

    /// Starts a new round between critical and the rest.
    fn refill_critical(&mut self) {
        self.lanes.of_mut(Class::Critical).refill();
        self.rest_credit = i64::from(self.quantum());
    }

    fn head(&self, class: Class) -> Option<FrameHeader> {
        let departure = self.lanes.of(class).waiting.front()?;
        Some(departure.next_header(class, self.fragment_bytes_max))
    }

    /// Moves the class's next frame, whose header is `header`, into the message.
    fn take(&mut self, class: Class, header: &FrameHeader, packed: &mut Packed) {
        let cost = i64::from(frame_bytes(header));
        // Only the three lower classes draw on their common credit (level 1).
        match class {
            Class::Critical => {}
            Class::High | Class::Normal | Class::Low => {
                self.rest_credit = self.rest_credit.saturating_sub(cost);
            }
        }
        let lane = self.lanes.of_mut(class);
        lane.credit = lane.credit.saturating_sub(cost);
        let Some(departure) = lane.waiting.front_mut() else {
            return;
        };
        header.encode_into(&mut packed.plaintext);
        let from = usize::try_from(departure.sent).unwrap_or(usize::MAX);
        departure.sent = departure.sent.saturating_add(header.length);
        let to = usize::try_from(departure.sent).unwrap_or(usize::MAX);
        let payload = departure.body.get(from..to).unwrap_or_default();
        packed.plaintext.extend_from_slice(payload);
        packed.frames = packed.frames.saturating_add(1);
        // Room is given back as the bytes leave, not when the body is done.
        lane.bytes = lane.bytes.saturating_sub(header.length);
        match header.part {
            Part::Whole | Part::Last => {
                lane.waiting.pop_front();
                lane.bytes = lane.bytes.saturating_sub(HEADER_BYTES);
                packed.bodies = packed.bodies.saturating_add(1);
            }
            Part::First { .. } | Part::Middle => {}
        }
    }
}
