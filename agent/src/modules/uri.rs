//! `uri`.

use crate::choices;
use crate::error::{Error, Result};
use crate::host::{Content, Effect, Outcome, Redirects, Request, Response};
use crate::module::attrs::{FileAttrs, add_path_info, shown};
use crate::module::content::{FileWrite, WriteParams, texts};
use crate::module::http::{
    HttpParams, Login, disposition_name, file_body, form, has_header, join_url, masked, message,
    unquote, url_name,
};
use crate::module::multipart::multipart;
use crate::module::text::{Coding, json};
use crate::module::{HostPath, Module, Plan, PlanCx, Returns, Rule};
use crate::params;
use crate::secret::Secret;
use crate::value::{Key, Map, Value};
use std::path::PathBuf;

choices! {
    /// How the body is written.
    pub enum BodyFormat {
        Raw = "raw", Json = "json", Form = "form-urlencoded", Multipart = "form-multipart",
    }
}

choices! {
    /// Which redirects are followed.
    pub enum Follow {
        Safe = "safe", All = "all" | "yes", None = "none" | "no", Urllib2 = "urllib2",
    }
}

params! {
    /// Asks a web service, and gives back what it answers.
    ///
    /// Check mode really asks with GET, HEAD and OPTIONS, which only read; other methods are not sent,
    /// and their answer is unknown.
    ///
    /// ```yaml
    /// - uri:
    ///     url: http://localhost:11434/api/tags
    ///     return_content: true
    ///   register: tags
    ///
    /// - uri:
    ///     url: http://localhost:11434/api/pull
    ///     method: POST
    ///     body_format: json
    ///     body:
    ///       model: tinyllama
    ///     status_code: [200, 202]
    ///     timeout: 600
    /// ```
    pub struct Uri {
        /// The URL.
        required url: String,
        /// The method.
        default("GET".to_owned()) method: String,
        /// The body: text, or a mapping or list that `body_format` writes.
        optional body: Option<Value>,
        /// How the body is written, and what `Content-Type` says.
        default(BodyFormat::Raw) body_format: BodyFormat,
        /// A file that is the body: beside the playbook, or on the host with `remote_src`.
        optional src: Option<HostPath>,
        /// Whether `src` is on the host.
        default(false) remote_src: bool,
        /// A file or directory for the answer's body.
        optional dest: Option<HostPath>,
        /// Return the body as `content`. It is read anyway if it is JSON.
        default(false) return_content: bool,
        /// Which statuses mean success.
        default(vec![200]) status_code: Vec<i64>,
        /// Which redirects are followed: `safe` means those of GET and HEAD.
        default(Follow::Safe) follow_redirects: Follow,
        /// Ask nothing if this path exists.
        optional creates: Option<HostPath>,
        /// Ask nothing if this path does not exist.
        optional removes: Option<HostPath>,
        /// Seconds to wait for the server.
        default(30) timeout: u64,
        /// A socket on the host to talk through.
        optional unix_socket: Option<HostPath>,
        /// PEM file with more certificates to trust.
        optional ca_path: Option<HostPath>,
        /// Name to log in with.
        optional url_username | "user": Option<String>,
        /// Password to log in with.
        optional url_password | "password": Option<Secret<String>>,
        flatten http: HttpParams,
        flatten attrs: FileAttrs,
    }
    rules [Rule::Exclusive(&["body", "src"])]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("status", "HTTP status; -1 if no answer came."),
    ("url", "The URL that answered."),
    ("redirected", "Whether it is another one than was asked."),
    ("msg", "The answer in words."),
    ("content", "The body, with `return_content`."),
    ("json", "The body, if it is JSON."),
    ("elapsed", "Seconds until the answer."),
    ("cookies", "Cookies by name."),
    ("cookies_string", "Cookies as a `Cookie` header has them."),
    ("location", "Where a redirect leads."),
    ("path", "Path of the file with the body."),
    (
        "content_type",
        "This header, like every other, with underscores for dashes.",
    ),
];

impl Module for Uri {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        if let Some(reason) = self.skips(cx)? {
            let mut returns = Returns::default();
            returns.set("stdout", reason).changed = Some(false);
            return Ok(Plan::returning(returns));
        }
        let method = self.method.to_ascii_uppercase();
        if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Error::params(
                "Parameter 'method' needs to be a single word in uppercase, like GET or POST.",
            ));
        }
        let started = cx.host.now();
        if self.asks_only() {
            return match cx.host.fetch(&self.request(cx, &method)?) {
                Ok(response) => self.answered(cx, &response, started),
                Err(error) if error.is_unknown() => Err(error),
                Err(error) => {
                    let mut plan = Plan::returning(self.unanswered());
                    let mut why = format!("Request failed: {}", error.message());
                    for advice in error.hints() {
                        why.push_str(&format!(" ({advice})"));
                    }
                    plan.returns.fail(self.unwanted(-1, &why));
                    Ok(plan)
                }
            };
        }
        match cx.outcomes.first() {
            None => {
                let mut plan = Plan::returning(self.unanswered());
                plan.act(Effect::Http(Box::new(self.request(cx, &method)?)));
                plan.more = true;
                Ok(plan)
            }
            Some(Outcome::Responded(response)) => {
                let mut plan = self.answered(cx, response, started)?;
                plan.more = false;
                Ok(plan)
            }
            // Not sent: check mode. Without a file to write, nothing changes on the host.
            Some(_) if self.dest.is_none() => {
                let changed = Some(false);
                Ok(Plan::returning(Returns {
                    changed,
                    ..Returns::default()
                }))
            }
            Some(_) => Err(self.not_sent()),
        }
    }

    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        if !self.asks_only() && matches!(outcomes.first(), Some(Outcome::Remembered)) {
            return Err(self.not_sent());
        }
        match returns
            .values
            .get("path")
            .and_then(Value::as_str)
            .map(PathBuf::from)
        {
            Some(path) => add_path_info(cx.host, &path, returns),
            None => Ok(()),
        }
    }

    fn only_reads(&self) -> bool {
        self.dest.is_none() && self.asks_only()
    }
}

impl Uri {
    /// Whether the method is one that only reads.
    fn asks_only(&self) -> bool {
        let method = self.method.to_ascii_uppercase();
        matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    fn not_sent(&self) -> Error {
        let method = self.method.to_ascii_uppercase();
        Error::unknown(format!(
            "{method} is not sent in check mode, so its answer is not known"
        ))
    }

    /// Why nothing is asked.
    fn skips(&self, cx: &PlanCx<'_>) -> Result<Option<String>> {
        if let Some(path) = &self.creates {
            let path = path.expand(cx.host)?;
            if cx.host.stat(&path)?.is_some() {
                return Ok(Some(format!("skipped, since '{}' exists", shown(&path))));
            }
        }
        if let Some(path) = &self.removes {
            let path = path.expand(cx.host)?;
            if cx.host.stat(&path)?.is_none() {
                return Ok(Some(format!(
                    "skipped, since '{}' does not exist",
                    shown(&path)
                )));
            }
        }
        Ok(None)
    }

    fn request(&self, cx: &PlanCx<'_>, method: &str) -> Result<Request> {
        let login = Login {
            user: self.url_username.clone(),
            password: self.url_password.clone(),
        };
        let mut request = self
            .http
            .request(cx.host, method, &self.url, &login, self.timeout)?;
        request.redirects = match self.follow_redirects {
            Follow::Safe => Redirects::Safe,
            Follow::All | Follow::Urllib2 => Redirects::All,
            Follow::None => Redirects::None,
        };
        request.ca_path = self
            .ca_path
            .as_ref()
            .map(|p| p.expand(cx.host))
            .transpose()?;
        request.unix_socket = self
            .unix_socket
            .as_ref()
            .map(|p| p.expand(cx.host))
            .transpose()?;
        let (body, kind) = self.body(cx)?;
        request.body = body;
        let always = self.body_format == BodyFormat::Multipart;
        if let Some(kind) = kind
            && (always || !has_header(&request.headers, "content-type"))
        {
            request
                .headers
                .retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
            request.headers.push(("Content-Type".into(), kind));
        }
        Ok(request)
    }

    /// The body's bytes, and their type where the format says it.
    fn body(&self, cx: &PlanCx<'_>) -> Result<(Option<Vec<u8>>, Option<String>)> {
        if let Some(src) = &self.src {
            let path = if self.remote_src {
                src.expand(cx.host)?
            } else {
                PathBuf::from(&src.0)
            };
            let body = file_body(cx.host, &path, self.remote_src)?;
            let kind = match self.body_format {
                BodyFormat::Json => "application/json",
                _ => "application/x-www-form-urlencoded",
            };
            return Ok((Some(body), Some(kind.into())));
        }
        let Some(body) = &self.body else {
            // Ansible sends `null` where JSON is asked for and nothing is given.
            return Ok(match self.body_format {
                BodyFormat::Json => (Some(b"null".to_vec()), Some("application/json".into())),
                _ => (None, None),
            });
        };
        let form_type = || Some("application/x-www-form-urlencoded".to_owned());
        Ok(match self.body_format {
            BodyFormat::Json => {
                let text = body.as_str().map_or_else(|| json(body), str::to_owned);
                (Some(text.into_bytes()), Some("application/json".into()))
            }
            BodyFormat::Form => (Some(form(body)?.into_bytes()), form_type()),
            BodyFormat::Multipart => {
                let (kind, body) = multipart(cx.host, body)?;
                (Some(body), Some(kind))
            }
            BodyFormat::Raw => {
                let text = match body {
                    Value::Map(_) | Value::List(_) => json(body),
                    other => <String as crate::module::Param>::from_value(other)?,
                };
                (Some(text.into_bytes()), form_type())
            }
        })
    }

    /// What is returned when no answer came.
    fn unanswered(&self) -> Returns {
        Returns::default()
            .with("status", -1)
            .with("url", masked(&self.url))
            .with("redirected", false)
            .with("elapsed", 0)
    }

    fn unwanted(&self, status: i64, why: &str) -> String {
        let wanted: Vec<String> = self.status_code.iter().map(i64::to_string).collect();
        format!(
            "Status code was {status} and not [{}]: {why}",
            wanted.join(", ")
        )
    }

    /// The plan once the server has answered: the values, and the file for the body.
    fn answered(&self, cx: &PlanCx<'_>, response: &Response, started: f64) -> Result<Plan> {
        let mut plan = Plan::default();
        let status = i64::from(response.status);
        let wanted = self.status_code.contains(&status);
        plan.returns = self.values(response, wanted, (cx.host.now() - started).max(0.0) as i64);
        plan.returns.changed = Some(false);
        if let Some(dest) = &self.dest {
            let mut path = dest.expand(cx.host)?;
            if cx.host.stat(&path)?.is_some_and(|s| s.is_dir()) {
                let from_url = || Some(unquote(&url_name(response.url.trim_end_matches('/'))));
                let name = disposition_name(response).or_else(from_url);
                path.push(
                    name.filter(|n| !n.is_empty())
                        .unwrap_or_else(|| "index.html".into()),
                );
            }
            plan.returns.set("path", shown(&path));
            if wanted && response.status != 304 {
                self.keep(cx, &mut plan, &path, response)?;
                plan.returns.changed = None;
            }
        }
        Ok(plan)
    }

    /// Writes the body to a file if it differs.
    fn keep(
        &self,
        cx: &PlanCx<'_>,
        plan: &mut Plan,
        path: &std::path::Path,
        response: &Response,
    ) -> Result<()> {
        let write = WriteParams {
            backup: false,
            validate: None,
        };
        let file = FileWrite::edit(cx, path, &self.attrs, &write)?;
        let before = cx.host.read(path)?;
        if before.as_ref() == Some(&response.body) {
            file.attributes(plan)?;
        } else {
            let texts = texts(cx, before.as_deref(), &response.body);
            file.write(plan, Content::Bytes(response.body.clone()), texts)?;
        }
        Ok(())
    }

    /// What Ansible returns of an answer.
    fn values(&self, response: &Response, wanted: bool, elapsed: i64) -> Returns {
        let mut returns = Returns::default();
        for (name, value) in joined(&response.headers) {
            returns.set(&name.replace('-', "_").to_ascii_lowercase(), value);
        }
        let (cookies, cookies_string) = cookies(&response.headers);
        let url = masked(&response.url);
        let text = message(response, Some(response.body.len() as u64));
        if let Some(location) = response.header("location") {
            returns.set("location", join_url(&response.url, location));
        }
        returns
            .set("redirected", url != masked(&self.url))
            .set("url", url)
            .set("status", u32::from(response.status))
            .set("cookies", cookies)
            .set("cookies_string", cookies_string)
            .set("elapsed", elapsed)
            .set("msg", text.clone());
        let kind = response
            .header("content-type")
            .unwrap_or("application/octet-stream");
        let is_json = is_json(kind);
        if is_json || self.return_content || !wanted {
            let content = decode(kind, &response.body);
            if is_json && let Ok(json) = serde_json::from_str::<serde_json::Value>(&content) {
                returns.set("json", Value::from(json));
            }
            if self.return_content {
                returns.set("content", content);
            }
        }
        if !wanted {
            returns.fail(self.unwanted(i64::from(response.status), &text));
        }
        returns
    }
}

/// Headers with the values of repeated ones joined by commas.
fn joined(headers: &[(String, String)]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for (name, value) in headers {
        match out.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some((_, all)) => *all = format!("{all}, {value}"),
            None => out.push((name.clone(), value.clone())),
        }
    }
    out
}

/// Cookies as a mapping and as the text of a `Cookie` header.
fn cookies(headers: &[(String, String)]) -> (Map, String) {
    let mut map = Map::new();
    for (_, value) in headers
        .iter()
        .filter(|(n, _)| n.eq_ignore_ascii_case("set-cookie"))
    {
        let pair = value.split(';').next().unwrap_or_default();
        if let Some((name, value)) = pair.split_once('=') {
            map.insert(Key::from(name.trim()), Value::from(value.trim()));
        }
    }
    let pairs: Vec<String> = map
        .iter()
        .map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default()))
        .collect();
    (map, pairs.join("; "))
}

/// Whether a content type promises JSON: `application/json`, `application/problem+json`.
fn is_json(kind: &str) -> bool {
    let kind = kind.split([';', ',']).next().unwrap_or_default().trim();
    let sub = kind.split('/').nth(1).unwrap_or_default();
    let sub = sub.split_once('+').map_or(sub, |(_, suffix)| suffix);
    matches!(sub.to_ascii_lowercase().as_str(), "json" | "javascript")
}

/// The body as text, by the `charset` of its type.
fn decode(kind: &str, body: &[u8]) -> String {
    let charset = kind
        .split(';')
        .find_map(|part| part.trim().strip_prefix("charset="));
    match charset
        .map(|c| c.trim_matches('"').to_ascii_lowercase())
        .as_deref()
    {
        Some("iso-8859-1" | "latin-1" | "latin1") => Coding::Bytes.decode(body),
        _ => String::from_utf8_lossy(body).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_type() {
        for (kind, want) in [
            ("application/json; charset=utf-8", true),
            ("application/problem+json", true),
            ("text/javascript", true),
            ("text/html", false),
        ] {
            assert_eq!(is_json(kind), want, "{kind}");
        }
    }
}
