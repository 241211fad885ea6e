//! What `--join` takes: a link, a file with links among other text, or standard input.

use crate::exit::{Code, Failure};
use sporenet_core::{
    kernel::id::Role,
    membership::join_link::{JoinLink, LinkError},
};
use std::{fs::File, io::Read};

/// The most that is read from a file or standard input, in bytes.
const BYTES_MAX: u64 = 64 << 10;
/// What ends a word: white space, and what people put around a link.
const AROUND: [char; 4] = ['"', '\'', '`', ','];

/// Reads the join links. Several of one network count as one with all their entry points; what is
/// offered there is the invite of the first that lets relays in.
///
/// # Errors
/// When there is none, or one can't be read.
pub(crate) fn read(texts: &[String]) -> Result<Option<JoinLink>, Failure> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(links_of(text)?);
    }
    merged(all)
}

fn merged(mut links: Vec<JoinLink>) -> Result<Option<JoinLink>, Failure> {
    // Those for browsers only come last, and the others keep their order.
    links.sort_by_key(|link| link.invitation.role == Some(Role::Tab));
    let mut links = links.into_iter();
    let Some(mut first) = links.next() else {
        return Ok(None);
    };
    if first.invitation.role == Some(Role::Tab) {
        return Err(Failure::new(
            Code::Usage,
            "--join: this link lets browsers in, and this is a relay; ask for a link for relays: \
             `sporenet invite --role relay` on a relay of the mesh",
        ));
    }
    for link in links {
        first.spore.merge(&link.spore).map_err(|_| {
            Failure::new(
                Code::Usage,
                "--join: the links are of different networks; a node belongs to one",
            )
        })?;
    }
    Ok(Some(first))
}

/// The links of `LINK`, `@FILE` or `-`.
fn links_of(text: &str) -> Result<Vec<JoinLink>, Failure> {
    let (content, place) = match text.strip_prefix('@') {
        _ if text == "-" => (
            all_of(&mut std::io::stdin(), "standard input")?,
            "standard input",
        ),
        Some(path) => {
            let mut file = File::open(path).map_err(|error| {
                Failure::new(
                    Code::Io,
                    format!("the join link file {path} can't be read: {error}; check the path"),
                )
            })?;
            (all_of(&mut file, path)?, path)
        }
        None => (text.to_owned(), ""),
    };
    // The text itself is a secret and is not repeated.
    links_in(&content).map_err(|(line, error)| {
        let whence = match (place, line) {
            ("", _) => String::new(),
            (place, None) => format!(" {place}:"),
            (place, Some(line)) => format!(" {place}, line {line}:"),
        };
        Failure::new(
            Code::Usage,
            format!(
                "--join:{whence} {error}; or ask for a new one: `sporenet invite` on a relay of the \
                 mesh"
            ),
        )
    })
}

fn all_of(from: &mut dyn Read, what: &str) -> Result<String, Failure> {
    let mut content = String::new();
    from.take(BYTES_MAX)
        .read_to_string(&mut content)
        .map(|_| content)
        .map_err(|error| Failure::new(Code::Io, format!("no join link from {what}: {error}")))
}

/// The links in a text: one link, which may be wrapped, or links as words among others. Empty lines and
/// those that begin with `#` count for nothing.
fn links_in(content: &str) -> Result<Vec<JoinLink>, (Option<usize>, LinkError)> {
    let lines = || {
        let numbered = (1..).zip(content.lines());
        numbered.filter(|(_, line)| !line.trim_start().starts_with('#'))
    };
    let alone: String = lines().flat_map(|(_, line)| [line, "\n"]).collect();
    let only = match alone.parse() {
        Ok(link) => return Ok(vec![link]),
        Err(error) => error,
    };
    let words = lines().flat_map(|(number, line)| {
        let words = line.split(|c: char| c.is_whitespace() || AROUND.contains(&c));
        words.map(move |word| (number, word))
    });
    let links: Vec<JoinLink> = words
        .filter(|(_, word)| word.starts_with("spore:") || word.contains("#spore="))
        .map(|(number, word)| word.parse().map_err(|error| (Some(number), error)))
        .collect::<Result<_, _>>()?;
    if links.is_empty() {
        return Err((None, only));
    }
    Ok(links)
}
