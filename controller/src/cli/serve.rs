//! `serve`: the server that agents report to.

use super::connection::Connection;
use crate::api::{self, State, digest};
use crate::enrol::Authority;
use crate::store::{Operator, Postgres, Role, Sqlite, Store};
use lks_agent::cli::{Args, Command, Complete, Flag};
use lks_agent::encoding::hex;
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::here::{self, durable};
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
        here::make_dir(&data, 0o700)?;
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
        let state = State::new(Arc::clone(&store), authority)?;
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
