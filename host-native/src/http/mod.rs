//! HTTP: probes, metrics, the API and the console, on the port of the links.
//!
//! | file | what lives there |
//! |---|---|
//! | `guard` | who may ask: Host, Origin, token; the headers of every answer |
//! | `connection`, `places` | whose a connection is, how long it may wait, who gives way |
//! | `asked` | paths, queries and bodies; what is not understood is refused |
//! | `answer` | answers in JSON, bounded in bytes over all requests |
//! | `problem` | errors as problem details (RFC 9457) |
//! | `probes` | `/livez /readyz /startupz /healthz` |
//! | `metrics` | `/metrics` (OpenMetrics) |
//! | `status` | status, members, edges, connections, leave |
//! | `data` | what the data takes, and giving room back |
//! | `verify` | proving that other relays hold the same |
//! | `kv`, `listing`, `entries` | reading and writing values, lists of them, their views |
//! | `typed` | changes of counters, sets, maps and flags, and their parts |
//! | `batch`, `export` | many values in lines of JSON, in and out |
//! | `savepoints` | what was there, kept in files, and going back to it |
//! | `key_parameter` | a key as a parameter instead of a path |
//! | `events`, `sse` | the timeline and changes as streams that resume without gap |
//! | `invites` | join links |
//! | `arrival` | how a request arrived, for `sporenet doctor` |
//! | `reach` | whether linked relays reach this node |
//! | `notify` | trying notification channels out |
//! | `history` | what history has |
//! | `who` | who asks, for the audit log |
//! | `recording` | starting, stopping and fetching a recording |
//! | `openapi` | the API as a document for programs |
//! | `console` | the embedded web bundle |

mod alerts;
mod answer;
pub(crate) mod arrival;
mod asked;
mod batch;
mod connection;
mod console;
mod data;
mod entries;
mod events;
mod export;
pub(crate) mod guard;
pub(crate) mod history;
pub(crate) mod invites;
mod key_parameter;
mod kv;
mod listing;
mod metrics;
mod notify;
mod openapi;
pub(crate) mod places;
mod probes;
pub(crate) mod problem;
pub(crate) mod reach;
mod recording;
mod savepoints;
mod series;
mod sse;
mod status;
mod typed;
pub(crate) mod verify;
mod who;

use crate::{
    channels::Channels,
    clock,
    data_dir::DataDir,
    driver::{Gone, Handle},
    history::History,
    links::{
        Counters, HANDSHAKE_PATIENCE, HEADER_PATIENCE, LinkContext, count, task::LinkTask, ws,
    },
    values::savepoint::Savepoints,
};
use answer::Room;
use axum::{
    Extension, Router,
    extract::{State, WebSocketUpgrade, ws::WebSocket},
    middleware,
    response::Response,
    routing::{delete, get, post},
};
use connection::{Connection, Patient};
use guard::HostRules;
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
pub(crate) use metrics::as_f64;
use places::Places;
use problem::Problem;
use sporenet_core::wire::{close::CloseReason, session::Session};
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// The largest HTTP header block, in bytes.
const HEADER_BYTES_MAX: usize = 32 << 10;
/// How long the core task may take to answer before a request is given up.
const CORE_PATIENCE: Duration = Duration::from_secs(5);
/// How long an answer may wait for room until it is given up.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// The most HTTP connections of strangers at once; beyond it the oldest gives way.
const STRANGERS_MAX: usize = 512;
/// The most HTTP connections at once that have shown the token; more are refused.
const HOLDERS_MAX: usize = 512;
/// The most recordings that are fetched at once. Each holds what was recorded when it began.
const DOWNLOADS_MAX: usize = 2;
/// The most event streams at once; more are refused.
const STREAMS_MAX: usize = 256;

/// A connection's place among all; a link that grows out of it keeps it.
type Place = Arc<OwnedSemaphorePermit>;

/// The address on which a request came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local(pub(crate) SocketAddr);

/// What every handler needs. Not `Debug`: it holds the token.
pub(crate) struct Api {
    /// Links and the core task.
    pub(crate) links: LinkContext,
    /// The bearer token.
    pub(crate) token: String,
    /// Whom requests may address, and which pages may make them.
    pub(crate) hosts: HostRules,
    /// The start of browser links, such as `http://127.0.0.1:7600`.
    pub(crate) console_origin: String,
    /// Open event streams.
    pub(crate) streams: Arc<Semaphore>,
    /// What `sporenet doctor` asks for through the announced addresses.
    pub(crate) word: arrival::Word,
    /// Recordings that are being fetched.
    pub(crate) downloads: Arc<Semaphore>,
    /// Room for rendered answers.
    pub(crate) room: Room,
    /// Batches of lines that are being written.
    pub(crate) batches: Arc<Semaphore>,
    /// What it has on the disk.
    pub(crate) disk: Disk,
    /// How people are told of incidents.
    pub(crate) channels: Channels,
    /// What is kept of what happened.
    pub(crate) history: History,
}

/// What the API has to do with on the disk.
#[derive(Debug)]
pub(crate) struct Disk {
    /// The file of the store.
    pub(crate) store: PathBuf,
    /// Whether it is being made smaller.
    pub(crate) is_shrinking: Arc<AtomicBool>,
    /// What was there, kept in files.
    pub(crate) savepoints: Savepoints,
}

impl Disk {
    /// What is in a data directory.
    pub(crate) fn of(data: &DataDir, is_shrinking: Arc<AtomicBool>) -> Self {
        Self {
            store: data.store_path(),
            is_shrinking,
            savepoints: Savepoints::new(data.savepoints_path()),
        }
    }
}

impl Api {
    /// An API around a node.
    pub(crate) fn new(
        links: LinkContext,
        token: String,
        hosts: HostRules,
        console_origin: String,
        channels: Channels,
        history: History,
        disk: Disk,
    ) -> Self {
        Self {
            links,
            token,
            hosts,
            console_origin,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            word: arrival::Word::default(),
            downloads: Arc::new(Semaphore::new(DOWNLOADS_MAX)),
            room: Room::new(),
            batches: Arc::new(Semaphore::new(batch::BATCHES_MAX)),
            channels,
            history,
            disk,
        }
    }

    const fn core(&self) -> &Handle {
        &self.links.core
    }
}

/// Waits for the core task, but not for ever.
///
/// # Errors
/// When it is busy or stops.
pub(crate) async fn within_patience<T>(
    asked: impl Future<Output = Result<T, Gone>> + Send,
) -> Result<T, Problem> {
    match tokio::time::timeout(CORE_PATIENCE, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(Gone)) => Err(Problem::stopping()),
        Err(_) => Err(Problem::busy()),
    }
}

/// Serves HTTP on accepted connections.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    router: Router,
    strangers: Arc<Places>,
    holders: Arc<Semaphore>,
    counters: Arc<Counters>,
}

impl Server {
    /// A server for an API.
    pub(crate) fn new(api: Arc<Api>) -> Self {
        Self {
            strangers: Places::new(STRANGERS_MAX),
            holders: Arc::new(Semaphore::new(HOLDERS_MAX)),
            counters: Arc::clone(&api.links.counters),
            router: router(api),
        }
    }

    /// Serves one connection, which came in at `local` from `peer`, to its end.
    pub(crate) async fn serve<S>(
        &self,
        stream: S,
        (local, peer): (SocketAddr, SocketAddr),
        place: OwnedSemaphorePermit,
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let local = Local(SocketAddr::new(local.ip().to_canonical(), local.port()));
        let place: Place = Arc::new(place);
        let connection = Arc::new(Connection::new(
            self.strangers.take(),
            Arc::clone(&self.holders),
            Arc::clone(&self.counters),
        ));
        let (stream, own) = (
            Patient::new(stream, Arc::clone(&connection)),
            Arc::clone(&connection),
        );
        let inner = TowerToHyperService::new(self.router.clone());
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            if let Some(uri) = key_parameter::in_path(request.uri()) {
                *request.uri_mut() = uri;
            }
            request.extensions_mut().insert(local);
            request.extensions_mut().insert(who::Peer(peer));
            request.extensions_mut().insert(Arc::clone(&place));
            request.extensions_mut().insert(Arc::clone(&own));
            inner.call(request)
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_PATIENCE)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let ended = tokio::select! {
            ended = served => ended,
            () = connection.displaced() => return,
        };
        if let Err(error) = ended {
            tracing::trace!(%error, "an HTTP connection ended");
        }
    }
}

fn router(api: Arc<Api>) -> Router {
    let v1 = Router::new()
        .route("/openapi.json", get(openapi::openapi))
        .route("/status", get(status::status))
        .route("/members", get(status::members))
        .route("/edges", get(status::edges))
        .route("/connections", get(status::connections))
        .route("/health", get(status::health))
        .route("/metrics", get(series::list))
        .route("/metrics/{series}", get(series::points))
        .route("/metrics/{series}/outlook", get(series::outlook))
        .route("/leave", post(status::leave))
        .route("/forget", post(status::forget))
        .route("/invites", post(invites::invite))
        .route("/notify", get(notify::list))
        .route("/notify/test", post(notify::test))
        .route("/recording", get(recording::status).post(recording::switch))
        .route("/recording/file", get(recording::file))
        .route("/alerts", get(alerts::list))
        .route("/incidents", get(alerts::incidents))
        .route("/incidents/{id}", get(alerts::incident))
        .route("/ack", post(alerts::acknowledge))
        .route("/resolve", post(alerts::resolve))
        .route("/silences", get(alerts::silences).post(alerts::silence))
        .route("/silences/{id}", delete(alerts::unsilence))
        .route("/channels", get(alerts::channels))
        .route("/settings", get(alerts::settings))
        .route("/settings/{key}", get(alerts::setting).put(alerts::set))
        .route("/settings/{key}/history", get(alerts::history))
        .route("/settings/{key}/revert", post(alerts::revert))
        .route("/dry-run", post(alerts::dry_run))
        .route("/vitals", get(status::vitals))
        .route("/rtt", get(status::rtt))
        .route("/arrival", post(arrival::prepare))
        .route("/reach", post(reach::reach))
        .route("/events", get(events::timeline))
        .route("/history", get(history::status))
        .route("/history/{kind}", get(history::page))
        .route("/verify", post(verify::verify))
        .route("/data", get(data::data))
        .route("/compact", post(data::compact))
        .merge(values())
        .fallback(problem::not_found);
    Router::new()
        .nest("/api/v1", v1)
        .route("/livez", get(probes::livez))
        .route("/readyz", get(probes::readyz))
        .route("/healthz", get(probes::readyz))
        .route("/startupz", get(probes::startupz))
        .route("/metrics", get(metrics::metrics))
        .route("/arrival/{word}", get(arrival::told))
        .route(ws::PATH, get(link))
        .fallback(console::asset)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&api),
            guard::guard,
        ))
        .with_state(api)
}

/// The part of the API that is about values.
fn values() -> Router<Arc<Api>> {
    Router::new()
        .route("/kv", get(listing::namespaces))
        .route(
            "/savepoints",
            get(savepoints::list).post(savepoints::create),
        )
        .route("/savepoints/{name}", delete(savepoints::delete))
        .route("/savepoints/{name}/diff", get(savepoints::diff))
        .route("/savepoints/{name}/rollback", post(savepoints::rollback))
        .route("/kv/{ns}", get(listing::list).post(batch::write))
        .route(
            "/kv/{ns}/watch",
            get(events::watch)
                .put(kv::put_watch)
                .delete(kv::delete_watch),
        )
        .route(
            "/kv/{ns}/{*key}",
            get(kv::read)
                .put(kv::put)
                .delete(kv::delete)
                .post(typed::change)
                .patch(typed::patch),
        )
}

/// A WebSocket link: the same session as on TCP, after the upgrade.
async fn link(
    State(api): State<Arc<Api>>,
    Extension(place): Extension<Place>,
    Extension(connection): Extension<Arc<Connection>>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let handshake = Arc::clone(&api.links.handshakes)
        .try_acquire_owned()
        .map_err(|_| {
            count(&api.links.counters.turned_away);
            api.links.core.refused(CloseReason::Busy);
            Problem::busy()
        })?;
    let mut registration = within_patience(api.links.core.register()).await?;
    registration.params.limits.handshake_patience = HANDSHAKE_PATIENCE;
    let entropy = clock::entropy().ok_or_else(Problem::busy)?;
    let (context, core, link) = (api.links.clone(), api.core().clone(), registration.link);
    let (params, now) = (registration.params.clone(), context.clock.now());
    let task = LinkTask::new(
        registration,
        Session::accept(params, entropy, now),
        None,
        Some(handshake),
        context,
    );
    connection.link();
    Ok(upgrade
        .max_message_size(ws::WS_MESSAGE_BYTES_MAX)
        .max_frame_size(ws::WS_MESSAGE_BYTES_MAX)
        .write_buffer_size(0)
        .max_write_buffer_size(ws::WRITE_BUFFER_BYTES_MAX)
        .on_failed_upgrade(move |_| core.forget(link))
        .on_upgrade(move |socket: WebSocket| async move {
            let _place = place;
            let (reader, transmitter) = ws::split_accepted(socket);
            task.run(reader, transmitter).await;
        }))
}
