//! Reading `history.db`: pages for people, and what waits for a database.

use super::{
    record::{Kind, Row},
    spool::connection,
};
use rusqlite::{Connection, params};
use std::path::Path;

/// Bytes of bodies in one page of an answer; the last row may exceed it.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// Which rows are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Of which kind.
    pub(crate) kind: Kind,
    /// Not before, in milliseconds since 1970.
    pub(crate) from_ms: u64,
    /// Not after.
    pub(crate) to_ms: u64,
    /// About one of these nodes, written as the beginnings of their identities; about any if empty.
    pub(crate) nodes: Vec<String>,
    /// With this code.
    pub(crate) code: Option<String>,
    /// Older than this place.
    pub(crate) before: Option<Place>,
    /// At most so many.
    pub(crate) limit: usize,
}

/// A place in what is read: the moment and number of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    at_ms: u64,
    row: u64,
}

impl Place {
    /// Reads `AT-ROW`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (at_ms, row) = text.split_once('-')?;
        Some(Self {
            at_ms: at_ms.parse().ok()?,
            row: row.parse().ok()?,
        })
    }

    /// As it is sent.
    pub(crate) fn text(self) -> String {
        format!("{}-{}", self.at_ms, self.row)
    }
}

/// Rows, newest first, and where older ones begin, if there are any.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page {
    /// The rows.
    pub(crate) rows: Vec<Row>,
    /// The place of the last one, if there are more.
    pub(crate) next: Option<Place>,
}

/// A reading connection.
#[derive(Debug)]
pub(super) struct Reader(Connection);

impl Reader {
    /// Opens the file of a running spool.
    ///
    /// # Errors
    /// When it can't be opened.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = connection(path)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(Self(connection))
    }

    /// A page of rows.
    ///
    /// # Errors
    /// When the file can't be read.
    pub(super) fn page(&self, wanted: &Wanted) -> rusqlite::Result<Page> {
        let bound = |moment: u64| moment.min(i64::MAX.cast_unsigned()).cast_signed();
        let place = wanted.before.unwrap_or(Place {
            at_ms: u64::MAX,
            row: u64::MAX,
        });
        let nodes = serde_json::to_string(&wanted.nodes).unwrap_or_default();
        // An incident has its nodes in its body.
        let sql = "SELECT row, key, at_ms, node, code, severity, body FROM records WHERE kind = ?1 \
             AND at_ms BETWEEN ?2 AND ?3 AND (at_ms, row) < (?4, ?5) AND (?6 IS NULL OR code = ?6) \
             AND (json_array_length(?7) = 0 OR EXISTS (SELECT 1 FROM json_each(?7) AS wanted WHERE \
             node GLOB wanted.value || '*' OR (kind = 'incident' AND instr(body, '\"' || wanted.value)))) \
             ORDER BY at_ms DESC, row DESC LIMIT ?8";
        let mut select = self.0.prepare_cached(sql)?;
        let mut found = select.query(params![
            wanted.kind.name(),
            bound(wanted.from_ms),
            bound(wanted.to_ms),
            bound(place.at_ms),
            bound(place.row),
            wanted.code,
            nodes,
            // One more tells whether there are more.
            bound(wanted.limit as u64).saturating_add(1),
        ])?;
        let (mut rows, mut bytes, mut last) = (Vec::new(), 0_usize, None);
        while let Some(row) = found.next()? {
            if rows.len() >= wanted.limit || bytes > PAGE_BYTES_MAX {
                return Ok(Page { rows, next: last });
            }
            let (number, at_ms): (i64, i64) = (row.get(0)?, row.get(2)?);
            let body: String = row.get(6)?;
            bytes = bytes.saturating_add(body.len());
            let at_ms = at_ms.cast_unsigned();
            last = Some(Place {
                at_ms,
                row: number.cast_unsigned(),
            });
            rows.push(Row {
                key: row.get(1)?,
                at_ms,
                node: row.get(3)?,
                code: row.get(4)?,
                severity: row.get(5)?,
                body: serde_json::from_str(&body).unwrap_or_default(),
            });
        }
        Ok(Page { rows, next: None })
    }

    /// The oldest rows after a number, at most `rows_max`, and about as many bytes of bodies as a page.
    ///
    /// # Errors
    /// When the file can't be read.
    pub(super) fn after(&self, row: u64, rows_max: usize) -> rusqlite::Result<Vec<Waiting>> {
        let sql = "SELECT row, kind, key, at_ms, node, code, severity, body FROM records \
                   WHERE row > ?1 ORDER BY row LIMIT ?2";
        let mut select = self.0.prepare_cached(sql)?;
        let mut found =
            select.query(params![row.cast_signed(), (rows_max as u64).cast_signed()])?;
        let (mut waiting, mut bytes) = (Vec::new(), 0_usize);
        while let Some(row) = found.next()? {
            if bytes > PAGE_BYTES_MAX {
                break;
            }
            let (number, at_ms): (i64, i64) = (row.get(0)?, row.get(3)?);
            let body: String = row.get(7)?;
            bytes = bytes.saturating_add(body.len());
            waiting.push(Waiting {
                row: number.cast_unsigned(),
                kind: row.get(1)?,
                key: row.get(2)?,
                at_ms,
                node: row.get(4)?,
                code: row.get(5)?,
                severity: row.get(6)?,
                body,
            });
        }
        Ok(waiting)
    }
}

/// A row on its way to a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) row: u64,
    pub(super) kind: String,
    pub(super) key: String,
    pub(super) at_ms: i64,
    pub(super) node: Option<String>,
    pub(super) code: String,
    pub(super) severity: Option<String>,
    pub(super) body: String,
}
