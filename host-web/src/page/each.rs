//! Lists whose items keep their nodes, and text that is touched only when it changes.
//!
//! All signals are behind one borrow: inside of `with` nothing may be set, and nothing read that is made of
//! other signals. What needs either takes a clone first.

use crate::page::state::put;
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
    boxed_memo(Box::new(make))
}

/// Compiled once for each type instead of once for each closure; as are the two below.
fn boxed_memo<T: PartialEq>(make: Box<dyn FnMut() -> T>) -> ReadSignal<T> {
    create_selector(make)
}

/// Shows what a choice stands for, and makes it anew only when the choice is another one. What `show`
/// reads on the way makes nothing anew.
pub(crate) fn when<T: PartialEq + Clone + 'static>(
    choose: impl FnMut() -> T + 'static,
    show: impl Fn(T) -> View + 'static,
) -> View {
    boxed_when(memo(choose), Rc::new(show))
}

fn boxed_when<T: Clone + 'static>(chosen: ReadSignal<T>, show: Rc<dyn Fn(T) -> View>) -> View {
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
    boxed_each(items, Box::new(show))
}

fn boxed_each<K, T>(
    items: ReadSignal<Vec<(K, T)>>,
    show: Box<dyn Fn(ReadSignal<T>) -> View>,
) -> View
where
    K: Clone + Ord + Hash + 'static,
    T: Clone + PartialEq + 'static,
{
    let shown: Rc<RefCell<BTreeMap<K, Signal<T>>>> = Rc::default();
    let known = Rc::clone(&shown);
    create_effect(move || {
        for (key, item) in items.get_clone() {
            let signal = known.borrow().get(&key).copied();
            if let Some(signal) = signal {
                put(signal, item);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
    use web_sys::{Element, Node};

    wasm_bindgen_test_configure!(run_in_browser);

    /// Shows what `make` makes of a signal, under an element of its own.
    fn stage<T: 'static>(first: T, make: impl FnOnce(Signal<T>) -> View) -> (Element, Signal<T>) {
        let (_, document) = crate::page::dom::window_and_document().unwrap();
        let top = document.create_element("div").unwrap();
        let mut given = None;
        let view = |given: &mut Option<Signal<T>>| make(*given.insert(create_signal(first)));
        sycamore::render_to(|| view(&mut given), &top);
        (top, given.unwrap())
    }

    fn letters(text: &str) -> Vec<(char, String)> {
        text.chars().map(|one| (one, one.to_string())).collect()
    }

    fn shown(top: &Element) -> Vec<Node> {
        let found = top.query_selector_all("i").unwrap();
        (0..found.length()).filter_map(|at| found.get(at)).collect()
    }

    #[wasm_bindgen_test]
    fn a_list_takes_each_next_order_and_keeps_the_nodes_of_what_stays() {
        let (top, items) = stage(letters("abcd"), |items| {
            each(*items, |item| view! { i { (item.get_clone()) } })
        });
        for next in [
            "dabc", "bcda", "b", "xbyz", "zyx", "", "abcdefgh", "hagbfced",
        ] {
            let before = shown(&top);
            items.set(letters(next));
            let after = shown(&top);
            let text: String = after.iter().filter_map(Node::text_content).collect();
            assert_eq!(text, next);
            for node in &after {
                let same = |other: &&Node| other.text_content() == node.text_content();
                if let Some(other) = before.iter().find(same) {
                    assert!(other == node, "{next}");
                }
            }
        }
    }

    #[wasm_bindgen_test]
    fn an_item_that_changes_keeps_its_node() {
        let (top, items) = stage(letters("ab"), |items| {
            each(*items, |item| {
                let text = text(move || item.get_clone());
                view! { i { (text) } }
            })
        });
        let before = shown(&top);
        items.set(vec![('a', "one".into()), ('b', "b".into())]);
        let after = shown(&top);
        assert!(before == after);
        assert_eq!(top.text_content().as_deref(), Some("oneb"));
    }

    #[wasm_bindgen_test]
    fn a_choice_is_made_anew_only_when_it_is_another_one() {
        let (top, number) = stage(1_u32, |number| {
            when(
                move || number.get() % 2,
                |rest| view! { i { (rest.to_string()) } },
            )
        });
        let first = shown(&top);
        number.set(3);
        assert!(shown(&top) == first);
        number.set(4);
        assert!(shown(&top) != first);
        assert_eq!(top.text_content().as_deref(), Some("0"));
    }
}
