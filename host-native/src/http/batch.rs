//! Many values in one request: a line of JSON each, and a line with what came of it. A line that is
//! refused fails alone.

use crate::{
    http::{
        ANSWER_PATIENCE, Api,
        answer::of_type,
        asked::{InPath, InQuery, read_body},
        kv::{Writing, namespace_of},
        listing::NDJSON,
        problem::Problem,
    },
    values::{
        line::{BadLine, Line},
        write::{self, Wanted, Wish, Written},
    },
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use futures_util::stream;
use serde::Serialize;
use sporenet_core::{
    kernel::text::{Key, Namespace},
    replication::write::AckLevel,
};
use std::{io, sync::Arc};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

/// The most batches of lines at once: each holds a body in memory. Others wait.
pub(crate) const BATCHES_MAX: usize = 4;
/// The largest body, in bytes. What is larger is sent in several.
const BODY_BYTES_MAX: usize = 16 << 20;
/// How many lines are written together. Fewer fill no batches; of more, the first results come late.
const LINES_AT_ONCE: usize = 16_384;

/// What came of a line.
#[derive(Debug, Serialize)]
struct Outcome {
    /// Its number, from 1.
    line: u64,
    /// Its key, if that much was understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(flatten)]
    done: Done,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Done {
    Written { revision: u64 },
    Refused { code: &'static str, detail: String },
}

/// The last line of an answer: without it, it is not whole.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    done: bool,
    lines: u64,
    written: u64,
    refused: u64,
    ack: AckLevel,
    warning: Option<&'a str>,
}

/// `POST /api/v1/kv/{ns}`.
pub(crate) async fn write(
    State(api): State<Arc<Api>>,
    InPath(ns): InPath<String>,
    InQuery(writing): InQuery<Writing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let namespace = namespace_of(&ns)?;
    let place = timeout(ANSWER_PATIENCE, Arc::clone(&api.batches).acquire_owned()).await;
    let place = place
        .map_err(|_| Problem::busy())?
        .map_err(|_| Problem::stopping())?;
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("The body is too large; it may have {BODY_BYTES_MAX} bytes. Send several."),
        )
    };
    let body = read_body(&headers, body, BODY_BYTES_MAX, too_large).await?;
    let work = Work {
        api,
        namespace,
        level: writing.ack.unwrap_or_default(),
        body,
        line: 0,
        written: 0,
        refused: 0,
        warning: None,
        _place: place,
    };
    let pieces = stream::unfold(Some(work), |work| async move {
        let mut work = work?;
        match work.next().await {
            Ok((piece, true)) => Some((Ok(piece), Some(work))),
            Ok((piece, false)) => Some((Ok(piece), None)),
            // The answer breaks off before its last line.
            Err(problem) => Some((Err(io::Error::other(problem.detail)), None)),
        }
    });
    Ok(of_type(NDJSON, Body::from_stream(pieces)))
}

/// What is left of a batch.
struct Work {
    api: Arc<Api>,
    namespace: Namespace,
    level: AckLevel,
    /// The lines that follow.
    body: Bytes,
    /// The number of the last line.
    line: u64,
    written: u64,
    refused: u64,
    warning: Option<String>,
    _place: OwnedSemaphorePermit,
}

impl Work {
    /// Writes the next lines; answers what came of them, and whether more follow.
    async fn next(&mut self) -> Result<(Bytes, bool), Problem> {
        let (mut outcomes, mut wishes, mut places) = (Vec::new(), Vec::new(), Vec::new());
        while outcomes.len() < LINES_AT_ONCE
            && let Some(text) = self.take()
        {
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let (key, done) = match wish_of(&self.namespace, &text) {
                Ok(wish) => {
                    let key = wish.key.to_string();
                    wishes.push(wish);
                    places.push(outcomes.len());
                    // Until it is known.
                    (Some(key), Done::Written { revision: 0 })
                }
                Err(BadLine { key, reason }) => {
                    let (code, detail) = ("bad_line", reason);
                    (key, Done::Refused { code, detail })
                }
            };
            let line = self.line;
            outcomes.push(Outcome { line, key, done });
        }
        let answers = write::all(self.api.core(), wishes, self.level).await;
        for (place, answer) in places.into_iter().zip(answers) {
            if let Some(outcome) = outcomes.get_mut(place) {
                outcome.done = self.done(answer);
            }
        }
        self.count(&outcomes);
        let rendered = self.api.room.render(&outcomes, "\n").await?;
        if !self.body.is_empty() {
            return Ok((rendered.into_bytes(), true));
        }
        let mut last = rendered.as_text().as_bytes().to_vec();
        let summary = self.api.room.render(&[self.summary()], "\n").await?;
        last.extend_from_slice(summary.as_text().as_bytes());
        Ok((last.into(), false))
    }

    /// The next line, without its end.
    fn take(&mut self) -> Option<Bytes> {
        if self.body.is_empty() {
            return None;
        }
        self.line = self.line.saturating_add(1);
        let end = self.body.iter().position(|byte| *byte == b'\n');
        let line = self.body.split_to(end.unwrap_or(self.body.len()));
        if end.is_some() {
            let _ = self.body.split_to(1);
        }
        Some(line)
    }

    fn done(&mut self, answer: Result<Written, Problem>) -> Done {
        match answer {
            Ok(Written { revision, warning }) => {
                self.warning = warning.or_else(|| self.warning.take());
                Done::Written { revision }
            }
            Err(Problem { code, detail, .. }) => Done::Refused { code, detail },
        }
    }

    fn count(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            let counted = match outcome.done {
                Done::Written { .. } => &mut self.written,
                Done::Refused { .. } => &mut self.refused,
            };
            *counted = counted.saturating_add(1);
        }
    }

    fn summary(&self) -> Summary<'_> {
        Summary {
            done: true,
            lines: self.line,
            written: self.written,
            refused: self.refused,
            ack: self.level,
            warning: self.warning.as_deref(),
        }
    }
}

fn wish_of(namespace: &Namespace, text: &[u8]) -> Result<Wish, BadLine> {
    let Line {
        namespace: of,
        key,
        kept,
    } = Line::read(text)?;
    let bad = |reason: String| BadLine {
        key: Some(key.clone()),
        reason,
    };
    if of.is_some_and(|of| of != **namespace) {
        return Err(bad("The line is of another namespace.".to_owned()));
    }
    let key = Key::new(&key).map_err(|error| bad(format!("The key is not valid: {error}.")))?;
    Ok(Wish {
        namespace: namespace.clone(),
        key,
        wanted: kept.map_or(Wanted::Gone, Wanted::Held),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_key_of_this_namespace_or_is_refused() {
        let namespace = Namespace::new("app").unwrap();
        let wish = wish_of(&namespace, br#"{"key":"k","deleted":true}"#).unwrap();
        assert_eq!((&*wish.key, wish.wanted), ("k", Wanted::Gone));
        let own = br#"{"namespace":"app","key":"k","value":"v"}"#;
        assert!(wish_of(&namespace, own).is_ok());
        for (text, word) in [
            (
                &br#"{"namespace":"other","key":"k","value":"v"}"#[..],
                "another namespace",
            ),
            (br#"{"key":"","value":"v"}"#, "key is not valid"),
        ] {
            let refused = wish_of(&namespace, text).unwrap_err();
            assert!(refused.reason.contains(word), "{}", refused.reason);
        }
    }
}
