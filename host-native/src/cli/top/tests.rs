//! What is drawn, and what keys do, in a terminal that is not there.

use super::{
    super::{
        screen::Outcome,
        seen::{Act, Answers, Word},
    },
    *,
};
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};
use serde_json::{Value, json};
use sporenet_core::node::alert_views::AlertView;

/// Two open incidents, one that is over, and their alerts.
fn incidents() -> Answers {
    let status = json!({
        "id": "a1".repeat(32), "name": "first", "role": "relay", "network": "0".repeat(64),
        "version": "0", "verdict": "healthy", "reasons": [],
        "incarnation": 1,
        "members": {"alive": 3, "suspect": 0, "dead": 1, "left": 0, "parked": 0},
        "mode": "normal", "kv": {"keys": 5, "batches": 9}, "uptime_s": 60, "clock_ahead_ms": null,
    });
    Answers {
        status: Some(serde_json::from_value(status).unwrap()),
        incidents: vec![
            incident("0000000a", "medium", "path_bad", None),
            incident("0000000b", "critical", "node_down", None),
            incident("0000000c", "critical", "disk_full", Some(2_000)),
        ],
        alerts: vec![
            alert("00000001", "unreachable"),
            alert("00000002", "latency"),
        ],
        ..Answers::default()
    }
}

fn incident(id: &str, severity: &str, cause: &str, ended_ms: Option<u64>) -> IncidentView {
    let state = if ended_ms.is_some() {
        "resolved"
    } else {
        "firing"
    };
    let alerts = if id == "0000000b" {
        vec!["00000001", "00000002"]
    } else {
        Vec::new()
    };
    view(json!({
        "id": id, "title": format!("title of {id}"), "severity": severity, "state": state,
        "cause": cause, "causes": [{"code": cause, "text": format!("because of {cause}"), "percent": 71}],
        "next_step": "do this", "nodes": ["ab".repeat(32)], "alerts": alerts, "since_ms": 1_000,
        "ended_ms": ended_ms, "acknowledged_by": null, "note": null,
        "notified": [{"channel": "ops", "step": 0, "by": "second", "at_ms": 1_500, "ok": true, "error": null}],
    }))
}

fn alert(id: &str, rule: &str) -> AlertView {
    view(json!({
        "id": id, "rule": rule, "severity": "critical", "state": "firing", "node": "ab".repeat(32),
        "node_name": "third", "peer": null, "peer_name": null, "metric": rule, "value": 1.0,
        "threshold": 1.0, "unit": "", "since_ms": 1_000, "ended_ms": null, "acknowledged_by": null,
        "acknowledged_ms": null, "note": null, "silenced_until_ms": null, "incident": "0000000b",
        "text": format!("{rule} of third"),
    }))
}

fn view<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn seen(answers: Answers) -> Seen {
    let mut seen = Seen::default();
    seen.take(Word::Seen(Box::new(answers)), &mut None);
    seen
}

/// Presses keys, a letter each.
fn press(screen: &mut Screen, seen: &Seen, keys: &str) -> Outcome {
    let mut outcome = Outcome::Stay;
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            other => KeyCode::Char(other),
        };
        outcome = screen.press(KeyEvent::new(code, KeyModifiers::NONE), seen);
    }
    outcome
}

/// What stands on the screen.
fn drawn(screen: &mut Screen, seen: &Seen) -> String {
    let mut terminal = Terminal::new(TestBackend::new(160, 40)).unwrap();
    terminal.draw(|frame| draw(frame, seen, screen)).unwrap();
    terminal.backend().to_string()
}

fn assert_shows(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[test]
fn every_view_is_drawn_with_nothing_known_and_in_a_small_terminal() {
    for (width, height) in [(120, 40), (20, 8), (1, 1)] {
        for (_, key, _) in Shown::ALL {
            for seen in [Seen::default(), seen(incidents())] {
                let mut screen = Screen::default();
                let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
                for keys in [key.to_string().as_str(), "\n", "?"] {
                    press(&mut screen, &seen, keys);
                    terminal
                        .draw(|frame| draw(frame, &seen, &mut screen))
                        .unwrap();
                }
            }
        }
    }
}

#[test]
fn open_incidents_come_first_and_are_counted_on_every_view() {
    let (seen, mut screen) = (seen(incidents()), Screen::default());
    for (_, key, _) in Shown::ALL {
        press(&mut screen, &seen, &key.to_string());
        assert_shows(&drawn(&mut screen, &seen), &["2 incidents"]);
    }
    let text = drawn(&mut screen, &seen);
    let parts = [
        "critical",
        "node_down 71 %",
        "abababab",
        "1970-01-01 00:00:01Z",
    ];
    assert_shows(&text, &parts);
    let place = |id: &str| text.find(id).unwrap();
    assert!(place("0000000b") < place("0000000a"), "{text}");
    assert!(place("0000000a") < place("0000000c"), "{text}");
    let quiet = Seen {
        now: Answers {
            incidents: Vec::new(),
            ..incidents()
        },
        ..Seen::default()
    };
    assert_shows(
        &drawn(&mut screen, &quiet),
        &["no incident", "No incident is known."],
    );
}

#[test]
fn one_incident_is_shown_whole() {
    let (seen, mut screen) = (seen(incidents()), Screen::default());
    press(&mut screen, &seen, "4\n");
    let text = drawn(&mut screen, &seen);
    let parts = [
        "title of 0000000b",
        "71 %  because of node_down",
        "do this",
        "00000001  firing        unreachable of third",
        "by nobody",
        "ops  step 0  by second  arrived",
    ];
    assert_shows(&text, &parts);
    press(&mut screen, &seen, "\u{1b}");
    assert_shows(
        &drawn(&mut screen, &seen),
        &["SEVERITY", "title of 0000000a"],
    );
}

#[test]
fn keys_ask_before_they_act_on_the_selected_incident() {
    let (seen, mut screen) = (seen(incidents()), Screen::default());
    press(&mut screen, &seen, "4a");
    assert_shows(
        &drawn(&mut screen, &seen),
        &["Acknowledge: 0000000b, title of 0000000b? y/n"],
    );
    assert_eq!(press(&mut screen, &seen, "n"), Outcome::Stay);
    assert_shows(&drawn(&mut screen, &seen), &["Nothing was done."]);
    let acknowledge = Act::Acknowledge("0000000b".to_owned());
    assert_eq!(press(&mut screen, &seen, "ay"), Outcome::Act(acknowledge));
    let resolve = Act::Resolve("0000000a".to_owned());
    assert_eq!(press(&mut screen, &seen, "jry"), Outcome::Act(resolve));
    // Of that one nothing fires.
    assert_eq!(press(&mut screen, &seen, "sy"), Outcome::Stay);
    let node = "ab".repeat(8);
    let fits = ["latency", "unreachable"].map(|rule| format!("{rule} {node}"));
    let silence = Act::Silence(fits.into());
    assert_eq!(press(&mut screen, &seen, "g\nsy"), Outcome::Act(silence));
    // What is over, is over.
    assert_eq!(press(&mut screen, &seen, "\u{1b}Gay"), Outcome::Stay);
    // Elsewhere they mean nothing.
    assert_eq!(press(&mut screen, &seen, "1ay"), Outcome::Stay);
}

#[test]
fn views_are_found_by_name_and_rows_by_what_they_contain() {
    let (seen, mut screen) = (seen(incidents()), Screen::default());
    press(&mut screen, &seen, ":inc");
    assert_shows(&drawn(&mut screen, &seen), &[":inc█"]);
    press(&mut screen, &seen, "\n");
    assert_eq!(screen.shown, Shown::Incidents);
    press(&mut screen, &seen, "/PATH_\n");
    let text = drawn(&mut screen, &seen);
    assert_shows(&text, &["0000000a", "/PATH_"]);
    assert!(!text.contains("0000000b"), "{text}");
    let acknowledge = Act::Acknowledge("0000000a".to_owned());
    assert_eq!(press(&mut screen, &seen, "ay"), Outcome::Act(acknowledge));
    press(&mut screen, &seen, "\u{1b}");
    assert_shows(&drawn(&mut screen, &seen), &["0000000b"]);
    press(&mut screen, &seen, "\t");
    assert_eq!(screen.shown, Shown::Nodes);
    press(&mut screen, &seen, ":nothing\n");
    assert_shows(&drawn(&mut screen, &seen), &["No view is called nothing"]);
    press(&mut screen, &seen, "?");
    assert_shows(&drawn(&mut screen, &seen), &["silence it for two hours"]);
    assert_eq!(press(&mut screen, &seen, "x:q\n"), Outcome::Quit);
    assert_eq!(press(&mut screen, &seen, "q"), Outcome::Quit);
}

#[test]
fn a_node_that_goes_away_leaves_its_last_values_and_is_told() {
    let (mut seen, mut screen) = (seen(incidents()), Screen::default());
    let mut said = None;
    seen.take(Word::Trouble("no node runs there".to_owned()), &mut said);
    press(&mut screen, &seen, "4");
    let text = drawn(&mut screen, &seen);
    let parts = [
        "No answer for 0 s",
        "no node runs there",
        "0000000b",
        "2 incidents",
    ];
    assert_shows(&text, &parts);
    seen.take(Word::Done(Err("it refused".to_owned())), &mut said);
    assert_eq!(said, Some(Err("it refused".to_owned())));
    seen.take(Word::Seen(Box::new(incidents())), &mut said);
    assert!(!drawn(&mut screen, &seen).contains("No answer"));
}

#[test]
fn the_lowest_health_is_kept_over_time() {
    let health = |scores: &[Option<f64>]| -> Answers {
        let one = |(place, score): (usize, &Option<f64>)| {
            view(json!({
                "node": format!("{place}"), "name": format!("node-{place}"), "score": score,
                "healthy": null, "terms": [],
            }))
        };
        Answers {
            health: scores.iter().enumerate().map(one).collect(),
            ..incidents()
        }
    };
    let mut seen = Seen::default();
    for scores in [
        &[Some(0.9), None][..],
        &[None, None],
        &[Some(0.8), Some(0.4)],
    ] {
        seen.take(Word::Seen(Box::new(health(scores))), &mut None);
    }
    assert_eq!(seen.lowest, [0.9, 0.4]);
    let text = drawn(&mut Screen::default(), &seen);
    assert_shows(&text, &["lowest health 40 % node-1"]);
}
