//! A long list of which only the part in sight is on the page.

use crate::page::{dom, each::memo};
use core::ops::Range;
use sycamore::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

/// The element that scrolls.
pub(crate) const ID: &str = "node-list";
/// Rows beyond the edges, so that a quick scroll shows no gap.
const SPARE: usize = 8;
/// What is taken for granted until a row was measured, in CSS pixels.
const ROW_PX: f64 = 60.0;
const VIEW_PX: f64 = 900.0;

/// Which rows are in sight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// The pixels above the first row in sight, those in sight, and those of a row.
    measured: Signal<(f64, f64, f64)>,
    rows: ReadSignal<usize>,
    range: ReadSignal<(usize, usize)>,
}

impl Window {
    /// A window at the top of so many rows, measured again whenever their number changes.
    pub(crate) fn of(rows: impl FnMut() -> usize + 'static) -> Self {
        let measured = create_signal((0.0, VIEW_PX, ROW_PX));
        let rows = memo(rows);
        let range = memo(move || {
            let rows = rows.get();
            let (above, seen, row) = measured.get();
            let first = whole(above / row).saturating_sub(SPARE).min(rows);
            let count = whole(seen / row)
                .saturating_add(SPARE)
                .saturating_add(SPARE);
            (first, first.saturating_add(count).min(rows))
        });
        let window = Self {
            measured,
            rows,
            range,
        };
        create_effect(move || {
            rows.track();
            dom::soon(move || window.measure());
        });
        window
    }

    /// Looks where the list is scrolled to, and how high it and a row are.
    pub(crate) fn measure(self) {
        let Some(list) = dom::element(ID).filter(|_| self.measured.is_alive()) else {
            return;
        };
        let row = list.query_selector("tbody tr[id]").ok().flatten();
        let row = row.and_then(|row| row.dyn_into::<HtmlElement>().ok());
        let row = row.map(|row| f64::from(row.offset_height()));
        let row = row.filter(|height| *height > 1.0).unwrap_or(ROW_PX);
        let seen = f64::from(list.client_height());
        let now = (f64::from(list.scroll_top()), seen, row);
        super::state::put(self.measured, now);
    }

    /// The rows that are on the page; tracked.
    pub(crate) fn range(self) -> Range<usize> {
        let (start, end) = self.range.get();
        start..end
    }

    /// A row as high as all that are left out above.
    pub(crate) fn spacer_above(self) -> View {
        spacer(move || self.pixels(self.range().start))
    }

    /// A row as high as all that are left out below.
    pub(crate) fn spacer_below(self) -> View {
        spacer(move || self.pixels(self.rows.get().saturating_sub(self.range().end)))
    }

    #[expect(clippy::cast_precision_loss, reason = "rows of a list, far below 2^53")]
    fn pixels(self, rows: usize) -> f64 {
        let (_, _, row) = self.measured.get();
        row * rows as f64
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of rows, and a cast that is out of range saturates"
)]
fn whole(rows: f64) -> usize {
    rows.max(0.0) as usize
}

/// The page's policy allows no style attributes; what is set by script is no attribute.
fn spacer(height: impl Fn() -> f64 + 'static) -> View {
    let cell = create_node_ref();
    let height = memo(height);
    create_effect(move || {
        let cell = cell
            .try_get()
            .and_then(|cell| cell.dyn_into::<HtmlElement>().ok());
        if let Some(cell) = cell {
            let height = format!("{:.0}px", height.get());
            let _ = cell.style().set_property("height", &height);
        }
    });
    view! { tr(class="spacer", aria-hidden="true") { td(r#ref=cell, colspan="8") } }
}
