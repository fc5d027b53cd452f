//! Requests over HTTP and their answers.

use crate::secret::Secret;
use std::path::PathBuf;
use std::time::Duration;

/// An HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    /// For the whole answer's head, and for each pause between bytes of its body.
    pub timeout: Duration,
    pub validate_certs: bool,
    /// PEM file with more certificates to trust.
    pub ca_path: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    /// TLS ciphers by OpenSSL's names; none means all that are safe.
    pub ciphers: Vec<String>,
    pub redirects: Redirects,
    /// Names of headers that are left behind at the first redirect.
    pub unredirected: Vec<String>,
    /// Unpack an answer that says that it is packed by gzip.
    pub decompress: bool,
    pub user: Option<String>,
    pub password: Option<Secret<String>>,
    /// Send the credentials without being asked for them.
    pub force_basic_auth: bool,
    /// Log in by Kerberos where the server asks for `Negotiate`.
    pub negotiate: bool,
    pub use_proxy: bool,
    /// Talk through this socket and not through TCP.
    pub unix_socket: Option<PathBuf>,
    /// Give up past this many bytes of body.
    pub max_body: u64,
    /// The caller's word that it changes nothing, although its method (POST, PUT) may: as for a
    /// [`HostView::query`].
    pub only_reads: bool,
    /// Send it again when the server is too busy.
    pub patience: Option<Patience>,
}

/// How a request is sent again: with growing pauses of random length, while the server cannot be reached
/// or says that it is too busy (429, 500, 502, 503, 504, or one of these words in a refusal). It must be
/// one that may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often it is sent at most.
    pub tries: u32,
    /// Words in the body of a refusal, such as an error's code.
    pub words: Vec<String>,
}

impl Request {
    /// A plain request with a time-out of 30 s.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: None,
            timeout: Duration::from_secs(30),
            validate_certs: true,
            ca_path: None,
            client_cert: None,
            client_key: None,
            ciphers: Vec::new(),
            redirects: Redirects::Safe,
            unredirected: Vec::new(),
            decompress: true,
            user: None,
            password: None,
            force_basic_auth: false,
            negotiate: false,
            use_proxy: true,
            unix_socket: None,
            max_body: 256 << 20,
            only_reads: false,
            patience: None,
        }
    }
}

/// A signed URL (S3, and what speaks like it) without its signature, which opens it to anybody: it is the
/// same thing whenever it was signed.
#[must_use]
pub fn unsigned(url: &str) -> &str {
    match url.split_once('?') {
        Some((bare, query)) if query.contains("X-Amz-Signature=") => bare,
        _ => url,
    }
}

/// Which redirects are followed (`follow_redirects` of Ansible's `uri`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redirects {
    /// All.
    All,
    /// Those of GET and HEAD.
    #[default]
    Safe,
    /// None.
    None,
}

/// An HTTP answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Response {
    pub status: u16,
    /// The reason phrase (`OK`).
    pub reason: String,
    /// The final URL.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}
