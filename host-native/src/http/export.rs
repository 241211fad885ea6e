//! A namespace as lines that `import` takes, as fast as the client reads.

use crate::{
    http::{Api, answer::of_type, listing::NDJSON, problem::Problem},
    values::{line, walk::Walk},
};
use axum::{
    body::{Body, Bytes},
    response::Response,
};
use futures_util::stream;
use serde_json::Value;
use sporenet_core::kernel::text::Namespace;
use std::{io, sync::Arc};

/// About how many bytes are rendered at once.
const PIECE_BYTES: usize = 64 << 10;

/// What is exported.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The namespace.
    pub(crate) namespace: Namespace,
    /// Only keys that begin like this.
    pub(crate) prefix: String,
    /// Whether plain values say their type too.
    pub(crate) types: bool,
}

/// All values of a namespace, a line each. A large set or map has several.
///
/// # Errors
/// When the node is busy before the answer begins.
pub(crate) async fn answer(api: Arc<Api>, wanted: Wanted) -> Result<Response, Problem> {
    let Wanted {
        namespace,
        prefix,
        types,
    } = wanted;
    let walk = Walk::new(api.core().clone(), namespace, prefix);
    let mut export = Export { api, walk, types };
    // Asked for before the answer begins, so that a busy node can say so.
    let first = export.next().await?;
    let pieces = stream::unfold((Some(first), Some(export)), |(ready, export)| async move {
        if let Some(ready) = ready {
            return Some((Ok(ready?), (None, export)));
        }
        let mut export = export?;
        match export.next().await {
            Ok(piece) => Some((Ok(piece?), (None, Some(export)))),
            // The answer breaks off, so that nobody takes it for everything.
            Err(problem) => Some((Err(io::Error::other(problem.detail)), (None, None))),
        }
    });
    Ok(of_type(NDJSON, Body::from_stream(pieces)))
}

struct Export {
    api: Arc<Api>,
    walk: Walk,
    types: bool,
}

impl Export {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let (mut lines, mut bytes): (Vec<Value>, usize) = (Vec::new(), 0);
        while bytes < PIECE_BYTES
            && let Some((key, current)) = self.walk.next().await?
        {
            bytes = bytes.saturating_add(current.kept.bytes());
            bytes = bytes.saturating_add(key.len());
            lines.extend(line::lines(None, &key, &current.kept, self.types));
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let rendered = self.api.room.render(&lines, "\n").await?;
        Ok(Some(rendered.into_bytes()))
    }
}
