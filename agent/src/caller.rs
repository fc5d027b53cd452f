//! As whom AWS is asked by inventories and lookups: the options that all plugins of the collection
//! `amazon.aws` have in common, under all their names (its documentation fragments `common`, `region` and
//! `assume_role`).

use crate::error::{Error, Result};
use crate::secret::Secret;

/// As whom, and where, AWS is asked. What is not said is the machine's own: its environment, its profile,
/// its role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// A profile of `~/.aws/config` and `~/.aws/credentials`.
    pub profile: Option<String>,
    /// A pair of keys, in the place of a profile.
    pub keys: Option<Keys>,
    /// The ARN of a role to assume as the one that profile or keys mean.
    pub role: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The address to ask, in the place of AWS's own.
    pub endpoint: Option<String>,
}

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Its id.
    pub id: String,
    /// The key itself.
    pub secret: Secret<String>,
    /// What goes with keys that expire.
    pub token: Option<Secret<String>>,
}

/// How many names [`NAMES`] has.
pub const COUNT: usize = 20;

/// Every name of every option here.
pub const NAMES: [&str; COUNT] = [
    PROFILE[0],
    PROFILE[1],
    PROFILE[2],
    KEY[0],
    KEY[1],
    KEY[2],
    SECRET[0],
    SECRET[1],
    SECRET[2],
    TOKEN[0],
    TOKEN[1],
    TOKEN[2],
    ROLE[0],
    ROLE[1],
    REGION[0],
    REGION[1],
    REGION[2],
    ENDPOINT[0],
    ENDPOINT[1],
    ENDPOINT[2],
];
const PROFILE: [&str; 3] = ["profile", "aws_profile", "boto_profile"];
const KEY: [&str; 3] = ["access_key", "aws_access_key", "aws_access_key_id"];
const SECRET: [&str; 3] = ["secret_key", "aws_secret_key", "aws_secret_access_key"];
const TOKEN: [&str; 3] = ["session_token", "aws_session_token", "aws_security_token"];
const ROLE: [&str; 2] = ["assume_role_arn", "iam_role_arn"];
const REGION: [&str; 3] = ["region", "aws_region", "ec2_region"];
const ENDPOINT: [&str; 3] = ["endpoint_url", "aws_endpoint_url", "endpoint"];

impl Caller {
    /// What the options say; `option` gives the text of one, and nothing where it is not set.
    ///
    /// # Errors
    /// Those of `option`; when keys are given in part, or beside a profile.
    pub fn read<E: From<Error>>(
        option: impl Fn(&str) -> std::result::Result<Option<String>, E>,
    ) -> std::result::Result<Self, E> {
        let first = |names: &[&str]| {
            for name in names {
                if let Some(text) = option(name)?.filter(|text| !text.is_empty()) {
                    return Ok(Some(text));
                }
            }
            Ok::<_, E>(None)
        };
        let (id, secret, token) = (first(&KEY)?, first(&SECRET)?, first(&TOKEN)?);
        let caller = Self {
            profile: first(&PROFILE)?,
            keys: keys(id, secret, token)?,
            role: first(&ROLE)?,
            region: first(&REGION)?,
            endpoint: first(&ENDPOINT)?,
        };
        match (&caller.profile, &caller.keys) {
            (Some(profile), Some(_)) => Err(Error::params(format!(
                "both the profile {profile} and an access key are given, and AWS can be asked as one only"
            ))
            .into()),
            _ => Ok(caller),
        }
    }
}

fn keys(id: Option<String>, secret: Option<String>, token: Option<String>) -> Result<Option<Keys>> {
    match (id, secret) {
        (Some(id), Some(secret)) => Ok(Some(Keys {
            id,
            secret: Secret::new(secret),
            token: token.map(Secret::new),
        })),
        (None, None) if token.is_none() => Ok(None),
        (id, secret) => {
            let missing = match (id, secret) {
                (None, _) => KEY[0],
                _ => SECRET[0],
            };
            Err(Error::params(format!(
                "an access key is given in part: `{missing}` is missing"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[(&str, &str)]) -> Result<Caller> {
        let find = |name: &str| options.iter().find(|(n, _)| *n == name);
        Caller::read(|name| Ok::<_, Error>(find(name).map(|(_, text)| (*text).to_owned())))
    }

    #[test]
    fn every_name_is_read() {
        for name in NAMES {
            let mut options = vec![(name, "x")];
            // A part of a key asks for the others.
            options.extend(
                [("access_key", "a"), ("secret_key", "s")]
                    .into_iter()
                    .filter(|_| {
                        KEY.contains(&name) || SECRET.contains(&name) || TOKEN.contains(&name)
                    }),
            );
            let caller = read(&options).unwrap();
            assert_ne!(caller, Caller::default(), "{name}");
        }
        assert_eq!(read(&[]).unwrap(), Caller::default());
    }

    #[test]
    fn half_a_key_and_two_identities_are_refused() {
        for (options, words) in [
            (vec![("access_key", "a")], "`secret_key` is missing"),
            (vec![("secret_key", "s")], "`access_key` is missing"),
            (vec![("session_token", "t")], "`access_key` is missing"),
            (
                vec![
                    ("access_key", "a"),
                    ("secret_key", "s"),
                    ("aws_profile", "prod"),
                ],
                "both the profile prod and an access key",
            ),
        ] {
            let said = read(&options).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
    }
}
