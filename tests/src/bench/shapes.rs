//! What is run. To add a shape: a folder in `tests/bench`, a proof, and a row here.
//!
//! A shape's folder holds the same work in each tool's words: `play.yml`, `deploy.py`, `script.sh`.
//! A tool whose file is missing has no counterpart and is not run. In all files `@OUT@` stands for
//! the folder of effects, `@SRC@` for the folder of the files themselves; see `work::repeat` for
//! `# repeat`.

use super::goals::Goal;
use super::proof::{self, Proof};
use super::tools::{DEPLOY, INVENTORY, PLAY, Ready, SCRIPT, Tool};

/// One row.
pub struct Shape {
    /// Its name, on the command line and in the table.
    pub id: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Its files' names and texts.
    pub files: &'static [(&'static str, &'static str)],
    /// The program whose executions are counted.
    pub watched: Option<&'static str>,
    /// Whether it is run again at once, when there is nothing left to do.
    pub again: bool,
    /// Whether only lks and the script run it: the others would take hours.
    pub too_long_for_peers: bool,
    /// What must be there afterwards.
    pub proof: Proof,
    /// What lks is to reach.
    pub goals: &'static [Goal],
}

impl Shape {
    /// Whether `tool` runs it.
    pub fn is_for(&self, tool: &Ready) -> bool {
        let peer = Tool::PEERS.contains(&tool.tool);
        self.files.iter().any(|(name, _)| *name == tool.source())
            && !(peer && self.too_long_for_peers)
    }
}

macro_rules! text {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/bench/", $path))
    };
}

const PLAIN: Shape = Shape {
    id: "",
    title: "",
    files: &[],
    watched: None,
    again: false,
    too_long_for_peers: false,
    proof: proof::ended_well,
    goals: &[],
};

/// The shapes, in the table's order.
pub static ALL: &[Shape] = &[
    Shape {
        id: "start",
        title: "a play without tasks",
        files: &[
            (PLAY, text!("start/play.yml")),
            (DEPLOY, text!("start/deploy.py")),
            (SCRIPT, text!("start/script.sh")),
        ],
        ..PLAIN
    },
    Shape {
        id: "one-task",
        title: "one task: command /bin/true",
        files: &[
            (PLAY, text!("one-task/play.yml")),
            (DEPLOY, text!("one-task/deploy.py")),
            (SCRIPT, text!("one-task/script.sh")),
        ],
        watched: Some("/bin/true"),
        proof: proof::executed::<1>,
        goals: &[Goal::Milliseconds(10.0), Goal::Megabytes(12.0)],
        ..PLAIN
    },
    Shape {
        id: "commands",
        title: "100 tasks: command /bin/true",
        files: &[
            (PLAY, text!("commands/play.yml")),
            (DEPLOY, text!("commands/deploy.py")),
            (SCRIPT, text!("commands/script.sh")),
        ],
        watched: Some("/bin/true"),
        proof: proof::executed::<100>,
        goals: &[
            Goal::TimesSh(1.5),
            Goal::FasterThan(Tool::Pyinfra, 20.0),
            Goal::FasterThan(Tool::Mitogen, 60.0),
            Goal::FasterThan(Tool::Ansible, 250.0),
        ],
        ..PLAIN
    },
    Shape {
        id: "appends",
        title: "100 tasks: command /bin/sh that appends a line",
        files: &[
            (PLAY, text!("appends/play.yml")),
            (DEPLOY, text!("appends/deploy.py")),
            (SCRIPT, text!("appends/script.sh")),
        ],
        proof: proof::appended,
        ..PLAIN
    },
    Shape {
        id: "copies",
        title: "100 tasks: copy of content to a file",
        files: &[
            (PLAY, text!("copies/play.yml")),
            (DEPLOY, text!("copies/deploy.py")),
            (SCRIPT, text!("copies/script.sh")),
        ],
        again: true,
        proof: proof::copied,
        goals: &[Goal::Milliseconds(25.0)],
        ..PLAIN
    },
    Shape {
        id: "facts",
        title: "gathering facts, and one file of them",
        files: &[(PLAY, text!("facts/play.yml"))],
        proof: proof::gathered,
        ..PLAIN
    },
    Shape {
        id: "loop",
        title: "one task, 100 items: command /bin/true",
        files: &[
            (PLAY, text!("loop/play.yml")),
            (DEPLOY, text!("commands/deploy.py")),
            (SCRIPT, text!("loop/script.sh")),
        ],
        watched: Some("/bin/true"),
        proof: proof::executed::<100>,
        ..PLAIN
    },
    Shape {
        id: "templates",
        title: "one task, 20 items: template",
        files: &[
            (PLAY, text!("templates/play.yml")),
            (DEPLOY, text!("templates/deploy.py")),
            (SCRIPT, text!("templates/script.sh")),
            ("page.j2", text!("templates/page.j2")),
        ],
        proof: proof::rendered,
        ..PLAIN
    },
    Shape {
        id: "includes",
        title: "1,000 times include_tasks of one set_fact",
        files: &[
            (PLAY, text!("includes/play.yml")),
            ("included.yml", text!("includes/included.yml")),
        ],
        proof: proof::included,
        ..PLAIN
    },
    Shape {
        id: "set-facts",
        title: "1,000 tasks: set_fact",
        files: &[(PLAY, text!("set-facts/play.yml"))],
        proof: proof::remembered,
        ..PLAIN
    },
    Shape {
        id: "hundred-hosts",
        title: "100 local hosts, 10 tasks each: command /bin/touch",
        files: &[
            (PLAY, text!("hosts/play.yml")),
            (INVENTORY, text!("hundred-hosts/hosts.ini")),
            (SCRIPT, text!("hundred-hosts/script.sh")),
        ],
        proof: proof::touched::<100>,
        // Two processes' work at once: the script does one after the other.
        goals: &[Goal::TimesSh(1.0)],
        ..PLAIN
    },
    Shape {
        id: "hosts",
        title: "1,000 local hosts, 10 tasks each: command /bin/touch",
        files: &[
            (PLAY, text!("hosts/play.yml")),
            (INVENTORY, text!("hosts/hosts.ini")),
            (SCRIPT, text!("hosts/script.sh")),
        ],
        too_long_for_peers: true,
        proof: proof::touched::<1000>,
        ..PLAIN
    },
];
