//! `serve`: the server that agents report to.

use super::connection::Connection;
use crate::api::{self, State, digest};
use crate::enrol::Authority;
use crate::store::{Operator, Role, Sqlite, Store};
use lks_agent::cli::{Args, Command, Complete, Flag};
use lks_agent::encoding::hex;
use lks_agent::error::Result;
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
        here::make_dir(&data, 0o700)?;
        let _lock = durable::lock_folder(&data)?;
        let authority = Authority::open(&data)?;
        let pin = authority.pin();
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&data.join("store.sqlite"))?);
        let state = State::new(Arc::clone(&store), authority);
        let mut failed = None;
        let name = names[0].clone();
        api::serve(state, listen, &names, |address| {
            let url = format!("https://{name}:{}", address.port());
            match first_admin(&*store, &data, &url, &pin) {
                Ok(path) => io.print(&format!(
                    "serving at {url} ({address})\npin {pin}\noperators: export LKS_CONTROLLER={}\n",
                    path.display()
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
];

/// Makes the first operator, and writes down where and how to reach this server.
fn first_admin(store: &dyn Store, data: &Path, url: &str, pin: &str) -> Result<PathBuf> {
    let path = data.join("admin.json");
    let token = match Connection::read(&path) {
        Ok(known) if store.operator_of(&digest(&known.token))?.is_some() => known.token,
        _ => {
            let token = format!("lks-op-{}", hex(&here::random_bytes(32)?));
            store.remove_operator("admin")?;
            let admin = Operator {
                name: "admin".into(),
                role: Role::Admin,
            };
            store.add_operator(&admin, &digest(&token))?;
            token
        }
    };
    Connection {
        controller: url.to_string(),
        pin: pin.to_string(),
        token,
    }
    .write(&path)?;
    Ok(path)
}
