//! Signatures against AWS's own examples: its published test suite for Signature Version 4 (the cases'
//! names are theirs), and the examples of its documentation.

use super::super::credentials::Credentials;
use super::super::sign::{Parts, Signing, amz_date, signed, url_signed};
use crate::secret::Secret;

const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30T12:36:00Z.
const SUITE: f64 = 1_440_938_160.0;

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn owned(pairs: Pairs<'_>) -> Vec<(String, String)> {
    let one = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    pairs.iter().map(one).collect()
}

fn credentials(key: &str, secret: &str, token: Option<&str>) -> Credentials {
    Credentials {
        key: key.into(),
        secret: Secret::new(secret.into()),
        token: token.map(|t| Secret::new(t.into())),
        expires: None,
    }
}

struct Case<'a> {
    service: &'a str,
    region: &'a str,
    now: f64,
    host: &'a str,
    method: &'a str,
    path: &'a str,
    query: Pairs<'a>,
    headers: Pairs<'a>,
    body: &'a str,
    token: Option<&'a str>,
}

const SUITE_CASE: Case<'_> = Case {
    service: "service",
    region: "us-east-1",
    now: SUITE,
    host: "example.amazonaws.com",
    method: "GET",
    path: "/",
    query: &[],
    headers: &[],
    body: "",
    token: None,
};

impl Case<'_> {
    fn both(&self) -> (String, String) {
        let credentials = credentials("AKIDEXAMPLE", KEY, self.token);
        self.with(&credentials)
    }

    /// The signatures in the header and in the URL.
    fn with(&self, credentials: &Credentials) -> (String, String) {
        let how = Signing {
            credentials,
            region: self.region,
            service: self.service,
            now: self.now,
        };
        let (query, headers) = (owned(self.query), owned(self.headers));
        let parts = Parts {
            method: self.method,
            host: self.host,
            path: self.path,
            query: &query,
            headers: &headers,
            body: self.body.as_bytes(),
        };
        let added = signed(&how, &parts);
        let header = added.iter().find(|(n, _)| n == "authorization").unwrap();
        let last = |text: &str| text.rsplit('=').next().unwrap().to_owned();
        (last(&header.1), last(&url_signed(&how, &parts, 3600)))
    }
}

#[test]
fn signatures_are_those_of_the_published_suite() {
    const STS: &str = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    const LETTERS: &str = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let cases = [
        (
            "get-vanilla",
            SUITE_CASE,
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d",
        ),
        (
            "get-vanilla-query-order-key-case",
            Case {
                query: &[("Param2", "value2"), ("Param1", "value1")],
                ..SUITE_CASE
            },
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5",
        ),
        (
            "get-vanilla-query-unreserved",
            Case {
                query: &[(LETTERS, LETTERS)],
                ..SUITE_CASE
            },
            "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
            "8e76a88a7433637b12778d5592799b29ad21ecd6cf6325051c21d86f0acda2bf",
        ),
        (
            "get-header-value-trim",
            Case {
                headers: &[("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")],
                ..SUITE_CASE
            },
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            "e7bb0fd515e125e1aec2ecc4c0c17484fb06f6846b927c35e46005dd3df3acd4",
        ),
        (
            "get-header-key-duplicate",
            Case {
                headers: &[
                    ("My-Header1", "value2"),
                    ("My-Header1", "value2"),
                    ("My-Header1", "value1"),
                ],
                ..SUITE_CASE
            },
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
            "3349ee0b81b4b589da0ff28a395c3591e04de515651dd74f298fa992d1507a97",
        ),
        (
            "get-relative-normalized",
            Case {
                path: "/example/..",
                ..SUITE_CASE
            },
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d",
        ),
        (
            "get-slashes-normalized",
            Case {
                path: "//example//",
                ..SUITE_CASE
            },
            "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
            "c1834e8fb0307243711f0f907f6ab7311ed300d87f13792d7ee4da89ab93e082",
        ),
        (
            "get-vanilla-with-session-token",
            Case {
                token: Some(STS),
                ..SUITE_CASE
            },
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
            "7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c",
        ),
    ];
    for (name, case, header, url) in cases {
        assert_eq!(case.both(), (header.to_owned(), url.to_owned()), "{name}");
    }
    let form = Case {
        method: "POST",
        headers: &[
            (
                "Content-Type",
                "application/x-www-form-urlencoded; charset=utf-8",
            ),
            ("Content-Length", "13"),
            (
                "x-amz-content-sha256",
                "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
            ),
        ],
        body: "Param1=value1",
        ..SUITE_CASE
    };
    assert_eq!(
        form.both().0,
        "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
        "post-x-www-form-urlencoded-parameters"
    );
    let path = Case {
        service: "lambda",
        region: "us-east-2",
        now: 1_620_747_645.0,
        host: "lambda.us-east-2.amazonaws.com",
        method: "POST",
        path: "/2015-03-31/functions/arn:aws:lambda:us-west-2:892717189312:function:my-rusty-fun/invocations",
        ..SUITE_CASE
    };
    assert_eq!(
        path.both().0,
        "4b93abbcc68be32bd64c18e2c71150660ab4c29bbd6c32a383a7517a88fc1804",
        "double-url-encode"
    );
}

/// "Authenticating Requests" in the S3 API reference: GET Object, and a presigned URL.
#[test]
fn signatures_of_s3_are_those_of_its_reference() {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let who = credentials("AKIAIOSFODNN7EXAMPLE", secret, None);
    let get = Case {
        service: "s3",
        now: 1_369_353_600.0,
        host: "examplebucket.s3.amazonaws.com",
        path: "/test.txt",
        headers: &[("Range", "bytes=0-9")],
        ..SUITE_CASE
    };
    assert_eq!(
        get.with(&who).0,
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
    let how = Signing {
        credentials: &who,
        region: "us-east-1",
        service: "s3",
        now: 1_369_353_600.0,
    };
    let parts = Parts {
        method: "GET",
        host: "examplebucket.s3.amazonaws.com",
        path: "/test.txt",
        query: &[],
        headers: &[],
        body: b"",
    };
    let url = url_signed(&how, &parts, 86_400);
    assert!(
        url.ends_with(
            "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        ),
        "{url}"
    );
}

#[test]
fn moments_are_written_as_signatures_want_them() {
    assert_eq!(amz_date(SUITE + 0.9), "20150830T123600Z");
}
