//! What a user sees, whole: each `cases/NAME.events` is a list of events (read by [`script`]), and the
//! files beside it are what the views make of them: `NAME.txt` (standard output, and standard error
//! after a line `=== stderr`), `NAME.json`, `NAME.ndjson`, `NAME.xml`. A new case needs no Rust: write
//! its events and an empty file for each view, and run the tests once with `UPDATE_VIEWS=1`.

mod script;

use super::{Human, Json, Junit, Lines};
use crate::event::Sink;
use script::Script;
use std::path::{Path, PathBuf};

#[test]
fn every_case_is_shown_as_recorded() {
    let mut wrong = Vec::new();
    for events in cases() {
        let script = Script::read(&read(&events));
        for (extension, shown) in views(&script) {
            let file = events.with_extension(extension);
            if !there(&file) {
                continue;
            }
            if updating() {
                write(&file, &shown);
            } else if read(&file) != shown {
                let name = file
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                wrong.push(format!("== {name}\n{}", difference(&read(&file), &shown)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn views(script: &Script) -> Vec<(&'static str, String)> {
    let human = Human::new(Vec::new(), Vec::new(), script.options);
    let json = Json::new(Vec::new());
    let lines = Lines::new(Vec::new());
    let junit = Junit::new(Vec::new());
    for event in &script.events {
        for sink in [&human as &dyn Sink, &json, &lines, &junit] {
            sink.emit(event);
        }
    }
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("views write UTF-8");
    let (out, err) = human.into_inner();
    let mut terminal = text(out).replace('\x1b', "␛").replace('\r', "␍");
    if !err.is_empty() {
        terminal.push_str("=== stderr\n");
        terminal.push_str(&text(err).replace('\x1b', "␛"));
    }
    vec![
        ("txt", terminal),
        ("json", text(json.into_inner())),
        ("ndjson", text(lines.into_inner())),
        ("xml", text(junit.into_inner())),
    ]
}

/// The first lines that differ.
fn difference(want: &str, got: &str) -> String {
    let (want, got) = (super::diff::lines(want), super::diff::lines(got));
    super::diff::unified(&want, &got, "recorded", "shown").concat()
}

// Tests read the files beside them; the views themselves never do.
#[allow(clippy::disallowed_methods)]
fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/view/tests/cases");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of cases")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "events"))
        .collect();
    cases.sort();
    assert!(cases.len() > 3, "cases are missing");
    cases
}

#[allow(clippy::disallowed_methods)]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file of a case")
}

#[allow(clippy::disallowed_methods)]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file of a case");
}

#[allow(clippy::disallowed_methods)]
fn updating() -> bool {
    std::env::var_os("UPDATE_VIEWS").is_some()
}

#[allow(clippy::disallowed_methods)]
fn there(path: &std::path::Path) -> bool {
    path.exists()
}
