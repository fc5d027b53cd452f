//! Parameters and secrets that AWS keeps, for lookups: asked once in some minutes, as variables are
//! evaluated again wherever they are used.

use crate::cloud::{self, Call, Cloud, service};
use crate::error::{Error, Result};
use crate::host::{RealHost, here};
use crate::secret::Secret;
use crate::template::{AskAws, AwsFound, AwsSecret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use std::sync::{Mutex, PoisonError};

/// For how many seconds an answer is taken again.
const KEPT: f64 = 300.0;
/// More pages than any account has: an endpoint that never ends is left.
const MAX_PAGES: usize = 1000;

type Kept = Vec<(AskAws, f64, AwsFound)>;

/// What AWS answered lately.
#[derive(Debug, Default)]
pub struct AwsMemory(Mutex<Kept>);

impl AwsMemory {
    /// What AWS keeps, from memory if it was asked lately.
    ///
    /// # Errors
    /// When AWS cannot be asked.
    pub fn ask(&self, asked: &AskAws) -> Result<AwsFound> {
        // Held while AWS is asked: hosts that need the same do not ask twice.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = here::monotonic();
        kept.retain(|(_, at, _)| now - at < KEPT);
        if let Some((_, _, found)) = kept.iter().find(|(a, _, _)| a == asked) {
            return Ok(found.clone());
        }
        let found = ask(&Cloud::of(&asked.caller, &RealHost::new()), asked)?;
        kept.push((asked.clone(), now, found.clone()));
        Ok(found)
    }
}

fn ask(cloud: &Cloud<'_>, asked: &AskAws) -> Result<AwsFound> {
    let ssm = |action: &str, body: &Json| Call::json(&service::SSM, action, body);
    let secrets = |action: &str, body: &Json| Call::json(&service::SECRETS_MANAGER, action, body);
    let done = match &asked.what {
        AwsSecret::Parameter { name, decrypt } => {
            let body = json!({"Name": name, "WithDecryption": decrypt});
            cloud
                .ask(&ssm("GetParameter", &body))
                .and_then(|answer| Ok(vec![parameter(&answer.json()?["Parameter"])?]))
        }
        AwsSecret::Parameters {
            path,
            recursive,
            decrypt,
        } => {
            let body = json!({"Path": path, "Recursive": recursive, "WithDecryption": decrypt});
            pages(cloud, body, "Parameters", &|b| {
                ssm("GetParametersByPath", b)
            })
            .and_then(|list| list.iter().map(parameter).collect())
        }
        AwsSecret::Secret {
            id,
            version_id,
            version_stage,
        } => value(cloud, id, version_id, version_stage, &secrets).map(|v| vec![(id.clone(), v)]),
        AwsSecret::Secrets { path } => {
            let body = json!({"Filters": [{"Key": "name", "Values": [path]}]});
            pages(cloud, body, "SecretList", &|b| secrets("ListSecrets", b)).and_then(|list| {
                let names = list.iter().filter_map(|s| s["Name"].as_str());
                names
                    .map(|n| Ok((n.to_owned(), value(cloud, n, &None, &None, &secrets)?)))
                    .collect()
            })
        }
    };
    done.map_or_else(refusal, |values| Ok(AwsFound::Values(values)))
}

/// A refusal that options of the lookup may want to pass over, or the error itself.
fn refusal(error: Error) -> Result<AwsFound> {
    let text = error.message();
    match cloud::code(&error) {
        Some("InvalidRequestException") if text.contains("marked for deletion") => {
            Ok(AwsFound::Deleted(text))
        }
        Some("ParameterNotFound" | "ResourceNotFoundException") => Ok(AwsFound::Missing(text)),
        Some("AccessDeniedException" | "AccessDenied") => Ok(AwsFound::Denied(text)),
        _ => Err(error),
    }
}

type Calling<'a> = &'a dyn Fn(&Json) -> Call;

/// All pages of a list.
fn pages(cloud: &Cloud<'_>, mut body: Json, list: &str, call: Calling<'_>) -> Result<Vec<Json>> {
    let mut found = Vec::new();
    for _ in 0..MAX_PAGES {
        let mut answer = cloud.ask(&call(&body))?.json()?;
        if let Some(Json::Array(items)) = answer.get_mut(list).map(Json::take) {
            found.extend(items);
        }
        match answer["NextToken"].as_str() {
            Some(token) if !token.is_empty() => body["NextToken"] = json!(token),
            _ => break,
        }
    }
    Ok(found)
}

fn parameter(json: &Json) -> Result<(String, Secret<String>)> {
    match (json["Name"].as_str(), json["Value"].as_str()) {
        (Some(name), Some(value)) => Ok((name.to_owned(), Secret::new(value.to_owned()))),
        _ => Err(Error::host("AWS sent a parameter without name and value")),
    }
}

/// A secret's text; one that is bytes must be text in UTF-8.
fn value(
    cloud: &Cloud<'_>,
    id: &str,
    version_id: &Option<String>,
    version_stage: &Option<String>,
    call: &dyn Fn(&str, &Json) -> Call,
) -> Result<Secret<String>> {
    let mut body = json!({"SecretId": id});
    for (name, value) in [("VersionId", version_id), ("VersionStage", version_stage)] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    let answer = cloud.ask(&call("GetSecretValue", &body))?.json()?;
    if let Some(text) = answer["SecretString"].as_str() {
        return Ok(Secret::new(text.to_owned()));
    }
    let bytes = STANDARD.decode(answer["SecretBinary"].as_str().unwrap_or_default());
    let text = bytes.ok().and_then(|b| String::from_utf8(b).ok());
    text.map(Secret::new)
        .ok_or_else(|| Error::host(format!("the secret {id} is no text")))
}
