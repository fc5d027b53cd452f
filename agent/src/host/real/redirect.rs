//! Redirects followed as Ansible follows them: which are, with what method, and without the headers
//! that must not go there.

use super::credentials::Credentials;
use super::http::{failed, shown, timed_out};
use super::*;
use reqwest::Client;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, Url};

const MAX_REDIRECTS: usize = 10;
/// What another server must not learn.
const CREDENTIALS: [&str; 4] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "www-authenticate",
];

/// What is asked, as it stands after each redirect.
struct Asked {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

/// Sends a request and awaits the head of its answer, redirects followed.
pub(super) async fn send(
    client: &Client,
    request: &Request,
    credentials: &Credentials,
    more: &[(String, String)],
) -> Result<reqwest::Response> {
    let mut asked = Asked::new(request, more)?;
    let mut credentials = Some(credentials);
    for _ in 0..=MAX_REDIRECTS {
        let mut building = client
            .request(asked.method.clone(), asked.url.clone())
            .headers(asked.headers.clone());
        if let Some(credentials) = credentials {
            building = credentials.add_to(building, request);
        }
        if let Some(body) = &asked.body {
            building = building.body(body.clone());
        }
        let answer = match tokio::time::timeout(request.timeout, building.send()).await {
            Ok(answer) => answer.map_err(|e| failed(request, e))?,
            Err(_) => return Err(timed_out(request)),
        };
        let Some(next) = target(request, &asked, &answer) else {
            return Ok(answer);
        };
        if !same_server(&asked.url, &next) {
            credentials = None;
        }
        asked.follow(answer.status().as_u16(), next, &request.unredirected);
    }
    Err(Error::host(format!(
        "{} {}: more than {MAX_REDIRECTS} redirects",
        request.method,
        shown(&request.url)
    )))
}

impl Asked {
    fn new(request: &Request, more: &[(String, String)]) -> Result<Self> {
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| Error::params(format!("`{}` is no HTTP method", request.method)))?;
        let url = Url::parse(&request.url).map_err(|e| {
            Error::params(format!("`{}` is no URL", shown(&request.url))).caused_by(e)
        })?;
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers.iter().chain(more) {
            let bad = || Error::params(format!("`{name}` cannot be a header with this value"));
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|e| bad().caused_by(e))?;
            let value =
                HeaderValue::from_bytes(value.as_bytes()).map_err(|e| bad().caused_by(e))?;
            headers.append(key, value);
        }
        Ok(Self {
            method,
            url,
            headers,
            body: request.body.clone(),
        })
    }

    /// Goes on to another place. What a browser turns into a GET becomes one (RFC 9110, 15.4).
    fn follow(&mut self, status: u16, next: Url, unredirected: &[String]) {
        let becomes_get = match status {
            303 | 302 => self.method != Method::HEAD,
            301 => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = None;
            for name in ["content-length", "content-type", "transfer-encoding"] {
                self.headers.remove(name);
            }
        }
        for name in unredirected {
            self.headers.remove(name.as_str());
        }
        self.headers.remove("host");
        if !same_server(&self.url, &next) {
            CREDENTIALS.iter().for_each(|name| {
                self.headers.remove(*name);
            });
        }
        self.url = next;
    }
}

fn same_server(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Where an answer leads, if it leads anywhere and may be followed.
fn target(request: &Request, asked: &Asked, answer: &reqwest::Response) -> Option<Url> {
    let follows = match request.redirects {
        Redirects::All => true,
        Redirects::Safe => matches!(asked.method, Method::GET | Method::HEAD),
        Redirects::None => false,
    };
    if !follows || !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = answer.headers().get(LOCATION)?;
    let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
    let mut next = asked.url.join(&location).ok()?;
    if next.fragment().is_none() {
        next.set_fragment(asked.url.fragment());
    }
    matches!(next.scheme(), "http" | "https").then_some(next)
}
