//! Calls from a host in memory.

use super::super::*;
use super::{IMDS, NOW, answer, instance};
use crate::host::{FakeHost, HostView, Response};

const LATER: &str = "2015-08-30T18:36:00Z";
const ELB: &str = "https://elasticloadbalancing.eu-west-1.amazonaws.com/";
const XML: &str = "<DescribeTargetHealthResponse xmlns=\"http://x/\"><DescribeTargetHealthResult>\
    <TargetHealthDescriptions><member><Target><Id>i-1</Id></Target></member></TargetHealthDescriptions>\
    </DescribeTargetHealthResult></DescribeTargetHealthResponse>";

fn health() -> Call {
    Call::query(&service::ELB_V2, "DescribeTargetHealth").param("TargetGroupArn", "arn:a/b")
}

fn count(host: &FakeHost, part: &str) -> usize {
    host.requested()
        .iter()
        .filter(|r| r.url.contains(part))
        .count()
}

#[test]
fn a_call_is_signed_by_the_role_and_read() {
    let host = instance(LATER).serving_response("POST", ELB, answer(200, XML));
    let cloud = Cloud::new(&host);
    let told = cloud.ask(&health()).unwrap().xml().unwrap();
    let list = told.list("DescribeTargetHealthResult/TargetHealthDescriptions");
    assert_eq!(list[0].text_at("Target/Id"), "i-1");
    cloud.ask(&health()).unwrap();
    // Token, region and credentials are asked for once.
    assert_eq!(count(&host, "api/token"), 1);
    assert_eq!(count(&host, "security-credentials/worker"), 1);
    let sent = host.requested().pop().unwrap();
    let body = String::from_utf8(sent.body.unwrap()).unwrap();
    assert_eq!(
        body,
        "Action=DescribeTargetHealth&Version=2015-12-01&TargetGroupArn=arn%3Aa%2Fb"
    );
    let header = |name: &str| {
        sent.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
    };
    let signature = header("authorization").unwrap();
    assert!(signature.contains("ASIAEXAMPLE/20150830/eu-west-1/elasticloadbalancing/aws4_request"));
    assert!(signature.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"));
    assert_eq!(header("x-amz-security-token").as_deref(), Some("t0ken"));
}

#[test]
fn a_refusal_carries_code_and_advice() {
    let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
               <Message>User: x is not authorized</Message></Error></ErrorResponse>";
    let host = instance(LATER).serving_response("POST", ELB, answer(403, xml));
    let error = Cloud::new(&host).ask(&health()).unwrap_err();
    assert_eq!(code(&error), Some("AccessDenied"));
    assert_eq!(
        error.to_string(),
        "DescribeTargetHealth of elasticloadbalancing was refused: AccessDenied: User: x is not \
         authorized\nhint: the role lacks `elasticloadbalancing:DescribeTargetHealth`: `templates/` has \
         a policy with what lks needs"
    );
}

#[test]
fn codes_are_read_in_every_protocol() {
    let call = health();
    let code_of = |response: Response| {
        let error = judged(&call, response).unwrap_err();
        code(&error).unwrap_or_default().to_owned()
    };
    let json = r#"{"__type":"com.amazonaws.ssm#ParameterNotFound","message":"no"}"#;
    assert_eq!(code_of(answer(400, json)), "ParameterNotFound");
    let mut rest = answer(404, r#"{"message":"no"}"#);
    let header = (
        "x-amzn-errortype".into(),
        "FileSystemNotFound:http://x/".into(),
    );
    rest.headers.push(header);
    assert_eq!(code_of(rest), "FileSystemNotFound");
    let s3 = "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>m</Message></Error>";
    assert_eq!(code_of(answer(404, s3)), "NoSuchKey");
    let ec2 =
        "<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>";
    assert_eq!(code_of(answer(403, ec2)), "UnauthorizedOperation");
    assert_eq!(code_of(answer(403, "")), "AccessDenied");
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aa\">]><Error><Code>&a;</Code></Error>";
    assert_eq!(code_of(answer(418, bomb)), "status 418");
}

#[test]
fn credentials_are_renewed_before_they_expire() {
    let host = instance("2015-08-30T12:40:00Z").serving_response("POST", ELB, answer(200, XML));
    let cloud = Cloud::new(&host);
    cloud.ask(&health()).unwrap();
    cloud.ask(&health()).unwrap();
    assert_eq!(count(&host, "security-credentials/worker"), 2);
    let expired = r#"<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>"#;
    let host = instance(LATER).serving_response("POST", ELB, answer(403, expired));
    let error = Cloud::new(&host).ask(&health()).unwrap_err();
    assert_eq!(code(&error), Some("ExpiredToken"));
    assert_eq!(
        count(&host, "security-credentials/worker"),
        2,
        "once more, not for ever"
    );
}

#[test]
fn credentials_come_from_the_first_that_has_some() {
    let of = |host: &FakeHost| credentials(host, &Imds::new(host));
    let host = instance(LATER)
        .with_env("AWS_ACCESS_KEY_ID", "AKIA1")
        .with_env("AWS_SECRET_ACCESS_KEY", "x");
    assert_eq!(of(&host).unwrap().key, "AKIA1");
    assert!(host.requested().is_empty());
    let json = r#"{"AccessKeyId":"ASIA2","SecretAccessKey":"y","Token":"z","Expiration":"2015-08-30T13:36:00Z"}"#;
    let host = instance(LATER)
        .with_env(
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "/v2/credentials/1",
        )
        .serving_response(
            "GET",
            "http://169.254.170.2/v2/credentials/1",
            answer(200, json),
        );
    let found = of(&host).unwrap();
    assert_eq!(
        (found.key.as_str(), found.expires),
        ("ASIA2", Some(NOW as i64 + 3600))
    );
    let host = FakeHost::new().with_env(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "http://evil.example/x",
    );
    assert!(
        of(&host)
            .unwrap_err()
            .to_string()
            .contains("neither HTTPS nor this host")
    );
    assert!(host.requested().is_empty());
    let error = of(&FakeHost::new()).unwrap_err().to_string();
    assert!(
        error.contains("no credentials for AWS") && error.contains("instance profile"),
        "{error}"
    );
}

#[test]
fn nothing_of_credentials_is_shown() {
    let host = instance(LATER);
    let found = Cloud::new(&host).credentials().unwrap();
    let shown = format!("{found:?}");
    assert!(
        !shown.contains("s3cret") && !shown.contains("t0ken"),
        "{shown}"
    );
    let secret = answer(200, r#"{"Parameter":{"Value":"hunter2"}}"#);
    let told = judged(&health(), secret).unwrap();
    assert!(!format!("{told:?}").contains("hunter2"));
}

#[test]
fn the_metadata_service_is_asked_with_a_session() {
    let host = instance(LATER).serving_response(
        "GET",
        &format!("{IMDS}/meta-data/instance-id"),
        answer(200, "i-0abc"),
    );
    let imds = Imds::new(&host);
    assert_eq!(
        imds.get("meta-data/instance-id").unwrap().as_deref(),
        Some("i-0abc")
    );
    let sent = host.requested();
    assert_eq!((sent[0].method.as_str(), sent.len()), ("PUT", 2));
    assert_eq!(
        sent[1].headers[0],
        ("X-aws-ec2-metadata-token".to_owned(), "TOKEN".to_owned())
    );
    assert!(
        sent.iter().all(|r| !r.use_proxy),
        "a proxy would answer for itself"
    );
    let host = instance(LATER).serving_response(
        "GET",
        &format!("{IMDS}/meta-data/tags/instance/"),
        answer(404, ""),
    );
    assert_eq!(
        Imds::new(&host).get("meta-data/tags/instance/").unwrap(),
        None
    );
    let off = FakeHost::new().with_env("AWS_EC2_METADATA_DISABLED", "TRUE");
    assert!(Imds::new(&off).get("meta-data/ami-id").is_err());
    assert!(off.requested().is_empty());
}

#[test]
fn an_expired_session_is_renewed_once() {
    let host = instance(LATER).serving_response(
        "GET",
        &format!("{IMDS}/meta-data/ami-id"),
        answer(401, ""),
    );
    assert!(Imds::new(&host).get("meta-data/ami-id").is_err());
    assert_eq!(count(&host, "api/token"), 2);
}

#[test]
fn only_what_looks_like_an_instance_is_one() {
    assert!(!likely(&FakeHost::new()));
    for (path, text) in [
        ("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n"),
        ("/sys/class/dmi/id/board_asset_tag", "i-0123456789abcdef0\n"),
        (
            "/sys/hypervisor/uuid",
            "ec2e1916-9099-7caf-fd21-012345abcdef\n",
        ),
    ] {
        assert!(likely(&FakeHost::new().with_file(path, text)), "{path}");
    }
    assert!(!likely(
        &FakeHost::new().with_file("/sys/class/dmi/id/sys_vendor", "QEMU\n")
    ));
}

#[test]
fn endpoints_are_those_of_the_partition_or_the_override() {
    let host = FakeHost::new();
    for (region, want) in [
        ("us-east-1", "https://sts.us-east-1.amazonaws.com"),
        ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com"),
    ] {
        assert_eq!(service::STS.endpoint(&host, region).0, want);
    }
    let host = host
        .with_env("AWS_ENDPOINT_URL", "http://127.0.0.1:5000/")
        .with_env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000");
    let url = |s: &Service| s.endpoint(&host, "us-east-1").0;
    assert_eq!(url(&service::STS), "http://127.0.0.1:5000");
    assert_eq!(url(&service::S3), "http://127.0.0.1:9000");
    let host = instance(LATER);
    let odd = health().in_region("x.evil.example/");
    assert!(
        Cloud::new(&host)
            .ask(&odd)
            .unwrap_err()
            .to_string()
            .contains("no region")
    );
}

#[test]
fn a_bucket_is_asked_where_it_is() {
    let here = "https://models.s3.eu-west-1.amazonaws.com/a%20b/c.gguf";
    let there = "https://models.s3.us-east-1.amazonaws.com/a%20b/c.gguf";
    let mut moved = answer(301, "<Error><Code>PermanentRedirect</Code></Error>");
    let header = ("x-amz-bucket-region".into(), "us-east-1".into());
    moved.headers.push(header);
    let host = instance(LATER)
        .serving_response("GET", here, moved)
        .serving_response("GET", there, answer(200, "GGUF"));
    let call = Call::object("GET", "models", "a b/c.gguf");
    assert_eq!(Cloud::new(&host).ask(&call).unwrap().body(), b"GGUF");
    let dotted = Call::object("GET", "my.models", "c");
    let request = Cloud::new(&host).sign(&dotted).unwrap();
    assert_eq!(
        request.url,
        "https://s3.eu-west-1.amazonaws.com/my.models/c"
    );
    let url = Cloud::new(&host).url(&call, 600).unwrap();
    assert!(
        url.starts_with(&format!("{here}?X-Amz-Algorithm=AWS4-HMAC-SHA256&")),
        "{url}"
    );
    assert!(url.contains("&X-Amz-Security-Token=t0ken&"), "{url}");
}

#[test]
fn lists_are_numbered_as_each_service_wants_them() {
    let elb = Call::query(&service::ELB_V2, "X").list("Names", ["a", "b"]);
    assert!(
        String::from_utf8(elb.body)
            .unwrap()
            .ends_with("Names.member.1=a&Names.member.2=b")
    );
    let ec2 = Call::query(&service::EC2, "X").list("InstanceId", ["i-1"]);
    assert!(
        String::from_utf8(ec2.body)
            .unwrap()
            .ends_with("InstanceId.1=i-1")
    );
    assert_eq!(FakeHost::new().with_now(NOW).now(), NOW);
}

#[test]
fn authorities_that_the_environment_names_are_trusted_too() {
    let host = instance(LATER).with_env("AWS_CA_BUNDLE", "/etc/proxy.pem");
    let sent = Cloud::new(&host).sign(&health()).unwrap();
    assert_eq!(
        sent.ca_path.as_deref(),
        Some(std::path::Path::new("/etc/proxy.pem"))
    );
    assert_eq!(
        Cloud::new(&instance(LATER))
            .sign(&health())
            .unwrap()
            .ca_path,
        None
    );
}
