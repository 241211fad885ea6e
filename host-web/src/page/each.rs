//! Lists whose items keep their nodes, and text that is touched only when it changes.

use core::hash::Hash;
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};
use sycamore::{prelude::*, web::rt::component_scope};

/// Text that follows what it is made of. The page is touched only when the text is another one, so that
/// what someone has selected stays selected.
pub(crate) fn text(make: impl FnMut() -> String + 'static) -> View {
    let text = memo(make);
    view! { (text.get_clone()) }
}

/// A value that follows what it is made of and changes only when it is another one.
pub(crate) fn memo<T: PartialEq>(make: impl FnMut() -> T + 'static) -> ReadSignal<T> {
    create_selector(make)
}

/// Shows what a choice stands for, and makes it anew only when the choice is another one. What `show`
/// reads on the way makes nothing anew.
pub(crate) fn when<T: PartialEq + Clone + 'static>(
    choose: impl FnMut() -> T + 'static,
    show: impl Fn(T) -> View + 'static,
) -> View {
    let chosen = memo(choose);
    let show = Rc::new(show);
    View::from_dynamic(move || {
        let (chosen, show) = (chosen.get_clone(), Rc::clone(&show));
        component_scope(move || show(chosen))
    })
}

/// Shows each item. An item with a key that was there before keeps its nodes, with focus and all, and its
/// view follows the signal that it was given.
pub(crate) fn each<K, T>(
    items: ReadSignal<Vec<(K, T)>>,
    show: impl Fn(ReadSignal<T>) -> View + 'static,
) -> View
where
    K: Clone + Ord + Hash + 'static,
    T: Clone + PartialEq + 'static,
{
    let shown: Rc<RefCell<BTreeMap<K, Signal<T>>>> = Rc::default();
    let known = Rc::clone(&shown);
    create_effect(move || {
        items.with(|items| {
            for (key, item) in items {
                let signal = known.borrow().get(key).copied();
                if let Some(signal) = signal
                    && signal.with_untracked(|before| before != item)
                {
                    signal.set(item.clone());
                }
            }
        });
    });
    let keys = memo(move || {
        items.with(|items| items.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>())
    });
    let make = move |key: K| {
        let item = items.with_untracked(|items| {
            let mut found = items.iter().filter(|(known, _)| *known == key);
            found.next().map(|(_, item)| item.clone())
        });
        let Some(item) = item else {
            return View::new();
        };
        let signal = create_signal(item);
        shown.borrow_mut().insert(key.clone(), signal);
        let shown = Rc::clone(&shown);
        on_cleanup(move || {
            let mut shown = shown.borrow_mut();
            if shown.get(&key).is_some_and(|other| *other == signal) {
                shown.remove(&key);
            }
        });
        show(*signal)
    };
    view! { Keyed(list=keys, view=make, key=|key: &K| key.clone()) }
}
