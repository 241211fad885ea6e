//! Templates of views: a small subset of HTML, taken apart once per place where one is shown.
//!
//! `<p class='muted'>{}</p>`: attributes stand in single quotes, `{}` is a slot, either as a whole
//! attribute or between elements, and an element without content ends in `/>`. Nothing is escaped and
//! white space is kept. A template is always a literal of this program; what comes from outside fills
//! slots, as text.

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// An element begins; its attributes follow.
    Open(&'static str),
    /// An attribute and its value, or [`SLOT`].
    Attribute(&'static str, &'static str),
    /// Text as it stands.
    Text(&'static str),
    /// A slot between elements.
    Slot,
    /// The innermost open element ends.
    Close,
}

/// What stands where a value goes.
pub const SLOT: &str = "{}";

/// The pieces of a template in order.
#[derive(Clone, Debug)]
pub struct Tokens {
    rest: &'static str,
    in_tag: bool,
}

impl Tokens {
    /// The pieces of `template`.
    #[must_use]
    pub const fn of(template: &'static str) -> Self {
        Self {
            rest: template,
            in_tag: false,
        }
    }

    /// Takes what comes before one of `ends`, or everything.
    fn until(&mut self, ends: &[char]) -> &'static str {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn skip(&mut self, what: &str) -> bool {
        let rest = self.rest.strip_prefix(what);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

impl Iterator for Tokens {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        if self.in_tag {
            while self.skip(" ") {}
            if self.skip("/>") {
                self.in_tag = false;
                return Some(Token::Close);
            }
            if !self.skip(">") && !self.rest.is_empty() {
                let name = self.until(&[' ', '=', '/', '>']);
                let value = if self.skip("='") {
                    self.until(&['\''])
                } else {
                    ""
                };
                self.skip("'");
                return Some(Token::Attribute(name, value));
            }
            self.in_tag = false;
        }
        if self.rest.is_empty() {
            None
        } else if self.skip("</") {
            self.until(&['>']);
            self.skip(">");
            Some(Token::Close)
        } else if self.skip("<") {
            self.in_tag = true;
            Some(Token::Open(self.until(&[' ', '/', '>'])))
        } else if self.skip(SLOT) {
            Some(Token::Slot)
        } else {
            Some(Token::Text(self.until(&['<', '{'])))
        }
    }
}

/// Whether a template closes each element that it opens and has so many slots; checked when this
/// program is compiled.
#[must_use]
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated by the compiler"
)]
pub const fn fits(template: &str, slots: usize) -> bool {
    let bytes = template.as_bytes();
    let (mut open, mut found, mut at) = (0_usize, 0, 0);
    while at < bytes.len() {
        let next = if at + 1 < bytes.len() {
            bytes[at + 1]
        } else {
            0
        };
        match (bytes[at], next) {
            (b'<', b'/') | (b'/', b'>') => match open.checked_sub(1) {
                Some(less) => open = less,
                None => return false,
            },
            (b'<', _) => open += 1,
            (b'{', b'}') => found += 1,
            (b'{' | b'"' | b'&' | b'\n', _) => return false,
            (_, _) => {}
        }
        at += 1;
    }
    open == 0 && found == slots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_falls_into_its_pieces() {
        let template = "<p class='{}' hidden>it's {} <input id='a b'/></p>!";
        let pieces = [
            Token::Open("p"),
            Token::Attribute("class", SLOT),
            Token::Attribute("hidden", ""),
            Token::Text("it's "),
            Token::Slot,
            Token::Text(" "),
            Token::Open("input"),
            Token::Attribute("id", "a b"),
            Token::Close,
            Token::Close,
            Token::Text("!"),
        ];
        assert_eq!(Tokens::of(template).collect::<Vec<_>>(), pieces);
    }

    #[test]
    fn a_broken_template_ends_and_does_not_fit() {
        for template in [
            "<p",
            "<p class='",
            "</p>",
            "<p><b></p>",
            "a {b}",
            "<p>\"</p>",
        ] {
            assert!(Tokens::of(template).count() < 9, "{template}");
            assert!(!fits(template, 0), "{template}");
        }
        assert!(fits("<p title='{}'>{}<br/></p>", 2));
        assert!(!fits("<p title='{}'></p>", 2));
    }
}
