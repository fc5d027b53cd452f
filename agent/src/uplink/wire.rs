//! What agents and the controller send each other: JSON over HTTPS. Readers skip fields that they do
//! not know, and fields that came later have defaults, so that one minor version older or newer works.

use serde::{Deserialize, Serialize};

/// The version of these messages, in the header [`HEADER`] as `VERSION.MINOR`. Another one is refused, and
/// so is a minor version that is more than one older or newer.
pub const VERSION: u32 = 1;
/// Grows with what is added. 1: renewal of keys, releases, facts.
pub const MINOR: u32 = 1;
/// The header that tells the version.
pub const HEADER: &str = "lks-wire";
/// A join token begins so.
pub const TOKEN_PREFIX: &str = "lks-join-";
/// No request is larger.
pub const MAX_BODY: usize = 16 << 20;
/// No event is larger: what is cut says so.
pub const MAX_EVENT: usize = 4 << 20;
/// The longest that a controller lets an agent wait for work, in seconds.
pub const MAX_WAIT: u64 = 50;

/// The header of a request that tells the agent's version and the beginning of its program's SHA-256.
pub const AGENT_HEADER: &str = "lks-agent";
/// The header of an answer that asks the host to make itself a new key.
pub const RENEW_HEADER: &str = "lks-renew";
/// The header of an answer that tells the counter of a release for this host.
pub const RELEASE_HEADER: &str = "lks-release";
/// The header of a run's events that tells how many hosts have not ended their part of it.
pub const UNFINISHED_HEADER: &str = "lks-unfinished";

/// Major and minor version in a header: `1` is 1.0.
#[must_use]
pub fn version(header: &str) -> Option<(u32, u32)> {
    let (major, minor) = header.split_once('.').unwrap_or((header, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A host that is in has a new key, and wants a certificate for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RenewRequest {
    /// The new ed25519 public key, in hex.
    pub public_key: String,
    /// Signature of [`RenewRequest::message`] by that key, in hex.
    pub proof: String,
}

impl RenewRequest {
    /// What is signed as a proof.
    #[must_use]
    pub fn message(name: &str, public_key: &str) -> Vec<u8> {
        format!("lks renew 1\n{name}\n{public_key}").into_bytes()
    }
}

/// What became of a release at a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The release.
    pub counter: u64,
    /// Whether the host runs it now.
    pub taken: bool,
    /// What happened, for people.
    pub text: String,
}

/// The signed header that binds a call of `sts:GetCallerIdentity` to one join: see [`EnrolRequest::bond`].
pub const JOIN_HEADER: &str = "x-lks-join";

/// A digest that no bundle has: what a host runs by itself came in none.
pub const NO_BUNDLE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The name of a run that a host began by itself, when EC2 gave it notice: it begins with the host's name,
/// so that no other host can report it.
#[must_use]
pub fn notice_run(host: &str, at: u64) -> String {
    format!("{}{at}", notice_prefix(host))
}

/// What names of such runs begin with.
#[must_use]
pub fn notice_prefix(host: &str) -> String {
    // No dot: those are the agent's own.
    format!("notice-{}-at-", host.replace('.', "_"))
}

/// A host wants in: by a token, or by what AWS says of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// The join token; empty where `aws` is there.
    #[serde(default)]
    pub token: String,
    /// What AWS says of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsProof>,
    /// The name that the host wants.
    pub name: String,
    /// Its ed25519 public key, in hex.
    pub public_key: String,
    /// Signature of [`EnrolRequest::message`] by that key, in hex: the key is the asker's own.
    pub proof: String,
    /// The agent's version.
    #[serde(default)]
    pub version: String,
}

impl EnrolRequest {
    /// What is signed as a proof. `token` is the join token, or the challenge.
    #[must_use]
    pub fn message(token: &str, name: &str, public_key: &str) -> Vec<u8> {
        format!("lks enrol 1\n{token}\n{name}\n{public_key}").into_bytes()
    }

    /// The value of [`JOIN_HEADER`]: what AWS is asked is good for this challenge, name and key only.
    #[must_use]
    pub fn bond(challenge: &str, name: &str, public_key: &str) -> String {
        let message = Self::message(challenge, name, public_key);
        crate::host::digest_of(&message, crate::host::Digest::Sha256)
    }
}

/// What a host that joins without a token asks first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChallengeAnswer {
    /// Good once, for some minutes.
    pub challenge: String,
}

/// What AWS says of a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AwsProof {
    /// The controller's challenge.
    pub challenge: String,
    /// A signed call of `sts:GetCallerIdentity`, for the controller to send (the method *iam*).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<SignedCaller>,
    /// The instance identity document in its RSA-2048 signature (PKCS #7, base64).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

/// The parts of a signed call that its sender cannot know: all else is fixed.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignedCaller {
    /// The region whose STS it was signed for.
    pub region: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
}

/// With the headers one could ask STS for minutes: they are not shown.
impl std::fmt::Debug for SignedCaller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "SignedCaller({}, {} headers)",
            self.region,
            self.headers.len()
        )
    }
}

/// The host is in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnrolAnswer {
    /// The name it has.
    pub name: String,
    /// Its certificate (DER, in hex).
    pub certificate: String,
}

/// A run for this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The run.
    pub run: String,
    /// SHA-256 of the bundle as it is fetched.
    pub bundle: String,
}

/// What happened, for the controller: each event is JSON as [`crate::event::Event`] writes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventBatch {
    /// The run.
    pub run: String,
    /// Events in the order in which they happened.
    pub events: Vec<serde_json::Value>,
}

/// How many events of a batch are stored now, new ones and repeated ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventsAnswer {
    /// All of them, or the request failed.
    pub stored: usize,
}

/// Why a request failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// For people.
    pub error: String,
}

/// Whether a text can be the name of a host or a run: it becomes part of paths and certificates.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, want) in [
            ("*", "web1", true),
            ("web*", "web1", true),
            ("web1", "web1", true),
            ("web1", "web10", false),
            ("*-db", "a-db", true),
            ("*-db", "a-db2", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("ab*b", "ab", false),
            ("", "x", false),
        ] {
            assert_eq!(
                crate::pattern::wildcard(pattern, name),
                want,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn names_are_no_paths() {
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "-x",
            "a b",
            "ü",
            "a\n",
            &"x".repeat(65),
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
        assert!(is_name("ip-10-0-0-5.ec2.internal"));
    }
}
