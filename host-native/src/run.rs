//! `sporenet run`: from settings to a running relay, and to its orderly end.

use crate::{
    calling,
    channels::Channels,
    cli::RunArgs,
    clock::{self, Clock},
    config::Settings,
    data_dir::{self, DataDir},
    descriptors,
    driver::{Driver, Handle, STORE_INBOX_MAX},
    exit::{Code, Failure},
    history::{History, minutes},
    http::{self, Api, Disk, guard::HostRules, places::Places as Seats},
    join_links,
    links::{
        LinkContext,
        listener::{self, Acceptor},
        tls,
    },
    logging,
    store::{self, Store},
    vitals,
    welcome::{self, Welcome},
};
use rustls::ServerConfig;
use sporenet_core::{
    kernel::{
        address::{Address, Transport},
        id::Role,
        store::Stored,
    },
    membership::{join_link::JoinLink, member::ADDRESSES_MAX},
    node::{
        Node,
        config::Config,
        contract,
        setup::{Setup, StartError},
    },
    observe::metrics,
};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::{Semaphore, mpsc},
    task::{JoinError, JoinHandle, JoinSet},
    time::timeout,
};

/// How long an orderly stop may take; the promise is 5 s.
const STOP_PATIENCE: Duration = Duration::from_millis(4_500);

/// Runs a relay until it leaves, stops or fails.
///
/// # Errors
/// When it can't start, or its core or store fails.
pub(crate) fn run(args: &RunArgs) -> Result<(), Failure> {
    let settings = Settings::load(args)?;
    let join = join_links::read(&args.join)?;
    logging::start(settings.log_format.value, &settings.log.value);
    if let Some(limit) = descriptors::raise()
        && limit < u64::from(settings.connections_max.value) + descriptors::OWN
    {
        tracing::warn!(
            code = "few_descriptors",
            limit,
            "fewer files may be open than `connections_max` needs; raise the hard limit"
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("sporenet")
        .build()
        .map_err(|error| Failure::new(Code::Io, format!("no threads for the node: {error}")))?;
    let outcome = runtime.block_on(serve(&settings, join));
    // Connections that are still open must not hold the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}

async fn serve(settings: &Settings, join: Option<JoinLink>) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let data = DataDir::open(&settings.data.value)?;
    if data.is_open_to_others() {
        tracing::warn!(
            code = "data_dir_open",
            path = %settings.data.value.display(),
            "other users may enter the data directory; its files are private, but make it 0700"
        );
    }
    let token = data.token()?;
    let (connection, stored) = store::open(&data.store_path(), &data.reserve())?.into_parts();
    let clock = Clock::start();
    let dialling = tls::Dialling::new(&settings.tls_ca.value)?;
    let (channels, deliveries) = Channels::start(&settings.channels.value, &dialling, clock)?;
    let secured = tls::acceptor(&settings.listen_tls.value)?;
    let sockets = listener::bind(&settings.listen.value).await?;
    let places = Places::new(settings, &sockets);
    let first_start = stored.entries.is_empty() && stored.journal.is_empty();
    let mut node = start_node(settings, &places, join, stored, clock)?;
    if settings.record.value {
        node.start_recording(settings.record_bytes_max.value);
        tracing::info!(
            code = "recording",
            "recording from the start, data included"
        );
    }
    let welcome = Welcome::new(&node, settings, &places, first_start);
    let (store_sender, store_inbox) = mpsc::channel(STORE_INBOX_MAX);
    let store = Store::start(connection, store_sender)?;
    let handshakes = Arc::new(Semaphore::new(size(settings.handshakes_max.value)));
    let ring = settings.record_bytes_max.value;
    let (latency, is_shrinking) = (store.latency.clone(), store.is_shrinking.clone());
    let (of_history, authorities) = (&settings.history, &settings.tls_ca.value);
    let history = History::start(of_history, authorities, &data.history_path(), &node)?;
    let (mut driver, links) =
        Driver::new(node, clock, store, store_inbox, handshakes, dialling, ring);
    driver.keep(history.clone());
    driver.tell_by(channels.clone(), places.origin());
    let core = links.core.clone();
    let mut driver = tokio::spawn(driver.run());
    let reader = vitals::Reader::new(&settings.data.value);
    let queued = Arc::clone(&links.queued);
    let sampling = tokio::spawn(vitals::run(core.clone(), reader, latency, queued));
    let keeping = tokio::spawn(minutes::run(core.clone(), history.clone()));
    let api = Arc::new(Api::new(
        links.clone(),
        token,
        places.hosts(settings),
        places.origin(),
        channels,
        history.clone(),
        Disk::of(&data, is_shrinking),
    ));
    let announced = calling::announced(&settings.channels.value);
    // Else the driver has ended already, which is told below.
    let _ = core.signal(contract::Signal::Channels(announced)).await;
    let reporting = tokio::spawn(calling::report(deliveries, core.clone()));
    // Before anything is answered: who finds the node ready finds its address too.
    data.announce(places.reachable())?;
    let mut listeners = accept(settings, sockets, secured, links, &api);
    let welcoming = tokio::spawn(welcome::say(welcome, api));
    let outcome = until_the_end(&mut signals, &mut driver, &mut listeners, &core).await;
    welcoming.abort();
    sampling.abort();
    reporting.abort();
    keeping.abort();
    // After the core task: its last word is in it too.
    history.finish().await;
    data.withdraw();
    outcome
}

fn size(number: u32) -> usize {
    usize::try_from(number)
        .unwrap_or(usize::MAX)
        .min(Semaphore::MAX_PERMITS)
}

fn accept(
    settings: &Settings,
    sockets: Vec<TcpListener>,
    tls: Option<Arc<ServerConfig>>,
    links: LinkContext,
    api: &Arc<Api>,
) -> JoinSet<()> {
    let acceptor = Acceptor {
        links,
        http: http::Server::new(Arc::clone(api)),
        tls,
        silent: Seats::new(size(settings.handshakes_max.value)),
        connections: Arc::new(Semaphore::new(size(settings.connections_max.value))),
    };
    sockets
        .into_iter()
        .map(|socket| acceptor.clone().serve(socket))
        .collect()
}

fn start_node(
    settings: &Settings,
    places: &Places,
    join: Option<JoinLink>,
    stored: Stored,
    clock: Clock,
) -> Result<Node, Failure> {
    let setup = Setup {
        config: Config {
            role: Role::Relay,
            name: settings.name.value.clone(),
            zone: settings.zone.value.clone(),
            location: settings.location.value.map(|place| place.0),
            addresses: places.advertised.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            network_name: settings.network_name.value.clone(),
            entries: Vec::new(),
            history_bytes_max: metrics::BYTES_MAX,
        },
        entropy: clock::entropy().ok_or_else(data_dir::no_entropy)?,
        wall: clock::wall(),
        stored,
        join,
        may_found: !settings.require_member.value,
    };
    Node::start(setup, clock.now()).map_err(|error| {
        let code = match &error {
            StartError::Config(_)
            | StartError::OtherNetwork
            | StartError::NoNetwork
            | StartError::NotAMember => Code::Config,
            StartError::Damaged(_) => Code::Io,
        };
        Failure::new(code, error.to_string())
    })
}

/// Where this node is reached.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Where it listens.
    pub(crate) bound: Vec<SocketAddr>,
    /// What it tells others.
    pub(crate) advertised: Vec<Address>,
}

impl Places {
    fn new(settings: &Settings, sockets: &[TcpListener]) -> Self {
        let bound: Vec<SocketAddr> = sockets
            .iter()
            .filter_map(|socket| socket.local_addr().ok())
            .collect();
        let mut advertised: Vec<Address> = settings
            .advertise
            .value
            .iter()
            .map(|advertise| advertise.0.clone())
            .collect();
        if advertised.is_empty() {
            let derived: BTreeSet<Address> = bound.iter().filter_map(address_of).collect();
            advertised = derived.into_iter().take(ADDRESSES_MAX).collect();
        }
        if bound.iter().any(|address| !address.ip().is_loopback()) {
            tracing::warn!(
                code = "http_exposed",
                "the port is reachable from other machines: links are encrypted, HTTP is not; \
                 use it through a TLS proxy, or trust the network"
            );
        }
        Self { bound, advertised }
    }

    /// The host names that requests may address.
    fn hosts(&self, settings: &Settings) -> HostRules {
        let bound = self
            .bound
            .iter()
            .map(SocketAddr::ip)
            .filter(|ip| !ip.is_unspecified());
        let advertised = self.advertised.iter();
        let own = bound
            .map(|ip| ip.to_string())
            .chain(
                settings
                    .listen
                    .value
                    .iter()
                    .map(|listen| listen.host().to_owned()),
            )
            .chain(advertised.clone().map(|address| address.host().to_owned()));
        let hosts = settings.allowed_hosts.value.iter();
        let hosts = hosts.map(|host| host.as_str().to_owned());
        // Behind a proxy others reach it on another port than ours, or on the default one.
        let allowed = advertised
            .filter(|_| !settings.advertise.value.is_empty())
            .map(|address| format!("{}:{}", address.host(), address.port()))
            .chain(hosts);
        HostRules::new(own, allowed, settings.allowed_origins.value.iter().cloned())
    }

    /// The start of browser links.
    pub(crate) fn origin(&self) -> String {
        match self.advertised.first() {
            Some(address) => {
                let scheme = match address.transport() {
                    Transport::Wss => "https",
                    Transport::Tcp | Transport::Ws => "http",
                };
                let authority = match address.transport() {
                    // Links over TCP and the page are on one port.
                    Transport::Tcp => address.over(Transport::Ws).authority(),
                    Transport::Ws | Transport::Wss => address.authority(),
                };
                format!("{scheme}://{authority}{}", address.path())
            }
            None => format!("http://{}", self.reachable()),
        }
    }

    /// Where a program on this machine reaches the API.
    pub(crate) fn reachable(&self) -> SocketAddr {
        let first = self.bound.iter().find(|address| address.ip().is_loopback());
        let mut address = first
            .or_else(|| self.bound.first())
            .copied()
            .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, crate::config::PORT)));
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        address
    }
}

/// The address to announce for a listening socket. For one that listens everywhere it is the address
/// from which this machine reaches others.
fn address_of(bound: &SocketAddr) -> Option<Address> {
    let ip = if bound.ip().is_unspecified() {
        outward_ip(bound.ip())
    } else {
        bound.ip()
    };
    let host = match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Address::new(Transport::Tcp, &host, bound.port()).ok()
}

/// Asks the routing table; connecting a UDP socket sends nothing. The peers are documentation
/// addresses (RFC 5737, RFC 3849).
fn outward_ip(unspecified: IpAddr) -> IpAddr {
    let (peer, loopback): (IpAddr, IpAddr) = match unspecified {
        IpAddr::V4(_) => (
            Ipv4Addr::new(192, 0, 2, 1).into(),
            Ipv4Addr::LOCALHOST.into(),
        ),
        IpAddr::V6(_) => (
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
            Ipv6Addr::LOCALHOST.into(),
        ),
    };
    UdpSocket::bind((unspecified, 0))
        .and_then(|socket| {
            socket.connect((peer, 9))?;
            socket.local_addr()
        })
        .map_or(loopback, |address| address.ip())
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::new(Code::Io, format!("no signals: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

type Running = JoinHandle<Result<(), Failure>>;

async fn until_the_end(
    signals: &mut Signals,
    driver: &mut Running,
    listeners: &mut JoinSet<()>,
    core: &Handle,
) -> Result<(), Failure> {
    tokio::select! {
        outcome = &mut *driver => return ended(outcome),
        () = signals.next() => {}
        Some(_) = listeners.join_next() => {
            return Err(Failure::new(Code::Failed, "a listening task failed; start the node again"));
        }
    }
    tracing::info!(code = "stopping", "stopping; a second signal stops at once");
    let stop = async {
        let _ = core.signal(contract::Signal::Stop).await;
        ended((&mut *driver).await)
    };
    tokio::select! {
        outcome = timeout(STOP_PATIENCE, stop) => outcome.unwrap_or_else(|_| {
            tracing::warn!(code = "stop_late", "not everything was wound down in time");
            Ok(())
        }),
        () = signals.next() => Err(Failure::new(Code::Failed, "stopped at once by a second signal")),
    }
}

fn ended(outcome: Result<Result<(), Failure>, JoinError>) -> Result<(), Failure> {
    outcome.unwrap_or_else(|error| {
        Err(Failure::new(
            Code::Failed,
            format!("the core task failed: {error}; start the node again"),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(bound: &[&str]) -> Places {
        let bound: Vec<SocketAddr> = bound.iter().map(|text| text.parse().unwrap()).collect();
        let advertised = bound.iter().filter_map(address_of).collect();
        Places { bound, advertised }
    }

    #[test]
    fn a_program_on_this_machine_prefers_loopback() {
        assert_eq!(
            places(&["10.0.0.1:1", "127.0.0.1:2"])
                .reachable()
                .to_string(),
            "127.0.0.1:2"
        );
        assert_eq!(
            places(&["0.0.0.0:7600"]).reachable().to_string(),
            "127.0.0.1:7600"
        );
        assert_eq!(places(&["[::]:7600"]).reachable().to_string(), "[::1]:7600");
    }

    #[test]
    fn what_is_announced_is_never_the_unspecified_address() {
        for address in places(&["0.0.0.0:7600", "[::]:7600"]).advertised {
            assert!(!["0.0.0.0", "[::]"].contains(&address.host()), "{address}");
        }
        assert_eq!(
            places(&["127.0.0.1:7600"]).origin(),
            "http://127.0.0.1:7600"
        );
    }
}
