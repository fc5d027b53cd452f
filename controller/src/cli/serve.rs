//! `serve`: the server that agents report to.

use super::connection::Connection;
use crate::api::{self, Programs, State, digest};
use crate::enrol::aws::{Allow, Certificates, Gate, Methods};
use crate::enrol::{Authority, LIFETIME};
use crate::store::{Operator, Postgres, Role, Sqlite, Store};
use lks_agent::cli::{Args, Command, Complete, Flag, Parsed};
use lks_agent::encoding::hex;
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::here::{self, durable};
use lks_agent::host::{Digest, digest_of};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) const SERVE: Command = Command {
    name: "serve",
    called_as: None,
    summary: "Serve agents and operators: enrolment, work, bundles, events",
    details: "The first start makes the authority whose certificates hosts and this server have, and an \
operator `admin`; what its commands need is written to `admin.json` in the data folder (`export \
LKS_CONTROLLER=…/admin.json`). Needs nothing installed: the store is a file.\n",
    args: Args::NONE,
    flags: FLAGS,
    body: |call, io| {
        let value = |name: &str| call.parsed.value(name);
        let listen = value("listen").unwrap_or("0.0.0.0:7443");
        let data = PathBuf::from(value("data").unwrap_or("/var/lib/lks-ctl"));
        let mut names = call.parsed.values("name");
        if names.is_empty() {
            names.push(lks_agent::uplink::identity::host_name());
        }
        names.extend(["localhost".to_string(), "127.0.0.1".to_string()]);
        // Each agent that waits is a file.
        here::open_many_files();
        here::make_dir(&data, 0o700).map_err(|error| match value("data") {
            Some(_) => error,
            None => error.hint("--data DIR names a folder that is yours, such as ~/lks-data"),
        })?;
        let _lock = durable::lock_folder(&data)?;
        let authority = Authority::open(&data)?;
        let pin = authority.pin();
        let store: Arc<dyn Store> = match value("store")
            .map(String::from)
            .or_else(|| here::env("LKS_STORE"))
        {
            None => Arc::new(Sqlite::open(&data.join("store.sqlite"))?),
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Arc::new(Postgres::open(&url)?)
            }
            Some(_) => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    "--store is postgres://USER:PASSWORD@HOST/DATABASE",
                ));
            }
        };
        same_authority(&*store, &pin, &data)?;
        let gate = gate(&call.parsed, &authority)?;
        let state = State::new(
            Arc::clone(&store),
            authority,
            call.parsed.number("certificates")?.unwrap_or(LIFETIME),
            gate,
            programs(&call.parsed)?,
        )?;
        let mut failed = None;
        let name = names[0].clone();
        api::serve(state, listen, &names, |address| {
            let url = format!("https://{name}:{}", address.port());
            if call.parsed.has("new-admin")
                && let Err(error) = store.remove_operator("admin")
            {
                failed = Some(error);
                return;
            }
            match first_admin(&*store, &data, &url, &pin) {
                Ok(told) => io.print(&format!(
                    "serving at {url} ({address})\npin {pin}\noperators: {told}\n"
                )),
                Err(error) => failed = Some(error),
            }
        })?;
        match failed {
            Some(error) => Err(error),
            None => Ok(lks_agent::cli::exit::OK),
        }
    },
};

static FLAGS: &[Flag] = &[
    Flag::one(
        &["listen"],
        "ADDRESS",
        "Where to listen. 0.0.0.0:7443 if not given.",
    ),
    Flag::one(
        &["data"],
        "DIR",
        "Where to keep everything. /var/lib/lks-ctl if not given.",
    )
    .complete(Complete::Directory),
    Flag::many(
        &["name"],
        "NAME",
        "A name or address under which hosts reach this server; the first one is told to them.",
    ),
    Flag::one(
        &["certificates"],
        "SECONDS",
        "How long hosts' certificates hold; hosts renew them after half of it. A year if not given.",
    ),
    Flag::many(
        &["agent"],
        "FILE",
        "An agent's program that new hosts may fetch here (`bootstrap --agent-url controller`).",
    )
    .complete(Complete::File),
    Flag::many(
        &["allow"],
        "RULE",
        "Let instances of EC2 in: ACCOUNT/ROLE@REGION,REGION; role and regions may have `*`.",
    ),
    Flag::one(
        &["join"],
        "METHODS",
        "How hosts join, separated by commas: token, iam (their role's signature), iam+iid (and their identity \
document), iid (the document alone). If not given: token, and iam with --allow.",
    ),
    Flag::one(
        &["identity-certificates"],
        "FILE",
        "Certificates for identity documents (RSA-2048, PEM), each behind a line `# REGION`, in place of those that \
AWS publishes, which are built in.",
    )
    .complete(Complete::File),
    Flag::one(
        &["identity-window"],
        "SECONDS",
        "How long after an instance's start its identity document is taken. An hour if not given.",
    ),
    Flag::switch(
        &["new-admin"],
        "Make a new token for `admin`; the old one is good for nothing any more.",
    ),
    Flag::one(
        &["store"],
        "URL",
        "A PostgreSQL database that several controllers share, \
postgres://USER:PASSWORD@HOST/DATABASE (`?sslmode=verify-full&sslrootcert=FILE` for TLS; \
LKS_STORE is read if this is not given). A file in the data folder if neither is.",
    ),
];

/// The programs that new hosts may fetch, read once: a request names a digest, never a file.
fn programs(parsed: &Parsed) -> Result<Programs> {
    let one = |file: String| {
        let bytes = here::read(Path::new(&file))?;
        let bytes = bytes.ok_or_else(|| usage(format!("{file} does not exist")))?;
        Ok((digest_of(&bytes, Digest::Sha256), bytes.into()))
    };
    parsed.values("agent").into_iter().map(one).collect()
}

/// Whom AWS's word lets in.
fn gate(parsed: &Parsed, authority: &Authority) -> Result<Gate> {
    let rules = parsed.values("allow");
    let rules: Vec<Allow> = rules
        .iter()
        .map(|r| Allow::parse(r))
        .collect::<Result<_>>()?;
    let usual = if rules.is_empty() {
        "token"
    } else {
        "token,iam"
    };
    let methods = Methods::parse(parsed.value("join").unwrap_or(usual))?;
    let certificates = match parsed.value("identity-certificates") {
        Some(file) => {
            let text = here::read_text(Path::new(file))?;
            Certificates::read(&text.ok_or_else(|| usage(format!("{file} does not exist")))?)?
        }
        None if methods.takes_documents() => Certificates::published()?,
        None => Certificates::default(),
    };
    if methods.takes_aws() && rules.is_empty() {
        return Err(usage("--join lets instances in, and no --allow says whose"));
    }
    if methods.takes_documents() && certificates.is_empty() {
        return Err(usage("--identity-certificates has no certificate in it").hint(
            "leave it out for the ones that AWS publishes, or give those of its page \"AWS public certificates for \
             instance identity document signatures\" that are called RSA-2048",
        ));
    }
    let window = parsed.number::<u64>("identity-window")?.unwrap_or(3600);
    Ok(Gate::new(
        rules,
        methods,
        certificates,
        window,
        &authority.secret(),
    ))
}

fn usage(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, text)
}

/// Hosts believe one authority. A controller that shares a store with others has theirs, or none of the
/// hosts would speak to it.
fn same_authority(store: &dyn Store, pin: &str, data: &Path) -> Result<()> {
    if store.authority(pin)? == pin {
        return Ok(());
    }
    Err(Error::host(format!(
        "the hosts of this store believe another authority than the one in {}",
        data.display()
    ))
    .hint("copy ca.key, ca.der and admin.json from the data folder of a controller that uses this store"))
}

/// Makes the first operator, and writes down where and how to reach this server; says how operators
/// find that.
fn first_admin(store: &dyn Store, data: &Path, url: &str, pin: &str) -> Result<String> {
    let path = data.join("admin.json");
    let known = Connection::read(&path).ok();
    let is_known = |c: &Connection| Ok(store.operator_of(&digest(&c.token))?.is_some());
    let there = known.as_ref().map_or(Ok(false), is_known)?;
    let taken = store.operators()?.iter().any(|o| o.name == "admin");
    if taken && !there {
        return Ok(format!(
            "{} is not what the `admin` of this store has: bring theirs, or start with --new-admin",
            path.display()
        ));
    }
    let token = match known {
        Some(known) => known.token,
        None => format!("lks-op-{}", hex(&here::random_bytes(32)?)),
    };
    let connection = Connection {
        controller: url.to_string(),
        pin: pin.to_string(),
        token,
    };
    // The file goes first: a kill in between leaves a token that nobody knows yet, for the next start.
    connection.write(&path)?;
    if !there {
        let admin = Operator {
            name: "admin".into(),
            role: Role::Admin,
        };
        store.add_operator(&admin, &digest(&connection.token))?;
    }
    Ok(format!("export LKS_CONTROLLER={}", path.display()))
}
