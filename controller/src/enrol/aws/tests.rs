//! What is let in, and what is not.

use super::der::{BIT_STRING, Reader, SEQUENCE};
use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lks_agent::cloud::{Cloud, amz_date};
use lks_agent::error::ErrorKind;
use lks_agent::host::FakeHost;
use lks_agent::uplink::join::caller as call;
use lks_agent::uplink::wire::{JOIN_HEADER, SignedCaller};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

const INSTANCE: &str = "i-0123456789abcdef0";
const ACCOUNT: &str = "123456789012";
const STS: &str = "https://sts.us-east-1.amazonaws.com/";

fn gate(rules: &[&str], methods: &str, certificates: Certificates) -> Gate {
    let rules = rules.iter().map(|r| Allow::parse(r).expect("a rule"));
    let methods = Methods::parse(methods).expect("methods");
    Gate::new(rules.collect(), methods, certificates, 3600, b"secret")
}

fn now() -> u64 {
    here::now() as u64
}

/// A host in memory that signs with some credentials.
fn host() -> FakeHost {
    FakeHost::new()
        .with_now(here::now())
        .with_env("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE")
        .with_env("AWS_SECRET_ACCESS_KEY", "x")
        .with_env("AWS_SESSION_TOKEN", "y")
        .with_env("AWS_REGION", "us-east-1")
}

fn request(challenge: &str) -> (EnrolRequest, AwsProof) {
    let request = EnrolRequest {
        token: String::new(),
        aws: None,
        name: INSTANCE.into(),
        public_key: "ab".repeat(32),
        proof: String::new(),
        version: String::new(),
    };
    let bond = EnrolRequest::bond(challenge, &request.name, &request.public_key);
    let headers = Cloud::new(&host())
        .sign(&call(&bond))
        .expect("signs")
        .headers;
    let proof = AwsProof {
        challenge: challenge.into(),
        caller: Some(SignedCaller {
            region: "us-east-1".into(),
            headers,
        }),
        document: None,
    };
    (request, proof)
}

/// An STS that says that the caller is this.
fn sts(arn: &str, account: &str) -> FakeHost {
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>{arn}</Arn><UserId>AROAX:{INSTANCE}</UserId><Account>{account}</Account></GetCallerIdentityResult>\
         </GetCallerIdentityResponse>"
    );
    FakeHost::new().serving(STS, 200, body)
}

fn instance_of(role: &str) -> FakeHost {
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{INSTANCE}");
    sts(&arn, ACCOUNT)
}

const RULE: &str = "123456789012/worker-*@us-east-1,us-west-2";

#[test]
fn rules_are_read_and_none_is_wider_than_it_says() {
    let rule = Allow::parse(RULE).expect("a rule");
    assert!(rule.permits(ACCOUNT, Some("worker-gpu"), "us-west-2"));
    for (account, role, region) in [
        ("123456789013", Some("worker-gpu"), "us-west-2"),
        (ACCOUNT, Some("admin"), "us-west-2"),
        (ACCOUNT, Some("worker-gpu"), "eu-west-1"),
        (ACCOUNT, None, "us-west-2"),
    ] {
        assert!(
            !rule.permits(account, role, region),
            "{account} {role:?} {region}"
        );
    }
    for bad in [
        "",
        "123456789012",
        "123456789012/x",
        "*/x@*",
        "12345678901/x@*",
        "123456789012/@*",
        "123456789012/x@",
        "123456789012/a/b@*",
        "123456789012/x@us-east-1,",
    ] {
        assert!(Allow::parse(bad).is_err(), "{bad}");
    }
    assert!(Methods::parse("iam,nonsense").is_err());
    assert!(!Methods::parse("iam+iid").expect("a list").takes_tokens());
}

#[test]
fn a_challenge_is_good_once_and_for_minutes() {
    let gate = gate(&[RULE], "iam", Certificates::default());
    let challenge = gate.challenge(1000).expect("one");
    gate.take_challenge(&challenge, 1100).expect("good");
    let word = |result: Result<()>| result.expect_err("refused").message();
    assert!(word(gate.take_challenge(&challenge, 1101)).contains("used before"));
    let late = gate.challenge(1000).expect("one");
    assert!(word(gate.take_challenge(&late, 1121)).contains("expired"));
    let other = Gate::new(
        Vec::new(),
        Methods::parse("iam").expect("one"),
        Certificates::default(),
        1,
        b"other",
    );
    let foreign = other.challenge(1000).expect("one");
    assert!(word(gate.take_challenge(&foreign, 1000)).contains("none of this controller's"));
    let moved = late.replacen("1000", "9000", 1);
    for bad in ["", "x", "..", &moved] {
        assert!(
            word(gate.take_challenge(bad, 9000)).contains("none of"),
            "{bad}"
        );
    }
}

#[test]
fn an_instance_of_an_allowed_role_is_let_in_under_its_id() {
    let gate = gate(&[RULE], "iam", Certificates::default());
    let (asked, proof) = request("c1");
    let asks = instance_of("worker-gpu");
    let admitted = gate.admit(&asked, &proof, &asks).expect("let in");
    assert_eq!(admitted.instance, INSTANCE);
    // STS got the host's headers, and a body of ours.
    let sent = asks.requested().pop().expect("asked");
    assert_eq!(sent.url, STS);
    let body = String::from_utf8(sent.body.expect("a body")).expect("text");
    assert_eq!(body, "Action=GetCallerIdentity&Version=2011-06-15");
    assert!(sent.headers.iter().any(|(n, _)| n == JOIN_HEADER));
}

#[test]
fn other_accounts_roles_and_kinds_of_callers_stay_out() {
    let gate = gate(&[RULE], "iam", Certificates::default());
    let (asked, proof) = request("c1");
    let word = |sts: &FakeHost| {
        gate.admit(&asked, &proof, sts)
            .expect_err("refused")
            .message()
    };
    assert!(word(&instance_of("admin")).contains("no rule allows the role admin"));
    let other = format!("arn:aws:sts::999999999999:assumed-role/worker-gpu/{INSTANCE}");
    assert!(word(&sts(&other, "999999999999")).contains("account 999999999999"));
    for arn in [
        "arn:aws:iam::123456789012:user/worker-gpu",
        "arn:aws:iam::123456789012:root",
        "arn:aws:sts::123456789012:assumed-role/worker-gpu/somebody",
        "arn:aws:sts::123456789012:federated-user/x",
        &other,
    ] {
        assert!(
            word(&sts(arn, ACCOUNT)).contains("no instance's role"),
            "{arn}"
        );
    }
    let refusing = FakeHost::new().serving(
        STS,
        403,
        "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>",
    );
    assert!(word(&refusing).contains("SignatureDoesNotMatch"));
    let busy = FakeHost::new().serving(STS, 503, "");
    let error = gate.admit(&asked, &proof, &busy).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Unreachable);
}

#[test]
fn a_signature_for_something_else_is_never_sent() {
    let gate = gate(&[RULE], "iam", Certificates::default());
    let asks = instance_of("worker-gpu");
    let try_with = |change: &dyn Fn(&mut EnrolRequest, &mut SignedCaller)| {
        let (mut asked, mut proof) = request("c1");
        let mut caller = proof.caller.take().expect("signed");
        change(&mut asked, &mut caller);
        proof.caller = Some(caller);
        gate.admit(&asked, &proof, &asks)
            .expect_err("refused")
            .message()
    };
    fn set(caller: &mut SignedCaller, name: &str, value: &str) {
        caller.headers.retain(|(n, _)| n != name);
        caller.headers.push((name.into(), value.into()));
    }
    let another = "made for another join";
    assert!(try_with(&|asked, _| asked.public_key = "cd".repeat(32)).contains(another));
    assert!(try_with(&|asked, _| asked.name = "i-00000000".into()).contains(another));
    assert!(try_with(&|_, c| set(c, JOIN_HEADER, "x")).contains(another));
    assert!(try_with(&|_, c| set(c, "host", "evil.example")).contains("`host`"));
    assert!(try_with(&|_, c| set(c, "x-amz-date", "a\r\nb: c")).contains("`x-amz-date`"));
    assert!(
        try_with(&|_, c| c.headers.push(("Authorization".into(), "x".into())))
            .contains("`authorization`")
    );
    assert!(try_with(&|_, c| c.region = "eu-west-1".into()).contains("no rule allows the region"));
    assert!(try_with(&|_, c| c.region = "us-west-2".into()).contains("another service or region"));
    assert!(try_with(&|_, c| c.region = "us-east-1.evil.example/".into()).contains("no rule"));
    let uncovered = "does not cover the challenge";
    let scope = format!(
        "Credential=A/{}/us-east-1/sts/aws4_request",
        &amz_date(here::now())[..8]
    );
    for authorization in [
        format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date, Signature=0"),
        format!(
            "AWS4-HMAC-SHA256 SignedHeaders=host;x-amz-date;x-lks-join, {scope}, SignedHeaders=host, Signature=0"
        ),
        format!(
            "AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date;x-lks-join,SignedHeaders=host, Signature=0"
        ),
        String::from("Basic x"),
    ] {
        let told = try_with(&|_, c| set(c, "authorization", &authorization));
        assert!(told.contains(uncovered), "{authorization}: {told}");
    }
    let wide = gate_for_any_region();
    let (asked, mut proof) = request("c1");
    proof.caller.as_mut().expect("signed").region = "evil.example".into();
    assert!(wide.admit(&asked, &proof, &asks).is_err());
    assert!(asks.requested().is_empty(), "nothing was sent to STS");
}

fn gate_for_any_region() -> Gate {
    gate(&["123456789012/*@*"], "iam", Certificates::default())
}

/// A folder with keys and certificates that OpenSSL made; nothing where there is no OpenSSL.
struct Signer(PathBuf);

impl Drop for Signer {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Signer {
    fn new(name: &str) -> Option<Self> {
        if !Command::new("openssl")
            .arg("version")
            .output()
            .is_ok_and(|o| o.status.success())
        {
            let _ = writeln!(std::io::stderr(), "skipped: there is no openssl");
            return None;
        }
        let dir = std::env::temp_dir().join(format!("lks-iid-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder");
        let made = Self(dir);
        made.run(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-days",
            "2",
            "-subj",
            "/C=US/O=Amazon Web Services LLC",
        ]);
        Some(made)
    }

    fn run(&self, arguments: &[&str]) {
        let done = Command::new("openssl")
            .args(arguments)
            .current_dir(&self.0)
            .output()
            .expect("openssl");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    fn certificates(&self, region: &str) -> Certificates {
        let pem = std::fs::read_to_string(self.0.join("cert.pem")).expect("a certificate");
        Certificates::read(&format!("# {region}\n{pem}")).expect("reads")
    }

    /// A document as the metadata service gives it.
    fn sign(&self, document: &str, more: &[&str]) -> String {
        std::fs::write(self.0.join("document"), document).expect("written");
        let mut arguments = vec![
            "cms",
            "-sign",
            "-binary",
            "-nodetach",
            "-md",
            "sha256",
            "-signer",
            "cert.pem",
            "-inkey",
            "key.pem",
            "-in",
            "document",
            "-outform",
            "PEM",
            "-out",
            "signed",
        ];
        arguments.extend(more);
        self.run(&arguments);
        let pem = std::fs::read_to_string(self.0.join("signed")).expect("signed");
        pem.lines()
            .filter(|l| !l.starts_with("-----"))
            .map(|l| format!("{l}\n"))
            .collect()
    }
}

fn document(instance: &str, region: &str, began: f64) -> String {
    let t = amz_date(began);
    let time = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &t[..4],
        &t[4..6],
        &t[6..8],
        &t[9..11],
        &t[11..13],
        &t[13..15]
    );
    format!(
        "{{\n  \"accountId\" : \"{ACCOUNT}\",\n  \"instanceId\" : \"{instance}\",\n  \"pendingTime\" : \"{time}\",\n  \
         \"region\" : \"{region}\",\n  \"version\" : \"2017-09-30\"\n}}"
    )
}

#[test]
fn a_document_is_believed_if_its_region_signed_it_lately() {
    let Some(signer) = Signer::new("good") else {
        return;
    };
    let known = signer.certificates("us-east-1 us-west-2");
    let fresh = document(INSTANCE, "us-east-1", here::now() - 60.0);
    let verify = |text: &str| document::verified(text, &known, now(), 3600);
    // With signed attributes, without them, and with no certificate along.
    for more in [&[][..], &["-noattr"], &["-nocerts"], &["-nosmimecap"]] {
        let found = verify(&signer.sign(&fresh, more)).expect("believed");
        assert_eq!(
            (found.instance_id.as_str(), found.region.as_str()),
            (INSTANCE, "us-east-1")
        );
    }
    let word = |text: &str| verify(text).expect_err("refused").message();
    let old = document(INSTANCE, "us-east-1", here::now() - 4000.0);
    assert!(word(&signer.sign(&old, &[])).contains("3600 are allowed"));
    let future = document(INSTANCE, "us-east-1", here::now() + 4000.0);
    assert!(word(&signer.sign(&future, &[])).contains("are allowed"));
    let elsewhere = document(INSTANCE, "eu-west-1", here::now());
    assert!(word(&signer.sign(&elsewhere, &[])).contains("no certificate of the region eu-west-1"));
    let odd = document("i-../../etc", "us-east-1", here::now());
    assert!(word(&signer.sign(&odd, &[])).contains("is none"));
    // Another's certificate that says the same of itself.
    let foreign = Signer::new("foreign").expect("openssl");
    assert!(word(&foreign.sign(&fresh, &[])).contains("not signed by its region's certificate"));
    // SHA-1 and detached content are not what this is.
    assert!(word(&signer.sign(&fresh, &["-md", "sha1"])).contains("is none"));
}

#[test]
fn a_changed_document_is_refused_at_every_byte() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let Some(signer) = Signer::new("tampered") else {
        return;
    };
    let known = signer.certificates("us-east-1");
    for more in [&["-nocerts"][..], &["-nocerts", "-noattr"]] {
        let fresh = document(INSTANCE, "us-east-1", here::now());
        let text = signer.sign(&fresh, more);
        let plain: String = text.split_whitespace().collect();
        let bytes = STANDARD.decode(plain).expect("base64");
        let mut believed = Vec::new();
        for at in 0..bytes.len() {
            for change in [1, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                let told = document::verified(&STANDARD.encode(&changed), &known, now(), 3600);
                if told.is_ok() {
                    believed.push(at);
                }
            }
            let cut = document::verified(&STANDARD.encode(&bytes[..at]), &known, now(), 3600);
            assert!(cut.is_err(), "cut off at {at}");
        }
        // What nobody signs: versions, the signer's name, parameters of algorithms. Never the document.
        let place = bytes
            .windows(fresh.len())
            .position(|w| w == fresh.as_bytes())
            .expect("there");
        let of_document = believed
            .iter()
            .filter(|at| (place..place + fresh.len()).contains(at));
        assert_eq!(of_document.count(), 0);
        // The signature stands last.
        assert!(
            believed.iter().all(|at| *at < bytes.len() - 256),
            "{believed:?}"
        );
    }
}

#[test]
fn a_document_can_be_needed_besides_the_signature_and_must_be_of_the_same_instance() {
    let Some(signer) = Signer::new("second") else {
        return;
    };
    let certificates = || signer.certificates("us-east-1");
    let strict = gate(&[RULE], "iam+iid", certificates());
    let asks = instance_of("worker-gpu");
    let (asked, mut proof) = request("c1");
    let error = strict.admit(&asked, &proof, &asks).expect_err("refused");
    assert!(error.message().contains("identity document is needed"));
    proof.document = Some(signer.sign(&document(INSTANCE, "us-east-1", here::now()), &[]));
    let admitted = strict.admit(&asked, &proof, &asks).expect("let in");
    assert!(
        admitted.detail.starts_with("iam and identity document"),
        "{}",
        admitted.detail
    );
    proof.document = Some(signer.sign(
        &document("i-0fffffffffffffff0", "us-east-1", here::now()),
        &[],
    ));
    let error = strict.admit(&asked, &proof, &asks).expect_err("refused");
    assert!(
        error
            .message()
            .contains("the identity document is of i-0fffffffffffffff0")
    );
    // Alone it is enough only where that is said, and where the role does not matter.
    proof.document = Some(signer.sign(&document(INSTANCE, "us-east-1", here::now()), &[]));
    proof.caller = None;
    let error = strict.admit(&asked, &proof, &asks).expect_err("refused");
    assert!(error.message().contains("alone is not enough"));
    let by_role = gate(&[RULE], "iid", certificates());
    assert!(
        by_role
            .admit(&asked, &proof, &asks)
            .expect_err("refused")
            .message()
            .contains("every role")
    );
    let any = gate(&["123456789012/*@us-east-1"], "iid", certificates());
    assert_eq!(
        any.admit(&asked, &proof, &asks).expect("let in").instance,
        INSTANCE
    );
}

#[test]
fn certificates_are_read_as_a_person_copies_them() {
    assert!(Certificates::read("").expect("reads").is_empty());
    let text = "# us-east-1\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let error = Certificates::read(text).expect_err("refused").to_string();
    assert!(
        error.contains("line 4") && error.contains("RSA-2048"),
        "{error}"
    );
}

/// Each was copied by hand at some time: that its own key signed it says that no letter was lost.
#[test]
fn every_published_certificate_is_one_regions_and_whole() {
    let text = include_str!("certificates.pem");
    let named = Certificates::published().expect("reads").named();
    let bodies: Vec<String> = text
        .split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .map(|part| {
            part.split("-----END")
                .next()
                .unwrap_or("")
                .replace('\n', "")
        })
        .collect();
    assert_eq!(named.len(), bodies.len());
    assert!(named.len() >= 36);
    let mut seen = std::collections::BTreeSet::new();
    for ((region, key), body) in named.iter().zip(bodies) {
        assert!(lks_agent::cloud::service::is_region(region), "{region}");
        assert!(seen.insert(key.clone()), "{region} has another's key");
        let der = STANDARD.decode(body).expect("base64");
        let mut parts = Reader::new(&der).take(SEQUENCE).expect("DER").inside();
        let signed = parts.take(SEQUENCE).expect("what is signed").whole;
        parts.take(SEQUENCE).expect("the algorithm");
        let signature = &parts.take(BIT_STRING).expect("the signature").content[1..];
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
        key.verify(signed, signature)
            .unwrap_or_else(|_| panic!("the certificate of {region} is damaged"));
    }
}
