//! How a host is let in: by a token, or by what AWS says of it.
//!
//! *iam*: the host signs `sts:GetCallerIdentity` with its role's credentials; the controller sends it to
//! STS, which tells whose it is. The signature covers a header that holds the controller's challenge, the
//! host's name and its key, so that it is good for this one join. The instance identity document goes
//! along where there is one. *iid*: the document alone.

use super::client::Client;
use super::identity::host_name;
use super::wire::{AwsProof, ChallengeAnswer, EnrolRequest, JOIN_HEADER, SignedCaller};
use crate::cloud::{Call, Cloud, Imds, likely, service};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{HostView, here};
use crate::secret::Secret;
use std::path::Path;

/// Which way was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// By a token if there is one, by its role on EC2.
    #[default]
    Auto,
    /// By a token.
    Token,
    /// By the signature of its role.
    Iam,
    /// By its identity document.
    Document,
}

impl Join {
    /// From its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "token" => Some(Self::Token),
            "iam" => Some(Self::Iam),
            "iid" => Some(Self::Document),
            _ => None,
        }
    }

    /// The way that it comes to on a host.
    pub(super) fn method(self, host: &dyn HostView, has_token: bool) -> Self {
        match self {
            Self::Auto if !has_token && likely(host) => Self::Iam,
            Self::Auto => Self::Token,
            other => other,
        }
    }

    /// Whether it is AWS's word that lets the host in.
    pub(super) const fn is_aws(&self) -> bool {
        matches!(self, Self::Iam | Self::Document)
    }

    /// What lets the host in.
    pub(super) fn ticket<'h>(
        self,
        token: Option<&Path>,
        host: &'h dyn HostView,
    ) -> Result<Ticket<'h>> {
        if self.is_aws() {
            return Ok(Ticket::Aws(Box::new(Way {
                cloud: Cloud::new(host),
                signs: self == Self::Iam,
            })));
        }
        let missing = |why: &str| {
            Error::new(
                ErrorKind::Usage,
                format!("this host is not enrolled, and there is no join token: {why}"),
            )
            .hint("make one on the controller: `lks-ctl token new`; on EC2, --join iam needs none")
        };
        let path = token.ok_or_else(|| missing("no --token-file is given"))?;
        let token = here::read_text(path)?;
        let token = token.ok_or_else(|| missing(&format!("{} does not exist", path.display())))?;
        Ok(Ticket::Token(Secret::new(token.trim().to_owned())))
    }
}

/// The name that a host wants.
pub(super) fn name(given: Option<&str>, way: &Join, host: &dyn HostView) -> Result<String> {
    match (given, way) {
        (Some(name), _) => Ok(name.to_owned()),
        (None, Join::Iam | Join::Document) => {
            let id = Imds::new(host).need("meta-data/instance-id")?;
            Ok(id.trim().to_owned())
        }
        (None, _) => Ok(host_name()),
    }
}

/// What lets a host in.
pub enum Ticket<'h> {
    /// A join token.
    Token(Secret<String>),
    /// What AWS says.
    Aws(Box<Way<'h>>),
}

/// The way by AWS.
pub struct Way<'h> {
    cloud: Cloud<'h>,
    signs: bool,
}

impl Way<'_> {
    /// What AWS says of this host, for one join. Asked anew for each: a challenge is good once.
    pub(super) fn proof(&self, client: &Client, name: &str, public_key: &str) -> Result<AwsProof> {
        let answer: ChallengeAnswer = client.post("/v1/enrol/challenge", &())?.json()?;
        let challenge = answer.challenge;
        let bond = EnrolRequest::bond(&challenge, name, public_key);
        let document = self.cloud.imds().get("dynamic/instance-identity/rsa2048");
        let (caller, document) = match self.signs {
            // In a container of EC2's there may be a role and no metadata service.
            true => (Some(self.signed(&bond)?), document.unwrap_or(None)),
            false => (None, document?),
        };
        if caller.is_none() && document.is_none() {
            return Err(Error::host("this host has no instance identity document"));
        }
        Ok(AwsProof {
            challenge,
            caller,
            document: document.map(|d| d.split_whitespace().collect()),
        })
    }

    fn signed(&self, bond: &str) -> Result<SignedCaller> {
        let region = self.cloud.region()?;
        let request = self.cloud.sign(&caller(bond).in_region(region.clone()))?;
        Ok(SignedCaller {
            region,
            headers: request.headers,
        })
    }
}

/// The call that tells whose credentials signed it. The controller sends the same one.
#[must_use]
pub fn caller(bond: &str) -> Call {
    Call::query(&service::STS, "GetCallerIdentity").header(JOIN_HEADER, bond)
}
