//! A mesh of machines that share what they write, second by second.

use super::{
    super::{
        Alerts, Command, Config, Delivered, Event, Look, Presence, Reading, Seen, Standing, Wish,
        WishRefusal, Written,
        record::{Channel, Grade, Id, Place},
        rule::Metric,
    },
    WALL_MS, id,
};
use crate::kernel::{
    bytes::Bytes,
    id::Role,
    machine::{Input, Machine as _, Output},
    text::{Name, Text},
    time::Time,
};
use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec,
    vec::Vec,
};

/// A mesh of nodes that share what they write, second by second.
pub(super) struct Mesh {
    pub(super) nodes: Vec<Alerts>,
    pub(super) now: u64,
    pub(super) presence: Vec<Presence>,
    /// Which nodes see each other's records; all with the same number do.
    pub(super) sides: Vec<u8>,
    /// What stands at each place, for each side: author and value, the newest first.
    pub(super) records: Vec<BTreeMap<Place, Vec<Written>>>,
    pub(super) told: Vec<(usize, Id, u8)>,
    pub(super) notices: Vec<Event>,
    pub(super) delivers: bool,
    /// Whose writes are lost.
    pub(super) mute: Option<usize>,
}

impl Mesh {
    pub(super) fn of(many: u8) -> Self {
        let nodes =
            (0..many).map(|seed| Alerts::new(Config::default(), id(seed), Role::Relay, Time::ZERO));
        Self {
            nodes: nodes.collect(),
            now: 0,
            presence: vec![Presence::Here; many.into()],
            sides: vec![0; many.into()],
            records: vec![BTreeMap::new(); 2],
            told: Vec::new(),
            notices: Vec::new(),
            delivers: true,
            mute: None,
        }
    }

    pub(super) fn with_channels(mut self) -> Self {
        for at in 0..self.nodes.len() {
            let channels = vec![Channel {
                name: Name::clean("ops"),
                kind: Text::clean("log"),
                grade_min: Grade::Low,
            }];
            self.tell(at, Command::Channels(channels));
        }
        self
    }

    pub(super) fn tell(&mut self, at: usize, command: Command) {
        let now = Time::from_millis(self.now);
        self.nodes[at].handle_input(now, Input::Command(command));
        self.drain(at);
    }

    pub(super) fn drain(&mut self, at: usize) {
        let now = Time::from_millis(self.now);
        while let Some(output) = self.nodes[at].poll_output() {
            let event = match output {
                Output::Event(event) => event,
                Output::Send { message, .. } => match message {},
            };
            match event {
                Event::Write { .. } if self.mute == Some(at) => {}
                Event::Write { place, value } => self.write(at, place, value),
                Event::Notify(key) => {
                    self.told.push((at, key.incident, key.step));
                    if self.delivers {
                        let delivered = Command::Delivered(Delivered { key, error: None });
                        self.nodes[at].handle_input(now, Input::Command(delivered));
                    }
                }
                notice @ (Event::Fires(_)
                | Event::Ended(_)
                | Event::Acted { .. }
                | Event::SettingsChanged { .. }) => self.notices.push(notice),
            }
        }
    }

    /// Writes a record, as the replica of a side would keep it.
    pub(super) fn write(&mut self, at: usize, place: Place, value: Option<Bytes>) {
        let side = self.sides[at];
        let author = id(u8::try_from(at).unwrap());
        let written: Vec<Written> = value
            .into_iter()
            .map(|value| Written { author, value })
            .collect();
        let records = &mut self.records[usize::from(side)];
        records.insert(place.clone(), written.clone());
        for other in 0..self.nodes.len() {
            if self.sides[other] == side {
                let command = Command::Record {
                    place: place.clone(),
                    written: written.clone(),
                };
                let now = Time::from_millis(self.now);
                self.nodes[other].handle_input(now, Input::Command(command));
            }
        }
    }

    pub(super) fn wish(&mut self, at: usize, wish: Wish) -> Result<(), WishRefusal> {
        let deposit = self.nodes[at].plan(wish)?;
        self.write(at, deposit.place, deposit.value);
        Ok(())
    }

    /// Both sides see all records again; of two at one place both stand.
    pub(super) fn heal(&mut self) {
        let others = core::mem::take(&mut self.records[1]);
        self.sides.fill(0);
        for (place, written) in others {
            let here = self.records[0].remove(&place).unwrap_or_default();
            let mut all = written;
            all.extend(
                here.into_iter()
                    .filter(|one| !all.contains(one))
                    .collect::<Vec<_>>(),
            );
            self.records[0].insert(place, all);
        }
        for (place, written) in self.records[0].clone() {
            for at in 0..self.nodes.len() {
                self.tell(
                    at,
                    Command::Record {
                        place: place.clone(),
                        written: written.clone(),
                    },
                );
            }
        }
    }

    pub(super) fn members(&self, viewer: usize) -> Vec<Seen> {
        let all = self.presence.iter().enumerate().map(|(at, presence)| Seen {
            node: id(u8::try_from(at).unwrap()),
            role: Role::Relay,
            presence: if self.sides[at] == self.sides[viewer] {
                *presence
            } else {
                Presence::Missed
            },
            writes: true,
        });
        all.collect()
    }

    /// Lets seconds pass; `values` are what each node measures of itself.
    pub(super) fn pass(&mut self, seconds: u64, values: &[(usize, Metric, Option<i64>)]) {
        for _ in 0..seconds {
            self.now += 1_000;
            for at in 0..self.nodes.len() {
                if self.presence[at] != Presence::Here {
                    continue;
                }
                let members = self.members(at);
                let own = values.iter().filter(|(node, ..)| *node == at);
                let own = own.map(|(node, metric, value)| reading(*node, *metric, *value));
                let mut readings: Vec<Reading> = own.collect();
                readings.extend(members.iter().map(|seen| Reading {
                    node: seen.node,
                    confidence: 100,
                    ..reading(
                        0,
                        Metric::Unreachable,
                        Some(if seen.presence == Presence::Missed {
                            1_000
                        } else {
                            0
                        }),
                    )
                }));
                let wall_ms = WALL_MS + self.now;
                self.tell(
                    at,
                    Command::Look(Look {
                        wall_ms,
                        members,
                        readings,
                    }),
                );
                let now = Time::from_millis(self.now);
                self.nodes[at].handle_timeout(now);
                self.drain(at);
            }
        }
    }

    pub(super) fn standings(&self, at: usize) -> Vec<(String, Standing)> {
        let alerts = self.nodes[at].alerts();
        alerts
            .iter()
            .map(|known| (known.alert.about.rule.to_string(), known.standing))
            .collect()
    }

    pub(super) fn first(&self, at: usize) -> Id {
        self.nodes[at].alerts()[0].id
    }
}

pub(super) fn reading(node: usize, metric: Metric, value_milli: Option<i64>) -> Reading {
    Reading {
        metric,
        node: id(u8::try_from(node).unwrap()),
        peer: None,
        value_milli,
        confidence: 90,
        of: None,
    }
}
