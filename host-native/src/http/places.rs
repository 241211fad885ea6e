//! Places for connections of strangers. When all are taken the oldest gives way to the newest, so that
//! no number of strangers who hold on to theirs can shut others out.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;

/// A bounded number of places.
#[derive(Debug)]
pub(crate) struct Places {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    last: u64,
    by: BTreeMap<u64, Arc<Notify>>,
}

impl Places {
    /// `max` places, at least one.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max: max.max(1),
            taken: Mutex::default(),
        })
    }

    /// Takes a place; the oldest gives way if there is none.
    pub(crate) fn take(self: &Arc<Self>) -> Seat {
        let given_up = Arc::new(Notify::new());
        let number = self.with(|taken| {
            if taken.by.len() >= self.max
                && let Some((_, oldest)) = taken.by.pop_first()
            {
                oldest.notify_one();
            }
            taken.last = taken.last.saturating_add(1);
            taken.by.insert(taken.last, Arc::clone(&given_up));
            taken.last
        });
        Seat {
            places: Arc::clone(self),
            number,
            given_up,
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Taken) -> T) -> T {
        // Each change is whole, so what a panicking holder leaves is sound.
        change(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A place that is taken; free again when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    places: Arc<Places>,
    number: u64,
    given_up: Arc<Notify>,
}

impl Seat {
    /// Frees the place for others; who sits there needs it no more, and is not asked to go.
    pub(crate) fn free(&self) {
        self.places.with(|taken| taken.by.remove(&self.number));
    }

    /// Waits until the place has to be given up.
    pub(crate) async fn given_up(&self) {
        self.given_up.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.free();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn must_go(seat: &Seat) -> bool {
        seat.given_up().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_gives_way_to_the_newest() {
        let places = Places::new(2);
        let (first, second) = (places.take(), places.take());
        assert!(!must_go(&first));
        let _third = places.take();
        assert!(must_go(&first) && !must_go(&second));
    }

    #[test]
    fn a_place_that_is_free_again_costs_nobody_the_own() {
        let places = Places::new(2);
        let (first, second) = (places.take(), places.take());
        drop(second);
        let third = places.take();
        assert!(!must_go(&first) && !must_go(&third));
    }

    #[test]
    fn who_has_freed_the_place_is_not_asked_to_go() {
        let places = Places::new(1);
        let first = places.take();
        first.free();
        let second = places.take();
        let _third = places.take();
        assert!(!must_go(&first) && must_go(&second));
    }
}
