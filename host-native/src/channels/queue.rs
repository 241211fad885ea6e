//! What waits for one channel. Time and dice come from outside.
//!
//! One attempt goes on at a time. What is told of one incident goes out in order: a "resolved" never
//! overtakes its "open". Other incidents don't wait for it.

use crate::channels::{
    notification::{Delivery, Notification},
    outcome::Outcome,
};
use sporenet_core::kernel::time::Time;
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};
use tokio::sync::oneshot;

/// The most notifications that wait for a channel.
pub(super) const WAITING_MAX: usize = 256;
/// The first retry comes within that time; each later one within twice the time of the one before. Half
/// would press on a recipient that is overloaded, twice would let people wait.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// The most time until a retry, unless the recipient asks for more.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// A notification on its way.
#[derive(Debug)]
pub(super) struct Job {
    /// What to tell.
    pub(super) notification: Notification,
    /// No attempt begins after this moment, but for the first.
    pub(super) until: Time,
    /// Attempts that have begun.
    pub(super) attempts: u32,
    /// When the next one is due.
    pub(super) due: Time,
    /// Who waits for what becomes of it; its outcome is reported if nobody does.
    pub(super) asked: Option<oneshot::Sender<Delivery>>,
}

/// What to do now.
#[derive(Debug)]
pub(super) enum Next {
    /// Tell this.
    Send(Box<Job>),
    /// Nothing until then.
    Wait(Time),
    /// Nothing until something comes.
    Idle,
}

/// What became of a job after an attempt.
#[derive(Debug)]
pub(super) enum Fate {
    /// It is settled: the recipient took it (`Ok`, with its answer) or never will (`Err`, with why).
    Settled(Box<Job>, Result<String, String>),
    /// It waits for another attempt, for this reason.
    Again(String),
}

/// What waits for one channel.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Box<Job>>,
    /// The recipient wants to be left alone until then.
    quiet_until: Time,
}

impl Queue {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Adds a job.
    ///
    /// # Errors
    /// The job, when [`WAITING_MAX`] wait.
    pub(super) fn push(&mut self, job: Box<Job>) -> Result<(), Box<Job>> {
        if self.waiting.len() >= WAITING_MAX {
            return Err(job);
        }
        self.waiting.push_back(job);
        Ok(())
    }

    /// What to do at `now`.
    pub(super) fn next(&mut self, now: Time) -> Next {
        let mut incidents = BTreeSet::new();
        let oldest_of_each = self
            .waiting
            .iter()
            .enumerate()
            .filter(|(_, job)| incidents.insert(job.notification.incident.as_str()));
        let first = oldest_of_each
            .map(|(at, job)| (job.due.max(self.quiet_until), at))
            .min();
        match first {
            None => Next::Idle,
            Some((due, _)) if due > now => Next::Wait(due),
            Some((_, at)) => self.waiting.remove(at).map_or(Next::Idle, |mut job| {
                job.attempts = job.attempts.saturating_add(1);
                Next::Send(job)
            }),
        }
    }

    /// Takes note of what an attempt came to. `dice` is fresh randomness.
    pub(super) fn tried(
        &mut self,
        mut job: Box<Job>,
        outcome: Outcome,
        now: Time,
        dice: u32,
    ) -> Fate {
        let (error, wait) = match outcome {
            Outcome::Told(answer) => return Fate::Settled(job, Ok(answer)),
            Outcome::Never(error) => return Fate::Settled(job, Err(error)),
            Outcome::Later { error, wait } => (error, wait),
        };
        let wait = wait.unwrap_or_default();
        job.due = now + backoff(job.attempts, dice).max(wait);
        if !wait.is_zero() {
            self.quiet_until = self.quiet_until.max(now + wait.min(job.until.since(now)));
        }
        if job.due > job.until {
            return Fate::Settled(job, Err(error));
        }
        // It was the oldest of its incident, and still is.
        self.waiting.push_front(job);
        Fate::Again(error)
    }
}

/// The time until the next attempt after `attempts` of them: anything up to a bound that doubles.
///
/// Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015, "Full Jitter".
fn backoff(attempts: u32, dice: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let bound = BACKOFF_FIRST
        .saturating_mul(1 << doublings)
        .min(BACKOFF_MAX);
    bound.mul_f64(f64::from(dice) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::text::tests::sample;

    const MAX_DICE: u32 = u32::MAX;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    fn job(incident: &str, key: &str) -> Box<Job> {
        let mut notification = sample();
        incident.clone_into(&mut notification.incident);
        key.clone_into(&mut notification.key);
        Box::new(Job {
            notification,
            until: at(900),
            attempts: 0,
            due: Time::ZERO,
            asked: None,
        })
    }

    fn later(wait: Option<u64>) -> Outcome {
        Outcome::Later {
            error: "busy".to_owned(),
            wait: wait.map(Duration::from_secs),
        }
    }

    fn send(queue: &mut Queue, now: Time) -> Box<Job> {
        match queue.next(now) {
            Next::Send(job) => job,
            other @ (Next::Wait(_) | Next::Idle) => panic!("{other:?}"),
        }
    }

    fn wait(queue: &mut Queue, now: Time) -> Time {
        match queue.next(now) {
            Next::Wait(until) => until,
            other @ (Next::Send(_) | Next::Idle) => panic!("{other:?}"),
        }
    }

    #[test]
    fn retries_come_within_bounds_that_double_up_to_a_minute() {
        let bounds: Vec<u64> = (1..=9).map(|n| backoff(n, MAX_DICE).as_secs()).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff(1_000, MAX_DICE), BACKOFF_MAX);
        assert_eq!(backoff(5, 0), Duration::ZERO);
        let half = backoff(7, MAX_DICE / 2);
        assert!((29..=30).contains(&half.as_secs()), "{half:?}");
    }

    #[test]
    fn it_is_given_up_after_a_quarter_of_an_hour_and_never_later() {
        let mut queue = Queue::default();
        queue.push(job("a", "a1")).unwrap();
        let mut now = Time::ZERO;
        let (attempts, error) = loop {
            let job = send(&mut queue, now);
            match queue.tried(job, later(None), now, MAX_DICE) {
                Fate::Again(_) => now = wait(&mut queue, now),
                Fate::Settled(job, result) => break (job.attempts, result.unwrap_err()),
            }
            assert!(now <= at(900), "{now:?}");
        };
        // 1 + 2 + 4 + 8 + 16 + 32 = 63 s, then one a minute.
        assert_eq!((attempts, now), (20, at(63 + 13 * 60)));
        assert_eq!(error, "busy");
        assert!(matches!(queue.next(now), Next::Idle));
    }

    #[test]
    fn what_was_taken_and_what_never_will_be_is_settled_at_once() {
        let mut queue = Queue::default();
        let told = queue.tried(job("a", "a1"), Outcome::Told("ok".to_owned()), at(0), 0);
        assert!(matches!(told, Fate::Settled(_, Ok(answer)) if answer == "ok"));
        let never = queue.tried(job("a", "a2"), Outcome::Never("no".to_owned()), at(0), 0);
        assert!(matches!(never, Fate::Settled(_, Err(error)) if error == "no"));
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_recipient_that_asks_for_time_gets_it_from_all() {
        let mut queue = Queue::default();
        queue.push(job("a", "a1")).unwrap();
        queue.push(job("b", "b1")).unwrap();
        let first = send(&mut queue, at(0));
        assert!(matches!(
            queue.tried(first, later(Some(120)), at(0), 0),
            Fate::Again(_)
        ));
        assert_eq!(wait(&mut queue, at(1)), at(120));
        let _ = send(&mut queue, at(120));
        let mut patient = Queue::default();
        let long = patient.tried(job("a", "a1"), later(Some(901)), at(0), 0);
        assert!(matches!(long, Fate::Settled(_, Err(_))));
    }

    #[test]
    fn what_is_told_of_one_incident_stays_in_order_and_others_overtake_it() {
        let mut queue = Queue::default();
        for (incident, key) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
            queue.push(job(incident, key)).unwrap();
        }
        let opened = send(&mut queue, at(0));
        assert_eq!(opened.notification.key, "a1");
        assert!(matches!(
            queue.tried(opened, later(None), at(0), MAX_DICE),
            Fate::Again(_)
        ));
        assert_eq!(send(&mut queue, at(0)).notification.key, "b1");
        assert_eq!(wait(&mut queue, at(0)), at(1));
        assert_eq!(send(&mut queue, at(1)).notification.key, "a1");
        assert_eq!(send(&mut queue, at(1)).notification.key, "a2");
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut queue = Queue::default();
        for _ in 0..WAITING_MAX {
            queue.push(job("a", "a")).unwrap();
        }
        assert_eq!(queue.push(job("b", "b")).unwrap_err().notification.key, "b");
        assert_eq!(queue.len(), WAITING_MAX);
    }
}
