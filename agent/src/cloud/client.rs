//! Calls signed and sent.

use super::answer::{Answer, THROTTLING, code, judged};
use super::call::Call;
use super::credentials::{Credentials, credentials};
use super::imds::Imds;
use super::operator::{forget, of_caller, region_of};
use super::service::is_region;
use super::sign::{Parts, Signing, canonical_query, sent_path, signed, url_signed};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::host::{HostView, Patience, Redirects, Request, Response};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// A call is sent at most so often, with pauses that grow to some seconds.
const TRIES: u32 = 6;

/// A host's way to AWS. Credentials and the region are found when they are first needed, and kept: make
/// one for all calls of a task, or of a service's life.
pub struct Cloud<'h> {
    host: &'h dyn HostView,
    imds: Imds<'h>,
    /// Who asks from the machine where commands are typed; a host asks as itself.
    caller: Option<Caller>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    credentials: Option<Credentials>,
    region: Option<String>,
}

/// Where a call goes.
struct Place {
    /// Scheme, server and what an override puts before paths.
    base: String,
    /// The server's name, with its port if it is not the usual one.
    host: String,
    /// The path before encoding, without what `base` has.
    path: String,
    /// What `base` has behind the server's name.
    before: String,
    region: String,
}

impl<'h> Cloud<'h> {
    /// The way to AWS from a host.
    #[must_use]
    pub fn new(host: &'h dyn HostView) -> Self {
        Self {
            host,
            imds: Imds::new(host),
            caller: None,
            known: Mutex::default(),
        }
    }

    /// The way to AWS for a caller, from the machine where commands are typed.
    #[must_use]
    pub fn of(caller: &Caller, host: &'h dyn HostView) -> Self {
        Self {
            caller: Some(caller.clone()),
            ..Self::new(host)
        }
    }

    /// The host's metadata service.
    #[must_use]
    pub const fn imds(&self) -> &Imds<'h> {
        &self.imds
    }

    /// The region that the caller names, the environment (`AWS_REGION`, `AWS_DEFAULT_REGION`), the caller's
    /// profile, or the instance.
    ///
    /// # Errors
    /// When nobody says it.
    pub fn region(&self) -> Result<String> {
        if let Some(region) = self.caller.as_ref().and_then(|c| c.region.clone()) {
            return checked(region);
        }
        let var = |name: &str| self.host.env(name).filter(|v| !v.is_empty());
        if let Some(region) = var("AWS_REGION").or_else(|| var("AWS_DEFAULT_REGION")) {
            return checked(region);
        }
        if let Some(region) = self.known().region.clone() {
            return Ok(region);
        }
        let of_profile = self.caller.as_ref().map_or(Ok(None), region_of)?;
        let region = match of_profile {
            Some(region) => region,
            None => self.imds.need("meta-data/placement/region").map_err(|e| {
                e.context("which region?")
                    .hint("set AWS_REGION, or name it where the task can")
            })?,
        };
        let region = checked(region.trim().to_owned())?;
        self.known().region = Some(region.clone());
        Ok(region)
    }

    /// The credentials, renewed if they are about to expire.
    ///
    /// # Errors
    /// When the host has none.
    pub fn credentials(&self) -> Result<Credentials> {
        let now = self.host.now();
        let kept = self.known().credentials.clone().filter(|c| c.fresh(now));
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let found = match &self.caller {
            Some(caller) => of_caller(caller, self.host, &self.imds)?,
            None => credentials(self.host, &self.imds)?,
        };
        self.known().credentials = Some(found.clone());
        Ok(found)
    }

    /// Makes a call that only reads, and waits for its answer. A service that is too busy is asked again
    /// with growing pauses; credentials that expired are renewed once; a bucket of another region is
    /// asked there.
    ///
    /// # Errors
    /// When the service refuses (see [`code`]), or cannot be reached.
    pub fn ask(&self, call: &Call) -> Result<Answer> {
        let mut call = call.clone();
        let (mut renewed, mut moved) = (false, false);
        loop {
            let mut request = self.sign(&call)?;
            request.only_reads = true;
            let response = self.host.fetch(&request)?;
            if let Some(region) = elsewhere(&call, &response).filter(|_| !moved) {
                moved = true;
                call.region = Some(checked(region)?);
                continue;
            }
            match judged(&call, response) {
                Err(e) if !renewed && code(&e).is_some_and(is_expired) => {
                    renewed = true;
                    if let Some(ended) = self.known().credentials.take() {
                        forget(&ended);
                    }
                }
                done => return done,
            }
        }
    }

    /// The call as a signed request, to be sent within five minutes.
    ///
    /// # Errors
    /// When there are no credentials, or nobody says the region.
    pub fn sign(&self, call: &Call) -> Result<Request> {
        let place = self.place(call)?;
        let credentials = self.credentials()?;
        let whole = format!("{}{}", place.before, place.path);
        let added = signed(
            &self.signing(&credentials, &place, call),
            &parts(call, &place, &whole),
        );
        let mut url = format!(
            "{}{}",
            place.base,
            sent_path(call.service.name, &place.path)
        );
        if !call.query.is_empty() {
            url = format!("{url}?{}", canonical_query(&call.query));
        }
        let mut request = Request::new(call.method, url);
        request.headers.clone_from(&call.headers);
        request.headers.extend(added);
        request.body = (!call.body.is_empty()).then(|| call.body.clone());
        request.timeout = call.timeout;
        request.ca_path = ca_bundle(self.host);
        request.redirects = Redirects::None;
        request.patience = Some(Patience {
            tries: TRIES,
            words: THROTTLING.map(String::from).to_vec(),
        });
        Ok(request)
    }

    /// The call as a URL that anybody can fetch for `seconds` (S3: seven days at most, and never longer
    /// than the role's credentials live). Ranges may be asked of it. It is a secret while it lasts.
    ///
    /// # Errors
    /// As [`Cloud::sign`].
    pub fn url(&self, call: &Call, seconds: u64) -> Result<String> {
        let place = self.place(call)?;
        let credentials = self.credentials()?;
        let whole = format!("{}{}", place.before, place.path);
        let how = self.signing(&credentials, &place, call);
        let query = url_signed(&how, &parts(call, &place, &whole), seconds);
        let path = sent_path(call.service.name, &place.path);
        Ok(format!("{}{path}?{query}", place.base))
    }

    fn signing<'a>(
        &self,
        credentials: &'a Credentials,
        place: &'a Place,
        call: &Call,
    ) -> Signing<'a> {
        Signing {
            credentials,
            region: &place.region,
            service: call.service.name,
            now: self.host.now(),
        }
    }

    fn place(&self, call: &Call) -> Result<Place> {
        let region = match &call.region {
            Some(region) => checked(region.clone())?,
            None => self.region()?,
        };
        let (mut base, overridden) = match self.caller.as_ref().and_then(|c| c.endpoint.as_ref()) {
            Some(url) => (url.trim_end_matches('/').to_owned(), true),
            None => call.service.endpoint(self.host, &region),
        };
        let mut path = call.path.clone();
        if let Some(bucket) = &call.bucket {
            // A dot would not match the certificate; another server may know no names of buckets.
            match overridden || bucket.contains('.') {
                true => path = format!("/{bucket}{path}"),
                false => base = base.replacen("https://", &format!("https://{bucket}."), 1),
            }
        }
        let (_, rest) = base
            .split_once("://")
            .ok_or_else(|| Error::host(format!("`{base}` is no address of a service")))?;
        let (host, before) = match rest.split_once('/') {
            Some((host, before)) => (host, format!("/{before}")),
            None => (rest, String::new()),
        };
        let usual = [("https://", ":443"), ("http://", ":80")];
        let port = usual.iter().find(|(scheme, _)| base.starts_with(scheme));
        let host = port.and_then(|(_, p)| host.strip_suffix(p)).unwrap_or(host);
        Ok(Place {
            host: host.to_owned(),
            before,
            path,
            region,
            base,
        })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file with more authorities to trust where AWS is asked through a proxy that opens TLS (`AWS_CA_BUNDLE`, as
/// AWS's SDKs and command line read it).
#[must_use]
pub fn ca_bundle(host: &dyn HostView) -> Option<PathBuf> {
    let path = host.env("AWS_CA_BUNDLE").filter(|v| !v.is_empty());
    path.map(PathBuf::from)
}

fn parts<'a>(call: &'a Call, place: &'a Place, whole: &'a str) -> Parts<'a> {
    Parts {
        method: call.method,
        host: &place.host,
        path: whole,
        query: &call.query,
        headers: &call.headers,
        body: &call.body,
    }
}

fn checked(region: String) -> Result<String> {
    match is_region(&region) {
        true => Ok(region),
        false => Err(Error::params(format!("`{region}` is no region of AWS"))),
    }
}

fn is_expired(code: &str) -> bool {
    matches!(
        code,
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired"
    )
}

/// The region of a bucket that is not where it was asked for.
fn elsewhere(call: &Call, response: &Response) -> Option<String> {
    call.bucket.as_ref()?;
    if !matches!(response.status, 301 | 307 | 400) {
        return None;
    }
    response.header("x-amz-bucket-region").map(str::to_owned)
}
