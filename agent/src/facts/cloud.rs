//! The EC2 instance that a host is, as `lks_cloud`: what its metadata service tells. A host elsewhere has
//! `provider: none`, and is asked nothing.

use super::cx::{Cx, put};
use crate::cloud::{Imds, likely};
use crate::error::Result;
use crate::value::{Map, Value};

/// Facts, and where the service has them (below `/latest/meta-data/`).
const PLACES: &[(&str, &str)] = &[
    ("instance_id", "instance-id"),
    ("instance_type", "instance-type"),
    ("image_id", "ami-id"),
    ("region", "placement/region"),
    ("availability_zone", "placement/availability-zone"),
    ("availability_zone_id", "placement/availability-zone-id"),
    ("lifecycle", "instance-life-cycle"),
    ("local_ipv4", "local-ipv4"),
    ("local_hostname", "local-hostname"),
    ("public_ipv4", "public-ipv4"),
    ("mac", "mac"),
];

/// Where the tags are, if the instance may see them (`InstanceMetadataTags`).
const TAGS: &str = "meta-data/tags/instance";

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let mut facts = Map::new();
    let there = likely(cx.host);
    put(&mut facts, "provider", if there { "aws" } else { "none" });
    if there && let Err(error) = ask(&Imds::new(cx.host), &mut facts) {
        put(&mut facts, "problem", error.message());
    }
    put(out, "lks_cloud", facts);
}

fn ask(imds: &Imds<'_>, facts: &mut Map) -> Result<()> {
    for (name, path) in PLACES {
        if let Some(text) = imds.get(&format!("meta-data/{path}"))? {
            put(facts, name, text.trim());
        }
    }
    let document = imds.get("dynamic/instance-identity/document")?;
    let document = document.and_then(|t| serde_json::from_str::<serde_json::Value>(&t).ok());
    let account = document.as_ref().and_then(|d| d["accountId"].as_str());
    if let Some(account) = account {
        put(facts, "account_id", account);
    }
    if let Some(names) = imds.get(TAGS)? {
        let mut tags = Map::new();
        for name in names.lines().map(str::trim).filter(|n| !n.is_empty()) {
            let path = format!("{TAGS}/{}", crate::cloud::percent(name, "/"));
            put(&mut tags, name, imds.get(&path)?.unwrap_or_default());
        }
        put(facts, "tags", Value::from(tags));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{FakeHost, Response};

    const IMDS: &str = "http://169.254.169.254/latest";

    fn serving(host: FakeHost, path: &str, status: u16, body: &str) -> FakeHost {
        let response = Response {
            status,
            body: body.into(),
            ..Response::default()
        };
        host.serving_response("", &format!("{IMDS}/{path}"), response)
    }

    fn instance() -> FakeHost {
        let mut host = FakeHost::new().with_file("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
        for (_, path) in PLACES {
            host = serving(host, &format!("meta-data/{path}"), 404, "");
        }
        for (path, body) in [
            ("api/token", "TOKEN"),
            ("meta-data/instance-id", "i-0abc"),
            ("meta-data/placement/region", "us-west-2"),
            ("meta-data/instance-life-cycle", "spot"),
            (
                "dynamic/instance-identity/document",
                r#"{"accountId":"123456789012"}"#,
            ),
            ("meta-data/tags/instance", "Name\nlks/group"),
            ("meta-data/tags/instance/Name", "worker 1"),
            ("meta-data/tags/instance/lks/group", "gpu"),
        ] {
            host = serving(host, path, 200, body);
        }
        host
    }

    fn facts(host: &FakeHost) -> serde_json::Value {
        let mut out = Map::new();
        collect(&Cx::new(host, "/none"), &mut out);
        Value::from(out).to_json()["lks_cloud"].clone()
    }

    #[test]
    fn an_instance_tells_who_it_is() {
        let told = facts(&instance());
        assert_eq!(
            told,
            serde_json::json!({
                "provider": "aws", "instance_id": "i-0abc", "region": "us-west-2", "lifecycle": "spot",
                "account_id": "123456789012", "tags": {"Name": "worker 1", "lks/group": "gpu"},
            })
        );
    }

    #[test]
    fn a_host_elsewhere_is_asked_nothing() {
        let host = FakeHost::new();
        assert_eq!(facts(&host), serde_json::json!({"provider": "none"}));
        assert!(host.requested().is_empty());
    }

    #[test]
    fn an_instance_whose_service_is_off_is_no_failure() {
        let host = FakeHost::new().with_file("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
        let told = facts(&host);
        assert_eq!(told["provider"], "aws");
        let problem = told["problem"].as_str().unwrap_or_default();
        assert!(
            problem.contains("metadata service is not there"),
            "{problem}"
        );
    }
}
