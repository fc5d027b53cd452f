//! The choice of a mount target, against EFS's answers in their documented form.

use super::target::find;
use crate::host::{FakeHost, Response};

const IMDS: &str = "http://169.254.169.254/latest";
const EFS: &str =
    "https://elasticfilesystem.us-west-2.amazonaws.com/2015-02-01/mount-targets?FileSystemId=fs-1";

fn answer(body: &str) -> Response {
    Response {
        status: 200,
        body: body.as_bytes().to_vec(),
        ..Response::default()
    }
}

fn target(zone: &str, id: &str, address: &str, state: &str) -> String {
    format!(
        r#"{{"OwnerId": "111122223333", "MountTargetId": "fsmt-{zone}", "FileSystemId": "fs-1", "SubnetId": "subnet-1",
            "LifeCycleState": "{state}", "IpAddress": "{address}", "NetworkInterfaceId": "eni-1",
            "AvailabilityZoneId": "{id}", "AvailabilityZoneName": "{zone}", "VpcId": "vpc-1"}}"#
    )
}

/// A host in us-west-2b whose file system has these mount targets.
fn host(url: &str, targets: &[String]) -> FakeHost {
    let role = r#"{"Code": "Success", "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "k", "Token": "t", "Expiration": "2033-01-01T00:00:00Z"}"#;
    let mut host =
        FakeHost::new().serving_response("PUT", &format!("{IMDS}/api/token"), answer("session"));
    for (path, body) in [
        ("meta-data/placement/region", "us-west-2"),
        ("meta-data/placement/availability-zone", "us-west-2b"),
        ("meta-data/placement/availability-zone-id", "usw2-az1"),
        ("meta-data/iam/security-credentials/", "LabRole"),
        ("meta-data/iam/security-credentials/LabRole", role),
    ] {
        host = host.serving_response("GET", &format!("{IMDS}/{path}"), answer(body));
    }
    let body = format!(r#"{{"MountTargets": [{}]}}"#, targets.join(","));
    host.serving_response("GET", url, answer(&body))
}

#[test]
fn the_target_of_the_hosts_zone_is_taken() {
    let all = [
        target("us-west-2a", "usw2-az2", "10.10.1.5", "available"),
        target("us-west-2b", "usw2-az1", "10.10.1.135", "available"),
    ];
    let host = host(EFS, &all);
    let found = find(&host, "fs-1", None, None).unwrap();
    assert_eq!(
        (found.address.as_str(), found.zone.as_str()),
        ("10.10.1.135", "us-west-2b")
    );
    assert_eq!(found.warning, None);
    let named = find(&host, "fs-1", None, Some("usw2-az2")).unwrap();
    assert_eq!(named.address, "10.10.1.5");
    let error = find(&host, "fs-1", None, Some("us-west-2d"))
        .err()
        .unwrap()
        .message();
    assert!(
        error.contains("there are some in us-west-2a, us-west-2b"),
        "{error}"
    );
}

#[test]
fn a_target_of_another_zone_is_taken_with_a_warning_and_one_that_is_not_ready_is_not() {
    let all = [
        target("us-west-2b", "usw2-az1", "10.10.1.135", "creating"),
        target("us-west-2a", "usw2-az2", "10.10.1.5", "available"),
    ];
    let found = find(&host(EFS, &all), "fs-1", None, None).unwrap();
    assert_eq!(found.address, "10.10.1.5");
    assert!(
        found
            .warning
            .unwrap()
            .contains("the one in us-west-2a is taken")
    );
    let error = find(&host(EFS, &all[..1]), "fs-1", None, None)
        .err()
        .unwrap()
        .message();
    assert!(error.contains("they are creating"), "{error}");
    let error = find(&host(EFS, &[]), "fs-1", None, None)
        .err()
        .unwrap()
        .message();
    assert!(error.contains("make one in each private subnet"), "{error}");
}

#[test]
fn a_file_system_of_another_region_is_asked_there() {
    let url = EFS.replace("us-west-2", "us-east-1");
    let all = [target(
        "us-east-1a",
        "use1-az1",
        "172.32.1.106",
        "available",
    )];
    let found = find(&host(&url, &all), "fs-1", Some("us-east-1"), None).unwrap();
    assert_eq!(found.address, "172.32.1.106");
    assert!(found.warning.is_some());
}
