//! The lookup `url`.

use super::super::access;
use super::super::fault::{Fault, Res};
use super::super::outside::Fetch;
use super::super::text;
use super::super::val::Val;
use super::{Look, Lookup};
use crate::secret::Secret;
use std::path::PathBuf;

pub(super) static TABLE: &[Lookup] = &[Lookup::new(
    "url",
    &[
        "validate_certs",
        "split_lines",
        "use_proxy",
        "username",
        "password",
        "headers",
        "force",
        "timeout",
        "http_agent",
        "force_basic_auth",
        "follow_redirects",
        "use_gssapi",
        "use_netrc",
        "unix_socket",
        "ca_path",
        "unredirected_headers",
        "ciphers",
    ],
    "What is at an address.",
    url,
)];

/// Options that variables and the environment may set, and the last part of their names there.
const OUTER: &[(&str, &str)] = &[
    ("force", "force"),
    ("timeout", "timeout"),
    ("http_agent", "agent"),
    ("force_basic_auth", "force_basic_auth"),
    ("follow_redirects", "follow_redirects"),
    ("use_gssapi", "use_gssapi"),
    ("use_netrc", "use_netrc"),
    ("unix_socket", "unix_socket"),
    ("ca_path", "ca_path"),
    ("unredirected_headers", "unredir_headers"),
    ("ciphers", "ciphers"),
];

/// The lookup with the options that variables (first) and the environment set.
fn with_outer<'c, 't>(l: &Look<'c, 't>) -> Res<Look<'c, 't>> {
    let mut look = l.copy();
    for (option, name) in OUTER {
        if look.option(option).is_some() {
            continue;
        }
        let variable = format!("ansible_lookup_url_{name}");
        let value = match l.ctx.variable(&variable.as_str().into()) {
            Some(value) => Some(value.usable()?.clone()),
            None => l.ctx.outside().env(&variable.to_uppercase()).map(Val::from),
        };
        if let Some(value) = value {
            look.set(option, value);
        }
    }
    Ok(look)
}

fn url(l: &Look) -> Res<Vec<Val>> {
    let l = &with_outer(l)?;
    let split = l.flag("split_lines", true)?;
    let mut out = Vec::new();
    for url in l.texts()? {
        let body = l.ctx.outside().fetch(&fetch(l, url)?)?;
        let body = String::from_utf8_lossy(&body);
        if split {
            out.extend(body.lines().map(Val::from));
        } else {
            out.push(Val::from(&*body));
        }
    }
    Ok(out)
}

fn fetch(l: &Look, url: String) -> Res<Fetch> {
    let some = |name: &str| -> Res<Option<String>> {
        let text = l.text_option(name, "")?;
        Ok(Some(text).filter(|t| !t.is_empty()))
    };
    for option in ["ciphers", "unredirected_headers"] {
        let empty = match l.option(option) {
            None | Some(Val::Null) => true,
            Some(value) => access::length(l.ctx, value)? == 0,
        };
        if !empty {
            return Err(
                Fault::error(format!("the option `{option}` is not supported")).hint(
                    match option {
                        "ciphers" => "the ciphers of TLS 1.2 and 1.3 that are safe are always used",
                        _ => "credentials are never sent to another host",
                    },
                ),
            );
        }
    }
    let mut headers = vec![(
        "User-Agent".to_owned(),
        l.text_option("http_agent", "ansible-httpget")?,
    )];
    if l.flag("force", false)? {
        headers.push(("Cache-Control".into(), "no-cache".into()));
    }
    if let Some(given) = l.option("headers").filter(|v| !matches!(v, Val::Null)) {
        let Some(given) = access::entries(l.ctx, given)? else {
            return Err(Fault::error("`headers` must be a dict"));
        };
        for (name, value) in given {
            let name = name.to_string();
            headers.retain(|(n, _)| !n.eq_ignore_ascii_case(&name));
            headers.push((name, text::to_text(l.ctx, &value)?));
        }
    }
    let timeout = l.text_option("timeout", "10")?;
    Ok(Fetch {
        url,
        headers,
        validate_certs: l.flag("validate_certs", true)?,
        use_proxy: l.flag("use_proxy", true)?,
        user: some("username")?,
        password: some("password")?.map(Secret::new),
        force_basic_auth: l.flag("force_basic_auth", false)?,
        negotiate: l.flag("use_gssapi", false)?,
        use_netrc: l.flag("use_netrc", true)?,
        timeout: timeout.trim().parse().map_err(|_| {
            Fault::error(format!(
                "the option 'timeout' has an invalid value: '{timeout}'"
            ))
        })?,
        follow_redirects: match &*l.text_option("follow_redirects", "urllib2")?.to_lowercase() {
            "all" | "yes" | "true" | "urllib2" => Some(true),
            "safe" => None,
            "none" | "no" | "false" => Some(false),
            other => {
                return Err(Fault::error(format!(
                    "the option 'follow_redirects' has an invalid value: '{other}'"
                ))
                .hint("it is all, safe, none or urllib2"));
            }
        },
        unix_socket: some("unix_socket")?.map(PathBuf::from),
        ca_path: some("ca_path")?.map(PathBuf::from),
    })
}
