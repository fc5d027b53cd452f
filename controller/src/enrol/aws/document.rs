//! Instance identity documents in their RSA-2048 signature ("Verify the instance identity document" in the
//! EC2 user guide): PKCS #7 (RFC 5652) with the document in it, signed by the region's certificate.

use super::der::{BIT_STRING, CONTEXT_0, Der, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, SET};
use super::{is_instance, refused};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lks_agent::error::{Error, ErrorKind, Result};
use ring::digest::{SHA256, digest};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;

/// `1.2.840.113549.1.7.2`: signed data.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// `1.2.840.113549.1.7.1`: data.
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
/// `1.2.840.113549.1.9.4`: the attribute with the content's digest.
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// `2.16.840.1.101.3.4.2.1`: SHA-256.
const OID_SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// AWS's certificates, a region each.
const PUBLISHED: &str = include_str!("certificates.pem");

/// What an instance identity document says, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    pub account_id: String,
    pub region: String,
    pub instance_id: String,
    /// When the instance began.
    pub pending_time: String,
}

/// The certificates by which regions sign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificates(Vec<Certificate>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Certificate {
    /// The regions that it is for; any if none is named.
    regions: Vec<String>,
    /// Its public key (PKCS #1).
    key: Vec<u8>,
}

impl Certificates {
    /// Those that AWS's EC2 user guide publishes ("AWS public certificates for instance identity document
    /// signatures"), a region each.
    ///
    /// # Errors
    /// When one cannot be read, which a test rules out.
    pub fn published() -> Result<Self> {
        Self::read(PUBLISHED)
    }

    /// Reads certificates in PEM. A line before one with regions' names (`# us-east-1 us-west-2`) says
    /// whose it is; one without is believed for every region.
    ///
    /// # Errors
    /// When one is none, or has no RSA key.
    pub fn read(text: &str) -> Result<Self> {
        let mut found = Vec::new();
        let (mut regions, mut pem): (Vec<String>, Option<String>) = (Vec::new(), None);
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            match (line, &mut pem) {
                ("-----BEGIN CERTIFICATE-----", None) => pem = Some(String::new()),
                ("-----END CERTIFICATE-----", Some(body)) => {
                    let der = STANDARD.decode(body.as_bytes()).ok();
                    let key = der.as_deref().and_then(public_key).ok_or_else(|| {
                        let place = number + 1;
                        Error::new(
                            ErrorKind::Usage,
                            format!("the certificate that ends in line {place} has no RSA key"),
                        )
                        .hint("AWS's page has three for each region: it is the one called RSA-2048")
                    })?;
                    found.push(Certificate {
                        regions: std::mem::take(&mut regions),
                        key: key.to_vec(),
                    });
                    pem = None;
                }
                (line, Some(body)) => body.push_str(line),
                (line, None) => {
                    let names = line.strip_prefix('#').unwrap_or_default();
                    regions.extend(names.split_whitespace().map(str::to_owned));
                }
            }
        }
        Ok(Self(found))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, region: &str) -> Vec<&Certificate> {
        let fits = |c: &&Certificate| c.regions.is_empty() || c.regions.iter().any(|r| r == region);
        self.0.iter().filter(fits).collect()
    }
}

#[cfg(test)]
impl Certificates {
    /// The region of each, and its key.
    pub fn named(&self) -> Vec<(String, Vec<u8>)> {
        let named = |c: &Certificate| (c.regions.join(" "), c.key.clone());
        self.0.iter().map(named).collect()
    }
}

/// The RSA key (PKCS #1) of an X.509 certificate (RFC 5280).
fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    let mut tbs = Reader::new(certificate)
        .take(SEQUENCE)?
        .inside()
        .take(SEQUENCE)?
        .inside();
    tbs.maybe(CONTEXT_0);
    tbs.take(INTEGER)?;
    // Algorithm, issuer, validity, subject.
    for _ in 0..4 {
        tbs.take(SEQUENCE)?;
    }
    let mut key = tbs.take(SEQUENCE)?.inside();
    key.take(SEQUENCE)?;
    let (&unused, bits) = key.take(BIT_STRING)?.content.split_first()?;
    let is_rsa = Reader::new(bits)
        .take(SEQUENCE)?
        .inside()
        .take(INTEGER)
        .is_some();
    (unused == 0 && is_rsa).then_some(bits)
}

/// What is in a signature: the content, what was signed, and the signature.
struct Signed<'a> {
    content: &'a [u8],
    /// Where attributes were signed in the content's stead, their DER: it names the content's digest.
    attributes: Option<Vec<u8>>,
    signature: &'a [u8],
}

/// Reads signed data with one signer.
fn signed(bytes: &[u8]) -> Option<Signed<'_>> {
    let mut outer = Reader::new(bytes).take(SEQUENCE)?.inside();
    if outer.take(OID)?.content != SIGNED_DATA {
        return None;
    }
    let mut data = outer.take(CONTEXT_0)?.inside().take(SEQUENCE)?.inside();
    data.take(INTEGER)?;
    data.take(SET)?;
    let mut inner = data.take(SEQUENCE)?.inside();
    if inner.take(OID)?.content != DATA {
        return None;
    }
    let content = inner.take(CONTEXT_0)?.inside().take(OCTET_STRING)?.content;
    // Certificates and revocation lists that came along are not believed, nor looked at.
    data.maybe(CONTEXT_0);
    data.maybe(CONTEXT_0 + 1);
    let mut signers = data.take(SET)?.inside();
    let mut signer = signers.take(SEQUENCE)?.inside();
    if !signers.is_empty() {
        return None;
    }
    signer.take(INTEGER)?;
    signer.next()?;
    if signer.take(SEQUENCE)?.inside().take(OID)?.content != OID_SHA256 {
        return None;
    }
    let attributes = signer.maybe(CONTEXT_0);
    signer.take(SEQUENCE)?;
    let signature = signer.take(OCTET_STRING)?.content;
    let attributes = match attributes {
        Some(found) if names_digest_of(found, content) => {
            // They are signed as the set that they are (RFC 5652, 5.4).
            let mut set = found.whole.to_vec();
            set[0] = SET;
            Some(set)
        }
        Some(_) => return None,
        None => None,
    };
    Some(Signed {
        content,
        attributes,
        signature,
    })
}

/// Whether signed attributes hold the digest of this content, and one only.
fn names_digest_of(attributes: Der<'_>, content: &[u8]) -> bool {
    let mut list = attributes.inside();
    let mut digests = Vec::new();
    while !list.is_empty() {
        let Some(mut attribute) = list.take(SEQUENCE).map(|a| a.inside()) else {
            return false;
        };
        let name = attribute.take(OID).map(|o| o.content);
        if name == Some(MESSAGE_DIGEST) {
            let value = attribute
                .take(SET)
                .and_then(|s| s.inside().take(OCTET_STRING));
            digests.push(value.map(|v| v.content));
        }
    }
    digests == [Some(digest(&SHA256, content).as_ref())]
}

/// A document that its region signed, of an instance that began at most `window` seconds ago.
///
/// # Errors
/// When it is none, was changed, or is too old.
pub fn verified(
    text: &str,
    certificates: &Certificates,
    now: u64,
    window: u64,
) -> Result<Document> {
    let none = || refused("the instance identity document is none");
    let plain: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(plain).map_err(|_| none())?;
    let signed = signed(&bytes).ok_or_else(none)?;
    // Read before it is believed, to learn whose certificate it needs.
    let document: Document = serde_json::from_slice(signed.content).map_err(|_| none())?;
    let message = signed.attributes.as_deref().unwrap_or(signed.content);
    let known = certificates.of(&document.region);
    if known.is_empty() {
        return Err(refused(format!(
            "this controller has no certificate of the region {:.32}",
            document.region
        )));
    }
    let fits = |c: &&Certificate| {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &c.key)
            .verify(message, signed.signature)
            .is_ok()
    };
    if !known.iter().any(fits) {
        return Err(refused(
            "the instance identity document was not signed by its region's certificate",
        ));
    }
    if !is_instance(&document.instance_id) {
        return Err(none());
    }
    let began = lks_agent::cloud::seconds(&document.pending_time).ok_or_else(none)?;
    let age = now as i64 - began;
    // The hypervisor's clock may be ahead of ours.
    if age > window as i64 || age < -300 {
        return Err(refused(format!(
            "the instance began {age} seconds ago, and {window} are allowed"
        )));
    }
    Ok(document)
}
