//! The instance metadata service, by its second version only ("Use the Instance Metadata Service" in the
//! EC2 user guide): a session's token, and what it opens.

use crate::error::{Error, ErrorKind, Result};
use crate::host::{HostView, Redirects, Request, Response, here};
use crate::secret::Secret;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where the service is.
const ADDRESS: &str = "http://169.254.169.254";
/// Where it is on an instance with IPv6 only.
const ADDRESS_IPV6: &str = "http://[fd00:ec2::254]";
/// How long a token is good for, in seconds: the longest that can be had.
const TOKEN_LIFE: u32 = 21_600;
/// It is one hop away: what does not answer in this time is not there.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is asked when it is not well.
const TRIES: u32 = 4;
/// The first pause between tries, in seconds; each is twice the one before.
const PAUSE: f64 = 0.1;

/// The metadata service of a host.
pub struct Imds<'h> {
    host: &'h dyn HostView,
    base: Result<String, String>,
    token: Mutex<Option<Secret<String>>>,
}

impl<'h> Imds<'h> {
    /// The one that the environment names (`AWS_EC2_METADATA_SERVICE_ENDPOINT`,
    /// `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE`), or EC2's own; none with `AWS_EC2_METADATA_DISABLED`.
    #[must_use]
    pub fn new(host: &'h dyn HostView) -> Self {
        let var = |name: &str| host.env(name).filter(|v| !v.is_empty());
        let is = |name: &str, word: &str| var(name).is_some_and(|v| v.eq_ignore_ascii_case(word));
        let base = if is("AWS_EC2_METADATA_DISABLED", "true") {
            Err("AWS_EC2_METADATA_DISABLED is set".to_owned())
        } else if let Some(url) = var("AWS_EC2_METADATA_SERVICE_ENDPOINT") {
            Ok(url.trim_end_matches('/').to_owned())
        } else if is("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv6") {
            Ok(ADDRESS_IPV6.to_owned())
        } else {
            Ok(ADDRESS.to_owned())
        };
        Self {
            host,
            base,
            token: Mutex::default(),
        }
    }

    /// What is at a path below `/latest/`, such as `meta-data/instance-id`; nothing if it has no such
    /// thing.
    ///
    /// # Errors
    /// Of kind `Unreachable` when the service is not there, otherwise when it refuses.
    pub fn get(&self, path: &str) -> Result<Option<String>> {
        let (mut pause, mut renewed) = (PAUSE, false);
        for attempt in 1.. {
            let answer = match self.token()? {
                Some(token) => {
                    self.ask("GET", path, ("X-aws-ec2-metadata-token", token.reveal()))?
                }
                None => return Err(self.refused(403)),
            };
            match answer.status {
                200 => {
                    return String::from_utf8(answer.body).map(Some).map_err(|e| {
                        Error::host(format!("{path} of the metadata service")).caused_by(e)
                    });
                }
                404 => return Ok(None),
                // The session is over (or the machine is another one: it was stopped and started).
                401 if !renewed => {
                    renewed = true;
                    *self.kept() = None;
                }
                429 | 500.. if attempt < TRIES => {
                    here::sleep(pause);
                    pause *= 2.0;
                }
                status => return Err(self.refused(status)),
            }
        }
        Ok(None)
    }

    /// As [`Imds::get`], for what must be there.
    ///
    /// # Errors
    /// As there, and when it has no such thing.
    pub fn need(&self, path: &str) -> Result<String> {
        self.get(path)?
            .ok_or_else(|| Error::host(format!("the metadata service has no {path}")))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Secret<String>>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session's token; nothing if the service gives none.
    fn token(&self) -> Result<Option<Secret<String>>> {
        let mut kept = self.kept();
        if kept.is_none() {
            let mut pause = PAUSE;
            for attempt in 1..=TRIES {
                let life = TOKEN_LIFE.to_string();
                let answer = self.ask(
                    "PUT",
                    "api/token",
                    ("X-aws-ec2-metadata-token-ttl-seconds", &life),
                )?;
                match answer.status {
                    200 => {
                        let text = String::from_utf8_lossy(&answer.body).trim().to_owned();
                        *kept = Some(Secret::new(text));
                        break;
                    }
                    // In an instance's first seconds it is there, and knows nothing yet.
                    404 | 429 | 500.. if attempt < TRIES => {
                        here::sleep(pause);
                        pause *= 2.0;
                    }
                    status => return Err(self.refused(status)),
                }
            }
        }
        Ok(kept.clone())
    }

    fn ask(&self, method: &str, path: &str, header: (&str, &str)) -> Result<Response> {
        let absent = |why: &str| {
            Error::new(
                ErrorKind::Unreachable,
                "the instance metadata service is not there",
            )
            .caused_by(why.to_owned())
        };
        let base = self.base.as_ref().map_err(|why| absent(why))?;
        let mut request = Request::new(method, format!("{base}/latest/{path}"));
        request.headers = vec![(header.0.to_owned(), header.1.to_owned())];
        request.timeout = PATIENCE;
        request.use_proxy = false;
        request.redirects = Redirects::None;
        request.max_body = 1 << 20;
        request.only_reads = true;
        self.host.fetch(&request).map_err(|e| absent(&e.message()))
    }

    fn refused(&self, status: u16) -> Error {
        let error = Error::host(format!(
            "the instance metadata service answered with status {status}"
        ));
        match status {
            403 => error.hint(
                "it is switched off for this instance: `aws ec2 modify-instance-metadata-options \
                 --http-endpoint enabled`; in a container, --http-put-response-hop-limit 2 may be what is missing",
            ),
            _ => error,
        }
    }
}

/// Whether a host may be an instance of EC2 ("Detect whether a host is an EC2 instance" in the user
/// guide), or was told where a metadata service is. Elsewhere it is not asked: the address would answer
/// nothing, slowly.
#[must_use]
pub fn likely(host: &dyn HostView) -> bool {
    let text = |path: &str| {
        let bytes = host
            .read(Path::new(path))
            .ok()
            .flatten()
            .unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_lowercase()
    };
    host.env("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        .is_some_and(|v| !v.is_empty())
        || text("/sys/class/dmi/id/sys_vendor") == "amazon ec2"
        || text("/sys/class/dmi/id/board_asset_tag").starts_with("i-")
        || text("/sys/hypervisor/uuid").starts_with("ec2")
        || text("/run/cloud-init/cloud-id") == "aws"
}
