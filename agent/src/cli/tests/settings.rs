//! `ansible.cfg` and the environment.

use crate::cli::settings::{Settings, Sources, candidates};
use crate::cli::{Parsed, RUN_FLAGS, RunOptions};
use crate::error::Result;

const FILE: &str = "
[defaults]
forks = 20            ; many
inventory = hosts.ini,~/more
roles_path = roles:/usr/share/roles:~/roles
host_key_checking = False
vault_password_file = ./pass
remote_user = 'deploy'
[privilege_escalation]
become = yes
[ssh_connection]
ssh_common_args = -o ProxyJump=j
retries = 3
[diff]
always = true
[tags]
skip = slow, never
";

fn read(file: Option<&str>, env: &[(&str, &str)]) -> Result<Settings> {
    let env = |name: &str| {
        let found = env.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| (*value).to_string())
    };
    Settings::read(&Sources {
        file: file.map(|text| (text, "/srv/site")),
        env: &env,
    })
}

#[test]
fn environment_goes_over_file_over_default() {
    let s = read(
        Some(FILE),
        &[
            ("HOME", "/home/me"),
            ("ANSIBLE_FORKS", "7"),
            ("NO_COLOR", "x"),
            ("ANSIBLE_INVENTORY", "a,"),
        ],
    )
    .unwrap();
    let want = Settings {
        forks: 7,
        inventory: vec!["a,".into()],
        roles_path: vec![
            "/srv/site/roles".into(),
            "/usr/share/roles".into(),
            "/home/me/roles".into(),
        ],
        host_key_checking: false,
        vault_password_file: Some("/srv/site/pass".into()),
        remote_user: Some("deploy".into()),
        r#become: true,
        ssh_common_args: Some("-o ProxyJump=j".into()),
        ssh_retries: 3,
        diff: true,
        skip_tags: vec!["slow".into(), "never".into()],
        nocolor: true,
        ..Settings::default()
    };
    assert_eq!(s, want);
    let s = read(Some(FILE), &[("HOME", "/home/me")]).unwrap();
    assert_eq!(s.inventory, ["/srv/site/hosts.ini", "/home/me/more"]);
}

#[test]
fn a_wrong_value_names_its_place() {
    for (file, env, want) in [
        (
            Some("[defaults]\nforks = many\n"),
            None,
            "ansible.cfg [defaults] forks: expected a whole number, not `many`",
        ),
        (
            None,
            Some(("ANSIBLE_BECOME", "perhaps")),
            "ANSIBLE_BECOME: expected a truth value, not `perhaps`",
        ),
    ] {
        let env: Vec<(&str, &str)> = env.into_iter().collect();
        assert_eq!(read(file, &env).unwrap_err().message(), want);
    }
}

#[test]
fn flags_go_over_settings() {
    let settings = read(Some(FILE), &[]).unwrap();
    let args: Vec<String> = ["-f3", "--skip-tags", "x", "p.yml"]
        .map(Into::into)
        .to_vec();
    let o = RunOptions::new(&Parsed::read(RUN_FLAGS, &args).unwrap(), &settings).unwrap();
    assert_eq!(
        (o.forks, o.skip_tags, o.diff, o.become_),
        (3, vec!["x".into()], true, true)
    );
    assert_eq!(o.user.as_deref(), Some("deploy"));
}

#[test]
fn the_file_is_looked_for_where_ansible_looks() {
    let env = |name: &str| (name == "HOME").then(|| "/h".to_string());
    assert_eq!(
        candidates(&env),
        ["ansible.cfg", "/h/.ansible.cfg", "/etc/ansible/ansible.cfg"]
    );
}
