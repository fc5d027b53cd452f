//! `bootstrap`: user-data with which a new host configures itself.

use super::connection::Connection;
use crate::bootstrap::{Bootstrap, Form, Join};
use crate::bundle::SigningKey;
use lks_agent::cli::{Args, Command, Complete, Flag, exit};
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::here;
use lks_agent::host::{Digest, digest_of};
use serde_json::{Value, json};
use std::path::Path;

pub(super) const BOOTSTRAP: Command = Command {
    name: "bootstrap",
    called_as: None,
    summary: "Print user-data with which a new host installs the agent and enrols",
    details: "Instances of EC2 join by their role where the controller was told whom to let in (`serve --allow`); \
otherwise there is a join token in it, which lets one host in, once. The script runs what it fetched only if \
its SHA-256 is the one given, and may run at every boot.\n",
    args: Args::NONE,
    flags: FLAGS,
    body: |call, io| {
        let value = |name: &str| call.parsed.value(name);
        let known = Connection::known()?;
        let sha256 = match (value("sha256"), value("agent")) {
            (Some(sum), _) => sum.to_ascii_lowercase(),
            (None, Some(file)) => digest_of(&needed(file)?, Digest::Sha256),
            (None, None) => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    "which agent? --agent FILE, or --sha256 DIGEST",
                ));
            }
        };
        let bundle_keys = match value("bundle-keys") {
            Some(file) => String::from_utf8_lossy(&needed(file)?).into_owned(),
            None => SigningKey::read(&SigningKey::default_path())?.public(),
        };
        let mut bootstrap = Bootstrap {
            urls: call.parsed.values("agent-url"),
            sha256,
            controller: value("controller").unwrap_or(&known.controller).to_string(),
            pin: known.pin.clone(),
            join: Join::Token(format!("{}00", lks_agent::uplink::wire::TOKEN_PREFIX)),
            name: value("host").map(String::from),
            bundle_keys,
        };
        let form = match value("format") {
            Some("mime") => Form::Mime,
            _ => Form::Shell,
        };
        let client = known.client()?;
        let join = match value("join") {
            Some(named) => named,
            // What the controller takes from instances of EC2.
            None if client.post("/v1/enrol/challenge", &())?.status == 200 => "iam",
            None => "token",
        };
        match join {
            "iam" => bootstrap.join = Join::Iam,
            "iid" => bootstrap.join = Join::Document,
            _ => {
                // A token is made for user-data that can be made, and for no other.
                bootstrap.render(form)?;
                let asked = json!({
                    "host": value("host").unwrap_or_default(),
                    "lifetime": call.parsed.number::<u64>("expires")?.unwrap_or(3600),
                });
                let made: Value = client.post("/v1/tokens", &asked)?.json()?;
                bootstrap.join =
                    Join::Token(made["token"].as_str().unwrap_or_default().to_string());
            }
        }
        io.print(&bootstrap.render(form)?);
        Ok(exit::OK)
    },
};

static FLAGS: &[Flag] = &[
    Flag::many(
        &["agent-url"],
        "URL",
        "Where the host fetches the agent, several are tried in order: https://…, s3://BUCKET/KEY (by the \
instance's role), or `controller`, which serves the ones of `serve --agent`.",
    ),
    Flag::one(
        &["join"],
        "METHOD",
        "How the host joins: iam (its role's signature), iid (its identity document), token. If not given: \
iam if the controller takes it, else a token.",
    )
    .words(&["iam", "iid", "token"]),
    Flag::one(&["agent"], "FILE", "The agent, to take its SHA-256.").complete(Complete::File),
    Flag::one(&["sha256"], "DIGEST", "The agent's SHA-256."),
    Flag::one(
        &["controller"],
        "URL",
        "The controller's address as hosts see it. The known one if not given.",
    ),
    Flag::one(
        &["host"],
        "NAME",
        "The host's name. Its name in the network if not given.",
    ),
    Flag::one(
        &["bundle-keys"],
        "FILE",
        "Public keys that sign bundles. The own one if not given.",
    )
    .complete(Complete::File),
    Flag::one(
        &["expires"],
        "SECONDS",
        "How long the join token can be used. An hour if not given.",
    ),
    Flag::one(
        &["format"],
        "FORM",
        "A script for the first boot, or MIME parts for every boot.",
    )
    .words(&["shell", "mime"]),
];

fn needed(file: &str) -> Result<Vec<u8>> {
    here::read(Path::new(file))?
        .ok_or_else(|| Error::new(ErrorKind::Usage, format!("{file} does not exist")))
}
