//! From a page's `Start` to a running node: slot, store, setup.

use crate::{
    protocol::{Failure, FromWorker, Phase, Start, ToWorker},
    worker::{
        driver::{Driver, Wake},
        replay::Replaying,
        scope::Scope,
        slot,
        store::Store,
    },
};
use sporenet_core::{
    kernel::{
        address::{Address, Transport},
        id::Role,
        store::Stored,
        text::{Name, Zone},
    },
    membership::join_link::JoinLink,
    node::{
        config::Config,
        endpoint::Endpoint,
        setup::{Setup, StartError},
    },
    observe::metrics,
};
use std::{cell::RefCell, rc::Rc};

/// The most messages kept while the node starts; more are answered with a refusal.
const EARLY_MAX: usize = 256;

/// What the worker has so far.
#[derive(Debug)]
pub(crate) struct Host {
    scope: Scope,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Idle,
    Starting(Vec<ToWorker>),
    Running(Rc<Driver>),
    Replaying(Rc<Replaying>),
}

impl Host {
    pub(crate) const fn new(scope: Scope) -> Self {
        Self {
            scope,
            stage: Stage::Idle,
        }
    }
}

/// Takes a message of the page, whatever the stage.
pub(crate) fn take(host: &Rc<RefCell<Host>>, message: ToWorker) {
    let mut borrowed = host.borrow_mut();
    let scope = borrowed.scope.clone();
    match (&mut borrowed.stage, message) {
        (Stage::Running(driver), message) => {
            let driver = Rc::clone(driver);
            drop(borrowed);
            driver.wake(Wake::Page(message));
        }
        (stage @ Stage::Idle, ToWorker::Open(recording)) => {
            match crate::worker::replay::open(&scope, recording) {
                Ok(replaying) => *stage = Stage::Replaying(replaying),
                Err(failure) => scope.post(&FromWorker::Replayed(Err(failure))),
            }
        }
        (Stage::Replaying(replaying), ToWorker::Go(go)) => {
            let replaying = Rc::clone(replaying);
            drop(borrowed);
            replaying.go(go);
        }
        (stage @ Stage::Idle, ToWorker::Start(start)) => {
            *stage = Stage::Starting(Vec::new());
            drop(borrowed);
            wasm_bindgen_futures::spawn_local(start_node(Rc::clone(host), scope, start));
        }
        // Opening the store takes a while: what the page says meanwhile is kept, not lost.
        (Stage::Starting(early), message) if early.len() < EARLY_MAX => early.push(message),
        (stage, ToWorker::Request { id, .. }) => {
            let failure = match stage {
                Stage::Starting(_) => Failure::new(
                    "busy",
                    "too many calls wait for the node to start; try again when it runs",
                ),
                Stage::Idle | Stage::Running(_) | Stage::Replaying(_) => {
                    Failure::new("not_running", "the node does not run; give it a join link")
                }
            };
            scope.post(&FromWorker::Answer {
                id,
                answer: Err(failure),
            });
        }
        (_, _) => {}
    }
}

async fn start_node(host: Rc<RefCell<Host>>, scope: Scope, start: Start) {
    scope.post(&FromWorker::Phase(Phase::Loading));
    let (phase, driver) = match begin(&scope, &start).await {
        Ok(running) => running,
        Err(phase) => (phase, None),
    };
    // After a failure the page may start again, for example with a join link.
    let stage = driver.map_or(Stage::Idle, Stage::Running);
    // The stage changes first, so that early messages meet the running node, in their order.
    let before = core::mem::replace(&mut host.borrow_mut().stage, stage);
    scope.post(&FromWorker::Phase(phase));
    if let Stage::Starting(early) = before {
        for message in early {
            take(&host, message);
        }
    }
}

type Running = (Phase, Option<Rc<Driver>>);

/// Tries the tab's slots in turn until one holds an identity of the right network, or none.
async fn begin(scope: &Scope, start: &Start) -> Result<Running, Phase> {
    let link = start
        .link
        .as_deref()
        .map(|link| link.trim().parse::<JoinLink>())
        .transpose()
        .map_err(|error| Phase::Failed(Failure::new("bad_link", error)))?;
    let mut held_before = start.slot;
    let mut from = 0;
    loop {
        // The slot held before is tried in the first round only.
        let place = Place::find(scope, held_before.take(), from).await;
        let setup = setup(scope, start, &place, link.clone())?;
        match Endpoint::start(setup, scope.now()) {
            Ok(endpoint) => {
                return Ok(place.run(scope, endpoint, start));
            }
            // This slot belongs to another network: leave it alone and take the next.
            Err(StartError::OtherNetwork) if place.slot.is_some() => {
                from = place
                    .slot
                    .as_ref()
                    .map_or(0, |slot| slot.number.saturating_add(1));
                place.give_back();
            }
            Err(error) => {
                place.give_back();
                return Err(failed(&error));
            }
        }
    }
}

/// Where this tab's identity lives.
struct Place {
    slot: Option<slot::Slot>,
    store: Store,
    stored: Stored,
    volatile: Option<String>,
}

impl Place {
    async fn find(scope: &Scope, held_before: Option<u32>, from: u32) -> Self {
        if !scope.is_secure() {
            return Self::volatile(
                "this page came over plain HTTP from another machine, so the browser offers no \
                 locks to keep two tabs apart; open it over https: to keep them",
            );
        }
        let Some(slot) = slot::take(held_before, from).await else {
            return Self::volatile(
                "every identity of this browser is in use by another tab; close one and reload this page",
            );
        };
        match Store::open(&slot::name(slot.number)).await {
            Ok((store, stored)) => {
                let scope = scope.clone();
                store.on_lost(move || {
                    let why = "the site's data was cleared".into();
                    scope.post(&FromWorker::Phase(Phase::StorageLost { why }));
                });
                Self {
                    slot: Some(slot),
                    store,
                    stored,
                    volatile: None,
                }
            }
            Err(error) => {
                slot.release();
                Self::volatile(&format!(
                    "the browser refuses storage ({}); allow this site to keep data and reload",
                    error.text
                ))
            }
        }
    }

    fn volatile(why: &str) -> Self {
        Self {
            slot: None,
            store: Store::volatile(),
            stored: Stored::default(),
            volatile: Some(why.into()),
        }
    }

    fn give_back(self) {
        self.store.close();
        if let Some(slot) = self.slot {
            slot.release();
        }
    }

    fn run(self, scope: &Scope, endpoint: Endpoint, start: &Start) -> Running {
        let phase = Phase::Running {
            slot: self.slot.as_ref().map(|slot| slot.number),
            volatile: self.volatile,
        };
        // The slot is held until the worker ends: its lock is never released by hand.
        core::mem::forget(self.slot);
        let driver = Driver::run(scope, endpoint, self.store, start.visible, start.snapshots);
        (phase, Some(driver))
    }
}

fn setup(
    scope: &Scope,
    start: &Start,
    place: &Place,
    join: Option<JoinLink>,
) -> Result<Setup, Phase> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)
        .map_err(|error| Phase::Failed(Failure::new("no_entropy", error)))?;
    // A tab in memory has no slot: it is called like the first one.
    let number = place.slot.as_ref().map_or(0, |slot| slot.number);
    let name = match start.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => Name::new(name).map_err(|error| {
            Phase::Failed(Failure::new(
                "bad_name",
                format!("the name is not valid: {error}"),
            ))
        })?,
        None => tab_name(&scope.user_agent(), number).map_err(Phase::Failed)?,
    };
    let zone = start.zone.as_deref().map(Zone::new).transpose();
    let zone = zone.map_err(|error| {
        Phase::Failed(Failure::new(
            "bad_zone",
            format!("the zone is not valid: {error}"),
        ))
    })?;
    let network_name =
        Name::new("tab").map_err(|error| Phase::Failed(Failure::new("bad_name", error)))?;
    Ok(Setup {
        may_found: true,
        config: Config {
            role: Role::Tab,
            name,
            zone,
            location: None,
            addresses: Vec::new(),
            version: env!("CARGO_PKG_VERSION").into(),
            network_name,
            entries: serving_relay(&scope.origin()).into_iter().collect(),
            history_bytes_max: metrics::BYTES_MAX,
        },
        entropy,
        wall: scope.wall(),
        stored: place.stored.clone(),
        join,
    })
}

/// What the browser and the system call themselves, so that people can tell tabs apart.
fn tab_name(user_agent: &str, slot: u32) -> Result<Name, Failure> {
    let first = |words: &[(&str, &'static str)], or| {
        let found = words.iter().find(|(word, _)| user_agent.contains(word));
        found.map_or(or, |(_, name)| *name)
    };
    // The special before the general: Edge and Opera also say "Chrome", and Chrome "Safari".
    let browser = first(
        &[
            ("Edg/", "Edge"),
            ("OPR/", "Opera"),
            ("Firefox/", "Firefox"),
            ("Chrome/", "Chrome"),
            ("Safari/", "Safari"),
        ],
        "browser",
    );
    // Likewise: Android also says "Linux", and an iPhone "Mac OS".
    let system = first(
        &[
            ("Android", "Android"),
            ("iPhone", "iPhone"),
            ("iPad", "iPad"),
            ("Windows", "Windows"),
            ("Mac OS", "Mac"),
            ("CrOS", "ChromeOS"),
            ("Linux", "Linux"),
        ],
        "unknown system",
    );
    let number = slot.saturating_add(1);
    Name::new(&format!("{browser} on {system} #{number}"))
        .map_err(|error| Failure::new("bad_name", error))
}

/// The relay that served the page is an entry point.
pub(super) fn serving_relay((scheme, host, port): &(String, String, String)) -> Option<Address> {
    let (transport, standard_port) = match scheme.as_str() {
        "https:" => (Transport::Wss, 443),
        // The page's own scheme decides: a secure page may not open an insecure WebSocket.
        "http:" => (Transport::Ws, 80),
        _ => return None,
    };
    Address::new(transport, host, port.parse().unwrap_or(standard_port)).ok()
}

fn failed(error: &StartError) -> Phase {
    let code = match error {
        StartError::NoNetwork | StartError::NotAMember => return Phase::NeedsLink,
        StartError::Config(_) => "config",
        StartError::Damaged(_) => "damaged",
        StartError::OtherNetwork => "other_network",
    };
    Phase::Failed(Failure::new(code, error))
}
