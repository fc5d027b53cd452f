//! TLS ciphers by OpenSSL's names (`ciphers(1)`): which of those that are here a list of them means.

use crate::error::{Error, Result};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{CipherSuite, ProtocolVersion, SupportedCipherSuite};

/// The ciphers of TLS 1.2 that are here, under OpenSSL's names and the words that mean several.
/// Those of TLS 1.3 are no matter of this list, as with OpenSSL.
const SUITES: &[(CipherSuite, &str, &[&str])] = &[
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        &["aECDSA", "ECDSA", "AES256", "AES", "AESGCM", "SHA384"],
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        &["aECDSA", "ECDSA", "AES128", "AES", "AESGCM", "SHA256"],
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        &["aECDSA", "ECDSA", "CHACHA20", "SHA256"],
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-RSA-AES256-GCM-SHA384",
        &["aRSA", "RSA", "AES256", "AES", "AESGCM", "SHA384"],
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-RSA-AES128-GCM-SHA256",
        &["aRSA", "RSA", "AES128", "AES", "AESGCM", "SHA256"],
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-RSA-CHACHA20-POLY1305",
        &["aRSA", "RSA", "CHACHA20", "SHA256"],
    ),
];

/// What all of them are.
const COMMON: &[&str] = &[
    "ALL", "DEFAULT", "HIGH", "SECURE", "ECDHE", "EECDH", "kECDHE", "kEECDH", "TLSv1.2", "AEAD",
];

/// The provider with only the ciphers that are wanted.
///
/// # Errors
/// When none of them is here.
pub(super) fn provider(wanted: &[String]) -> Result<CryptoProvider> {
    let mut provider = ring::default_provider();
    if wanted.is_empty() {
        return Ok(provider);
    }
    let chosen = choose(wanted);
    if chosen.is_empty() {
        let names: Vec<&str> = SUITES.iter().map(|(_, name, _)| *name).collect();
        return Err(Error::params(format!(
            "no cipher can be selected of `{}`",
            wanted.join(":")
        ))
        .hint(format!("there are {}", names.join(", "))));
    }
    let is_new = |s: &SupportedCipherSuite| s.version().version == ProtocolVersion::TLSv1_3;
    let at = |s: &SupportedCipherSuite| chosen.iter().position(|c| *c == s.suite());
    provider
        .cipher_suites
        .retain(|s| is_new(s) || at(s).is_some());
    // The client's order is its preference: the new ones, then as the list has them.
    provider
        .cipher_suites
        .sort_by_key(|s| at(s).map_or(0, |i| i + 1));
    Ok(provider)
}

/// The ciphers that a list means, in its order: names and words add (`ECDHE+AESGCM`: both), `!` and
/// `-` take away. What is unknown means nothing, as with OpenSSL.
fn choose(wanted: &[String]) -> Vec<CipherSuite> {
    let mut chosen = Vec::new();
    let words = wanted.iter().flat_map(|w| w.split([':', ',', ' ']));
    let (without, with): (Vec<&str>, Vec<&str>) = words
        .filter(|w| !w.is_empty() && !w.starts_with('@'))
        .partition(|w| w.starts_with(['!', '-']));
    for word in with {
        for suite in meant(word.trim_start_matches('+')) {
            if !chosen.contains(&suite) {
                chosen.push(suite);
            }
        }
    }
    for word in without {
        let gone: Vec<CipherSuite> = meant(&word[1..]).collect();
        chosen.retain(|suite| !gone.contains(suite));
    }
    chosen
}

fn meant(word: &str) -> impl Iterator<Item = CipherSuite> + '_ {
    SUITES
        .iter()
        .filter(move |(_, name, words)| {
            word.split('+')
                .all(|w| w == *name || words.contains(&w) || COMMON.contains(&w))
        })
        .map(|(suite, _, _)| *suite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_means_what_openssl_means_by_it_of_what_is_here() {
        let names = |list: &[&str]| -> Vec<&str> {
            let list: Vec<String> = list.iter().map(|w| (*w).to_owned()).collect();
            let name = |suite| SUITES.iter().find(|(s, _, _)| *s == suite).map(|s| s.1);
            choose(&list).into_iter().filter_map(name).collect()
        };
        assert_eq!(names(&["DEFAULT"]).len(), 6);
        assert_eq!(names(&["DEFAULT:!AES"]).len(), 2);
        assert_eq!(
            names(&["ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA"]),
            ["ECDHE-RSA-AES128-GCM-SHA256"]
        );
        assert_eq!(names(&["@SECLEVEL=2:ECDHE+AESGCM+aRSA"]).len(), 2);
        assert!(names(&["RC4-MD5"]).is_empty());
        assert!(provider(&["RC4-MD5".to_owned()]).is_err());
        let one = provider(&["ECDHE-RSA-AES128-GCM-SHA256".to_owned()]).unwrap();
        assert_eq!(one.cipher_suites.len(), 4, "three of TLS 1.3, and it");
    }
}
