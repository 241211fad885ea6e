//! The page's colours and fonts, as its style sheet has them now.

use crate::draw::shape::Ink;
use web_sys::{CssStyleDeclaration, Element};

/// All names of colours, in their order.
const INKS: [Ink; 14] = [
    Ink::Ground,
    Ink::Panel,
    Ink::Raised,
    Ink::Faint,
    Ink::Border,
    Ink::Text,
    Ink::Muted,
    Ink::Accent,
    Ink::Good,
    Ink::Warn,
    Ink::Worse,
    Ink::Bad,
    Ink::Calm,
    Ink::Extra,
];

/// The page's colours and fonts. It is read once, and again when the page changes its theme.
#[derive(Clone, Debug)]
pub struct Palette {
    colours: [String; INKS.len()],
    /// The font of names and times, as a canvas takes it.
    pub small: String,
    /// The font of what matters more.
    pub strong: String,
    /// The font of what is written into cells.
    pub tiny: String,
}

impl Palette {
    /// Reads the custom properties that hold for an element, such as the canvas. A colour that the style
    /// sheet does not have is that of the element's text. `None` if the element is in no page.
    #[must_use]
    pub fn read(element: &Element) -> Option<Self> {
        let window = element.owner_document()?.default_view()?;
        let style = window.get_computed_style(element).ok().flatten()?;
        let text = read(&style, "color").unwrap_or_default();
        let family = read(&style, "font-family").unwrap_or_else(|| "sans-serif".into());
        Some(Self {
            colours: INKS.map(|ink| read(&style, property(ink)).unwrap_or_else(|| text.clone())),
            small: format!("11px {family}"),
            strong: format!("600 12px {family}"),
            tiny: format!("10px {family}"),
        })
    }

    /// A colour, as a canvas takes it.
    #[must_use]
    pub fn colour(&self, ink: Ink) -> &str {
        let at = INKS.iter().position(|known| *known == ink);
        at.and_then(|at| self.colours.get(at))
            .map_or("", String::as_str)
    }
}

fn read(style: &CssStyleDeclaration, name: &str) -> Option<String> {
    let value = style.get_property_value(name).ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.into())
}

/// The custom property of a colour, as `www/app.css` has it.
const fn property(ink: Ink) -> &'static str {
    match ink {
        Ink::Ground => "--bg",
        Ink::Panel => "--panel",
        Ink::Raised => "--raised",
        Ink::Faint => "--line",
        Ink::Border => "--border",
        Ink::Text => "--text",
        Ink::Muted => "--muted",
        Ink::Accent => "--cyan",
        Ink::Good => "--green",
        Ink::Warn => "--amber",
        Ink::Worse => "--orange",
        Ink::Bad => "--red",
        Ink::Calm => "--violet",
        Ink::Extra => "--magenta",
    }
}
