//! The settings of [`Links`](super::Links).

#[cfg(any(test, feature = "sim"))]
use crate::kernel::rng::Rng;
use crate::{
    kernel::{component::Settings, time::Duration},
    overlay::dialer::DialerConfig,
};

/// How links are kept.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// How dials are made.
    pub dialer: DialerConfig,
    /// The wait between pings to a relay. Default 2 s; 200 ms to 30 s. A link is closed after two of
    /// them without a word, so too small closes links to paused processes, too large finds half-open
    /// links late.
    pub ping_interval: Duration,
    /// The wait between a relay's pings to a tab. Default 5 s. The tab itself pings only until its
    /// first pong and after an interval without a word; it gives up after three.
    pub ping_interval_tab: Duration,
    /// The least time between two times that backoffs are stored. Default 5 s; 1 s to 60 s. A node that
    /// ends without a goodbye forgets that much of its backoffs; too small wears the store while
    /// peers are unreachable.
    pub save_interval: Duration,
    /// How long a link under an invite may wait until one side lets the other in. Default 10 s; 1 s to
    /// 60 s. Too small turns newcomers away from a relay with a slow store; too large lets a newcomer wait
    /// for a relay that is gone.
    pub arrival_patience: Duration,
    /// The most links under an invite that wait at once. Default 256; further ones are refused as busy.
    pub arriving_max: u32,
    /// The most links at once. Default 1 024; further ones are refused as busy.
    pub links_max: u32,
}

impl Settings for Config {
    fn name(&self) -> &'static str {
        "links"
    }

    fn validate(&self) -> Result<(), &'static str> {
        let seconds = Duration::from_secs;
        let is_ping = |span| span >= Duration::from_millis(200) && span <= seconds(30);
        if !is_ping(self.ping_interval) || !is_ping(self.ping_interval_tab) {
            return Err("links.ping_interval");
        }
        if self.save_interval < seconds(1) || self.save_interval > seconds(60) {
            return Err("links.save_interval");
        }
        if self.arrival_patience < seconds(1) || self.arrival_patience > seconds(60) {
            return Err("links.arrival_patience");
        }
        Ok(())
    }

    #[cfg(any(test, feature = "sim"))]
    fn draw(&mut self, rng: &mut Rng) {
        // As they are: how dials are made (`dialer`), how long newcomers wait (`arrival_patience`), and
        // bounds that no run comes near (`arriving_max`, `links_max`).
        self.ping_interval = rng.span(500, 8_000);
        // The two ends may have drawn different values: a tab gives up after three of its own
        // intervals, while the relay pings in its own. So the span is narrow.
        self.ping_interval_tab = rng.span(4_000, 9_000);
        self.save_interval = rng.span(1_000, 60_000);
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dialer: DialerConfig::default(),
            ping_interval: Duration::from_secs(2),
            ping_interval_tab: Duration::from_secs(5),
            save_interval: Duration::from_secs(5),
            arrival_patience: Duration::from_secs(10),
            arriving_max: 256,
            links_max: 1_024,
        }
    }
}
