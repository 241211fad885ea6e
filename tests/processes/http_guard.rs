//! Who may speak HTTP to a relay.

use sporenet_tests::{
    http::{self, Response},
    relay::Relay,
};

fn get(relay: &Relay, path: &str, headers: &[(&str, &str)]) -> Response {
    http::request(relay.address, "GET", path, headers, b"").unwrap()
}

#[test]
fn without_the_token_only_probes_and_the_page_answer() {
    let relay = Relay::found("alone");
    let paths = [
        "/api/v1/status",
        "/api/v1/members",
        "/api/v1/events",
        "/api/v1/kv/app/key",
        "/api/v1/kv/app",
        "/api/v1/kv/app/watch",
        "/metrics",
    ];
    for path in paths {
        for headers in [
            &[][..],
            &[("Authorization", "Bearer 00000000000000000000000000000000")],
        ] {
            let answer = get(&relay, path, headers);
            assert_eq!(answer.status, 401, "{path}: {}", answer.text());
        }
        let in_query = get(&relay, &format!("{path}?token={}", relay.token()), &[]);
        assert_eq!(in_query.status, 401, "no secret counts in a query");
    }
    assert_eq!(get(&relay, "/", &[]).status, 200);
}

#[test]
fn a_foreign_host_is_refused() {
    let relay = Relay::found("alone");
    let bearer = format!("Bearer {}", relay.token());
    let port = relay.address.port();
    for host in [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "",
        "localhost:1",
    ] {
        for path in ["/", "/api/v1/status", "/link"] {
            let answer = get(&relay, path, &[("Host", host), ("Authorization", &bearer)]);
            assert!(
                (400..500).contains(&answer.status),
                "{host} {path}: {}",
                answer.status
            );
        }
    }
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}")] {
        let answer = get(
            &relay,
            "/api/v1/status",
            &[("Host", &host), ("Authorization", &bearer)],
        );
        assert_eq!(answer.status, 200, "{host}: {}", answer.text());
    }
}

#[test]
fn a_foreign_origin_is_refused_and_the_own_is_not() {
    let relay = Relay::found("alone");
    let bearer = format!("Bearer {}", relay.token());
    let own = relay.origin();
    let foreign = [
        "http://evil.example",
        "null",
        "https://127.0.0.1",
        "http://127.0.0.1:1",
    ];
    for origin in foreign {
        let headers = [("Origin", origin), ("Authorization", bearer.as_str())];
        let read = get(&relay, "/api/v1/status", &headers);
        assert_eq!(read.status, 403, "{origin}: {}", read.text());
        let write = http::request(relay.address, "PUT", "/api/v1/kv/app/key", &headers, b"x");
        assert_eq!(write.unwrap().status, 403, "{origin}");
        let upgrade = get(
            &relay,
            "/link",
            &[headers[0], UPGRADE[0], UPGRADE[1], UPGRADE[2]],
        );
        assert_eq!(upgrade.status, 403, "{origin} may not open a link");
    }
    assert_eq!(relay.value("app", "key"), None);
    let headers = [("Origin", own.as_str()), ("Authorization", bearer.as_str())];
    assert_eq!(get(&relay, "/api/v1/status", &headers).status, 200);
}

const UPGRADE: [(&str, &str); 3] = [
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

#[test]
fn the_page_comes_with_a_strict_policy() {
    let relay = Relay::found("alone");
    let page = get(&relay, "/", &[]);
    let policy = page
        .header("content-security-policy")
        .expect("a policy")
        .to_owned();
    assert!(
        policy.contains("default-src 'none'") || policy.contains("default-src 'self'"),
        "{policy}"
    );
    assert!(
        !policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"),
        "{policy}"
    );
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert!(
        !page.text().contains(&relay.token()),
        "no secret in the page"
    );
}

#[test]
fn errors_are_problem_details() {
    let relay = Relay::found("alone");
    for (method, path, status) in [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/kv/app/missing", 404),
        ("PUT", "/api/v1/kv/app/key?ack=everyone", 400),
        ("DELETE", "/api/v1/status", 405),
    ] {
        let answer = relay.api(method, path, b"");
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        let kind = answer.header("content-type").unwrap_or_default();
        assert!(
            kind.starts_with("application/problem+json"),
            "{method} {path}: {kind}"
        );
        let problem = answer.json();
        assert!(
            problem["title"].is_string() && problem["status"] == status,
            "{problem}"
        );
    }
}
