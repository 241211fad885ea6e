//! The database's tables, and rows on their way into them.
//!
//! Several relays may share one database: each row has its relay's identity in its key. Rows and the
//! place up to which they are there move in one transaction.

use super::{read::Waiting, target::Target, tls};
use rustls::pki_types::CertificateDer;
use std::{error::Error as _, fmt, time::Duration};
use tokio::time::timeout;
use tokio_postgres::{
    Client, Statement, Transaction,
    error::{DbError, SqlState},
};

/// How long one conversation with the database may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Held while tables are made: relays that start together take turns.
const LOCK: i64 = 0x5b0e_4e37;

/// What brings the tables from each version to the next. A step that was released never changes.
const STEPS: [&str; 1] = ["
    CREATE TABLE sporenet_history (
        relay text NOT NULL,
        kind text NOT NULL,
        key text NOT NULL,
        at timestamptz NOT NULL,
        node text,
        code text NOT NULL,
        severity text,
        body jsonb NOT NULL,
        PRIMARY KEY (relay, kind, key)
    );
    CREATE INDEX sporenet_history_by_time ON sporenet_history (kind, at);
    CREATE TABLE sporenet_relays (
        relay text NOT NULL,
        spool text NOT NULL,
        shipped_row bigint NOT NULL,
        seen timestamptz NOT NULL,
        PRIMARY KEY (relay, spool)
    );
    CREATE VIEW sporenet_events AS
        SELECT relay, at, severity, code, node, body->>'text' AS text
        FROM sporenet_history WHERE kind = 'event';
    CREATE VIEW sporenet_audit AS
        SELECT relay, at, code AS action, body->>'who' AS who, node, body->>'detail' AS detail,
            body->>'outcome' AS outcome
        FROM sporenet_history WHERE kind = 'audit';
    CREATE VIEW sporenet_metrics AS
        SELECT relay, at, kind AS step, node, code AS series, body->>'unit' AS unit,
            (body->>'points')::bigint AS points, (body->>'mean')::float8 AS mean,
            (body->>'min')::float8 AS min, (body->>'max')::float8 AS max,
            (body->>'last')::float8 AS last
        FROM sporenet_history WHERE kind IN ('minute', 'hour');
    CREATE VIEW sporenet_alerts AS
        SELECT relay, key AS id, at AS since, severity, code AS rule, node,
            body->>'metric' AS metric, body->>'state' AS state, body->>'text' AS text,
            to_timestamp((body->>'ended_ms')::bigint / 1000.0) AS ended,
            body->>'acknowledged_by' AS acknowledged_by, body->>'note' AS note
        FROM sporenet_history WHERE kind = 'alert';
    CREATE VIEW sporenet_incidents AS
        SELECT relay, key AS id, at AS since, severity, code AS cause, body->>'title' AS title,
            body->>'state' AS state, body->'nodes' AS nodes, body->'alerts' AS alerts,
            to_timestamp((body->>'ended_ms')::bigint / 1000.0) AS ended
        FROM sporenet_history WHERE kind = 'incident';
"];

/// A row that is there already stays as it is; what goes on takes its later state.
const INSERT: &str = "
    INSERT INTO sporenet_history (relay, kind, key, at, node, code, severity, body)
    SELECT $1, kind, key, to_timestamp(at_ms / 1000.0), node, code, severity, body::jsonb
    FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[])
        AS fresh (kind, key, at_ms, node, code, severity, body)
    ON CONFLICT (relay, kind, key) DO UPDATE SET at = excluded.at, node = excluded.node,
        code = excluded.code, severity = excluded.severity, body = excluded.body
    WHERE excluded.kind IN ('alert', 'incident')";
const MOVE: &str = "
    INSERT INTO sporenet_relays (relay, spool, shipped_row, seen) VALUES ($1, $2, $3, now())
    ON CONFLICT (relay, spool) DO UPDATE SET shipped_row = excluded.shipped_row, seen = excluded.seen";

/// Why the database did not do it.
#[derive(Debug)]
pub(super) enum Failed {
    /// What it said, or what the way to it said.
    Database(tokio_postgres::Error),
    /// It did not answer in time.
    Silent,
    /// TLS can't be set up here.
    Tls(rustls::Error),
    /// A later version of the program made its tables.
    Later(i32),
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => match error.as_db_error() {
                Some(said) => write!(f, "{} ({})", said.message(), said.code().code()),
                None => {
                    write!(f, "{error}")?;
                    let mut cause = error.source();
                    while let Some(at) = cause {
                        write!(f, ": {at}")?;
                        cause = at.source();
                    }
                    Ok(())
                }
            },
            Self::Silent => write!(f, "it did not answer within {} s", PATIENCE.as_secs()),
            Self::Tls(error) => write!(f, "TLS can't be set up: {error}"),
            Self::Later(version) => write!(
                f,
                "a later version of this program made its tables (version {version}, this one knows \
                 {}); update this relay",
                STEPS.len()
            ),
        }
    }
}

/// A connection to a database that has the tables.
#[derive(Debug)]
pub(super) struct Database {
    client: Client,
    insert: Statement,
    advance: Statement,
    relay: String,
    spool: String,
}

/// What became of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shipped {
    /// How many were new or changed.
    pub(super) taken: u64,
    /// How many it refuses for what is in them, now and ever.
    pub(super) refused: u64,
}

impl Database {
    /// Connects, and makes or updates the tables. Answers up to which row the relay's spool is there.
    ///
    /// # Errors
    /// When it does not answer, refuses, or is of a later version.
    pub(super) async fn connect(
        target: &Target,
        authorities: &[CertificateDer<'static>],
        (relay, spool): (String, String),
    ) -> Result<(Self, u64), Failed> {
        let tls = tls::connector(target.security, authorities).map_err(Failed::Tls)?;
        let (mut client, connection) = in_time(target.config().connect(tls)).await?;
        // Ends when the client is dropped.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the history's database ended");
            }
        });
        timeout(PATIENCE, migrate(&mut client))
            .await
            .map_err(|_| Failed::Silent)??;
        let insert = in_time(client.prepare(INSERT)).await?;
        let advance = in_time(client.prepare(MOVE)).await?;
        let place = "SELECT shipped_row FROM sporenet_relays WHERE relay = $1 AND spool = $2";
        let row = in_time(client.query_opt(place, &[&relay, &spool])).await?;
        let row = row.map_or(Ok(0), |row| row.try_get::<_, i64>(0))?;
        let database = Self {
            client,
            insert,
            advance,
            relay,
            spool,
        };
        Ok((database, row.cast_unsigned()))
    }

    /// Puts rows there, and moves the place to the last of them, in one transaction.
    ///
    /// # Errors
    /// When it does not answer or refuses; nothing has changed there, or everything.
    pub(super) async fn ship(&mut self, rows: &[Waiting]) -> Result<Shipped, Failed> {
        let together = timeout(PATIENCE, self.ship_together(rows)).await;
        match together.map_err(|_| Failed::Silent)? {
            Err(error) if is_about_content(&error) => timeout(PATIENCE, self.ship_one_by_one(rows))
                .await
                .map_err(|_| Failed::Silent)?
                .map_err(Failed::from),
            other => other.map_err(Failed::from),
        }
    }

    async fn ship_together(&mut self, rows: &[Waiting]) -> Result<Shipped, tokio_postgres::Error> {
        let transaction = self.client.transaction().await?;
        let taken = insert(&transaction, &self.insert, &self.relay, rows).await?;
        let (relay, spool) = (&self.relay, &self.spool);
        advance(&transaction, &self.advance, (relay, spool), rows).await?;
        transaction.commit().await?;
        Ok(Shipped { taken, refused: 0 })
    }

    /// Leaves out what the database refuses for what is in it: trying again would never help.
    async fn ship_one_by_one(
        &mut self,
        rows: &[Waiting],
    ) -> Result<Shipped, tokio_postgres::Error> {
        let mut shipped = Shipped::default();
        let mut transaction = self.client.transaction().await?;
        for row in rows {
            let attempt = transaction.transaction().await?;
            let one = std::slice::from_ref(row);
            match insert(&attempt, &self.insert, &self.relay, one).await {
                Ok(taken) => {
                    attempt.commit().await?;
                    shipped.taken += taken;
                }
                Err(error) if is_about_content(&error) => {
                    attempt.rollback().await?;
                    shipped.refused += 1;
                    let (kind, key) = (&row.kind, &row.key);
                    tracing::warn!(code = "history_refused", kind, key, %error, "the database refuses a record");
                }
                Err(error) => return Err(error),
            }
        }
        let (relay, spool) = (&self.relay, &self.spool);
        advance(&transaction, &self.advance, (relay, spool), rows).await?;
        transaction.commit().await?;
        Ok(shipped)
    }
}

async fn in_time<T>(
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Failed> {
    timeout(PATIENCE, asked)
        .await
        .map_err(|_| Failed::Silent)?
        .map_err(Failed::from)
}

/// Classes 22 and 23 of SQLSTATE are about values and constraints.
fn is_about_content(error: &tokio_postgres::Error) -> bool {
    let code = error.as_db_error().map(DbError::code).map(SqlState::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

async fn insert(
    transaction: &Transaction<'_>,
    statement: &Statement,
    relay: &str,
    rows: &[Waiting],
) -> Result<u64, tokio_postgres::Error> {
    let texts = |of: fn(&Waiting) -> &str| rows.iter().map(of).collect::<Vec<&str>>();
    let optional =
        |of: fn(&Waiting) -> Option<&str>| rows.iter().map(of).collect::<Vec<Option<&str>>>();
    let (kinds, keys) = (texts(|row| &row.kind), texts(|row| &row.key));
    let moments: Vec<i64> = rows.iter().map(|row| row.at_ms).collect();
    let nodes = optional(|row| row.node.as_deref());
    let codes = texts(|row| &row.code);
    let severities = optional(|row| row.severity.as_deref());
    let bodies = texts(|row| &row.body);
    transaction
        .execute(
            statement,
            &[
                &relay,
                &kinds,
                &keys,
                &moments,
                &nodes,
                &codes,
                &severities,
                &bodies,
            ],
        )
        .await
}

async fn advance(
    transaction: &Transaction<'_>,
    statement: &Statement,
    (relay, spool): (&str, &str),
    rows: &[Waiting],
) -> Result<u64, tokio_postgres::Error> {
    let last = rows.last().map_or(0, |row| row.row.cast_signed());
    transaction
        .execute(statement, &[&relay, &spool, &last])
        .await
}

/// Makes the tables, or brings them to this program's version.
async fn migrate(client: &mut Client) -> Result<(), Failed> {
    let there = "SELECT to_regclass('sporenet_schema') IS NOT NULL";
    let is_there: bool = client.query_one(there, &[]).await?.try_get(0)?;
    // Looked at first: a user who may only write rows need not be allowed to make tables.
    if is_there && version(client).await? == STEPS.len() {
        return Ok(());
    }
    let transaction = client.transaction().await?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
        .await?;
    transaction
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS sporenet_schema (
                version integer PRIMARY KEY,
                since timestamptz NOT NULL DEFAULT now()
            )",
        )
        .await?;
    let from = version(&transaction).await?;
    for (index, step) in STEPS.iter().enumerate().skip(from) {
        transaction.batch_execute(step).await?;
        let reached = i32::try_from(index).unwrap_or(i32::MAX).saturating_add(1);
        transaction
            .execute(
                "INSERT INTO sporenet_schema (version) VALUES ($1)",
                &[&reached],
            )
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// The version of the tables.
///
/// # Errors
/// When it is later than this program's.
async fn version<C: tokio_postgres::GenericClient>(client: &C) -> Result<usize, Failed> {
    let sql = "SELECT coalesce(max(version), 0) FROM sporenet_schema";
    let version: i32 = client.query_one(sql, &[]).await?.try_get(0)?;
    match usize::try_from(version) {
        Ok(known) if known <= STEPS.len() => Ok(known),
        Ok(_) | Err(_) => Err(Failed::Later(version)),
    }
}
