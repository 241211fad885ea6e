//! What is read from a configuration file, what is refused, and what is shown of it.

use super::*;

fn channels(text: &str) -> Result<Vec<Channel>, String> {
    let mut file: Table = text.parse().unwrap();
    let tables = file
        .remove("channel")
        .map(|value| value.try_into().unwrap());
    read(tables)
        .map(Option::unwrap_or_default)
        .map_err(|failure| failure.message)
}

fn refused(fields: &str) -> String {
    channels(&format!("[[channel]]\n{fields}\n")).unwrap_err()
}

/// The fields of a channel that is refused, and what the refusal says.
const WRONG: &[(&str, &[&str])] = &[
    (
        "kind = 'log'",
        &["channel 1 of the file", "`name` is missing", "1 to 32"],
    ),
    (
        "name = 'a b'\nkind = 'log'",
        &["channel `a b`", "`name` can't be used", "digits"],
    ),
    (
        "name = 'a'",
        &["channel `a`", "`kind` is missing", "`pagerduty`"],
    ),
    (
        "name = 'a'\nkind = 'sms'",
        &["channel `a`", "`sms` is not known", "`ntfy` or `log`"],
    ),
    (
        "name = 'a'\nkind = 'log'\nmin_severity = 'bad'",
        &[
            "channel `a`",
            "`min_severity` `bad`",
            "`low`, `medium`, `high` or `critical`",
        ],
    ),
    (
        "name = 'a'\nkind = 'webhook'\nulr = 'http://a'",
        &["channel `a`", "unknown key `ulr`", "`url`?"],
    ),
    (
        "name = 'a'\nkind = 'log'\nsmtp = 'smtp://a'",
        &[
            "channel `a`",
            "unknown key `smtp`",
            "`log` takes `name`, `kind` or",
        ],
    ),
    (
        "name = 'a'\nkind = 'webhook'",
        &["channel `a`", "`url` is missing", "url_file"],
    ),
    (
        "name = 'a'\nkind = 'webhook'\nurl = 'a'",
        &["channel `a`", "`url` is no web address"],
    ),
    (
        "name = 'a'\nkind = 'webhook'\nurl = 7",
        &["channel `a`", "`url` wants text"],
    ),
    (
        "name = 'a'\nkind = 'slack'\nurl = 'http://a'\nurl_file = 'b'",
        &["channel `a`", "`url` stands beside `url_file`"],
    ),
    (
        "name = 'a'\nkind = 'pagerduty'",
        &["channel `a`", "`secret_file` is missing", "routing key"],
    ),
    (
        "name = 'a'\nkind = 'ntfy'\nurl = 'http://a/t'\nsecret_file = '/nonexistent'",
        &["channel `a`", "`secret_file` /nonexistent is not there"],
    ),
    (
        "name = 'a'\nkind = 'email'\nfrom = 'a@b.c'\nto = 'a@b.c'",
        &["channel `a`", "`smtp` is missing"],
    ),
    (
        "name = 'a'\nkind = 'email'\nsmtp = 'smtp://m'\nfrom = 'ab'\nto = 'a@b.c'",
        &["channel `a`", "`from` `ab` is no mail address"],
    ),
    (
        "name = 'a'\nkind = 'email'\nsmtp = 'smtp://m'\nfrom = 'a@b.c'\nto = []",
        &["channel `a`", "`to` wants 1 to 16"],
    ),
];

#[test]
fn what_is_wrong_is_named_with_channel_field_and_what_is_allowed() {
    for (fields, words) in WRONG {
        let why = refused(fields);
        for word in *words {
            assert!(why.contains(word), "no {word:?} in {why:?}");
        }
    }
}

#[test]
fn names_are_of_one_channel_and_channels_are_bounded() {
    let log = |name: &str| format!("[[channel]]\nname = '{name}'\nkind = 'log'\n");
    let twice = channels(&[log("a"), log("b"), log("a")].concat()).unwrap_err();
    assert!(twice.contains("`a`"), "{twice}");
    let many = |number: usize| (0..number).map(|n| log(&n.to_string())).collect::<String>();
    assert_eq!(channels(&many(16)).unwrap().len(), 16);
    assert!(channels(&many(17)).unwrap_err().contains("at most 16"));
}

#[test]
fn what_is_printed_holds_no_secret() {
    let all = channels(
        "[[channel]]\nname = 'hook'\nkind = 'webhook'\nurl = 'https://u:hunter2@a.org/T0KEN'\n\
         [[channel]]\nname = 'mail'\nkind = 'email'\nsmtp = 'smtp://me:hunter2@localhost:25'\n\
         from = 'Mesh <mesh@a.org>'\nto = ['ops@a.org', 'boss@a.org']\nmin_severity = 'high'\n",
    )
    .unwrap();
    let printed = format!("{}{all:?}", print(&all));
    assert!(
        !printed.contains("hunter2") && !printed.contains("T0KEN"),
        "{printed}"
    );
    for part in [
        "[[channel]]",
        "https://a.org/…",
        "smtp://localhost:25",
        "boss@a.org",
        "\"high\"",
    ] {
        assert!(printed.contains(part), "no {part:?} in {printed}");
    }
    assert_eq!(all[1].min_severity, Severity::High);
    assert_eq!(
        all[1].recipient.shown(),
        "ops@a.org, boss@a.org by smtp://localhost:25"
    );
}
