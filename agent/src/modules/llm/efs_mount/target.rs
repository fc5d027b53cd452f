//! The mount target of a file system in this host's zone: a path through another zone is slower, is paid
//! for, and ends with that zone.

use crate::cloud::{Call, Cloud, service};
use crate::error::{Error, Result};
use crate::host::HostView;

/// A mount target.
pub struct Target {
    pub address: String,
    pub zone: String,
    /// What to know about it.
    pub warning: Option<String>,
}

/// Asks EFS (`DescribeMountTargets`) and takes the one in `zone`, or in the zone of this host.
pub fn find(
    host: &dyn HostView,
    id: &str,
    region: Option<&str>,
    zone: Option<&str>,
) -> Result<Target> {
    let cloud = Cloud::new(host);
    let mut call = Call::rest(
        &service::EFS,
        "DescribeMountTargets",
        "GET",
        "/2015-02-01/mount-targets",
    )
    .asked("FileSystemId", id);
    if let Some(region) = region {
        call = call.in_region(region);
    }
    let json = cloud.ask(&call)?.json()?;
    let all = json["MountTargets"].as_array().cloned().unwrap_or_default();
    let text = |target: &serde_json::Value, name: &str| {
        target[name].as_str().unwrap_or_default().to_owned()
    };
    let ready: Vec<&serde_json::Value> = all
        .iter()
        .filter(|t| t["LifeCycleState"] == "available" && t["IpAddress"].is_string())
        .collect();
    if ready.is_empty() {
        let states: Vec<String> = all.iter().map(|t| text(t, "LifeCycleState")).collect();
        let error = Error::host(format!("{id} has no mount target that is available"));
        return Err(match states.is_empty() {
            true => error.context("make one in each private subnet"),
            false => error.context(format!(
                "they are {}: try again in a minute",
                states.join(", ")
            )),
        });
    }
    let own = match zone {
        Some(zone) => vec![zone.to_owned()],
        // Of another region's file system no target is near.
        None if region.is_some_and(|r| cloud.region().is_ok_and(|own| own != r)) => Vec::new(),
        None => zones(&cloud),
    };
    let is_near = |t: &&&serde_json::Value| {
        own.contains(&text(t, "AvailabilityZoneName"))
            || own.contains(&text(t, "AvailabilityZoneId"))
    };
    let near = ready.iter().find(is_near);
    if near.is_none()
        && let Some(zone) = zone
    {
        let zones: Vec<String> = ready
            .iter()
            .map(|t| text(t, "AvailabilityZoneName"))
            .collect();
        return Err(Error::host(format!("{id} has no mount target in {zone}"))
            .context(format!("there are some in {}", zones.join(", "))));
    }
    let taken = near
        .or(ready.first())
        .copied()
        .unwrap_or(&serde_json::Value::Null);
    let zone = text(taken, "AvailabilityZoneName");
    let warning = near.is_none().then(|| {
        format!("{id} has no mount target in this host's zone: the one in {zone} is taken, without fail-over")
    });
    Ok(Target {
        address: text(taken, "IpAddress"),
        zone,
        warning,
    })
}

/// Name and id of this host's zone; none where nobody says.
fn zones(cloud: &Cloud<'_>) -> Vec<String> {
    ["availability-zone", "availability-zone-id"]
        .iter()
        .filter_map(|name| {
            cloud
                .imds()
                .get(&format!("meta-data/placement/{name}"))
                .ok()?
        })
        .collect()
}
