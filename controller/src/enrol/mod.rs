//! The controller's own certificate authority: it names hosts, and the controller itself. `aws` lets hosts
//! in by what AWS says of them.

pub mod aws;

use crate::told::moment;
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::here::{self, durable};
use lks_agent::host::{Digest, digest_of};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SignatureAlgorithm,
    date_time_ymd,
};
use std::path::Path;
use std::time::Duration;

/// Every certificate is good from here on, whenever it was made: hosts' clocks may be behind, and this
/// machine's may have been ahead. lks is younger, so that a clock that shows less is wrong.
const BEGIN: (i32, u8, u8) = (2025, 1, 1);
/// The same, in seconds since 1970.
const BEGIN_SECONDS: u64 = 1_735_689_600;
/// How many years the server's own certificate holds; it is made anew at every start.
const YEARS: i32 = 5;
/// How long a host's certificate holds if nothing is said, in seconds: a year, renewed after half of it.
/// Revocation does not wait for it: it is asked for at every request.
pub const LIFETIME: u64 = 365 * 24 * 60 * 60;

/// The authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
}

/// A certificate and its key, for TLS.
pub struct Served {
    /// The certificate, then the authority's (DER).
    pub chain: Vec<Vec<u8>>,
    /// The key (PKCS#8).
    pub key: Vec<u8>,
}

impl Authority {
    /// Reads the authority kept in a folder, or makes it. Its key never leaves the folder.
    ///
    /// # Errors
    /// When the folder holds half of one, or the disk refuses.
    pub fn open(dir: &Path) -> Result<Self> {
        let (key_path, certificate_path) = (dir.join("ca.key"), dir.join("ca.der"));
        let key = here::read_text(&key_path)?;
        let certificate = here::read(&certificate_path)?;
        let (key, certificate) = match (key, certificate) {
            (Some(key), Some(certificate)) => (KeyPair::from_pem(&key).map_err(bad)?, certificate),
            (None, None) => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(bad)?;
                let certificate = own_params()?.self_signed(&key).map_err(bad)?.der().to_vec();
                // The certificate goes last: with it there, both are.
                durable::replace(&key_path, key.serialize_pem().as_bytes(), 0o600)?;
                durable::replace(&certificate_path, &certificate, 0o644)?;
                (key, certificate)
            }
            (Some(_), None) => {
                // A kill came between the two: nobody has trusted this key yet.
                here::remove_file(&key_path);
                return Self::open(dir);
            }
            (None, Some(_)) => {
                return Err(Error::host(format!(
                    "{} is missing, and hosts trust it",
                    key_path.display()
                )));
            }
        };
        Ok(Self {
            issuer: Issuer::new(own_params()?, key),
            certificate,
        })
    }

    /// The authority's certificate (DER).
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// A secret that controllers of this authority share, and nobody else knows.
    #[must_use]
    pub fn secret(&self) -> Vec<u8> {
        self.issuer.key().serialize_der()
    }

    /// What agents pin: the SHA-256 of the authority's certificate.
    #[must_use]
    pub fn pin(&self) -> String {
        digest_of(&self.certificate, Digest::Sha256)
    }

    /// A certificate for the controller under these names and addresses, with a new key.
    ///
    /// # Errors
    /// When a name is none.
    pub fn serve(&self, names: &[String]) -> Result<Served> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(bad)?;
        let mut params = CertificateParams::new(names.to_vec()).map_err(bad)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "lks controller");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        validity(&mut params, YEARS);
        let certificate = params.signed_by(&key, &self.issuer).map_err(bad)?;
        Ok(Served {
            chain: vec![certificate.der().to_vec(), self.certificate.clone()],
            key: key.serialize_der(),
        })
    }

    /// A certificate (DER) for a host's ed25519 key, good for so many seconds for being a client, and for
    /// nothing else.
    ///
    /// # Errors
    /// When it cannot be made. Of kind `Unreachable` when this machine's clock is certainly wrong: a
    /// certificate that was given now would be over as soon as the clock is right.
    pub fn welcome(&self, name: &str, public_key: &[u8], lifetime: u64) -> Result<Vec<u8>> {
        let now = here::now() as u64;
        if now < BEGIN_SECONDS {
            let text = format!("the controller's clock is wrong: it shows {}", moment(now));
            return Err(Error::new(ErrorKind::Unreachable, text));
        }
        let mut params = CertificateParams::new(Vec::<String>::new()).map_err(bad)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        validity(&mut params, YEARS);
        params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(now + lifetime);
        let key = HostKey(public_key.to_vec());
        let certificate = params.signed_by(&key, &self.issuer).map_err(bad)?;
        Ok(certificate.der().to_vec())
    }
}

struct HostKey(Vec<u8>);

impl PublicKeyData for HostKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

fn own_params() -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::<String>::new()).map_err(bad)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "lks authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut params, 30);
    Ok(params)
}

fn validity(params: &mut CertificateParams, years: i32) {
    let (begin, month, day) = BEGIN;
    let year = 1970 + (here::now() / 31_556_952.0) as i32;
    params.not_before = date_time_ymd(begin, month, day);
    params.not_after = date_time_ymd(year.max(begin) + years, 1, 1);
}

fn bad(error: rcgen::Error) -> Error {
    Error::host("a certificate cannot be made").caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_day_of_certificates_is_one() {
        let (year, month, day) = BEGIN;
        let since = date_time_ymd(year, month, day) - date_time_ymd(1970, 1, 1);
        assert_eq!(since.whole_seconds(), BEGIN_SECONDS as i64);
    }
}
