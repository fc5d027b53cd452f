//! The services of AWS that are called, and where they are.

use crate::host::HostView;

/// A service, as its endpoints, its signatures and its protocol need it.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name in signatures and in the names of its endpoints.
    pub name: &'static str,
    /// The end of `AWS_ENDPOINT_URL_…` (the service's id in the SDKs' models).
    pub variable: &'static str,
    /// The version of its Query API, or the prefix of `X-Amz-Target` of its JSON API.
    pub words: &'static str,
    /// How it is called in IAM policies (`elasticloadbalancing:RegisterTargets`).
    pub policy: &'static str,
}

const fn row(name: &'static str, variable: &'static str, words: &'static str) -> Service {
    Service {
        name,
        variable,
        words,
        policy: name,
    }
}

/// Auto Scaling (Query).
pub static AUTO_SCALING: Service = row("autoscaling", "AUTO_SCALING", "2011-01-01");
/// EC2 (Query).
pub static EC2: Service = row("ec2", "EC2", "2016-11-15");
/// Elastic File System (REST).
pub static EFS: Service = row("elasticfilesystem", "EFS", "");
/// Load balancers of the second version (Query).
pub static ELB_V2: Service = row(
    "elasticloadbalancing",
    "ELASTIC_LOAD_BALANCING_V2",
    "2015-12-01",
);
/// S3 (REST).
pub static S3: Service = row("s3", "S3", "");
/// Secrets Manager (JSON).
pub static SECRETS_MANAGER: Service = row("secretsmanager", "SECRETS_MANAGER", "secretsmanager");
/// Systems Manager: parameters (JSON).
pub static SSM: Service = row("ssm", "SSM", "AmazonSSM");
/// Security tokens (Query).
pub static STS: Service = row("sts", "STS", "2011-06-15");

impl Service {
    /// Its address in a region: what `AWS_ENDPOINT_URL_SERVICE` or `AWS_ENDPOINT_URL` say (as in AWS's
    /// SDKs), else AWS's own. `true` with it if it was overridden.
    #[must_use]
    pub fn endpoint(&self, host: &dyn HostView, region: &str) -> (String, bool) {
        let variables = [
            format!("AWS_ENDPOINT_URL_{}", self.variable),
            "AWS_ENDPOINT_URL".into(),
        ];
        let set = variables.iter().filter_map(|name| host.env(name));
        match set
            .map(|u| u.trim_end_matches('/').to_owned())
            .find(|u| !u.is_empty())
        {
            Some(url) => (url, true),
            None => (format!("https://{}", self.host_name(region)), false),
        }
    }

    /// The name of its endpoint at AWS.
    #[must_use]
    pub fn host_name(&self, region: &str) -> String {
        format!("{}.{region}.{}", self.name, suffix(region))
    }
}

/// The domain of a region's partition (the SDKs' `partitions.json`).
fn suffix(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "amazonaws.com.cn",
        r if r.starts_with("us-isob-") => "sc2s.sgov.gov",
        r if r.starts_with("us-isof-") => "csp.hci.ic.gov",
        r if r.starts_with("eu-isoe-") => "cloud.adc-e.uk",
        r if r.starts_with("us-iso-") => "c2s.ic.gov",
        r if r.starts_with("eusc-") => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

/// Whether a text can be a region's name: it becomes part of addresses.
#[must_use]
pub fn is_region(text: &str) -> bool {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (4..=32).contains(&text.len()) && text.chars().all(ok) && text.contains('-')
}
