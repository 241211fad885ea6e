//! One watched series.

use crate::{
    detection::{
        detect::{Detector, Verdict},
        forecast::{Config, Forecast, Trend},
    },
    observe::{series::Series, watch::FILLS},
};
use alloc::collections::VecDeque;

/// The span of a mean that goes to a detector. Shorter sees shorter peaks and tells more of them.
pub(super) const STEP_MS: u64 = 10_000;
/// The span of a mean that goes to a forecast.
const MINUTE_MS: u64 = 60_000;
/// How many steps' rarity is kept: two hours.
const KEPT: usize = 720;
/// The rarity, in decades, that counts as wholly unusual.
const WHOLLY: f64 = 4.0;
/// A trend of what does not fill fades by so much each minute: latency does not grow for ever.
const FADES: f64 = 0.95;

/// See the module.
#[derive(Debug)]
pub(super) struct Watched {
    detector: Detector,
    step: Mean,
    /// The number of a step since 1970, and how unusual it was, of 255.
    unusual: VecDeque<(u32, u8)>,
    forecast: Forecast,
    minute: Mean,
    last_minute_ms: u64,
    /// When it was last told that it runs full.
    pub(super) told_ms: Option<u64>,
}

/// What a value led to.
#[derive(Debug, Default)]
pub(super) struct Fed {
    /// The mean of a step that is over, and what the detector says of it.
    pub(super) verdict: Option<(f64, Verdict)>,
    /// Whether the forecast has learnt a minute.
    pub(super) minute_over: bool,
}

/// A mean on its way.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    step: u64,
    sum: f64,
    count: u32,
}

impl Mean {
    /// Adds a sample; answers the mean of the step before if this one begins another.
    fn add(&mut self, at_ms: u64, step_ms: u64, value: f64) -> Option<f64> {
        let step = at_ms.checked_div(step_ms).unwrap_or(0);
        let done = (step != self.step && self.count > 0).then(|| self.sum / f64::from(self.count));
        if step != self.step {
            *self = Self {
                step,
                ..Self::default()
            };
        }
        self.sum += value;
        self.count = self.count.saturating_add(1);
        done
    }
}

impl Watched {
    pub(super) fn new(series: Series) -> Self {
        let config = if FILLS.contains(&series) {
            Config::default()
        } else {
            Config {
                trend: Trend::Damped(FADES),
                ..Config::default()
            }
        };
        Self {
            detector: Detector::new(),
            step: Mean::default(),
            unusual: VecDeque::new(),
            forecast: Forecast::new(config),
            minute: Mean::default(),
            last_minute_ms: 0,
            told_ms: None,
        }
    }

    pub(super) fn observe(&mut self, at_ms: u64, value: f64) -> Fed {
        let mut fed = Fed::default();
        if let Some(mean) = self.minute.add(at_ms, MINUTE_MS, value) {
            fed.minute_over = self.forecast.observe(at_ms, mean);
            if fed.minute_over {
                self.last_minute_ms = at_ms;
            }
        }
        let Some(mean) = self.step.add(at_ms, STEP_MS, value) else {
            return fed;
        };
        if let Ok(verdict) = self.detector.observe(at_ms, mean) {
            self.note(at_ms, verdict.rarity);
            fed.verdict = Some((mean, verdict));
        }
        fed
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of 255"
    )]
    fn note(&mut self, at_ms: u64, rarity: f64) {
        let step = at_ms.checked_div(STEP_MS).unwrap_or(0).saturating_sub(1);
        let strength = (rarity / WHOLLY).clamp(0.0, 1.0) * 255.0;
        if self.unusual.len() >= KEPT {
            self.unusual.pop_front();
        }
        let step = u32::try_from(step).unwrap_or(u32::MAX);
        self.unusual.push_back((step, strength as u8));
    }

    pub(super) fn unusual(&self) -> impl Iterator<Item = (u64, f64)> {
        self.unusual
            .iter()
            .map(|(step, strength)| (u64::from(*step) * STEP_MS, f64::from(*strength) / 255.0))
    }

    pub(super) const fn forecast(&self) -> &Forecast {
        &self.forecast
    }

    pub(super) const fn last_minute_ms(&self) -> u64 {
        self.last_minute_ms
    }
}
