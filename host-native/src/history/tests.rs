//! The file and its thread, without a node and without a database.

use super::{
    read::{Place, Reader, Wanted},
    record::{Alert, Audit, Incident, Kind, Record, RollUp, Stored},
    spool::{ALL_ROWS, Keep, Spool},
    state::{Dropped, State, Work},
    writer::{Job, Writer},
    *,
};
use crate::cli::RunArgs;
use sporenet_core::{kernel::id::NodeId, node::contract::Severity};
use std::fs;

/// A folder that goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("sporenet-history-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("history.db")
    }

    fn spool(&self) -> Spool {
        Spool::open(&self.file(), "fresh").unwrap().0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn audit(number: u64, at_ms: u64) -> Record {
    Record::Audit(Audit {
        key: (7, number),
        at_ms,
        action: "forget",
        who: "127.0.0.1:1".to_owned(),
        node: None,
        detail: "x".repeat(200),
        outcome: "done",
    })
}

fn alert(state: &str, node: u8) -> Record {
    Record::Alert(Alert {
        id: "a1".to_owned(),
        rule: "disk".to_owned(),
        node: Some(NodeId::from_bytes([node; 32])),
        metric: Some("disk".to_owned()),
        severity: Severity::Warn,
        state: state.to_owned(),
        text: "The disk is full.".to_owned(),
        since_ms: 5,
        ended_ms: None,
        acknowledged_by: None,
        note: None,
    })
}

fn minute(from_ms: u64, points: u64, mean: f64, (min, max): (f64, f64)) -> Record {
    Record::Minute(RollUp {
        node: "ab".repeat(32),
        series: "cpu".to_owned(),
        unit: "%".to_owned(),
        from_ms,
        points,
        mean,
        min,
        max,
        last: mean,
    })
}

fn stored(records: impl IntoIterator<Item = Record>) -> Vec<Stored> {
    records
        .into_iter()
        .map(|record| record.stored().unwrap())
        .collect()
}

fn wanted(kind: Kind) -> Wanted {
    Wanted {
        kind,
        from_ms: 0,
        to_ms: u64::MAX,
        nodes: Vec::new(),
        code: None,
        before: None,
        limit: 10,
    }
}

const KEEP: Keep = Keep {
    age_ms: 1_000,
    minutes_ms: 500,
    bytes_max: 64 << 20,
    shipped_row: ALL_ROWS,
};

fn settings() -> HistorySettings {
    let args = RunArgs {
        history: Some("postgres://nobody@127.0.0.1:1/none".to_owned()),
        data: Some("/nonexistent".into()),
        ..RunArgs::default()
    };
    crate::config::Settings::load(&args).unwrap().history
}

#[test]
fn a_record_that_comes_twice_is_kept_once() {
    let folder = Folder::new("twice");
    let mut spool = folder.spool();
    assert_eq!(
        spool.write(&stored([audit(1, 10), audit(2, 20)])).unwrap(),
        2
    );
    assert_eq!(
        spool.write(&stored([audit(2, 20), audit(3, 30)])).unwrap(),
        1
    );
    let page = Reader::open(&folder.file()).unwrap();
    let page = page.page(&wanted(Kind::Audit)).unwrap();
    let moments: Vec<u64> = page.rows.iter().map(|row| row.at_ms).collect();
    assert_eq!(moments, [30, 20, 10]);
    assert_eq!(page.next, None);
}

#[test]
fn an_alert_that_goes_on_takes_the_place_of_what_it_was_and_waits_again() {
    let folder = Folder::new("goes-on");
    let mut spool = folder.spool();
    spool
        .write(&stored([alert("firing", 1), audit(1, 10)]))
        .unwrap();
    let reader = Reader::open(&folder.file()).unwrap();
    let place = reader.after(0, 10).unwrap().last().unwrap().row;
    spool.write(&stored([alert("resolved", 1)])).unwrap();
    let waiting = reader.after(place, 10).unwrap();
    assert_eq!(waiting.len(), 1);
    assert!(waiting[0].body.contains("resolved"));
    let page = reader.page(&wanted(Kind::Alert)).unwrap();
    assert_eq!(page.rows.len(), 1);
    assert_eq!(page.rows[0].body["state"], "resolved");
}

#[test]
fn pages_follow_one_another_without_gap_even_within_one_moment() {
    let folder = Folder::new("pages");
    let mut spool = folder.spool();
    let same_moment = (0..25).map(|number| audit(number, 10));
    spool.write(&stored(same_moment)).unwrap();
    let reader = Reader::open(&folder.file()).unwrap();
    let (mut seen, mut asked) = (Vec::new(), wanted(Kind::Audit));
    loop {
        let page = reader.page(&asked).unwrap();
        seen.extend(page.rows.into_iter().map(|row| row.key));
        let Some(next) = page.next else { break };
        assert_eq!(Place::parse(&next.text()), Some(next));
        asked.before = Some(next);
    }
    assert_eq!(seen.len(), 25);
    seen.dedup();
    assert_eq!(seen.len(), 25);
    for wrong in ["", "1", "a-b", "-1-1"] {
        assert_eq!(Place::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn rows_are_found_by_time_node_and_code() {
    let folder = Folder::new("found");
    let mut spool = folder.spool();
    let incident = Record::Incident(Incident {
        id: "i1".to_owned(),
        title: "t".to_owned(),
        severity: Severity::Error,
        state: "open".to_owned(),
        cause: "disk".to_owned(),
        nodes: vec![NodeId::from_bytes([1; 32])],
        alerts: vec!["a1".to_owned()],
        since_ms: 5,
        ended_ms: None,
    });
    let all = stored([alert("firing", 1), audit(1, 10), audit(2, 20), incident]);
    spool.write(&all).unwrap();
    let reader = Reader::open(&folder.file()).unwrap();
    let many = |wanted: &Wanted| reader.page(wanted).unwrap().rows.len();
    let mut by_time = wanted(Kind::Audit);
    (by_time.from_ms, by_time.to_ms) = (11, 20);
    assert_eq!(many(&by_time), 1);
    for kind in [Kind::Alert, Kind::Incident] {
        let mut by_node = wanted(kind);
        by_node.nodes = vec!["0101".to_owned()];
        assert_eq!(many(&by_node), 1, "{kind:?}");
        by_node.nodes = vec!["0202".to_owned()];
        assert_eq!(many(&by_node), 0, "{kind:?}");
    }
    let mut by_code = wanted(Kind::Alert);
    by_code.code = Some("disk".to_owned());
    assert_eq!(many(&by_code), 1);
    by_code.code = Some("disks".to_owned());
    assert_eq!(many(&by_code), 0);
}

#[test]
fn what_is_too_old_goes_and_minutes_go_first() {
    let folder = Folder::new("age");
    let mut spool = folder.spool();
    let records = [
        audit(1, 100),
        audit(2, 900),
        minute(900, 1, 1.0, (1.0, 1.0)),
        minute(1_600, 1, 1.0, (1.0, 1.0)),
    ];
    spool.write(&stored(records)).unwrap();
    let swept = spool.sweep(1_500, KEEP).unwrap();
    assert_eq!((swept.rows, swept.unshipped), (2, 0));
    let reader = Reader::open(&folder.file()).unwrap();
    assert_eq!(
        reader.page(&wanted(Kind::Audit)).unwrap().rows[0].at_ms,
        900
    );
    assert_eq!(reader.page(&wanted(Kind::Minute)).unwrap().rows.len(), 1);
}

#[test]
fn what_waits_for_a_database_does_not_go_because_of_its_age() {
    let folder = Folder::new("waits");
    let mut spool = folder.spool();
    spool.write(&stored([audit(1, 1), audit(2, 2)])).unwrap();
    let first = Reader::open(&folder.file()).unwrap().after(0, 1).unwrap()[0].row;
    let keep = Keep {
        shipped_row: first,
        ..KEEP
    };
    assert_eq!(spool.sweep(1_000_000, keep).unwrap().rows, 1);
}

#[test]
fn a_file_that_is_too_large_shrinks_and_loses_its_oldest_rows() {
    let folder = Folder::new("size");
    let mut spool = folder.spool();
    for start in (0..20_000).step_by(1_000) {
        let some = (start..start + 1_000).map(|number| audit(number, number));
        spool.write(&stored(some)).unwrap();
    }
    let keep = Keep {
        age_ms: u64::MAX,
        bytes_max: 2 << 20,
        shipped_row: 0,
        ..KEEP
    };
    let before = fs::metadata(folder.file()).unwrap().len();
    let swept = spool.sweep(0, keep).unwrap();
    assert!(swept.rows > 0 && swept.unshipped == swept.rows, "{swept:?}");
    spool.close();
    let after = fs::metadata(folder.file()).unwrap().len();
    assert!(after <= 2 << 20 && before > 4 << 20, "{before} to {after}");
    let spool = folder.spool();
    let extent = spool.extent().unwrap();
    assert_eq!(extent.last_row, 20_000, "the newest is there");
    assert_eq!(extent.first_row, swept.rows + 1, "the oldest went");
}

#[test]
fn an_hour_is_made_of_its_minutes_once_it_is_over() {
    const HOUR: u64 = 3_600_000;
    let folder = Folder::new("hours");
    let mut spool = folder.spool();
    let minutes = [
        minute(10 * HOUR, 60, 1.0, (0.5, 2.0)),
        minute(10 * HOUR + 60_000, 20, 5.0, (3.0, 9.0)),
        minute(11 * HOUR, 60, 7.0, (7.0, 7.0)),
    ];
    spool.write(&stored(minutes)).unwrap();
    assert_eq!(
        spool.roll_up(11 * HOUR).unwrap(),
        0,
        "its last minute may come"
    );
    assert_eq!(spool.roll_up(11 * HOUR + 120_000).unwrap(), 1);
    assert_eq!(spool.roll_up(11 * HOUR + 180_000).unwrap(), 0);
    // A clock that goes back, and forth again, makes no hour twice.
    assert_eq!(spool.roll_up(5 * HOUR).unwrap(), 0);
    assert_eq!(spool.roll_up(11 * HOUR + 120_000).unwrap(), 0);
    let reader = Reader::open(&folder.file()).unwrap();
    let hour = &reader.page(&wanted(Kind::Hour)).unwrap().rows[0];
    assert_eq!((hour.at_ms, hour.code.as_str()), (10 * HOUR, "cpu"));
    assert_eq!(hour.body["points"], 80);
    assert_eq!(hour.body["mean"], 2.0);
    assert_eq!(hour.body["min"], 0.5);
    assert_eq!(hour.body["max"], 9.0);
    assert_eq!(hour.body["last"], 5.0);
}

#[test]
fn a_place_in_a_database_is_remembered() {
    let folder = Folder::new("place");
    let spool = folder.spool();
    assert_eq!(spool.shipped().unwrap(), 0);
    spool.note_shipped(42).unwrap();
    spool.close();
    let spool = Spool::open(&folder.file(), "another").unwrap().0;
    assert_eq!(spool.shipped().unwrap(), 42);
    assert_eq!(spool.id, "fresh", "it is still the same file");
}

#[test]
fn a_damaged_file_is_set_aside_and_a_new_one_begins() {
    let folder = Folder::new("damaged");
    fs::write(folder.file(), vec![7; 20_000]).unwrap();
    let (mut spool, aside) = Spool::open(&folder.file(), "fresh").unwrap();
    assert_eq!(fs::read(aside.unwrap()).unwrap(), vec![7; 20_000]);
    assert_eq!(spool.write(&stored([audit(1, 1)])).unwrap(), 1);
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    let folder = Folder::new("later");
    folder.spool().close();
    let raw = rusqlite::Connection::open(folder.file()).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    raw.close().unwrap();
    let said = Spool::open(&folder.file(), "fresh").unwrap_err();
    assert!(said.contains("later version"), "{said}");
    assert!(folder.file().exists());
}

#[test]
fn a_full_queue_drops_and_counts() {
    let state = Arc::new(State::new());
    let (jobs, inbox) = mpsc::sync_channel(2);
    let history = History(Ok(Arc::new(Running {
        jobs,
        state: Arc::clone(&state),
        path: PathBuf::new(),
        target: None,
        instance: 7,
        follows_mesh: false,
        audits: AtomicU64::new(0),
        flood: Mutex::new(Flood::new(Instant::now())),
        thread: Mutex::new(None),
        shipper: None,
    })));
    for number in 0..5 {
        history.record(audit(number, 1));
    }
    assert_eq!(state.dropped(Dropped::QueueFull), 3);
    assert_eq!(inbox.try_iter().count(), 2);
}

#[test]
fn the_thread_writes_all_that_waits_before_it_ends() {
    let folder = Folder::new("thread");
    let state = Arc::new(State::new());
    let writer = Writer::new(folder.spool(), Arc::clone(&state), &settings());
    let (jobs, inbox) = mpsc::sync_channel(QUEUE_MAX);
    let now = clock::wall().as_millis();
    for number in 0..1_000 {
        jobs.try_send(Job::Record(Box::new(audit(number, now))))
            .unwrap();
    }
    let large = Record::Audit(Audit {
        key: (7, 1_000),
        at_ms: now,
        action: "forget",
        who: String::new(),
        node: None,
        detail: "x".repeat(100_000),
        outcome: "done",
    });
    jobs.try_send(Job::Record(Box::new(large))).unwrap();
    jobs.try_send(Job::Finish).unwrap();
    writer.run(&inbox);
    assert_eq!(state.dropped(Dropped::TooLarge), 1);
    assert_eq!(state.pending(), 1_000, "no database has them yet");
    assert_eq!(state.trouble(Work::Writing), None);
    assert_eq!(folder.spool().extent().unwrap().last_row, 1_000);
}

#[test]
fn strangers_cannot_fill_the_file() {
    let start = Instant::now();
    let mut flood = Flood::new(start);
    let admitted = (0..10_000).filter(|_| flood.admits(start)).count();
    assert_eq!(admitted, 100);
    assert!(!flood.admits(start + Duration::from_secs(9)));
    assert!(flood.admits(start + Duration::from_secs(10)));
    assert!(!flood.admits(start + Duration::from_secs(10)));
}

#[test]
fn an_outage_begins_once_and_ends_once() {
    let state = State::new();
    assert!(!state.works(Work::Shipping));
    assert!(state.failed(Work::Shipping, 5, "first".to_owned()));
    assert!(!state.failed(Work::Shipping, 9, "second".to_owned()));
    let trouble = state.trouble(Work::Shipping).unwrap();
    assert_eq!((trouble.since_ms, trouble.what.as_str()), (5, "second"));
    assert!(state.works(Work::Shipping));
    assert_eq!(state.trouble(Work::Shipping), None);
}

#[test]
fn what_a_database_can_not_hold_is_not_written() {
    let mut record = audit(1, 1);
    if let Record::Audit(audit) = &mut record {
        audit.detail = "a\0b".to_owned();
    }
    let body = record.stored().unwrap().body;
    assert!(!body.contains("\\u0000") && body.contains('\u{fffd}') || body.contains("\\ufffd"));
}
