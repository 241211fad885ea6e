//! Counters, sets, maps, flags and multi-value registers, changed on several relays at once.

use serde_json::{Value, json};
use sporenet_tests::{mesh::Mesh, relay::Relay, wait};
use std::{thread, time::Duration};

const CONVERGED: Duration = Duration::from_secs(5);

fn entry(relay: &Relay, key: &str) -> Value {
    let path = format!("/api/v1/kv/app/{key}?format=json");
    relay.api("GET", &path, b"").json()
}

/// Waits until all relays show that value of a key, and its type.
fn agree(mesh: &Mesh, key: &str, kind: &str, value: &Value) {
    wait::promised(
        &format!("app/{key} is the same everywhere"),
        CONVERGED,
        || {
            let seen: Vec<Value> = mesh.relays.iter().map(|relay| entry(relay, key)).collect();
            let is = |one: &Value| one["type"] == kind && one["value"] == *value;
            if seen.iter().all(is) {
                Ok(())
            } else {
                Err(seen)
            }
        },
    );
}

#[test]
fn changes_on_two_relays_at_once_all_count() {
    let mesh = Mesh::of(2);
    thread::scope(|scope| {
        for (at, relay) in mesh.relays.iter().enumerate() {
            scope.spawn(move || {
                for number in 0..20 {
                    let by = if number % 4 == 0 { "-1" } else { "2" };
                    let _ = relay.cli(&["incr", "app", "visits", by]).expect_success();
                    let element = format!("{at}-{number:02}");
                    let _ = relay
                        .cli(&["sadd", "app", "tags", &element])
                        .expect_success();
                    let field = format!("field-{at}");
                    let _ = relay
                        .cli(&["hset", "app", "user", &field, &element])
                        .expect_success();
                }
            });
        }
    });
    agree(&mesh, "visits", "counter", &json!(50));
    let elements = (0..2).flat_map(|at| (0..20).map(move |number| format!("{at}-{number:02}")));
    agree(&mesh, "tags", "set", &json!(elements.collect::<Vec<_>>()));
    agree(
        &mesh,
        "user",
        "map",
        &json!({ "field-0": "0-19", "field-1": "1-19" }),
    );
    let read = mesh.relays[1]
        .cli(&["get", "app", "visits"])
        .expect_success();
    assert_eq!(read.stdout, "50\n");
    let read = mesh.relays[1].cli(&["get", "app", "user"]).expect_success();
    assert_eq!(read.stdout, "field-0=0-19\nfield-1=1-19\n");
}

#[test]
fn each_type_is_changed_by_its_command_and_read_on_the_other_relay() {
    let mesh = Mesh::of(2);
    let here = &mesh.relays[0];
    let said = |arguments: &[&str]| here.cli(arguments).expect_success().stdout;
    assert_eq!(said(&["incr", "app", "n"]), "1\n");
    assert_eq!(said(&["incr", "app", "n", "-3"]), "-2\n");
    assert_eq!(said(&["sadd", "app", "s", "b", "a", "c"]), "");
    assert_eq!(said(&["srem", "app", "s", "c", "not there"]), "");
    assert_eq!(said(&["hset", "app", "m", "name", "Ada", "age", "36"]), "");
    assert_eq!(said(&["hdel", "app", "m", "age"]), "");
    assert_eq!(said(&["flag", "app", "f", "on"]), "");
    assert_eq!(said(&["put", "app", "v", "text", "--multi"]), "");
    agree(&mesh, "n", "counter", &json!(-2));
    agree(&mesh, "s", "set", &json!(["a", "b"]));
    agree(&mesh, "m", "map", &json!({ "name": "Ada" }));
    agree(&mesh, "f", "flag", &json!(true));
    agree(&mesh, "v", "multi", &json!("text"));
    let there = &mesh.relays[1];
    for (key, text) in [
        ("n", "-2\n"),
        ("s", "a\nb\n"),
        ("m", "name=Ada\n"),
        ("f", "on\n"),
        ("v", "text"),
    ] {
        assert_eq!(
            there.cli(&["get", "app", key]).expect_success().stdout,
            text
        );
    }
    let shown = there
        .cli(&["get", "app", "s", "--json"])
        .expect_success()
        .json();
    assert_eq!((&shown["total"], &shown["also"]), (&2.into(), &json!([])));
    let listed = there.cli(&["list", "app"]).expect_success().stdout;
    assert_eq!(listed.lines().count(), 5, "a key is listed once: {listed}");
    let _ = there.cli(&["del", "app", "s"]).expect_success();
    wait::promised("a set is gone everywhere", CONVERGED, || {
        let answer = here.api("GET", "/api/v1/kv/app/s", b"");
        if answer.status == 404 {
            Ok(())
        } else {
            Err(answer.text())
        }
    });
}

/// What `text`, a plain value, and `n`, a counter, are not: method, path, body, status, code.
const REFUSED: [(&str, &str, &str, u16, &str); 9] = [
    (
        "POST",
        "/api/v1/kv/app/text",
        r#"{"op":"incr"}"#,
        409,
        "other_kind",
    ),
    (
        "POST",
        "/api/v1/kv/app/n",
        r#"{"op":"sadd","elements":["a"]}"#,
        409,
        "other_kind",
    ),
    (
        "POST",
        "/api/v1/kv/app/n",
        r#"{"op":"grow"}"#,
        400,
        "bad_request",
    ),
    ("POST", "/api/v1/kv/app/n", "", 400, "bad_request"),
    (
        "PATCH",
        "/api/v1/kv/app/m",
        r#"{"a":1}"#,
        400,
        "bad_request",
    ),
    (
        "POST",
        "/api/v1/kv/app?key=a%20%E2%90%9F",
        r#"{"op":"incr"}"#,
        400,
        "key_reserved",
    ),
    (
        "GET",
        "/api/v1/kv/app/text?format=parts",
        "",
        409,
        "other_kind",
    ),
    (
        "GET",
        "/api/v1/kv/app/none?format=parts",
        "",
        404,
        "not_found",
    ),
    ("GET", "/api/v1/kv/app/n?cursor=a", "", 400, "bad_request"),
];

#[test]
fn what_does_not_fit_a_type_is_refused_with_a_code() {
    let relay = Relay::found("alone");
    relay.put("app", "text", "a value", "local").unwrap();
    relay
        .cli(&["incr", "app", "text"])
        .expect_error(1, &["register", "delete it first"]);
    relay
        .cli(&["hset", "app", "m", "field"])
        .expect_error(2, &[]);
    let _ = relay.cli(&["incr", "app", "n"]).expect_success();
    for (method, path, body, status, code) in REFUSED {
        let answer = relay.api(method, path, body.as_bytes());
        let told = answer.json();
        assert_eq!(
            (answer.status, &told["code"]),
            (status, &code.into()),
            "{path} {body} {told}"
        );
    }
    // An element that is too long for its key.
    let long = "x".repeat(500);
    let body = json!({ "op": "sadd", "elements": [long] }).to_string();
    let answer = relay.api(
        "POST",
        "/api/v1/kv/app/a-key-of-some-length",
        body.as_bytes(),
    );
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (400, &"part_too_long".into())
    );
}

#[test]
fn a_large_set_is_changed_paged_and_deleted_whole() {
    let relay = Relay::found("alone");
    let names: Vec<String> = (0..3_000).map(|number| format!("{number:04}")).collect();
    let body = json!([{ "op": "sadd", "elements": names }, { "op": "srem", "elements": ["0000"] }]);
    let path = "/api/v1/kv/app/s";
    let answer = relay.api("POST", path, body.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let shown = entry(&relay, "s");
    assert_eq!(
        (&shown["total"], &shown["truncated"]),
        (&2_999.into(), &true.into())
    );
    let (mut read, mut cursor): (Vec<String>, String) = (Vec::new(), String::new());
    loop {
        let page = relay
            .api(
                "GET",
                &format!("{path}?format=parts&limit=700{cursor}"),
                b"",
            )
            .json();
        let parts = page["parts"].as_array().unwrap();
        assert!(parts.len() <= 700);
        read.extend(
            parts
                .iter()
                .map(|part| part["part"].as_str().unwrap().to_owned()),
        );
        match page["cursor"].as_str() {
            Some(at) => cursor = format!("&cursor={at}"),
            None => break,
        }
    }
    assert_eq!(read, names[1..]);
    let gone = relay.api("DELETE", path, b"");
    assert_eq!(gone.status, 200, "{}", gone.text());
    assert_eq!(relay.api("GET", path, b"").status, 404);
    assert_eq!(relay.keys("app"), [""; 0]);
}

#[test]
fn fields_of_a_map_are_patched_and_counters_show_who_added() {
    let relay = Relay::found("alone");
    let patch = |body: &str| relay.api("PATCH", "/api/v1/kv/app?key=user", body.as_bytes());
    assert_eq!(patch(r#"{"name":"Ada","age":"36"}"#).status, 200);
    assert_eq!(patch(r#"{"age":null,"rank":"countess"}"#).status, 200);
    let shown = entry(&relay, "user");
    assert_eq!(shown["value"], json!({ "name": "Ada", "rank": "countess" }));
    let answer = relay.api(
        "POST",
        "/api/v1/kv/app/n?ack=local",
        br#"[{"op":"incr","by":5},{"op":"incr","by":-7}]"#,
    );
    let told = answer.json();
    assert_eq!(
        (&told["type"], &told["value"]),
        (&"counter".into(), &json!(-2))
    );
    let page = relay
        .api("GET", "/api/v1/kv/app/n?format=parts", b"")
        .json();
    let part = &page["parts"][0];
    assert_eq!(
        (&part["part"], &part["value"]),
        (&relay.id()[..32].into(), &"-2".into())
    );
}
