//! Bounded, printable text: what a peer or a user may name things.

use alloc::{boxed::Box, string::String};
use core::{fmt, ops::Deref};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Non-empty UTF-8 of at most `MAX` bytes without control or bidirectional-override characters.
///
/// Decoding checks the bound too, so a peer can't smuggle in longer or invisible text. Displaying it
/// still has to escape it for its place (HTML, terminal).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(Box<str>);

/// A node's name, for people; not unique.
pub type Name = Text<64>;
/// A failure domain: a rack, a building, a region.
pub type Zone = Text<64>;
/// A set of keys that are opened, listed and watched together.
pub type Namespace = Text<64>;
/// A key within a namespace.
pub type Key = Text<512>;

/// Why a text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextError {
    /// It has no characters.
    Empty,
    /// It has more bytes than allowed.
    TooLong {
        /// The most bytes it may have.
        max: usize,
    },
    /// It contains a control character or one that changes the writing direction.
    Unprintable,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong { max } => write!(f, "it is longer than {max} bytes"),
            Self::Unprintable => f.write_str("it contains a control or a text-direction character"),
        }
    }
}

impl core::error::Error for TextError {}

impl<const MAX: usize> Text<MAX> {
    /// Checks and takes a text.
    ///
    /// # Errors
    /// [`TextError`] when it is empty, longer than `MAX` bytes or not printable.
    pub fn new(text: &str) -> Result<Self, TextError> {
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if text.len() > MAX {
            return Err(TextError::TooLong { max: MAX });
        }
        if text.chars().any(is_unprintable) {
            return Err(TextError::Unprintable);
        }
        Ok(Self(text.into()))
    }

    /// The part of a text that is allowed: without what is not printable, cut to `MAX` bytes; `?` if
    /// nothing is left.
    #[must_use]
    pub fn clean(text: &str) -> Self {
        let mut clean = String::new();
        for character in text.chars().filter(|character| !is_unprintable(*character)) {
            // Cut between characters: half of one would be no UTF-8.
            if clean.len().saturating_add(character.len_utf8()) > MAX {
                break;
            }
            clean.push(character);
        }
        if clean.is_empty() {
            clean.push('?');
        }
        Self(clean.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and the bidirectional controls and invisible marks that let one name pass for
/// another (Unicode UAX #9, "Trojan Source", 2021).
fn is_unprintable(character: char) -> bool {
    character.is_control()
        // Zero-width characters and direction marks; line separators, embeddings and overrides;
        // invisible operators and isolates; the byte order mark.
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> core::borrow::Borrow<str> for Text<MAX> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<&str> for Text<MAX> {
    type Error = TextError;

    fn try_from(text: &str) -> Result<Self, TextError> {
        Self::new(text)
    }
}

impl<const MAX: usize> core::str::FromStr for Text<MAX> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::new(text)
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl<const MAX: usize> Serialize for Text<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_deceive_a_reader_is_refused() {
        assert_eq!(Name::new(""), Err(TextError::Empty));
        assert_eq!(Name::new("a\u{1b}[31m"), Err(TextError::Unprintable));
        assert_eq!(Name::new("a\u{202e}b"), Err(TextError::Unprintable));
        assert_eq!(
            Name::new(&"x".repeat(65)),
            Err(TextError::TooLong { max: 64 })
        );
        assert!(Name::new("<img src=x onerror=alert(1)>").is_ok());
    }

    #[test]
    fn cleaning_keeps_what_is_allowed() {
        assert_eq!(Name::clean("a\u{202e}b\n").as_str(), "ab");
        assert_eq!(Name::clean("\n").as_str(), "?");
        assert_eq!(Name::clean(&"é".repeat(40)).as_str(), "é".repeat(32));
    }

    #[test]
    fn decoding_checks_what_constructing_checks() {
        let bytes = postcard::to_allocvec("a\u{7}").unwrap();
        assert!(postcard::from_bytes::<Name>(&bytes).is_err());
    }
}
