//! HTTP requests, through reqwest on a runtime of one thread that lives as long as the request.

use super::credentials::Credentials;
use super::redirect::send;
use super::*;
use reqwest::redirect::Policy;
use reqwest::{Client, NoProxy, Proxy};
use std::future::Future;
use std::time::Duration;

/// How often the stop flag is looked at.
const GLANCE: Duration = Duration::from_millis(100);

impl RealHost {
    pub(super) fn request(&self, request: &Request) -> Result<Response> {
        if let Some(path) = file_path(&request.url) {
            return self.file_response(request, &path);
        }
        let client = self.client(request, request.decompress)?;
        on_runtime(async {
            let given = Credentials::unasked(request);
            let first = send(&client, request, &given, &[]).await?;
            let response = match self.credentials_for(request, &head(&first), &given)? {
                Some(asked) => send(&client, request, &asked, &[]).await?,
                None => first,
            };
            collect(response, request).await
        })
    }

    /// A client as the request and the task's environment want it.
    pub(super) fn client(&self, request: &Request, decompress: bool) -> Result<Client> {
        let mut builder = Client::builder()
            .tls_backend_preconfigured(self.tls(request)?)
            .connect_timeout(request.timeout)
            .read_timeout(request.timeout)
            .gzip(decompress)
            .no_proxy()
            .referer(false)
            .redirect(Policy::none());
        if !request
            .headers
            .iter()
            .any(|(n, _)| n.eq_ignore_ascii_case("user-agent"))
        {
            builder = builder.user_agent(concat!("lks/", env!("CARGO_PKG_VERSION")));
        }
        if let Some(socket) = &request.unix_socket {
            builder = builder.unix_socket(self.real(socket, true)?);
        } else if request.use_proxy {
            for proxy in self.proxies()? {
                builder = builder.proxy(proxy);
            }
        }
        builder
            .build()
            .map_err(|e| Error::host("cannot set HTTP up").caused_by(e))
    }

    /// `http_proxy` and its kin, in either case, of the task's environment.
    fn proxies(&self) -> Result<Vec<Proxy>> {
        let var = |name: &str| {
            let found = self.env(name).or_else(|| self.env(&name.to_uppercase()));
            found.filter(|v| !v.is_empty())
        };
        let except = var("no_proxy").and_then(|v| NoProxy::from_string(&v));
        let mut proxies = Vec::new();
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            let Some(url) = var(name) else { continue };
            let proxy = match name {
                "http_proxy" => Proxy::http(&url),
                "https_proxy" => Proxy::https(&url),
                _ => Proxy::all(&url),
            };
            let proxy = proxy.map_err(|e| {
                Error::host(format!("the variable {name} is no URL of a proxy"))
                    .caused_by(e.without_url())
            })?;
            proxies.push(proxy.no_proxy(except.clone()));
        }
        Ok(proxies)
    }

    fn file_response(&self, request: &Request, path: &Path) -> Result<Response> {
        let body = self.read(path)?.ok_or_else(|| no_file(path))?;
        if body.len() as u64 > request.max_body {
            return Err(too_long(request));
        }
        Ok(Response {
            status: 200,
            reason: "OK".to_owned(),
            url: request.url.clone(),
            headers: vec![("content-length".to_owned(), body.len().to_string())],
            body,
        })
    }
}

/// The path of a `file://` URL.
pub(super) fn file_path(url: &str) -> Option<PathBuf> {
    let url = url
        .strip_prefix("file:")
        .and_then(|_| reqwest::Url::parse(url).ok())?;
    url.to_file_path().ok()
}

/// Runs what waits for the network; ends early when the run is stopped.
pub(super) fn on_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::host("cannot set the network up").caused_by(e))?;
    let done = runtime.block_on(async {
        let mut work = std::pin::pin!(work);
        loop {
            match tokio::time::timeout(GLANCE, work.as_mut()).await {
                Ok(done) => return done,
                Err(_) if here::stopped() => {
                    return Err(Error::host("the request was stopped by the user"));
                }
                Err(_) => {}
            }
        }
    });
    // A name that is still being looked up must not keep us.
    runtime.shutdown_background();
    done
}

pub(super) fn timed_out(request: &Request) -> Error {
    Error::host(format!(
        "{} {}: timed out after {} s",
        request.method,
        shown(&request.url),
        request.timeout.as_secs_f64()
    ))
}

pub(super) fn failed(request: &Request, error: reqwest::Error) -> Error {
    if error.is_timeout() && !error.is_connect() {
        return timed_out(request);
    }
    // The URL may hold a password; it is said without.
    let asked = format!("{} {}", request.method, shown(&request.url));
    if is_about_certificates(&error) {
        return Error::host(format!(
            "Error validating the server's certificate: {asked}"
        ))
        .caused_by(error.without_url())
        .hint("trust its authority by `ca_path` or in the host's certificate store");
    }
    Error::host(asked).caused_by(error.without_url())
}

/// Whether TLS did not come about because of who the server says it is.
fn is_about_certificates(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(found) = cause {
        if found.to_string().starts_with("invalid peer certificate") {
            return true;
        }
        cause = found.source();
    }
    false
}

fn too_long(request: &Request) -> Error {
    Error::host(format!(
        "{}: the answer is longer than {} bytes",
        shown(&request.url),
        request.max_body
    ))
}

/// A URL without the credentials that may be in it.
pub(super) fn shown(url: &str) -> String {
    let url = unsigned(url);
    match reqwest::Url::parse(url) {
        Ok(mut parsed) if !parsed.username().is_empty() || parsed.password().is_some() => {
            // Both fail only for URLs that cannot have them.
            let _ = parsed.set_username("");
            let _ = parsed.set_password(None);
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}

/// The head of an answer.
pub(super) fn head(answer: &reqwest::Response) -> Response {
    let status = answer.status();
    let headers = answer.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Response {
        status: status.as_u16(),
        reason: status.canonical_reason().unwrap_or("").to_owned(),
        url: shown(answer.url().as_str()),
        headers: headers.collect(),
        body: Vec::new(),
    }
}

async fn collect(mut answer: reqwest::Response, request: &Request) -> Result<Response> {
    let mut response = head(&answer);
    while let Some(piece) = answer.chunk().await.map_err(|e| failed(request, e))? {
        if (response.body.len() + piece.len()) as u64 > request.max_body {
            return Err(too_long(request));
        }
        response.body.extend_from_slice(&piece);
    }
    Ok(response)
}
