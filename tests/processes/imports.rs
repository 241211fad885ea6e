//! Many values as lines of JSON, in and out.

use sporenet_tests::{program::Outcome, relay::Relay};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
};
use tempfile::TempDir;

/// A folder with a file of lines.
fn file(lines: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::with_prefix("sporenet-lines-").unwrap();
    let path = folder.path().join("lines.ndjson");
    fs::write(&path, lines).unwrap();
    (folder, path)
}

fn import(relay: &Relay, namespace: &str, path: &std::path::Path, more: &[&str]) -> Outcome {
    let path = path.to_str().unwrap();
    relay.cli(&[&["import", namespace, path], more].concat())
}

fn export(relay: &Relay, namespace: &str) -> String {
    let exported = relay.cli(&["export", namespace]);
    exported.expect_success().stdout
}

#[test]
fn a_refused_line_fails_alone_and_is_set_aside_with_its_number_and_reason() {
    let relay = Relay::found("alone");
    relay.put("app", "plain", "a text", "local").unwrap();
    let large = "v".repeat(256 * 1024 + 1);
    let lines = [
        r#"{"key":"a","value":"one"}"#.to_owned(),
        "no JSON".to_owned(),
        String::new(),
        format!(r#"{{"key":"large","value":"{large}"}}"#),
        r#"{"key":"plain","type":"counter","value":1}"#.to_owned(),
        r#"{"key":"b","value_base64":"/wA="}"#.to_owned(),
    ];
    let (folder, path) = file(&format!("{}\n", lines.join("\n")));
    let aside = folder.path().join("refused.ndjson");
    let more = ["--refused", aside.to_str().unwrap(), "--json"];
    let imported = import(&relay, "app", &path, &more);
    assert_eq!(imported.code, Some(1), "{}", imported.stderr);
    let summary = imported.json();
    assert_eq!(
        (&summary["written"], &summary["refused"]),
        (&2.into(), &3.into())
    );
    let told: Vec<&str> = imported.stderr.lines().collect();
    for (line, words) in told.iter().zip([
        ["line 2:", "bad_line"],
        ["line 4 (key `large`)", "value_too_large"],
        ["line 5 (key `plain`)", "other_kind"],
    ]) {
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
    }
    assert_eq!(relay.keys("app"), ["a", "b", "plain"]);
    let set_aside = fs::read_to_string(&aside).unwrap();
    let refused = [1, 3, 4].map(|index: usize| lines[index].as_str());
    assert_eq!(set_aside.lines().collect::<Vec<_>>(), refused);
    // What stood in the way is gone: of what was set aside, that line is taken.
    let _ = relay.cli(&["del", "app", "plain"]).expect_success();
    let again = import(&relay, "app", &aside, &more);
    assert_eq!((again.code, &again.json()["written"]), (Some(1), &1.into()));
    assert_eq!(fs::read_to_string(&aside).unwrap().lines().count(), 2);
}

#[test]
fn what_was_exported_is_imported_elsewhere_and_exported_alike() {
    let relay = Relay::found("alone");
    let many: Vec<String> = (0..2_500)
        .map(|number| format!("\"{number:04}\""))
        .collect();
    let lines = [
        r#"{"key":"beta","type":"flag","value":true}"#.to_owned(),
        r#"{"key":"bytes","value_base64":"/wA="}"#.to_owned(),
        r#"{"key":"note","value":"sow\n\"soon\""}"#.to_owned(),
        format!(
            r#"{{"key":"tags","type":"set","value":[{}]}}"#,
            many.join(",")
        ),
        r#"{"key":"two","type":"multi","value":"side by side"}"#.to_owned(),
        r#"{"key":"user","type":"map","value":{"name":"Ada"},"value_base64":{"photo":"/9j/"}}"#
            .to_owned(),
        r#"{"key":"visits","type":"counter","value":-42}"#.to_owned(),
    ];
    let (folder, path) = file(&lines.join("\n"));
    let _ = import(&relay, "one", &path, &[]).expect_success();
    let exported = export(&relay, "one");
    let kept: Vec<&str> = exported
        .lines()
        .filter(|line| !line.contains("\"tags\""))
        .collect();
    let without_tags = lines.iter().filter(|line| !line.contains("\"tags\""));
    let parsed = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let kept: Vec<_> = kept.into_iter().map(parsed).collect();
    assert_eq!(
        kept,
        without_tags.map(|line| parsed(line)).collect::<Vec<_>>()
    );
    let out = folder.path().join("out.ndjson");
    let written = relay.cli(&["export", "one", "-o", out.to_str().unwrap()]);
    let _ = written.expect_success();
    assert_eq!(fs::read_to_string(&out).unwrap(), exported);
    let _ = import(&relay, "two", &out, &[]).expect_success();
    assert_eq!(export(&relay, "two"), exported);
    // Once more: a counter is brought to its number, and does not count twice.
    let _ = import(&relay, "two", &out, &[]).expect_success();
    assert_eq!(export(&relay, "two"), exported);
    let of_tags = relay.cli(&["get", "two", "tags"]).expect_success().stdout;
    assert_eq!(of_tags.lines().count(), 2_500);
}

#[test]
fn lines_of_one_key_are_written_in_their_order_and_can_delete() {
    let relay = Relay::found("alone");
    let mut lines = String::new();
    for round in 0..5 {
        for key in 0..200 {
            lines.push_str(&format!("{{\"key\":\"{key:03}\",\"value\":\"{round}\"}}\n"));
        }
    }
    lines.push_str("{\"key\":\"000\",\"deleted\":true}\n");
    let answer = relay.api("POST", "/api/v1/kv/app", lines.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let told: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (summary, outcomes) = told.split_last().unwrap();
    assert_eq!(
        (&summary["done"], &summary["written"]),
        (&true.into(), &1_001.into())
    );
    for (number, outcome) in (1..).zip(outcomes) {
        assert_eq!(outcome["line"], number, "{outcome}");
        assert!(outcome["revision"].as_u64().is_some(), "{outcome}");
    }
    assert_eq!(relay.value("app", "000"), None);
    for key in 1..200 {
        assert_eq!(
            relay.value("app", &format!("{key:03}")).as_deref(),
            Some("4")
        );
    }
}

#[test]
fn an_acknowledged_import_survives_kill_9() {
    let mut relay = Relay::found("alone");
    let line = |number| format!("{{\"key\":\"{number:05}\",\"value\":\"value {number}\"}}\n");
    let lines: String = (0..20_000).map(line).collect();
    let (_folder, path) = file(&lines);
    let _ = import(&relay, "app", &path, &[]).expect_success();
    relay.kill();
    relay.start();
    assert_eq!(relay.key_count(), 20_000);
    assert_eq!(export(&relay, "app"), lines);
}

#[test]
fn a_body_that_is_too_large_and_a_namespace_of_the_mesh_are_refused() {
    let relay = Relay::found("alone");
    // Announced and not sent: it is refused before.
    let mut stream = TcpStream::connect(relay.address).unwrap();
    let head = format!(
        "POST /api/v1/kv/app HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        relay.address,
        relay.token(),
        (16 << 20) + 1
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("body_too_large"), "{answer}");
    let line = br#"{"key":"a","value":"b"}"#;
    let answer = relay.api("POST", "/api/v1/kv/sys.alerts", line);
    assert!(
        answer.text().contains("\"code\":\"reserved\""),
        "{}",
        answer.text()
    );
}
