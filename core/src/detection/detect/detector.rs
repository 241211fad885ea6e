//! The model of one series.

use super::{
    departure::Departure,
    lens::{LINEAR, Lens, compress},
    novelty::{Book, Cover, Place, place},
    report::{Judged, Report, score},
    season::{Season, Usual},
    tail::Tail,
    verdict::{Basis, Kind, Verdict},
};
use crate::detection::{num, scale::Scale};

/// Watches one series and says which samples are unusual.
///
/// A fixed size of less than 4 KiB and no heap; less than 1 µs a sample on average, about 20 µs at
/// worst, when the memory of places is thinned out.
///
/// ```
/// use sporenet_core::detection::detect::{Detector, Kind};
///
/// let mut detector = Detector::new();
/// for minute in 0..600_u64 {
///     let value = 20.0 + (minute % 7) as f64;
///     assert!(!detector.observe(minute * 60_000, value).unwrap().is_alarm());
/// }
/// let verdict = detector.observe(600 * 60_000, 90.0).unwrap();
/// assert!(verdict.is_alarm());
/// assert_eq!(verdict.kind, Kind::High);
/// ```
///
/// Source: the rarity of an error among past errors is that of Lavin and Ahmad, ICMLA 2015, section
/// III; errors are distances from the nearest visited place, as in Burnaev and Ishimtsev, "Conformalized
/// density- and distance-based anomaly detection in time-series data", 2016.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub struct Detector {
    scale: Scale,
    season: Season,
    /// Of what remains after the season.
    rest: Scale,
    /// Means of the values over about [`FEW`] and [`MANY`] samples, in deviations.
    few: f64,
    many: f64,
    /// Means of what remains after the season, over about [`COURSE`] samples.
    course: [f64; 3],
    departure: Departure,
    values: Cover,
    means: Cover,
    hours: Book,
    courses: Book,
    tails: [Tail; 4],
    /// Samples that are not yet known: they become so [`PENDING`] samples later.
    pending: [Features; PENDING],
    report: Report,
}

/// A sample was not a finite number. The model is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the value is not a finite number")
    }
}

impl core::error::Error for Refused {}

/// How a sample looks to the four questions.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct Features {
    value: f32,
    mean: f32,
    departure: f32,
    /// None once it is known to be known.
    hour: Option<Place>,
    course: Option<Place>,
}

/// The four questions, in the order of `tails`.
const KINDS: [Kind; 4] = [Kind::Level, Kind::Hour, Kind::Course, Kind::High];

/// Samples that level and spread remember, about two weeks of five minutes. 1000 costs 5 points of
/// benchmark score (a long incident becomes the norm), 10,000 none.
const MEMORY: f64 = 4000.0;

/// Up to so many deviations the question whether the value itself is new tells them apart linearly: it
/// should tell large from huge. 5 to 30 alike.
const VALUE_LINEAR: f64 = 10.0;

/// The radius of the clock face, in usual deviations: at 4, a value counts as known at this hour when
/// it was seen an hour before and lies within one deviation.
const CLOCK: f64 = 4.0;

/// Samples that are averaged.
const FEW: f64 = 4.0;
const MANY: f64 = 256.0;
const COURSE: [f64; 3] = [4.0, 16.0, 64.0];

/// The mean of n samples strays by 1/√n: these weights make up for it.
const FEW_WEIGHT: f64 = 1.4;
const COURSE_WEIGHT: [f64; 4] = [1.0, 1.4, 2.8, 4.0];

/// How many samples it takes until a place counts as known: so what lasts does not hide itself at
/// once. 10 costs two points of benchmark score, 60 more than ten.
const PENDING: usize = 20;

/// So many samples at the start get no rarity.
const LEARNING: u32 = 50;

/// So many samples at the start are not reported: the first distances are rare for want of others.
const QUIET: u32 = 100;

/// The smallest deviation that counts after the season, in usual deviations of the series.
const REST_MIN: f64 = 0.05;

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// Knows nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        let nothing = Features {
            value: 0.0,
            mean: 0.0,
            departure: 0.0,
            hour: None,
            course: None,
        };
        Self {
            scale: Scale::new(),
            season: Season::new(),
            rest: Scale::new(),
            few: 0.0,
            many: 0.0,
            course: [0.0; 3],
            departure: Departure::new(),
            values: Cover::new(),
            means: Cover::new(),
            hours: Book::new(),
            courses: Book::new(),
            tails: [Tail::new(); 4],
            pending: [nothing; PENDING],
            report: Report::new(),
        }
    }

    /// How many samples were taken in, at most `u32::MAX`.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.report.samples()
    }

    /// Judges `value`, measured at `at_ms` (milliseconds since 1970, UTC), and learns from it.
    ///
    /// Moments need not be evenly spaced, nor rise; only the hour of the week is taken from them.
    /// Values beyond ±1e100 count as ±1e100.
    ///
    /// # Errors
    ///
    /// [`Refused`] when `value` is not finite; nothing has changed.
    pub fn observe(&mut self, at_ms: u64, value: f64) -> Result<Verdict, Refused> {
        let value = num::admissible(value).ok_or(Refused)?;
        // Rounding errors of a constant series are not a spread.
        let least = 1e-9 + value.abs() * 1e-6;
        let strayed = self.scale.strayed(value, least);
        let x = compress(strayed, LINEAR);
        let number = f64::from(self.samples()) + 1.0;
        self.few += (x - self.few) / number.min(FEW);
        self.many += (x - self.many) / number.min(MANY);
        let lens = Lens::new(self.scale.mean(), self.scale.deviation().max(least));
        let usual = self.season.learn(at_ms, x, lens, self.many);
        let departure = self.departure.rarity(x, &usual);
        let mut features = self.features(at_ms, strayed, x, &usual, number);

        let mut rarities = self.rarities(&mut features);
        if let ([_, hour, course, _], 0) = (&mut rarities, usual.days) {
            // An hour that was never seen is no evidence; its distances still count as known.
            (*hour, *course) = (0.0, 0.0);
        }
        let mut rarity = together(rarities).max(departure);
        if self.scale.deviation() <= least && strayed.abs() < 1.0 {
            // A series that never moved has nothing unusual, however the hours pass.
            rarity = 0.0;
        }
        let kind = if departure >= rarity {
            Kind::Hour
        } else {
            kind(rarities, strayed)
        };
        let explained = self.explain(value, &usual, lens, least);
        self.scale.learn(value, MEMORY);
        self.learn_places(features);
        let (score, kind) = match self.report.judge(rarity) {
            _ if number <= f64::from(QUIET) => (0.0, Kind::Learning),
            Judged::New(score) if score >= Verdict::ALARM => (score, kind),
            Judged::New(score) => (score, Kind::Usual),
            Judged::Muted if score(rarity) >= Verdict::ALARM => (0.0, Kind::Ongoing),
            Judged::Muted => (0.0, Kind::Usual),
        };
        Ok(Verdict {
            score,
            kind,
            rarity,
            ..explained
        })
    }

    fn features(
        &mut self,
        at_ms: u64,
        strayed: f64,
        x: f64,
        usual: &Usual,
        number: f64,
    ) -> Features {
        let rest = x - usual.value;
        let unusual = compress(self.rest.strayed(rest, REST_MIN), LINEAR);
        self.rest.learn(rest, MEMORY);
        for (mean, samples) in self.course.iter_mut().zip(COURSE) {
            *mean += (unusual - *mean) / number.min(samples);
        }
        let [short, middle, long] = self.course;
        let [w0, w1, w2, w3] = COURSE_WEIGHT;
        let of_day = num::float(at_ms % DAY_MS) / num::float(DAY_MS) * core::f64::consts::TAU;
        let (sin, cos) = libm::sincos(of_day);
        Features {
            value: num::single(compress(strayed, VALUE_LINEAR)),
            mean: num::single(self.few * FEW_WEIGHT),
            departure: self.departure.now(),
            hour: Some(place([x, CLOCK * sin, CLOCK * cos, 0.0])),
            course: Some(place([unusual * w0, short * w1, middle * w2, long * w3])),
        }
    }

    /// The rarity of each question's distance, in decades.
    fn rarities(&mut self, features: &mut Features) -> [f64; 4] {
        let mut distances = [0.0; 4];
        if self.samples() >= LEARNING {
            distances = [
                self.means.distance(features.mean),
                ask(&self.hours, &mut features.hour),
                ask(&self.courses, &mut features.course),
                self.values.distance(features.value),
            ];
        }
        let mut rarities = distances;
        for (rarity, tail) in rarities.iter_mut().zip(&mut self.tails) {
            *rarity = tail.rarity(*rarity);
        }
        rarities
    }

    fn learn_places(&mut self, features: Features) {
        let number = num::index(f64::from(self.samples()), u32::MAX);
        let Some(slot) = self.pending.get_mut(number % PENDING) else {
            return;
        };
        let old = core::mem::replace(slot, features);
        if number >= PENDING {
            self.departure.learn(old.departure);
            self.values.visit(old.value);
            self.means.visit(old.mean);
            if let Some(hour) = old.hour {
                self.hours.visit(hour);
            }
            if let Some(course) = old.course {
                self.courses.visit(course);
            }
        }
    }

    /// What was expected, in the series' unit; score, kind and rarity left open.
    fn explain(&self, value: f64, usual: &Usual, lens: Lens, least: f64) -> Verdict {
        let (expected, spread, basis) = if usual.days >= 2 && self.scale.deviation() > 0.0 {
            let spread = lens.width(usual.value, usual.stray);
            (lens.outward(usual.value), spread, Basis::ThisHour)
        } else if self.samples() == 0 {
            (value, 0.0, Basis::InGeneral)
        } else {
            (self.scale.mean(), self.scale.deviation(), Basis::InGeneral)
        };
        let deviations = ((value - expected) / spread.max(least)).clamp(-1e9, 1e9);
        Verdict {
            score: 0.0,
            kind: Kind::Usual,
            rarity: 0.0,
            expected,
            spread,
            deviations,
            basis,
        }
    }
}

const DAY_MS: u64 = 86_400_000;

/// The distance of `place`, which need not be visited later when it is covered already.
fn ask(book: &Book, place: &mut Option<Place>) -> f64 {
    let distance = place.map_or(0.0, |place| book.distance(place));
    if book.covers(distance) {
        *place = None;
    }
    distance
}

/// The question that contributes most.
fn kind(rarities: [f64; 4], strayed: f64) -> Kind {
    let most = rarities
        .into_iter()
        .zip(KINDS)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match most {
        Some((_, Kind::High)) if strayed < 0.0 => Kind::Low,
        Some((_, kind)) => kind,
        None => Kind::Usual,
    }
}

/// One rarity of four: their power mean with exponent 3/2, between the mean, which waits until all
/// agree, and the greatest, which listens to any. 1 to 2 score alike.
fn together(rarities: [f64; 4]) -> f64 {
    let sum = rarities
        .iter()
        .fold(0.0, |sum, &rarity| sum + rarity * libm::sqrt(rarity));
    let mean = sum / 4.0;
    libm::cbrt(mean * mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detector_fits_its_budget() {
        assert!(size_of::<Detector>() <= 4096, "{}", size_of::<Detector>());
    }

    #[test]
    fn a_known_value_at_an_unknown_hour_is_an_anomaly() {
        let mut detector = Detector::new();
        let at = |step: u64| (step * 300_000, step / 12 % 24);
        for step in 0..288 * 10 {
            let (at_ms, hour) = at(step);
            let noise = f64::from(u32::try_from(step * 7919 % 13).unwrap()) / 13.0;
            let busy = if (9..18).contains(&hour) { 80.0 } else { 20.0 };
            detector.observe(at_ms, busy + noise).unwrap();
        }
        let mut found = std::vec::Vec::new();
        for step in 288 * 10..288 * 11 {
            let (at_ms, hour) = at(step);
            let verdict = detector.observe(at_ms, 20.5).unwrap();
            if verdict.is_alarm() {
                found.push((hour, verdict));
            }
        }
        let (hour, verdict) = found.first().expect("the day without work is noticed");
        assert!((9..12).contains(hour), "{found:?}");
        assert_eq!(verdict.basis, Basis::ThisHour);
        assert!(
            verdict.expected > 60.0 && verdict.deviations < -3.0,
            "{verdict:?}"
        );
    }
}
