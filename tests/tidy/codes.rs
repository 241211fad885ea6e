//! `docs/api.md` and the description for programs list the same codes of errors, and the sources have them all.

use sporenet_tests::tree;
use std::{collections::BTreeSet, fs};

const DESCRIPTION: &str = "host-native/src/http/openapi.json";

fn read(path: &str) -> String {
    fs::read_to_string(tree::root().join(path)).unwrap()
}

/// The codes in the table of errors.
fn documented(page: &str) -> BTreeSet<String> {
    let (_, table) = page.split_once("| status | code | meaning |").unwrap();
    let rows = table.lines().skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .flat_map(|row| row.split('|').nth(2).unwrap().split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn codes_are_documented_and_described() {
    let page = documented(&read("docs/api.md"));
    let description: serde_json::Value = serde_json::from_str(&read(DESCRIPTION)).unwrap();
    let codes = &description["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
    let codes = codes.as_array().unwrap().iter();
    let described: BTreeSet<String> = codes.map(|code| code.as_str().unwrap().into()).collect();
    assert_eq!(page, described);
    let mut sources = tree::sources();
    sources.retain(|source| source.is_rust() && source.path.contains("/src/"));
    let code = sources.iter().flat_map(tree::Source::code);
    let texts: BTreeSet<&str> = code.flat_map(|line| line.split('"')).collect();
    for code in &page {
        assert!(texts.contains(code.as_str()), "nothing answers `{code}`");
    }
}
