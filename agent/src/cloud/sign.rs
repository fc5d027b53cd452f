//! AWS Signature Version 4 ("Create a signed AWS API request" in the IAM user guide, "Authenticating
//! Requests" in the S3 API reference).

use super::credentials::Credentials;
use super::encode::{pairs, percent, plain_path};
use crate::encoding::hex;
use crate::host::{Digest, digest_of};
use crate::module::time::Civil;
use ring::hmac;

/// The name of the algorithm.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The digest that says that a body is not signed; S3 takes it in signed URLs.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What a signature is made over, and in whose name.
#[derive(Clone, Debug)]
pub struct Signing<'a> {
    pub credentials: &'a Credentials,
    pub region: &'a str,
    /// The service's name in signatures.
    pub service: &'a str,
    /// Seconds since 1970.
    pub now: f64,
}

/// A request as it is signed.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    pub method: &'a str,
    /// The server's name as the header `host` has it.
    pub host: &'a str,
    /// The path before encoding.
    pub path: &'a str,
    pub query: &'a [(String, String)],
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
}

/// `20150830T123600Z`.
#[must_use]
pub fn amz_date(seconds: f64) -> String {
    let t = Civil::utc(seconds.floor());
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        t.year, t.month, t.day, t.hour, t.minute, t.second
    )
}

/// The headers that a request must have besides its own, the signature among them. All of its own are
/// signed, too.
#[must_use]
pub fn signed(how: &Signing<'_>, parts: &Parts<'_>) -> Vec<(String, String)> {
    let date = amz_date(how.now);
    let digest = digest_of(parts.body, Digest::Sha256);
    let mut added = vec![("x-amz-date".to_owned(), date.clone())];
    if how.service == "s3" {
        added.push(("x-amz-content-sha256".into(), digest.clone()));
    }
    if let Some(token) = &how.credentials.token {
        added.push(("x-amz-security-token".into(), token.reveal().clone()));
    }
    let mut headers = parts.headers.to_vec();
    headers.extend(added.iter().cloned());
    let (canonical, names) = canonical_headers(parts.host, &headers);
    let request = [
        parts.method,
        &canonical_path(how.service, parts.path),
        &canonical_query(parts.query),
        &canonical,
        &names,
        &digest,
    ]
    .join("\n");
    let signature = how.signature(&date, &request);
    let value = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={names}, Signature={signature}",
        how.credentials.key,
        how.scope(&date)
    );
    added.push(("authorization".into(), value));
    added
}

/// The query of a URL that is good for `seconds` without any header but `host`.
#[must_use]
pub fn url_signed(how: &Signing<'_>, parts: &Parts<'_>, seconds: u64) -> String {
    let date = amz_date(how.now);
    let mut query = parts.query.to_vec();
    let mut add = |name: &str, value: String| query.push((name.into(), value));
    add("X-Amz-Algorithm", ALGORITHM.into());
    add(
        "X-Amz-Credential",
        format!("{}/{}", how.credentials.key, how.scope(&date)),
    );
    add("X-Amz-Date", date.clone());
    add("X-Amz-Expires", seconds.to_string());
    if let Some(token) = &how.credentials.token {
        add("X-Amz-Security-Token", token.reveal().clone());
    }
    let (canonical, names) = canonical_headers(parts.host, parts.headers);
    add("X-Amz-SignedHeaders", names.clone());
    let digest = match how.service {
        "s3" => UNSIGNED.to_owned(),
        _ => digest_of(parts.body, Digest::Sha256),
    };
    let query = canonical_query(&query);
    let request = [
        parts.method,
        &canonical_path(how.service, parts.path),
        &query,
        &canonical,
        &names,
        &digest,
    ]
    .join("\n");
    let signature = how.signature(&date, &request);
    format!("{query}&X-Amz-Signature={signature}")
}

impl Signing<'_> {
    fn scope(&self, date: &str) -> String {
        format!(
            "{}/{}/{}/aws4_request",
            &date[..8],
            self.region,
            self.service
        )
    }

    fn signature(&self, date: &str, request: &str) -> String {
        let text = format!(
            "{ALGORITHM}\n{date}\n{}\n{}",
            self.scope(date),
            digest_of(request.as_bytes(), Digest::Sha256)
        );
        let secret = format!("AWS4{}", self.credentials.secret.reveal());
        let steps = [&date[..8], self.region, self.service, "aws4_request", &text];
        let signed = steps
            .iter()
            .fold(secret.into_bytes(), |key, text| mac(&key, text));
        hex(&signed)
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

/// The path as it is sent.
pub(super) fn sent_path(service: &str, path: &str) -> String {
    match service {
        "s3" => percent(path, "/"),
        _ => percent(&plain_path(path), "/"),
    }
}

/// As it is signed: everywhere but in S3, what is sent is encoded once more.
fn canonical_path(service: &str, path: &str) -> String {
    let sent = sent_path(service, path);
    match service {
        "s3" => sent,
        _ => percent(&sent, "/"),
    }
}

/// Sorted by the encoded names, then the values.
pub(super) fn canonical_query(query: &[(String, String)]) -> String {
    let mut sorted: Vec<(String, String)> = query
        .iter()
        .map(|(n, v)| (percent(n, ""), percent(v, "")))
        .collect();
    sorted.sort();
    let one = |(name, value): (String, String)| format!("{name}={value}");
    sorted.into_iter().map(one).collect::<Vec<_>>().join("&")
}

/// The header lines and the list of their names: lower case, sorted, with single blanks; values of a
/// name that stands twice are joined.
fn canonical_headers(host: &str, headers: &[(String, String)]) -> (String, String) {
    let mut lines: Vec<(String, String)> = vec![("host".into(), host.into())];
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        match lines.iter_mut().find(|(n, _)| *n == name) {
            Some((_, known)) => *known = format!("{known},{value}"),
            None => lines.push((name, value)),
        }
    }
    lines.sort();
    let names: Vec<&str> = lines.iter().map(|(n, _)| n.as_str()).collect();
    let text = lines.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
    (text, names.join(";"))
}

/// A form of these pairs.
pub(super) fn form(list: &[(String, String)]) -> Vec<u8> {
    pairs(list).into_bytes()
}
