//! `hosts`, `runs`, `events`, `token`, `operator`: looking at a controller, and managing who may do what.

use super::connection::Connection;
use super::table::{answer_table, pretty, print_table, raw, text};
use crate::fleet::{self, Follow};
use lks_agent::cli::{Args, Call, Command, Complete, Flag, exit};
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::pattern::wildcard;
use lks_agent::uplink::Answer;
use lks_agent::uplink::wire::is_name;
use serde_json::{Value, json};

const JSON: Flag = Flag::switch(&["json"], "Print JSON.");
static ONLY_JSON: &[Flag] = &[JSON];
static HOST_FLAGS: &[Flag] = &[
    JSON,
    Flag::switch(
        &["inventory"],
        "Print hosts that are not revoked as an inventory script does: in the group `enrolled`.",
    ),
];

/// Hosts in the form of inventory scripts ("Developing dynamic inventory" in Ansible's documentation).
fn inventory(hosts: &[Value]) -> Value {
    let (mut names, mut vars) = (Vec::new(), serde_json::Map::new());
    for host in hosts.iter().filter(|h| h["revoked"] != true) {
        let name = text(&host["name"]);
        names.push(name.clone());
        let told = json!({"lks_version": host["version"], "lks_enrolled_at": host["enrolled_at"],
            "lks_seen_at": host["seen_at"]});
        vars.insert(name, told);
    }
    json!({"_meta": {"hostvars": vars}, "enrolled": {"hosts": names}})
}

pub(super) const HOSTS: Command = Command {
    name: "hosts",
    called_as: None,
    summary: "List enrolled hosts; revoke, forget or rotate one",
    details: "A revoked host gets and gives nothing more, and nobody else gets its name until it is forgotten. \
`rotate` asks a host to make itself a new key at once; by itself it does so before its certificate ends. \
An executable file with the lines `#!/bin/sh` and `exec lks-ctl hosts --inventory` is an inventory of them.\n",
    args: Args {
        usage: "[revoke|forget|rotate NAME]",
        complete: Complete::Words(&["revoke", "forget", "rotate"]),
    },
    flags: HOST_FLAGS,
    body: |call, io| {
        let client = Connection::known()?.client()?;
        match words(call).as_slice() {
            [] if call.parsed.has("inventory") => {
                let hosts: Vec<Value> = client.get("/v1/hosts")?.json()?;
                io.print(&format!("{:#}\n", inventory(&hosts)));
                Ok(exit::OK)
            }
            [] => answer_table(
                call,
                io,
                &client.get("/v1/hosts")?,
                &[
                    "name",
                    "version",
                    "enrolled_at",
                    "seen_at",
                    "expires_at",
                    "revoked",
                ],
            ),
            [what @ ("revoke" | "rotate"), name] => {
                done(&client.post(&format!("/v1/hosts/{}/{what}", named(name)?), &json!({}))?)
            }
            ["forget", name] => done(&client.delete(&format!("/v1/hosts/{}", named(name)?))?),
            _ => Err(usage("hosts [revoke|forget|rotate NAME]")),
        }
    },
};

pub(super) const FACTS: Command = Command {
    name: "facts",
    called_as: None,
    summary: "Show what enrolled hosts told of themselves",
    details: "Agents tell their facts when they start and after every run, without their environment and \
/etc/ansible/facts.d. `--json` shows all of them.\n",
    args: Args {
        usage: "[HOST...]",
        complete: Complete::Nothing,
    },
    flags: ONLY_JSON,
    body: |call, io| {
        let client = Connection::known()?.client()?;
        let mut told: Vec<Value> = client.get("/v1/facts")?.json()?;
        let patterns = words(call);
        told.retain(|row| {
            let host = row["host"].as_str().unwrap_or_default();
            patterns.is_empty() || patterns.iter().any(|p| wildcard(p, host))
        });
        if call.parsed.has("json") {
            return pretty(io, &Value::Array(told));
        }
        let rows: Vec<Value> = told.iter().map(summary).collect();
        print_table(
            io,
            &rows,
            &[
                "host",
                "system",
                "kernel",
                "machine",
                "cpus",
                "memory_mb",
                "gpus",
                "address",
                "at",
            ],
        );
        Ok(exit::OK)
    },
};

/// The facts of a host that fit into a line.
fn summary(row: &Value) -> Value {
    let facts = &row["facts"];
    let system = format!(
        "{} {}",
        text(&facts["distribution"]),
        text(&facts["distribution_version"])
    );
    json!({
        "host": row["host"],
        "system": system,
        "kernel": facts["kernel"],
        "machine": facts["machine"],
        "cpus": facts["processor_vcpus"],
        "memory_mb": facts["memtotal_mb"],
        "gpus": facts["lks_gpu"]["count"],
        "address": facts["default_ipv4"]["address"],
        "at": row["at"],
    })
}

pub(super) const RUNS: Command = Command {
    name: "runs",
    called_as: None,
    summary: "List runs of enrolled hosts, or the hosts of one",
    details: "",
    args: Args {
        usage: "[RUN]",
        complete: Complete::Nothing,
    },
    flags: ONLY_JSON,
    body: |call, io| {
        let client = Connection::known()?.client()?;
        match words(call).as_slice() {
            [] => {
                let answer = client.get("/v1/runs")?;
                if call.parsed.has("json") {
                    return raw(io, &answer);
                }
                let mut runs: Vec<Value> = answer.json()?;
                runs.iter_mut().for_each(sum_up);
                print_table(io, &runs, &["run", "by", "created_at", "hosts"]);
                Ok(exit::OK)
            }
            [run] => {
                let answer = client.get(&format!("/v1/runs/{}", named(run)?))?;
                if call.parsed.has("json") {
                    return raw(io, &answer);
                }
                let run: fleet::Started = answer.json()?;
                io.print(&fleet::Fold::default().recap(&run.hosts));
                Ok(exit::OK)
            }
            _ => Err(usage("runs [RUN]")),
        }
    },
};

/// How many hosts of a run are over, in their place.
fn sum_up(run: &mut Value) {
    let hosts = run["hosts"].as_array().map_or(&[][..], Vec::as_slice);
    let over = hosts.iter().filter(|h| !h[1].is_null()).count();
    run["hosts"] = json!(format!("{over} of {} over", hosts.len()));
}

pub(super) const EVENTS: Command = Command {
    name: "events",
    called_as: None,
    summary: "Show what happened in a run",
    details: "",
    args: Args {
        usage: "RUN",
        complete: Complete::Nothing,
    },
    flags: EVENT_FLAGS,
    body: |call, io| {
        let client = Connection::known()?.client()?;
        let [run] = words(call)[..] else {
            return Err(usage("events RUN"));
        };
        let run = named(run)?;
        let how = if call.parsed.has("follow") {
            Follow::UntilOver
        } else {
            Follow::Once
        };
        if call.parsed.has("json") {
            // An object a line.
            let ended = fleet::each_event(&client, run, how, io, |stored, io| {
                io.print(&format!("{stored}\n"));
            })?;
            return Ok(if ended { exit::OK } else { exit::INTERRUPTED });
        }
        fleet::follow(&client, run, how, io)
    },
};

static EVENT_FLAGS: &[Flag] = &[
    JSON,
    Flag::switch(&["follow"], "Go on until the run is over.").short('f'),
];

pub(super) const TOKEN: Command = Command {
    name: "token",
    called_as: None,
    summary: "Make, list and revoke join tokens",
    details: "A token lets one host in, once, and is shown once.\n",
    args: Args {
        usage: "[new|revoke ID]",
        complete: Complete::Words(&["new", "revoke"]),
    },
    flags: TOKEN_FLAGS,
    body: |call, io| {
        let client = Connection::known()?.client()?;
        match words(call).as_slice() {
            [] => answer_table(
                call,
                io,
                &client.get("/v1/tokens")?,
                &["id", "host", "made_by", "expires_at", "used_by", "revoked"],
            ),
            ["new"] => {
                let asked = json!({
                    "host": call.parsed.value("host").unwrap_or_default(),
                    "lifetime": call.parsed.number::<u64>("expires")?.unwrap_or(3600),
                });
                let answer = client.post("/v1/tokens", &asked)?;
                if call.parsed.has("json") {
                    return raw(io, &answer);
                }
                let made: Value = answer.json()?;
                io.print(&format!("{}\n", text(&made["token"])));
                Ok(exit::OK)
            }
            ["revoke", id] => done(&client.delete(&format!("/v1/tokens/{}", named(id)?))?),
            _ => Err(usage("token [new|revoke ID]")),
        }
    },
};

static TOKEN_FLAGS: &[Flag] = &[
    JSON,
    Flag::one(
        &["host"],
        "NAME",
        "The name that the host must have. Any if not given.",
    ),
    Flag::one(
        &["expires"],
        "SECONDS",
        "How long it can be used. An hour if not given.",
    ),
];

pub(super) const OPERATOR: Command = Command {
    name: "operator",
    called_as: None,
    summary: "List, add and remove who may operate the fleet",
    details: "Roles: a `viewer` looks; an `operator` also starts runs; an `admin` does everything.\n",
    args: Args {
        usage: "[add NAME ROLE|remove NAME]",
        complete: Complete::Words(&["add", "remove"]),
    },
    flags: ONLY_JSON,
    body: |call, io| {
        let known = Connection::known()?;
        let client = known.client()?;
        match words(call).as_slice() {
            [] => answer_table(call, io, &client.get("/v1/operators")?, &["name", "role"]),
            ["add", name, role] => {
                let made: Value = client
                    .post("/v1/operators", &json!({"name": name, "role": role}))?
                    .json()?;
                // What the new operator saves and names by LKS_CONTROLLER.
                let theirs = Connection {
                    token: text(&made["token"]),
                    ..known
                };
                let theirs = serde_json::to_string_pretty(&theirs)
                    .map_err(|e| Error::host("cannot write JSON").caused_by(e))?;
                io.print(&format!("{theirs}\n"));
                Ok(exit::OK)
            }
            ["remove", name] => done(&client.delete(&format!("/v1/operators/{}", named(name)?))?),
            _ => Err(usage("operator [add NAME ROLE|remove NAME]")),
        }
    },
};

fn words<'a>(call: &'a Call<'_>) -> Vec<&'a str> {
    call.parsed.args.iter().map(String::as_str).collect()
}

/// A name that becomes part of a path.
fn named(name: &str) -> Result<&str> {
    if is_name(name) {
        Ok(name)
    } else {
        Err(Error::new(
            ErrorKind::Usage,
            format!("`{name}` cannot be a name"),
        ))
    }
}

pub(super) fn usage(text: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("this command is used so: {text}"))
}

fn done(answer: &Answer) -> Result<i32> {
    answer.body().map(|_| exit::OK)
}
