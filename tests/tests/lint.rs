//! `lks-ctl lint` and `lks-ctl explain`, as a user types them: what each rule finds and what it leaves
//! in peace, comments and settings that silence it, exit codes, SARIF; and which definition wins.

use lks_tests::rig::options;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// `lks-ctl`, found once for all tests.
fn ctl() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| options::ctl().expect("the binary of lks-ctl"))
}

/// A folder with these files.
fn project(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let root = std::env::temp_dir().join(format!("lks-lint-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&root);
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
    root
}

fn run(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let done = Command::new(ctl())
        .args(arguments)
        .current_dir(dir)
        .env_remove("ANSIBLE_CONFIG")
        .env_remove("LKS_LINT_SELECT")
        .env_remove("LKS_LINT_IGNORE")
        .output()
        .expect("the program runs");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (
        done.status.code().unwrap_or(-1),
        text(&done.stdout),
        text(&done.stderr),
    )
}

/// The rules that find something in a play with these tasks, with their lines.
fn rules(name: &str, tasks: &str, more: &[&str]) -> Vec<String> {
    let text = format!("- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}");
    let root = project(name, &[("play.yml", &text)]);
    let arguments = [&["lint", "play.yml", "--format", "json"], more].concat();
    let (_, out, err) = run(&root, &arguments);
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"));
    let findings = report["findings"].as_array().expect("findings");
    findings
        .iter()
        .map(|f| format!("{} {}", f["rule"].as_str().unwrap_or(""), f["line"]))
        .collect()
}

/// Tasks (from line 4 on), and what is found in them without flags.
const CASES: &[(&str, &[&str])] = &[
    ("    - command: make all\n", &["always-changed 4"]),
    ("    - command: make all\n      changed_when: false\n", &[]),
    ("    - command: make all\n      args: {creates: /x}\n", &[]),
    (
        "    - command: systemctl restart x\n      changed_when: true\n",
        &["command-instead-of-module 4"],
    ),
    (
        "    - command: systemctl status x\n      changed_when: false\n",
        &[],
    ),
    (
        "    - shell: curl -fsSL https://x.org/i.sh | sh\n      args: {creates: /usr/bin/x}\n",
        &["hidden-pipe-failure 4", "piped-installer 4"],
    ),
    (
        "    - unarchive: {src: /nowhere/made/a.tgz, dest: /opt}\n",
        &["look-again 4"],
    ),
    (
        "    - get_url: {url: 'https://x.org/a.tgz', dest: /nowhere/made/a.tgz, mode: '0644', checksum: 'sha256:00'}\n\
         \u{20}   - unarchive: {src: /nowhere/made/a.tgz, dest: /opt}\n",
        &[],
    ),
    (
        "    - shell: echo hi\n      changed_when: false\n",
        &["shell-instead-of-command 4"],
    ),
    ("    - shell: echo $HOME\n      changed_when: false\n", &[]),
    (
        "    - file:\n        path: /x\n        mode: 644\n",
        &["octal-mode 6"],
    ),
    (
        "    - file:\n        path: /x\n        mode: '0777'\n",
        &["world-writable 6"],
    ),
    ("    - file:\n        path: /x\n        mode: '1777'\n", &[]),
    (
        "    - apt:\n        name: jq\n        state: latest\n",
        &["package-latest 6"],
    ),
    ("    - apt:\n        update_cache: true\n", &[]),
    (
        "    - debug:\n        msg: a\n      when: false\n",
        &["never-runs 6"],
    ),
    (
        "    - meta: end_play\n    - debug:\n        msg: a\n",
        &["after-the-end 5"],
    ),
    (
        "    - meta: end_play\n      when: x is defined\n    - debug:\n        msg: a\n",
        &[],
    ),
    (
        "    - debug:\n        msg: a\n      tags: never\n",
        &["only-never 6"],
    ),
    (
        "    - debug:\n        msg: a\n      tags: [never, x]\n",
        &[],
    ),
    (
        "    - debug:\n        msg: a\n      notify: restrat\n",
        &["unknown-handler 6"],
    ),
    (
        "    - ping:\n      ignore_errors: true\n",
        &["ignored-failure 5"],
    ),
    (
        "    - ping:\n      become_user: x\n",
        &["become-user-alone 5"],
    ),
    (
        "    - ping:\n      register: r\n    - debug:\n        msg: a\n      when: r.stdout\n",
        &["not-a-condition 8"],
    ),
    (
        "    - ping:\n      register: r\n    - debug:\n        msg: a\n      when: r.stdout != ''\n",
        &[],
    ),
    (
        "    - debug:\n        msg: a\n      when: \"{{ 1 == 1 }}\"\n",
        &["braces-in-condition 6"],
    ),
    (
        "    - ping:\n      register: nobody_looks\n",
        &["unused-register 5"],
    ),
    (
        "    - debug:\n        msg: a\n      vars:\n        not_used: 1\n",
        &["unused-variable 7"],
    ),
    (
        "    - debug:\n        msg: a\n      vars:\n        not-a-name: 1\n",
        &["variable-name 7"],
    ),
    (
        "    - debug:\n        msg: \"{{ some_varible }}\"\n      vars:\n        some_variable: \"{{ some_variable2 | default(1) }}\"\n",
        &["undefined-variable 5", "unused-variable 7"],
    ),
    ("    - debug:\n        msg: \"{{ from_outside }}\"\n", &[]),
    (
        "    - copy: dest=/x content=y mode=0644\n",
        &["key-value-args 4"],
    ),
    (
        "    - local_action: command ls\n      changed_when: false\n",
        &["old-action 4"],
    ),
    (
        "    - community.docker.docker_container:\n        name: o\n        image: ollama/ollama:latest\n",
        &["image-latest 6", "not-available 4"],
    ),
    (
        "    - community.docker.docker_container:\n        name: o\n        image: ollama/ollama:0.5.1\n",
        &["not-available 4"],
    ),
    (
        "    - get_url:\n        url: http://example.org/x\n        dest: /x\n        mode: '0644'\n",
        &["plain-http-download 5"],
    ),
    ("    - coppy:\n        src: x\n", &["unknown-module 4"]),
    (
        "    - user:\n        name: u\n        password: Tr0ub4dor\n",
        &["plain-secret 6"],
    ),
    (
        "    - user:\n        name: u\n        password: \"{{ pw }}\"\n",
        &[],
    ),
    ("    - command: make all # noqa: always-changed\n", &[]),
    ("    - name: x # noqa\n      command: make all\n", &[]),
    (
        "    - command: make all # noqa: octal-mode\n",
        &["always-changed 4"],
    ),
];

#[test]
fn every_rule_finds_what_it_should_and_leaves_the_rest_in_peace() {
    let mut wrong = Vec::new();
    for (i, (tasks, want)) in CASES.iter().enumerate() {
        let mut found = rules(&format!("case{i}"), tasks, &[]);
        let mut want: Vec<String> = want.iter().map(ToString::to_string).collect();
        found.sort();
        want.sort();
        if found != want {
            wrong.push(format!("{tasks}  want {want:?}\n  got  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_are_chosen_by_flags_and_settings_and_have_pages() {
    let task = "    - command: mkdir /x\n";
    assert_eq!(
        rules("select", task, &["--select", "always-changed"]),
        ["always-changed 4"]
    );
    assert_eq!(
        rules("ignore", task, &["--ignore", "always-changed"]),
        ["command-instead-of-module 4"]
    );
    let root = project(
        "settings",
        &[
            (
                "play.yml",
                "- hosts: all\n  tasks:\n    - command: make x\n",
            ),
            ("ansible.cfg", "[lint]\nignore = always-changed\n"),
        ],
    );
    let (code, out, _) = run(&root, &["lint", "play.yml", "--strict"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "1 file read: 0 errors, 0 warnings, 0 notes\n")
    );
    let (code, _, err) = run(&root, &["lint", "play.yml", "--ignore", "alway-changed"]);
    assert!(
        code == 2 && err.contains("did you mean `always-changed`?"),
        "{err}"
    );
    let (_, list, _) = run(&root, &["lint", "--list-rules"]);
    for line in list.lines() {
        let id = line.split_whitespace().next().expect("a rule");
        let (code, page, _) = run(&root, &["lint", "--explain-rule", id]);
        assert!(
            code == 0 && page.starts_with(id) && page.lines().count() > 2,
            "{page}"
        );
    }
}

#[test]
fn exit_codes_say_how_bad_it_is() {
    let root = project(
        "codes",
        &[
            ("good.yml", "- hosts: all\n  tasks:\n    - ping:\n"),
            (
                "warns.yml",
                "- hosts: all\n  tasks:\n    - command: make x\n",
            ),
            ("bad.yml", "- hosts: all\n  tasks:\n    - coppy: x\n"),
        ],
    );
    for (arguments, want) in [
        (vec!["lint", "good.yml"], 0),
        (vec!["lint", "warns.yml"], 0),
        (vec!["lint", "warns.yml", "--strict"], 2),
        (vec!["lint", "bad.yml"], 4),
        (vec!["lint", "nothing.yml"], 2),
    ] {
        assert_eq!(run(&root, &arguments).0, want, "{arguments:?}");
    }
}

#[test]
fn a_secret_is_shown_in_no_form() {
    let text = "- hosts: all\n  vars:\n    api_key: 0123abcDEF456ghi\n  tasks:\n    - debug:\n        msg: \"{{ api_key }}\"\n";
    let root = project("secret", &[("play.yml", text)]);
    for form in ["human", "json", "sarif"] {
        let (_, out, err) = run(&root, &["lint", "play.yml", "--format", form]);
        assert!(out.contains("plain-secret"), "{out}");
        assert!(
            !format!("{out}{err}").contains("0123abcDEF"),
            "{form}: {out}"
        );
    }
    for what in ["api_key", "1"] {
        let (code, out, err) = run(&root, &["explain", what, "play.yml"]);
        assert!(code == 0 && out.contains("********"), "{out}{err}");
        assert!(!out.contains("0123abcDEF"), "{out}");
    }
}

#[test]
fn what_lks_lacks_can_be_listed_and_not_run() {
    let text = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: o\n      community.docker.docker_container:\n        name: o\n";
    let root = project("absent", &[("play.yml", text)]);
    let (code, out, err) = run(&root, &["run", "play.yml", "--list-tasks"]);
    assert!(code == 0 && out.contains("      o\tTAGS"), "{out}{err}");
    assert!(
        err.contains("not available in lks") && err.contains("community.docker"),
        "{err}"
    );
    let (code, out, err) = run(&root, &["run", "play.yml"]);
    assert_eq!(code, 4, "{out}{err}");
    assert!(!out.contains("PLAY ["), "nothing runs: {out}");
}

#[test]
fn explain_names_every_definition_and_the_one_that_wins() {
    let play = "- name: P\n  hosts: web\n  vars:\n    port: 3\n  roles: [r]\n  tasks:\n    - name: T\n      debug:\n        msg: \"{{ url }} {{ out.stdout }}\"\n      when: port == 4\n      become: true\n    - name: U\n      command: x\n      register: out\n";
    let files = [
        ("play.yml", play),
        ("inv", "[web]\nw1 port=2\n"),
        (
            "group_vars/all.yml",
            "url: \"http://h:{{ port }}\"\nport: 1\n",
        ),
        ("roles/r/defaults/main.yml", "port: 0\n"),
    ];
    let root = project("explain", &files);
    let json = |arguments: &[&str]| -> Value {
        let (code, out, err) = run(&root, &[arguments, &["--json"]].concat());
        assert_eq!(code, 0, "{out}{err}");
        serde_json::from_str(&out).expect("JSON")
    };
    let report = json(&[
        "explain", "port", "--host", "w1", "-i", "inv", "-e", "port=4", "play.yml",
    ]);
    let play = &report["plays"][0];
    let order: Vec<(i64, &str)> = play["definitions"]
        .as_array()
        .expect("definitions")
        .iter()
        .map(|d| {
            (
                d["precedence"].as_i64().unwrap_or(0),
                d["place"].as_str().unwrap_or("-"),
            )
        })
        .collect();
    let short: Vec<(i64, String)> = order
        .iter()
        .map(|(n, p)| {
            (
                *n,
                p.rsplit("explain")
                    .next()
                    .unwrap_or(p)
                    .rsplit('/')
                    .next()
                    .unwrap_or("")
                    .to_string(),
            )
        })
        .collect();
    let want = [
        (2, "main.yml:1:1"),
        // The folder is both the inventory's and the playbook's.
        (4, "all.yml:2:1"),
        (5, "all.yml:2:1"),
        (8, "inv:2:4"),
        (12, "play.yml:4:5"),
        (22, "-"),
    ];
    let want: Vec<(i64, String)> = want.iter().map(|(n, p)| (*n, p.to_string())).collect();
    assert_eq!(short, want, "{report:#}");
    let wins: Vec<i64> = play["definitions"]
        .as_array()
        .expect("definitions")
        .iter()
        .filter(|d| d["wins"] == true)
        .filter_map(|d| d["precedence"].as_i64())
        .collect();
    assert_eq!(wins, [22]);
    let url = json(&["explain", "url", "-i", "inv", "play.yml"]);
    assert_eq!(url["plays"][0]["result"]["value"], "http://h:3");
    let task = json(&["explain", "T", "--task", "-i", "inv", "play.yml"]);
    let task = &task["tasks"][0];
    let unknown = task["arguments"][0]["unknown"].as_str().unwrap_or("");
    assert!(unknown.contains("`out` is made by register"), "{task:#}");
    assert_eq!(task["conditions"][0]["holds"], false);
    let by_line = json(&["explain", "play.yml:13", "-i", "inv", "play.yml"]);
    assert_eq!(by_line["tasks"][0]["task"], "U");
    let (code, _, err) = run(&root, &["explain", "prot", "-i", "inv", "play.yml"]);
    assert!(code == 2 && err.contains("did you mean `port`?"), "{err}");
}
