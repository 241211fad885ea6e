//! Views as values, and the part of the page that follows them.
//!
//! A view is a template and what fills its slots. [`Shown`] keeps the nodes that a view was made into; given
//! the next view it changes only what differs, so that focus, selection, scrolling and screen readers
//! are left in peace.

use crate::template::{SLOT, Token, Tokens};
use wasm_bindgen::JsCast;
use web_sys::{Document, Element, Node};

/// A template and what fills its slots.
#[derive(Debug)]
pub(crate) struct View {
    template: &'static str,
    slots: Vec<Slot>,
}

impl View {
    /// By [`view!`], which checks that the slots fit.
    pub(crate) const fn new(template: &'static str, slots: Vec<Slot>) -> Self {
        Self { template, slots }
    }
}

/// A view of a template, with a value for each slot.
macro_rules! view {
    ($template:expr $(, $slot:expr)* $(,)?) => {{
        const {
            let slots: &[&str] = &[$(stringify!($slot)),*];
            assert!($crate::template::fits($template, slots.len()), "template and slots differ");
        }
        $crate::page::view::View::new($template, vec![$($crate::page::view::Slot::from($slot)),*])
    }};
}
pub(crate) use view;

/// What fills a slot.
#[derive(Debug)]
pub(crate) enum Slot {
    /// Nothing; an attribute is taken away.
    Nothing,
    /// Text, or an attribute's value.
    Text(String),
    /// Text that is made only when the number changes.
    Made(u64, fn(u64) -> String),
    /// Another view.
    View(View),
    /// Views, each with what it is known by: one that is there already moves and keeps its state.
    List(Vec<(String, View)>),
}

impl From<String> for Slot {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Slot {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// An attribute that is there or not.
impl From<bool> for Slot {
    fn from(set: bool) -> Self {
        if set { "".into() } else { Self::Nothing }
    }
}

impl From<View> for Slot {
    fn from(view: View) -> Self {
        Self::View(view)
    }
}

impl From<Option<View>> for Slot {
    fn from(view: Option<View>) -> Self {
        view.map_or(Self::Nothing, Self::View)
    }
}

/// Views without a name: each takes the next place.
impl From<Vec<View>> for Slot {
    fn from(views: Vec<View>) -> Self {
        Self::List(
            views
                .into_iter()
                .map(|view| (String::new(), view))
                .collect(),
        )
    }
}

impl From<Vec<(String, View)>> for Slot {
    fn from(views: Vec<(String, View)>) -> Self {
        Self::List(views)
    }
}

/// A view as it stands on the page.
#[derive(Debug)]
pub(crate) struct Shown {
    template: &'static str,
    /// The first and the last of the sibling nodes that it consists of; both stay.
    first: Node,
    last: Node,
    spots: Vec<Spot>,
}

/// A slot on the page.
#[derive(Debug)]
struct Spot {
    /// The attribute's element; or the text node that holds the text, and before which views stand.
    node: Node,
    /// The attribute; empty for a slot between elements.
    attribute: &'static str,
    filling: Filling,
}

/// What a slot was filled with.
#[derive(Debug)]
enum Filling {
    Nothing,
    Text(String),
    Made(u64),
    View(Box<Shown>),
    List(Vec<(String, Shown)>),
}

impl Shown {
    /// Makes the nodes of a view and puts them before `next`, or at the end of `parent`.
    pub(crate) fn new(
        document: &Document,
        view: View,
        parent: &Node,
        next: Option<&Node>,
    ) -> Option<Self> {
        let top: Node = document.create_document_fragment().into();
        let spots = build(document, view.template, &top)?;
        let mut shown = Self {
            template: view.template,
            first: top.first_child()?,
            last: top.last_child()?,
            spots,
        };
        shown.fill(document, view.slots);
        parent.insert_before(&top, next).ok()?;
        Some(shown)
    }

    /// Shows the next view; answers it back if it is of another template.
    fn take(&mut self, document: &Document, view: View) -> Option<View> {
        if self.template != view.template {
            return Some(view);
        }
        self.fill(document, view.slots);
        None
    }

    /// Shows the next view, which must be of the same template.
    pub(crate) fn update(&mut self, document: &Document, view: View) {
        let other = self.take(document, view);
        debug_assert!(other.is_none(), "a page has one template");
    }

    fn fill(&mut self, document: &Document, slots: Vec<Slot>) {
        for (spot, slot) in self.spots.iter_mut().zip(slots) {
            spot.fill(document, slot);
        }
    }

    /// Does something with each node, the last first.
    fn each_node(&self, mut each: impl FnMut(&Node)) {
        let mut node = Some(self.last.clone());
        while let Some(this) = node {
            let done = this == self.first;
            node = this.previous_sibling().filter(|_| !done);
            each(&this);
        }
    }

    fn remove(&self) {
        if let Some(parent) = self.last.parent_node() {
            self.each_node(|node| drop(parent.remove_child(node)));
        }
    }
}

/// Makes a template's nodes under `top`; answers its slots, still empty.
fn build(document: &Document, template: &'static str, top: &Node) -> Option<Vec<Spot>> {
    let mut spots = Vec::new();
    let mut spot = |node: Node, attribute| {
        spots.push(Spot {
            node,
            attribute,
            filling: Filling::Nothing,
        });
    };
    let text = |data: &str| Node::from(document.create_text_node(data));
    if template.starts_with(SLOT) {
        // The first node must stay while what fills the slot comes and goes.
        top.append_child(&text("")).ok()?;
    }
    let mut path: Vec<Node> = vec![top.clone()];
    for token in Tokens::of(template) {
        let parent = path.last()?.clone();
        match token {
            Token::Open(name) => {
                // Drawings have a namespace of their own, which reaches down to what they contain.
                let space = match parent.dyn_ref::<Element>() {
                    _ if name == "svg" => Some("http://www.w3.org/2000/svg".into()),
                    Some(element) => element.namespace_uri(),
                    None => Some("http://www.w3.org/1999/xhtml".into()),
                };
                let element = document.create_element_ns(space.as_deref(), name).ok()?;
                parent.append_child(&element).ok()?;
                path.push(element.into());
            }
            Token::Attribute(name, SLOT) => spot(parent, name),
            Token::Attribute(name, value) => set_attribute(&parent, name, Some(value)),
            Token::Text(data) => drop(parent.append_child(&text(data))),
            Token::Slot => {
                let node = text("");
                parent.append_child(&node).ok()?;
                spot(node, "");
            }
            Token::Close => drop(path.pop()),
        }
    }
    Some(spots)
}

fn set_attribute(element: &Node, name: &str, value: Option<&str>) {
    let element: &Element = element.unchecked_ref();
    let _ = match value {
        Some(value) => element.set_attribute(name, value),
        None => element.remove_attribute(name),
    };
}

impl Spot {
    fn fill(&mut self, document: &Document, slot: Slot) {
        match (&mut self.filling, slot) {
            (Filling::Nothing, Slot::Nothing) => {}
            (Filling::Text(before), Slot::Text(text)) if *before == text => {}
            (Filling::Made(before), Slot::Made(number, _)) if *before == number => {}
            (Filling::View(shown), Slot::View(view)) => {
                if let Some(other) = shown.take(document, view) {
                    self.refill(document, Slot::View(other));
                }
            }
            (Filling::List(shown), Slot::List(views)) => {
                let before = core::mem::take(shown);
                self.filling = Filling::List(self.list(document, before, views));
            }
            (_, slot) => self.refill(document, slot),
        }
    }

    /// Clears what was there, if it can't become what comes.
    fn refill(&mut self, document: &Document, slot: Slot) {
        let before = core::mem::replace(&mut self.filling, Filling::Nothing);
        let was_text = match before {
            Filling::Nothing => false,
            Filling::Text(_) | Filling::Made(_) => true,
            Filling::View(shown) => {
                shown.remove();
                false
            }
            Filling::List(shown) => {
                shown.iter().for_each(|(_, shown)| shown.remove());
                false
            }
        };
        let is_text = matches!(slot, Slot::Text(_) | Slot::Made(..));
        if was_text && !is_text {
            self.set_text(None);
        }
        self.filling = match slot {
            Slot::Nothing => Filling::Nothing,
            Slot::Text(text) => {
                self.set_text(Some(&text));
                Filling::Text(text)
            }
            Slot::Made(number, make) => {
                self.set_text(Some(&make(number)));
                Filling::Made(number)
            }
            Slot::View(view) => match self.show(document, view) {
                Some(shown) => Filling::View(Box::new(shown)),
                None => Filling::Nothing,
            },
            Slot::List(views) => Filling::List(self.list(document, Vec::new(), views)),
        };
    }

    fn set_text(&self, text: Option<&str>) {
        if self.attribute.is_empty() {
            self.node.set_node_value(text);
        } else {
            set_attribute(&self.node, self.attribute, text);
        }
    }

    /// Makes a view and puts it before this slot's text node.
    fn show(&self, document: &Document, view: View) -> Option<Shown> {
        Shown::new(document, view, &self.node.parent_node()?, Some(&self.node))
    }

    /// Turns one list into the next: what has the same name stays, what is in its place is not touched.
    fn list(
        &self,
        document: &Document,
        before: Vec<(String, Shown)>,
        views: Vec<(String, View)>,
    ) -> Vec<(String, Shown)> {
        let mut before: Vec<_> = before.into_iter().map(Some).collect();
        let mut expected = 0_usize;
        let mut after = Vec::with_capacity(views.len());
        for (name, view) in views {
            // Mostly everything stays where it was, so the search begins behind the last one found.
            let (done, ahead) = before.split_at(expected.min(before.len()));
            let mut places = ahead.iter().chain(done);
            let found =
                places.position(|known| known.as_ref().is_some_and(|(known, _)| *known == name));
            let place = found.map(|steps| {
                let place = expected.saturating_add(steps);
                place.checked_sub(before.len()).unwrap_or(place)
            });
            expected = place.map_or(expected, |place| place.saturating_add(1));
            let kept = place.and_then(|place| before.get_mut(place)?.take());
            let shown = match kept {
                Some((_, mut shown)) => match shown.take(document, view) {
                    Some(other) => {
                        shown.remove();
                        self.show(document, other)
                    }
                    None => Some(shown),
                },
                None => self.show(document, view),
            };
            after.extend(shown.map(|shown| (name, shown)));
        }
        for (_, shown) in before.into_iter().flatten() {
            shown.remove();
        }
        self.put_in_order(&after);
        after
    }

    fn put_in_order(&self, list: &[(String, Shown)]) {
        let Some(parent) = self.node.parent_node() else {
            return;
        };
        let mut next = self.node.clone();
        for (_, shown) in list.iter().rev() {
            if shown.last.next_sibling().as_ref() != Some(&next) {
                shown.each_node(|node| {
                    let _ = parent.insert_before(node, Some(&next));
                    next = node.clone();
                });
            }
            next = shown.first.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    wasm_bindgen_test_configure!(run_in_browser);

    /// A view under an element of its own.
    struct Stage {
        document: Document,
        top: Element,
        shown: Shown,
    }

    impl Stage {
        fn of(view: View) -> Self {
            let (_, document) = crate::page::dom::window_and_document().unwrap();
            let top = document.create_element("div").unwrap();
            let shown = Shown::new(&document, view, &top, None).unwrap();
            Self {
                document,
                top,
                shown,
            }
        }

        fn next(&mut self, view: View) -> String {
            self.shown.update(&self.document, view);
            self.top.inner_html()
        }
    }

    fn list(names: &str) -> View {
        let items = names
            .chars()
            .map(|name| (name.to_string(), view!("<i>{}</i>", name.to_string())));
        view!("<b>{}</b>", items.collect::<Vec<_>>())
    }

    #[wasm_bindgen_test]
    fn a_list_takes_each_next_order_and_keeps_the_nodes_of_what_stays() {
        let mut stage = Stage::of(list("abcd"));
        for next in [
            "dabc", "bcda", "b", "xbyz", "zyx", "", "abcdefgh", "hagbfced",
        ] {
            let first = next.chars().next().map(|name| name.to_string());
            let before = stage.top.query_selector_all("i").unwrap();
            let stays = (0..before.length())
                .filter_map(|place| before.get(place))
                .find(|node| node.text_content() == first);
            let items: String = next.chars().map(|name| format!("<i>{name}</i>")).collect();
            assert_eq!(stage.next(list(next)), format!("<b>{items}</b>"));
            if let Some(stays) = stays {
                let now = stage.top.query_selector("i").unwrap().unwrap();
                assert!(Node::from(now) == stays, "{next}");
            }
        }
    }

    #[wasm_bindgen_test]
    fn a_slot_holds_text_then_views_then_nothing() {
        let page = |slot: Slot, title: Slot| view!("{}<p title='{}'>{}</p>", slot, title, "end");
        let two = || view!("{}<u></u>", "one");
        let mut stage = Stage::of(page(Slot::Nothing, Slot::Nothing));
        assert_eq!(stage.top.inner_html(), "<p>end</p>");
        for (slot, title, expected) in [
            (
                Slot::from("<i>"),
                Slot::from("'\""),
                "&lt;i&gt;<p title=\"'&quot;\">end</p>",
            ),
            (
                Slot::from(two()),
                Slot::from(true),
                "one<u></u><p title=\"\">end</p>",
            ),
            (
                Slot::from(vec![two(), two()]),
                Slot::from(false),
                "one<u></u>one<u></u><p>end</p>",
            ),
            (Slot::from(None), Slot::Nothing, "<p>end</p>"),
            (
                Slot::Made(7, |n| n.to_string()),
                Slot::Nothing,
                "7<p>end</p>",
            ),
        ] {
            assert_eq!(stage.next(page(slot, title)), expected);
        }
    }

    #[wasm_bindgen_test]
    fn drawings_have_their_namespace_and_what_follows_them_has_not() {
        let stage = Stage::of(view!("<p><svg><path d='M0 0'/></svg><i>{}</i></p>", "text"));
        let space = |selector: &str| {
            let element = stage.top.query_selector(selector).unwrap().unwrap();
            element.namespace_uri().unwrap()
        };
        assert!(space("path").ends_with("/svg") && space("i").ends_with("/xhtml"));
    }
}
