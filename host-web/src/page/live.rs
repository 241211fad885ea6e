//! Derived values and views that follow them.
//!
//! Each goes through a box, so that the library's machinery is compiled once per type and not once per
//! closure: that halves the page's share of the bundle.

use sycamore::prelude::*;

/// A value that follows others; what reads it is told only when it changes.
pub(crate) fn derived<T: PartialEq + 'static>(value: impl FnMut() -> T + 'static) -> ReadSignal<T> {
    fn boxed<T: PartialEq>(value: Box<dyn FnMut() -> T>) -> ReadSignal<T> {
        create_selector(value)
    }
    boxed(Box::new(value))
}

/// A part of a view that is made anew whenever what it reads changes.
pub(crate) fn live(view: impl FnMut() -> View + 'static) -> View {
    fn boxed(view: Box<dyn FnMut() -> View>) -> View {
        View::from_dynamic(view)
    }
    boxed(Box::new(view))
}

/// A part that is there only while there is something to show.
pub(crate) fn shown<T: Clone + PartialEq + 'static>(
    value: ReadSignal<Option<T>>,
    view: impl Fn(T) -> View + 'static,
) -> View {
    live(move || value.get_clone().map(&view).unwrap_or_default())
}

/// A list that is made anew as a whole; for short ones without anything to focus.
pub(crate) fn listed<T: Clone + 'static>(
    list: ReadSignal<Vec<T>>,
    view: impl Fn(T) -> View + 'static,
) -> View {
    live(move || View::from(list.get_clone().into_iter().map(&view).collect::<Vec<_>>()))
}
