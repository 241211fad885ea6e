//! Colours and motion: what the browser asks for, and what someone chose instead.

use crate::page::dom;

/// Where the choice is kept.
const KEPT: &str = "sporenet.theme";

/// The colours of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    /// Dark, with light of its own.
    Neon,
    /// Black and white, with strong lines.
    Contrast,
}

impl Theme {
    pub(crate) const ALL: [Self; 2] = [Self::Neon, Self::Contrast];

    /// What stands in the page and in the storage for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Neon => "neon",
            Self::Contrast => "contrast",
        }
    }
}

/// The colours that were chosen; `None` leaves them to the browser's wishes.
pub(crate) fn chosen() -> Option<Theme> {
    let word = dom::chosen(KEPT)?;
    Theme::ALL.into_iter().find(|theme| theme.word() == word)
}

/// Keeps a choice and shows it.
pub(crate) fn choose(theme: Option<Theme>) {
    dom::choose(KEPT, theme.map(Theme::word));
    show(theme);
}

/// Shows the page in these colours; the style sheet reads the root's attribute.
pub(crate) fn show(theme: Option<Theme>) {
    let root = dom::window_and_document().and_then(|(_, document)| document.document_element());
    let Some(root) = root else { return };
    // An attribute of a valid name can always be set.
    let _ = match theme {
        Some(theme) => root.set_attribute("data-theme", theme.word()),
        None => root.remove_attribute("data-theme"),
    };
}
