//! Every keyword has a case in `tests/language`, wherever it may stand.

use lks_agent::playbook::keyword::{BLOCK, HANDLER, Kw, Levels, PLAY, ROLE, TASK};
use lks_agent::playbook::yaml::{self, Node};
use lks_agent::source::SourceFile;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// What no case can show, since the agent alone opens no connection, and the test that holds it.
const HELD_ELSEWHERE: &[(&str, &str)] = &[
    ("port", "tests/ssh.rs: keywords_say_how_to_get_there"),
    (
        "ignore_unreachable",
        "tests/ssh.rs: a_host_that_cannot_be_reached_may_be_ignored",
    ),
];

/// The keys of `loop_control`, as Ansible documents them.
const LOOP_CONTROL: [&str; 7] = [
    "loop_var",
    "index_var",
    "label",
    "pause",
    "extended",
    "extended_allitems",
    "break_when",
];

/// Where keywords were seen.
#[derive(Default)]
struct Seen {
    keywords: HashSet<(String, &'static str)>,
    loop_control: HashSet<String>,
}

impl Seen {
    fn keys(&mut self, node: &Node, level: Levels) {
        for (key, _) in node.as_map().unwrap_or_default() {
            let name = key.as_str().unwrap_or_default().to_owned();
            self.keywords.insert((name, level.name()));
        }
    }

    fn file(&mut self, path: &Path, root: &Node) {
        let handlers = path.components().any(|c| c.as_os_str() == "handlers");
        if let Some(dependencies) = root.get("dependencies") {
            self.roles(dependencies);
        }
        for entry in root.as_seq().unwrap_or_default() {
            if entry.get("hosts").is_some() || entry.get("import_playbook").is_some() {
                self.play(entry);
            } else {
                self.task(entry, handlers);
            }
        }
    }

    fn play(&mut self, play: &Node) {
        self.keys(play, PLAY);
        for section in ["pre_tasks", "tasks", "post_tasks"] {
            self.tasks(play.get(section), false);
        }
        self.tasks(play.get("handlers"), true);
        if let Some(roles) = play.get("roles") {
            self.roles(roles);
        }
    }

    fn roles(&mut self, roles: &Node) {
        for role in roles.as_seq().unwrap_or_default() {
            self.keys(role, ROLE);
        }
    }

    fn tasks(&mut self, tasks: Option<&Node>, handlers: bool) {
        for task in tasks.and_then(Node::as_seq).unwrap_or_default() {
            self.task(task, handlers);
        }
    }

    fn task(&mut self, task: &Node, handler: bool) {
        const PARTS: [&str; 3] = ["block", "rescue", "always"];
        if PARTS.iter().any(|part| task.get(part).is_some()) {
            self.keys(task, BLOCK);
            for part in PARTS {
                self.tasks(task.get(part), handler);
            }
            return;
        }
        self.keys(task, if handler { HANDLER } else { TASK });
        let control = task.get("loop_control").and_then(Node::as_map);
        for (key, _) in control.unwrap_or_default() {
            self.loop_control
                .insert(key.as_str().unwrap_or_default().to_owned());
        }
    }
}

/// All YAML files below a folder.
fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "yml") {
            out.push(path);
        }
    }
}

fn seen() -> Seen {
    let mut found = Vec::new();
    let language = Path::new(env!("CARGO_MANIFEST_DIR")).join("language");
    files(&language, &mut found);
    let mut seen = Seen::default();
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let file = SourceFile::new(path.display().to_string(), text);
        // Some cases are about files that cannot be read.
        for node in yaml::load(&file).map(|l| l.docs).unwrap_or_default() {
            seen.file(&path, &node);
        }
    }
    seen
}

#[test]
fn every_keyword_has_a_case_at_every_level() {
    let seen = seen();
    let held = |kw: Kw| HELD_ELSEWHERE.iter().any(|(name, _)| *name == kw.name());
    let mut missing = Vec::new();
    for level in [PLAY, ROLE, BLOCK, TASK, HANDLER] {
        let here = Kw::ALL.iter().filter(|kw| kw.levels().allows(level));
        for kw in here.filter(|kw| !held(**kw)) {
            if !seen
                .keywords
                .contains(&(kw.name().to_owned(), level.name()))
            {
                missing.push(format!("{} of a {}", kw.name(), level.name()));
            }
        }
    }
    assert!(missing.is_empty(), "without a case: {}", missing.join(", "));
}

#[test]
fn every_key_of_loop_control_has_a_case() {
    let seen = seen();
    let has = |name: &&str| seen.loop_control.contains(*name);
    let missing: Vec<_> = LOOP_CONTROL.iter().filter(|n| !has(n)).collect();
    assert!(missing.is_empty(), "without a case: {missing:?}");
}

/// The list above names tests that exist.
#[test]
fn what_is_held_elsewhere_is_held_there() {
    for (keyword, place) in HELD_ELSEWHERE {
        let (file, test) = place.split_once(": ").expect("a file and a test");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(path).expect("the file is there");
        assert!(text.contains(&format!("fn {test}(")), "{keyword}: {place}");
    }
}
