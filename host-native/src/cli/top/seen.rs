//! What the node answered last, and what it is told to do. A thread of its own asks, so that keys work while the
//! node is slow, stands still or is gone.

use crate::{
    cli::{
        ClientArgs, alerts,
        client::{Client, Method},
        print::span,
    },
    exit::Failure,
};
use serde::de::DeserializeOwned;
use sporenet_core::{
    node::{
        alert_views::{AlertView, IncidentView},
        snapshot::{Member, NodeHealth, NodeVitals, PathView, SeriesPoints, Status, TimelineEntry},
    },
    observe::alerts::record::Grade,
};
use std::{
    collections::{BTreeSet, VecDeque},
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// Between two questions to the node.
const REFRESH: Duration = Duration::from_secs(1);
/// The series of the charts.
const CHARTS: [&str; 4] = ["cpu", "latency", "messages_in", "writes"];
/// As many values of the lowest health are kept: two minutes.
const LOWEST_MAX: usize = 120;
/// The most silences of one incident; beyond it they fit its rules everywhere.
const SILENCES_MAX: usize = 8;
/// As many digits of an identity name a node.
const NODE_DIGITS: usize = 16;
/// For how long an incident is silenced.
pub(super) const SILENCE: Duration = Duration::from_secs(2 * 3_600);

/// All that is shown, of one moment.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) status: Option<Status>,
    pub(super) members: Vec<Member>,
    pub(super) vitals: Vec<NodeVitals>,
    pub(super) health: Vec<NodeHealth>,
    pub(super) paths: Vec<PathView>,
    pub(super) events: Vec<TimelineEntry>,
    pub(super) incidents: Vec<IncidentView>,
    pub(super) alerts: Vec<AlertView>,
    pub(super) charts: Vec<SeriesPoints>,
}

impl Answers {
    fn ask(client: &Client) -> Result<Self, Failure> {
        let page: serde_json::Value = of(client, "events?format=json")?;
        let entries = page.get("entries").unwrap_or(&page).clone();
        let charts = CHARTS.iter().filter_map(|series| {
            // A series that has no value yet is not there.
            of(client, &format!("metrics/{series}?since_s=120&points=120")).ok()
        });
        Ok(Self {
            status: Some(of(client, "status")?),
            members: of(client, "members")?,
            vitals: of(client, "vitals")?,
            health: of(client, "health")?,
            paths: of(client, "rtt")?,
            events: serde_json::from_value(entries).unwrap_or_default(),
            incidents: of(client, "incidents?all=true")?,
            alerts: of(client, "alerts?all=true")?,
            charts: charts.collect(),
        })
    }
}

fn of<T: DeserializeOwned>(client: &Client, what: &str) -> Result<T, Failure> {
    client.json(Method::Get, &format!("/api/v1/{what}"))
}

/// What a person wants done about an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Say that somebody looks after it.
    Acknowledge(String),
    /// Take it for over.
    Resolve(String),
    /// Notify nobody of what fits one of these.
    Silence(Vec<String>),
}

impl Act {
    /// Does it; answers what was done.
    fn run(&self, client: &Client) -> Result<String, Failure> {
        match self {
            Self::Acknowledge(id) => {
                alerts::send_act(client, "ack", id, None)?;
                Ok(format!("Acknowledged {id}."))
            }
            Self::Resolve(id) => {
                alerts::send_act(client, "resolve", id, None)?;
                Ok(format!("Resolved {id}."))
            }
            Self::Silence(matches) => {
                for fits in matches {
                    alerts::send_silence(client, fits, SILENCE, None)?;
                }
                let span = span(SILENCE.as_secs());
                Ok(format!("Nobody is notified of that for {span}."))
            }
        }
    }
}

/// What the asking thread tells.
#[derive(Debug)]
pub(super) enum Word {
    /// What the node answered.
    Seen(Box<Answers>),
    /// Why it does not answer.
    Trouble(String),
    /// What came of an act: what was done, or why not.
    Done(Result<String, String>),
}

/// The thread that asks; it ends with the program.
#[derive(Debug)]
pub(super) struct Asking {
    acts: Sender<Act>,
    words: Receiver<Word>,
}

impl Asking {
    /// Asks each second from now on.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub(super) fn start(args: ClientArgs, client: Client) -> io::Result<Self> {
        let (acts, wanted) = channel();
        let (tell, words) = channel();
        let thread = thread::Builder::new().name("asking".to_owned());
        thread.spawn(move || ask(&args, client, &wanted, &tell))?;
        Ok(Self { acts, words })
    }

    /// What it told since the last time.
    pub(super) fn next(&self) -> Option<Word> {
        self.words.try_recv().ok()
    }

    /// Has it tell the node what to do.
    pub(super) fn act(&self, act: Act) {
        // The thread ends only if it panics, which ends the program.
        let _ = self.acts.send(act);
    }
}

fn ask(args: &ClientArgs, mut client: Client, wanted: &Receiver<Act>, tell: &Sender<Word>) {
    loop {
        let word = match Answers::ask(&client) {
            Ok(answers) => Word::Seen(Box::new(answers)),
            Err(failure) => {
                // It may have started again at another address, or with another token.
                match Client::find(args, true) {
                    Ok(found) => {
                        client = found;
                        Word::Trouble(failure.to_string())
                    }
                    Err(why) => Word::Trouble(why.to_string()),
                }
            }
        };
        if tell.send(word).is_err() {
            return;
        }
        match wanted.recv_timeout(REFRESH) {
            Ok(act) => {
                let done = act.run(&client).map_err(|failure| failure.to_string());
                if tell.send(Word::Done(done)).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// What is known: the last answers, and what became of them since.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) now: Answers,
    /// The lowest health of all nodes, a value an answer, the oldest first; and whose the last one is.
    pub(super) lowest: VecDeque<f64>,
    pub(super) lowest_name: String,
    /// Why the node does not answer, and since when.
    pub(super) trouble: Option<(String, Instant)>,
}

impl Seen {
    /// Takes what the asking thread tells; what came of an act goes to `said`. A node that does not answer
    /// leaves what is known as it was.
    pub(super) fn take(&mut self, word: Word, said: &mut Option<Result<String, String>>) {
        match word {
            Word::Seen(answers) => {
                self.trouble = None;
                self.now = *answers;
                self.note_lowest();
            }
            Word::Trouble(text) => {
                let since = self.trouble.take().map(|(_, since)| since);
                self.trouble = Some((text, since.unwrap_or_else(Instant::now)));
            }
            Word::Done(done) => *said = Some(done),
        }
    }

    fn note_lowest(&mut self) {
        let known = self.now.health.iter();
        let known = known.filter_map(|one| Some((one.score?, &one.name)));
        let Some((score, name)) = known.min_by(|(a, _), (b, _)| a.total_cmp(b)) else {
            return;
        };
        self.lowest_name.clone_from(name);
        if self.lowest.len() >= LOWEST_MAX {
            self.lowest.pop_front();
        }
        self.lowest.push_back(score);
    }

    /// The incidents: those that are open first, of these the worst, of equal ones the newest.
    pub(super) fn incidents(&self) -> Vec<&IncidentView> {
        let mut all: Vec<&IncidentView> = self.now.incidents.iter().collect();
        all.sort_by_key(|one| {
            let newest = u64::MAX.saturating_sub(one.since_ms);
            let severity = one.ended_ms.is_none().then_some(one.severity);
            (std::cmp::Reverse(severity), newest)
        });
        all
    }

    /// How many incidents are open, and how bad the worst is.
    pub(super) fn open_incidents(&self) -> (usize, Option<Grade>) {
        let open = self.now.incidents.iter();
        let open = open.filter(|one| one.ended_ms.is_none());
        let grades: Vec<Grade> = open.map(|one| one.severity).collect();
        (grades.len(), grades.into_iter().max())
    }

    pub(super) fn incident(&self, id: &str) -> Option<&IncidentView> {
        self.now.incidents.iter().find(|one| one.id == id)
    }

    /// What people call a node.
    pub(super) fn name(&self, id: &str) -> String {
        let member = self.now.members.iter().find(|member| member.id == id);
        member.map_or_else(
            || id.chars().take(8).collect(),
            |member| member.name.to_string(),
        )
    }

    /// What fits the open alerts of an incident: each of its rules at each node; where those are many, its rules.
    pub(super) fn fits(&self, incident: &IncidentView) -> Vec<String> {
        let own = self.now.alerts.iter();
        let own = own.filter(|one| incident.alerts.contains(&one.id) && one.ended_ms.is_none());
        let pairs: BTreeSet<(&str, &str)> = own
            .map(|alert| {
                let node = alert.node.get(..NODE_DIGITS).unwrap_or(&alert.node);
                (alert.rule.as_str(), node)
            })
            .collect();
        let is_many = pairs.len() > SILENCES_MAX;
        let fits: BTreeSet<String> = pairs
            .into_iter()
            .map(|(rule, node)| {
                if is_many {
                    rule.to_owned()
                } else {
                    format!("{rule} {node}")
                }
            })
            .collect();
        fits.into_iter().collect()
    }
}
