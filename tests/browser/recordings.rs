//! A tab's recording: made and saved in the console, replayed by the program and on the replay page.

use sporenet_tests::{
    mesh::Mesh,
    page::{self, Page},
    program, wait,
    webdriver::Browser,
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_death_recorded_in_a_tab_is_gone_through_again_with_equal_hashes() {
    let mut mesh = Mesh::of(3);
    let browser = Browser::start();
    let folder = tempfile::tempdir().expect("a folder can be made");
    browser.download_to(folder.path());
    let tab = Page::open(&browser, &mesh.links.browser);
    tab.here().run("window.isSamePage = true", &[]);
    tab.at("#/recordings");
    tab.click("#record");
    wait::eventually("the recording runs", PATIENCE, || {
        let said = tab.text(".recorder");
        if said.contains("so far") {
            Ok(())
        } else {
            Err(said)
        }
    });
    let is_same = tab.here().run("return window.isSamePage === true", &[]);
    assert_eq!(is_same, true, "a recording starts without a reload");
    page::all_alive(&mesh.relays, &[&tab], 4, PATIENCE);
    tab.put_by_script("app", "before", "the death");
    let id = mesh.relays[2].id();
    mesh.relays[2].kill();
    wait::until("the death is shown", PATIENCE, || {
        tab.state_of(&id).as_deref() == Some("dead")
    });
    tab.at("#/recordings");
    tab.click("#record-save");
    let file = saved(folder.path());
    tab.here().keep_picture("recording");
    tab.click("#record-stop");
    wait::eventually("a stopped recording can still be saved", PATIENCE, || {
        let said = tab.text(".recorder");
        if said.contains("can be saved") && said.contains("Start recording") {
            Ok(())
        } else {
            Err(said)
        }
    });

    let path = file.to_str().expect("a path of the test is text");
    let replayed = program::run(["replay", path, "--json"])
        .expect_success()
        .json();
    assert_eq!(replayed["mismatch"], serde_json::Value::Null, "{replayed}");
    let hash = replayed["state"].as_str().expect("a hash").to_owned();

    let shown = Page::visit(
        &browser,
        &format!("{}/replay.html", mesh.relays[0].origin()),
    );
    wait::until("the page asks for a file", PATIENCE, || {
        !shown.texts("#recording").is_empty()
    });
    shown.here().choose_file("#recording", &file);
    wait::eventually("the whole recording is checked", PATIENCE, || {
        let (verdict, state) = (shown.text(".replay-verdict"), shown.text(".replay-hash"));
        if verdict.contains("equal up to here") && state.trim() == hash {
            Ok(())
        } else {
            Err((verdict, state, shown.text("main")))
        }
    });
    assert_eq!(shown.state_of(&id).as_deref(), Some("dead"));
    shown.here().keep_picture("replay-end");
    steps_lead_back_to_before_the_death_and_on_to_it(&shown, &id, &hash);
}

fn steps_lead_back_to_before_the_death_and_on_to_it(shown: &Page<'_>, id: &str, hash: &str) {
    for _ in 0..20 {
        if shown.state_of(id).as_deref() == Some("alive") {
            break;
        }
        move_by(shown, "entry-back");
    }
    assert_eq!(shown.state_of(id).as_deref(), Some("alive"));
    shown.here().keep_picture("replay-before");
    let here = shown.text(".replay-now");
    move_by(shown, "back");
    move_by(shown, "on");
    assert_eq!(number(&shown.text(".replay-now")), number(&here));
    for _ in 0..20 {
        if shown.state_of(id).as_deref() == Some("dead") {
            break;
        }
        move_by(shown, "entry-on");
    }
    assert_eq!(shown.state_of(id).as_deref(), Some("dead"));
    move_by(shown, "last");
    wait::eventually("the end has the same state again", PATIENCE, || {
        let state = shown.text(".replay-hash");
        if state.trim() == hash {
            Ok(())
        } else {
            Err(state)
        }
    });
}

/// The number of the input that the replay stands at.
fn number(now: &str) -> Option<u64> {
    let (_, rest) = now.split_once("input ")?;
    rest.split(':').next()?.parse().ok()
}

/// Uses a button of the bar and waits until the page shows another moment.
fn move_by(page: &Page<'_>, what: &str) {
    let before = page.text(".replay-now");
    page.click(&format!("#go-{what}"));
    let _ = wait::eventually("the replay moved", PATIENCE, || {
        let now = page.text(".replay-now");
        let busy = page.text(".replay-verdict").contains("Checking");
        let is_end = what == "last";
        if (now != before || is_end) && !busy {
            Ok(())
        } else {
            Err(now)
        }
    });
}

/// The file that the browser saved, once it is whole.
fn saved(folder: &Path) -> PathBuf {
    let (file, _) = wait::eventually("the file is saved", PATIENCE, || {
        let names = fs::read_dir(folder).expect("the folder is there");
        let names: Vec<PathBuf> = names.filter_map(|entry| Some(entry.ok()?.path())).collect();
        let whole = names
            .iter()
            .find(|name| name.extension().is_some_and(|ending| ending == "sporerec"));
        whole.cloned().ok_or(names)
    });
    file
}
