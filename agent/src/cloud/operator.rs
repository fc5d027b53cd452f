//! Who asks AWS from the machine where commands are typed: by options of an inventory or a lookup, or as
//! whoever is logged in there. The agent's program knows keys, the environment and the machine's role;
//! `lks-ctl` brings AWS's SDK, which knows people's profiles, single sign-on and roles to assume, too.

use super::credentials::{Credentials, credentials};
use super::imds::Imds;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::host::HostView;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Somebody who knows more of people's credentials than [`credentials`].
pub trait Operator: Send + Sync {
    /// The credentials of a caller.
    ///
    /// # Errors
    /// When there are none; the error says what is missing and what to do.
    fn credentials(&self, caller: &Caller) -> Result<Credentials>;

    /// The region that the caller's profile names; nothing if there is no such profile.
    ///
    /// # Errors
    /// When it cannot be looked for.
    fn region(&self, caller: &Caller) -> Result<Option<String>>;
}

static OPERATOR: OnceLock<&'static dyn Operator> = OnceLock::new();
/// What was found, by caller: roles are assumed once for all regions that are asked.
static FOUND: Mutex<Vec<(Caller, Credentials)>> = Mutex::new(Vec::new());

/// Callers are known by `operator` from now on; a program says it once, as it starts.
pub fn set_operator(operator: &'static dyn Operator) {
    // A second one would be a mistake of the program: the first stays.
    let _ = OPERATOR.set(operator);
}

/// The credentials of a caller, good for some minutes at least.
pub(super) fn of_caller(
    caller: &Caller,
    host: &dyn HostView,
    imds: &Imds<'_>,
) -> Result<Credentials> {
    let Some(operator) = OPERATOR.get() else {
        return by_machine(caller, host, imds);
    };
    // Held while AWS is asked: regions that are asked at the same time assume a role once.
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let now = host.now();
    found.retain(|(_, credentials)| credentials.fresh(now));
    // Where something is asked makes no difference to who asks.
    let who = Caller {
        region: None,
        ..caller.clone()
    };
    if let Some((_, kept)) = found.iter().find(|(c, _)| *c == who) {
        return Ok(kept.clone());
    }
    let new = operator.credentials(caller)?;
    found.push((who, new.clone()));
    Ok(new)
}

/// The credentials of a caller as far as a host knows them.
fn by_machine(caller: &Caller, host: &dyn HostView, imds: &Imds<'_>) -> Result<Credentials> {
    match caller {
        Caller { role: Some(_), .. } => Err(beyond("a role to assume")),
        Caller {
            profile: Some(_), ..
        } => Err(beyond("a profile")),
        Caller {
            keys: Some(keys), ..
        } => Ok(Credentials {
            key: keys.id.clone(),
            secret: keys.secret.clone(),
            token: keys.token.clone(),
            expires: None,
        }),
        _ => credentials(host, imds),
    }
}

/// The region that a caller's profile names.
pub(super) fn region_of(caller: &Caller) -> Result<Option<String>> {
    OPERATOR.get().map_or(Ok(None), |o| o.region(caller))
}

/// Forgets what was found: AWS said that it is worth nothing any more.
pub(super) fn forget(credentials: &Credentials) {
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    found.retain(|(_, c)| c != credentials);
}

fn beyond(what: &str) -> Error {
    Error::params(format!(
        "`lks-agent` knows no profiles of AWS, and this asks for {what}"
    ))
    .hint(
        "`lks-ctl run` knows them; here AWS is asked with an access key, or as the machine's role",
    )
}
