//! Arguments and what is understood, row by row.

use crate::cli::{Colour, Output, Parsed, RUN_FLAGS, RunOptions, Settings};
use crate::error::Result;

fn parsed(line: &str) -> Result<Parsed> {
    // `_` stands for a space within an argument.
    let args: Vec<String> = line
        .split_whitespace()
        .map(|w| w.replace('_', " "))
        .collect();
    Parsed::read(RUN_FLAGS, &args)
}

fn options(line: &str) -> RunOptions {
    let parsed = parsed(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    RunOptions::new(&parsed, &Settings::default()).unwrap_or_else(|e| panic!("{line}: {e}"))
}

/// Changes the options that `p.yml` alone gives.
type Change = fn(&mut RunOptions);

#[test]
fn flags_are_understood_as_argparse_does() {
    let rows: &[(&str, Change)] = &[
        ("p.yml", |_| ()),
        ("-i a, -i b p.yml", |o| {
            o.inventory = vec!["a,".into(), "b".into()]
        }),
        ("--inventory=a p.yml", |o| o.inventory = vec!["a".into()]),
        ("--inventory-file a p.yml", |o| {
            o.inventory = vec!["a".into()]
        }),
        ("p.yml -ek=v -e k=w -e=j=1", |o| {
            o.extra_vars = vec!["k=v".into(), "k=w".into(), "j=1".into()];
        }),
        ("--extra-vars={\"a\":1} p.yml", |o| {
            o.extra_vars = vec!["{\"a\":1}".into()]
        }),
        ("-vvv p.yml", |o| o.verbosity = 3),
        ("-v --verbose p.yml -v", |o| o.verbosity = 3),
        ("-bKCD p.yml", |o| {
            (o.become_, o.ask_become_pass, o.check, o.diff) = (true, true, true, true);
        }),
        ("-bf10 p.yml", |o| (o.become_, o.forks) = (true, 10)),
        ("--chec p.yml", |o| o.check = true),
        ("--vault-pass a p.yml", |o| {
            o.vault_password_files = vec!["a".into()]
        }),
        ("--ask-vault p.yml", |o| o.ask_vault_password = true),
        ("-t a,b --tags c p.yml --skip-tags d", |o| {
            o.tags = vec!["a".into(), "b".into(), "c".into()];
            o.skip_tags = vec!["d".into()];
        }),
        ("--limit -x p.yml", |o| o.limit = Some("-x".into())),
        ("--ssh-common-args -o_ProxyJump=j p.yml", |o| {
            o.ssh_common_args = Some("-o ProxyJump=j".into());
        }),
        ("-T 30 -u me -c local p.yml", |o| {
            o.timeout = Some(30);
            (o.user, o.connection) = (Some("me".into()), Some("local".into()));
        }),
        ("-- p.yml -x", |o| o.playbooks.push("-x".into())),
        ("p.yml q.yml", |o| o.playbooks.push("q.yml".into())),
        ("--output json --output junit p.yml", |o| {
            o.output = Output::Junit
        }),
        ("--no-color p.yml", |o| o.colour = Colour::Never),
        ("--color p.yml", |o| o.colour = Colour::Always),
        ("-l a -l b --start-at-task x --step p.yml", |o| {
            o.limit = Some("b".into());
            (o.start_at_task, o.step) = (Some("x".into()), true);
        }),
        (
            "--become-user u --become-method su --become-pass-file f p.yml",
            |o| {
                o.become_user = Some("u".into());
                o.become_method = Some("su".into());
                o.become_password_file = Some("f".into());
            },
        ),
        ("--list-ho --list-tas --syntax p.yml", |o| {
            (o.list_hosts, o.list_tasks, o.syntax_check) = (true, true, true);
        }),
    ];
    for (line, change) in rows {
        let mut want = options("p.yml");
        change(&mut want);
        assert_eq!(options(line), want, "{line}");
    }
}

#[test]
fn mistakes_are_told_in_argparse_words() {
    for (line, want) in [
        ("--foo p.yml", "unrecognized arguments: --foo"),
        ("-Z p.yml --foo=1", "unrecognized arguments: -Z --foo=1"),
        (
            "-i",
            "argument -i/--inventory/--inventory-file: needs a value",
        ),
        (
            "-e --check p.yml",
            "argument -e/--extra-vars: needs a value",
        ),
        (
            "--check=1 p.yml",
            "argument -C/--check: takes no value, but got `1`",
        ),
        (
            "--list p.yml",
            "ambiguous option: --list could match --list-hosts, --list-tasks, --list-tags",
        ),
        (
            "-k --conn-pass-file x p.yml",
            "argument -k/--ask-pass: not allowed with argument --connection-password-file/--conn-pass-file",
        ),
        (
            "--output yaml p.yml",
            "argument --output: `yaml` is not one of `human`, `fleet`, `json`, `junit`, `events`",
        ),
    ] {
        let error = parsed(line).map(|_| ()).unwrap_err();
        assert_eq!(error.message(), want, "{line}");
    }
}

#[test]
fn every_flag_of_ansible_playbook_is_there() {
    // From `ansible-playbook --help`, 2.19.14.
    let all = "-h --help --version -v --verbose --private-key --key-file -u --user -c --connection \
        -T --timeout --ssh-common-args --sftp-extra-args --scp-extra-args --ssh-extra-args -k \
        --ask-pass --connection-password-file --conn-pass-file --force-handlers -b --become \
        --become-method --become-user -K --ask-become-pass --become-password-file \
        --become-pass-file -t --tags --skip-tags -C --check -D --diff -i --inventory \
        --inventory-file --list-hosts -l --limit --flush-cache -e --extra-vars --vault-id -J \
        --ask-vault-password --ask-vault-pass --vault-password-file --vault-pass-file -f --forks \
        -M --module-path --syntax-check --list-tasks --list-tags --step --start-at-task";
    let known: Vec<String> = RUN_FLAGS
        .iter()
        .chain([&crate::cli::flag::HELP])
        .flat_map(crate::cli::Flag::spellings)
        .collect();
    for flag in all.split_whitespace() {
        assert!(known.iter().any(|k| k == flag), "{flag} is missing");
    }
    let mut unique = known.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), known.len(), "a spelling stands for two flags");
}
