//! Who signs: the credentials that a host has, looked for in the order of AWS's SDKs ("Standardized
//! credential providers" in their reference guide), but for files of people's homes.

use super::imds::Imds;
use crate::error::{Error, Result};
use crate::host::{HostView, Redirects, Request, here};
use crate::module::time::days_of;
use crate::secret::Secret;
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;

/// Where a container asks on ECS.
const CONTAINER: &str = "http://169.254.170.2";
/// Servers that a container may be told to ask over plain HTTP: ECS's, EKS's (both families), itself.
const PLAIN: [&str; 6] = [
    "169.254.170.2",
    "169.254.170.23",
    "[fd00:ec2::23]",
    "127.0.0.1",
    "localhost",
    "[::1]",
];
/// A host that has been up for fewer seconds may not have its role yet.
const YOUNG: f64 = 180.0;
/// How long it is waited for then, in seconds.
const AWAIT_ROLE: f64 = 15.0;
/// Credentials are renewed when they have fewer seconds left.
const MARGIN: f64 = 300.0;

/// What signs requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The access key's id.
    pub key: String,
    /// The access key.
    pub secret: Secret<String>,
    /// What goes with keys that expire.
    pub token: Option<Secret<String>>,
    /// When they expire, in whole seconds since 1970; `None`: they do not.
    pub expires: Option<i64>,
}

impl Credentials {
    /// Whether they are good for some minutes more.
    #[must_use]
    pub fn fresh(&self, now: f64) -> bool {
        self.expires.is_none_or(|end| end as f64 - now > MARGIN)
    }
}

/// As both the metadata service and containers' endpoints write them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    access_key_id: String,
    secret_access_key: Secreted,
    token: Option<Secreted>,
    expiration: Option<String>,
}

/// A secret as it is read.
#[derive(Deserialize)]
struct Secreted(String);

/// The credentials of a host: its environment's, its container's, its instance's.
///
/// # Errors
/// When it has none; the error says what is missing.
pub fn credentials(host: &dyn HostView, imds: &Imds<'_>) -> Result<Credentials> {
    let var = |name: &str| host.env(name).filter(|v| !v.is_empty());
    if let (Some(key), Some(secret)) = (var("AWS_ACCESS_KEY_ID"), var("AWS_SECRET_ACCESS_KEY")) {
        return Ok(Credentials {
            key,
            secret: Secret::new(secret),
            token: var("AWS_SESSION_TOKEN").map(Secret::new),
            expires: None,
        });
    }
    if let Some(url) = container(host)? {
        return of_container(host, &url);
    }
    of_instance(host, imds).map_err(|e| {
        e.context("no credentials for AWS").hint(
            "give the instance a role (an instance profile), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    })
}

/// The address that gives a container its credentials.
fn container(host: &dyn HostView) -> Result<Option<String>> {
    let var = |name: &str| host.env(name).filter(|v| !v.is_empty());
    if let Some(path) = var("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        return Ok(Some(format!(
            "{CONTAINER}/{}",
            path.trim_start_matches('/')
        )));
    }
    let Some(url) = var("AWS_CONTAINER_CREDENTIALS_FULL_URI") else {
        return Ok(None);
    };
    let name = url.strip_prefix("http://").unwrap_or_default();
    let name = name.split(['/', '?']).next().unwrap_or_default();
    let name = match name.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => name,
    };
    if url.starts_with("https://") || PLAIN.contains(&name) {
        return Ok(Some(url));
    }
    Err(Error::host(format!(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI names {url}, which is neither HTTPS nor this host"
    )))
}

fn of_container(host: &dyn HostView, url: &str) -> Result<Credentials> {
    let mut request = Request::new("GET", url);
    request.timeout = Duration::from_secs(2);
    request.use_proxy = false;
    request.redirects = Redirects::None;
    request.max_body = 1 << 20;
    let token = match host.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(path) => host
            .read(Path::new(&path))?
            .map(|b| String::from_utf8_lossy(&b).trim().to_owned()),
        None => host.env("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    };
    request
        .headers
        .extend(token.map(|t| ("Authorization".to_owned(), t)));
    let answer = host.fetch(&request)?;
    match answer.status {
        200 => read(&answer.body),
        status => Err(Error::host(format!(
            "the container's credentials: status {status} from {url}"
        ))),
    }
}

fn of_instance(host: &dyn HostView, imds: &Imds<'_>) -> Result<Credentials> {
    const ROLES: &str = "meta-data/iam/security-credentials/";
    let begun = here::monotonic();
    loop {
        let role = imds.get(ROLES)?.unwrap_or_default();
        let role = role.lines().next().unwrap_or_default().trim();
        let found = match role {
            "" => None,
            role => imds.get(&format!("{ROLES}{role}"))?,
        };
        if let Some(text) = found {
            return read(text.as_bytes());
        }
        if !young(host) || here::monotonic() - begun > AWAIT_ROLE || here::stopped() {
            return Err(Error::host("the instance has no role"));
        }
        here::sleep(1.0);
    }
}

/// Whether the host started a moment ago.
fn young(host: &dyn HostView) -> bool {
    let text = host.read(Path::new("/proc/uptime")).ok().flatten();
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    let seconds = text.split_whitespace().next().and_then(|w| w.parse().ok());
    seconds.is_some_and(|s: f64| s < YOUNG)
}

fn read(json: &[u8]) -> Result<Credentials> {
    // The parser's words may quote what it read: they are not passed on.
    let written: Written = serde_json::from_slice(json)
        .map_err(|_| Error::host("the credentials that came are none"))?;
    Ok(Credentials {
        key: written.access_key_id,
        secret: Secret::new(written.secret_access_key.0),
        token: written.token.map(|t| Secret::new(t.0)),
        expires: written.expiration.as_deref().and_then(seconds),
    })
}

/// Seconds since 1970 of `2026-11-30T08:49:37Z`.
#[must_use]
pub fn seconds(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (date, clock) = (text.get(..10)?, text.get(11..19)?);
    let shaped = date.as_bytes()[4] == b'-' && clock.as_bytes()[2] == b':' && text.ends_with('Z');
    let days = days_of(number(0, 4)?, number(5, 7)? as u32, number(8, 10)? as u32);
    let of_day = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    shaped.then_some(days * 86_400 + of_day)
}
