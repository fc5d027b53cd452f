//! Lookups of AWS's parameters and secrets, as the collection `amazon.aws` has them, and under our names.
//! What they find is hidden: it shows in no event, log or diff.

use super::super::call::Params;
use super::super::fault::{Fault, Res};
use super::super::outside::{AskAws, AwsFound, AwsSecret};
use super::super::val::Val;
use super::{Look, Lookup};
use crate::caller::{self, Caller};
use crate::secret::{Secret, hide};
use crate::value::{Key, Value};

const SSM: Params = &with_caller::<6, { 6 + caller::COUNT }>([
    "decrypt",
    "bypath",
    "recursive",
    "shortnames",
    "on_missing",
    "on_denied",
]);
const SECRETS: Params = &with_caller::<8, { 8 + caller::COUNT }>([
    "bypath",
    "nested",
    "join",
    "version_id",
    "version_stage",
    "on_missing",
    "on_deleted",
    "on_denied",
]);
const SSM_DOC: &str = "A parameter of AWS Systems Manager, by the credentials of the machine.";
const OWN_SSM_DOC: &str = "The same under a name of our own: no collection is needed for it.";
const SECRETS_DOC: &str = "A secret of AWS Secrets Manager, by the credentials of the machine.";

pub(super) static TABLE: &[Lookup] = &[
    Lookup::new("ssm_parameter", SSM, SSM_DOC, parameters).of("amazon.aws"),
    Lookup::new("aws_ssm", SSM, SSM_DOC, parameters).of("amazon.aws"),
    Lookup::new("secretsmanager_secret", SECRETS, SECRETS_DOC, secrets).of("amazon.aws"),
    Lookup::new("aws_secret", SECRETS, SECRETS_DOC, secrets).of("amazon.aws"),
    Lookup::new("ssm_parameter", SSM, OWN_SSM_DOC, parameters).of("lks.llm"),
    Lookup::new("secrets_manager", SECRETS, SECRETS_DOC, secrets).of("lks.llm"),
];

/// Names of parameters, with those that say as whom AWS is asked behind them.
const fn with_caller<const OWN: usize, const ALL: usize>(
    own: [&'static str; OWN],
) -> [&'static str; ALL] {
    let mut all = [""; ALL];
    let mut at = 0;
    while at < ALL {
        all[at] = if at < OWN {
            own[at]
        } else {
            caller::NAMES[at - OWN]
        };
        at += 1;
    }
    all
}

/// What is asked, by the options that all of them have.
fn asked(l: &Look, what: AwsSecret) -> Res<AskAws> {
    let caller = Caller::read(|name| l.text_option(name, "").map(Some))?;
    Ok(AskAws { what, caller })
}

/// What is there; nothing where the options say that this is no error.
fn found(l: &Look, what: AwsSecret) -> Res<Option<Vec<(String, String)>>> {
    let (option, why) = match l.ctx.outside().aws(&asked(l, what)?)? {
        AwsFound::Values(list) => {
            let shown = |(name, value): (String, Secret<String>)| {
                hide(value.reveal());
                (name, value.reveal().clone())
            };
            return Ok(Some(list.into_iter().map(shown).collect()));
        }
        AwsFound::Missing(why) => ("on_missing", why),
        AwsFound::Denied(why) => ("on_denied", why),
        AwsFound::Deleted(why) => ("on_deleted", why),
    };
    match &*l.text_option(option, "error")?.to_lowercase() {
        "error" => {
            Err(Fault::error(why).hint(format!("`{option}='skip'` gives nothing in its place")))
        }
        "warn" => {
            l.ctx.outside().warn(&why);
            Ok(None)
        }
        "skip" => Ok(None),
        other => Err(Fault::error(format!(
            "\"{option}\" must be a string and one of \"error\", \"warn\" or \"skip\", not {other}"
        ))),
    }
}

fn one(l: &Look, what: AwsSecret) -> Res<Option<String>> {
    let values = found(l, what)?;
    Ok(values
        .and_then(|v| v.into_iter().next())
        .map(|(_, value)| value))
}

fn dict(list: impl IntoIterator<Item = (String, String)>) -> Val {
    let pairs = list
        .into_iter()
        .map(|(name, value)| (Key::from(name.as_str()), Val::from(value)));
    Val::map(pairs.collect())
}

fn parameters(l: &Look) -> Res<Vec<Val>> {
    let decrypt = l.flag("decrypt", true)?;
    let mut out = Vec::new();
    for name in l.texts()? {
        if !l.flag("bypath", false)? {
            let value = one(l, AwsSecret::Parameter { name, decrypt })?;
            out.push(value.map_or(Val::Null, Val::from));
            continue;
        }
        let recursive = l.flag("recursive", false)?;
        let path = AwsSecret::Parameters {
            path: name,
            recursive,
            decrypt,
        };
        let short = l.flag("shortnames", false)?;
        let named = |name: String| match short {
            true => name.rsplit('/').next().unwrap_or_default().to_owned(),
            false => name,
        };
        let list = found(l, path)?.unwrap_or_default();
        let list = list.into_iter().map(|(name, value)| (named(name), value));
        out.push(dict(list));
    }
    Ok(out)
}

fn secrets(l: &Look) -> Res<Vec<Val>> {
    let some = |name: &str| -> Res<Option<String>> {
        let text = l.text_option(name, "")?;
        Ok(Some(text).filter(|t| !t.is_empty()))
    };
    let (nested, bypath) = (l.flag("nested", false)?, l.flag("bypath", false)?);
    let mut out = Vec::new();
    for term in l.texts()? {
        if bypath {
            let list = found(l, AwsSecret::Secrets { path: term })?.unwrap_or_default();
            out.push(dict(list));
            continue;
        }
        let mut keys = term.split('.');
        let id = match nested {
            true => keys.next().unwrap_or_default().to_owned(),
            false => term.clone(),
        };
        let what = AwsSecret::Secret {
            id,
            version_id: some("version_id")?,
            version_stage: some("version_stage")?,
        };
        match one(l, what)? {
            None => out.push(Val::Null),
            Some(text) if nested => out.push(inner(l, &term, &text, keys)?),
            Some(text) => out.push(Val::from(text)),
        }
    }
    if l.flag("join", false)? {
        let texts: Vec<&str> = out.iter().filter_map(Val::as_str).collect();
        let whole = texts.concat();
        hide(&whole);
        return Ok(vec![Val::from(whole)]);
    }
    Ok(out)
}

/// What keys lead to within a secret that is JSON.
fn inner<'k>(l: &Look, term: &str, text: &str, keys: impl Iterator<Item = &'k str>) -> Res<Val> {
    let none = || Fault::error(format!("there is no such key in the secret: {term}"));
    let mut at: serde_json::Value = serde_json::from_str(text)
        .map_err(|_| Fault::error(format!("the secret is no JSON, so there is no {term}")))?;
    for key in keys {
        at = at
            .get_mut(key)
            .map(serde_json::Value::take)
            .ok_or_else(none)?;
    }
    match at {
        serde_json::Value::String(text) => Ok(Val::from(text)),
        other => Ok(l.ctx.lift(&Value::from(other), &l.ctx.home)),
    }
}
