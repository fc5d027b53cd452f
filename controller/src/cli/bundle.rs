//! `bundle`: makes, signs and checks what agents run.

use super::agents::{SAID_BY_ITS_SIGNER, only_flags, source_of};
use super::connection::Connection;
use super::table::answer_table;
use crate::bundle::{self, Given, LIFETIME, SigningKey};
use crate::told::{lasting, moment};
use lks_agent::bundle::{Keys, Parts, Statement, verify};
use lks_agent::cli::{Args, Call, Command, Complete, Flag, Io, exit};
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::here::{self, durable};
use lks_agent::uplink::wire::is_name;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(super) const BUNDLE: Command = Command {
    name: "bundle",
    called_as: None,
    summary: "Make, sign and verify bundles; make the key that signs them",
    details: "- `bundle make PLAYBOOK...` collects the folder of the playbook, and how it is to be run, into one file\n\
- `bundle sign FILE` signs it, where the key is; a new signature takes the place of an old one. `run -c agent FILE` \
and `bundle assign FILE` take it in the place of playbooks, and need no key\n\
- `bundle verify FILE` checks it as an agent would, and lists what is in it\n\
- `bundle assign PLAYBOOK...` makes and signs one, and has every host whose name matches `--hosts` run it as \
soon as it joins: new hosts configure themselves. `bundle assigned` lists what is assigned, `bundle unassign \
NAME` takes it back. Hosts that are in already get nothing by it: that is `run -c agent`\n\
- `bundle key` makes the signing key if there is none, and prints its public half\n",
    args: Args {
        usage: "make|sign|verify|assign|assigned|unassign|key [FILE...]",
        complete: Complete::Words(&[
            "make", "sign", "verify", "assign", "assigned", "unassign", "key",
        ]),
    },
    flags: FLAGS,
    body: |call, io| {
        let (action, rest) = call
            .parsed
            .args
            .split_first()
            .map_or(("", &[][..]), |(a, r)| (a.as_str(), r));
        match action {
            "make" => make(call, rest, io),
            "sign" => sign(call, one(rest)?, io),
            "verify" => check(call, one(rest)?, io),
            "assign" => assign(call, rest, io),
            "assigned" => answer_table(
                call,
                io,
                &Connection::known()?.client()?.get("/v1/assignments")?,
                &["name", "hosts", "made_by", "at", "expires_at"],
            ),
            "unassign" => unassign(rest, io),
            "key" => key(call, io),
            _ => Err(usage(
                "what is to be done: make, sign, verify, assign, assigned, unassign or key?",
            )),
        }
    },
};

static FLAGS: &[Flag] = &[
    Flag::switch(&["json"], "Print JSON (`assigned`)."),
    Flag::one(
        &["out"],
        "FILE",
        "Where the bundle goes. The playbook's name with .lksb if not given.",
    )
    .short('o')
    .complete(Complete::File),
    Flag::one(
        &["root"],
        "DIR",
        "The folder that is bundled. The playbook's if not given.",
    )
    .complete(Complete::Directory),
    Flag::many(
        &["hosts"],
        "PATTERN",
        "Hosts that may run it, `*` for any letters. All if not given.",
    ),
    Flag::one(
        &["in-flight"],
        "WHAT",
        "What becomes of a command that a crash interrupted: stop (the default), rerun or skip.",
    )
    .words(&["stop", "rerun", "skip"]),
    Flag::one(
        &["key"],
        "FILE",
        "The signing key. ~/.config/lks/sign.key (or LKS_SIGN_KEY) if not given.",
    )
    .complete(Complete::File),
    Flag::one(
        &["name"],
        "NAME",
        "What is replaced by a newer signature of this name. The file's name if not given.",
    ),
    Flag::one(
        &["expires"],
        "SECONDS",
        "How long the signature holds. A day if not given; 30 days for `assign`.",
    ),
    Flag::one(
        &["trusted"],
        "FILE",
        "Public keys that are trusted, for `verify`. The own one if not given.",
    )
    .complete(Complete::File),
    Flag::many(&["inventory"], "PATH", "An inventory to bring along.")
        .short('i')
        .complete(Complete::File),
    Flag::many(&["extra-vars"], "VARS", "Extra variables, as for `run`.").short('e'),
    Flag::many(&["tags"], "TAGS", "As for `run`.").short('t'),
    Flag::many(&["skip-tags"], "TAGS", "As for `run`."),
    Flag::switch(&["check"], "As for `run`.").short('C'),
    Flag::switch(&["diff"], "As for `run`.").short('D'),
    Flag::switch(&["force-handlers"], "As for `run`."),
    Flag::switch(&["become"], "As for `run`.").short('b'),
    Flag::one(&["become-user"], "USER", "As for `run`."),
    Flag::one(&["become-method"], "METHOD", "As for `run`."),
    Flag::one(&["start-at-task"], "NAME", "As for `run`."),
    Flag::many(
        &["vault-password-file"],
        "FILE",
        "A file of the hosts (an absolute path) with the password of vaults.",
    ),
];

fn usage(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, text)
}

fn one(rest: &[String]) -> Result<&Path> {
    match rest {
        [file] => Ok(Path::new(file)),
        _ => Err(usage("one file is needed")),
    }
}

fn signing_key(call: &Call<'_>) -> PathBuf {
    call.parsed
        .value("key")
        .map_or_else(SigningKey::default_path, here::expand_home)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    here::read(path)?.ok_or_else(|| usage(format!("{} does not exist", path.display())))
}

pub(super) fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|s| s.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn make(call: &Call<'_>, playbooks: &[String], io: &mut Io<'_>) -> Result<i32> {
    let mut source = source_of(&call.parsed, playbooks)?;
    source.root = call.parsed.value("root").map(PathBuf::from);
    let bytes = bundle::make(&source)?;
    let out = call.parsed.value("out").map_or_else(
        || PathBuf::from(format!("{}.lksb", stem(Path::new(&playbooks[0])))),
        PathBuf::from,
    );
    durable::replace(&out, &bytes, 0o644)?;
    let parts = Parts::read(&bytes)?;
    io.print(&format!(
        "{} {} bytes, not signed\nid {}\n",
        out.display(),
        bytes.len(),
        parts.id()
    ));
    Ok(exit::OK)
}

fn sign(call: &Call<'_>, path: &Path, io: &mut Io<'_>) -> Result<i32> {
    let key = SigningKey::read(&signing_key(call))?;
    let name = call
        .parsed
        .value("name")
        .map_or_else(|| stem(path), String::from);
    let lifetime = call.parsed.number("expires")?.unwrap_or(LIFETIME);
    let signed = bundle::sign(&read(path)?, &name, lifetime, &key)?;
    durable::replace(path, &signed, 0o644)?;
    io.print(&format!(
        "{} signed as `{name}`, for {}\n",
        path.display(),
        lasting(lifetime)
    ));
    Ok(exit::OK)
}

/// How long hosts that join may be given what was assigned.
const ASSIGNED: u64 = 30 * LIFETIME;

fn assign(call: &Call<'_>, playbooks: &[String], io: &mut Io<'_>) -> Result<i32> {
    let signed = match Given::read(playbooks)? {
        Some(given) => {
            only_flags(&call.parsed, &[], SAID_BY_ITS_SIGNER)?;
            given.bytes
        }
        None => assignment(call, playbooks)?,
    };
    let of = Parts::read(&signed)?.signed.map(|(statement, _)| statement);
    let statement = Statement::read(of.unwrap_or_default())?;
    let client = Connection::known()?.client()?;
    let put: Value = client.put("/v1/bundles", signed)?.json()?;
    let asked = json!({"bundle": put["bundle"]}).to_string();
    let made: Value = client.put("/v1/assignments", asked.into_bytes())?.json()?;
    io.print(&format!(
        "assigned `{}` to hosts that join as {}, for {}\n",
        statement.name,
        made["hosts"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", "),
        lasting(statement.expires_at.saturating_sub(statement.signed_at))
    ));
    Ok(exit::OK)
}

/// A bundle of the playbooks that are named, signed with the key that lies here.
fn assignment(call: &Call<'_>, playbooks: &[String]) -> Result<Vec<u8>> {
    let mut source = source_of(&call.parsed, playbooks)?;
    source.root = call.parsed.value("root").map(PathBuf::from);
    let first = playbooks
        .first()
        .ok_or_else(|| usage("which playbook is to be assigned?"))?;
    let name = call
        .parsed
        .value("name")
        .map_or_else(|| stem(Path::new(first)), String::from);
    let lifetime = call.parsed.number("expires")?.unwrap_or(ASSIGNED);
    let key = SigningKey::read(&signing_key(call))?;
    bundle::sign(&bundle::make(&source)?, &name, lifetime, &key)
}

fn unassign(rest: &[String], io: &mut Io<'_>) -> Result<i32> {
    let [name] = rest else {
        return Err(usage("one name is needed (`bundle assigned` lists them)"));
    };
    if !is_name(name) {
        return Err(usage(format!("`{name}` cannot be a name")));
    }
    let client = Connection::known()?.client()?;
    client.delete(&format!("/v1/assignments/{name}"))?.body()?;
    io.print(&format!(
        "hosts that join are not given `{name}` any more\n"
    ));
    Ok(exit::OK)
}

fn check(call: &Call<'_>, path: &Path, io: &mut Io<'_>) -> Result<i32> {
    let keys = match call.parsed.value("trusted") {
        Some(file) => String::from_utf8_lossy(&read(Path::new(file))?).into_owned(),
        None => SigningKey::read(&signing_key(call))?.public(),
    };
    let bytes = read(path)?;
    let bundle = verify(&bytes, &Keys::read(&keys)?, here::now() as u64)?;
    let (statement, entry) = (&bundle.statement, &bundle.index.entry);
    io.print(&format!(
        "id {}\nsigned by {} as `{}`, counter {}, expires {}\nruns {} on {}\n",
        bundle.id,
        bundle.key,
        statement.name,
        statement.counter,
        moment(statement.expires_at),
        entry.playbooks.join(", "),
        entry.hosts.join(", "),
    ));
    if !entry.flags.is_empty() {
        io.print(&format!("with {}\n", entry.flags.join(" ")));
    }
    for file in &bundle.index.files {
        io.print(&format!("{:>10} {}\n", file.size, file.path));
    }
    Ok(exit::OK)
}

fn key(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    let path = signing_key(call);
    let (key, made) = SigningKey::read_or_make(&path)?;
    if made {
        io.complain(&format!("made {}; keep it to yourself\n", path.display()));
    }
    io.print(&format!("{}\n", key.public()));
    Ok(exit::OK)
}
