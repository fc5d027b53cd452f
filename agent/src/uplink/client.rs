//! Requests to the controller. Agents and the command line speak through the same client.

use super::pinned;
use super::wire;
use crate::error::{Error, ErrorKind, Result};
use rustls::CertificateError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A way to one controller. It owns a runtime of one thread: one client for each thread that speaks.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    base: String,
    bearer: Option<String>,
    headers: Vec<(&'static str, String)>,
}

/// What a controller answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// What the controller tells beside it: headers whose names begin with `lks-`.
    pub told: Vec<(String, String)>,
}

impl Answer {
    /// The body as JSON, of an answer that is no refusal.
    ///
    /// # Errors
    /// When the controller refused, or the body is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let body = self.body()?;
        serde_json::from_slice(body)
            .map_err(|e| Error::host("the controller's answer cannot be read").caused_by(e))
    }

    /// What a header of the controller's says.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.told.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body of an answer that is no refusal.
    ///
    /// # Errors
    /// When the controller refused.
    pub fn body(&self) -> Result<&[u8]> {
        if (200..300).contains(&self.status) {
            return Ok(&self.body);
        }
        let why = serde_json::from_slice::<wire::Refusal>(&self.body)
            .map_or_else(|_| format!("status {}", self.status), |r| r.error);
        // Busy, or without its store: another try may find it well.
        let kind = match self.status {
            429 | 502..=504 => ErrorKind::Unreachable,
            _ => ErrorKind::Host,
        };
        Err(Error::new(kind, format!("the controller refused: {why}")))
    }
}

impl Client {
    /// A client of the controller at `base`, whose authority has this pin.
    ///
    /// # Errors
    /// When the address or the pin is none.
    pub fn new(base: &str, pin: &str, own: Option<(&[u8], &[u8])>) -> Result<Self> {
        let usage = |text: String| Error::new(ErrorKind::Usage, text);
        if !base.starts_with("https://") {
            return Err(usage(format!(
                "the controller's address must begin with https://, not `{base}`"
            )));
        }
        if crate::encoding::unhex(pin).is_none_or(|p| p.len() != 32) {
            return Err(usage(format!(
                "`{pin}` is no pin: 64 hex digits are one (`lks-ctl serve` prints it)"
            )));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::host("cannot start a runtime").caused_by(e))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(pinned::tls(pin, own)?)
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(wire::MAX_WAIT + 40))
            .pool_max_idle_per_host(1)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("lks/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Error::host("cannot set HTTP up").caused_by(e))?;
        Ok(Self {
            runtime,
            http,
            base: base.trim_end_matches('/').to_string(),
            bearer: None,
            headers: vec![(wire::HEADER, format!("{}.{}", wire::VERSION, wire::MINOR))],
        })
    }

    /// With an operator's token.
    #[must_use]
    pub fn with_bearer(mut self, token: &str) -> Self {
        self.bearer = Some(token.to_string());
        self
    }

    /// With a header of every request, in the place of an earlier one of its name.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self.headers.push((name, value.to_string()));
        self
    }

    /// Asks for something.
    ///
    /// # Errors
    /// Of kind `Unreachable` when no answer came.
    pub fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.http.get(self.url(path)))
    }

    /// Removes something.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn delete(&self, path: &str) -> Result<Answer> {
        self.send(self.http.delete(self.url(path)))
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post<T: Serialize>(&self, path: &str, body: &T) -> Result<Answer> {
        let body = serde_json::to_vec(body)
            .map_err(|e| Error::new(ErrorKind::Internal, "cannot write JSON").caused_by(e))?;
        self.send_bytes(path, body)
    }

    /// Sends bytes as if they were JSON.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn send_bytes(&self, path: &str, body: Vec<u8>) -> Result<Answer> {
        let request = self.http.post(self.url(path));
        self.send(
            request
                .header("content-type", "application/json")
                .body(body),
        )
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn put(&self, path: &str, body: Vec<u8>) -> Result<Answer> {
        self.send(self.http.put(self.url(path)).body(body))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer> {
        let headers = self.headers.iter();
        let request = headers.fold(request, |r, (name, value)| r.header(*name, value));
        let request = match &self.bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        self.runtime
            .block_on(async {
                let mut answer = request.send().await?;
                let status = answer.status().as_u16();
                let told = told(answer.headers());
                let mut body = Vec::new();
                while let Some(chunk) = answer.chunk().await? {
                    if body.len() + chunk.len() > crate::bundle::MAX_BUNDLE + (1 << 20) {
                        break;
                    }
                    body.extend_from_slice(&chunk);
                }
                Ok::<_, reqwest::Error>(Answer { status, body, told })
            })
            .map_err(|e| no_answer(&self.base, e.without_url()))
    }
}

/// Why there is no answer, and what to do.
fn no_answer(base: &str, error: reqwest::Error) -> Error {
    let (what, hint) = match refused_certificate(&error) {
        Some(CertificateError::UnknownIssuer) => (
            "another than the pinned controller answers at",
            "its pin is what `lks-ctl serve` printed there",
        ),
        Some(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            "no answer from the controller at",
            "`lks-ctl serve --name NAME` gives it this name, too",
        ),
        None if error.is_connect() => (
            "no answer from the controller at",
            "does `lks-ctl serve` run there, and may this machine reach its port?",
        ),
        _ => ("no answer from the controller at", ""),
    };
    let told = Error::new(ErrorKind::Unreachable, format!("{what} {base}")).caused_by(error);
    if hint.is_empty() {
        told
    } else {
        told.hint(hint)
    }
}

/// What is wrong with the certificate that was shown, if that is it.
fn refused_certificate(error: &reqwest::Error) -> Option<CertificateError> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref::<rustls::Error>()
        {
            return Some(why.clone());
        }
        // TLS speaks through errors of its stream, which do not count what they hold as their source.
        cause = match error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}

fn told(headers: &reqwest::header::HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("lks-"))
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_string())))
        .collect()
}
