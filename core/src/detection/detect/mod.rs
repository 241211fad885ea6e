//! Online anomaly detection for one series.
//!
//! [`Detector`] takes `(at_ms, value)` and answers with a [`Verdict`]. It asks four questions, each the
//! distance from everything seen before: of the value, of the mean of the last four values, of the
//! value at this hour of the day, and of the course of the last samples against what is usual at this
//! hour. Each distance becomes a rarity among past distances, and the four rarities become one. A fifth
//! question is how far the series departs from its hours, against how far it ever did. What is rarer
//! than anything reported of late is reported.
//!
//! | file | what |
//! |---|---|
//! | `detector` | the model: features, the questions, the explanation |
//! | `season` | the usual value by hour of the day and week |
//! | `lens` | from the series' unit to usual deviations and back |
//! | `departure` | how far the last hour departs from what is usual |
//! | `novelty` | the distance from everything visited, in bounded memory |
//! | `tail` | the rarity of a distance |
//! | `report` | one report per incident, the score |
//! | `verdict` | the answer |

mod departure;
mod detector;
mod lens;
mod novelty;
mod report;
mod season;
mod tail;
mod verdict;

pub use detector::{Detector, Refused};
pub use verdict::{Basis, Kind, Verdict};

/// What asks the same of other distances.
pub(super) mod parts {
    pub(in crate::detection) use super::{
        report::{Judged, Report},
        tail::Tail,
    };
}
