//! Secrets at run time: used, and shown nowhere.

use super::*;
use std::path::Path;

/// Every file below a folder that holds a text.
fn files_with(dir: &Path, text: &str, out: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_with(&path, text, out);
        } else {
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes.windows(text.len()).any(|w| w == text.as_bytes()) {
                out.push(path.display().to_string());
            }
        }
    }
}

const PASSWORD: &str = "correct-horse-battery";
const NESTED: &str = "s3kr1t-of-the-database";

#[test]
fn a_secret_is_used_and_shows_nowhere() {
    let Some((mut scene, moto)) = Scene::new("secrets", true) else {
        return;
    };
    let moto = moto.expect("moto");
    put(
        &moto,
        &format!(
            "ssm = client('ssm')\n\
             ssm.put_parameter(Name='/web/password', Value='{PASSWORD}', Type='SecureString')\n\
             ssm.put_parameter(Name='/web/port', Value='8080', Type='String')\n\
             client('secretsmanager').create_secret(Name='db', \
             SecretString='{{\"username\": \"anna\", \"password\": \"{NESTED}\"}}')\n"
        ),
    );
    scene.settings["busy"] = json!(1);
    scene.save();
    scene.serve(&["--allow", RULE]);
    let agent = scene.join("one", &[]);
    let dir = scene.dir.display();
    let play = format!(
        "- hosts: all
  gather_facts: false
  vars:
    password: \"{{{{ lookup('amazon.aws.ssm_parameter', '/web/password') }}}}\"
    database: \"{{{{ lookup('amazon.aws.secretsmanager_secret', 'db.password', nested=true) }}}}\"
    port: \"{{{{ lookup('lks.llm.ssm_parameter', '/web/port') }}}}\"
  tasks:
    - name: Write {{{{ password }}}}
      copy: {{dest: '{dir}/written', content: 'p={{{{ password }}}} d={{{{ database }}}} port={{{{ port }}}}'}}
    - name: Say it
      debug: {{msg: 'it is {{{{ password }}}}, {{{{ password | b64encode }}}}'}}
    - shell: 'echo {{{{ database }}}}; echo {{{{ password }}}} >&2; exit 3'
      register: r
      ignore_errors: true
    - set_fact: {{kept: '{{{{ r.stdout }}}}'}}
    - debug: {{var: r}}
    - debug: {{msg: \"{{{{ lookup('amazon.aws.aws_ssm', '/none', on_missing='skip') | default('nothing', true) }}}}\"}}
    - fail: {{msg: 'no {{{{ kept }}}}'}}
"
    );
    std::fs::write(scene.path("site.yml"), play).expect("written");
    let site = scene.path("site.yml").display().to_string();
    let done = scene.call(&["run", "-c", "agent", &site]);
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    let wanted = format!("p={PASSWORD} d={NESTED} port=8080");
    assert_eq!(
        scene.read("written"),
        wanted,
        "{said}{}",
        scene.read("one.log")
    );
    assert!(
        said.contains("********") && said.contains("Say it"),
        "{said}"
    );
    let run = said.split_whitespace().nth(1).expect("a run").to_owned();
    let events = scene.ctl(&["events", &run, "--json"]);
    assert!(
        events.contains("it is ********, ********") && events.contains("nothing"),
        "{events}"
    );
    // Here, with differences shown, and as another program would read it.
    let mut local = scene.command("lks-agent");
    std::fs::write(scene.path("written"), "old\n").expect("written");
    local.args([
        "run",
        &site,
        "-i",
        "localhost,",
        "-c",
        "local",
        "--diff",
        "-vvv",
    ]);
    let done = local.output().expect("runs");
    let shown = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(shown.contains("+p=******** d=********"), "{shown}");
    let mut report = scene.command("lks-agent");
    report.args([
        "run",
        &site,
        "-i",
        "localhost,",
        "-c",
        "local",
        "--check",
        "--diff",
        "--output",
        "json",
    ]);
    let report = report.output().expect("runs");
    let report = String::from_utf8_lossy(&[report.stdout, report.stderr].concat()).into_owned();
    drop(agent);
    scene.server = None;
    for secret in [PASSWORD, NESTED] {
        for (what, text) in [
            ("the terminal", &said),
            ("events", &events),
            ("a diff", &shown),
            ("the report", &report),
        ] {
            assert!(!text.contains(secret), "{secret} is in {what}: {text}");
        }
        let mut found = Vec::new();
        for place in ["ctl", "one"] {
            files_with(&scene.path(place), secret, &mut found);
        }
        for log in ["server.log", "one.log"] {
            assert!(!scene.read(log).contains(secret), "{secret} is in {log}");
        }
        assert_eq!(found, [""; 0], "{secret} lies on the disk");
    }
    let asked = scene.aws.as_ref().expect("aws").printed();
    assert!(
        asked
            .lines()
            .filter(|l| l.starts_with("POST / 200"))
            .count()
            < 20,
        "{asked}"
    );
}
