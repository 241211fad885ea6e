//! Points, rectangles, marks, and the names of colours.

use sporenet_core::{membership::member::MemberState, node::snapshot::Severity};

/// A place in a picture, in CSS pixels from its upper left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
}

impl Point {
    /// How far it is from a straight line between two points.
    #[must_use]
    pub fn distance_to_segment(self, from: Self, to: Self) -> f64 {
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let square = (dx * dx + dy * dy).max(1e-9);
        let along = (self.x - from.x) * dx + (self.y - from.y) * dy;
        let part = (along / square).clamp(0.0, 1.0);
        (from.x + dx * part - self.x).hypot(from.y + dy * part - self.y)
    }
}

/// How large a picture is, in CSS pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Size {
    /// Across.
    pub width: f64,
    /// Down.
    pub height: f64,
}

/// An upright rectangle, in CSS pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// The left edge.
    pub x: f64,
    /// The upper edge.
    pub y: f64,
    /// Across; at least 0.
    pub width: f64,
    /// Down; at least 0.
    pub height: f64,
}

impl Rect {
    /// The right edge.
    #[must_use]
    pub fn right(self) -> f64 {
        self.x + self.width
    }

    /// The lower edge.
    #[must_use]
    pub fn bottom(self) -> f64 {
        self.y + self.height
    }

    /// Whether a point is in it.
    #[must_use]
    pub fn contains(self, point: Point) -> bool {
        (self.x..self.right()).contains(&point.x) && (self.y..self.bottom()).contains(&point.y)
    }
}

/// A text with its place. How it is aligned is up to who paints it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Label {
    /// Where.
    pub at: Point,
    /// What it says.
    pub text: String,
}

/// A colour by what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ink {
    /// What is behind everything.
    Ground,
    /// The panel that the picture stands on.
    Panel,
    /// What is a little nearer than the panel.
    Raised,
    /// Lines that should hardly be seen.
    Faint,
    /// Edges that should be seen.
    Border,
    /// Text.
    Text,
    /// Text that matters less; what is gone.
    Muted,
    /// What is pointed at or chosen; what is better than usual.
    Accent,
    /// Well.
    Good,
    /// Odd, or slow.
    Warn,
    /// Worse than odd.
    Worse,
    /// Broken, or lossy.
    Bad,
    /// What is absent on purpose; what is only expected.
    Calm,
    /// The sixth colour of series.
    Extra,
}

impl Ink {
    /// The colour of the series with that number; they repeat after six.
    #[must_use]
    pub const fn of_series(number: usize) -> Self {
        match number % 6 {
            0 => Self::Accent,
            1 => Self::Calm,
            2 => Self::Warn,
            3 => Self::Extra,
            4 => Self::Good,
            _ => Self::Worse,
        }
    }

    /// The colour of a node's state, as in the tables.
    #[must_use]
    pub const fn of_state(state: MemberState) -> Self {
        match state {
            MemberState::Alive => Self::Good,
            MemberState::Suspect => Self::Warn,
            MemberState::Dead => Self::Bad,
            MemberState::Parked => Self::Calm,
            MemberState::Left => Self::Muted,
        }
    }

    /// The colour of an event.
    #[must_use]
    pub const fn of_severity(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Accent,
            Severity::Warn => Self::Warn,
            Severity::Error => Self::Bad,
        }
    }
}

/// A shape that says what its colour says, for those who do not tell the colours apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A full circle.
    Disc,
    /// A triangle that stands on its side.
    Triangle,
    /// A square.
    Square,
    /// Two upright bars.
    Bars,
    /// An empty circle.
    Ring,
    /// A square on its corner.
    Diamond,
}

impl Mark {
    /// The shape of a node's state, as in the tables.
    #[must_use]
    pub const fn of_state(state: MemberState) -> Self {
        match state {
            MemberState::Alive => Self::Disc,
            MemberState::Suspect => Self::Triangle,
            MemberState::Dead => Self::Square,
            MemberState::Parked => Self::Bars,
            MemberState::Left => Self::Ring,
        }
    }

    /// The shape of an event.
    #[must_use]
    pub const fn of_severity(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Disc,
            Severity::Warn => Self::Triangle,
            Severity::Error => Self::Square,
        }
    }

    /// The shape of the series with that number; they repeat after six.
    #[must_use]
    pub const fn of_series(number: usize) -> Self {
        match number % 6 {
            0 => Self::Disc,
            1 => Self::Square,
            2 => Self::Triangle,
            3 => Self::Diamond,
            4 => Self::Ring,
            _ => Self::Bars,
        }
    }
}

/// How wide a character of the small font is, about: no layout asks a canvas.
pub(crate) const CHARACTER: f64 = 6.4;

/// About how wide a text is in the small font.
#[must_use]
pub(crate) fn text_width(text: &str) -> f64 {
    as_float(text.chars().count()) * CHARACTER
}

/// A text that is at most so wide, with an ellipsis where it was cut.
#[must_use]
pub(crate) fn shortened(text: &str, width: f64) -> String {
    if text_width(text) <= width {
        return text.into();
    }
    let room = as_count(width / CHARACTER).saturating_sub(1);
    let head: String = text.chars().take(room).collect();
    format!("{}…", head.trim_end())
}

/// A count as a length.
#[expect(clippy::cast_precision_loss, reason = "counts in a picture are small")]
#[must_use]
pub(crate) const fn as_float(count: usize) -> f64 {
    count as f64
}

/// The count below a length; 0 for what is negative or no number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what is no number becomes 0"
)]
#[must_use]
pub(crate) const fn as_count(length: f64) -> usize {
    length as usize
}
