//! What a node measures of itself.

use crate::kernel::address::Transport;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How a node is at a moment. What was never measured is `None`, never zero.
///
/// Encoded as a number whose bits say what was measured, and the values that were: about 35 bytes for a
/// relay. Fields are only appended; those of later versions are skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Packed", from = "Packed")]
pub struct Sample {
    /// How busy the processors are that the node may use, in thousandths of all of them.
    pub cpu_permille: Option<u64>,
    /// Memory in use of what the node may use, in KiB.
    pub memory_used_kib: Option<u64>,
    /// Memory that the node may use, in KiB.
    pub memory_limit_kib: Option<u64>,
    /// What is used of the file system of the data directory, in KiB.
    pub disk_used_kib: Option<u64>,
    /// The size of that file system, in KiB.
    pub disk_total_kib: Option<u64>,
    /// Bytes received from the network in a second.
    pub network_rx: Option<u64>,
    /// Bytes sent to the network in a second.
    pub network_tx: Option<u64>,
    /// Open file descriptors.
    pub descriptors_used: Option<u64>,
    /// How many may be open.
    pub descriptors_limit: Option<u64>,
    /// How late the event loop was, in milliseconds.
    pub loop_lag_ms: Option<u64>,
    /// From the start of a commit until it was durable, in milliseconds.
    pub journal_latency_ms: Option<u64>,
    /// Messages that wait to be sent.
    pub send_queue: Option<u64>,
    /// Whether a tab is visible.
    pub visible: Option<bool>,
    /// What a tab uses of the storage that the browser grants it, in KiB.
    pub storage_used_kib: Option<u64>,
    /// How much the browser grants it, in KiB.
    pub storage_quota_kib: Option<u64>,
    /// What a tab uses of its heap, in KiB.
    pub heap_used_kib: Option<u64>,
    /// How large the heap may become, in KiB.
    pub heap_limit_kib: Option<u64>,
    /// Whether the node's store takes no writes. The node itself fills it in.
    pub store_failed: Option<bool>,
    /// About where the node stands, guessed from its time zone: see [`Sample::guess_place`].
    pub place: Option<u64>,
    /// Over which transports others reach the node: see [`Sample::reached_over`]. The node itself fills it in.
    pub reached: Option<u64>,
    /// The median of the round trips to linked peers of the last minute, in microseconds. The node itself fills
    /// it in.
    pub rtt_p50_us: Option<u64>,
    /// What 99 of 100 of those round trips stay below. The node itself fills it in.
    pub rtt_p99_us: Option<u64>,
}

/// How many tenths of a degree of longitude there are, both ends included.
const LONGITUDES: u64 = 3_601;

impl Sample {
    /// Notes where the node may stand, in tenths of a degree: latitude from −900 to 900, longitude from −1800
    /// to 1800. What is beyond that is not noted.
    pub fn guess_place(&mut self, latitude: i16, longitude: i16) {
        let north = latitude.checked_add(900).filter(|north| *north <= 1_800);
        let east = longitude.checked_add(1_800).filter(|east| *east <= 3_600);
        let north = north.and_then(|north| u64::try_from(north).ok());
        let east = east.and_then(|east| u64::try_from(east).ok());
        self.place = north.zip(east).and_then(|(north, east)| {
            let row = north.checked_mul(LONGITUDES)?;
            row.checked_add(east)
        });
    }

    /// Where the node may stand: latitude and longitude in tenths of a degree.
    #[must_use]
    pub fn guessed_place(&self) -> Option<(i16, i16)> {
        let place = self.place?;
        let north = i16::try_from(place.checked_div(LONGITUDES)?).ok()?;
        let east = i16::try_from(place % LONGITUDES).ok()?;
        let latitude = north.checked_sub(900).filter(|latitude| *latitude <= 900)?;
        Some((latitude, east.checked_sub(1_800)?))
    }
}

/// The transports in the order of their bits in [`Sample::reached`], two for each: that an address was
/// reached, and that one was not.
const TRANSPORTS: [Transport; 3] = [Transport::Tcp, Transport::Ws, Transport::Wss];

impl Sample {
    /// Notes what others found when they dialled this node's addresses: the transport of each, and whether a
    /// connection opened. Nothing is noted where nothing was found.
    pub fn note_reached(&mut self, found: impl Iterator<Item = (Transport, bool)>) {
        let bits = found.map(|(transport, reached)| {
            let place = TRANSPORTS.iter().position(|known| *known == transport);
            let shift = place.map_or(0, |place| place.saturating_mul(2));
            let shift = u32::try_from(shift).unwrap_or(0);
            1_u64.wrapping_shl(shift.saturating_add(u32::from(!reached)))
        });
        self.reached = bits.reduce(|all, bit| all | bit);
    }

    /// Over which transports others reach the node: each that was tried, and whether all of its addresses
    /// that were tried could be reached.
    pub fn reached_over(&self) -> impl Iterator<Item = (Transport, bool)> {
        let bits = self.reached.unwrap_or(0);
        (0_u32..)
            .zip(TRANSPORTS)
            .filter_map(move |(place, transport)| {
                let of = bits.wrapping_shr(place.saturating_mul(2)) & 3;
                (of != 0).then_some((transport, of == 1))
            })
    }
}

/// The serial form: which fields there are, the lowest bit for the first, and the values of those.
#[derive(Serialize, Deserialize)]
struct Packed(u32, Vec<u64>);

impl From<Sample> for Packed {
    fn from(sample: Sample) -> Self {
        let fields = [
            sample.cpu_permille,
            sample.memory_used_kib,
            sample.memory_limit_kib,
            sample.disk_used_kib,
            sample.disk_total_kib,
            sample.network_rx,
            sample.network_tx,
            sample.descriptors_used,
            sample.descriptors_limit,
            sample.loop_lag_ms,
            sample.journal_latency_ms,
            sample.send_queue,
            sample.visible.map(u64::from),
            sample.storage_used_kib,
            sample.storage_quota_kib,
            sample.heap_used_kib,
            sample.heap_limit_kib,
            sample.store_failed.map(u64::from),
            sample.place,
            sample.reached,
            sample.rtt_p50_us,
            sample.rtt_p99_us,
        ];
        let bits = (0_u32..).zip(&fields).filter(|(_, field)| field.is_some());
        let mask = bits.fold(0, |mask, (bit, _)| mask | 1_u32.wrapping_shl(bit));
        Self(mask, fields.into_iter().flatten().collect())
    }
}

impl From<Packed> for Sample {
    fn from(Packed(mask, values): Packed) -> Self {
        let mut values = values.into_iter();
        let mut bit = 0;
        // The fields below are written in the order of their bits, and so are their values taken.
        let mut next = || {
            let is_there = mask & 1_u32.wrapping_shl(bit) != 0;
            bit = bit.wrapping_add(1);
            if is_there { values.next() } else { None }
        };
        Self {
            cpu_permille: next(),
            memory_used_kib: next(),
            memory_limit_kib: next(),
            disk_used_kib: next(),
            disk_total_kib: next(),
            network_rx: next(),
            network_tx: next(),
            descriptors_used: next(),
            descriptors_limit: next(),
            loop_lag_ms: next(),
            journal_latency_ms: next(),
            send_queue: next(),
            visible: next().map(|visible| visible != 0),
            storage_used_kib: next(),
            storage_quota_kib: next(),
            heap_used_kib: next(),
            heap_limit_kib: next(),
            store_failed: next().map(|failed| failed != 0),
            place: next(),
            reached: next(),
            rtt_p50_us: next(),
            rtt_p99_us: next(),
        }
    }
}
