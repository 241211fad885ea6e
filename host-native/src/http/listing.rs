//! Lists of values and of namespaces, in pages that are bounded in bytes, or as a stream of lines that
//! walks the pages as fast as the client reads.

use crate::http::{
    Api,
    answer::of_type,
    asked::{InPath, InQuery},
    entries::{EntryView, Values, bytes_of},
    export,
    kv::namespace_of,
    problem::Problem,
    within_patience,
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header},
    response::Response,
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use sporenet_core::{
    kernel::text::{Key, Namespace},
    node::snapshot::{EntriesPage, Entry},
    replication::cells::PageMax,
};
use std::{collections::VecDeque, io, sync::Arc};

/// Entries on a page of a list unless the request says otherwise.
const PAGE: usize = 100;
/// The most entries on a page.
pub(crate) const PAGE_MAX: usize = 1_000;
/// The most bytes of values on a page; a page has at least one entry. Twice as much lets half as many
/// clients be answered at once.
pub(crate) const PAGE_BYTES_MAX: usize = 1 << 20;
/// About how many bytes of values a stream renders at once.
const PIECE_BYTES: usize = 64 << 10;
/// The media type of lines of JSON.
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// Which page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    prefix: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
    values: Option<Values>,
    format: Option<Format>,
    types: Option<bool>,
}

/// Which page of the namespaces.
#[derive(Debug, Deserialize)]
pub(crate) struct AskedNamespaces {
    prefix: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// How a list is answered.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// A page.
    Json,
    /// Everything, an entry a line.
    Ndjson,
    /// Everything, in lines that can be imported.
    Export,
}

impl Format {
    fn of(asked: Option<Self>, headers: &HeaderMap) -> Self {
        let accepts = headers.get_all(header::ACCEPT).iter();
        let mut accepts = accepts.filter_map(|value| value.to_str().ok());
        let wants_lines = accepts.any(|value| value.contains(NDJSON));
        asked.unwrap_or(if wants_lines {
            Self::Ndjson
        } else {
            Self::Json
        })
    }
}

/// A page of a list.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    namespace: &'a str,
    entries: Vec<EntryView<'a>>,
    /// Where the next page starts; null on the last.
    cursor: Option<&'a str>,
}

/// A page of the namespaces.
#[derive(Debug, Serialize)]
struct ListedNamespaces {
    namespaces: Vec<NamespaceView>,
    /// Where the next page starts; null on the last.
    cursor: Option<String>,
}

/// A namespace and how much is in it.
#[derive(Debug, Serialize)]
struct NamespaceView {
    namespace: String,
    keys: u64,
}

/// How many entries are on a page.
///
/// # Errors
/// When there may not be so many.
pub(crate) fn limit_of(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(PAGE);
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad_request(format!(
        "`limit` is from 1 to {PAGE_MAX}; follow `cursor` to the next page."
    )))
}

/// The namespaces with their numbers of keys.
pub(crate) async fn namespaces(
    State(api): State<Arc<Api>>,
    InQuery(asked): InQuery<AskedNamespaces>,
) -> Result<Response, Problem> {
    let limit = limit_of(asked.limit)?;
    let _turn = api.room.turn().await?;
    let all = within_patience(api.core().ask(|node, _| node.namespaces())).await?;
    let prefix = asked.prefix.unwrap_or_default();
    let wanted = |name: &Namespace| {
        let begins = name.starts_with(prefix.as_str());
        let follows = asked.cursor.as_deref().is_none_or(|after| &**name > after);
        begins && follows
    };
    let mut rest = all.into_iter().filter(|(name, _)| wanted(name)).peekable();
    let namespaces: Vec<NamespaceView> = rest
        .by_ref()
        .take(limit)
        .map(|(namespace, keys)| NamespaceView {
            namespace: namespace.to_string(),
            keys,
        })
        .collect();
    let last = namespaces.last().filter(|_| rest.peek().is_some());
    let cursor = last.map(|last| last.namespace.clone());
    let page = ListedNamespaces { namespaces, cursor };
    api.room.json(&page).await
}

/// A page of a namespace in key order, or all of it as lines.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    InPath(ns): InPath<String>,
    InQuery(asked): InQuery<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let namespace = namespace_of(&ns)?;
    let values = asked.values.unwrap_or_default();
    let format = Format::of(asked.format, &headers);
    if format != Format::Json && asked.limit.is_some() {
        return Err(Problem::bad_request(
            "`limit` is for pages; lines of JSON are all that there is.",
        ));
    }
    if format != Format::Export && asked.types.is_some() {
        return Err(Problem::bad_request("`types` is for `format=export`."));
    }
    if format == Format::Export && (asked.cursor.is_some() || asked.values.is_some()) {
        return Err(Problem::bad_request(
            "An export has everything: no `cursor`, no `values`.",
        ));
    }
    if format == Format::Export {
        let wanted = export::Wanted {
            namespace,
            prefix: asked.prefix.unwrap_or_default(),
            types: asked.types.unwrap_or_default(),
        };
        return export::answer(api, wanted).await;
    }
    let mut walk = Walk {
        values,
        limit: limit_of(asked.limit)?,
        prefix: asked.prefix.unwrap_or_default(),
        after: asked.cursor,
        api,
        namespace,
    };
    match format {
        Format::Json => {
            let page = walk.page().await?;
            let view = |entry| EntryView::of(&walk.namespace, entry, values);
            let listed = Listed {
                namespace: &walk.namespace,
                entries: page.entries.iter().map(view).collect(),
                cursor: page.next.as_deref(),
            };
            walk.api.room.json(&listed).await
        }
        Format::Ndjson | Format::Export => {
            walk.limit = PAGE_MAX;
            // The first page is asked for before the answer begins, so that a busy node can say so.
            let page = walk.page().await?;
            Ok(of_type(NDJSON, lines(walk, page)))
        }
    }
}

/// A way through a namespace, page by page.
struct Walk {
    api: Arc<Api>,
    namespace: Namespace,
    prefix: String,
    /// The key after which the next page begins.
    after: Option<String>,
    limit: usize,
    values: Values,
}

impl Walk {
    /// The next page that has an entry, or the last page.
    async fn page(&mut self) -> Result<EntriesPage, Problem> {
        loop {
            let (namespace, prefix) = (self.namespace.clone(), self.prefix.clone());
            let after = self.after.clone();
            let max = PageMax {
                entries: self.limit,
                bytes: PAGE_BYTES_MAX,
                value_bytes: self.values.bytes_max(),
            };
            let asked = self.api.core().ask(move |node, _| {
                let after = after.as_deref();
                node.page(&namespace, &prefix, after, max)
            });
            let page = within_patience(asked).await?;
            self.after = page.next.as_ref().map(Key::to_string);
            if !page.entries.is_empty() || page.next.is_none() {
                return Ok(page);
            }
        }
    }
}

/// What a stream of lines has still to send.
struct Lines {
    walk: Walk,
    entries: VecDeque<Entry>,
}

/// All entries, one a line. Nothing is fetched or rendered before the client has taken what came before.
fn lines(walk: Walk, first: EntriesPage) -> Body {
    let entries = first.entries.into();
    Body::from_stream(stream::unfold(
        Some(Lines { walk, entries }),
        |lines| async move {
            let mut lines = lines?;
            match lines.next().await {
                Ok(None) => None,
                Ok(Some(piece)) => Some((Ok(piece), Some(lines))),
                // The answer breaks off, so that nobody takes it for the whole list.
                Err(problem) => Some((Err(io::Error::other(problem.detail)), None)),
            }
        },
    ))
}

impl Lines {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if self.entries.is_empty() && self.walk.after.is_some() {
            self.entries = self.walk.page().await?.entries.into();
        }
        let (mut piece, mut bytes) = (Vec::new(), 0_usize);
        while bytes < PIECE_BYTES
            && let Some(entry) = self.entries.pop_front()
        {
            bytes = bytes.saturating_add(bytes_of(&entry, self.walk.values));
            piece.push(entry);
        }
        if piece.is_empty() {
            return Ok(None);
        }
        let view = |entry| EntryView::of(&self.walk.namespace, entry, self.walk.values);
        let views: Vec<EntryView<'_>> = piece.iter().map(view).collect();
        let rendered = self.walk.api.room.render(&views, "\n").await?;
        Ok(Some(rendered.into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_form_is_what_is_asked_for_or_else_accepted() {
        let accepting = |accept| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            headers
        };
        assert_eq!(Format::of(None, &accepting("*/*")), Format::Json);
        assert_eq!(
            Format::of(None, &accepting("text/html, application/x-ndjson")),
            Format::Ndjson
        );
        let asked = Some(Format::Json);
        assert_eq!(
            Format::of(asked, &accepting("application/x-ndjson")),
            Format::Json
        );
    }

    #[test]
    fn a_limit_that_is_not_granted_is_refused() {
        assert_eq!(limit_of(None), Ok(PAGE));
        assert_eq!(limit_of(Some(PAGE_MAX)), Ok(PAGE_MAX));
        assert!(limit_of(Some(0)).is_err() && limit_of(Some(PAGE_MAX + 1)).is_err());
    }
}
