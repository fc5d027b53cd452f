//! Letting hosts in by what AWS says of them.
//!
//! `challenge` makes joins fresh, `allow` says whose hosts may come, `caller` asks STS who signed,
//! `document` verifies instance identity documents, `der` reads what they are made of. [`Gate`] puts
//! them together: a host is let in under its instance's id, which AWS never gives out twice.

mod allow;
mod caller;
mod challenge;
mod der;
mod document;
#[cfg(test)]
mod tests;

pub use allow::{Allow, Methods};
pub use document::Certificates;

use caller::Caller;
use challenge::Challenges;
use document::Document;
use lks_agent::error::{Error, Result};
use lks_agent::host::{HostView, here};
use lks_agent::uplink::wire::{AwsProof, EnrolRequest};

/// Whom AWS's word lets in.
pub struct Gate {
    rules: Vec<Allow>,
    methods: Methods,
    certificates: Certificates,
    /// An identity document may be of an instance that began so many seconds ago at most.
    window: u64,
    challenges: Challenges,
}

/// A host that may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The instance's id: the host's name.
    pub instance: String,
    /// For the audit log: by what, from where.
    pub detail: String,
}

impl Gate {
    /// A gate with these rules. `secret` is what controllers of one authority share.
    #[must_use]
    pub fn new(
        rules: Vec<Allow>,
        methods: Methods,
        certificates: Certificates,
        window: u64,
        secret: &[u8],
    ) -> Self {
        Self {
            rules,
            methods,
            certificates,
            window,
            challenges: Challenges::new(secret),
        }
    }

    /// Which methods it knows.
    #[must_use]
    pub const fn methods(&self) -> Methods {
        self.methods
    }

    /// A new challenge.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn challenge(&self, now: u64) -> Result<String> {
        self.challenges.issue(now)
    }

    /// Whether a challenge is one of ours, still good, and not used before. It is used up by this.
    ///
    /// # Errors
    /// When it is not.
    pub fn take_challenge(&self, challenge: &str, now: u64) -> Result<()> {
        self.challenges.take(challenge, now)
    }

    /// Who this is, in AWS's words. It asks STS, and so may wait for seconds.
    ///
    /// # Errors
    /// Of kind `Unreachable` when STS cannot be asked; otherwise when the host may not come in.
    pub fn admit(
        &self,
        request: &EnrolRequest,
        proof: &AwsProof,
        sts: &dyn HostView,
    ) -> Result<Admitted> {
        let now = here::now() as u64;
        let document = match &proof.document {
            Some(text) if self.methods.takes_documents() => Some(document::verified(
                text,
                &self.certificates,
                now,
                self.window,
            )?),
            _ => None,
        };
        match (&proof.caller, &document) {
            (Some(_), _) if !self.methods.takes_iam() => {
                Err(refused("the method iam is not allowed here"))
            }
            (Some(_), None) if self.methods.needs_document() => Err(refused(
                "an instance identity document is needed besides the role's signature",
            )),
            (Some(signed), _) => {
                let bond = EnrolRequest::bond(&proof.challenge, &request.name, &request.public_key);
                // Before anything is sent: only to regions that a rule names.
                if !self.rules.iter().any(|r| r.knows_region(&signed.region)) {
                    return Err(refused(format!(
                        "no rule allows the region {}",
                        signed.region
                    )));
                }
                let caller = caller::ask(signed, &bond, sts)?;
                self.by_caller(&caller, &signed.region, document.as_ref())
            }
            (None, Some(document)) if self.methods.takes_document_alone() => {
                self.by_document(document)
            }
            (None, _) => Err(refused(
                "an instance identity document alone is not enough here",
            )),
        }
    }

    fn by_caller(
        &self,
        caller: &Caller,
        signed_for: &str,
        document: Option<&Document>,
    ) -> Result<Admitted> {
        if let Some(document) = document
            && (document.account_id != caller.account || document.instance_id != caller.instance)
        {
            return Err(refused(format!(
                "the identity document is of {} in {}, the signature of {} in {}",
                document.instance_id, document.account_id, caller.instance, caller.account
            )));
        }
        // Where the instance is, as far as it is proved: a signature may be made for any region.
        let region = document.map_or(signed_for, |d| d.region.as_str());
        let fits = |r: &Allow| r.permits(&caller.account, Some(&caller.role), region);
        if !self.rules.iter().any(fits) {
            return Err(refused(format!(
                "no rule allows the role {} of account {} in {region}",
                caller.role, caller.account
            )));
        }
        let with = if document.is_some() {
            "iam and identity document"
        } else {
            "iam"
        };
        Ok(Admitted {
            instance: caller.instance.clone(),
            detail: format!("{with}: {} {} {region}", caller.account, caller.role),
        })
    }

    fn by_document(&self, document: &Document) -> Result<Admitted> {
        let (account, region) = (&document.account_id, &document.region);
        if !self.rules.iter().any(|r| r.permits(account, None, region)) {
            return Err(refused(format!(
                "no rule allows every role of account {account} in {region}, and a document tells none"
            )));
        }
        Ok(Admitted {
            instance: document.instance_id.clone(),
            detail: format!("identity document: {account} {region}"),
        })
    }
}

fn refused(why: impl Into<String>) -> Error {
    Error::host(why)
}

/// Whether a text is an instance's id ("Resource IDs" in the EC2 user guide).
fn is_instance(text: &str) -> bool {
    let digits = text.strip_prefix("i-").unwrap_or_default();
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    matches!(digits.len(), 8 | 17) && digits.chars().all(hex)
}
