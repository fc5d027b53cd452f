//! Whose hosts may come in, and by which methods.

use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::pattern::wildcard;

/// A rule: hosts of an account, with a role, in some regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    account: String,
    /// A pattern.
    role: String,
    /// Patterns.
    regions: Vec<String>,
}

impl Allow {
    /// Reads `ACCOUNT/ROLE@REGION,REGION`. Role and regions are patterns with `*`; the account is not:
    /// whoever has an account at AWS has roles of any name in it.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::new(ErrorKind::Usage, format!("`{text}` is no rule: {why}")).hint(
                "a rule is ACCOUNT/ROLE@REGION,REGION, such as 123456789012/worker-*@us-east-1",
            )
        };
        let (whose, regions) = text
            .split_once('@')
            .ok_or_else(|| bad("it names no region"))?;
        let (account, role) = whose
            .split_once('/')
            .ok_or_else(|| bad("it names no role"))?;
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad("an account has 12 digits"));
        }
        let role_char = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_*".contains(c);
        if role.is_empty() || !role.chars().all(role_char) {
            return Err(bad("a role has letters, digits and `+=,.@-_`, and no path"));
        }
        let region_char =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-*".contains(c);
        let regions: Vec<String> = regions.split(',').map(str::to_owned).collect();
        if regions
            .iter()
            .any(|r| r.is_empty() || !r.chars().all(region_char))
        {
            return Err(bad("a region has letters, digits and `-`"));
        }
        Ok(Self {
            account: account.to_owned(),
            role: role.to_owned(),
            regions,
        })
    }

    /// Whether it lets such a host in. Without a role, only a rule for all roles does.
    #[must_use]
    pub fn permits(&self, account: &str, role: Option<&str>, region: &str) -> bool {
        let role_fits = match role {
            Some(role) => wildcard(&self.role, role),
            None => self.role == "*",
        };
        self.account == account && role_fits && self.knows_region(region)
    }

    /// Whether it names this region.
    #[must_use]
    pub fn knows_region(&self, region: &str) -> bool {
        self.regions.iter().any(|r| wildcard(r, region))
    }
}

/// By which methods hosts join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods {
    token: bool,
    iam: bool,
    iam_with_document: bool,
    document: bool,
}

impl Methods {
    /// Reads a list such as `iam+iid,token`.
    ///
    /// # Errors
    /// When a word is no method.
    pub fn parse(text: &str) -> Result<Self> {
        let mut found = Self {
            token: false,
            iam: false,
            iam_with_document: false,
            document: false,
        };
        for word in text.split(',').map(str::trim) {
            *match word {
                "token" => &mut found.token,
                "iam" => &mut found.iam,
                "iam+iid" => &mut found.iam_with_document,
                "iid" => &mut found.document,
                _ => {
                    return Err(Error::new(
                        ErrorKind::Usage,
                        format!("`{word}` is no way to join: token, iam, iam+iid and iid are"),
                    ));
                }
            } = true;
        }
        Ok(found)
    }

    /// Whether tokens let hosts in.
    #[must_use]
    pub const fn takes_tokens(self) -> bool {
        self.token
    }

    /// Whether AWS's word lets hosts in.
    #[must_use]
    pub const fn takes_aws(self) -> bool {
        self.takes_iam() || self.document
    }

    pub(super) const fn takes_iam(self) -> bool {
        self.iam || self.iam_with_document
    }

    pub(super) const fn needs_document(self) -> bool {
        self.iam_with_document && !self.iam
    }

    pub(super) const fn takes_document_alone(self) -> bool {
        self.document
    }

    /// Whether identity documents matter.
    #[must_use]
    pub const fn takes_documents(self) -> bool {
        self.document || self.iam_with_document
    }
}
