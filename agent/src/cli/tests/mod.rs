//! What a user sees of the command line: whole texts, recorded in the files beside this one
//! (`UPDATE_CLI=1` writes them anew), and tables of arguments.

mod parsing;
mod settings;

use super::*;
use crate::error::Result;
use crate::host::Outcome;
use crate::module::{Module, Plan, PlanCx, Returns, Rule, host_module};
use std::path::Path;

static APP: App = App {
    name: "lks-test",
    about: "Runs Ansible playbooks.",
    version: "1.2.3",
    commands: &[
        run_command(|call, io| {
            let options = RunOptions::new(&call.parsed, &Settings::default())?;
            io.print(&format!("{}: {:?}\n", call.typed, options.playbooks));
            Ok(7)
        }),
        DOC,
        COMPLETION,
        VERSION,
    ],
};

/// Exit code, standard output and standard error of a call.
fn call(line: &str) -> String {
    let argv: Vec<String> = line.split_whitespace().map(Into::into).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = APP.run(
        &argv,
        &mut Io {
            out: &mut out,
            err: &mut err,
        },
    );
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (out, err) = (text(out), text(err));
    let err = if err.is_empty() {
        err
    } else {
        format!("=== stderr\n{err}")
    };
    format!("$ {line}\n{out}{err}=== exit {code}\n")
}

// Tests read the files beside them; the command line itself never does.
#[allow(clippy::disallowed_methods)]
fn recorded(name: &str, shown: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/tests");
    let file = folder.join(name);
    if std::env::var_os("UPDATE_CLI").is_some() {
        std::fs::write(&file, shown).expect("a recorded text");
    }
    let want = std::fs::read_to_string(&file).expect("a recorded text");
    assert!(want == shown, "{name} differs; shown now:\n{shown}");
}

#[test]
fn calls_answer_as_recorded() {
    let calls = [
        "lks-test",
        "lks-test --version",
        "lks-test version",
        "lks-test help",
        "lks-test help run",
        "lks-test rnu",
        "lks-test site.yml",
        "/usr/bin/lks-test run site.yml -v",
        "/opt/bin/ansible-playbook site.yml",
        "ansible-playbook",
        "lks-test run --inventry x site.yml",
        "ansible-playbook --version",
        "lks-test run -f many site.yml",
        "lks-test run -f 0 site.yml",
        "lks-test run --output xml site.yml",
        "lks-test doc",
        "lks-test doc --help",
        "lks-test doc cpoyyy",
        "lks-test completion",
        "lks-test completion fsh",
    ];
    recorded("calls.txt", &calls.map(call).join("\n"));
}

#[test]
fn completions_are_as_recorded() {
    for (name, shell) in [
        ("completion.bash", Shell::Bash),
        ("completion.zsh", Shell::Zsh),
        ("completion.fish", Shell::Fish),
    ] {
        recorded(name, &completion_script(&APP, shell, &["copy", "file"]));
    }
}

crate::choices! {
    /// What becomes of it.
    pub enum State { Present = "present" | "installed", HardLink = "hard" }
}

crate::params! {
    /// Puts something on the host.
    ///
    /// More about it, which goes on for so long that the line must be broken somewhere near here.
    ///
    /// - a list, whose first entry goes on for so long that its line must be broken, too
    /// - and ends
    ///
    /// ```yaml
    /// - sample:
    ///     path: /x
    ///     state: present
    /// ```
    pub struct Sample {
        /// Where it goes. With a slash at its end, what is in the directory goes there and not the
        /// directory itself.
        required path | "dest" | "name": String,
        /// How.
        default(State::Present) state: State,
        /// How often.
        default(3) times: u64,
        /// Which text.
        default("x y".into()) text: String,
        /// Whether at all.
        default(true) force: bool,
        /// Which ones.
        default(Vec::new()) names: Vec<String>,
        /// The engine's own.
        optional _hidden: Option<String>,
    }
    rules [Rule::Needs("names", &["state"]), Rule::If("state", "hard", &["text"])]
}

impl Module for Sample {
    fn plan(&self, _: &PlanCx<'_>) -> Result<Plan> {
        // Only its description is of interest.
        let Self {
            path,
            state,
            times,
            text,
            force,
            names,
            _hidden,
        } = self;
        let _ = (path, state, times, text, force, names);
        Ok(Plan::default())
    }
    fn finish(&self, _: &PlanCx<'_>, _: &mut Returns, _: &[Outcome]) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_page_is_made_of_the_types() {
    let module = host_module::<Sample>("ansible.builtin.sample")
        .free_form("path")
        .returns(&[("dest", "Where it went."), ("size", "How large it is.")]);
    let text = format!(
        "{}\n=== json\n{}\n=== list\n{}",
        doc_page(&module),
        doc::json_pages(&[&module]),
        doc::list(&[&module])
    );
    recorded("page.txt", &text);
}

#[test]
fn lists_read_as_ansible_prints_them() {
    let words = |text: &str| -> Vec<String> { text.split_whitespace().map(Into::into).collect() };
    let task = |name: &str, tags: &str| ListedTask {
        name: name.into(),
        tags: words(tags),
    };
    let play = |name: &str, patterns: &str, hosts: &str, tags: &str, tasks| ListedPlay {
        name: name.into(),
        patterns: words(patterns),
        hosts: words(hosts),
        tags: words(tags),
        tasks,
    };
    let first = vec![
        task("web : Install", "r"),
        task("debug", "r"),
        task("a", "x b"),
        task("debug", ""),
        task("in block", "never blk"),
        task("inner", "imp"),
        task("include_tasks", ""),
    ];
    let books = [
        ListedPlaybook {
            path: "l.yml".into(),
            plays: vec![
                play("First", "web", "h2 h1", "p", first),
                play("h1:!h2", "h1:!h2", "h1", "", Vec::new()),
            ],
        },
        ListedPlaybook {
            path: "l2.yml".into(),
            plays: vec![play(
                "Other",
                "localhost",
                "localhost",
                "",
                vec![task("debug", "")],
            )],
        },
    ];
    let all = Listing {
        hosts: true,
        tasks: true,
        tags: true,
    };
    // Recorded from ansible-core 2.19.14.
    recorded("listing.txt", &all.text(&books));
    let syntax_check = Listing::default().text(&books);
    assert_eq!(syntax_check, "\nplaybook: l.yml\n\nplaybook: l2.yml\n");
}
