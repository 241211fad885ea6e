//! What the API does not understand is refused by name, never ignored.

use sporenet_tests::relay::Relay;

/// What every path takes, and one that reads like it.
const PATHS: [(&str, &str, &str, &str); 17] = [
    ("PUT", "/api/v1/kv/app/key", "acks", "`ack`"),
    ("DELETE", "/api/v1/kv/app/key", "acks", "`ack`"),
    ("GET", "/api/v1/kv/app/key", "formats", "`format`"),
    ("GET", "/api/v1/kv/app", "limits", "`limit`"),
    ("GET", "/api/v1/kv", "limits", "`limit`"),
    ("GET", "/api/v1/kv/app/watch", "initially", "`initial`"),
    ("GET", "/api/v1/events", "after", "`since`"),
    ("GET", "/api/v1/history", "since", "takes none"),
    ("GET", "/api/v1/history/events", "since", "`since_s`"),
    ("GET", "/livez", "excludes", "`exclude`"),
    ("GET", "/readyz", "excludes", "`exclude`"),
    ("GET", "/metrics", "name", "takes none"),
    ("GET", "/api/v1/status", "format", "takes none"),
    ("GET", "/api/v1/members", "state", "takes none"),
    ("POST", "/api/v1/invites", "uses", "takes none"),
    ("POST", "/api/v1/leave", "force", "takes none"),
    ("GET", "/api/v1/recording/file", "since", "takes none"),
];

#[test]
fn a_parameter_that_is_not_known_is_refused_by_name_on_every_path() {
    let relay = Relay::found("alone");
    for (method, path, name, known) in PATHS {
        let answer = relay.api(method, &format!("{path}?{name}=1"), b"");
        let detail = answer.text();
        assert_eq!(answer.status, 400, "{method} {path}: {detail}");
        assert!(detail.contains(&format!("`{name}`")), "{path}: {detail}");
        assert!(detail.contains(known), "{path}: {detail}");
    }
    let twice = relay.api("PUT", "/api/v1/kv/app/key?ack=relay&ack=local", b"x");
    assert_eq!(twice.status, 400, "{}", twice.text());
    assert_eq!(relay.value("app", "key"), None, "nothing was written");
    assert_eq!(relay.status()["verdict"], "healthy", "and it has not left");
}

#[test]
fn a_field_or_value_that_is_not_known_is_refused() {
    let relay = Relay::found("alone");
    for (method, path, body) in [
        ("POST", "/api/v1/invites", r#"{"use": 1}"#),
        (
            "POST",
            "/api/v1/recording",
            r#"{"running": true, "max": 1}"#,
        ),
        ("POST", "/api/v1/recording", ""),
        ("POST", "/api/v1/leave", r#"{"force": true}"#),
        ("GET", "/api/v1/kv/app?limit=5000", ""),
        ("GET", "/api/v1/kv/app?limit=0", ""),
        ("GET", "/api/v1/kv/app?values=some", ""),
        ("GET", "/api/v1/kv/app?format=ndjson&limit=10", ""),
        ("GET", "/api/v1/kv/app/watch?initial=maybe", ""),
        ("GET", "/api/v1/events?since=5", ""),
        ("GET", "/api/v1/history/events?step=hour", ""),
        ("GET", "/api/v1/history/events?limit=10001", ""),
        ("GET", "/api/v1/history/events?before=7", ""),
        ("GET", "/readyz?format=xml", ""),
        ("GET", "/readyz?exclude=verdicts", ""),
    ] {
        let answer = relay.api(method, path, body.as_bytes());
        assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text());
    }
    let probe = relay.api("GET", "/readyz?verbose&exclude=verdict&format=json", b"");
    assert_eq!(probe.status, 200, "{}", probe.text());
}
