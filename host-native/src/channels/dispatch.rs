//! One task a channel: a recipient that is slow or dead slows neither the others nor the node.

use crate::{
    channels::{
        config::Channel,
        notification::{Delivery, Notification, Severity},
        outcome::Outcome,
        queue::{Fate, Job, Next, Queue},
        secret::{Secret, scrub},
        sender::Sender,
        text::one_line,
    },
    clock::{self, Clock},
    exit::Failure,
    links::tls::Dialling,
};
use serde::{Deserialize, Serialize};
use sporenet_core::kernel::metrics::Metric;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{
    Notify,
    mpsc::{self, Receiver, Sender as Reports},
    oneshot,
};

/// For how long a notification is tried.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// For how long a test is tried: somebody waits for it.
const TEST_PATIENCE: Duration = Duration::from_secs(20);
/// Deliveries that wait to be recorded: what 16 full queues come to.
const REPORTS_MAX: usize = 4_096;
/// The longest answer of a recipient that is kept, in characters.
const ANSWER_CHARS_MAX: usize = 200;

/// The channels of this node. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Channels {
    lines: Arc<[Arc<Line>]>,
    reports: Reports<Delivery>,
    clock: Clock,
}

/// How a channel is; no secrets.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct View {
    /// Its name.
    pub(crate) name: String,
    /// Its kind.
    pub(crate) kind: String,
    /// Where it leads, as far as that may be shown.
    pub(crate) target: String,
    /// What is milder is not told to it.
    pub(crate) min_severity: Severity,
    /// How many notifications wait for it.
    pub(crate) waiting: usize,
    /// What became of the last notification; null before the first.
    pub(crate) last: Option<Delivery>,
}

/// What a channel's task and everybody else share.
#[derive(Debug)]
struct Line {
    name: String,
    kind: &'static str,
    target: String,
    min_severity: Severity,
    secrets: Vec<Secret>,
    state: Mutex<State>,
    wake: Notify,
}

/// What waits, and what was.
#[derive(Debug, Default)]
struct State {
    queue: Queue,
    last: Option<Delivery>,
    sent: u64,
    failed: u64,
    dropped: u64,
    retried: u64,
    unreported: u64,
}

impl Channels {
    /// Starts a task for each channel. What becomes of a notification comes out of the receiver.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub(crate) fn start(
        channels: &[Channel],
        dialling: &Dialling,
        clock: Clock,
    ) -> Result<(Self, Receiver<Delivery>), Failure> {
        let (reports, deliveries) = mpsc::channel(REPORTS_MAX);
        let mut lines = Vec::new();
        for channel in channels {
            let sender = Sender::new(channel, dialling)?;
            let line = Arc::new(Line::new(channel));
            lines.push(Arc::clone(&line));
            tokio::spawn(line.run(sender, reports.clone(), clock));
        }
        let channels = Self {
            lines: lines.into(),
            reports,
            clock,
        };
        Ok((channels, deliveries))
    }

    /// The names of the channels, as in the configuration.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.name.as_str())
    }

    /// Tells the named channels, except those that are not told of anything so mild; never waits. Each of
    /// the others comes to one [`Delivery`]: soon, or within a quarter of an hour. A name that no channel
    /// of this node has is a delivery that failed. What waits is lost when the process ends: hand over
    /// again, with the same key, what came to no delivery before.
    pub(crate) fn send(&self, notification: &Notification, names: &[&str]) {
        for &name in names {
            match self.line(name) {
                Some(line) if notification.severity < line.min_severity => {}
                Some(line) => {
                    let job = self.job(notification.clone(), PATIENCE, None);
                    line.push(job, &self.reports);
                }
                None => {
                    let error = Some("this node has no channel of that name".to_owned());
                    let delivery = Delivery {
                        key: notification.key.clone(),
                        channel: name.to_owned(),
                        at_ms: clock::wall().as_millis(),
                        ok: false,
                        attempts: 0,
                        answer: None,
                        error,
                    };
                    // Nobody reads reports when the node stops.
                    let _ = self.reports.try_send(delivery);
                }
            }
        }
    }

    /// Tells one channel, however mild, and for a short time only; `None` if there is none of that name.
    /// What becomes of it comes out of the receiver there, and is reported nowhere else.
    pub(crate) fn test(
        &self,
        name: &str,
        notification: Notification,
    ) -> Option<oneshot::Receiver<Delivery>> {
        let line = self.line(name)?;
        let (asked, answer) = oneshot::channel();
        line.push(
            self.job(notification, TEST_PATIENCE, Some(asked)),
            &self.reports,
        );
        Some(answer)
    }

    /// How each channel is.
    pub(crate) fn views(&self) -> Vec<View> {
        self.lines.iter().map(|line| line.view()).collect()
    }

    /// What is counted, by channel.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        self.lines.iter().flat_map(|line| line.metrics()).collect()
    }

    fn line(&self, name: &str) -> Option<&Line> {
        let line = self.lines.iter().find(|line| line.name == name);
        line.map(AsRef::as_ref)
    }

    fn job(
        &self,
        notification: Notification,
        patience: Duration,
        asked: Option<oneshot::Sender<Delivery>>,
    ) -> Box<Job> {
        let now = self.clock.now();
        Box::new(Job {
            notification,
            until: now + patience,
            attempts: 0,
            due: now,
            asked,
        })
    }
}

impl Line {
    fn new(channel: &Channel) -> Self {
        Self {
            name: channel.name.clone(),
            kind: channel.recipient.kind(),
            target: channel.recipient.shown(),
            min_severity: channel.min_severity,
            secrets: channel.recipient.secrets(),
            state: Mutex::default(),
            wake: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Box<Job>, reports: &Reports<Delivery>) {
        let pushed = self.state().queue.push(job);
        match pushed {
            Ok(()) => self.wake.notify_one(),
            Err(job) => {
                self.state().dropped += 1;
                let why = "too many notifications wait for this channel already";
                self.settle(job, Err(why.to_owned()), reports);
            }
        }
    }

    /// Tells what waits, one after the other.
    async fn run(self: Arc<Self>, sender: Sender, reports: Reports<Delivery>, clock: Clock) {
        loop {
            let next = self.state().queue.next(clock.now());
            match next {
                Next::Idle => self.wake.notified().await,
                Next::Wait(until) => {
                    let woken = self.wake.notified();
                    // Whether something came or the time did: the queue is looked at again.
                    let _ = tokio::time::timeout_at(clock.wake_at(Some(until)), woken).await;
                }
                Next::Send(job) => {
                    let outcome = sender.send(&job.notification).await;
                    self.tried(job, outcome, clock, &reports);
                }
            }
        }
    }

    fn tried(&self, job: Box<Job>, outcome: Outcome, clock: Clock, reports: &Reports<Delivery>) {
        let (key, attempts) = (job.notification.key.clone(), job.attempts);
        let fate = self.state().queue.tried(job, outcome, clock.now(), dice());
        match fate {
            Fate::Again(error) => {
                self.state().retried += 1;
                let error = self.clean(&error);
                tracing::debug!(
                    code = "notification_retried",
                    channel = self.name,
                    key,
                    attempts,
                    error,
                    "a channel did not take a notification; it is tried again"
                );
            }
            Fate::Settled(job, result) => {
                match &result {
                    Ok(_) => self.state().sent += 1,
                    Err(_) => self.state().failed += 1,
                }
                self.settle(job, result, reports);
            }
        }
    }

    fn settle(&self, job: Box<Job>, result: Result<String, String>, reports: &Reports<Delivery>) {
        let (answer, error) = match result {
            Ok(answer) => (Some(self.clean(&answer)), None),
            Err(error) => (None, Some(self.clean(&error))),
        };
        let delivery = Delivery {
            key: job.notification.key,
            channel: self.name.clone(),
            at_ms: clock::wall().as_millis(),
            ok: answer.is_some(),
            attempts: job.attempts,
            answer,
            error,
        };
        self.state().last = Some(delivery.clone());
        if let Some(asked) = job.asked {
            // Who asked may have gone.
            drop(asked.send(delivery));
        } else if reports.try_send(delivery).is_err() {
            self.state().unreported += 1;
        }
    }

    /// What a recipient said, as it may be shown.
    fn clean(&self, said: &str) -> String {
        one_line(&scrub(said, &self.secrets), ANSWER_CHARS_MAX)
    }

    fn view(&self) -> View {
        let state = self.state();
        View {
            name: self.name.clone(),
            kind: self.kind.to_owned(),
            target: self.target.clone(),
            min_severity: self.min_severity,
            waiting: state.queue.len(),
            last: state.last.clone(),
        }
    }

    fn metrics(&self) -> [Metric; 6] {
        let state = self.state();
        let metric = |name, help, counter, count: u64| Metric {
            name,
            help,
            counter,
            label: Some(("channel", self.name.clone())),
            value: f64::from(u32::try_from(count).unwrap_or(u32::MAX)),
        };
        let waiting = u64::try_from(state.queue.len()).unwrap_or(u64::MAX);
        [
            metric(
                "sporenet_notifications_sent",
                "Notifications that a channel took",
                true,
                state.sent,
            ),
            metric(
                "sporenet_notifications_failed",
                "Notifications that a channel did not take",
                true,
                state.failed,
            ),
            metric(
                "sporenet_notifications_dropped",
                "Notifications without room in the channel's queue",
                true,
                state.dropped,
            ),
            metric(
                "sporenet_notifications_retried",
                "Attempts that were followed by another",
                true,
                state.retried,
            ),
            metric(
                "sporenet_notifications_unreported",
                "Deliveries that could not be recorded",
                true,
                state.unreported,
            ),
            metric(
                "sporenet_notifications_waiting",
                "Notifications that wait for a channel",
                false,
                waiting,
            ),
        ]
    }
}

/// Fresh randomness; the middle where the system has none.
fn dice() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

/// Notes in the log what became of a notification.
pub(crate) fn note(delivery: &Delivery) {
    let Delivery {
        key,
        channel,
        attempts,
        ..
    } = delivery;
    match &delivery.error {
        None => tracing::info!(
            code = "notified",
            channel,
            key,
            attempts,
            "people were told"
        ),
        Some(error) => tracing::warn!(
            code = "not_notified",
            channel,
            key,
            attempts,
            error,
            "people were not told"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::{config, queue::WAITING_MAX, text::tests::sample};

    /// Channels that write to the log, by name and the mildest severity that they are told of.
    fn started(channels: &[(&str, &str)]) -> (Channels, Receiver<Delivery>) {
        let table = |(name, severity): &(&str, &str)| {
            let text = format!("name = '{name}'\nkind = 'log'\nmin_severity = '{severity}'");
            text.parse().unwrap()
        };
        let tables = channels.iter().map(table).collect();
        let channels = config::read(Some(tables)).unwrap().unwrap();
        let dialling = Dialling::new(&[]).unwrap();
        Channels::start(&channels, &dialling, Clock::start()).unwrap()
    }

    #[tokio::test]
    async fn what_is_told_comes_to_one_delivery_for_each_channel() {
        let (channels, mut deliveries) = started(&[("mild", "low"), ("grave", "critical")]);
        let mut notification = sample();
        notification.severity = Severity::High;
        channels.send(&notification, &["mild", "grave", "gone"]);
        let first = deliveries.recv().await.unwrap();
        assert_eq!((first.channel.as_str(), first.ok), ("gone", false));
        let second = deliveries.recv().await.unwrap();
        assert_eq!((second.channel.as_str(), second.ok), ("mild", true));
        assert_eq!((second.key, second.attempts), (sample().key, 1));
        // What is too mild for it comes to none.
        notification.severity = Severity::Critical;
        channels.send(&notification, &["grave"]);
        let third = deliveries.recv().await.unwrap();
        assert_eq!((third.channel.as_str(), third.ok), ("grave", true));
        let last = channels
            .views()
            .into_iter()
            .map(|view| view.last.unwrap().ok);
        assert_eq!(last.collect::<Vec<_>>(), [true, true]);
    }

    #[tokio::test]
    async fn what_finds_no_room_is_counted_and_reported() {
        let (channels, mut deliveries) = started(&[("own", "low")]);
        // On one thread the channel's task begins with the first wait.
        for _ in 0..=WAITING_MAX {
            channels.send(&sample(), &["own"]);
        }
        let dropped = deliveries.recv().await.unwrap();
        assert!(!dropped.ok && dropped.attempts == 0, "{dropped:?}");
        for _ in 0..WAITING_MAX {
            assert!(deliveries.recv().await.unwrap().ok);
        }
        let metrics = channels.metrics();
        let counted = |name: &str| {
            let found = metrics.iter().find(|metric| metric.name.ends_with(name));
            found.map(|metric| metric.value)
        };
        assert_eq!(counted("_dropped"), Some(1.0));
        assert_eq!(counted("_sent"), Some(256.0));
        assert_eq!(counted("_waiting"), Some(0.0));
    }

    #[tokio::test]
    async fn a_test_is_told_to_who_asked_and_reported_nowhere() {
        let (channels, mut deliveries) = started(&[("grave", "critical")]);
        let mut notification = sample();
        notification.severity = Severity::Low;
        let told = channels.test("grave", notification.clone()).unwrap();
        assert!(told.await.unwrap().ok);
        assert!(channels.test("gone", notification).is_none());
        assert!(deliveries.try_recv().is_err());
    }
}
