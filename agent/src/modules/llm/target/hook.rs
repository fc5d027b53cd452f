//! A lifecycle hook of an Auto Scaling group: told that the host still works, and how it ended ("Complete
//! a lifecycle action" in the user guide of EC2 Auto Scaling).

use super::Target;
use crate::cloud::service::AUTO_SCALING;
use crate::cloud::{Call, Cloud};
use crate::error::{Error, Result};

/// A hook that waits for this host.
pub struct Hook {
    group: String,
    name: String,
    instance: String,
}

impl Hook {
    /// The hook that the task names, if it waits for this instance; nothing if it does not (any more).
    pub fn waiting(target: &Target, cloud: &Cloud<'_>) -> Result<Option<Self>> {
        let Some(name) = &target.lifecycle_hook else {
            return Ok(None);
        };
        let instance = match &target.target {
            Some(id) if id.starts_with("i-") => id.clone(),
            _ => cloud
                .imds()
                .need("meta-data/instance-id")?
                .trim()
                .to_owned(),
        };
        let call = target
            .auto_scaling("DescribeAutoScalingInstances")
            .list("InstanceIds", [&instance]);
        let told = cloud.ask(&call)?.xml()?;
        let list = told.list("DescribeAutoScalingInstancesResult/AutoScalingInstances");
        let Some(found) = list.first() else {
            let why = format!("{instance} is in no Auto Scaling group: no hook waits for it");
            return Err(Error::params(why).hint("leave `lifecycle_hook` out on such hosts"));
        };
        // Pending:Wait, Terminating:Wait, and those of warm pools.
        let waits = found.text_at("LifecycleState").ends_with(":Wait");
        Ok(waits.then(|| Self {
            group: found.text_at("AutoScalingGroupName").to_owned(),
            name: name.clone(),
            instance,
        }))
    }

    fn call(&self, target: &Target, action: &str) -> Call {
        target
            .auto_scaling(action)
            .param("AutoScalingGroupName", &self.group)
            .param("LifecycleHookName", &self.name)
            .param("InstanceId", &self.instance)
    }

    /// That the host is still at work.
    pub fn heartbeat(&self, target: &Target) -> Call {
        self.call(target, "RecordLifecycleActionHeartbeat")
    }

    /// That it is done; `CONTINUE` or `ABANDON`.
    pub fn complete(&self, target: &Target, result: &str) -> Call {
        self.call(target, "CompleteLifecycleAction")
            .param("LifecycleActionResult", result)
    }

    /// The service, for judging its answers.
    pub const SERVICE: &'static crate::cloud::Service = &AUTO_SCALING;
}
