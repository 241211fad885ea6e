//! The four priority classes of traffic.

use serde::{Deserialize, Serialize};

/// How urgent a message is. A link sends higher classes first, with a starvation bound for lower
/// ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Membership and liveness: never waits for bulk data.
    Critical,
    /// What a user waits for: acknowledgements, frontiers.
    High,
    /// Fresh data.
    Normal,
    /// Catching up, repair, blobs.
    Low,
}

impl Class {
    /// All classes, most urgent first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Normal, Self::Low];

    /// 0 for the most urgent, 3 for the least.
    #[must_use]
    pub const fn index(self) -> u8 {
        match self {
            Self::Critical => 0,
            Self::High => 1,
            Self::Normal => 2,
            Self::Low => 3,
        }
    }

    /// The class with this index.
    #[must_use]
    pub const fn from_index(index: u8) -> Option<Self> {
        match index {
            0 => Some(Self::Critical),
            1 => Some(Self::High),
            2 => Some(Self::Normal),
            3 => Some(Self::Low),
            4..=u8::MAX => None,
        }
    }
}

/// One value for each class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerClass<T> {
    critical: T,
    high: T,
    normal: T,
    low: T,
}

impl<T> PerClass<T> {
    /// The value that `make` answers for each class, most urgent first.
    pub fn from_fn(mut make: impl FnMut(Class) -> T) -> Self {
        Self {
            critical: make(Class::Critical),
            high: make(Class::High),
            normal: make(Class::Normal),
            low: make(Class::Low),
        }
    }

    /// The value of `class`.
    #[must_use]
    pub const fn of(&self, class: Class) -> &T {
        match class {
            Class::Critical => &self.critical,
            Class::High => &self.high,
            Class::Normal => &self.normal,
            Class::Low => &self.low,
        }
    }

    /// The value of `class`, to change.
    pub const fn of_mut(&mut self, class: Class) -> &mut T {
        match class {
            Class::Critical => &mut self.critical,
            Class::High => &mut self.high,
            Class::Normal => &mut self.normal,
            Class::Low => &mut self.low,
        }
    }
}
