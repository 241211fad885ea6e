//! History: what a relay keeps over its restarts, and what a database gets of it.

use serde_json::Value;
use sporenet_tests::{
    postgres::{PASSWORD, Postgres},
    program,
    relay::{Relay, free_address},
    wait,
};
use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

const PATIENCE: Duration = Duration::from_secs(90);
/// What the API calls the kinds of rows, and what the database does.
const KINDS: [(&str, &str); 6] = [
    ("events", "event"),
    ("audit", "audit"),
    ("metrics", "minute"),
    ("metrics?step=hour", "hour"),
    ("alerts", "alert"),
    ("incidents", "incident"),
];

fn rows(relay: &Relay, what: &str) -> Vec<Value> {
    let answer = relay.api("GET", &format!("/api/v1/history/{what}"), b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    assert!(answer["next"].is_null(), "one page has it all");
    answer["rows"].as_array().expect("rows").clone()
}

fn codes(rows: &[Value], code: &str) -> usize {
    rows.iter().filter(|row| row["code"] == code).count()
}

/// Every row that the relay has, as `kind/key`.
fn local(relay: &Relay) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (what, kind) in KINDS {
        for row in rows(relay, what) {
            let key = row["key"].as_str().expect("a key");
            assert!(all.insert(format!("{kind}/{key}")), "twice: {row}");
        }
    }
    all
}

/// Every row of a relay that the database has.
fn copied(postgres: &Postgres, relay: &str) -> Vec<String> {
    let sql = format!(
        "SELECT kind || '/' || key FROM sporenet_history WHERE relay = '{relay}' ORDER BY 1"
    );
    postgres.query(&sql)
}

/// The same, before there are tables too.
fn copied_or_none(postgres: &Postgres, relay: &str) -> Vec<String> {
    let sql = format!("SELECT key FROM sporenet_history WHERE relay = '{relay}'");
    postgres.try_query(&sql).unwrap_or_default()
}

fn invite_times(relay: &Relay, times: u16) {
    for uses in 1..=times {
        let _ = relay.invite(&["--uses", &uses.to_string(), "--ttl", "1s"]);
    }
}

/// The file with a database's address, for its owner only.
fn address_file(folder: &Path, address: &str) -> String {
    let path = folder.join("history.address");
    fs::write(&path, address).expect("an address can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it can be private");
    path.display().to_string()
}

#[test]
fn history_survives_a_kill_and_doubles_nothing() {
    let mut relay = Relay::found("kept");
    let _ = relay.invite(&["--uses", "2"]);
    let _ = relay.cli(&["forget", "nobody"]);
    wait::eventually("both acts are written", PATIENCE, || {
        let audit = rows(&relay, "audit");
        (audit.len() == 2).then_some(()).ok_or(audit)
    });
    assert_eq!(codes(&rows(&relay, "events"), "started"), 1);
    let before = local(&relay);
    relay.kill();
    relay.start();
    wait::eventually("the second run is written too", PATIENCE, || {
        let events = rows(&relay, "events");
        (codes(&events, "started") == 2).then_some(()).ok_or(events)
    });
    let after = local(&relay);
    assert!(before.is_subset(&after), "{before:?} {after:?}");

    let audit = rows(&relay, "audit");
    let outcome = |code: &str| {
        let row = audit.iter().find(|row| row["code"] == code);
        row.map(|row| row["outcome"].clone())
    };
    assert_eq!(outcome("invite"), Some("done".into()));
    assert_eq!(outcome("forget"), Some("not_found".into()));
    let who = audit[0]["who"].as_str().expect("who");
    assert!(who.starts_with("127.0.0.1:"), "{who}");
    relay.kill();
    // A relay that is killed again and again adds what is new, and nothing else.
    relay.start();
    relay.stop();
    relay.start();
    wait::eventually("the orderly stop is written", PATIENCE, || {
        let events = rows(&relay, "events");
        let seen = (codes(&events, "started"), codes(&events, "departed"));
        (seen == (4, 1)).then_some(()).ok_or(events)
    });
    assert!(after.is_subset(&local(&relay)));
}

#[test]
fn history_is_read_as_lines_json_and_csv() {
    let relay = Relay::found("read");
    invite_times(&relay, 5);
    wait::until("all is written", PATIENCE, || {
        rows(&relay, "audit").len() == 5
    });
    let text = relay.cli(&["history"]).expect_success().stdout;
    assert!(text.contains("started") && text.contains("info"), "{text}");
    let newest = relay.cli(&["history", "audit", "--limit", "2", "--json"]);
    let newest = newest.json();
    let detail = |index: usize| newest[index]["detail"].as_str().expect("a detail");
    assert!(detail(0).starts_with("for 4 newcomers"), "{newest}");
    assert!(detail(1).starts_with("for 5 newcomers"), "{newest}");
    let csv = relay.cli(&["history", "audit", "--csv"]).expect_success();
    let head = "at_ms,severity,code,node,key,outcome,who,detail";
    assert_eq!(csv.stdout.lines().next(), Some(head));
    assert_eq!(csv.stdout.lines().count(), 6);
    let none = relay.cli(&["history", "events", "--code", "member_dead", "--json"]);
    assert_eq!(none.json(), serde_json::json!([]));
    let long_ago = relay.cli(&["history", "--until", "1h", "--json"]);
    assert_eq!(long_ago.json(), serde_json::json!([]));
    let nobody = relay.cli(&["history", "--node", "nobody"]);
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.stderr.contains("no member is called"), "{nobody:?}");
    let own = relay.cli(&["history", "--node", "read", "--json"]).json();
    assert!(!own.as_array().expect("an array").is_empty());

    // Page by page the same as at once.
    let all = rows(&relay, "audit");
    let (mut paged, mut path) = (Vec::new(), "/api/v1/history/audit?limit=2".to_owned());
    loop {
        let page = relay.api("GET", &path, b"").json();
        paged.extend(page["rows"].as_array().expect("rows").clone());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/api/v1/history/audit?limit=2&before={next}");
    }
    assert_eq!(paged, all);

    let metrics = relay.api("GET", "/metrics", b"").text();
    for line in [
        "sporenet_history_records_total{kind=\"audit\"} 5.0",
        "sporenet_history_dropped_total{reason=\"queue_full\"} 0.0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[test]
fn a_minute_of_every_series_is_kept() {
    let relay = Relay::found("measured");
    wait::eventually("a minute is over", Duration::from_secs(240), || {
        let minutes = rows(&relay, "metrics?code=memory");
        let last = minutes.first().cloned().unwrap_or_default();
        let (min, max) = (last["min"].as_f64(), last["max"].as_f64());
        let is_sound = min > Some(0.0) && max >= min && last["mean"].as_f64() >= min;
        is_sound.then_some(()).ok_or(last)
    });
    let shown = relay.cli(&["history", "metrics"]).expect_success().stdout;
    assert!(shown.contains("journal_latency"), "{shown}");
}

#[test]
fn history_can_be_off() {
    let relay = Relay::with("forgetful", &["--history=off"]);
    let asked = relay.cli(&["history"]);
    assert_eq!(asked.code, Some(1));
    assert!(asked.stderr.contains("switched off"), "{asked:?}");
    assert!(!relay.data().join("history.db").exists());
    let doctor = relay.cli(&["doctor", "--connections-max=16"]);
    assert!(!doctor.stdout.contains("history"), "{doctor:?}");
}

#[test]
fn a_damaged_history_keeps_no_relay_from_running() {
    let mut relay = Relay::found("damaged");
    relay.stop();
    fs::write(relay.data().join("history.db"), vec![7; 9_000]).expect("it can be damaged");
    relay.start();
    wait::until("a new one begins", PATIENCE, || {
        codes(&rows(&relay, "events"), "started") == 1
    });
    // Its log is written by a thread of its own.
    wait::until("the log says so", PATIENCE, || {
        relay.log().contains("set aside")
    });
}

#[test]
fn a_password_is_refused_on_the_command_line_and_shown_nowhere() {
    let address = format!("postgres://me:{PASSWORD}@127.0.0.1:1/x");
    let outcome = program::run(["config", "check", "--history", &address]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert!(outcome.stderr.contains("--history-file"), "{outcome:?}");
    assert!(!outcome.stderr.contains(PASSWORD), "{outcome:?}");

    let folder = tempfile::tempdir().expect("a folder");
    let file = address_file(folder.path(), &address);
    let data = format!("--data={}", folder.path().display());
    let printed = program::run(["config", "print", "--history-file", &file, &data]);
    assert!(printed.stdout.contains("postgres://me@127.0.0.1:1/x"));
    assert!(!printed.stdout.contains(PASSWORD), "{printed:?}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("it can be public");
    let outcome = program::run(["config", "check", "--history-file", &file, &data]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert!(outcome.stderr.contains("chmod 600"), "{outcome:?}");
}

#[test]
fn a_database_that_is_away_for_a_while_gets_everything_once() {
    let mut postgres = Postgres::start(free_address().port());
    let folder = tempfile::tempdir().expect("a folder");
    let file = address_file(folder.path(), &postgres.address("127.0.0.1", ""));
    let mut relay = Relay::with("copied", &["--history-file", &file]);
    let id = relay.id();
    invite_times(&relay, 3);
    let all_there = |postgres: &Postgres, relay: &Relay| {
        wait::eventually("the database has every row once", PATIENCE, || {
            let (here, there) = (local(relay), copied(postgres, &id));
            let is_same = here.iter().eq(&there);
            is_same.then_some(there.len()).ok_or((here, there))
        })
        .0
    };
    let at_first = all_there(&postgres, &relay);
    assert!(at_first >= 4, "{at_first}");

    postgres.stop();
    invite_times(&relay, 20);
    wait::eventually("the relay tells what waits", PATIENCE, || {
        let status = relay.api("GET", "/api/v1/history", b"").json();
        let waits = status["pending"].as_u64() >= Some(20) && status["shipping"].is_object();
        waits.then_some(()).ok_or(status)
    });
    let doctor = relay.cli(&["doctor"]).stdout;
    assert!(doctor.contains("takes no history"), "{doctor}");
    relay.kill();
    relay.start();
    invite_times(&relay, 4);
    postgres.go_on();
    let at_last = all_there(&postgres, &relay);
    assert!(at_last >= at_first + 24, "{at_first} {at_last}");
    let acts = "SELECT count(*) FROM sporenet_audit WHERE action = 'invite' AND outcome = 'done'";
    assert_eq!(postgres.query(acts), ["27"]);

    // What is copied is not copied again by the next run, and the last words arrive.
    relay.stop();
    let departed = "SELECT count(*) FROM sporenet_events WHERE code = 'departed'";
    assert_eq!(postgres.query(departed), ["1"]);
    relay.start();
    all_there(&postgres, &relay);
    // One that lost everything, or went back to an old copy, says itself where it is.
    relay.stop();
    let _ = postgres.query("TRUNCATE sporenet_history, sporenet_relays");
    relay.start();
    all_there(&postgres, &relay);
    assert!(!relay.log().contains(PASSWORD));
    let metrics = relay.api("GET", "/metrics", b"").text();
    assert!(
        metrics.contains("sporenet_history_pending 0.0"),
        "{metrics}"
    );
}

#[test]
fn what_a_database_refuses_holds_up_nothing_else() {
    let postgres = Postgres::start(free_address().port());
    let folder = tempfile::tempdir().expect("a folder");
    let file = address_file(folder.path(), &postgres.address("127.0.0.1", ""));
    let relay = Relay::with("refused", &["--history-file", &file]);
    wait::until("the tables are there", PATIENCE, || {
        !copied_or_none(&postgres, &relay.id()).is_empty()
    });
    let rule = "ALTER TABLE sporenet_history ADD CHECK (body->>'outcome' IS DISTINCT FROM 'done')";
    let _ = postgres.query(rule);
    invite_times(&relay, 2);
    let _ = relay.cli(&["forget", "nobody"]);
    wait::eventually("what follows is copied", PATIENCE, || {
        let there = postgres.query("SELECT action FROM sporenet_audit");
        (there == ["forget"]).then_some(()).ok_or(there)
    });
    let metrics = relay.api("GET", "/metrics", b"").text();
    let counted = "sporenet_history_dropped_total{reason=\"refused\"} 2.0";
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn relays_share_a_database_whose_certificate_they_trust() {
    let postgres = Postgres::start(free_address().port());
    let folder = tempfile::tempdir().expect("a folder");
    let address = postgres.address("localhost", "sslmode=verify-full");
    let file = address_file(folder.path(), &address);
    let authority = format!("--tls-ca={}", postgres.certificate().display());
    let first = Relay::with("first", &["--history-file", &file, &authority]);
    let second = Relay::with("second", &["--history-file", &file, &authority]);
    let stranger = Relay::with("stranger", &["--history-file", &file]);
    for relay in [&first, &second] {
        let id = relay.id();
        wait::eventually("its start is there", PATIENCE, || {
            let sql = format!(
                "SELECT count(*) FROM sporenet_events WHERE relay = '{id}' AND code = 'started'"
            );
            let there = postgres.try_query(&sql);
            (there == Ok(vec!["1".to_owned()]))
                .then_some(())
                .ok_or(there)
        });
    }
    wait::eventually("who does not trust it copies nothing", PATIENCE, || {
        let status = stranger.api("GET", "/api/v1/history", b"").json();
        let what = status["shipping"]["what"].as_str().unwrap_or_default();
        what.contains("certificate")
            .then_some(())
            .ok_or_else(|| status.clone())
    });
    assert_eq!(copied(&postgres, &stranger.id()), Vec::<String>::new());
    let secured = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                   WHERE application_name = 'sporenet' AND ssl";
    assert_eq!(postgres.query(secured), ["2"]);
}
