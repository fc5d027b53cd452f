//! Parameters and parts of URLs, headers and bodies that modules which speak HTTP share.

use super::attrs::shown;
use super::{HostPath, Param};
use crate::error::{Error, Result};
use crate::host::{HostView, Request, Response};
use crate::params;
use crate::secret::Secret;
use crate::value::{Map, Value};
use std::path::Path;
use std::time::Duration;

params! {
    /// How a server is asked.
    pub struct HttpParams {
        /// Ask for what is not in a cache, and whether or not it is newer.
        default(false) force: bool,
        /// What the request calls itself.
        default("ansible-httpget".to_owned()) http_agent: String,
        /// Use the proxy that the environment names.
        default(true) use_proxy: bool,
        /// Verify the server's certificate.
        default(true) validate_certs: bool,
        /// Send name and password without waiting to be asked.
        default(false) force_basic_auth: bool,
        /// PEM file with the client's certificate, and perhaps its key.
        optional client_cert: Option<HostPath>,
        /// PEM file with the client's key.
        optional client_key: Option<HostPath>,
        /// Log in by Kerberos where the server asks for `Negotiate`: with `url_username` and
        /// `url_password`, or else with the tickets that are there. The host's `python3` needs its
        /// library `gssapi` (Debian: `python3-gssapi`), as it does for Ansible.
        default(false) use_gssapi: bool,
        /// Headers of the request.
        optional headers: Map,
        /// Headers that are not sent on to where a redirect leads. Credentials never are.
        default(Vec::new()) unredirected_headers: Vec<String>,
        /// Unpack an answer that came compressed.
        default(true) decompress: bool,
        /// Names of TLS 1.2 ciphers, as OpenSSL writes them. Only safe ones can be had; those of TLS 1.3
        /// are always offered.
        default(Vec::new()) ciphers: Vec<String>,
        /// Take name and password from `~/.netrc` if none are given.
        default(true) use_netrc: bool,
    }
}

/// Name and password of a task.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// Name.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret<String>>,
}

impl HttpParams {
    /// A request as these parameters want it.
    ///
    /// # Errors
    /// When one of them cannot be had.
    pub fn request(
        &self,
        host: &dyn HostView,
        method: &str,
        url: &str,
        login: &Login,
        timeout: u64,
    ) -> Result<Request> {
        let (url, from_url) = take_login(url);
        let login = match (&login.user, &from_url.user) {
            (Some(_), _) => login.clone(),
            (None, Some(_)) => from_url,
            (None, None) if self.use_netrc => netrc(host, &url)?,
            (None, None) => Login::default(),
        };
        let mut request = Request::new(method, url);
        request.timeout = Duration::from_secs(timeout);
        request.validate_certs = self.validate_certs;
        request.force_basic_auth = self.force_basic_auth;
        request.negotiate = self.use_gssapi;
        request.use_proxy = self.use_proxy;
        request.user = login.user;
        request.password = login.password;
        request.client_cert = self
            .client_cert
            .as_ref()
            .map(|p| p.expand(host))
            .transpose()?;
        request.client_key = self
            .client_key
            .as_ref()
            .map(|p| p.expand(host))
            .transpose()?;
        request.headers = self.request_headers()?;
        request.unredirected.clone_from(&self.unredirected_headers);
        request.decompress = self.decompress;
        request.ciphers.clone_from(&self.ciphers);
        Ok(request)
    }

    fn request_headers(&self) -> Result<Vec<(String, String)>> {
        let mut out = vec![("User-Agent".to_owned(), self.http_agent.clone())];
        if self.force {
            out.push(("Cache-Control".into(), "no-cache".into()));
        }
        for (name, value) in &self.headers {
            let name = name.to_string();
            out.retain(|(n, _)| !n.eq_ignore_ascii_case(&name));
            out.push((name, String::from_value(value)?));
        }
        Ok(out)
    }
}

/// Whether a header is among these.
#[must_use]
pub fn has_header(headers: &[(String, String)], name: &str) -> bool {
    headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
}

/// The parts of a URL that matter here.
struct Parts<'u> {
    scheme: &'u str,
    login: Option<&'u str>,
    place: &'u str,
    path: &'u str,
}

fn parts(url: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (login, place) = match authority.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, authority),
    };
    Some(Parts {
        scheme,
        login,
        place,
        path,
    })
}

/// Takes `user:password@` out of a URL.
fn take_login(url: &str) -> (String, Login) {
    let Some((parts, login)) = parts(url).and_then(|p| p.login.map(|l| (p, l))) else {
        return (url.to_owned(), Login::default());
    };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let plain = format!("{}://{}{}", parts.scheme, parts.place, parts.path);
    let login = Login {
        user: Some(unquote(user)),
        password: Some(Secret::new(unquote(password))),
    };
    (plain, login)
}

/// A URL as it may be shown: without its password.
#[must_use]
pub fn masked(url: &str) -> String {
    let url = crate::host::unsigned(url);
    match parts(url).and_then(|p| p.login.map(|l| (p, l))) {
        Some((parts, login)) if login.contains(':') => {
            let user = login.split(':').next().unwrap_or_default();
            format!(
                "{}://{user}:********@{}{}",
                parts.scheme, parts.place, parts.path
            )
        }
        _ => url.to_owned(),
    }
}

/// The last part of a URL's path; empty if it ends with a slash.
#[must_use]
pub fn url_name(url: &str) -> String {
    let path = parts(url).map_or(url, |p| p.path);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The file name that a server gives in `Content-Disposition`, without any folder.
#[must_use]
pub fn disposition_name(response: &Response) -> Option<String> {
    let header = response.header("content-disposition")?;
    let part = header.split(';').map(str::trim).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("filename")
            .then_some(value.trim())
    })?;
    let name = part
        .trim_matches('"')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    (!name.is_empty() && name != "." && name != "..").then(|| name.to_owned())
}

/// Resolves `%41`.
#[must_use]
pub fn unquote(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = text
            .get(i + 1..i + 3)
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[i], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                i += 3;
            }
            (byte, _) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Writes text as a form field: spaces as `+`, all but letters, digits and `_.-~` as `%41`.
#[must_use]
pub fn quote_plus(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Where a relative link of an answer leads.
#[must_use]
pub fn join_url(base: &str, link: &str) -> String {
    let Some(parts) = parts(base) else {
        return link.to_owned();
    };
    if link.contains("://") {
        link.to_owned()
    } else if let Some(rest) = link.strip_prefix("//") {
        format!("{}://{rest}", parts.scheme)
    } else if link.starts_with('/') {
        format!("{}://{}{link}", parts.scheme, parts.place)
    } else {
        let folder = parts.path.split(['?', '#']).next().unwrap_or_default();
        let folder = &folder[..folder.rfind('/').map_or(0, |i| i + 1)];
        let folder = if folder.is_empty() { "/" } else { folder };
        format!("{}://{}{folder}{link}", parts.scheme, parts.place)
    }
}

/// Name and password for a URL's host from `~/.netrc` (or `$NETRC`).
///
/// # Errors
/// When the file is there and cannot be read.
pub fn netrc(host: &dyn HostView, url: &str) -> Result<Login> {
    let path = match (host.env("NETRC"), host.env("HOME")) {
        (Some(path), _) => path,
        (None, Some(home)) => format!("{home}/.netrc"),
        (None, None) => return Ok(Login::default()),
    };
    let place = parts(url).map_or("", |p| p.place);
    let name = place.split(':').next().unwrap_or_default();
    let bytes = host.read(Path::new(&path))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(netrc_login(&text, name))
}

fn netrc_login(text: &str, wanted: &str) -> Login {
    let (mut login, mut ours) = (Login::default(), false);
    let words: Vec<&str> = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(str::split_whitespace)
        .collect();
    let mut i = 0;
    while i < words.len() {
        let value = words.get(i + 1).copied().unwrap_or_default();
        match words[i] {
            "machine" | "default" if ours => break,
            "machine" => ours = value == wanted,
            "default" => {
                ours = true;
                i += 1;
                continue;
            }
            "login" if ours => login.user = Some(value.to_owned()),
            "password" if ours => login.password = Some(Secret::new(value.to_owned())),
            _ => {}
        }
        i += 2;
    }
    login
}

/// What Ansible says of an answer: `OK (12 bytes)`, `HTTP Error 404: Not Found`.
#[must_use]
pub fn message(response: &Response, length: Option<u64>) -> String {
    if response.status < 300 {
        let length = response
            .header("content-length")
            .map(str::to_owned)
            .or(length.map(|l| l.to_string()))
            .unwrap_or_else(|| "unknown".into());
        format!("OK ({length} bytes)")
    } else {
        format!("HTTP Error {}: {}", response.status, response.reason)
    }
}

/// A path of the playbook's side, or of the host, as a request's body.
///
/// # Errors
/// When it cannot be read.
pub fn file_body(host: &dyn HostView, path: &Path, on_host: bool) -> Result<Vec<u8>> {
    let cannot = || Error::host(format!("Unable to open source file {}", shown(path)));
    if on_host {
        host.read(path)?.ok_or_else(cannot)
    } else {
        host.asset_read(path).map_err(|e| cannot().caused_by(e))
    }
}

/// A mapping or list of pairs as a form. `null` values are left out, lists repeat their key.
///
/// # Errors
/// When a value is no text.
pub fn form(body: &Value) -> Result<String> {
    let mut pairs: Vec<(String, &Value)> = Vec::new();
    match body {
        Value::Map(map) => pairs.extend(map.iter().map(|(k, v)| (k.to_string(), v))),
        Value::List(items) => {
            for item in items.iter() {
                match item.as_list() {
                    Some([key, value]) => pairs.push((String::from_value(key)?, value)),
                    _ => return Err(Error::params("expected pairs of name and value")),
                }
            }
        }
        other => return String::from_value(other),
    }
    let mut out = Vec::new();
    for (key, value) in &pairs {
        let single = std::slice::from_ref(*value);
        for value in value.as_list().unwrap_or(single) {
            if !value.is_null() {
                let value = String::from_value(value)?;
                out.push(format!("{}={}", quote_plus(key), quote_plus(&value)));
            }
        }
    }
    Ok(out.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_give_their_name_and_hide_their_password() {
        assert_eq!(url_name("https://h/a/b.tgz?x=/y"), "b.tgz");
        assert_eq!(url_name("https://h/a/"), "");
        assert_eq!(masked("http://u:p@h:80/x"), "http://u:********@h:80/x");
        let (url, login) = take_login("http://u:p%40@h/x");
        assert_eq!(
            (url.as_str(), login.user.as_deref()),
            ("http://h/x", Some("u"))
        );
        assert_eq!(login.password.unwrap().reveal(), "p@");
        assert_eq!(join_url("http://h/a/b?c", "d"), "http://h/a/d");
        assert_eq!(join_url("http://h/a/b", "/d"), "http://h/d");
    }

    #[test]
    fn forms_are_written_as_browsers_write_them() {
        let body = Value::from(serde_json::json!({"a b": "x&y", "n": [1, 2], "no": null}));
        assert_eq!(form(&body).unwrap(), "a+b=x%26y&n=1&n=2");
    }

    #[test]
    fn netrc_is_read_for_the_host_that_is_asked() {
        let text = "machine a login x password 1\nmachine b login y password 2\ndefault login z password 3";
        for (host, want) in [("a", "x"), ("b", "y"), ("c", "z")] {
            assert_eq!(netrc_login(text, host).user.as_deref(), Some(want));
        }
    }

    #[test]
    fn a_name_from_the_server_never_has_a_folder() {
        let response = |value: &str| Response {
            headers: vec![("content-disposition".into(), value.into())],
            ..Response::default()
        };
        for (value, want) in [
            ("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
            ("attachment; filename=a.tgz", Some("a.tgz")),
            ("attachment; filename=..", None),
            ("inline", None),
        ] {
            assert_eq!(
                disposition_name(&response(value)).as_deref(),
                want,
                "{value}"
            );
        }
    }
}
