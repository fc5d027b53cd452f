//! The target group, and who the target is.

use super::Target;
use super::health::Health;
use crate::cloud::{Call, Cloud, code};
use crate::error::{Error, Result};

/// A target group, as `DescribeTargetGroups` tells it.
#[derive(Debug, Default)]
pub struct Group {
    pub arn: String,
    pub name: String,
    /// `instance`, `ip`, `lambda` or `alb`.
    kind: String,
    pub port: Option<u16>,
    pub load_balancers: Vec<String>,
    check_protocol: String,
    check_path: String,
    check_port: String,
    /// The status that the health check wants.
    pub matcher: String,
    pub interval: String,
    pub healthy_threshold: String,
}

impl Group {
    pub fn find(target: &Target, cloud: &Cloud<'_>) -> Result<Self> {
        let given = target.target_group.trim();
        let by = if given.starts_with("arn:") {
            "TargetGroupArns"
        } else {
            "Names"
        };
        let call = target.elb("DescribeTargetGroups").list(by, [given]);
        let told = cloud.ask(&call).map_err(|error| match code(&error) {
            Some("TargetGroupNotFound" | "ValidationError") => error.hint(format!(
                "`{given}` is no target group of this region: see `region`"
            )),
            _ => error,
        })?;
        let told = told.xml()?;
        let found = told.list("DescribeTargetGroupsResult/TargetGroups").first();
        let found = found.ok_or_else(|| Error::host(format!("no target group `{given}`")))?;
        let text = |name: &str| found.text_at(name).to_owned();
        let list = found.list("LoadBalancerArns");
        Ok(Self {
            arn: text("TargetGroupArn"),
            name: text("TargetGroupName"),
            kind: text("TargetType"),
            port: text("Port").parse().ok(),
            load_balancers: list.iter().map(|e| e.text.clone()).collect(),
            check_protocol: text("HealthCheckProtocol"),
            check_path: text("HealthCheckPath"),
            check_port: text("HealthCheckPort"),
            matcher: match text("Matcher/HttpCode") {
                none if none.is_empty() => "a connection".into(),
                codes => format!("HTTP {codes}"),
            },
            interval: text("HealthCheckIntervalSeconds"),
            healthy_threshold: text("HealthyThresholdCount"),
        })
    }

    /// The health check in a few words.
    pub fn check(&self, port: Option<u16>) -> String {
        let port = match (self.check_port.as_str(), port) {
            ("traffic-port" | "", Some(port)) => format!("port {port}"),
            ("traffic-port" | "", None) => "the target's port".into(),
            (other, _) => format!("port {other}"),
        };
        match self.check_protocol.as_str() {
            "HTTP" | "HTTPS" => format!("{} {} on {port}", self.check_protocol, self.check_path),
            other => format!("{other} on {port}"),
        }
    }

    /// This host, as the group names its targets.
    pub fn own_id(&self, cloud: &Cloud<'_>) -> Result<String> {
        let path = match self.kind.as_str() {
            "ip" => "meta-data/local-ipv4",
            "instance" | "" => "meta-data/instance-id",
            other => {
                let why = format!(
                    "{} has targets of the kind `{other}`: this host is none",
                    self.name
                );
                return Err(Error::params(why).hint("`target` names another"));
            }
        };
        let id = cloud.imds().need(path).map_err(|e| {
            e.context("which target is this host?")
                .hint("`target` is an instance's id, or an address")
        })?;
        Ok(id.trim().to_owned())
    }

    /// The seconds that the load balancer gives requests of a deregistered target; nothing if it does not
    /// tell.
    pub fn patience(&self, target: &Target, cloud: &Cloud<'_>) -> Option<u64> {
        let call = target
            .elb("DescribeTargetGroupAttributes")
            .param("TargetGroupArn", &self.arn);
        // The permission may be missing, and it is only for a warning.
        let told = cloud.ask(&call).ok()?.xml().ok()?;
        let list = told.list("DescribeTargetGroupAttributesResult/Attributes");
        let delay = list
            .iter()
            .find(|a| a.text_at("Key") == "deregistration_delay.timeout_seconds")?;
        delay.text_at("Value").parse().ok()
    }
}

/// A target of a group.
pub struct Place<'a> {
    pub group: &'a Group,
    pub id: String,
}

impl Place<'_> {
    /// A call about this target.
    pub fn call(&self, target: &Target, action: &str) -> Call {
        let mut call = target
            .elb(action)
            .param("TargetGroupArn", &self.group.arn)
            .param("Targets.member.1.Id", &self.id);
        if let Some(port) = target.port {
            call = call.param("Targets.member.1.Port", port.to_string());
        }
        if action == "RegisterTargets"
            && let Some(zone) = &target.availability_zone
        {
            call = call.param("Targets.member.1.AvailabilityZone", zone);
        }
        call
    }

    pub fn health(&self, target: &Target, cloud: &Cloud<'_>) -> Result<Health> {
        match cloud.ask(&self.call(target, "DescribeTargetHealth")) {
            Ok(answer) => Health::of(&answer),
            // What some groups say of a target that they never had.
            Err(error) if code(&error) == Some("InvalidTarget") => Ok(Health {
                state: "unused".into(),
                reason: "Target.NotRegistered".into(),
                description: String::new(),
            }),
            Err(error) => Err(error),
        }
    }
}
