//! Who signed a call of `sts:GetCallerIdentity`: STS is asked with the signature that a host made.

use super::{is_instance, refused};
use lks_agent::cloud::{self, Element};
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::{HostView, Patience, Redirects, Request};
use lks_agent::uplink::join::caller as call;
use lks_agent::uplink::wire::{JOIN_HEADER, SignedCaller};
use std::time::Duration;

/// The headers that a signed call has, and no others.
const HEADERS: [&str; 5] = [
    "content-type",
    JOIN_HEADER,
    "x-amz-date",
    "x-amz-security-token",
    "authorization",
];
/// What the signature must cover besides: without the last, it would be good for any join.
const COVERED: [&str; 3] = ["host", "x-amz-date", JOIN_HEADER];

/// An instance, as STS knows it by its role's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    /// The role's name, without its path.
    pub role: String,
    /// The session's name, which EC2 sets to the instance's id.
    pub instance: String,
}

/// Sends a host's signed call to STS, and to nothing else: the address is made of the region alone, the
/// method, path and body are ours.
pub fn ask(signed: &SignedCaller, bond: &str, sts: &dyn HostView) -> Result<Caller> {
    check(signed, bond)?;
    let body = call(bond).body().to_vec();
    let (url, _) = cloud::service::STS.endpoint(sts, &signed.region);
    let mut request = Request::new("POST", format!("{url}/"));
    request.headers.clone_from(&signed.headers);
    request.body = Some(body);
    request.redirects = Redirects::None;
    request.timeout = Duration::from_secs(5);
    request.max_body = 64 << 10;
    request.only_reads = true;
    request.patience = Some(Patience {
        tries: 3,
        words: vec!["Throttling".into()],
    });
    let answer = sts.fetch(&request).map_err(|e| {
        Error::new(ErrorKind::Unreachable, "STS cannot be asked").caused_by(e.message())
    })?;
    match answer.status {
        200 => read(&Element::read(&answer.body)?),
        429 | 500.. => Err(Error::new(
            ErrorKind::Unreachable,
            format!("STS answered with status {}", answer.status),
        )),
        _ => {
            let fault = cloud::judged(&call(bond), answer).err();
            let why = fault.map_or_else(String::new, |e| e.message());
            Err(refused(format!("STS knows no such caller: {why}")))
        }
    }
}

/// What can be seen of a signed call before it is sent.
fn check(signed: &SignedCaller, bond: &str) -> Result<()> {
    if !cloud::service::is_region(&signed.region) {
        return Err(refused("the signed call names no region"));
    }
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in &signed.headers {
        let name = name.to_ascii_lowercase();
        let plain = value.chars().all(|c| (' '..='~').contains(&c));
        if !HEADERS.contains(&name.as_str()) || seen.contains(&name) || !plain {
            return Err(refused(format!(
                "the signed call has a header `{name}` that it must not have"
            )));
        }
        seen.push(name);
    }
    let header = |name: &str| {
        let found = signed
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map_or("", |(_, v)| v.as_str())
    };
    if header(JOIN_HEADER) != bond {
        return Err(refused("the signed call was made for another join"));
    }
    // To the letter: nobody must read another signature out of it than STS does.
    let authorization = header("authorization").strip_prefix(cloud::ALGORITHM);
    let parts: Vec<&str> = authorization
        .unwrap_or_default()
        .trim()
        .split(", ")
        .collect();
    let (scope, covered) = match parts[..] {
        [a, b, c]
            if c.starts_with("Signature=") && !authorization.unwrap_or_default().contains('\t') =>
        {
            (
                a.strip_prefix("Credential="),
                b.strip_prefix("SignedHeaders="),
            )
        }
        _ => (None, None),
    };
    let covered: Vec<&str> = covered.unwrap_or_default().split(';').collect();
    if COVERED.iter().any(|c| !covered.contains(c)) {
        return Err(refused("the signature does not cover the challenge"));
    }
    let scope = scope.unwrap_or_default();
    if !scope.ends_with(&format!("/{}/sts/aws4_request", signed.region)) || scope.contains(' ') {
        return Err(refused("the signature is for another service or region"));
    }
    Ok(())
}

/// `arn:aws:sts::123456789012:assumed-role/ROLE/i-0123456789abcdef0`.
fn read(answer: &Element) -> Result<Caller> {
    let result = answer.child("GetCallerIdentityResult");
    let text = |name: &str| result.map_or("", |r| r.text_at(name));
    let (arn, account) = (text("Arn"), text("Account"));
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let (service, owner, resource) = match parts[..] {
        ["arn", _, service, _, owner, resource] => (service, owner, resource),
        _ => return Err(refused("STS named no caller")),
    };
    if service != "sts" || owner != account {
        return Err(refused(format!("{arn} is no instance's role")));
    }
    match resource.split('/').collect::<Vec<_>>()[..] {
        ["assumed-role", role, session] if is_instance(session) => Ok(Caller {
            account: account.to_owned(),
            role: role.to_owned(),
            instance: session.to_owned(),
        }),
        _ => Err(refused(format!("{arn} is no instance's role"))),
    }
}
