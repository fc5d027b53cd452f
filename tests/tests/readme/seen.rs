//! What a reader does before a line is typed, and what must have become of it.

use crate::walk::Walk;
use lks_tests::rig::reported;
use lks_tests::rig::shell::Shell;
use lks_tests::rig::{Attempt, Failure, Result, ensure, rootfs};
use serde_json::Value;

pub fn nothing(_: &mut Walk) -> Result<()> {
    Ok(())
}

fn has(said: &str, part: &str) -> Result<()> {
    ensure(
        said.contains(part),
        format_args!("`{part}` is not in:\n{said}"),
    )
}

/// The only row of a table below its head.
fn rows(said: &str) -> usize {
    said.trim().lines().count().saturating_sub(1)
}

pub fn serves(walk: &mut Walk, said: &str) -> Result<()> {
    has(said, "serving at https://ctl.example.org:7443")?;
    let pin = said
        .split("pin ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    let pin = pin
        .ok_or_else(|| Failure::new("no pin is printed"))?
        .to_owned();
    let known = walk.words.insert("PIN", pin.clone());
    ensure(
        known.is_none_or(|known| known == pin),
        "the second start has another authority",
    )
}

pub fn knows_nobody(walk: &mut Walk, _: &str) -> Result<()> {
    let hosts = walk.json("lks-ctl hosts --json")?;
    ensure(hosts == Value::Array(Vec::new()), hosts)
}

pub fn a_key(walk: &mut Walk, _: &str) -> Result<()> {
    let keys = walk.ask("cat keys")?;
    ensure(
        keys.trim().len() == 64,
        format_args!("no public key: {keys}"),
    )?;
    let again = walk.ask("lks-ctl bundle key")?;
    ensure(again == keys, "a second call has another key")
}

pub fn one_token(walk: &mut Walk, _: &str) -> Result<()> {
    let token = walk.ask("cat token")?;
    ensure(
        token.trim().starts_with("lks-join-") && token.lines().count() == 1,
        token,
    )
}

pub fn a_host(walk: &mut Walk) -> Result<()> {
    walk.boot_host("web1")?;
    walk.carry(&["keys", "token"], "web1")?;
    walk.hosts["web1"].copy_in(&walk.agent, "/usr/local/bin/lks-agent")?;
    walk.host = Some(walk.root_of("web1")?);
    Ok(())
}

pub fn web1_is_in(walk: &mut Walk, _: &str) -> Result<()> {
    ensure(!walk.listed("web1")?.is_null(), "web1 is not listed")
}

/// The agent at an address of the web, whose certificate hosts believe.
pub fn a_download(walk: &mut Walk) -> Result<()> {
    let tls = rootfs::certificates()?;
    let folder = walk.around.namespace.dir().join("download");
    std::fs::create_dir_all(&folder)?;
    std::fs::copy(&walk.agent, folder.join("lks-agent"))?;
    // A command that enters the namespace begins at its root.
    let script =
        "cd $0 && exec openssl s_server -quiet -WWW -accept 10.77.0.1:443 -cert $1 -key $2";
    let mut server = walk.around.namespace.command("sh");
    server.args(["-euc", script]).arg(folder);
    server.arg(tls.join("tls.pem")).arg(tls.join("tls.key"));
    walk.around
        .serve("download", &mut server, Some("10.77.0.1:443"))?;
    walk.words
        .insert("https://…/", "https://github.com/".into());
    Ok(())
}

pub fn web2_comes(walk: &mut Walk, _: &str) -> Result<()> {
    walk.launch("web2")?;
    walk.until("web2 is in", |walk| Ok(!walk.listed("web2")?.is_null()))
}

pub fn is_over(walk: &mut Walk, _: &str) -> Result<()> {
    let hosts = walk.operator.type_line("lks-ctl hosts")?;
    ensure(hosts.0 != 0, "the controller still answers")
}

pub fn a_bucket(walk: &mut Walk) -> Result<()> {
    let agent = walk.agent.clone();
    walk.cloud
        .keep(&mut walk.around, "lks-boot", "lks-agent", &agent)?;
    walk.words.insert("BUCKET", "lks-boot".into());
    Ok(())
}

pub fn no_token(walk: &mut Walk, _: &str) -> Result<()> {
    let user_data = walk.ask("cat user-data")?;
    ensure(!user_data.contains("join-token"), "a token is in it")?;
    has(&user_data, "--join iam")
}

pub fn an_instance_runs_it(walk: &mut Walk, said: &str) -> Result<()> {
    has(said, "assigned `site` to hosts that join as i-*")?;
    has(&walk.ask("lks-ctl bundle assigned")?, "site")?;
    walk.launch("instance")?;
    walk.until("the instance ran it", |walk| {
        let runs = walk.json("lks-ctl runs --json")?;
        Ok(!runs[0]["hosts"][0][1].is_null())
    })?;
    let run = walk.json("lks-ctl runs --json")?[0]["run"].clone();
    it_ran(walk, run.as_str().unwrap_or_default(), "instance")
}

/// All of a run is there, and on the host's disk.
fn it_ran(walk: &mut Walk, run: &str, host: &str) -> Result<()> {
    let said = walk.ask(&format!("lks-ctl events {run} --json"))?;
    let events: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).map(|mut stored| stored["event"].take()))
        .collect::<std::result::Result<_, _>>()
        .attempt("an event is no JSON")?;
    let tasks = reported::complete(&events)?;
    let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    let all = [
        "Gathering Facts",
        "Note where the models are",
        "Make the mount point",
    ];
    ensure(names == all, format_args!("{names:?}"))?;
    let made = walk.hosts[host].exec("cat /etc/models && test -d /share")?;
    ensure(made == "10.0.0.5:/\n", made)
}

pub fn web_ran_it(walk: &mut Walk, said: &str) -> Result<()> {
    has(said, "on 2 hosts")?;
    let run = said
        .split("run ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    let run = run
        .ok_or_else(|| Failure::new("no run is named"))?
        .to_owned();
    walk.words.insert("RUN", run);
    for host in ["web1", "web2"] {
        let made = walk.hosts[host].exec("cat /etc/models && test -d /share")?;
        ensure(made == "10.0.0.5:/\n", made)?;
    }
    Ok(())
}

pub fn three_hosts(walk: &mut Walk, said: &str) -> Result<()> {
    let instance = walk.cloud.instance.clone();
    for name in ["web1", "web2", &instance] {
        has(said, name)?;
    }
    ensure(rows(said) == 3, said)
}

pub fn two_with_facts(walk: &mut Walk, said: &str) -> Result<()> {
    has(said, "web1")?;
    has(said, "web2")?;
    has(said, "Debian 12")?;
    ensure(rows(said) == 2, said)?;
    let facts = walk.json("lks-ctl facts 'web*' --json")?;
    ensure(facts.as_array().is_some_and(|all| all.len() == 2), facts)
}

pub fn two_runs(walk: &mut Walk, said: &str) -> Result<()> {
    let run = walk.words["RUN"].clone();
    has(said, &run)?;
    has(said, "2 of 2 over")?;
    ensure(rows(said) == 2, said)?;
    let hosts = walk.ask(&format!("lks-ctl runs {run}"))?;
    has(&hosts, "web1")?;
    has(&hosts, "web2")
}

pub fn its_end(_: &mut Walk, said: &str) -> Result<()> {
    has(said, "Note where the models are")?;
    has(said, "status 0")
}

pub fn ada_operates(walk: &mut Walk, _: &str) -> Result<()> {
    has(&walk.ask("LKS_CONTROLLER=ada.json lks-ctl hosts")?, "web1")?;
    let (status, said) = walk
        .operator
        .type_line("LKS_CONTROLLER=ada.json lks-ctl operator")?;
    ensure(status != 0, "an operator lists operators")?;
    has(&said, "ada is an operator; this needs an admin")
}

pub fn a_new_version(walk: &mut Walk) -> Result<()> {
    // What is behind the end of a program is none of the kernel's business.
    walk.controller.exec("echo >>/home/ada/fleet/lks-agent")?;
    // With the program's digest, which it tells when it asks for work.
    let told = |version: &Value| version.as_str().is_some_and(|v| v.contains(' '));
    walk.until("hosts tell their versions", |walk| {
        let hosts = [walk.listed("web1")?, walk.listed("web2")?];
        Ok(hosts.iter().all(|host| told(&host["version"])))
    })?;
    walk.noted = walk.listed("web2")?["version"].clone();
    Ok(())
}

pub fn is_unsigned(_: &mut Walk, said: &str) -> Result<()> {
    has(said, "not signed")
}

pub fn is_signed(_: &mut Walk, said: &str) -> Result<()> {
    has(said, "signed as `site`")
}

pub fn both_ran_it(_: &mut Walk, said: &str) -> Result<()> {
    has(said, "on 2 hosts")?;
    ensure(said.matches("over       status 0").count() == 2, said)
}

pub fn web_has_it(walk: &mut Walk, said: &str) -> Result<()> {
    has(said, "published ")?;
    let old = walk.noted.clone();
    for host in ["web1", "web2"] {
        let old = old.clone();
        walk.until("a host runs the new version", |walk| {
            Ok(walk.listed(host)?["version"] != old)
        })?;
    }
    let new = walk.listed("web1")?["version"].clone();
    let instance = walk.cloud.instance.clone();
    let other = walk.listed(&instance)?["version"].clone();
    ensure(other != new, format_args!("it was for web* only: {other}"))?;
    a_new_key(walk)?;
    an_inventory(walk)?;
    walk.ask(
        "lks-ctl run -c agent site.yml --limit web2 -e efs_ip=10.0.0.5 -e lks_in_flight=rerun",
    )?;
    walk.ask("lks-ctl bundle assign site.yml --in-flight rerun --hosts 'never-*'")?;
    has(&walk.ask("lks-ctl doc --list")?, "lks.llm.model")?;
    back_with_a_token(walk)
}

fn a_new_key(walk: &mut Walk) -> Result<()> {
    let key = "cat /var/lib/lks-agent/identity.json";
    let old = walk.hosts["web2"].exec(key)?;
    walk.ask("lks-ctl hosts rotate web2")?;
    walk.until("web2 has a new key", |walk| {
        Ok(walk.hosts["web2"].exec(key)? != old)
    })?;
    walk.until("the new key is in use", |walk| {
        let said = walk.hosts["web2"].exec("journalctl --no-pager -u lks-agent")?;
        Ok(said.contains("this host has a new key"))
    })
}

fn an_inventory(walk: &mut Walk) -> Result<()> {
    walk.ask(
        "printf '%s\\n' '#!/bin/sh' 'exec lks-ctl hosts --inventory' > enrolled; chmod +x enrolled",
    )?;
    let graph = walk.ask("lks-ctl inventory -i enrolled --graph")?;
    has(&graph, "@enrolled:")?;
    has(&graph, "--web1")
}

/// A host that was shut out, is forgotten, and comes back by a new token.
fn back_with_a_token(walk: &mut Walk) -> Result<()> {
    walk.ask("lks-ctl hosts revoke web1")?;
    ensure(
        walk.listed("web1")?["revoked"] == true,
        "web1 is not revoked",
    )?;
    walk.ask("lks-ctl hosts forget web1")?;
    ensure(walk.listed("web1")?.is_null(), "web1 is not forgotten")?;
    walk.ask("lks-ctl token new > token")?;
    walk.carry(&["token"], "web1")?;
    // Its daemon is ended, and started as it was.
    walk.host = None;
    walk.hosts["web1"].exec("pkill -x lks-agent")?;
    let line = format!(
        "lks-agent daemon --controller https://ctl.example.org:7443 --pin {} --token-file token --bundle-keys keys",
        walk.words["PIN"]
    );
    let mut shell: Shell = walk.root_of("web1")?;
    shell.type_until(&line, "this host is web1")?;
    walk.host = Some(shell);
    walk.until("web1 is in again", |walk| {
        Ok(!walk.listed("web1")?.is_null())
    })
}

pub fn a_database(walk: &mut Walk) -> Result<()> {
    walk.start_database("a-word")?;
    // The controller from above.
    walk.ask("kill $!").map(drop)
}

pub fn in_the_database(walk: &mut Walk, said: &str) -> Result<()> {
    serves(walk, said)?;
    walk.second_terminal()?;
    let token = walk.ask("lks-ctl token new --host web9")?;
    ensure(token.starts_with("lks-join-"), token)?;
    let database = walk.database.as_ref();
    let kept = database.map(|d| d.psql_in("lks", "SELECT count(*) FROM token WHERE host = 'web9'"));
    let kept = kept.transpose().map_err(Failure::new)?;
    ensure(
        kept.as_deref().map(str::trim) == Some("1"),
        format_args!("{kept:?}"),
    )
}
