//! Whoever types commands, as AWS knows them: profiles of `~/.aws`, single sign-on, roles to assume, programs
//! that hand credentials out. AWS's SDK finds them, in the order that its reference guide gives; what it
//! sends goes by our own HTTP, which brings the one TLS library, proxies, and names resolved without the C
//! library (a static program cannot use that one's).

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::{ProvideRegion, RegionProviderChain};
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use lks_agent::caller::Caller;
use lks_agent::cloud::{Credentials, Operator, ca_bundle};
use lks_agent::error::{Error, Result};
use lks_agent::host::{HostView, RealHost, Redirects, Request};
use lks_agent::secret::Secret;
use std::time::{Duration, UNIX_EPOCH};

/// How a role's session is called in CloudTrail.
const SESSION: &str = "lks-ctl";
/// Where a role is assumed if nobody says a region: the one that every account has.
const HOME: &str = "us-east-1";

/// How the SDK behaves: as in its releases of this date.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// AWS's SDK.
#[derive(Debug)]
pub struct Sdk;

impl Operator for Sdk {
    fn credentials(&self, caller: &Caller) -> Result<Credentials> {
        wait(credentials(caller))?
    }

    fn region(&self, caller: &Caller) -> Result<Option<String>> {
        let region = wait(async { of_profile(caller).region().await })?;
        Ok(region.map(|region| region.to_string()))
    }
}

async fn credentials(caller: &Caller) -> Result<Credentials> {
    let config = config(caller).await;
    let own = config
        .credentials_provider()
        .ok_or_else(|| Error::host("AWS's SDK has nobody to ask for credentials"))?;
    let found = match &caller.role {
        None => own.provide_credentials().await,
        Some(role) => {
            let region = config.region().cloned();
            let role = AssumeRoleProvider::builder(role)
                .session_name(SESSION)
                .configure(&config)
                .region(region.unwrap_or_else(|| Region::from_static(HOME)))
                .build_from_provider(own);
            role.await.provide_credentials().await
        }
    };
    let found = found.map_err(|e| refused(caller, &e))?;
    let seconds = |at: std::time::SystemTime| at.duration_since(UNIX_EPOCH).ok();
    Ok(Credentials {
        key: found.access_key_id().to_owned(),
        secret: Secret::new(found.secret_access_key().to_owned()),
        token: found.session_token().map(|t| Secret::new(t.to_owned())),
        expires: found
            .expiry()
            .and_then(seconds)
            .and_then(|d| i64::try_from(d.as_secs()).ok()),
    })
}

async fn config(caller: &Caller) -> SdkConfig {
    // Without a region the SDK would ask the metadata service, which is far away from most desks.
    let region = match &caller.region {
        Some(region) => Some(Region::new(region.clone())),
        None => {
            let environment = EnvironmentVariableRegionProvider::new();
            let chain = RegionProviderChain::first_try(environment).or_else(of_profile(caller));
            chain.region().await
        }
    };
    let region = region.unwrap_or_else(|| Region::from_static(HOME));
    let mut loader = aws_config::defaults(behavior())
        .http_client(http())
        .region(region.clone());
    if let Some(endpoint) = &caller.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(keys) = &caller.keys {
        let token = keys.token.as_ref().map(|t| t.reveal().clone());
        let keys = aws_credential_types::Credentials::new(
            &keys.id,
            keys.secret.reveal(),
            token,
            None,
            "options",
        );
        loader = loader.credentials_provider(SharedCredentialsProvider::new(keys));
    }
    if let Some(profile) = &caller.profile {
        // A profile that is named goes over keys in the environment.
        let provider = ProviderConfig::without_region()
            .with_http_client(http())
            .with_region(Some(region));
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&provider)
            .profile_name(profile)
            .build();
        loader = loader.profile_name(profile).credentials_provider(provider);
    }
    loader.load().await
}

fn of_profile(caller: &Caller) -> ProfileFileRegionProvider {
    let builder = ProfileFileRegionProvider::builder();
    match &caller.profile {
        Some(profile) => builder.profile_name(profile).build(),
        None => builder.build(),
    }
}

/// Why there are no credentials, in the SDK's words from the first to the last cause.
fn refused(caller: &Caller, error: &dyn std::error::Error) -> Error {
    let mut words: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        // Some have said already what their cause says.
        if !words.iter().any(|w| w.contains(&text)) {
            words.push(text);
        }
        next = error.source();
    }
    let words = words.join(": ");
    match (&caller.role, &caller.profile) {
        (Some(role), _) => Error::host(format!("the role {role} cannot be assumed: {words}"))
            .hint("the role must trust whoever asks: the profile, the access key or the machine's own role"),
        (None, Some(profile)) => Error::host(format!(
            "the profile {profile} gives no credentials for AWS: {words}"
        ))
        .hint(format!(
            "look at ~/.aws/config; a profile of single sign-on wants `aws sso login --profile {profile}`"
        )),
        (None, None) => Error::host(format!("no credentials for AWS: {words}")).hint(
            "name a profile (`profile`, AWS_PROFILE), set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give \
             the instance a role",
        ),
    }
}

/// Runs the SDK's work in this thread.
fn wait<T>(work: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::host("cannot wait for AWS").caused_by(e))?;
    Ok(runtime.block_on(work))
}

/// Our HTTP, as the SDK asks for it.
fn http() -> SharedHttpClient {
    http_client_fn(|settings, _| {
        SharedHttpConnector::new(Http {
            timeout: settings.read_timeout(),
        })
    })
}

#[derive(Debug)]
struct Http {
    timeout: Option<Duration>,
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let timeout = self.timeout;
        HttpConnectorFuture::new(async move {
            let host = RealHost::new();
            let request = sent(&host, &request, timeout)?;
            let done = tokio::task::spawn_blocking(move || host.fetch(&request));
            let answer = done
                .await
                .map_err(|e| ConnectorError::other(e.into(), None))?;
            // Also a name that is not known may be known a moment later.
            let answer = answer.map_err(|e| ConnectorError::io(e.into()))?;
            let status = answer.status.try_into();
            let status = status.map_err(|e| ConnectorError::other(Box::new(e), None))?;
            let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
            for (name, value) in answer.headers {
                // A header that is none for the SDK tells it nothing.
                let _ = response.headers_mut().try_append(name, value);
            }
            Ok(response)
        })
    }
}

fn sent(
    host: &RealHost,
    request: &HttpRequest,
    timeout: Option<Duration>,
) -> std::result::Result<Request, ConnectorError> {
    let mut ours = Request::new(request.method(), request.uri());
    let headers = request.headers().iter();
    ours.headers = headers.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let body = request.body().bytes().ok_or_else(|| {
        ConnectorError::user("a body that comes in pieces is not sent here".into())
    })?;
    ours.body = (!body.is_empty()).then(|| body.to_vec());
    if let Some(timeout) = timeout {
        ours.timeout = timeout;
    }
    ours.redirects = Redirects::None;
    // Metadata and containers' credentials are on this machine.
    ours.use_proxy = request.uri().starts_with("https://");
    ours.ca_path = ca_bundle(host);
    ours.only_reads = true;
    ours.max_body = 1 << 20;
    Ok(ours)
}
