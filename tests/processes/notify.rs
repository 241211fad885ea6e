//! Notification channels of a real node, against real recipients on this machine.

use ring::hmac;
use serde_json::Value;
use sporenet_tests::{
    program,
    relay::Relay,
    sink::{MailSink, Request, WebSink},
    wait,
};
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What must never be shown.
const SECRET: &str = "s3cr3t-0f-the-channel";

/// A folder with a configuration and its secrets.
struct Setup {
    folder: TempDir,
}

impl Setup {
    fn new() -> Self {
        let folder = TempDir::with_prefix("sporenet-channels-").expect("a temporary folder");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("a file can be written");
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(&path, permissions).expect("a file can be closed");
        path
    }

    fn secret(&self) -> String {
        self.file("secret", &format!("{SECRET}\n"), 0o600)
            .display()
            .to_string()
    }

    fn config(&self, channels: &str) -> String {
        let path = self.file("config.toml", channels, 0o600);
        format!("--config={}", path.display())
    }

    fn relay(&self, channels: &str) -> Relay {
        Relay::with("caller", &[&self.config(channels)])
    }
}

fn channel(name: &str, kind: &str, fields: &[(&str, &str)]) -> String {
    let fields: String = fields
        .iter()
        .map(|(key, value)| format!("{key} = \"{value}\"\n"))
        .collect();
    format!("[[channel]]\nname = \"{name}\"\nkind = \"{kind}\"\n{fields}")
}

fn tested(relay: &Relay, name: &str) -> Value {
    let outcome = relay.cli(&["notify", "test", name, "--json"]);
    outcome.expect_success().json()
}

fn only(requests: Vec<Request>) -> Request {
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests.into_iter().next().expect("one request")
}

#[test]
fn a_webhook_gets_signed_json() {
    let (setup, sink) = (Setup::new(), WebSink::answering(&[]));
    let (url, secret) = (sink.url("/hook?to=us"), setup.secret());
    let relay = setup.relay(&channel(
        "hook",
        "webhook",
        &[("url", &url), ("secret_file", &secret)],
    ));
    let delivery = tested(&relay, "hook");
    assert_eq!(delivery["ok"], true, "{delivery}");
    assert_eq!(delivery["attempts"], 1, "{delivery}");
    let request = only(sink.requests());
    assert_eq!(request.line, "POST /hook?to=us HTTP/1.1");
    let body = request.json();
    assert_eq!(body["state"], "open");
    assert_eq!(body["nodes"][0], "caller");
    assert_eq!(body["key"], request.header("idempotency-key"));
    let signature = request.header("sporenet-signature");
    let (moment, mac) = signature.split_once(",v1=").expect("two parts");
    let moment = moment.strip_prefix("t=").expect("a moment");
    let signed = format!("{moment}.{}", request.body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let expected = hmac::sign(&key, signed.as_bytes());
    let expected: String = expected
        .as_ref()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(mac, expected);
}

#[test]
fn slack_pagerduty_ntfy_and_the_log_get_what_they_expect() {
    let (setup, secret_file) = (Setup::new(), Setup::secret);
    let secret = secret_file(&setup);
    let sinks = [(); 3].map(|()| WebSink::answering(&["202 Accepted"]));
    let [slack, pager, ntfy] = &sinks;
    let slack_url = setup.file("slack.url", &slack.url("/services/T1/B2"), 0o600);
    let relay = setup.relay(
        &[
            channel(
                "chat",
                "slack",
                &[("url_file", &slack_url.display().to_string())],
            ),
            channel(
                "pager",
                "pagerduty",
                &[("url", &pager.url("")), ("secret_file", &secret)],
            ),
            channel(
                "phone",
                "ntfy",
                &[("url", &ntfy.url("/topic")), ("secret_file", &secret)],
            ),
            channel("own", "log", &[]),
        ]
        .concat(),
    );
    for name in ["chat", "pager", "phone", "own"] {
        assert_eq!(tested(&relay, name)["ok"], true, "{name}");
    }
    let request = only(slack.requests());
    assert_eq!(request.line, "POST /services/T1/B2 HTTP/1.1");
    let text = request.json()["text"].to_string();
    assert!(text.contains("Test of the channel chat"), "{text}");
    let request = only(pager.requests());
    assert_eq!(request.line, "POST /v2/enqueue HTTP/1.1");
    let event = request.json();
    assert_eq!(event["routing_key"], SECRET);
    assert_eq!(event["event_action"], "trigger");
    assert_eq!(event["dedup_key"], "sporenet-test-pager");
    let request = only(ntfy.requests());
    assert_eq!(request.header("authorization"), format!("Bearer {SECRET}"));
    assert_eq!(request.header("title"), "[low] Test of the channel phone");
    assert_eq!(request.header("priority"), "2");
    assert!(request.body.contains("nothing is wrong"), "{request:?}");
    let log = relay.log();
    assert!(log.contains("Test of the channel own"), "{log}");
}

#[test]
fn mail_is_handed_in_with_a_password_and_sent_again_under_the_same_id() {
    let setup = Setup::new();
    let sink = MailSink::answering(&["451 try again later"]);
    let smtp = format!("smtp://mesh@{}", sink.address);
    let fields = [
        ("smtp", smtp.as_str()),
        ("from", "Mesh <mesh@example.org>"),
        ("to", "ops@example.org"),
        ("secret_file", &setup.secret()),
    ];
    let relay = setup.relay(&channel("mail", "email", &fields));
    let delivery = tested(&relay, "mail");
    assert_eq!(delivery["attempts"], 2, "{delivery}");
    assert_eq!(delivery["answer"], "250 taken", "{delivery}");
    let mails = sink.mails();
    let [first, second] = mails.as_slice() else {
        panic!("{mails:?}");
    };
    assert_eq!(first.header("Message-ID"), second.header("Message-ID"));
    assert_eq!(second.header("Auto-Submitted"), "auto-generated");
    assert_eq!(second.header("Subject"), "[low] Test of the channel mail");
    assert_eq!(second.header("To"), "ops@example.org");
    assert!(second.content.contains("nothing is wrong"), "{second:?}");
    let said = second.commands.join("\n");
    for part in [
        "AUTH PLAIN ",
        "MAIL FROM:<mesh@example.org>",
        "RCPT TO:<ops@example.org>",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
}

#[test]
fn what_may_pass_is_tried_again_and_the_recipient_says_when() {
    let setup = Setup::new();
    let error = "500 Internal Server Error";
    let broken = WebSink::answering(&[error, error]);
    let strict = WebSink::answering(&["429 Too Many Requests\r\nRetry-After: 3"]);
    let relay = setup.relay(
        &[
            channel("broken", "webhook", &[("url", &broken.url("/a"))]),
            channel("strict", "webhook", &[("url", &strict.url("/b"))]),
        ]
        .concat(),
    );
    let outcome = relay.cli(&["notify", "test", "broken"]).expect_success();
    assert_eq!(
        outcome.stdout,
        "broken: sent after 3 attempts; the answer: 200 OK: /a\n"
    );
    let requests = broken.requests();
    assert_eq!(requests.len(), 3, "{requests:?}");
    let keys = requests
        .iter()
        .map(|request| request.header("idempotency-key"));
    let keys: Vec<_> = keys.collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(tested(&relay, "strict")["attempts"], 2);
    let at: Vec<Instant> = strict.requests().iter().map(|request| request.at).collect();
    let pause = at[1].duration_since(at[0]);
    // A timer may fire within a clock tick of its moment, and the answer takes its way.
    assert!(pause >= Duration::from_millis(2_950), "{pause:?}");
    let counted = |name: &str, label: &str| {
        relay.metric_labelled(&format!("sporenet_notifications_{name}"), label)
    };
    for (name, label, expected) in [
        ("sent_total", "broken", 1),
        ("retried_total", "broken", 2),
        ("retried_total", "strict", 1),
        ("failed_total", "broken", 0),
        ("dropped_total", "strict", 0),
    ] {
        assert_eq!(counted(name, label), expected, "{name} of {label}");
    }
}

#[test]
fn what_never_will_work_is_said_at_once_with_the_recipients_words() {
    let setup = Setup::new();
    let sink = WebSink::answering(&["403 Forbidden", "302 Found\r\nLocation: /elsewhere"]);
    let relay = setup.relay(&channel(
        "hook",
        "webhook",
        &[("url", &sink.url("/token-of-hook"))],
    ));
    let refused = relay.cli(&["notify", "test", "hook"]);
    refused.expect_error(
        1,
        &["hook: not sent after 1 attempt: 403 Forbidden: [secret]"],
    );
    let moved = relay.cli(&["notify", "test", "hook", "--json"]);
    assert_eq!(moved.code, Some(1), "{moved:?}");
    let error = moved.json()["error"].to_string();
    assert!(error.contains("redirects are not followed"), "{error}");
    assert_eq!(sink.requests().len(), 2);
    assert_eq!(
        relay.metric_labelled("sporenet_notifications_failed_total", "hook"),
        2
    );
}

#[test]
fn a_channel_that_is_not_there_is_answered_with_those_that_are() {
    let setup = Setup::new();
    let relay = setup.relay(&[channel("one", "log", &[]), channel("two", "log", &[])].concat());
    let refused = relay.cli(&["notify", "test", "three"]);
    refused.expect_error(1, &["`one`, `two`"]);
    let listed = relay
        .cli(&["notify", "list", "--json"])
        .expect_success()
        .json();
    let names: Vec<_> = listed
        .as_array()
        .expect("an array")
        .iter()
        .map(|c| &c["name"])
        .collect();
    assert_eq!(names, ["one", "two"]);
    assert!(listed[0]["last"].is_null(), "{listed}");
    let without = Relay::found("mute");
    let refused = without.cli(&["notify", "test", "three"]);
    refused.expect_error(1, &["this node has none"]);
    assert_eq!(
        without.cli(&["notify", "list", "--json"]).json(),
        serde_json::json!([])
    );
}

#[test]
fn a_dead_recipient_holds_up_nobody_else() {
    let setup = Setup::new();
    // It is connected to, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let dead = format!("http://{}/", silent.local_addr().expect("an address"));
    let sink = WebSink::answering(&[]);
    let relay = setup.relay(
        &[
            channel("dead", "webhook", &[("url", &dead)]),
            channel("live", "webhook", &[("url", &sink.url("/"))]),
        ]
        .concat(),
    );
    thread::scope(|scope| {
        let stuck = scope.spawn(|| relay.cli(&["notify", "test", "dead"]));
        silent.accept().expect("the dead one is tried");
        let start = Instant::now();
        assert_eq!(tested(&relay, "live")["ok"], true);
        assert!(!stuck.is_finished(), "the dead one is still tried");
        wait::figure(
            "told beside a dead recipient",
            start.elapsed(),
            Duration::from_secs(1),
        );
        let outcome = stuck.join().expect("a command ends");
        outcome.expect_error(1, &["dead: not sent after", "no answer within 10 s"]);
    });
}

#[test]
fn secrets_are_shown_nowhere() {
    let (setup, sink) = (Setup::new(), WebSink::answering(&["403 Forbidden"]));
    let (host, secret) = (sink.address, setup.secret());
    let url = format!("http://user:{SECRET}@{host}/{SECRET}/x");
    let channels = [
        channel(
            "hook",
            "webhook",
            &[("url", &url), ("secret_file", &secret)],
        ),
        channel("chat", "slack", &[("url", &url)]),
        channel(
            "pager",
            "pagerduty",
            &[("url", &sink.url("")), ("secret_file", &secret)],
        ),
    ]
    .concat();
    let config = setup.config(&format!("log = \"debug\"\n{channels}"));
    let relay = Relay::with("caller", &[&config]);
    let mut shown = String::new();
    for name in ["hook", "chat", "pager"] {
        let outcome = relay.cli(&["notify", "test", name]);
        shown.push_str(&format!("{}{}", outcome.stdout, outcome.stderr));
    }
    for command in [
        &["notify", "list"][..],
        &["notify", "list", "--json"],
        &["status"],
    ] {
        shown.push_str(&relay.cli(command).expect_success().stdout);
    }
    shown.push_str(&relay.api("GET", "/metrics", b"").text());
    shown.push_str(
        &program::run(["config", "print", &config])
            .expect_success()
            .stdout,
    );
    shown.push_str(&relay.log());
    assert!(shown.contains(&format!("http://{host}/…")), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
    // The recipient did get them.
    let requests = sink.requests();
    assert_eq!(requests.len(), 3, "{requests:?}");
    assert!(requests[0].line.contains(SECRET), "{requests:?}");
    assert!(requests[0].header("authorization").starts_with("Basic "));
}

#[test]
fn wrong_channels_end_the_program_with_78_and_say_what_to_do() {
    let setup = Setup::new();
    let open = setup.file("open", SECRET, 0o644);
    let refused = |channels: &str, words: &[&str]| {
        let config = setup.config(channels);
        let outcome = program::run(["config", "check", &config]);
        outcome.expect_error(78, words);
        assert!(!outcome.stderr.contains(SECRET), "{}", outcome.stderr);
    };
    let path = |path: &Path| path.display().to_string();
    let fields = [("url", "http://a.org/t"), ("secret_file", &path(&open))];
    refused(
        &channel("phone", "ntfy", &fields),
        &["channel `phone`", "`secret_file`", "mode 0644", "chmod 600"],
    );
    let twice = [channel("a", "log", &[]), channel("a", "log", &[])].concat();
    refused(&twice, &["two channels", "`a`"]);
    refused(
        &channel("a", "webhook", &[("uri", "http://a.org")]),
        &["channel `a`", "unknown key `uri`", "did you mean `url`?"],
    );
    let url = format!("hooks.example.org/{SECRET}");
    refused(
        &channel("a", "webhook", &[("url", &url)]),
        &["channel `a`", "`url` is no web address", "https://"],
    );
}
