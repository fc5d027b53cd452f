//! How a request says who asks: by name and password, or by Kerberos.
//!
//! Kerberos's library (GSSAPI) is one of the host, loaded at run time, and a static binary loads none.
//! So the host's Python is asked for the one token that the server wants, by the library that Ansible
//! needs there for the same parameter.

use super::*;
use crate::secret::Secret;
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use std::time::Duration;

/// Prints the token for the server `argv[1]`, as the account `argv[2]` whose password comes by standard
/// input, or with the tickets that are there.
const ASK_GSSAPI: &str = "\
import base64, sys
import gssapi
server = gssapi.Name('HTTP@' + sys.argv[1], gssapi.NameType.hostbased_service)
mine = None
if sys.argv[2]:
    me = gssapi.Name(sys.argv[2], gssapi.NameType.user)
    password = sys.stdin.buffer.read()
    mine = gssapi.raw.acquire_cred_with_password(me, password, usage='initiate').creds
asking = gssapi.SecurityContext(usage='initiate', name=server, creds=mine)
print(base64.b64encode(asking.step()).decode())
";

/// A key distribution centre that does not answer must not keep a task for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a request sends to say who asks.
#[derive(Clone, Debug)]
pub(super) enum Credentials {
    None,
    /// Name and password of the request, if it has any.
    Basic,
    /// A token of Kerberos (RFC 4559), good for one request.
    Negotiate(Secret<String>),
}

impl Credentials {
    /// What is sent without being asked for.
    pub(super) fn unasked(request: &Request) -> Self {
        if request.force_basic_auth {
            Self::Basic
        } else {
            Self::None
        }
    }

    pub(super) fn add_to(&self, building: RequestBuilder, request: &Request) -> RequestBuilder {
        match (self, &request.user) {
            (Self::Basic, Some(user)) => {
                let password = request.password.as_ref().map(|p| p.reveal());
                building.basic_auth(user, password)
            }
            (Self::Negotiate(token), _) => {
                match HeaderValue::try_from(format!("Negotiate {}", token.reveal())) {
                    Ok(mut value) => {
                        value.set_sensitive(true);
                        building.header(AUTHORIZATION, value)
                    }
                    // Base64 always makes one; without it the server says what it wants.
                    Err(_) => building,
                }
            }
            _ => building,
        }
    }
}

impl RealHost {
    /// What an answer asks for that was not sent yet; nothing where it does not ask, or is not content
    /// with what it got.
    pub(super) fn credentials_for(
        &self,
        request: &Request,
        answer: &Response,
        given: &Credentials,
    ) -> Result<Option<Credentials>> {
        if answer.status != 401 {
            return Ok(None);
        }
        let tried = matches!(given, Credentials::Negotiate(_));
        if request.negotiate && !tried && offers_negotiate(answer) {
            return self.token(request).map(|t| Some(Credentials::Negotiate(t)));
        }
        let basic = request.user.is_some() && !matches!(given, Credentials::Basic);
        Ok(basic.then_some(Credentials::Basic))
    }

    fn token(&self, request: &Request) -> Result<Secret<String>> {
        let url = reqwest::Url::parse(&request.url).ok();
        let server = url.as_ref().and_then(|u| u.host_str()).unwrap_or_default();
        let user = request.user.clone().unwrap_or_default();
        let argv = ["python3", "-c", ASK_GSSAPI, server, &user];
        let mut command = Command::new(argv);
        command.timeout = Some(PATIENCE);
        let password = request.password.as_ref().map(|p| p.reveal().as_bytes());
        command.stdin = Some(password.unwrap_or_default().to_vec());
        let asked = self.run(&command, &|_| {})?;
        if asked.rc == 0 {
            return Ok(Secret::new(
                String::from_utf8_lossy(&asked.stdout).trim().to_owned(),
            ));
        }
        let said = String::from_utf8_lossy(&asked.stderr).into_owned();
        let why = said.lines().rev().find(|l| !l.trim().is_empty());
        let error = Error::host(format!(
            "no Kerberos ticket for HTTP@{server}: {}",
            why.unwrap_or("python3 gave no reason").trim()
        ));
        Err(if said.contains("No module named") {
            error.hint("install Python's library gssapi on the host (Debian: python3-gssapi)")
        } else {
            error.hint("the host needs a ticket (kinit), or give url_username and url_password")
        })
    }
}

fn offers_negotiate(answer: &Response) -> bool {
    let mut headers = answer.headers.iter();
    headers.any(|(name, value)| {
        let scheme = value.trim_start().get(..9).unwrap_or_default();
        name.eq_ignore_ascii_case("www-authenticate") && scheme.eq_ignore_ascii_case("negotiate")
    })
}
